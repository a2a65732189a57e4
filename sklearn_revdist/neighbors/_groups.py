"""Groups: training rows that must not be neighbours of each other, such as duplicates."""

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils._joined_groups import joined_groups


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
    return joined_groups(numbered(groups, len(rows)), same)  # those that share a duplicate are one


def numbered(groups: Any, n_rows: int) -> NDArray[np.int64]:
    """Number groups from 0, in their order; errors are those of :func:`find_groups`."""
    given = np.asarray(groups)
    if given.shape != (n_rows,):
        raise ValueError(
            f"groups is of shape {given.shape}, but there are {n_rows} rows; give one group "
            "for each."
        )
    try:
        return np.unique(given, return_inverse=True)[1]
    except TypeError as error:
        raise TypeError("groups are of several types; give all strings, or all numbers.") from error
