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

# How many times the neighbours are listed, in the hope that enough of them are of other groups.
_MORE = 4
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
    TypeError, ValueError
        If groups are of several types, or there is not one for each row.
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
    best, asked = Nearest(len(rows), n_neighbors), np.arange(len(rows))
    # enough of so many are of other groups
    is_small = np.bincount(groups)[groups] <= (_MORE - 1) * n_neighbors
    lacking = _add_listed(best, neighbors, rows, groups, asked, n_neighbors)
    small, large = lacking[is_small[lacking]], lacking[~is_small[lacking]]
    _add_listed(best, neighbors, rows, groups, small, _MORE * n_neighbors)
    _add_apart(best, neighbors, rows, groups, large)
    return best.distances, best.rows


def _add_listed(best, neighbors, rows, groups, asked, n_listed):
    """List nearest rows, add those of other groups, and return who might find more."""
    lacking, size = [asked[:0]], max(1, _N_FOUND // n_listed)
    for start in range(0, len(asked), size):
        which = asked[start : start + size]
        (found,) = neighbors._searched(
            [Asked(rows[which], which)], partial(Nearest, n_neighbors=n_listed)
        )
        of, rank = np.nonzero(found.rows >= 0)
        is_other = groups[found.rows[of, rank]] != groups[which[of]]
        of, rank = of[is_other], rank[is_other]
        best.add(which[of], found.distances[of, rank], found.rows[of, rank])
        lacking.append(which[(best.rows[which, -1] < 0) & (found.rows[:, -1] >= 0)])
    return np.concatenate(lacking)


def _add_apart(best, neighbors, rows, groups, asked):
    """Search the rows of other groups alone.

    Numbers of groups differ in a bit, so that for each bit, those with a one are searched for those
    with a zero, and the other way round. All groups without a row that is asked for have number 0.
    """
    wanted = np.unique(groups[asked])
    is_wanted = np.isin(groups, wanted)
    number = np.where(is_wanted, 1 + np.searchsorted(wanted, groups), 0)
    for bit in range(len(wanted).bit_length()):
        value = number >> bit & 1
        for side in (0, 1):
            which, left = asked[value[asked] == side], np.flatnonzero(value != side)
            if len(which) and len(left):
                some = among(neighbors, rows[left])
                distances, found = nearest_rows(some, rows[which], best.n_wanted)
                of, rank = np.nonzero(found >= 0)
                best.add(which[of], distances[of, rank], left[found[of, rank]])
