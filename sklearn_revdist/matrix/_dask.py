"""Dask arrays and data frames as rows: summed in a tree, mapped one block at a time.

Dask is only imported if a collection is given.
"""

import operator
import sys
from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._finite import check_finite

# Number of sums that one task adds, and that a worker holds at a time. Two would be the fastest if
# the network is the limit; with more there are fewer tasks to schedule.
_FAN_IN = 4


def is_dask(X: Any) -> bool:
    """Whether X is a dask collection."""
    dask = sys.modules.get("dask")
    return dask is not None and dask.is_dask_collection(X)


def as_blocks(X: Any, name: str, n_rows: int = 1) -> Any:
    """Convert a collection to an array whose blocks hold whole rows; nothing is computed.

    Parameters
    ----------
    X : dask Array or DataFrame of shape (n_samples, n_features)
        Its numbers of rows may be unknown. float64 and float32 stay, other numbers become
        float64.
    name : str
        Name of the estimator, for messages.
    n_rows : int, default=1
        Least number of rows, checked if their number is known.

    Returns
    -------
    rows : dask Array of shape (n_samples, n_features), float64 or float32

    Raises
    ------
    ValueError
        If it is not a matrix of numbers, or has too few rows.
    """
    rows = X.to_dask_array() if hasattr(X, "to_dask_array") else X
    if getattr(rows, "ndim", None) != 2 or rows.dtype.kind not in "fiub" or rows.shape[1] == 0:
        raise ValueError(
            f"{name} got a dask collection ({type(X).__name__}) that is not a matrix of numbers; "
            "give an array or a data frame of numbers with one row per sample."
        )
    if rows.shape[0] < n_rows:  # an unknown number is NaN
        raise ValueError(
            f"The array has {rows.shape[0]} rows, but {name} needs at least {n_rows}; give more."
        )
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    return rows if rows.numblocks[1] == 1 else rows.rechunk({1: -1})


def sum_of_blocks(
    function: Callable[[Any, Any], Any], X: Any, sample_weight: ArrayLike | None = None
) -> Any:
    """Sum the results of a function for all blocks of rows, in a tree, in one computation.

    The tree depends on the number of blocks alone, so that the sum is the same bit for bit
    whichever workers take part, and whichever are lost on the way.

    Parameters
    ----------
    function : callable
        Takes the rows of a block and their weights, or None; its results can be added.
    X : dask Array of shape (n_samples, n_features)
        As :func:`as_blocks` gives it.
    sample_weight : array-like or dask collection of shape (n_samples,), default=None
        Weights of the rows; a collection with the same blocks if numbers of rows are unknown.

    Returns
    -------
    total : as `function` returns

    Raises
    ------
    ValueError
        If there are no rows, a row is not finite, or the weights do not fit, are negative or zero
        for all rows.
    """
    import dask

    blocks = X.to_delayed().ravel()
    n_rows = X.chunks[0]
    firsts = np.cumsum([0, *n_rows[:-1]])  # NaN where unknown
    weights = _weights_of_blocks(sample_weight, X)
    of_block = dask.delayed(partial(_checked, function), pure=False)
    places = enumerate(firsts.tolist())
    sums = [of_block(*part) for part in zip(blocks, weights, places, strict=True)]
    total = in_tree(_add, sums)
    if total is None:
        which = "" if sample_weight is None else " with a positive sample_weight"
        raise ValueError(f"There are no rows{which}; give some.")
    return total


def in_tree(combine: Callable[[list[Any]], Any], tasks: Sequence[Any]) -> Any:
    """Combine the results of tasks, a few at a time, in one computation.

    Parameters
    ----------
    combine : callable
        Takes a list of results and returns one such.
    tasks : sequence of Delayed
        Not empty.

    Returns
    -------
    result : as `combine` returns
    """
    import dask

    combined = dask.delayed(combine, pure=False)
    while len(tasks) > 1:
        groups = (tasks[i : i + _FAN_IN] for i in range(0, len(tasks), _FAN_IN))
        tasks = [combined(group) if len(group) > 1 else group[0] for group in groups]
    (result,) = dask.compute(tasks[0])
    return result


