"""Uncertainty: how far new measurements lie from the predictions of a ridge.

With L L' = X'WX + alpha I of the centred training rows, their total weight n and the leverage
h_i = 1 / n + |L^-1 x_i|^2 of one row, a new measurement at x has the standard deviation

    sigma s(x)        s(x)^2 = 1 + 1 / n + |L^-1 x|^2

where sigma is that of the noise [1]_. For the ridge without row i, the row is new: its residual is
r_i / (1 - h_i), and s(x_i)^2 is 1 / (1 - h_i) [2]_. So the errors that left-out rows have, in units
of s, are r_i / (1 - h_i)^(1/2). Their mean square is an estimate of sigma^2, and their quantiles
give intervals that do not assume a normal distribution [3]_, both without refitting.

References
----------
.. [1] Rasmussen, C. E. and Williams, C. K. I. (2006). Gaussian Processes for Machine Learning. MIT
   Press, section 2.1.
.. [2] Cook, R. D. and Weisberg, S. (1982). Residuals and Influence in Regression. Chapman and Hall,
   section 2.2.
.. [3] Vovk, V., Gammerman, A. and Shafer, G. (2005). Algorithmic Learning in a Random World.
   Springer, section 2.3.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from ._prefix_ridge import Training, factors

_EPS = np.finfo(np.float64).eps
# Whitened rows are made in batches of at most this many numbers (16 MB).
_BATCH_SIZE = 2**21


class Uncertainty(NamedTuple):
    """What a ridge knows of its errors.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        Centre and scale of the columns.
    weight : float
        Total weight of the training rows.
    whiten : callable
        From centred and scaled rows x to rows L^-1 x. It holds the triangle of L, n_features^2 / 2
        numbers, or of few rows 2 n_rows n_features.
    left_out : ndarray of shape (n_rows, n_targets)
        Residuals of left-out rows.
    spreads : ndarray of shape (n_rows,)
        Their standard deviations, in units of the noise.
    weights : ndarray of shape (n_rows,)
        Weights of these rows.
    """

    mean: NDArray
    scale: NDArray
    weight: float
    whiten: Callable[[NDArray], NDArray]
    left_out: NDArray
    spreads: NDArray
    weights: NDArray

    @classmethod
    def of(cls, X, Y, sample_weight, *, alpha, scale):
        """Compute the errors of left-out rows.

        Of a row of weight w, one of w equal rows is left out; with a weight below 1, the whole row.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features), float64
            Training rows.
        Y : ndarray of shape (n_rows, n_targets), float64
            Their targets.
        sample_weight : ndarray of shape (n_rows,) or None
            Their weights.
        alpha : float
            Penalty.
        scale : bool or ndarray of shape (n_features,)
            Whether the penalty is for columns of unit variance, or the unit of each column.
        """
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        used = weights > 0
        X, Y, weights = X[used], Y[used], weights[used]
        training = Training.of(X, Y, weights, scale)
        factor = next(factors(training, [alpha], "auto"))
        whitened = factor.whiten(training.prepare(X))
        residuals = Y - training.target_mean - whitened @ factor.z
        weight = training.moments.weight
        leverage = 1 / weight + np.einsum("ij,ij->i", whitened, whitened)
        # If a row alone determines its prediction, rounding may make this negative.
        left = np.maximum(1 - np.minimum(weights, 1) * leverage, _EPS)
        squares = 1 / left
        constant = np.median(X[:3], axis=0)  # at least two of these, if one row differs
        differs = constant != X
        rows, columns = np.nonzero(differs & (differs.sum(axis=0) == 1))
        own = ((X[rows, columns] - constant[columns]) / training.scale[columns]) ** 2 / alpha
        np.subtract.at(squares, rows, np.where(weights[rows] <= 1, own, 0))
        spreads = np.sqrt(np.maximum(squares, 1))
        left_out = residuals / left[:, np.newaxis]
        scale = np.where(differs.any(axis=0), training.scale, np.inf)
        return cls(training.mean, scale, weight, factor.whiten, left_out, spreads, weights)

    @property
    def errors(self):
        """Size of the errors of left-out rows, in units of their spread."""
        return np.abs(self.left_out) / self.spreads[:, np.newaxis]

    def noise(self):
        """Estimate the standard deviation of the noise of each target."""
        return np.sqrt(np.average(self.errors**2, axis=0, weights=self.weights))

    def spread(self, X):
        """Compute the standard deviation of new measurements at rows, in units of the noise."""
        squares = np.empty(len(X))
        for rows in gen_batches(len(X), _BATCH_SIZE // X.shape[1] + 1):
            whitened = self.whiten(np.asfortranarray((X[rows] - self.mean) / self.scale))
            squares[rows] = np.einsum("ij,ij->i", whitened, whitened)
        return np.sqrt(1 + 1 / self.weight + squares)

    def quantile(self, coverage):
        """Return the error of each target that a new row exceeds with probability 1 - coverage."""
        return weighted_quantile(self.errors, self.weights, coverage)


def weighted_quantile(errors, weights, coverage):
    """Return the error that a new row exceeds with probability 1 - coverage.

    Parameters
    ----------
    errors : ndarray of shape (n_rows, n_targets)
        Sizes of the errors of left-out rows.
    weights : ndarray of shape (n_rows,)
        Their weights.
    coverage : float

    Returns
    -------
    quantile : ndarray of shape (n_targets,)
        The smallest error below or at which, with the new row counted as infinite, a share
        `coverage` of the weight is; infinite if there is none.
    """
    order = errors.argsort(axis=0)
    ascending = np.take_along_axis(errors, order, axis=0)
    counted = weights[order].cumsum(axis=0)
    needed = coverage * (weights.sum() + 1) * (1 - 1e-12)  # no row more by rounding
    place = np.sum(counted < needed, axis=0)
    ascending = np.vstack([ascending, np.full_like(ascending[:1], np.inf)])
    return np.take_along_axis(ascending, place[np.newaxis], axis=0)[0]
