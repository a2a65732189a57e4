"""Moments: all that a linear chain needs to know of its data, in one mergeable object.

Total weight, mean and centred second moment determine every least-squares regression and
every principal direction. They add up over batches, files and machines, so fitting at once,
in pieces and apart are the same algorithm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A block of this many numbers (32 MB in float64) keeps the product in cache-friendly sizes
# and bounds the memory of a pass over any number of rows.
_BLOCK_SIZE = 2**22


@dataclass(frozen=True, eq=False)
class Moments:
    """Weight, mean and centred second moment of weighted rows.

    Attributes
    ----------
    weight : float
        Sum of the row weights; the number of rows where there are none.
    mean : ndarray of shape (n_features,), float64
        Weighted mean of each column.
    scatter : ndarray of shape (n_features, n_features), float64
        Weighted sum of the outer products of the centred rows, exactly symmetric.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque (1983), "Algorithms for Computing the Sample
    Variance: Analysis and Recommendations", The American Statistician 37:242.
    """

    weight: float
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def of(cls, X: ArrayLike, sample_weight: ArrayLike | None = None) -> "Moments":
        """Moments of the rows of a matrix, in one pass and bounded memory.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers of any real dtype; sums are taken in float64.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; an integer weight counts a row that many times.

        Returns
        -------
        moments : Moments
        """
        X = np.asarray(X)
        n_samples, n_features = X.shape
        step = max(256, _BLOCK_SIZE // n_features)
        moments = cls.zeros(n_features)
        for start in range(0, n_samples, step):
            rows = slice(start, start + step)
            weights = None if sample_weight is None else np.asarray(sample_weight)[rows]
            # One memory layout, so that the same rows give the same bits.
            moments += cls._of_block(X[rows].astype(np.float64, order="C"), weights)
        return moments

    @classmethod
    def zeros(cls, n_features: int) -> "Moments":
        """Moments of no rows: the neutral element of addition."""
        return cls(0.0, np.zeros(n_features), np.zeros((n_features, n_features)))

    @classmethod
    def _of_block(cls, block, weights):
        """Moments of one block of float64 rows, which is overwritten."""
        if weights is None:
            weight = float(len(block))
        else:
            weights = weights.astype(np.float64)
            weight = float(weights.sum())
            if weight == 0.0:
                return cls.zeros(block.shape[1])
        mean = np.average(block, axis=0, weights=weights)
        block -= mean
        # The rounding of a mean that is thousands of sigma large is itself a shift.
        shift = np.average(block, axis=0, weights=weights)
        block -= shift
        if weights is not None:
            block *= np.sqrt(weights)[:, np.newaxis]
        return cls(weight, mean + shift, block.T @ block)

    def __add__(self, other: "Moments") -> "Moments":
        """Moments of the rows of both (Chan, Golub and LeVeque, 1983)."""
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
        weight = self.weight + other.weight
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.weight / weight)
        scatter = self.scatter + other.scatter
        delta *= np.sqrt(self.weight * other.weight / weight)
        scatter += np.outer(delta, delta)
        return Moments(weight, mean, scatter)

    def leading(self, n_features: int) -> "Moments":
        """Moments of the first `n_features` columns alone."""
        return Moments(
            self.weight,
            self.mean[:n_features].copy(),
            np.ascontiguousarray(self.scatter[:n_features, :n_features]),
        )

    def scale(self) -> NDArray[np.float64]:
        """Root of the scatter's diagonal, exactly zero for columns that are constant.

        A column counts as constant where its spread is that of the rounding of its mean.
        """
        spread = np.sqrt(np.diag(self.scatter))
        rounding = 16 * np.finfo(np.float64).eps * np.abs(self.mean) * np.sqrt(self.weight)
        return np.where(spread > rounding, spread, 0.0)
