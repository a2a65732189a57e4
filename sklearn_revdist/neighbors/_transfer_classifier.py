"""AnnotationTransferClassifier: a vote of the nearest neighbours, and how reliable it is."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ..utils._compat import _fit_context
from ._groups import numbered
from ._reliability import Reliability, evidence_of
from ._sources import evenly
from ._transfer import AnnotationTransfer
from ._votes import Voters, usual_distance

# Training rows by which the reliability is calibrated, and the least number of their neighbours.
_N_CALIBRATION, _N_SEEN = 4096, 16


class Judged(NamedTuple):
    """Classes of queries; of those without votes, any class, with share and reliability zero.

    Attributes
    ----------
    found : Voters
        Neighbours, also such as do not vote.
    labels : ndarray of shape (n_queries,)
    share, reliability : ndarray of shape (n_queries,), float64
        Share of the votes for the class, and the probability that it is right.
    """

    found: Voters
    labels: NDArray
    share: NDArray[np.float64]
    reliability: NDArray[np.float64]


class AnnotationTransferClassifier(ClassifierMixin, AnnotationTransfer):
    """Classify rows by a weighted vote of their nearest neighbours, with a reliability.

    As annotation is transferred from the best hit of a sequence search, a query takes over the
    class of its nearest training rows. Each prediction comes with the probability that it is right,
    and with the neighbours that it rests on.

    Read more in the :ref:`User Guide <annotation_transfer>`.

    Parameters
    ----------
    n_neighbors : int, default=16
        Number of neighbours that vote; all training rows if there are fewer.

    n_components : int or str, default=None
        Prefix to search: a number of columns, or the model at which it ends. None is all columns.

    temperature : float, default=0.2
        A neighbour at distance d votes with weight ``exp(-d / (temperature * distance_scale_))``.
        At 0 only the nearest one votes, at infinity all alike.

    max_distance : float, default=None
        Distance beyond which a neighbour does not vote. None is no limit.

    outlier_label : label, default=None
        Class of queries without any neighbour within `max_distance`. None raises an error for them.

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
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.

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
    PrefixNeighbors : The search alone.
    sklearn.neighbors.KNeighborsClassifier : Equal or inverse distances as weights.

    Notes
    -----
    The probability of a class is the weight of its neighbours [1]_. It is not calibrated;
    :meth:`reliability` is. For that, the neighbours of at most 4,096 training rows, evenly apart,
    are found among the rows that are neither identical to them nor of their group.

    A training row that is identical to a query is its neighbour. To see how well unseen sequences
    are classified, keep duplicates and relatives together with `groups` in cross-validation.

    References
    ----------
    .. [1] Ma, C. et al. (2024). Retrieved Sequence Augmentation for Protein Representation
       Learning. EMNLP 2024, https://arxiv.org/abs/2302.12563.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import AnnotationTransferClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["cytoplasm", "nucleus"], 100)
    >>> X = rng.normal(size=(200, 8)) + np.where(y == "nucleus", 1.5, 0)[:, np.newaxis]
    >>> model = AnnotationTransferClassifier(n_neighbors=5).fit(X[::2], y[::2])
    >>> model.predict(X[[1, 199]])
    array(['cytoplasm', 'nucleus'], dtype='<U9')
    >>> model.neighbors_table(X[[1]]).round(2)[["neighbor", "distance", "label"]].head(2)
       neighbor  distance      label
    0        37      2.50  cytoplasm
    1        24      2.74  cytoplasm
    """

    _parameter_constraints: dict = {
        **AnnotationTransfer._parameter_constraints,
        "outlier_label": "no_validation",
    }

    def __init__(
        self,
        n_neighbors: int = 16,
        *,
        n_components: int | str | None = None,
        temperature: float = 0.2,
        max_distance: float | None = None,
        outlier_label: Any = None,
        prefixes: ArrayLike | None = None,
        level_scale: str | ArrayLike | None = None,
        metric: str = "euclidean",
        n_jobs: int | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.n_components = n_components
        self.temperature = temperature
        self.max_distance = max_distance
        self.outlier_label = outlier_label
        self.prefixes = prefixes
        self.level_scale = level_scale
        self.metric = metric
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Prepare the training rows, and calibrate the reliability.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Rows of shape (n_samples, n_features), as for :meth:`PrefixNeighbors.fit`.

        y : array-like of shape (n_samples,)
            Classes.

        groups : array-like of shape (n_samples,), default=None
            Groups of related rows, such as residues of a protein, families or copies; they are left
            out together for the reliability.

        Returns
        -------
        self : AnnotationTransferClassifier
            The fitted estimator.

        Raises
        ------
        TypeError
            If `groups` are of several types.
        ValueError
            If X is not finite, y does not have a class for each row, or groups a group, or a
            parameter does not fit the columns.
        """
        self._check_y(y)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        if y.dtype.kind == "f":
            check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        self._check_outlier_label(classes)
        of_row = None if groups is None else numbered(groups, len(y))
        self._fit_known(X, y)
        self.classes_, self._codes = classes, codes
        rows = evenly(self.n_samples_fit_, _N_CALIBRATION)
        left_out = self._left_out(rows, of_row, max(self.n_neighbors, _N_SEEN))
        self.distance_scale_ = usual_distance(left_out[0][:, 0])
        found = self._voted(*left_out)
        voted = found.votes.any(axis=1)
        chosen, evidence = self._chosen(found)
        is_right = chosen == codes[rows]
        self._reliability = Reliability.of(evidence[voted], is_right[voted])
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Share of the votes for each class.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Queries of shape (n_queries, n_features).

        Returns
        -------
        share : ndarray of shape (n_queries, n_classes), float64
            Rows sum to 1. For a query without neighbours within `max_distance`, the share of
            `outlier_label` is 1 if it is a class, else all are 0.

        Raises
        ------
        ValueError
            If X does not have the columns of the fit, or `outlier_label` is None and a query has no
            neighbour within `max_distance`.
        """
        found = self._found(X)
        outliers, shares = self._outliers(found), np.zeros((len(found.rows), len(self.classes_)))
        of, codes, voted = self._shares(found)
        shares[of, codes] = voted
        shares[outliers] = self.classes_ == self.outlier_label
        return shares

    def predict(self, X: Any) -> NDArray:
        """Class with the most votes; of equal ones, the first.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Queries of shape (n_queries, n_features).

        Returns
        -------
        y : ndarray of shape (n_queries,)
            Classes, or `outlier_label`.

        Raises
        ------
        ValueError
            As :meth:`predict_proba`.
        """
        found = self._found(X)
        outliers = self._outliers(found)
        labels = self.classes_[self._chosen(found)[0]]
        if not outliers.any():
            return labels
        self._check_outlier_label(self.classes_)
        return np.where(outliers, np.asarray(self.outlier_label), labels)

    def reliability(self, X: Any) -> NDArray[np.float64]:
        """Probability that the predicted class is right.

        It follows from the distance to the nearest neighbour of that class, its ratio to the
        distance of the nearest neighbour of another class, and the share of the votes, by a
        logistic regression on training rows that are left out with their groups.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Queries of shape (n_queries, n_features).

        Returns
        -------
        probability : ndarray of shape (n_queries,), float64
            It holds for queries that are as far from the training rows as these are from each
            other's groups; nearer ones are taken for as near as the nearest of these. 0 for queries
            without neighbours within `max_distance`.

        Raises
        ------
        ValueError
            If X does not have the columns of the fit.
        """
        return self._judged(X).reliability

    def _judged(self, X):
        found = self._found(X, _N_SEEN)
        chosen, evidence = self._chosen(found)
        is_right = self._reliability.probability(evidence)
        reliability = np.where(found.votes.any(axis=1), is_right, 0.0)
        return Judged(found, self.classes_[chosen], evidence[:, -1], reliability)

    def _check_outlier_label(self, classes):
        kinds = "iuf" if classes.dtype.kind in "iuf" else classes.dtype.kind
        label = np.asarray(self.outlier_label)
        if self.outlier_label is None or (
            label.ndim == 0 and (label.dtype.kind in kinds or kinds == "O")
        ):
            return
        raise ValueError(
            f"outlier_label={self.outlier_label!r} is not of the type of the classes, "
            f"{classes.dtype}; give one that is."
        )

    def _shares(self, found):
        """Queries, classes that neighbours of each have, ascending, and their shares of the votes.

        There may be very many other classes.
        """
        of, rank = np.nonzero(found.votes)
        pairs = of * len(self.classes_) + self._codes[found.rows[of, rank]]
        pairs, at = np.unique(pairs, return_inverse=True)
        return *np.divmod(pairs, len(self.classes_)), np.bincount(at, found.weights[of, rank])

    def _chosen(self, found):
        """Numbers of the classes with the most votes, 0 without votes, and what speaks for each."""
        of, codes, shares = self._shares(found)
        order = np.lexsort((codes, -shares, of))
        voted, first = np.unique(of, return_index=True)
        chosen, share = np.zeros(len(found.rows), dtype=np.int64), np.zeros(len(found.rows))
        chosen[voted], share[voted] = codes[order][first], shares[order][first]
        agrees = self._codes[found.rows] == chosen[:, np.newaxis]
        return chosen, evidence_of(found.distances / self.distance_scale_, agrees, share)

    def _outliers(self, found):
        outliers = ~found.votes.any(axis=1)
        if self.outlier_label is None and outliers.any():
            raise ValueError(
                f"Row {np.flatnonzero(outliers)[0]} of X (counting from 0) has no neighbour within "
                f"max_distance={self.max_distance}; raise it, or give an outlier_label."
            )
        return outliers
