"""ReverseDistiller: the chain as a scikit-learn transformer."""

import copy
import os
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from ..matrix._dask import is_dask, map_blocks, score_of_blocks
from ..matrix._layout import Blocks, find_blocks
from ..matrix._moments import Moments
from ..matrix._prefixes import check_prefix, nested_names, new_columns, prefix_length
from ..matrix._residue_moments import check_embedder, sum_residues
from ..matrix._rows import (
    check_row_weights,
    check_rows,
    check_rows_as_fitted,
    names_in,
    string_columns,
)
from ..matrix._torch import as_array, tensor_as
from ..utils._fingerprint import fingerprint
from ._base_chain import BaseChain
from ._saved_chain import read_chain, write_chain
from ._solve import check_adds_up, solve
from ._solved_chain import warn_of_few_rows, warn_of_lost_orthogonality


class ReverseDistiller(BaseChain):
    """Nested, orthogonal embeddings from a chain of models.

    The input is the concatenation ``[H1 | H2 | ...]`` of the embeddings that the models of one
    family, small to large, give the same sequences (or residues). Each embedding is regressed on
    the columns so far, and the principal directions of the residual are new ones [1]_::

        A1 = H1
        Wi = argmin_W || Hi - A(i-1) W ||          intercepts included
        Vi = leading principal directions of Hi - A(i-1) Wi
        Ai = [ A(i-1), (Hi - A(i-1) Wi) Vi ]

    So the first columns of the output are the smallest model's embedding, bit for bit, and every
    prefix that ends at a model is that model's distilled embedding. The map is affine: distilling
    mean-pooled embeddings equals pooling distilled residues. Recommended is to fit on residues of
    some thousand natural sequences (:meth:`fit_residues`), and to transform pooled embeddings.

    Read more in the :ref:`User Guide <user_guide>`.

    Parameters
    ----------
    dims : sequence of int, default=None
        Widths of the blocks, small model first. None recognises columns named by
        :class:`ESMEmbedder`, else widths of known models, with a warning unless they are a whole
        chain from its smallest model on, else takes all as one block and warns.
    n_components : int or str, default=None
        Length of the prefix to return: a number of columns, the model to stop at (``"150M"``), or
        all. It acts in :meth:`transform` alone, so that changing it needs no refit.
    n_new : sequence of int or "all", default=None
        Number of columns that each model after the first adds. None is the difference of
        widths, as in the paper, and needs widths that grow; "all" keeps the whole residual
        basis, which makes the map an invertible one of the concatenation.
    regressor : {"ols", "ridge", "pcr"} or estimator, default="ridge"
        The regression of an embedding on the prefix. "ols": new columns are uncorrelated with
        the prefix on the data of the fit and no representation with the same prefix
        reconstructs the embedding better. "ridge": shrunk, and no more new columns than the
        rows support. "pcr": least squares on the leading principal components of the prefix,
        as in the paper. Any multi-output regressor of scikit-learn may stand in their place: a
        copy for each level is fitted on the rows themselves. The prefix is kept, but the map is
        affine no more (see the :ref:`User Guide <any_regressor>`).
    alpha : float, default=None
        Penalty of the ridge, as in :class:`sklearn.linear_model.Ridge`. None minimises
        generalised cross-validation, among those that spend at most 15 % of the rows.
    rank : int, default=None
        Number of components for "pcr"; None counts those above Johnstone's threshold.
    memory : str or object with the joblib.Memory interface, default=None
        Caches the solved chain; a grid search over `n_components` solves once a training set.

    Attributes
    ----------
    model_names_ : list of str
        Names of the models; "block0", "block1", ... where nothing tells them.
    dims_ : ndarray of shape (n_models,)
        Widths of the models' embeddings.
    prefix_lengths_ : ndarray of shape (n_models,)
        Number of output columns up to and including each model.
    mean_ : ndarray of shape (n_features,), float64
        Mean of the columns.
    components_ : ndarray of shape (prefix_lengths_[-1], n_features), float64
        The linear map, block lower triangular, its first block the identity.
    offset_ : ndarray of shape (prefix_lengths_[-1],), float64
        The output is ``(X - mean_) @ components_.T + offset_``.
    reconstruction_ : ndarray of shape (prefix_lengths_[-1], n_features), float64
        The inverse map, ``(A - offset_) @ reconstruction_ + mean_``.
    r2_ : ndarray of shape (n_models - 1,)
        For each model after the first, the share of its variance predicted from the prefix.
    explained_variance_ratio_ : ndarray of shape (n_models - 1,)
        Share of the residual variance that the new columns keep.
    ranks_ : ndarray of shape (n_models - 1,)
        Numerical rank of the residual and, with "ridge", at most 15 % of the degrees of
        freedom that the regression leaves of the rows. New columns beyond it are exact zeros.
    conditions_ : ndarray of shape (n_models - 1,)
        Condition number of the prefix, with columns of unit variance for "ols".
    alphas_ : ndarray of shape (n_models - 1,)
        Penalties of the regressions; zeros unless `regressor="ridge"`.
    n_prefix_components_ : ndarray of shape (n_models - 1,)
        Number of principal components of the prefix that the regressions use.
    amplifications_ : ndarray of shape (n_models - 1,)
        How many times larger than a new column the terms are that it is the sum of. Rounding
        shows in correlations as 1e-16 times this number, times the largest one of the prefix.
    n_features_in_ : int
        Number of columns seen during fit.
    moments_ : Moments
        Moments of the rows seen, to build on; a distiller read from a file has none.
    regressors_ : list of estimators
        Fitted copies of `regressor` where it is an estimator. Of what is above there are then no
        maps, `moments_`, nor what is known of the regressions but `r2_`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, where all are strings.

    See Also
    --------
    ESMEmbedder : Makes the concatenated embeddings from protein sequences.
    sklearn.decomposition.PCA : Orthogonal columns without nesting.

    Notes
    -----
    With `regressor="ols"` the correlation of prefix and new columns on the data of the fit is
    below 1e-10, or a warning says what it may reach; else it is as small as shrinkage allows.

    References
    ----------
    .. [1] Catrina, Bepler, Sledzieski and Singh (2026), "Reverse Distillation: Consistently
       Scaling Protein Language Model Representations", Algorithm 3, ICLR, arXiv:2603.07710.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import ReverseDistiller
    >>> rng = np.random.default_rng(0)
    >>> small = rng.normal(size=(500, 4))
    >>> large = np.hstack([small @ rng.normal(size=(4, 4)), rng.normal(size=(500, 2))])
    >>> X = np.hstack([small, large])
    >>> distiller = ReverseDistiller(dims=[4, 6], regressor="ols").fit(X)
    >>> A = distiller.transform(X)
    >>> A.shape, np.array_equal(A[:, :4], small), distiller.ranks_
    ((500, 6), True, array([2]))
    """

    _parameter_constraints: dict = {
        "dims": ["array-like", None],
        "n_components": [Interval(Integral, 1, None, closed="left"), str, None],
        "n_new": ["array-like", StrOptions({"all"}), None],
        "regressor": [StrOptions({"ols", "ridge", "pcr"}), HasMethods(["fit", "predict"])],
        "alpha": [Interval(Real, 0, None, closed="neither"), None],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "memory": [str, HasMethods(["cache"]), None],
    }

    _keeps_moments = True
    _read = staticmethod(read_chain)

    def __init__(
        self,
        dims=None,
        *,
        n_components=None,
        n_new=None,
        regressor="ridge",
        alpha=None,
        rank=None,
        memory=None,
    ):
        self.dims = dims
        self.n_components = n_components
        self.n_new = n_new
        self.regressor = regressor
        self.alpha = alpha
        self.rank = rank
        self.memory = memory

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows to those already seen.

        Batches of any sizes, in any order, give the fit of all their rows at once. The chain is
        solved when it is first used.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            More rows of the concatenated embeddings.
        y : Ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : ReverseDistiller

        Raises
        ------
        ValueError
            As for :meth:`fit`, and where the distiller was read from a file, which keeps no
            moments to add to. Nothing is changed then.
        """
        check_adds_up(self.regressor)
        fitted = "moments_" in vars(self)
        if fitted:
            rows = check_rows_as_fitted(X, self, self.dims_, self.model_names_)
        elif hasattr(self, "components_"):
            raise ValueError(
                "This distiller was read from a file, which keeps no moments to add rows to; fit "
                "a new one, or keep fitted ones with joblib."
            )
        else:
            rows = check_rows(X, self)
            blocks = find_blocks(self.dims, string_columns(X), rows.shape[1])
            self._new_columns(blocks)
        moments = Moments.of(rows, check_row_weights(sample_weight, rows))
        if fitted:
            self.moments_ += moments
        else:
            self._start_over(X)
            self._set_blocks(blocks)
            self.moments_: Moments = moments
        self.__dict__.pop("_chain", None)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_residues(self, sequences: ArrayLike, embedder) -> Self:
        """Fit the chain on the residues of protein sequences, block by block.

        Parameters
        ----------
        sequences : array-like of str
            A thousand natural ones (about 250,000 residues) served the paper.
        embedder : ESMEmbedder
            Its chain of models embeds the residues; memory is bounded by its batches.

        Returns
        -------
        self : ReverseDistiller

        Raises
        ------
        TypeError
            If `embedder` is none, or a sequence is no text.
        ValueError
            If a sequence or the chain is not valid. Nothing is changed then.
        """
        check_adds_up(self.regressor)
        check_embedder(embedder)
        feature_names = embedder.get_feature_names_out()
        self._new_columns(find_blocks(self.dims, feature_names, len(feature_names)))
        return self.fit_moments(sum_residues([sequences], embedder), feature_names)

    def transform(self, X: ArrayLike) -> NDArray:
        """The nested embedding, or the prefix of it that `n_components` says.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings.

        Returns
        -------
        A : ndarray, Tensor or dask Array of shape (n_samples, n_components), as X
            Its first columns are those of X, bit for bit. Of dask it is computed when asked for.
        """
        check_is_fitted(self)
        rows = check_rows_as_fitted(X, self, self.dims_, self.model_names_)
        if is_dask(rows):
            return map_blocks(self._without_moments().transform, rows, self._n_components())
        return tensor_as(self._solved().transform(rows, self._n_components()), X)

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Reconstruct the embeddings of all models.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_components), float64 or float32
            Nested embeddings, or a prefix of them; missing columns are taken at their means.

        Returns
        -------
        H : ndarray, Tensor or dask Array of shape (n_samples, n_features), as X
            The concatenated embeddings, each reconstructed from the columns up to its model's;
            with "ols" and a prefix that ends at a model, by least squares those of that model
            and of all larger ones.

        Raises
        ------
        ValueError
            If X is not finite, has more columns than there are, or its names say that they are
            in another order.
        """
        check_is_fitted(self)
        A = check_rows(X, self)
        check_prefix(A.shape[1], string_columns(X), self._names_out())
        if is_dask(A):
            return map_blocks(self._without_moments().inverse_transform, A, self.n_features_in_)
        return tensor_as(self._solved().inverse_transform(A), X)

    def score(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Share of the embeddings' variance that the prefix reconstructs.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings.
        y : Ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Coefficient of determination of :meth:`inverse_transform` of :meth:`transform`,
            over all columns of all models, each weighted by its variance. The best is 1.
        """
        check_is_fitted(self)
        rows = as_array(check_rows_as_fitted(X, self, self.dims_, self.model_names_))
        sample_weight = check_row_weights(sample_weight, rows)
        if is_dask(rows):
            return score_of_blocks(self._without_moments(), rows, sample_weight)
        reconstructed = self.inverse_transform(as_array(self.transform(X)))
        return r2_score(
            rows, reconstructed, sample_weight=sample_weight, multioutput="variance_weighted"
        )

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Names of the columns: the first model's own, then `<model>_residual_<column>`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input's columns; None uses those seen during fit.

        Returns
        -------
        names : ndarray of shape (n_components,), object
        """
        check_is_fitted(self)
        return np.asarray(self._names_out(input_features)[: self._n_components()], dtype=object)

    def _names_out(self, input_features: ArrayLike | None = None) -> list[str]:
        """Names of all columns, whatever `n_components` says."""
        first = names_in(self, input_features)[: self.dims_[0]]
        if input_features is None and not hasattr(self, "feature_names_in_"):
            first = [f"{self.model_names_[0]}_{i}" for i in range(self.dims_[0])]
        return nested_names(first, self.model_names_, self.prefix_lengths_)

    def fingerprint(self) -> str:
        """Text that changes whenever what the distiller returns for the same rows would.

        Once fitted it covers the map, or the regressors and bases, the prefix that `n_components`
        says, and the names of models and columns; before, the parameters. It covers neither
        `memory` nor the moments, so that saving and reading keep it.

        Returns
        -------
        fingerprint : str
            64 hexadecimal digits.

        Raises
        ------
        TypeError
            If it cannot be told whether a `regressor` is still the same.
        """
        chain = self._solved()
        if chain is None:
            parameters = self.get_params(deep=False)
            del parameters["memory"]
            return fingerprint(parameters)
        names = self.model_names_, getattr(self, "feature_names_in_", None)
        return fingerprint(names, self.dims_, chain.mean, self._n_components(), chain.essentials)

    @validate_params({"path": [str, os.PathLike]}, prefer_skip_nested_validation=True)
    def save_pretrained(self, path: str | os.PathLike) -> None:
        """Write the fitted chain to a safetensors file: arrays and plain metadata, no pickle.

        The metadata is JSON: models, parameters, what is known of each level, the weight of the
        rows (null for a distiller that was read from a file), and the versions that wrote it.

        Parameters
        ----------
        path : str or path-like
            The file, by custom ending in ``.safetensors``; it appears in one step.

        Raises
        ------
        OSError
            If it cannot be written. An existing file is as it was then.
        ValueError
            If the chain is no affine map, or a parameter that was set since the fit is not valid.
        """
        check_is_fitted(self)
        self._validate_params()  # may have been set since the fit
        parameters = self.get_params()
        del parameters["memory"]  # belongs to this machine
        weight = self.moments_.weight if "moments_" in vars(self) else None
        write_chain(path, parameters, self._blocks(), self._solved(), weight)

    def _parameters_up_to(self, n_models: int) -> dict[str, Any]:
        parameters = super()._parameters_up_to(n_models) | {"n_components": None}
        if self.n_new is not None and not isinstance(self.n_new, str):
            parameters["n_new"] = list(self.n_new)[: n_models - 1]
        return parameters

    def _new_columns(self, blocks: Blocks) -> list[int]:
        """Number of new columns of each level, after checking the parameters against the chain."""
        n_new = new_columns(blocks, self.n_new)
        prefix_length(self.n_components, blocks.names, np.cumsum([blocks.dims[0], *n_new]))
        return n_new

    def _check_parameters(self, blocks: Blocks) -> None:
        super()._check_parameters(blocks)
        self._new_columns(blocks)

    def _parameters_of(self, blocks: Blocks) -> tuple[Any, Any, Any, Any, Any]:
        """What a chain is solved with."""
        return blocks.dims, self._new_columns(blocks), self.regressor, self.alpha, self.rank

    def _solve(self, blocks: Blocks, moments: Moments) -> Any:
        check_adds_up(self.regressor)
        return solve(moments, None, *self._parameters_of(blocks))[0]

    def _solve_rows(self, blocks: Blocks, rows: Any, sample_weight: Any) -> tuple:
        return solve(rows, sample_weight, *self._parameters_of(blocks), memory=self.memory)

    def _warn(self, weight: float) -> None:
        warn_of_few_rows(self._chain, self.model_names_, weight)
        if self.regressor == "ols":
            warn_of_lost_orthogonality(self._chain, self.model_names_)

    def _without_moments(self) -> Self:
        """A copy that transforms arrays as this one does, to be sent to workers."""
        self._solved()
        light = copy.copy(self)
        for name in ("moments_", "feature_names_in_", "_sklearn_output_config"):
            light.__dict__.pop(name, None)
        return light.set_output(transform="default")

    def _n_components(self) -> int:
        return prefix_length(self.n_components, self.model_names_, self.prefix_lengths_)
