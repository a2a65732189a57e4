"""NaiveChain: the method's baseline, principal components again and again."""

import os
import warnings
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils._param_validation import validate_params
from sklearn.utils.validation import check_is_fitted, validate_data

from ._blocks import Blocks, column_names, find_blocks
from ._dask import header
from ._moments import Moments, check_moments
from ._naive_steps import Step, compose, solve_steps
from ._prefixes import model_index
from ._published import SOURCE_CONSTRAINTS, read_published_naive
from ._rows import check_row_weights, check_rows, check_rows_as_fitted, names_in, string_columns
from ._tensors import dtype_of, empty_like, like, tensor_as


class NaiveChain(TransformerMixin, BaseEstimator):
    """Embeddings of a chain of models, reduced without keeping a prefix.

    The baseline of Reverse Distillation [1]_. Step by step, the columns accumulated so far and
    the next model's embedding are reduced to that model's width by principal components::

        A1 = H1
        Ai = the leading principal components of [ A(i-1), Hi ], as many as Hi has columns

    What two models give shares no coordinates, so there is one embedding a model:
    :meth:`transform` returns the last one's, :meth:`truncate` gives the chain that ends at
    another.

    Read more in the :ref:`User Guide <user_guide>`.

    Parameters
    ----------
    dims : sequence of int, default=None
        Widths of the blocks, small model first. None recognises them as
        :class:`ReverseDistiller` does.

    Attributes
    ----------
    model_names_ : list of str
        Names of the models; "block0", "block1", ... where nothing tells them.
    dims_ : ndarray of shape (n_models,)
        Widths of the models' embeddings.
    mean_ : ndarray of shape (n_features,), float64
        Where the columns are centred: their mean, if the chain was fitted here.
    components_ : ndarray of shape (dims_[-1], n_features), float64
        The linear map.
    offset_ : ndarray of shape (dims_[-1],), float64
        The output is ``(X - mean_) @ components_.T + offset_``.
    explained_variance_ratio_ : ndarray of shape (n_models - 1,)
        For each step, the share of the variance of its columns that it keeps.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, where all are strings.

    See Also
    --------
    ReverseDistiller : Keeps the smaller embedding as a prefix.
    sklearn.decomposition.PCA : Principal components of all columns at once.

    Notes
    -----
    The steps follow from the mean and the second moment of the rows, which are taken in float64,
    without a second pass. A chain of one model returns its columns as they are.

    References
    ----------
    .. [1] Catrina, Bepler, Sledzieski and Singh (2026), "Reverse Distillation: Consistently
       Scaling Protein Language Model Representations", ICLR, arXiv:2603.07710.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import NaiveChain
    >>> X = np.random.default_rng(0).normal(size=(100, 9))
    >>> chain = NaiveChain(dims=[2, 3, 4]).fit(X)
    >>> chain.transform(X).shape
    (100, 4)
    >>> chain.truncate("block1").transform(X[:, :5]).shape
    (100, 3)
    """

    _parameter_constraints: dict = {"dims": ["array-like", None]}

    def __init__(self, dims=None):
        self.dims = dims

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the chain on the rows of a matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings, one block of columns a model.
        y : Ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : NaiveChain

        Raises
        ------
        ValueError
            If X is not finite, or its columns do not form the chain. Nothing is changed then.
        """
        rows = check_rows(X, self, ensure_min_samples=2)
        sample_weight = check_row_weights(sample_weight, rows)
        blocks = find_blocks(self.dims, string_columns(X), rows.shape[1])
        moments = Moments.of(rows, sample_weight)
        steps = solve_steps(moments, blocks.dims)
        validate_data(self, header(X), skip_check_array=True)
        self._set_steps(blocks, steps, moments.mean)
        self._warn_of_zero_columns()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_moments(self, moments: Moments, feature_names: ArrayLike | None = None) -> Self:
        """Fit the chain on moments, without touching data.

        Parameters
        ----------
        moments : Moments
            Moments of the concatenated embeddings, as the `moments_` of a
            :class:`ReverseDistiller`, to which the chain is then a fair rival.
        feature_names : array-like of str, default=None
            Names of the columns, from which the models are recognised.

        Returns
        -------
        self : NaiveChain

        Raises
        ------
        ValueError
            If the columns do not form the chain. Nothing is changed then.
        """
        check_moments(moments)
        names = column_names(feature_names, moments.mean.size)
        blocks = find_blocks(self.dims, names, moments.mean.size)
        steps = solve_steps(moments, blocks.dims)
        self.__dict__.pop("feature_names_in_", None)
        self.n_features_in_ = moments.mean.size
        self._set_steps(blocks, steps, moments.mean)
        self._warn_of_zero_columns()
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """The last model's reduced embedding.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings.

        Returns
        -------
        A : ndarray of shape (n_samples, dims_[-1]), dtype of X
        """
        check_is_fitted(self)
        rows = check_rows_as_fitted(X, self, self.dims_, self.model_names_)
        if len(self.dims_) == 1:
            A = empty_like(rows, *rows.shape)
            A[:] = rows
            return tensor_as(A, X)
        # What the precision of X takes off the mean comes back with the offset.
        mean = self.mean_.astype(dtype_of(rows))
        offset = self.offset_ + self.components_ @ (mean - self.mean_)
        A = (rows - like(mean, rows)) @ like(self.components_, rows).T + like(offset, rows)
        return tensor_as(A, X)

    def truncate(self, model: str) -> Self:
        """Copy the fitted chain up to a model.

        Parameters
        ----------
        model : str
            Name of the last model to keep, as ``"150M"``.

        Returns
        -------
        chain : NaiveChain
            Takes the columns of the kept models alone.
        """
        check_is_fitted(self)
        n_models = model_index(model, self.model_names_, "model") + 1
        names, dims = self.model_names_[:n_models], self.dims_[:n_models].tolist()
        chain = clone(self).set_params(dims=dims)
        chain.n_features_in_ = sum(dims)
        if hasattr(self, "feature_names_in_"):
            chain.feature_names_in_ = self.feature_names_in_[: sum(dims)]
        blocks = Blocks(tuple(names), tuple(dims))
        chain._set_steps(blocks, self._steps[: n_models - 1], self.mean_[: sum(dims)])
        return chain

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Names of the columns: `<model>_naive_<column>`, or those of the only model.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input's columns; None uses those seen during fit.

        Returns
        -------
        names : ndarray of shape (dims_[-1],), object
        """
        check_is_fitted(self)
        names = names_in(self, input_features)
        if len(self.dims_) == 1:
            return names
        columns = range(self.dims_[-1])
        return np.array([f"{self.model_names_[-1]}_naive_{i}" for i in columns], dtype=object)

    @classmethod
    @validate_params(SOURCE_CONSTRAINTS, prefer_skip_nested_validation=True)
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike,
        *,
        variant: str | None = None,
        revision: str | None = None,
    ) -> Self:
        """Read a chain that the method's authors published.

        Parameters
        ----------
        name_or_path : str or path-like
            A folder with their files, ``naive-scaler-<smaller>-<larger>-<variant>.npz``, or a
            repository on the hub that holds them in its folder ``weights``, as
            ``"singhlab/plm_reverse_distillation"``, which needs the extra ``hub``.
        variant : str, default=None
            Which of them, as in ``"None-incremental-1k"``. None takes the only ones in the
            folder; the hub needs it.
        revision : str, default=None
            The 40 hexadecimal digits of the commit to read from the hub, which needs it.

        Returns
        -------
        chain : NaiveChain
            Repeats the published steps.

        Raises
        ------
        FileNotFoundError
            If there are no such files, or they cannot be fetched.
        ValueError
            If a file is damaged, the variant or the commit is not said, or the folder has
            several variants.
        """
        published = read_published_naive(name_or_path, variant, revision)
        if published is None:
            raise FileNotFoundError(
                f"{str(name_or_path)!r} is no folder; give the one that holds the published "
                "weights, or a repository on the hub."
            )
        blocks, steps = published
        chain = cls(dims=list(blocks.dims))
        chain.n_features_in_ = sum(blocks.dims)
        chain._set_steps(blocks, steps, np.zeros(blocks.dims[0]))
        return chain

    def _set_steps(self, blocks: Blocks, steps: list[Step], mean: NDArray[np.float64]) -> None:
        """Set all that a fit sets; the mean is that of a chain without steps."""
        self.model_names_ = list(blocks.names)
        self.dims_ = np.array(blocks.dims)
        if steps:
            self.mean_, self.components_, self.offset_ = compose(steps)
        else:
            self.mean_, self.components_, self.offset_ = mean, np.eye(len(mean)), mean
        self.explained_variance_ratio_ = np.array([s.explained_variance_ratio for s in steps])
        self._steps = steps

    def _warn_of_zero_columns(self) -> None:
        n_zero = np.array([int((~step.basis.any(axis=1)).sum()) for step in self._steps])
        if n_zero.any():
            models = ", ".join(
                f"{n} of {name}" for n, name in zip(n_zero, self.model_names_[1:], strict=True) if n
            )
            warnings.warn(
                f"{n_zero.sum()} principal components lie beyond the numerical rank of the rows "
                f"and are zero ({models}); fit on more rows.",
                UserWarning,
                stacklevel=4,
            )
