"""Moments: all that a linear chain needs to know about its data, in one mergeable object.

Total weight, mean and centred second moment determine every least-squares regression and
every principal direction. They add up over batches, files and machines, so that fitting all rows
at once, in batches or on several machines is the same algorithm.
"""

from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import blas

from ..utils._compat import Interval, validate_params
from ._dask import as_blocks, is_dask, sum_of_blocks
from ._finite import check_finite
from ._torch import on_cuda, sums_on_device

# A block of at most this many numbers (16 MB in float64) bounds the memory of a pass over any
# number of rows and is large enough for the matrix product to run at full speed. For few columns
# 1 MB is enough, and is still in the cache when it is multiplied.
_BLOCK_SIZE = 2**21
_CACHED_SIZE = 2**17

# The mean of this many rows is near enough to that of all rows to measure distances from it.
_FIRST_ROWS = 16

# A matrix is made symmetric in squares of this many columns, without a copy of it.
_SQUARE = 512


@dataclass(frozen=True, eq=False)
class Moments:
    """Weight, mean and centred second moment of weighted rows.

    The second moment of no more rows than columns is kept as a `root`, whose Gram matrix it is,
    so that no matrix of shape (n_features, n_features) is made; that of more rows as the matrix
    itself, the `scatter`.

    Parameters
    ----------
    weight : float
        Sum of the row weights; the number of rows where there are none.
    mean : ndarray of shape (n_features,), float64
        Weighted mean of each column.
    root : ndarray of shape (n_rows, n_features), float64, default=None
        Centred rows times the square roots of their weights; ``root.T @ root`` is the scatter.
    scatter : ndarray of shape (n_features, n_features), float64, default=None
        Weighted sum of the outer products of the centred rows, exactly symmetric.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque (1983), "Algorithms for Computing the Sample
    Variance: Analysis and Recommendations", The American Statistician 37:242.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import Moments
    >>> X = np.arange(12.0).reshape(6, 2)
    >>> merged = Moments.of(X[:4]) + Moments.of(X[4:])
    >>> np.allclose(merged.scatter, Moments.of(X).scatter)
    True
    """

    weight: float
    mean: NDArray[np.float64]
    root: NDArray[np.float64] | None = None
    scatter: NDArray[np.float64] | None = None

    def __post_init__(self):
        """Refuse sums that have overflowed."""
        if (self.root is None) == (self.scatter is None):
            raise ValueError("Moments have a root or a scatter, not both; use Moments.of.")
        if self.root is not None:
            with np.errstate(over="ignore"):
                squares = np.einsum("ij,ij->j", self.root, self.root)
        else:
            squares = square(self).diagonal()
        overflowed = np.flatnonzero(~np.isfinite(squares))
        if overflowed.size:
            raise ValueError(
                f"Numbers of column {overflowed[0]} (counting from 0) are too large to be squared "
                "in float64; drop these rows, or scale the columns."
            )

    @classmethod
    def of(cls, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Compute the moments of the rows of a matrix, in one pass and bounded memory.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers of any real dtype; sums are taken in float64: of a torch tensor on its
            device, of the blocks of a dask array on its workers.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; an integer weight counts a row that many times.

        Returns
        -------
        moments : Moments

        Raises
        ------
        ValueError
            If `X` is not a matrix of finite numbers, or `sample_weight` does not fit its rows.
        """
        if is_dask(X):
            return sum_of_blocks(cls.of, as_blocks(X, cls.__name__), sample_weight)
        if on_cuda(X):
            weights = check_weights(sample_weight, len(X))
            weight, mean, scatter = sums_on_device(X, weights)
            return cls(weight, mean, scatter=scatter)
        X = _matrix(X)
        weights = check_weights(sample_weight, len(X))
        try:
            with np.errstate(invalid="ignore"):
                return cls._summed(X, weights)
        except ValueError:  # of sums, which are sooner checked than rows
            check_finite(X)
            raise

    @classmethod
    def _summed(cls, X: NDArray[Any], weights: NDArray[np.float64] | None) -> Self:
        n_samples, n_features = X.shape
        if n_samples == 0:
            return cls.zeros(n_features)
        # Distances are measured from here; a copy, so that the layout of X changes no bit.
        mean = X[:_FIRST_ROWS].astype(np.float64, order="C").mean(axis=0)
        if n_samples <= n_features:
            weight, delta, root = _measured(X, weights, mean, np.empty(X.shape))
            if weight == 0.0:
                return cls.zeros(n_features)
            root -= delta
            return cls(weight, mean + delta, root=_weighted(root, weights))
        n_rows = min(n_samples, _block_rows(n_features))
        weight = 0.0
        # Only the upper triangle is summed; columns first, as BLAS keeps its matrices.
        scatter = np.zeros((n_features, n_features), order="F")
        buffer = np.empty((n_rows, n_features))
        for start in range(0, n_samples, n_rows):
            rows = slice(start, start + n_rows)
            block_weights = None if weights is None else weights[rows]
            block_weight, delta, block = _measured(X[rows], block_weights, mean, buffer)
            if block_weight == 0.0:
                continue
            total = weight + block_weight
            between = weight * block_weight / total
            if block_weight > weight:
                block -= delta
            else:
                # Another pass over the block is saved: about the mean of no fewer rows, its second
                # moment is too large by no more than the distance of the means adds.
                between -= block_weight
            block = _weighted(block, block_weights)
            scatter = blas.dsyrk(1.0, block.T, 1.0, scatter, overwrite_c=1)
            scatter = blas.dsyr(between, delta, a=scatter, overwrite_a=1)
            weight, mean = total, mean + delta * (block_weight / total)
        return cls(weight, mean, scatter=_symmetric(scatter))

    @classmethod
    @validate_params({"n_features": [Interval(Integral, 0, None, closed="left")]})
    def zeros(cls, n_features: int) -> Self:
        """Return the moments of no rows, the neutral element of addition.

        Parameters
        ----------
        n_features : int
            Number of columns.

        Returns
        -------
        moments : Moments
            Of weight 0.
        """
        return cls(0.0, np.zeros(n_features), root=np.zeros((0, n_features)))

    def __add__(self, other: Self) -> Self:
        """Return the moments of the rows of both (Chan, Golub and LeVeque, 1983)."""
        if not isinstance(other, Moments):
            return NotImplemented
        if other.mean.shape != self.mean.shape:
            raise ValueError(
                f"Moments of {self.mean.size} columns and of {other.mean.size} columns cannot be "
                "added; give both the same columns."
            )
        if other.weight == 0.0:
            return self
        if self.weight == 0.0:
            return other
        delta = other.mean - self.mean
        weight = self.weight + other.weight
        mean = self.mean + delta * (other.weight / weight)
        # The row that the distance of the means adds to the root.
        shift = delta * np.sqrt(self.weight * other.weight / weight)
        if self.root is not None and other.root is not None:
            root = np.vstack([self.root, other.root, shift])
            if len(root) <= mean.size:
                return type(self)(weight, mean, root=root)
        scatter = square(self) + square(other)
        scatter += np.outer(shift, shift)
        return type(self)(weight, mean, scatter=scatter)

    @validate_params({"n_features": [Interval(Integral, 1, None, closed="left")]})
    def leading(self, n_features: int) -> Self:
        """Return the moments of the first columns alone.

        Parameters
        ----------
        n_features : int
            Number of columns.

        Returns
        -------
        moments : Moments
            The same, bit for bit, as if there were no other columns.
        """
        if n_features > self.mean.size:
            raise ValueError(
                f"n_features={n_features} is more than the {self.mean.size} there are."
            )
        return select_columns(self, slice(n_features))

    def scale(self) -> NDArray[np.float64]:
        """Return the square root of the scatter's diagonal, exactly zero for constant columns.

        A column is constant if its spread is no larger than the rounding error of its mean.

        Returns
        -------
        scale : ndarray of shape (n_features,), float64
            In the unit of the columns, times the square root of the weight.
        """
        if self.root is not None:
            spread = np.linalg.norm(self.root, axis=0)
        else:
            spread = np.sqrt(np.diag(square(self)).clip(0))
        rounding = 16 * np.finfo(np.float64).eps * np.abs(self.mean) * np.sqrt(self.weight)
        return np.where(spread > rounding, spread, 0.0)


def square(moments: Moments) -> NDArray[np.float64]:
    """Scatter of moments, also if they have a root."""
    if moments.root is not None:
        return moments.root.T @ moments.root
    return moments.scatter  # type: ignore[return-value]  # one of the two is there


def select_columns(moments: Moments, columns: slice | NDArray[np.integer]) -> Any:
    """Moments of some columns alone; the same, bit for bit, as if there were no others."""
    mean = moments.mean[columns].copy()
    if moments.root is not None:
        return type(moments)(moments.weight, mean, root=moments.root[:, columns].copy(order="K"))
    scatter = np.ascontiguousarray(square(moments)[:, columns][columns])
    return type(moments)(moments.weight, mean, scatter=scatter)


def check_moments(moments: Any) -> None:
    """Refuse anything but Moments."""
    if not isinstance(moments, Moments):
        raise TypeError(
            f"moments must be Moments, but it is of type {type(moments).__name__}; make them with "
            "Moments.of."
        )


def check_weights(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float64] | None:
    """Check weights and return them as an array, or None if there are none."""
    if sample_weight is None:
        return None
    weights = _as_array(sample_weight)
    fits = weights.shape == (n_samples,) and weights.dtype.kind in "fiub"
    if not fits or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            f"sample_weight must be {n_samples} finite numbers, none below 0; give one per row."
        )
    return weights.astype(np.float64, copy=False)


def _matrix(X):
    """Check that X is a matrix of real numbers and return it as an array."""
    X = _as_array(X)
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        raise ValueError(
            f"X must be a matrix of real numbers, but it has the shape {X.shape} and the type "
            f"{X.dtype}; give one row per embedding."
        )
    return X


def _as_array(values):
    """Values as an array; of floats if its objects are numbers, as in columns with gaps."""
    values = np.asarray(values)
    if values.dtype.kind == "O":
        with suppress(TypeError, ValueError):
            return values.astype(np.float64)
    return values


def _block_rows(n_features):
    """Rows of a block: twice as tall as wide, within the bounds of memory."""
    least = max(256, _CACHED_SIZE // n_features)
    return max(256, min(max(2 * n_features, least), _BLOCK_SIZE // n_features))


def _measured(X, weights, near, out):
    """Weight of rows, and their mean and the rows themselves as measured from a point `near` it.

    The rows are written to the first rows of `out`. Measuring from a point near the mean keeps all
    digits of rows whose mean is thousands of standard deviations large.
    """
    rows = np.subtract(X, near, out=out[: len(X)])
    weight = float(len(rows) if weights is None else weights.sum())
    if weight == 0.0:
        return 0.0, np.zeros_like(near), rows[:0]
    # SciPy's BLAS as for the scatter: the threads of NumPy's would slow it down.
    delta = blas.dgemv(1 / weight, rows.T, np.ones(len(rows)) if weights is None else weights)
    return weight, delta, rows


def _weighted(rows, weights):
    """Multiply rows by the square roots of their weights, in place."""
    if weights is not None:
        rows *= np.sqrt(weights)[:, np.newaxis]
    return rows


def _symmetric(upper):
    """Copy the upper triangle of a matrix to the lower one, which is zero, in place."""
    size = len(upper)
    for start in range(0, size, _SQUARE):
        rows = slice(start, start + _SQUARE)
        corner = upper[rows, rows]
        corner += np.triu(corner, 1).T
        upper[start + _SQUARE :, rows] = upper[rows, start + _SQUARE :].T
    return upper.T