def map_blocks(method: Callable[[Any], Any], X: Any, n_columns: int) -> Any:
    """Transform rows one block at a time, when the result is computed.

    Parameters
    ----------
    method : callable
        Takes the rows of a block and returns as many.
    X : dask Array of shape (n_samples, n_features)
        As :func:`as_blocks` gives it.
    n_columns : int
        Number of columns that `method` returns.

    Returns
    -------
    rows : dask Array of shape (n_samples, n_columns), blocks and dtype as those of X
    """
    import dask

    return X.map_blocks(
        _map_block,
        method=dask.delayed(method, pure=False),  # once in the graph, not in each task
        n_columns=n_columns,
        chunks=(X.chunks[0], (n_columns,)),
        dtype=X.dtype,
        meta=np.empty((0, 0), X.dtype),
    )


def score_of_blocks(distiller: Any, X: Any, sample_weight: ArrayLike | None = None) -> float:
    """Share of the variance of all columns that a distiller's prefix reconstructs.

    Parameters
    ----------
    distiller : ReverseDistiller
    X : dask Array of shape (n_samples, n_features)
        As :func:`as_blocks` gives it.
    sample_weight : as for :func:`sum_of_blocks`, default=None

    Returns
    -------
    score : float
    """
    weight, shift, power, lost = sum_of_blocks(partial(_powers, distiller), X, sample_weight)
    return float(1 - lost.sum() / (power - shift**2 / weight).sum())


def _weights_of_blocks(sample_weight, X):
    """Weights of each block of X, or the task that computes them."""
    if sample_weight is None:
        return repeat(None, X.numblocks[0])
    known = not np.isnan(X.shape[0])
    if not is_dask(sample_weight):
        if not known:
            raise ValueError(
                "sample_weight is an array, but the blocks of X have unknown numbers of rows; give "
                "the weights as a dask array with the same blocks, or call "
                "X.compute_chunk_sizes() before."
            )
        sample_weight = np.asarray(sample_weight)
    elif hasattr(sample_weight, "to_dask_array"):
        sample_weight = sample_weight.to_dask_array()
    shape = sample_weight.shape
    known = known and not np.isnan(shape).any()
    if known and shape != X.shape[:1]:
        raise ValueError(
            f"sample_weight.shape == {shape}, expected {X.shape[:1]}; give one weight per row."
        )
    if isinstance(sample_weight, np.ndarray):
        return np.split(sample_weight, np.cumsum(X.chunks[0])[:-1])
    if known:
        sample_weight = sample_weight.rechunk(X.chunks[:1])
    if sample_weight.numblocks != X.numblocks[:1]:
        raise ValueError(
            f"sample_weight has {sample_weight.numblocks[0]} blocks and X has {X.numblocks[0]}, "
            "of unknown numbers of rows; give both the same blocks."
        )
    return sample_weight.to_delayed().ravel()


def _checked(function, rows, weights, place):
    """Check a block and apply the function to it; None if no row has a positive weight."""
    rows = np.asarray(rows)
    check_finite(rows, partial(_row, place))
    if weights is not None:
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != rows.shape[:1]:
            raise ValueError(
                f"Block {place[0]} (counting from 0) has {len(rows)} rows, but weights of shape "
                f"{weights.shape}; give one weight per row."
            )
        wrong = ~(weights >= 0) | np.isinf(weights)
        if wrong.any():
            raise ValueError(
                f"sample_weight is {weights[wrong][0]} for {_row(place, int(np.argmax(wrong)))} "
                "(counting from 0); give weights that are finite and not negative."
            )
    counts = len(rows) > 0 and (weights is None or weights.any())
    return function(rows, weights) if counts else None


def _add(sums):
    sums = [part for part in sums if part is not None]
    return reduce(operator.add, sums) if sums else None


def _map_block(rows, method, n_columns, block_info):
    if len(rows) == 0:
        return np.empty((0, n_columns), rows.dtype)
    found = block_info[0]
    place = found["chunk-location"][0], found["array-location"][0][0]
    check_finite(rows, partial(_row, place))
    return method(rows)


def _powers(distiller, rows, weights):
    """Per column: weight, sum and sum of squares about the fit's mean, and reconstruction error."""
    weights = np.ones(len(rows)) if weights is None else weights
    centred = rows - distiller.mean_
    lost = rows - distiller.inverse_transform(distiller.transform(rows)).astype(np.float64)
    sums = (weights @ values for values in (centred, centred**2, lost**2))
    return np.stack([np.full(rows.shape[1], weights.sum()), *sums])


def _row(place, at):
    """Name a row of a block by its place in X or, if that is unknown, in its block."""
    block, first = place
    return f"row {at} of block {block}" if np.isnan(first) else f"row {int(first) + at}"
