"""Folds of whole groups, by which what a transformer learns of targets is cross-fitted."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold


def group_folds(
    groups: NDArray, n_folds: int, seed: int, rows: str
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Split rows into folds, with groups whole.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
    n_folds : int
        The estimator's parameter `cv`.
    seed : int
    rows : str
        What rows are, for messages.

    Returns
    -------
    folds : iterator of (ndarray, ndarray)
        Numbers of training and test rows.

    Raises
    ------
    ValueError
        If there are fewer groups than folds.
    """
    n_groups = len(np.unique(groups))
    if n_groups < n_folds:
        raise ValueError(
            f"There are {n_groups} groups of rows, fewer than cv={n_folds}; give a smaller cv, or "
            f"more {rows}."
        )
    folds = GroupKFold(n_folds, shuffle=True, random_state=seed)
    return folds.split(groups, groups=groups)
