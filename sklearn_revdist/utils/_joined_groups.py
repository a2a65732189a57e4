"""Joined groups: rows that any of two groupings puts together, directly or through others."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def joined_groups(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the groups of rows that are linked by the groups of either.

    Parameters
    ----------
    first, second : ndarray of shape (n_rows,), int64
        Numbers of groups, from 0.

    Returns
    -------
    joined : ndarray of shape (n_rows,), int64
        Numbers in the order of those of `first`.
    """
    n_first, n_nodes = first.max() + 1, first.max() + second.max() + 2
    links = coo_matrix((np.ones(len(first)), (first, n_first + second)), (n_nodes, n_nodes))
    return connected_components(links, directed=False)[1][first].astype(np.int64)
