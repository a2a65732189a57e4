"""Base class of the transformers of a chain: fit, fitted attributes, truncation, reading."""

import copy
import os
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from ..matrix._dask import as_blocks, is_dask
from ..matrix._layout import Blocks, column_names, find_blocks
from ..matrix._moments import Moments, check_moments
from ..matrix._prefixes import model_index
from ..matrix._rows import (
    check_row_weights,
    check_rows,
    header,
    string_columns,
)
from ..utils._compat import _fit_context, validate_parameter_constraints
from ..utils._messages import first_line
from ._solved_chain import ATTRIBUTES, SolvedChain

_SOURCE_CONSTRAINTS = {
    "name_or_path": [str, os.PathLike],
    "variant": [str, None],
    "revision": [str, None],
}


# Fitted attributes that are not public.
_OF_FIT = ("_chain", "_adds_rows", "_rows")


class BaseChain(TransformerMixin, BaseEstimator):
    """Base class of transformers of the concatenated embeddings of a chain of models.

    An estimator holds a solved chain (``_chain``), whose attributes become fitted attributes. A
    subclass solves it from moments (``_solve``) or rows (``_solve_rows``), and warns of doubtful
    chains (``_warn``), or takes a fitted one (``_source``, ``_take``). A subclass that keeps
    `moments_` may delete the chain, which is then solved when it is next needed.
    """

    _chain: Any  # a SolvedChain, of the subclass's own type
    _read: Any  # function from a path or name to parameters, blocks and a chain
    _keeps_moments = False

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the chain on the rows of a matrix.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            Concatenated embeddings, one block of columns per model. Moments of a dask array or
            data frame are summed on the workers that hold its blocks (see :ref:`scaling`).
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
            If X is not finite or its columns do not form the chain, if a parameter does not fit
            the chain, or if the regressor is an estimator and X a dask array. The estimator is
            left unchanged.
        """
        if (source := self._source()) is not None:
            self._take(source, X)
            return self
        rows = check_rows(X, self, ensure_min_samples=2)
        sample_weight = check_row_weights(sample_weight, rows)
        blocks = find_blocks(self.dims, string_columns(X), rows.shape[1])
        chain, weight, moments = self._solve_rows(blocks, rows, sample_weight)
        self._reset(X)
        self._set_fit(blocks, chain, moments)
        self._warn(weight)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_moments(self, moments: Moments, feature_names: ArrayLike | None = None) -> Self:
        """Fit the chain on moments, without the data.

        Moments of parts of the data, computed on other machines or in other fits (`moments_` of a
        :class:`ReverseDistiller`), add up to those of all data. The same moments also fit a chain
        with other parameters, a :class:`NaiveChain` as a baseline on the same data, and, by
        :meth:`Moments.leading`, a shorter chain.

        Parameters
        ----------
        moments : Moments
            Moments of the concatenated embeddings.
        feature_names : array-like of str of shape (n_features,), default=None
            Names of the columns, from which the models are recognised.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If `moments` is not a :class:`Moments`.
        ValueError
            If the columns do not form the chain, or a parameter does not fit it. The estimator is
            left unchanged.

        Examples
        --------
        Three machines hold a hundred rows each:

        >>> import numpy as np
        >>> from sklearn_revdist import Moments, ReverseDistiller
        >>> shards = np.random.default_rng(0).normal(size=(3, 100, 5))

        Each computes the moments of its rows; the chain is fitted on their sum:

        >>> moments = Moments.of(shards[0]) + Moments.of(shards[1]) + Moments.of(shards[2])
        >>> ReverseDistiller(dims=[2, 3]).fit_moments(moments).moments_.weight
        300.0
        """
        self._check_fits_moments()
        check_moments(moments)
        names = column_names(feature_names, moments.mean.size)
        blocks = find_blocks(self.dims, names, moments.mean.size)
        chain = self._solve(blocks, moments)
        self._delete_fit()
        self.n_features_in_ = moments.mean.size
        self._set_fit(blocks, chain, moments)
        self._warn(moments.weight)
        return self

    def truncate(self, model: str) -> Self:
        """Copy the fitted chain up to a model.

        Parameters
        ----------
        model : str
            Name of the last model to keep, short as ``"150M"`` or in full.

        Returns
        -------
        chain : object
            Takes the columns of the kept models alone, and transforms them as this one does.

        Raises
        ------
        ValueError
            If the chain has no model of that name.
        sklearn.exceptions.NotFittedError
            If the chain is not fitted.
        """
        check_is_fitted(self)
        n_models = model_index(model, self.model_names_, "model") + 1
        blocks = Blocks(*(part[:n_models] for part in self._blocks()))
        chain = clone(self).set_params(**self._parameters_up_to(n_models))
        chain.n_features_in_ = sum(blocks.dims)
        if hasattr(self, "feature_names_in_"):
            chain.feature_names_in_ = self.feature_names_in_[: chain.n_features_in_]
        moments = vars(self).get("moments_")
        if moments is not None:
            moments = moments.leading(chain.n_features_in_)
        chain._set_fit(blocks, self._solved().truncate(n_models), moments)
        return chain

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike,
        *,
        variant: str | None = None,
        revision: str | None = None,
    ) -> Self:
        """Read a fitted chain.

        Parameters
        ----------
        name_or_path : str or path-like
            A folder with the weights that the method's authors published, one npz file per step
            (``rd-scaler-<smaller>-<larger>-<variant>.npz`` for :class:`ReverseDistiller`, ``naive``
            in place of ``rd`` for :class:`NaiveChain`); or a repository on the Hugging Face hub
            that holds them in its folder ``weights``, as ``"singhlab/plm_reverse_distillation"``,
            which needs the extra ``hub``. A path that exists takes precedence over the hub.
            For a :class:`ReverseDistiller` also the path of a file that its `save_pretrained`
            wrote, or ``"demo"`` for the one that comes with the demo chain, fitted on residues
            of natural sequences.
        variant : str, default=None
            Variant of the published weights: regressor, kind of PCA and number of sequences, as in
            ``"pcr-incremental-1k"`` or ``"None-incremental-1k"``. None takes the only one in the
            folder; required for the hub.
        revision : str, default=None
            Commit to read from the hub, 40 hexadecimal digits; required for the hub.

        Returns
        -------
        chain : object
            Transforms exactly as the one that was saved. From published weights it repeats the
            published steps. Of the contracts of a :class:`ReverseDistiller` only the prefix
            contract holds for these, since their regressions were fitted on the smaller models'
            embeddings, but are applied to the accumulated columns.

        Raises
        ------
        FileNotFoundError
            If a file does not exist or cannot be fetched.
        ValueError
            If a file is damaged or does not hold such a chain, if the hub is given no variant or
            no commit, or if the folder has several variants.
        ImportError
            If the hub is asked for and huggingface_hub is not installed.
        """
        source = {"name_or_path": name_or_path, "variant": variant, "revision": revision}
        caller = f"{cls.__name__}.from_pretrained"
        validate_parameter_constraints(_SOURCE_CONSTRAINTS, source, caller)
        parameters, blocks, chain = cls._read(name_or_path, variant, revision)
        estimator = cls(**parameters)
        try:
            estimator._validate_params()
            estimator._check_parameters(blocks)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{str(name_or_path)!r} holds parameters that do not fit its chain "
                f"({first_line(error)}); save or fetch it again."
            ) from error
        estimator.n_features_in_ = sum(blocks.dims)
        estimator._set_fit(blocks, chain)
        return estimator

    def __getattr__(self, name):
        attribute = name.removesuffix("_")
        if attribute != name and attribute in ATTRIBUTES:
            chain = self._solved()
            if hasattr(chain, attribute):
                return getattr(chain, attribute)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self):
        known = dir(vars(self).get("_chain"))
        return [*super().__dir__(), *(f"{name}_" for name in ATTRIBUTES if name in known)]

    def _solved(self) -> Any:
        """Return the chain, solved now if rows were added since; None before a fit."""
        if "_chain" not in vars(self) and "moments_" in vars(self):
            self._validate_params()  # they may have been set since the last batch
            self._chain = self._solve(self._blocks(), self.moments_)
            self._warn(self.moments_.weight)
        return vars(self).get("_chain")

    def _without_moments(self) -> Self:
        """Return a small copy that transforms arrays as this one does, to send to workers."""
        self._solved()
        light = copy.copy(self)
        for name in ("moments_", "feature_names_in_", "_sklearn_output_config"):
            light.__dict__.pop(name, None)
        return light.set_output(transform="default")

    def _solve_rows(self, blocks: Blocks, rows: Any, sample_weight: Any) -> tuple:
        """Return chain, weight of the rows, and their moments if it is solved from moments."""
        moments = Moments.of(rows, sample_weight)
        return self._solve(blocks, moments), moments.weight, moments

    def _source(self) -> Self | None:
        """Return the fitted estimator whose chain is to be taken, if there is one."""

    def _take(self, source: Self, X: ArrayLike) -> None:
        """Take the chain of a fitted estimator, if the columns of X are those that it needs."""

    def _check_fits_moments(self) -> None:
        """Refuse parameters of a chain that is not solved from moments."""

    def _check_parameters(self, blocks: Blocks) -> Any:
        """Refuse parameters that do not fit the chain."""

    def _check_rows(self, X: ArrayLike) -> Any:
        """Check rows and that their columns are those of the fit, which may have had no names."""
        check_is_fitted(self)
        name, feature_names = type(self).__name__, string_columns(X)
        if feature_names is not None and not hasattr(self, "feature_names_in_"):
            blocks = find_blocks(self.dims_, feature_names, len(feature_names))
            if list(blocks.names) != self.model_names_:
                raise ValueError(
                    f"The columns of X are of {', '.join(blocks.names)}, but {name} was fitted on "
                    f"{', '.join(self.model_names_)}; embed with the same chain."
                )
            X = as_blocks(X, name) if is_dask(X) else np.asarray(X)
        rows = check_rows(X, self)
        validate_data(self, header(X), reset=False, skip_check_array=True)
        return rows

    def _parameters_up_to(self, n_models: int) -> dict[str, Any]:
        """Return the parameters that differ for the chain of the first models."""
        dims = self.dims_[:n_models].tolist()
        if isinstance(self._solved_with()["dims"], Mapping):
            dims = dict(zip(self.model_names_[:n_models], dims, strict=True))
        return {"dims": dims}

    def _solved_with(self) -> dict[str, Any]:
        """Return the parameters that the chain was solved with."""
        return self.get_params(deep=False)

    def _blocks(self) -> Blocks:
        return Blocks(tuple(self.model_names_), tuple(self.dims_.tolist()))

    def _set_blocks(self, blocks: Blocks) -> None:
        self.model_names_ = list(blocks.names)
        self.dims_ = np.array(blocks.dims)

    def _set_fit(self, blocks: Blocks, chain: SolvedChain, moments: Moments | None = None) -> None:
        """Set the fitted attributes, except those of the columns of X."""
        self._set_blocks(blocks)
        self._chain = chain
        if self._keeps_moments and moments is not None:
            self.moments_ = moments

    def _reset(self, X: ArrayLike) -> None:
        """Set the attributes of the columns of X, which may raise, then delete the last fit."""
        validate_data(self, header(X), skip_check_array=True)
        self._delete_fit(keep=("n_features_in_", "feature_names_in_"))

    def _delete_fit(self, keep: tuple[str, ...] = ()) -> None:
        """Delete all fitted attributes, so that none stays beside those of the next fit."""
        for name in list(vars(self)):
            if (name.endswith("_") or name in _OF_FIT) and name not in keep:
                delattr(self, name)
