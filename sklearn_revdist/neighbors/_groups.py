"""Groups: training rows of which none may tell another one anything, duplicates among them."""

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


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
