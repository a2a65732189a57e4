"""The solved chain as a map of rows: forwards level by level, and back.

Each level takes its own model's columns and the nested columns before them, so that no block of
zeros and no identity is multiplied. Rows are arrays, or tensors on CUDA.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._chain import Level
from ._tensors import at_default_settings, dtype_of, empty_like, like

# Rows are mapped this many at a time, so that it needs little memory.
_ROWS = 8192

# Largest share of a new column that rounding of its terms may be; beyond it they are summed in
# float64.
_ROUNDING = 1e-5


class LevelMap(NamedTuple):
    """What takes rows to one model's new columns.

    Attributes
    ----------
    from_own : ndarray of shape (width, n_new)
        From the model's centred columns.
    from_prefix : ndarray of shape (n_prefix, n_new)
        From the centred nested columns before, to be subtracted.
    from_all : ndarray of shape (n_columns, n_new)
        The same in one piece, from the centred columns of all models up to this one.
    amplification : float
        How many times larger the terms are than the new column that is their sum.
    """

    from_own: NDArray[np.float64]
    from_prefix: NDArray[np.float64]
    from_all: NDArray[np.float64]
    amplification: float


def assemble(
    dims: Sequence[int], levels: Sequence[Level]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The whole map and its inverse from the levels of a chain.

    Parameters
    ----------
    dims : sequence of int
        Widths of the models.
    levels : sequence of Level
        Those of the models after the first.

    Returns
    -------
    lengths : ndarray of shape (n_models,)
        Number of nested columns up to and including each model.
    components : ndarray of shape (lengths[-1], sum(dims))
        Centred columns to nested ones; block lower triangular, its first block the identity.
    reconstruction : ndarray of shape (lengths[-1], sum(dims))
        Centred nested columns back to those of all models.
    """
    first, stops = dims[0], np.cumsum(dims)
    lengths = np.cumsum([first, *(len(level.components) for level in levels)])
    components = np.zeros((lengths[-1], stops[-1]))
    components[:first, :first] = np.eye(first)
    reconstruction = components.copy()
    for i, level in enumerate(levels):
        new, own = slice(lengths[i], lengths[i + 1]), slice(stops[i], stops[i + 1])
        components[new, : stops[i + 1]] = level.components
        reconstruction[: lengths[i], own] = level.coef
        # The residual's orthonormal basis is the map's own last block.
        reconstruction[new, own] = level.components[:, stops[i] :]
    return lengths, components, reconstruction


@at_default_settings
def nest(X: Any, mean: NDArray[np.float64], levels: Sequence[LevelMap], n_components: int) -> Any:
    """Nested columns of rows.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, n_features), float64 or float32
        The concatenated embeddings.
    mean : ndarray of shape (n_features,)
        Mean of the columns.
    levels : sequence of LevelMap
        Those of the models after the first.
    n_components : int
        Number of columns to return.

    Returns
    -------
    A : as X, of shape (n_samples, n_components)
        The first columns are those of X, bit for bit, and the others do not depend on how many
        are asked for.
    """
    first = len(mean) - sum(len(level.from_own) for level in levels)
    n_nested = n_columns = first
    steps = []
    for level in levels:
        if n_nested >= n_components:
            break
        before, own = n_nested, slice(n_columns, n_columns + len(level.from_own))
        n_nested, n_columns = before + level.from_own.shape[1], own.stop
        steps.append((slice(before, n_nested), _step(level, X, mean, first, own, before)))

    rounded_mean = like(mean[:n_columns], X)
    A = empty_like(X, len(X), n_components)
    A[:, :first] = X[:, : min(first, n_components)]
    for start in range(0, len(X) if steps else 0, _ROWS):
        rows = X[start : start + _ROWS, :n_columns]
        centred = rows - rounded_mean
        nested = empty_like(X, len(rows), n_nested)
        nested[:, :first] = centred[:, :first]
        for new, step in steps:
            nested[:, new] = step(rows, centred, nested)
        A[start : start + _ROWS, first:] = nested[:, first:n_components]
    return A


@at_default_settings
def reconstruct(
    A: Any,
    offset: NDArray[np.float64],
    reconstruction: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> Any:
    """Embeddings of all models from nested columns, or from the first of them.

    Parameters
    ----------
    A : ndarray or Tensor of shape (n_samples, n_components), float64 or float32
    offset : ndarray of shape (n_components,)
    reconstruction : ndarray of shape (n_components, n_features)
    mean : ndarray of shape (n_features,)

    Returns
    -------
    H : as A, of shape (n_samples, n_features)
    """
    H = empty_like(A, len(A), len(mean))
    offset, reconstruction, mean = (
        like(values, A, exact=True) for values in (offset, reconstruction, mean)
    )
    for start in range(0, len(A), _ROWS):
        rows = slice(start, start + _ROWS)
        H[rows] = (A[rows] - offset) @ reconstruction + mean
    return H


def _step(level, X, mean, first, own, before):
    """The function that gives a level's new columns, from rows, centred rows and nested ones."""
    dtype = dtype_of(X)
    if np.finfo(dtype).eps * level.amplification > _ROUNDING:
        exact_mean = like(mean[: own.stop], X, exact=True)
        from_all = like(level.from_all, X, exact=True)
        return lambda rows, centred, nested: (rows[:, : own.stop] - exact_mean) @ from_all

    from_own, from_prefix = like(level.from_own, X), like(level.from_prefix, X)
    # What the mean loses in this precision is the same in all rows: it is put right at the end.
    lost = mean.astype(dtype) - mean
    shift = like(lost[own] @ level.from_own - lost[:first] @ level.from_prefix[:first], X)

    def step(rows, centred, nested):
        columns = centred[:, own] @ from_own
        columns -= nested[:, :before] @ from_prefix
        columns += shift
        return columns

    return step
