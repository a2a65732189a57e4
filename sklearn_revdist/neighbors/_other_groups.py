"""Neighbours in other groups: what a query finds that is not related to it in a known way."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from ._found import Nearest
from ._index import Asked
from ._neighbor_search import NeighborSearch


def nearest_of_other_groups(
    neighbors: NeighborSearch,
    X: NDArray,
    own: NDArray[np.int64],
    groups: NDArray[np.int64],
    n_neighbors: int,
) -> NDArray[np.int64]:
    """Find the nearest training rows that are not of the group of a query.

    Parameters
    ----------
    neighbors : NeighborSearch
        Fitted; its `exclude` says whether identical rows are left out as well.
    X : ndarray of shape (n_queries, n_features)
        Queries, training rows or others.
    own : ndarray of shape (n_queries,), int64
        Their groups.
    groups : ndarray of shape (n_samples_fit_,), int64
        Groups of the training rows.
    n_neighbors : int

    Returns
    -------
    rows : ndarray of shape (n_queries, n_neighbors), int64
        Numbers of training rows, nearest first; -1 where there are fewer.
    """
    n_wanted = min(n_neighbors, neighbors.n_samples_fit_)
    made = partial(Nearest, n_neighbors=n_wanted)
    (found,) = neighbors._searched([Asked(X, own)], made, groups=groups)
    return np.pad(found.rows, ((0, 0), (0, n_neighbors - n_wanted)), constant_values=-1)
