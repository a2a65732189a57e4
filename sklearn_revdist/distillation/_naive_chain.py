"""NaiveChain: the method's baseline, repeated principal components."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ..matrix._layout import Blocks
from ..matrix._moments import Moments
from ..matrix._rows import names_in
from ..matrix._torch import tensor_as
from ._base_chain import BaseChain
from ._naive_steps import NaiveSteps, solve_steps
from ._published import read_published_naive
from ._solved_chain import warn_of_zero_components


class NaiveChain(BaseChain):
    """Embeddings of a chain of models, reduced without keeping a prefix.

    The baseline of Reverse Distillation [1]_. Step by step, the columns accumulated so far and
    the next model's embedding are reduced to that model's width by principal components::

        A1 = H1
        Ai = the leading principal components of [ A(i-1), Hi ], as many as Hi has columns

    The embeddings of two models share no coordinates. :meth:`transform` returns that of the last
    model; :meth:`truncate` gives the chain that ends at another.

    Read more in the :ref:`User Guide <distilling>`.

    Parameters
    ----------
    dims : sequence of int or dict of str to int, default=None
        Widths of the models' blocks of columns, small model first, with names or without. None
        recognises them as :class:`ReverseDistiller` does.

    Attributes
    ----------
    model_names_ : list of str
        Names of the models; "block0", "block1", ... where they are not known.
    dims_ : ndarray of shape (n_models,), int64
        Widths of the models' embeddings.
    mean_ : ndarray of shape (n_features,), float64
        Centre of the columns: their mean, or for published weights that of the reference.
    components_ : ndarray of shape (dims_[-1], n_features), float64
        The linear map.
    offset_ : ndarray of shape (dims_[-1],), float64
        The output is ``(X - mean_) @ components_.T + offset_``.
    explained_variance_ratio_ : ndarray of shape (n_models - 1,), float64
        For each step, the share of the variance of its columns that it keeps.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    ReverseDistiller : Keeps the smaller embedding as a prefix.
    sklearn.decomposition.PCA : Principal components of all columns at once.

    Notes
    -----
    The steps follow from the mean and the second moment of the rows, which are computed in one
    pass and in float64. A chain of one model returns its columns unchanged.

    References
    ----------
    .. [1] Catrina, Bepler, Sledzieski and Singh (2026), "Reverse Distillation: Consistently
       Scaling Protein Language Model Representations", ICLR, arXiv:2603.07710.

    Examples
    --------
    Three models, 2, 3 and 4 columns wide, embed 100 proteins. They see the same four properties:

    >>> import numpy as np
    >>> from sklearn_revdist import NaiveChain
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 4)) @ rng.normal(size=(4, 9))

    The chain reduces them to one embedding as wide as that of the last model:

    >>> chain = NaiveChain(dims=[2, 3, 4]).fit(X)
    >>> chain.transform(X).shape
    (100, 4)

    Three columns lose little of the variance of the first two models, and four lose nothing more:

    >>> chain.explained_variance_ratio_.round(2)
    array([0.99, 1.  ])

    A shorter chain takes the columns of its models alone:

    >>> chain.truncate("block1").transform(X[:, :5]).shape
    (100, 3)
    """

    _parameter_constraints: dict = {"dims": ["array-like", dict, None]}

    _read = staticmethod(read_published_naive)

    def __init__(self, dims: ArrayLike | None = None):
        self.dims = dims

    def transform(self, X: ArrayLike) -> NDArray:
        """Reduce the embeddings to one as wide as the last model's.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            Concatenated embeddings.

        Returns
        -------
        A : ndarray or Tensor of shape (n_samples, dims_[-1]), dtype of X

        Raises
        ------
        ValueError
            If X is not finite, or its columns are not those of the fit.
        sklearn.exceptions.NotFittedError
            If the chain is not fitted.
        """
        rows = self._check_rows(X)
        return tensor_as(self._solved().transform(rows), X)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Name the output columns: `<model>_naive_<column>`, or as the input of a single model.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input's columns; None takes those seen during fit.

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

    def _solve(self, blocks: Blocks, moments: Moments) -> NaiveSteps:
        return solve_steps(moments, blocks.dims)

    def _warn(self, weight: float) -> None:
        n_zero = np.array([np.sum(~step.basis.any(axis=1)) for step in self._chain.levels], int)
        warn_of_zero_components(n_zero, self.model_names_)
