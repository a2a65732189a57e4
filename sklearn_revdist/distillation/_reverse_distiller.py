"""ReverseDistiller: the chain as a scikit-learn transformer."""

import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted, check_memory

from ..matrix._dask import is_dask, map_blocks, score_of_blocks
from ..matrix._layout import Blocks
from ..matrix._moments import Moments
from ..matrix._prefixes import check_prefix, nested_names, new_columns, prefix_length
from ..matrix._rows import check_row_weights, check_rows, names_in, string_columns
from ..matrix._torch import as_array, tensor_as
from ..utils._compat import HasMethods, Interval, StrOptions, validate_params
from ..utils._fingerprint import fingerprint
from ._affine_chain import AffineChain
from ._chain import solve_chain
from ._moments_chain import MomentsChain
from ._pretrained import check_alone, fitted_source, refuse_pretrained
from ._row_chain import RowChain, fit_rows
from ._saved_chain import read_chain, write_chain
from ._solved_chain import warn_of_few_rows, warn_of_lost_orthogonality


class ReverseDistiller(MomentsChain):
    """Nested, orthogonal embeddings from a chain of models.

    The input is the concatenation ``[H1 | H2 | ...]`` of the embeddings that the models of one
    family, from small to large, give of the same sequences or residues. Each embedding is regressed
    on the columns so far, and the principal directions of the residual are new columns [1]_::

        A1 = H1
        Wi = argmin_W || Hi - A(i-1) W ||          intercepts included
        Ri = Hi - A(i-1) Wi                        more columns if joint: see Notes
        Vi = leading principal directions of Ri
        Ai = [ A(i-1), Ri Vi ]

    The first columns of the output are the smallest model's embedding, bit for bit, and every
    prefix that ends at a model is that model's distilled embedding. The map is affine: distilling
    mean-pooled embeddings equals pooling distilled residues. We recommend to fit on residues of
    about a thousand natural sequences (:meth:`fit_residues`), and to transform pooled embeddings
    (`pretrained`).

    Read more in the :ref:`User Guide <distilling>`.

    Parameters
    ----------
    dims : sequence of int or dict of str to int, default=None
        Widths of the models' blocks of columns, small model first; with names as
        :meth:`ESMEmbedder.model_widths` returns them. None recognises the column names of
        :class:`ESMEmbedder`, else the total width of known models, else takes all columns as one
        block; without names it warns unless the models are a chain from its smallest on.
    pretrained : str, path-like or FrozenEstimator, default=None
        A chain that is fitted already: what :meth:`from_pretrained` reads, or a fitted distiller in
        a :class:`sklearn.frozen.FrozenEstimator`. :meth:`fit` then only checks the columns, which
        may be those of the first models alone, and of the other parameters only `n_components` may
        be set, which is not taken from the file. None fits a chain.
    n_components : int or str, default=None
        Length of the prefix to return: a number of columns, the model to stop at (``"150M"``), or
        None for all. It affects :meth:`transform` alone; changing it needs no refit.
    n_new : sequence of int or "all", default=None
        Number of columns that each model after the first adds. None takes the difference of
        widths, as in the paper, and needs widths that grow; "all" keeps the whole residual
        basis, so that the concatenation can be reconstructed.
    residual : {"model", "joint"}, default="model"
        What new columns are principal components of: the residual of their model alone, as in the
        paper, or what the columns so far leave of all models up to theirs (see Notes).
    regressor : {"ols", "ridge", "pcr"} or estimator, default="ridge"
        The regression of an embedding on the prefix. "ols": least squares; on the data of the fit
        no other columns reconstruct the embedding better, and correlations of new columns with the
        prefix are below 1e-10, or a warning gives their bound (of embeddings in single precision
        below 1e-7, along combinations of the prefix's columns that are constant but for rounding,
        as a layer norm makes). "ridge": shrunk, with no more new columns than the rows support.
        "pcr": least squares on the leading principal components of the prefix, as in the paper. An
        estimator: a clone is fitted on the rows of each level; the prefix is kept, but the map need
        not be affine (see the :ref:`User Guide <any_regressor>`).
    alpha : float, default=None
        Penalty of the ridge, as in :class:`sklearn.linear_model.Ridge`. None minimises generalised
        cross-validation, among penalties whose degrees of freedom are at most 15 % of the rows.
    rank : int, default=None
        Number of components for "pcr"; None counts those above Johnstone's threshold.
    memory : str or object with the joblib.Memory interface, default=None
        Cache of solved chains: a grid search over `n_components` solves one per training set.

    Attributes
    ----------
    model_names_ : list of str
        Names of the models; "block0", "block1", ... where they are not known.
    dims_ : ndarray of shape (n_models,), int64
        Widths of the models' embeddings.
    prefix_lengths_ : ndarray of shape (n_models,), int64
        Number of output columns up to and including each model.
    mean_ : ndarray of shape (n_features,), float64
        Mean of the columns.
    components_ : ndarray of shape (prefix_lengths_[-1], n_features), float64
        The linear map, block lower triangular, its first block the identity.
    offset_ : ndarray of shape (prefix_lengths_[-1],), float64
        The output is ``(X - mean_) @ components_.T + offset_``.
    reconstruction_ : ndarray of shape (prefix_lengths_[-1], n_features), float64
        The inverse map, ``(A - offset_) @ reconstruction_ + mean_``.
    r2_ : ndarray of shape (n_models - 1,), float64
        For each model after the first, the share of its variance predicted from the prefix.
    explained_variance_ratio_ : ndarray of shape (n_models - 1,), float64
        Share of the variance of the (joint) residual that the new columns keep.
    ranks_ : ndarray of shape (n_models - 1,), int64
        Numerical rank of that residual; with "ridge" at most 15 % of the rows' degrees of freedom
        that the regression leaves. New columns beyond it are exact zeros.
    conditions_ : ndarray of shape (n_models - 1,), float64
        Condition number of the prefix, with columns of unit variance for "ols".
    alphas_ : ndarray of shape (n_models - 1,), float64
        Penalties of the regressions; zeros unless `regressor="ridge"`.
    n_prefix_components_ : ndarray of shape (n_models - 1,), int64
        Number of principal components of the prefix that the regressions use.
    amplifications_ : ndarray of shape (n_models - 1,), float64
        Largest ratio of the terms that a new column is the sum of to the column. Rounding changes
        its correlations by 1e-16 times this number, times the largest one of the prefix.
    n_features_in_ : int
        Number of columns seen during fit.
    moments_ : Moments
        Moments of the rows seen, to which more can be added. None are in a file, nor in a pickle
        unless rows were added by :meth:`partial_fit`.
    pretrained_ : ReverseDistiller
        The distiller whose chain was taken, if `pretrained` is given.
    regressors_ : list of estimators
        Fitted clones of `regressor`, if it is an estimator; then there are no maps and `moments_`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    ESMEmbedder : Computes the concatenated embeddings of protein sequences.
    NaiveChain : The baseline that keeps no prefix.

    Notes
    -----
    With ``residual="joint"``, what new columns leave is carried to the residual of the next model:
    ``Ri = [ R(i-1) (I - V(i-1) V(i-1)'), Hi - A(i-1) Wi ]``, with no R1. With least squares, Ri is
    what the prefix leaves of the concatenation of the models up to i, so that no other columns
    reconstruct that with a smaller sum of squares. A model may also add what others left out.

    References
    ----------
    .. [1] Catrina, Bepler, Sledzieski and Singh (2026), "Reverse Distillation: Consistently
       Scaling Protein Language Model Representations", Algorithm 3, ICLR, arXiv:2603.07710.

    Examples
    --------
    A small model sees four properties of 500 proteins, a large one these and two more:

    >>> import numpy as np
    >>> from sklearn_revdist import ReverseDistiller
    >>> rng = np.random.default_rng(0)
    >>> small = rng.normal(size=(500, 4))
    >>> large = np.hstack([small @ rng.normal(size=(4, 4)), rng.normal(size=(500, 2))])
    >>> X = np.hstack([small, large])

    The distilled embedding is as wide as that of the large model and begins with that of the small:

    >>> distiller = ReverseDistiller(dims=[4, 6], regressor="ols").fit(X)
    >>> A = distiller.transform(X)
    >>> A.shape, np.array_equal(A[:, :4], small)
    ((500, 6), True)

    The small model predicts 90 % of the large one's variance; two dimensions are new:

    >>> distiller.r2_.round(2), distiller.ranks_
    (array([0.9]), array([2]))
    """

    _parameter_constraints: dict = {
        "dims": ["array-like", dict, None],
        "pretrained": [str, os.PathLike, FrozenEstimator, None],
        "n_components": [Interval(Integral, 1, None, closed="left"), str, None],
        "n_new": ["array-like", StrOptions({"all"}), None],
        "residual": [StrOptions({"model", "joint"})],
        "regressor": [StrOptions({"ols", "ridge", "pcr"}), HasMethods(["fit", "predict"])],
        "alpha": [Interval(Real, 0, None, closed="neither"), None],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "memory": [str, HasMethods(["cache"]), None],
    }

    _read = staticmethod(read_chain)

    def __init__(
        self,
        dims: ArrayLike | Mapping[str, int] | None = None,
        *,
        pretrained: Any = None,
        n_components: int | str | None = None,
        n_new: ArrayLike | str | None = None,
        residual: str = "model",
        regressor: Any = "ridge",
        alpha: float | None = None,
        rank: int | None = None,
        memory: Any = None,
    ):
        self.dims = dims
        self.pretrained = pretrained
        self.n_components = n_components
        self.n_new = n_new
        self.residual = residual
        self.regressor = regressor
        self.alpha = alpha
        self.rank = rank
        self.memory = memory

    def transform(self, X: ArrayLike) -> NDArray:
        """Compute the nested embedding, or its prefix of `n_components`.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            Concatenated embeddings.

        Returns
        -------
        A : ndarray, Tensor or dask Array of shape (n_samples, n_components), dtype of X
            Its first columns are those of X, bit for bit. A dask array is computed lazily.

        Raises
        ------
        ValueError
            If X is not finite, or its columns are not those of the fit.
        """
        rows = self._check_rows(X)
        if is_dask(rows):
            return map_blocks(self._without_moments().transform, rows, self._n_components())
        return tensor_as(self._solved().transform(rows, self._n_components()), X)

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Reconstruct the embeddings of all models.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_components), float64 or float32
            Nested embeddings, or a prefix of them; the other columns are taken at their means.

        Returns
        -------
        H : ndarray, Tensor or dask Array of shape (n_samples, n_features), dtype of X
            Concatenated embeddings, each reconstructed from the columns up to its model's or, if
            joint, from all; with "ols", by least squares if the prefix ends at its model or before.

        Raises
        ------
        ValueError
            If X is not finite, has too many columns, or has column names that are out of order.
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
        """Compute the share of the embeddings' variance that the prefix reconstructs.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            Concatenated embeddings.
        y : Ignored
            Present by scikit-learn's convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        score : float
            Coefficient of determination of :meth:`inverse_transform` after :meth:`transform`,
            over all columns of all models, each weighted by its variance. The best is 1.

        Raises
        ------
        ValueError
            As for :meth:`transform`, or if the weights are negative or all zero.
        """
        rows = as_array(self._check_rows(X))
        sample_weight = check_row_weights(sample_weight, rows)
        if is_dask(rows):
            return score_of_blocks(self._without_moments(), rows, sample_weight)
        H = self.inverse_transform(as_array(self.transform(X)))
        return r2_score(rows, H, sample_weight=sample_weight, multioutput="variance_weighted")

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Name the output columns: the first model's own, then `<model>_residual_<column>`.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,), default=None
            Names of the input's columns; None takes those seen during fit.

        Returns
        -------
        names : ndarray of shape (n_components,), object
        """
        check_is_fitted(self)
        return np.asarray(self._names_out(input_features)[: self._n_components()], dtype=object)

    def _names_out(self, input_features: ArrayLike | None = None) -> list[str]:
        """Return the names of all columns of the nested embedding, ignoring `n_components`."""
        first = names_in(self, input_features)[: self.dims_[0]]
        if input_features is None and not hasattr(self, "feature_names_in_"):
            first = [f"{self.model_names_[0]}_{i}" for i in range(self.dims_[0])]
        return nested_names(first, self.model_names_, self.prefix_lengths_)

    def fingerprint(self) -> str:
        """Return a digest that changes whenever the output for the same rows changes.

        After a fit it covers the map, or the regressors and bases, the prefix length, and the names
        of models and columns; before a fit, the parameters, and the chain that `pretrained` names.
        It covers neither `memory` nor the
        moments, so that saving and reading do not change it.

        Returns
        -------
        fingerprint : str
            64 hexadecimal digits.

        Raises
        ------
        TypeError
            If a `regressor` is an object that nothing identifies.
        """
        chain = self._solved()
        if chain is None:
            source = self._source()
            taken = None if source is None else source.fingerprint()
            return fingerprint(self.get_params(deep=False) | {"memory": None, "pretrained": taken})
        names = self.model_names_, getattr(self, "feature_names_in_", None)
        return fingerprint(names, self.dims_, chain.mean, self._n_components(), chain.essentials)

    @validate_params({"path": [str, os.PathLike]})
    def save_pretrained(self, path: str | os.PathLike) -> None:
        """Write the fitted chain to a safetensors file: arrays and plain metadata, no pickle.

        The metadata is JSON: models, parameters, numbers of each level, weight of the rows (null
        for a distiller that was read from a file), whether they were residues (null if that is not
        known, as after :meth:`fit`), and the versions of the packages.

        Parameters
        ----------
        path : str or path-like
            Path of the file, usually ending in ``.safetensors``; it is replaced in one step.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is left unchanged.
        ValueError
            If the regressor is an estimator, or a parameter set since the fit does not fit it.
        """
        check_is_fitted(self)
        self._validate_params()  # they may have been set since the fit
        weight = self.moments_.weight if "moments_" in vars(self) else None
        parameters = self._solved_with() | {"n_components": self.n_components}
        rows = vars(self).get("_rows")
        write_chain(path, parameters, self._blocks(), self._solved(), weight, rows)

    def _solved_with(self) -> dict[str, Any]:
        if "pretrained_" in vars(self):
            return self.pretrained_._solved_with()
        return super()._solved_with()

    def _parameters_up_to(self, n_models: int) -> dict[str, Any]:
        parameters = self._solved_with() | super()._parameters_up_to(n_models)
        n_new = parameters["n_new"]
        if n_new is not None and not isinstance(n_new, str):
            n_new = list(n_new)[: n_models - 1]
        return parameters | {"n_components": None, "n_new": n_new}

    def _source(self) -> Self | None:
        if self.pretrained is None:
            return None
        check_alone(self)
        return fitted_source(self.pretrained, ReverseDistiller, self.from_pretrained)

    def _take(self, source: Self, X: ArrayLike) -> None:
        shape = getattr(X, "shape", None)
        if shape is not None and len(shape) == 2:  # the first models' columns may suffice
            shorter = np.flatnonzero(np.cumsum(source.dims_[:-1]) == shape[1])
            source = source.truncate(source.model_names_[shorter[0]]) if shorter.size else source
        light = source._without_moments()
        # Names of columns are compared where there are two sets of them.
        (light if string_columns(X) is None else source)._check_rows(X)
        prefix_length(self.n_components, light.model_names_, light.prefix_lengths_)
        self._reset(X)
        self._set_fit(light._blocks(), light._solved())
        self.pretrained_ = light

    def _check_fits_moments(self) -> None:
        refuse_pretrained(self.pretrained)
        if not isinstance(self.regressor, str):
            raise ValueError(
                f"regressor={type(self.regressor).__name__}(...) needs all rows at once, not "
                'moments; call fit with an array, or use "ols", "ridge" or "pcr".'
            )

    def _check_parameters(self, blocks: Blocks) -> list[int]:
        """Check the parameters against the chain; return the number of each level's new columns."""
        n_new = new_columns(blocks, self.n_new, self.residual)
        prefix_length(self.n_components, blocks.names, np.cumsum([blocks.dims[0], *n_new]))
        return n_new

    def _solve(self, blocks: Blocks, moments: Moments) -> AffineChain:
        self._check_fits_moments()  # parameters may have been set since rows were added
        return _fit_affine(moments, None, *self._settings(blocks), self.alpha, self.rank)[0]

    def _solve_rows(
        self, blocks: Blocks, rows: Any, sample_weight: Any
    ) -> tuple[AffineChain | RowChain, float, Moments | None]:
        settings = self._settings(blocks)
        if is_dask(rows):  # joblib can hash moments, but not every dask graph
            self._check_fits_moments()
            rows, sample_weight = Moments.of(rows, sample_weight), None
        cache = check_memory(self.memory).cache
        if isinstance(self.regressor, str):
            settings = *settings, self.alpha, self.rank
            chain, moments = cache(_fit_affine)(rows, sample_weight, *settings)
            return chain, moments.weight, moments
        chain = cache(fit_rows)(as_array(rows), sample_weight, *settings)
        return chain, len(rows) if sample_weight is None else sample_weight.sum(), None

    def _settings(self, blocks: Blocks) -> tuple[Any, Any, Any, Any]:
        return blocks.dims, self._check_parameters(blocks), self.regressor, self.residual

    def _warn(self, weight: float) -> None:
        warn_of_few_rows(self._chain, self.model_names_, weight)
        if self.regressor == "ols":
            warn_of_lost_orthogonality(self._chain, self.model_names_)

    def _n_components(self) -> int:
        return prefix_length(self.n_components, self.model_names_, self.prefix_lengths_)


def _fit_affine(X, sample_weight, dims, n_new, regressor, residual, alpha, rank):
    """Return chain and moments; a function of plain values, so that joblib can cache it."""
    moments = X if isinstance(X, Moments) else Moments.of(X, sample_weight)
    regression = {"regressor": regressor, "alpha": alpha, "rank": rank}
    levels = solve_chain(moments, dims, n_new, **regression, residual=residual)
    return AffineChain(dims, moments.mean, levels), moments
