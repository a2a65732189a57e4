"""Moments that a distiller keeps: rows can be added to them, and most pickles leave them out."""

import copy
from collections.abc import Mapping
from typing import Any, Self

from numpy.typing import ArrayLike

from ..matrix._layout import find_blocks
from ..matrix._moments import Moments
from ..matrix._residue_moments import check_embedder, residue_columns, sum_residues
from ..matrix._rows import check_row_weights, check_rows, string_columns
from ..utils._compat import _fit_context
from ._base_chain import BaseChain


class MomentsChain(BaseChain):
    """Base class of transformers that keep the moments of the rows that they were fitted on.

    Moments of a long chain are larger than its map, which is all that predictions need. A pickle
    therefore has them only if rows were added by :meth:`partial_fit`, so that more can be.
    """

    _keeps_moments = True

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows to those already seen.

        Batches of any sizes, in any order, give the fit of all rows at once. The chain is solved
        when it is first used.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            More rows of the concatenated embeddings.
        y : Ignored
            Present by scikit-learn's convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            As for :meth:`fit`, or if the distiller has no moments to add to: it was read from a
            file, or from a pickle of one that :meth:`partial_fit` had not fitted. The estimator is
            left unchanged.
        """
        self._check_fits_moments()
        if "moments_" in vars(self):
            rows = self._check_rows(X)
            moments = self.moments_ + Moments.of(rows, check_row_weights(sample_weight, rows))
        elif hasattr(self, "components_"):
            raise ValueError(
                "This distiller was read from a file that keeps no moments to add rows to; fit a "
                "new one with partial_fit, whose pickles keep them, or with fit_moments on "
                "`moments_` that were saved beside it."
            )
        else:
            rows = check_rows(X, self)
            blocks = find_blocks(self.dims, string_columns(X), rows.shape[1])
            self._check_parameters(blocks)
            moments = Moments.of(rows, check_row_weights(sample_weight, rows))
            self._reset(X)
            self._set_blocks(blocks)
        self.moments_: Moments = moments
        self.__dict__.pop("_chain", None)
        self._adds_rows = True
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_residues(self, sequences: ArrayLike, embedder: Any) -> Self:
        """Fit the chain on the residues of protein sequences, block by block.

        Parameters
        ----------
        sequences : array-like of str of shape (n_sequences,)
            Protein sequences; the paper used a thousand natural ones (about 250,000 residues).
        embedder : ESMEmbedder or TransformersEmbedder
            Embeds the residues with its chain of models; memory is bounded by its batches.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If `embedder` is not an embedder, or a sequence is not a string.
        ValueError
            If a sequence or the chain is not valid. The estimator is left unchanged.
        """
        self._check_fits_moments()
        check_embedder(embedder)
        feature_names = residue_columns(embedder)
        self._check_parameters(find_blocks(self.dims, feature_names, len(feature_names)))
        return self._fit_residue_moments(sum_residues([sequences], embedder), feature_names)

    def _fit_residue_moments(self, moments: Moments, feature_names: ArrayLike) -> Self:
        """Fit the chain on moments of residues, so that a file of it says what its rows were."""
        self.fit_moments(moments, feature_names)
        self._rows = "residues"
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if not state.get("_adds_rows"):
            state.pop("moments_", None)
        return state

    # Copies within a process share or keep the moments, unlike those through a pickle.
    def __copy__(self) -> Self:
        return self._holding(vars(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._holding(copy.deepcopy(vars(self), memo))

    def _holding(self, attributes: Mapping[str, Any]) -> Self:
        new = object.__new__(type(self))
        vars(new).update(attributes)
        return new
