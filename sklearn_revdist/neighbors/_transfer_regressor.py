"""AnnotationTransferRegressor: the weighted mean of what is known of the nearest neighbours."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils import check_array

from ..utils._compat import _fit_context
from ._transfer import AnnotationTransfer
from ._votes import nearest_distance_scale


class AnnotationTransferRegressor(MultiOutputMixin, RegressorMixin, AnnotationTransfer):
    """Predict the weighted mean of what was measured of the nearest neighbours.

    Read more in the :ref:`User Guide <annotation_transfer>`.

    Parameters
    ----------
    n_neighbors : int, default=16
        Number of neighbours that vote; all training rows if there are fewer.

    n_components : int or str, default=None
        Prefix to search: a number of columns, or the model at which it ends. None is all columns.

    temperature : float, default=0.2
        A neighbour at distance d has the weight ``exp(-d / (temperature * distance_scale_))``. At 0
        only the nearest one counts, at infinity all alike.

    max_distance : float, default=None
        Distance beyond which a neighbour does not count. None is no limit.

    prefixes : array-like of int, default=None
        Numbers of columns at which levels end, as for :class:`PrefixNeighbors`.

    level_scale : "unit" or array-like of float, default=None
        How much levels count, as for :class:`PrefixNeighbors`.

    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance of the columns in use.

    n_jobs : int, default=None
        Number of threads. None is that of BLAS.

    Attributes
    ----------
    distance_scale_ : float
        Median distance of training rows to the nearest other one that is not identical.

    n_samples_fit_ : int
        Number of training rows.

    model_names_ : list of str
        Models of the levels; ``level0`` and so on if they are not known.

    prefix_lengths_ : ndarray of shape (n_levels,), int64
        Number of columns up to and including each level.

    level_scale_ : ndarray of shape (n_levels,), float64
        Factor of each level.

    n_features_in_ : int
        Number of columns seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    AnnotationTransferClassifier : The same for classes.
    PrefixNeighbors : The search alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import AnnotationTransferRegressor
    >>> X = np.arange(10.0)[:, np.newaxis]
    >>> model = AnnotationTransferRegressor(n_neighbors=2).fit(X, 2 * X[:, 0])
    >>> model.predict([[2.5]])
    array([5.])
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Prepare the training rows.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Rows of shape (n_samples, n_features), as for :meth:`PrefixNeighbors.fit`.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        Returns
        -------
        self : AnnotationTransferRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y is not finite, y does not have a target for each row, or a parameter does not
            fit the columns.
        """
        self._check_y(y)
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        self._fit_known(X, y)
        self.distance_scale_ = nearest_distance_scale(self)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Weighted mean of the neighbours' targets.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Queries of shape (n_queries, n_features).

        Returns
        -------
        y : ndarray of shape (n_queries,) or (n_queries, n_targets), float64
            NaN for queries without neighbours within `max_distance`.

        Raises
        ------
        ValueError
            If X does not have the columns of the fit.
        """
        found = self._found(X)
        targets = self._known.reshape(len(self._known), -1)
        predicted = np.einsum("qn,qnt->qt", found.weights, targets[found.rows])
        predicted[~found.votes.any(axis=1)] = np.nan
        return predicted.reshape(len(predicted), *self._known.shape[1:])
