"""Retrieval: score what a representation finds for each query, by the labels of what is found."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..neighbors._index import Asked
from ..neighbors._metrics import average_precisions, hits
from ..neighbors._prefix_neighbors import PrefixNeighbors

# Labels that are ranked at a time.
_N_RANKED = 2**22


def count_relevant(
    labels: NDArray, groups: NDArray[np.int64], known: NDArray, asked: NDArray
) -> NDArray[np.int64]:
    """Count the rows of a database that a query should find: its label, and another group.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
    groups : ndarray of shape (n_rows,), int64
    known, asked : ndarray of int
        Rows of the database, and queries.

    Returns
    -------
    n_relevant : ndarray of shape (n_queries,), int64
        Identical embeddings count, so that it is the same for all representations.
    """
    label = _codes(labels)
    pair = label * (groups.max() + 1) + groups
    _, pair = np.unique(pair, return_inverse=True)
    of_label = np.bincount(label[known], minlength=label.max() + 1)
    of_pair = np.bincount(pair[known], minlength=pair.max() + 1)
    return of_label[label[asked]] - of_pair[pair[asked]]


def score_queries(
    database: PrefixNeighbors,
    columns: NDArray[np.float64],
    labels: NDArray,
    groups: NDArray[np.int64],
    known: NDArray,
    asked: NDArray,
    metric: str,
) -> NDArray[np.float64]:
    """Score each query by the labels of its nearest rows in other groups.

    Parameters
    ----------
    database : PrefixNeighbors
        Fitted on the rows `known`.
    columns : ndarray of shape (n_rows, n_columns)
        A representation.
    labels : ndarray of shape (n_rows,)
    groups : ndarray of shape (n_rows,), int64
    known, asked : ndarray of int
        Rows of the database, and queries.
    metric : str
        "recall@1" or another number, or "map".

    Returns
    -------
    scores : ndarray of shape (n_queries,), float64
        Their mean is :func:`recall_at_k` or :func:`mean_average_precision`. NaN for queries without
        a relevant row in the database.
    """
    n_relevant = count_relevant(labels, groups, known, asked)
    label = _codes(labels)
    n_ranked = len(known)
    if metric != "map":
        n_ranked = min(n_ranked, int(metric.removeprefix("recall@")))
    scores = np.full(len(asked), np.nan)
    answerable = np.flatnonzero(n_relevant)
    step = max(1, _N_RANKED // n_ranked)
    for start in range(0, len(answerable), step):
        some = answerable[start : start + step]
        queries = asked[some]
        asked = Asked(columns[queries], groups[queries])
        _, rows = database._nearest([asked], n_ranked, groups=groups[known])
        is_relevant = (rows >= 0) & (label[known[rows]] == label[queries, np.newaxis])
        if metric == "map":
            scores[some] = average_precisions(is_relevant, n_relevant[some])
        else:
            scores[some] = hits(is_relevant, n_ranked)
    return scores


def _codes(labels: NDArray) -> NDArray[np.int64]:
    return pd.factorize(labels, use_na_sentinel=False)[0].astype(np.int64)
