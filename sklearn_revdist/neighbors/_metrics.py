"""Metrics of retrieval: whether the rows that a search returns have the label of the query."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_consistent_length

from ..utils._compat import Interval, validate_params
from ..utils._messages import warn_user

_LABELS = {"y_true": ["array-like"], "y_retrieved": ["array-like"]}
_COUNTS = ["array-like", None]


@validate_params(
    {**_LABELS, "k": [Interval(Integral, 1, None, closed="left")], "n_relevant": _COUNTS}
)
def recall_at_k(
    y_true: ArrayLike, y_retrieved: ArrayLike, k: int = 1, *, n_relevant: ArrayLike | None = None
) -> float:
    """Compute the share of queries that have their own label among the first k retrieved.

    Parameters
    ----------
    y_true : array-like of shape (n_queries,)
        Labels of the queries.
    y_retrieved : array-like of shape (n_queries, n_retrieved)
        Labels of the rows retrieved for each query, best first. Where there are fewer than for
        other queries, any label that no query has, such as "".
    k : int, default=1
        Number of rows that count.
    n_relevant : array-like of shape (n_queries,), int, default=None
        Number of rows of the database that have the label of each query and may be retrieved.
        Queries with none are left out; if not given, all count.

    Returns
    -------
    score : float
        From 0 to 1; NaN if no query is left.

    Raises
    ------
    ValueError
        If there are fewer than `k` columns, not one row of labels for each query, or more relevant
        rows are retrieved than there are.

    Warns
    -----
    UndefinedMetricWarning
        If queries are left out; it says how many.

    See Also
    --------
    mean_average_precision : Counts all relevant rows, and their ranks.
    accuracy_by_identity : Separates queries that are easy to align from others.
    PrefixNeighbors : Retrieves rows.

    Notes
    -----
    A query scores 1 if at least one of its first k rows has its label, and 0 if none has, as is
    usual for embeddings [1]_. At ``k=1`` this is the accuracy of annotation by the nearest protein
    [2]_. It is not the share of all relevant rows that are among the first k.

    References
    ----------
    .. [1] Oh Song, H., Xiang, Y., Jegelka, S. and Savarese, S. (2016). Deep metric learning via
       lifted structured feature embedding. CVPR 2016.
    .. [2] Schütze, K., Heinzinger, M., Steinegger, M. and Rost, B. (2022). Nearest neighbor search
       on embeddings rapidly identifies distant protein relations. Frontiers in Bioinformatics 2,
       1033775.

    Examples
    --------
    Of three proteins, the first is next to one of its family, and the second has one in second
    place:

    >>> from sklearn_revdist import recall_at_k
    >>> families = ["kinase", "lipase", "globin"]
    >>> found = [["kinase", "globin"], ["kinase", "lipase"], ["kinase", "lipase"]]
    >>> round(recall_at_k(families, found), 2), round(recall_at_k(families, found, k=2), 2)
    (0.33, 0.67)

    There was no other globin to find:

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     recall_at_k(families, found, n_relevant=[1, 1, 0])
    0.5
    """
    is_relevant, n_relevant = _checked(y_true, y_retrieved, n_relevant)
    if k > is_relevant.shape[1]:
        raise ValueError(
            f"k={k} exceeds the {is_relevant.shape[1]} rows retrieved for each query; retrieve "
            "more, or lower k."
        )
    return _mean_of_answerable(hits(is_relevant, k), n_relevant)


@validate_params({**_LABELS, "n_relevant": _COUNTS})
def mean_average_precision(
    y_true: ArrayLike, y_retrieved: ArrayLike, n_relevant: ArrayLike | None = None
) -> float:
    """Compute the mean over queries of the average precision of what is retrieved.

    Parameters
    ----------
    y_true : array-like of shape (n_queries,)
        Labels of the queries.
    y_retrieved : array-like of shape (n_queries, n_retrieved)
        Labels of the rows retrieved for each query, best first. Where there are fewer than for
        other queries, any label that no query has, such as "".
    n_relevant : array-like of shape (n_queries,), int, default=None
        Number of rows of the database that have the label of each query and may be retrieved. Those
        that are not retrieved count as such. Queries with none are left out. None takes those
        retrieved for all, which is right for complete rankings; a query without any then scores 0.

    Returns
    -------
    score : float
        From 0 to 1, if all relevant rows come first; NaN if no query is left.

    Raises
    ------
    ValueError
        If there is not one row of labels for each query, or more relevant rows are retrieved than
        there are.

    Warns
    -----
    UndefinedMetricWarning
        If queries are left out; it says how many.

    See Also
    --------
    recall_at_k : Looks for one relevant row.
    sklearn.metrics.average_precision_score : The same for one query, given scores.

    Notes
    -----
    The average precision of a query is the sum, over the relevant rows that are retrieved, of the
    precision at their ranks, divided by the number of all relevant rows [1]_. A list of k rows
    cannot reach 1 if there are more relevant ones.

    References
    ----------
    .. [1] Manning, C. D., Raghavan, P. and Schütze, H. (2008). Introduction to Information
       Retrieval, section 8.4. Cambridge University Press.

    Examples
    --------
    The relevant rows are at ranks 1 and 3, with precisions 1 and 2/3:

    >>> from sklearn_revdist import mean_average_precision
    >>> round(mean_average_precision(["a"], [["a", "b", "a", "b"]]), 3)
    0.833

    A third one was not retrieved:

    >>> round(mean_average_precision(["a"], [["a", "b", "a", "b"]], n_relevant=[3]), 3)
    0.556
    """
    is_relevant, n_relevant = _checked(y_true, y_retrieved, n_relevant)
    counts = is_relevant.sum(axis=1) if n_relevant is None else n_relevant
    return _mean_of_answerable(average_precisions(is_relevant, counts), n_relevant)


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "identity": ["array-like"],
        "bands": ["array-like"],
    }
)
def accuracy_by_identity(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    identity: ArrayLike,
    *,
    bands: Sequence[float] = (0, 30, 50, 70, 100),
) -> pd.DataFrame:
    """Compute the accuracy of transferred labels by the sequence identity of the best hit.

    Proteins that are nearly identical to one of the database are annotated by any alignment; what
    embeddings add shows where identity is low.

    Parameters
    ----------
    y_true : array-like of shape (n_queries,)
        Labels of the queries.
    y_pred : array-like of shape (n_queries,)
        Labels transferred to them, such as those of the nearest rows.
    identity : array-like of shape (n_queries,)
        Identity of each query with the sequence of the database that is most similar to it, in
        percent, as MMseqs2, pyhmmer or pairwise alignments give it; 0 for queries without a hit.
    bands : sequence of float, default=(0, 30, 50, 70, 100)
        Bounds of the bands, ascending. Lower bounds belong to a band, and the last upper one.

    Returns
    -------
    accuracies : DataFrame
        One row for each band: its bounds `low` and `high`, the number of queries `n_queries`, and
        the share `accuracy` of them with the right label, NaN if there are none.

    Raises
    ------
    ValueError
        If there are not as many labels and identities as queries, an identity is not within the
        bands, all are at most 1 although the bands are in percent, or `bands` does not ascend.

    See Also
    --------
    recall_at_k : One number for all queries.

    Examples
    --------
    >>> from sklearn_revdist import accuracy_by_identity
    >>> families = ["kinase", "kinase", "lipase", "globin"]
    >>> nearest = ["lipase", "kinase", "lipase", "globin"]
    >>> accuracy_by_identity(families, nearest, [12.5, 24.0, 55.1, 98.0])
       low  high  n_queries  accuracy
    0    0    30          2       0.5
    1   30    50          0       NaN
    2   50    70          1       1.0
    3   70   100          1       1.0
    """
    labels = [_vector(y, name) for y, name in ((y_true, "y_true"), (y_pred, "y_pred"))]
    identities, bounds = _numbers(identity, "identity"), _numbers(bands, "bands")
    check_consistent_length(*labels, identities)
    if len(bounds) < 2 or not (np.diff(bounds) > 0).all():
        raise ValueError(f"bands={bands!r} are not two or more ascending bounds; sort them.")
    inside = (identities >= bounds[0]) & (identities <= bounds[-1])  # NaN is not
    if not inside.all():
        query = np.flatnonzero(~inside)[0]
        raise ValueError(
            f"identity[{query}]={identities[query]:g} is not within the bands, from {bounds[0]:g} "
            f"to {bounds[-1]:g}; give 0 for queries without a hit."
        )
    if bounds[-1] > 1 >= identities.max(initial=0) > 0:
        raise ValueError(
            f"identity is at most {identities.max():g}, as shares are, but bands go up to "
            f"{bounds[-1]:g}; multiply it by 100, or give bands as shares."
        )
    is_right = labels[0] == labels[1]
    band = np.searchsorted(bounds[1:-1], identities, side="right")
    n_queries = np.bincount(band, minlength=len(bounds) - 1)
    n_right = np.bincount(band, is_right, minlength=len(bounds) - 1)
    with np.errstate(invalid="ignore"):
        accuracy = n_right / n_queries
    columns = {"low": bands[:-1], "high": bands[1:], "n_queries": n_queries, "accuracy": accuracy}
    return pd.DataFrame(columns)


def hits(is_relevant: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Return 1 for queries with a relevant row among the first k, and 0 for others.

    Parameters
    ----------
    is_relevant : ndarray of shape (n_queries, n_retrieved), bool
    k : int

    Returns
    -------
    scores : ndarray of shape (n_queries,), float64
    """
    return np.asarray(is_relevant[:, :k].any(axis=1), dtype=np.float64)


