"""RetrievalAugmenter: a row, and what its neighbours are like."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import TransformerMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted

from ..matrix._rows import check_classes, check_targets, names_in
from ..utils._compat import Interval, StrOptions, _fit_context
from ..utils._group_folds import group_folds
from ._prefix_neighbors import PrefixNeighbors
from ._retrieval import BaseRetrieval, Searched, checked
from ._sources import Rows
from ._votes import Voters

FEATURES = ("embedding", "mean", "labels", "distances")

# Rows of a database that are read at a time.
_ROWS_READ = 2**15


class RetrievalAugmenter(TransformerMixin, BaseRetrieval):
    """Add to each row what its nearest neighbours are like.

    Columns are added for the mean of the neighbours, their labels and their distances. The
    neighbours may be looked up in a database without labels, such as millions of natural proteins;
    labels are those of training rows. This is the retrieval of Retrieved Sequence Augmentation
    [1]_, for any estimator.

    As in scikit-learn's :class:`~sklearn.preprocessing.TargetEncoder`, ``fit_transform`` is not
    ``fit`` and ``transform``: a training row has the labels that the rows of other folds give it,
    so that what is fitted next does not see its own target.

    Read more in the :ref:`User Guide <retrieval_augmentation>`.

    Parameters
    ----------
    neighbors : PrefixNeighbors, default=None
        How to look for neighbours, and for how many; cloned. None is ``PrefixNeighbors()``.

    database : array-like, memory map, dask collection or path, default=None
        Rows among which "mean" and "distances" are looked up, with the columns of X: whatever
        :meth:`PrefixNeighbors.fit` takes. None is the training rows. Clones share it.

    features : sequence of str, default=("embedding", "mean", "labels", "distances")
        What to return, in this order. "embedding": the row. "mean": the weighted mean of its
        neighbours. "labels": the weighted mean of the labels of its neighbours among the training
        rows; the share of each class, or numbers. "distances": those of its neighbours, ascending.

    temperature : float, default=0.2
        Weights of neighbours are proportional to ``exp(-distance / (temperature * scale))``, where
        `scale` is the median distance of training rows to the nearest row that is not identical.
        Infinity weighs all alike, 0 takes the nearest alone.

    target_type : {"auto", "classes", "numbers"}, default="auto"
        What targets are. "auto" takes strings, booleans and whole numbers of one column for
        classes.

    cv : int, default=5
        Number of folds of ``fit_transform``; rows that are identical in the columns in use, or of
        one group, are in the same fold.

    random_state : int, default=0
        Seed of the folds.

    Attributes
    ----------
    neighbors_ : PrefixNeighbors
        Fitted on the database, or on the training rows.

    bandwidth_ : float
        Temperature times scale, for these.

    classes_ : ndarray of shape (n_classes,)
        Classes, sorted; only with labels that are classes.

    n_features_in_ : int
        Number of columns seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    RetrievalMixtureClassifier : Mean prediction for pairs of a row and a neighbour.
    PrefixNeighbors : Looks for neighbours.

    Notes
    -----
    In ``fit_transform`` a training row is not its own neighbour, and neither are its duplicates or,
    if `groups` are given, rows of its group. Groups that share a duplicate count as one. If there
    are fewer neighbours than asked for, the largest distance is repeated; a row that all others are
    identical to has the distance 0, its own embedding as the mean, and the mean of all labels.

    References
    ----------
    .. [1] Ma, C. et al. (2024). Retrieved Sequence Augmentation for Protein Representation
       Learning. EMNLP 2024, https://arxiv.org/abs/2302.12563.

    Examples
    --------
    >>> from sklearn_revdist import PrefixNeighbors, RetrievalAugmenter
    >>> X = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [10.0, 3.0]]
    >>> augmenter = RetrievalAugmenter(
    ...     PrefixNeighbors(n_neighbors=2), features=["mean", "labels"], temperature=float("inf")
    ... ).fit(X, ["a", "a", "b", "b"])
    >>> augmenter.transform([[1.4, 0.0], [9.0, 3.0]])
    array([[1.5, 0. , 0.5, 0.5],
           [6. , 1.5, 0. , 1. ]])
    >>> augmenter.get_feature_names_out().tolist()
    ['mean_x0', 'mean_x1', 'label_a', 'label_b']
    """

    _parameter_constraints: dict = BaseRetrieval._parameter_constraints | {
        "features": ["array-like"],
        "target_type": [StrOptions({"auto", "classes", "numbers"})],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        neighbors: PrefixNeighbors | None = None,
        *,
        database: Any = None,
        features: Sequence[str] = FEATURES,
        temperature: float = 0.2,
        target_type: str = "auto",
        cv: int = 5,
        random_state: int = 0,
    ):
        self.neighbors = neighbors
        self.database = database
        self.features = features
        self.temperature = temperature
        self.target_type = target_type
        self.cv = cv
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        listed = isinstance(self.features, Iterable)
        tags.target_tags.required = listed and "labels" in self.features
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, groups: Any = None) -> Self:
        """Prepare the rows that are searched, and their labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows. They are not copied, so they should not be changed.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Labels, classes or numbers; needed for "labels".

        groups : array-like of shape (n_samples,), default=None
            Only :meth:`fit_transform` uses them.

        Returns
        -------
        self : RetrievalAugmenter
            The fitted transformer.

        Raises
        ------
        ValueError
            If X or y is not finite, y is missing, or a parameter does not fit them.
        """
        _, fitted = self._prepared(X, y)
        self._keep(X, fitted)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X: Any, y: Any = None, groups: Any = None) -> NDArray[np.float64]:
        """Fit, and transform the training rows, with labels from other folds.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Labels, as for :meth:`fit`.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group are not neighbours of each other. None: identical rows are a group.

        Returns
        -------
        X_augmented : ndarray of shape (n_samples, n_features_out), float64

        Raises
        ------
        TypeError, ValueError
            As :meth:`fit` does. If there is not one group for each row, or fewer groups than folds.
        """
        rows, fitted = self._prepared(X, y)
        embedded, labelled, found, labels = fitted.embedded, fitted.labelled, None, None
        training = embedded if self.database is None else labelled
        together = None if training is None else training.find_groups(rows, groups)
        if labelled is not None:
            fold = np.empty(len(rows), np.int64)
            folds = group_folds(together, self.cv, self.random_state, "rows")
            for number, (_, test) in enumerate(folds):
                fold[test] = number
            labels = labelled.find_others(fold).mean_of(fitted.targets.values)
        if fitted.embedded_are_used:
            is_own = self.database is None
            found = embedded.find_others(together) if is_own else embedded.find(X, rows)
        columns = fitted.columns(rows, found, labels)
        self._keep(X, fitted)
        return columns

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Add what the neighbours of rows are like.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns of the fit.

        Returns
        -------
        X_augmented : ndarray of shape (n_samples, n_features_out), float64

        Raises
        ------
        ValueError
            If X is not finite, or does not have the columns of the fit.
        """
        rows, fitted = self._as_fitted(X), self._fitted
        found = labels = None
        if fitted.embedded_are_used:
            found = fitted.embedded.find(X, rows)
        if fitted.labelled is not None:
            is_found = found is not None and fitted.labelled is fitted.embedded
            of_labelled = found if is_found else fitted.labelled.find(X, rows)
            labels = of_labelled.mean_of(fitted.targets.values)
        return fitted.columns(rows, found, labels)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None is those of the fit.

        Returns
        -------
        feature_names_out : ndarray of shape (n_features_out,), object
            Such as ``x0``, ``mean_x0``, ``label_a`` (or ``label``, ``label_0``) and
            ``distance_0``.

        Raises
        ------
        ValueError
            If `input_features` are not one name for each column, or not those of the fit.
        """
        check_is_fitted(self)
        given, fitted = names_in(self, input_features), self._fitted
        n_neighbors = fitted.embedded.neighbors.n_neighbors
        names: dict[str, Any] = {
            "embedding": given,
            "mean": [f"mean_{name}" for name in given],
            "labels": [] if fitted.targets is None else fitted.targets.names,
            "distances": [f"distance_{i}" for i in range(n_neighbors)],
        }
        return np.array([name for part in fitted.features for name in names[part]], dtype=object)

    def _prepared(self, X: Any, y: Any) -> tuple[NDArray, "_Fitted"]:
        """Check rows and labels, and prepare those that are searched."""
        features = self._checked_features()
        rows, targets = checked(X, self), None
        if "labels" in features:
            targets = self._targets(y)
            check_consistent_length(rows, targets.values)
        training = database = None
        if targets is not None or self.database is None:
            training = self._search(X, rows)
        if self.database is not None:
            database = self._search_database(rows)
        labelled = None if targets is None else training
        return rows, _Fitted(features, database or training, labelled, targets)

    def _keep(self, X: Any, fitted: "_Fitted") -> None:
        self._check_columns(X, reset=True)
        self._fitted = fitted
        self.neighbors_, self.bandwidth_ = fitted.embedded
        self.__dict__.pop("classes_", None)  # of an earlier fit
        if fitted.targets is not None and fitted.targets.classes is not None:
            self.classes_ = fitted.targets.classes

    def _checked_features(self) -> list[str]:
        features = [*self.features]
        known = all(isinstance(name, str) and name in FEATURES for name in features)
        if not features or not known or len(set(features)) < len(features):
            raise ValueError(
                f"features={self.features!r} must be a list of one or more of "
                f"{', '.join(FEATURES)}, each once; correct it."
            )
        return features

    def _targets(self, y: Any) -> "_Targets":
        """Check labels."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None; give "
                "labels, or leave 'labels' out of features."
            )
        are_numbers = self.target_type == "numbers"
        if self.target_type == "auto" and np.asarray(y).dtype.kind in "iuf":
            y = check_targets(y, "target_type='classes'")
            are_numbers = type_of_target(y) not in ("binary", "multiclass")
        if not are_numbers:
            check_classes(y)
            y = column_or_1d(y, warn=True)
            check_classification_targets(y)
            classes, which = np.unique(y, return_inverse=True)
            names = [f"label_{name}" for name in classes]
            return _Targets(np.eye(len(classes))[which], names, classes)
        targets = np.asarray(check_targets(y, "target_type='classes'"))
        if targets.ndim == 1:
            return _Targets(targets[:, np.newaxis], ["label"])
        if targets.ndim != 2:
            raise ValueError(f"y is of shape {targets.shape}; give one row for each of X.")
        return _Targets(targets, [f"label_{i}" for i in range(targets.shape[1])])


