"""Groups: training rows of which none may tell another one anything, duplicates among them."""

from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ._found import Nearest
from ._index import Asked
from ._prefix_neighbors import PrefixNeighbors
from ._votes import among, nearest_rows

# Most rows that are listed for each, in the hope that enough are of other groups; beyond, the rows
# of all other groups are searched for those of one.
_N_LISTED = 1024
# Neighbours that are found at a time.
_N_FOUND = 2**22


def find_groups(rows: NDArray, groups: Any = None) -> NDArray[np.int64]:
    """Number the groups of rows: identical rows are in one, and so are those of equal `groups`.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
    groups : array-like of shape (n_rows,), default=None
        Groups that are known.

    Returns
    -------
    numbers : ndarray of shape (n_rows,), int64
        Not changed by the order of the rows.

    Raises
    ------
    ValueError
        If there is not one group for each row.
    """
    # plus zero, since -0.0 equals 0.0; by digests, since the order of their numbers is fixed
    digests = [
        blake2b((row.astype(np.float64) + 0.0).tobytes(), digest_size=8).digest() for row in rows
    ]
    _, same = np.unique(np.frombuffer(b"".join(digests), np.uint64), return_inverse=True)
    if groups is None:
        return same
    given = np.asarray(groups)
    if given.shape != (len(rows),):
        raise ValueError(
            f"groups is of shape {given.shape}, but there are {len(rows)} rows; give one group "
            "for each."
        )
    try:
        _, given = np.unique(given, return_inverse=True)
    except TypeError as error:
        raise TypeError("groups are of several types; give all strings, or all numbers.") from error
    # groups that share a duplicate are one; numbers of components are in the order of the groups
    n_given, n_nodes = given.max() + 1, given.max() + same.max() + 2
    links = coo_matrix((np.ones(len(rows)), (given, n_given + same)), shape=(n_nodes, n_nodes))
    return connected_components(links, directed=False)[1][given].astype(np.int64)


def nearest_of_others(
    neighbors: PrefixNeighbors, rows: NDArray, groups: NDArray[np.int64], n_neighbors: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the nearest rows of other groups for each training row.

    Parameters
    ----------
    neighbors : PrefixNeighbors
        Fitted on the rows.
    rows : ndarray of shape (n_rows, n_columns)
    groups : ndarray of shape (n_rows,), int64
        As :func:`find_groups` returns them.
    n_neighbors : int

    Returns
    -------
    distances : ndarray of shape (n_rows, n_neighbors), float64
        Infinite where there are not so many rows.
    others : ndarray of shape (n_rows, n_neighbors), int64
        -1 where there are not so many rows.
    """
    distances = np.full((len(rows), n_neighbors), np.inf)
    others = np.full((len(rows), n_neighbors), -1)
    lacking, n_listed = np.arange(len(rows)), n_neighbors
    while len(lacking) and n_listed <= max(_N_LISTED, n_neighbors):
        still, size = [], max(1, _N_FOUND // n_listed)
        for start in range(0, len(lacking), size):
            which = lacking[start : start + size]
            asked = Asked(rows[which], which)
            (found,) = neighbors._searched([asked], partial(Nearest, n_neighbors=n_listed))
            is_other = (found.rows >= 0) & (groups[found.rows] != groups[which, np.newaxis])
            # those of other groups first
            order = np.argsort(~is_other, axis=1, kind="stable")[:, :n_neighbors]
            of, rank = np.nonzero(np.take_along_axis(is_other, order, axis=1))
            distances[which[of], rank] = found.distances[of, order[of, rank]]
            others[which[of], rank] = found.rows[of, order[of, rank]]
            still.append(which[(others[which, -1] < 0) & (found.rows[:, -1] >= 0)])
        lacking, n_listed = np.concatenate(still), 4 * n_listed
    for group in np.unique(groups[lacking]):
        which, left = lacking[groups[lacking] == group], np.flatnonzero(groups != group)
        if len(left):
            found = nearest_rows(among(neighbors, rows[left]), rows[which], n_neighbors)
            distances[which] = found[0]
            others[which] = np.where(found[1] < 0, -1, left[found[1]])
    return distances, others
