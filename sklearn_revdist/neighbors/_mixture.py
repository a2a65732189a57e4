"""Retrieval mixtures: the mean prediction for pairs of a row and a neighbour."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import has_fit_parameter

from ..matrix._rows import check_classes, check_targets
from ..utils._compat import HasMethods, _fit_context, _routing_enabled
from ._prefix_neighbors import PrefixNeighbors
from ._retrieval import BaseRetrieval, checked
from ._sources import Rows
from ._votes import Voters

# Numbers of the pairs that are predicted at a time.
_PAIRS_SIZE = 2**24


class _RetrievalMixture(MetaEstimatorMixin, BaseRetrieval):
    """A mixture of predictions for pairs, whatever they are predictions of."""

    _parameter_constraints: dict = BaseRetrieval._parameter_constraints | {
        "estimator": [HasMethods(["fit", "predict"])],
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        neighbors: PrefixNeighbors | None = None,
        *,
        database: Any = None,
        temperature: float = 0.2,
    ):
        self.estimator = estimator
        self.neighbors = neighbors
        self.database = database
        self.temperature = temperature

    def _fit_pairs(self, X: Any, rows: NDArray, y: NDArray, groups: Any) -> Self:
        """Fit the estimator on pairs of training rows and their neighbours."""
        check_consistent_length(rows, y)
        if self.database is None:
            searched = self._search(X, rows)
            found = searched.find_others(searched.find_groups(rows, groups))
        else:
            searched = self._search_database(rows)
            found = searched.find(X, rows)
        pairs, of, weights = _pairs(rows, found, searched.source)
        estimator = clone(self.estimator)
        estimator.fit(pairs, y[of], **_weights_for(estimator, weights))
        self._check_columns(X, reset=True)
        self._searched, self.estimator_ = searched, estimator
        self.neighbors_, self.bandwidth_ = searched
        return self

    def _mean_of(self, method: str, X: Any) -> NDArray[np.float64]:
        """Weighted mean of the predictions for the pairs of each row."""
        rows = self._as_fitted(X)
        searched, predict = self._searched, getattr(self.estimator_, method)
        found, means = searched.find(X, rows), []
        size = max(1, _PAIRS_SIZE // (2 * rows.shape[1] * found.rows.shape[1]))
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            some = Voters(*(values[part] for values in found))
            pairs, of, weights = _pairs(rows[part], some, searched.source)
            predicted = np.asarray(predict(pairs), dtype=np.float64)
            each = weights.reshape(-1, *[1] * (predicted.ndim - 1)) * predicted
            means.append(np.add.reduceat(each, np.searchsorted(of, np.arange(len(some.rows)))))
        return np.concatenate(means)


class RetrievalMixtureClassifier(ClassifierMixin, _RetrievalMixture):
    """Mean class probabilities for pairs of a row and a neighbour.

    A classifier is fitted on pairs: a row, and beside it one of its nearest neighbours. A new row
    has the probabilities of its pairs, averaged with weights that decrease with the distance:
    ``p(y | x) = sum_r p(r | x) p(y | x, r)``, as in Retrieved Sequence Augmentation [1]_. The
    neighbours may be looked up in a database without labels, such as millions of natural proteins.

    Read more in the :ref:`User Guide <retrieval_augmentation>`.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        What is fitted on the pairs; cloned. Pairs count with their weights if it takes
        `sample_weight`, or is a pipeline whose last step does.

    neighbors : PrefixNeighbors, default=None
        How to look for neighbours, and for how many; cloned. None is ``PrefixNeighbors()``.

    database : array-like, memory map, dask collection or path, default=None
        Rows that are looked up, with the columns of X: whatever :meth:`PrefixNeighbors.fit` takes.
        None is the training rows. Clones share it.

    temperature : float, default=0.2
        Weights of neighbours are proportional to ``exp(-distance / (temperature * scale))``, where
        `scale` is the median distance of training rows to the nearest row that is not identical.
        Infinity weighs all alike, 0 takes the nearest alone.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier of pairs.

    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.

    neighbors_ : PrefixNeighbors
        Fitted on the database, or on the training rows.

    bandwidth_ : float
        Temperature times scale.

    n_features_in_ : int
        Number of columns seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    RetrievalMixtureRegressor : The same for numbers.
    RetrievalAugmenter : Adds what neighbours are like to a row.

    Notes
    -----
    In the fit a training row is not paired with itself, its duplicates or rows of its group; no
    labels of neighbours are used. A row without any neighbour is paired with itself.

    The pairs of n training rows and k neighbours are a matrix of n k rows and twice as many columns
    as X, so that a fit needs 2 k times the memory of X, and a classifier that can bear it. Rows to
    be predicted are paired some at a time.

    Folds inside `estimator`, as of a grid search, would have pairs of one row on both sides; search
    the parameters of the mixture instead.

    References
    ----------
    .. [1] Ma, C. et al. (2024). Retrieved Sequence Augmentation for Protein Representation
       Learning. EMNLP 2024, https://arxiv.org/abs/2302.12563.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_revdist import PrefixNeighbors, RetrievalMixtureClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["enzyme", "other"], 50)
    >>> X = rng.normal(size=(100, 8)) + (y == "enzyme")[:, np.newaxis]
    >>> model = RetrievalMixtureClassifier(LogisticRegression(), PrefixNeighbors(4)).fit(X, y)
    >>> model.predict_proba(np.ones((1, 8))).round(1)
    array([[1., 0.]])
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit the classifier on pairs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows. They are not copied, so they should not be changed.

        y : array-like of shape (n_samples,)
            Classes, two or more.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group are not paired. None is that of identical rows.

        Returns
        -------
        self : RetrievalMixtureClassifier
            The fitted classifier.

        Raises
        ------
        TypeError
            If `estimator` has no ``predict_proba``, or `groups` are of several types.
        ValueError
            If X is not finite, a class is missing, there are fewer than two, or a parameter does
            not fit them.
        """
        if not hasattr(self.estimator, "predict_proba"):
            raise TypeError(
                f"estimator is a {type(self.estimator).__name__}, which has no predict_proba; give "
                "a classifier that has, such as LogisticRegression."
            )
        rows = checked(X, self)
        check_classes(y)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(np.unique(y)) < 2:
            raise ValueError(
                f"All targets are of one class, {y[0]}; give rows of at least two classes."
            )
        self._fit_pairs(X, rows, y, groups)
        self.classes_ = self.estimator_.classes_
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Compute the mean probabilities of the pairs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns of the fit.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), float64
            In the order of `classes_`.

        Raises
        ------
        ValueError
            If X is not finite, or does not have the columns of the fit.
        """
        return self._mean_of("predict_proba", X)

    def predict(self, X: Any) -> NDArray:
        """Predict the class of the largest mean probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns of the fit.

        Returns
        -------
        predicted : ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If X is not finite, or does not have the columns of the fit.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]


class RetrievalMixtureRegressor(RegressorMixin, _RetrievalMixture):
    """Mean prediction for pairs of a row and a neighbour.

    A regression is fitted on pairs: a row, and beside it one of its nearest neighbours. The
    predictions for the pairs of a new row are averaged with weights that decrease with the
    distance; see :class:`RetrievalMixtureClassifier`, whose notes hold here, too.

    Read more in the :ref:`User Guide <retrieval_augmentation>`.

    Parameters
    ----------
    estimator : regressor
        What is fitted on the pairs; cloned. Pairs count with their weights if it takes
        `sample_weight`, or is a pipeline whose last step does.

    neighbors : PrefixNeighbors, default=None
        How to look for neighbours, and for how many; cloned. None is ``PrefixNeighbors()``.

    database : array-like, memory map, dask collection or path, default=None
        Rows that are looked up, as in :class:`RetrievalMixtureClassifier`.

    temperature : float, default=0.2
        How slowly weights decrease with the distance, as in :class:`RetrievalMixtureClassifier`.

    Attributes
    ----------
    estimator_ : regressor
        The fitted regression of pairs.

    neighbors_ : PrefixNeighbors
        Fitted on the database, or on the training rows.

    bandwidth_ : float
        Temperature times scale.

    n_features_in_ : int
        Number of columns seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    RetrievalMixtureClassifier : The same for classes.
    RetrievalAugmenter : Adds what neighbours are like to a row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_revdist import PrefixNeighbors, RetrievalMixtureRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 8))
    >>> y = X[:, 0] + 0.1 * rng.normal(size=100)
    >>> model = RetrievalMixtureRegressor(Ridge(), PrefixNeighbors(4)).fit(X, y)
    >>> model.predict([[1.0] + [0.0] * 7]).round(1)
    array([1.])
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit the regression on pairs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows. They are not copied, so they should not be changed.

        y : array-like of shape (n_samples,)
            Targets.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group are not paired. None is that of identical rows.

        Returns
        -------
        self : RetrievalMixtureRegressor
            The fitted regressor.

        Raises
        ------
        TypeError
            If `groups` are of several types.
        ValueError
            If X or y is not finite, or a parameter does not fit them.
        """
        rows = checked(X, self)
        y = column_or_1d(check_targets(y, "RetrievalMixtureClassifier"), warn=True)
        return self._fit_pairs(X, rows, y, groups)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Compute the mean prediction for the pairs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns of the fit.

        Returns
        -------
        predicted : ndarray of shape (n_samples,), float64

        Raises
        ------
        ValueError
            If X is not finite, or does not have the columns of the fit.
        """
        return self._mean_of("predict", X)