def average_precisions(
    is_relevant: NDArray[np.bool_], n_relevant: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute the average precision of each query.

    Parameters
    ----------
    is_relevant : ndarray of shape (n_queries, n_retrieved), bool
    n_relevant : ndarray of shape (n_queries,), int64
        Number of all relevant rows.

    Returns
    -------
    scores : ndarray of shape (n_queries,), float64
        0 without relevant rows.
    """
    precision = is_relevant.cumsum(axis=1) / np.arange(1, is_relevant.shape[1] + 1)
    return (precision * is_relevant).sum(axis=1) / np.maximum(n_relevant, 1)


def _mean_of_answerable(scores: NDArray[np.float64], n_relevant: NDArray[np.int64] | None) -> float:
    """Mean over the queries that have relevant rows."""
    if n_relevant is None:
        return float(scores.mean())
    answerable = n_relevant > 0
    n_left_out = len(scores) - np.count_nonzero(answerable)
    if n_left_out:
        warn_user(
            f"{n_left_out} of {len(scores)} queries have no relevant row and are left out.",
            UndefinedMetricWarning,
        )
    return float(scores[answerable].mean()) if n_left_out < len(scores) else np.nan


def _checked(
    y_true: ArrayLike, y_retrieved: ArrayLike, n_relevant: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.int64] | None]:
    """Which retrieved rows are relevant, and how many there are."""
    labels, retrieved = _vector(y_true, "y_true"), np.asarray(y_retrieved)
    if retrieved.ndim != 2 or len(retrieved) != len(labels) or not retrieved.size:
        raise ValueError(
            f"y_retrieved is of shape {retrieved.shape}, but y_true has {len(labels)} labels; give "
            "a row of labels for each."
        )
    kinds = {retrieved.dtype.kind, labels.dtype.kind}
    if "O" not in kinds and len({kind in "US" for kind in kinds}) > 1:
        raise ValueError(
            f"y_retrieved is of type {retrieved.dtype}, and y_true of type {labels.dtype}; give "
            "labels of one type."
        )
    is_relevant = retrieved == labels[:, np.newaxis]
    if n_relevant is None:
        return is_relevant, None
    counts = np.asarray(n_relevant)
    if counts.shape != labels.shape or counts.dtype.kind not in "iu":
        raise ValueError(
            f"n_relevant is of shape {counts.shape} and type {counts.dtype}; give a whole number "
            f"for each of the {len(labels)} queries."
        )
    n_found = is_relevant.sum(axis=1)
    if (n_found > counts).any():
        query = np.flatnonzero(n_found > counts)[0]
        raise ValueError(
            f"n_relevant[{query}]={counts[query]}, but {n_found[query]} relevant rows were "
            "retrieved; count all rows of the database that have the label of the query."
        )
    return is_relevant, counts.astype(np.int64)


def _vector(y: ArrayLike, name: str) -> NDArray:
    labels = np.asarray(y)
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"{name} is of shape {labels.shape}; give one label for each query.")
    return labels


def _numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} has a value that is not a number; give numbers.") from error
    if numbers.ndim != 1:
        raise ValueError(f"{name} is of shape {numbers.shape}; give one number for each.")
    return numbers