class _Targets(NamedTuple):
    """Labels of training rows.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_labels), float64
        Numbers; a column of zeros and ones for each class.
    names : list of str
        Names of the columns.
    classes : ndarray of shape (n_classes,), default=None
    """

    values: NDArray[np.float64]
    names: list[str]
    classes: NDArray | None = None


class _Fitted(NamedTuple):
    """What a fit has prepared.

    Attributes
    ----------
    features : list of str
    embedded : Searched
        Rows whose means and distances are returned.
    labelled : Searched or None
        Rows whose labels are returned, if any are.
    targets : _Targets or None
        Their labels.
    """

    features: list[str]
    embedded: Searched
    labelled: Searched | None
    targets: _Targets | None

    @property
    def embedded_are_used(self) -> bool:
        """Whether means or distances are returned."""
        return "mean" in self.features or "distances" in self.features

    def columns(
        self, rows: NDArray, found: Voters | None, labels: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Put the features side by side."""
        made = {
            "embedding": lambda: rows,
            "mean": lambda: _weighted_means(self.embedded.source, found, rows),
            "labels": lambda: labels,
            "distances": lambda: _filled(found.distances),
        }
        return np.hstack([made[name]() for name in self.features]).astype(np.float64, copy=False)


def _filled(distances):
    """Distances, the largest one again where there are no more neighbours."""
    are_there = np.isfinite(distances)
    largest = np.max(distances, axis=1, keepdims=True, where=are_there, initial=0)
    return np.where(are_there, distances, largest)


def _weighted_means(source: Rows, found: Voters, rows: NDArray) -> NDArray[np.float64]:
    """Weighted means of neighbours, which are read once; of a row without any, the row itself."""
    lacking = ~found.weights.any(axis=1, keepdims=True)
    means = np.where(lacking, rows.astype(np.float64), 0)
    first = 0
    for block in source.blocks(_ROWS_READ):
        of, rank = np.nonzero((found.rows >= first) & (found.rows < first + len(block)))
        if len(of):
            used, at = np.unique(found.rows[of, rank] - first, return_inverse=True)
            which, row = np.unique(of, return_inverse=True)
            weights = csr_matrix((found.weights[of, rank], (row, at)), (len(which), len(used)))
            means[which] += weights @ block[used].astype(np.float64)
        first += len(block)
    return means