def _pairs(
    rows: NDArray, found: Voters, source: Rows
) -> tuple[NDArray, NDArray[np.int64], NDArray[np.float64]]:
    """Rows and neighbours side by side, which row each is of, ascending, and weights.

    A row without neighbours is paired with itself.
    """
    are_there = found.rows >= 0
    are_there[:, 0] |= ~are_there.any(axis=1)
    of, rank = np.nonzero(are_there)
    numbers, weights = found.rows[of, rank], found.weights[of, rank]
    alone = numbers < 0
    used, at = np.unique(numbers[~alone], return_inverse=True)
    pairs = np.concatenate([rows[of], rows[of]], axis=1)
    if len(used):
        pairs[~alone, rows.shape[1] :] = source.sample(used)[at]
    weights[alone] = 1
    return pairs, of, weights


def _weights_for(estimator: BaseEstimator, weights: NDArray[np.float64]) -> dict[str, NDArray]:
    """Arguments of a fit with weights, if it takes any."""
    if has_fit_parameter(estimator, "sample_weight"):
        return {"sample_weight": weights}
    if _routing_enabled():
        is_wanted = get_routing_for_object(estimator).consumes("fit", ["sample_weight"])
        return {"sample_weight": weights} if is_wanted else {}
    if isinstance(estimator, Pipeline) and has_fit_parameter(estimator[-1], "sample_weight"):
        return {f"{estimator.steps[-1][0]}__sample_weight": weights}
    return {}
