"""Uncertainty: how far new measurements lie from the predictions of a ridge.

With L L' = X'WX + alpha I of the centred training rows and their total weight n, let q(x) =
|L^-1 x|^2. If coefficients have the prior variances that the penalty implies, a new measurement at
x has the standard deviation sigma s(x), where sigma is that of the noise [1]_:

    s(x)^2 = 1 + 1 / n + q(x)

What the noise is, and how far the errors follow s, is seen in the training rows, each left out in
turn without refitting: with the leverage h_i = 1 / n + q(x_i), the residual is r_i / (1 - h_i), and
s^2 is 1 / (1 - h_i) [2]_. Three things are read from them:

- a share tau of q that belongs in s^2 = 1 + 1 / n + tau q: 1, unless the left-out residuals refute
  it (likelihood-ratio test, 5 %), and then the largest that they do not. With columns of unit
  variance, rows with a rare feature, as in a one-hot encoding, have a huge q but no larger errors;
- sigma^2, the mean square of the left-out residuals in units of s;
- quantiles of their absolute values, for intervals that assume no distribution [3]_.

A column that only one row makes vary has no coefficient when that row is left out, and counts
neither in its s nor, if it does not vary at all, in that of new rows: so they are alike, whether or
not an encoder drops features that it has not seen.

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
from numbers import Real
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import gen_batches

from ..utils._compat import Interval, validate_parameter_constraints
from ._prefix_ridge import Training, factors

_EPS = np.finfo(np.float64).eps
_SHARES = (*np.logspace(0, -4, 17), 0.0)
_REFUTED = 3.84  # difference of deviances that chance exceeds in 5 % of cases
# Whitened rows are made in batches of about this many numbers (16 MB).
_BATCH_SIZE = 2**21


class Uncertainty(NamedTuple):
    """What a ridge knows of its errors.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        Centre and scale of the columns; the scale of constant columns is infinite.
    whiten : callable
        From centred and scaled rows x to rows L^-1 x. It holds the triangle of L, n_features^2 / 2
        numbers, or for few rows about 2 n_rows n_features.
    share : ndarray of shape (n_targets,)
        The share tau.
    noise : ndarray of shape (n_targets,)
        The standard deviation sigma.
    left_out : ndarray of shape (n_rows, n_targets)
        Left-out residuals.
    spreads : ndarray of shape (n_rows, n_targets)
        The s of left-out rows.
    weights : ndarray of shape (n_rows,)
        Weights of these rows.
    """

    mean: NDArray
    scale: NDArray
    whiten: Callable[[NDArray], NDArray]
    share: NDArray
    noise: NDArray
    left_out: NDArray
    spreads: NDArray
    weights: NDArray

    @classmethod
    def of(cls, X, Y, sample_weight, *, alpha, scale):
        """Leave out each row, and find how its error depends on s.

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
        weights = np.ones(len(X))
        if sample_weight is not None:
            used = sample_weight > 0
            X, Y, weights = X[used], Y[used], sample_weight[used]
        training = Training.of(X, Y, weights, scale)
        factor = next(factors(training, [alpha], "auto"))
        q, residuals = np.empty(len(X)), Y - training.target_mean
        for rows, whitened in _whitened(X, training.mean, training.scale, factor.whiten):
            q[rows] = _squares(whitened)
            residuals[rows] -= whitened @ factor.z
        total, removed = weights.sum(), np.minimum(weights, 1)
        leverage = 1 / total + q
        # If a row alone determines its prediction, rounding may make these negative.
        kept = np.maximum(1 - removed * leverage, _EPS)
        of_mean = 1 / np.maximum(total - removed, _EPS)
        own, varies = _own_columns(X, training.scale * np.sqrt(alpha))
        of_coef = np.maximum(leverage / kept - of_mean - np.where(weights <= 1, own, 0), 0)
        left_out = residuals / kept[:, np.newaxis]
        share = _share(left_out, 1 + of_mean, of_coef, weights)
        spreads = np.sqrt(1 + of_mean[:, np.newaxis] + np.outer(of_coef, share))
        noise = np.sqrt(np.average((left_out / spreads) ** 2, axis=0, weights=weights))
        scale = np.where(varies, training.scale, np.inf)
        return cls(training.mean, scale, factor.whiten, share, noise, left_out, spreads, weights)

    @property
    def errors(self):
        """Absolute left-out residuals in units of s."""
        return np.abs(self.left_out) / self.spreads

    def spread(self, X):
        """Compute s of rows, for each target."""
        q = np.empty(len(X))
        for rows, whitened in _whitened(X, self.mean, self.scale, self.whiten):
            q[rows] = _squares(whitened)
        return np.sqrt(1 + 1 / self.weights.sum() + np.outer(q, self.share))

    def quantile(self, coverage):
        """Return the error, in units of s, that a new row exceeds with probability 1 - coverage."""
        return weighted_quantile(self.errors, self.weights, coverage)


class UncertainRidge:
    """Mixin of ridge regressions; `_rows` checks rows and returns the columns that predict."""

    coef_: NDArray[np.float64]
    intercept_: float | NDArray[np.float64]
    _rows: Callable[[ArrayLike], NDArray]
    _uncertainty: Uncertainty

    def _set_uncertainty(self, X, Y, sample_weight, *, alpha, scale):
        """Keep what standard deviations and intervals need; parameters as for Uncertainty.of."""
        found = Uncertainty.of(X, Y, sample_weight, alpha=alpha, scale=scale)
        self._uncertainty, self.noise_std_, self.posterior_share_ = found, found.noise, found.share
        if self.coef_.ndim == 1:
            self.noise_std_, self.posterior_share_ = float(found.noise[0]), float(found.share[0])

    def _linear(self, rows: NDArray) -> NDArray[np.float64]:
        return rows @ self.coef_[..., : rows.shape[1]].T + self.intercept_

    def _spread(self, rows: NDArray, unit: NDArray) -> NDArray[np.float64]:
        """Spread of new measurements, in the unit of each target."""
        spread = self._uncertainty.spread(rows) * unit
        return spread[:, 0] if self.coef_.ndim == 1 else spread

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> NDArray[np.float64]: ...

    @overload
    def predict(
        self, X: ArrayLike, return_std: Literal[True]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

    def predict(self, X, return_std=False):
        """Predict, on request with the standard deviation of a new measurement.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns of the fit.

        return_std : bool, default=False
            Whether to return standard deviations. The `predict` of a pipeline hands it on; with
            metadata routing, after ``set_predict_request(return_std=True)``.

        Returns
        -------
        predicted : ndarray of shape (n_samples,) or (n_samples, n_targets), float64
            Predictions.

        std : ndarray of the same shape, float64
            Standard deviations of new measurements, noise included; only with `return_std`.

        Notes
        -----
        With centred training rows X of total weight n, the penalties D on the columns' units,
        A = X'WX + D, and a centred row x, the variance is::

            noise_std_**2 * (1 + 1 / n + posterior_share_ * x' A^-1 x)

        With a share of 1 it is that of a Gaussian process with a linear kernel, or of
        :class:`sklearn.linear_model.BayesianRidge`, with these penalties, this noise and a flat
        prior of the intercept [1]_. Both numbers are estimated from the training rows, each left
        out in turn without refitting. The noise is such that errors of left-out rows, in units of
        their own standard deviations, have a mean square of 1; those of fitted rows would be too
        small. The share is 1 unless these errors refute it (likelihood-ratio test at 5 %), and then
        the largest that they do not: penalties may allow rare features, such as those of a one-hot
        encoding, far larger effects than they have. A column that is constant in the training rows
        has no say, nor in the error of a row that alone makes it vary. A row of weight 2 counts as
        two measurements.

        The estimator keeps what this takes: half of a square matrix of the columns (of the prefix),
        6.6 MB for 1,280 columns, or for fewer rows than a quarter of the columns about twice
        the training rows.

        References
        ----------
        .. [1] Rasmussen, C. E. and Williams, C. K. I. (2006). Gaussian Processes for Machine
           Learning. MIT Press, section 2.1.
        """
        self._check("predict", "return_std", return_std, "boolean")
        rows = self._rows(X)
        predicted = self._linear(rows)
        return (predicted, self._spread(rows, self.noise_std_)) if return_std else predicted

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> NDArray[np.float64]:
        """Predict intervals that contain new measurements with a given probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns of the fit.

        coverage : float, default=0.9
            The probability, above 0 and below 1. Intervals are infinite if it is above
            n / (n + 1), where n is the number of training rows: 90 % takes nine.

        Returns
        -------
        intervals : ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2), float64
            Lower and upper ends, equally far from the prediction.

        Notes
        -----
        These are jackknife conformal intervals: the half-width is the standard deviation of
        `predict`, times the factor that makes intervals of left-out training rows contain as large
        a share of them as `coverage`, with the new row counted as one outside [1]_. They assume no
        distribution, but that new rows are drawn as the training rows were, that leaving out a row
        changes the fit little, and that penalties do not follow single rows; there is no guarantee
        for a given number of rows. Jackknife+ has one, of 80 % for a coverage of 90 % [2]_, at the
        price of a fit for each row. The probability is a mean over rows, not that at each `X`, and
        does not hold for rows of another kind, such as mutations at positions without measurements.

        Penalties and prefixes are chosen by the same left-out rows, whose errors are therefore a
        little too small. On 60 random rows of 200 columns, intervals of 90 % contained 83 % of new
        rows after a choice of four penalties or of the prefix, and 90 % after that of one penalty;
        on 120 rows 89 % and 90 %.

        References
        ----------
        .. [1] Vovk, V., Gammerman, A. and Shafer, G. (2005). Algorithmic Learning in a Random
           World. Springer, section 2.3.

        .. [2] Barber, R. F., Candes, E. J., Ramdas, A. and Tibshirani, R. J. (2021). Predictive
           inference with the jackknife+. Annals of Statistics 49(1), 486-507.
        """
        bounds = Interval(Real, 0, 1, closed="neither")
        self._check("predict_interval", "coverage", coverage, bounds)
        rows = self._rows(X)
        predicted = self._linear(rows)
        half = self._spread(rows, self._uncertainty.quantile(coverage))
        return np.stack([predicted - half, predicted + half], axis=-1)

    def _check(self, method, name, value, constraint):
        caller = f"{type(self).__name__}.{method}"
        validate_parameter_constraints({name: [constraint]}, {name: value}, caller)


def weighted_quantile(errors, weights, coverage):
    """Return the error that a new row exceeds with probability 1 - coverage.

    Parameters
    ----------
    errors : ndarray of shape (n_rows, n_targets)
        Absolute left-out residuals in units of s.
    weights : ndarray of shape (n_rows,)
    coverage : float

    Returns
    -------
    quantile : ndarray of shape (n_targets,)
        The smallest error such that a share `coverage` of the weight, including that of the new
        row, has none larger; the error of the new row counts as infinite.
    """
    order = errors.argsort(axis=0)
    ascending = np.take_along_axis(errors, order, axis=0)
    ascending = np.vstack([ascending, np.full_like(ascending[:1], np.inf)])
    counted = weights[order].cumsum(axis=0)
    needed = coverage * (weights.sum() + 1) * (1 - 1e-12)  # no row more by rounding
    place = np.sum(counted < needed, axis=0)
    return np.take_along_axis(ascending, place[np.newaxis], axis=0)[0]


def _whitened(X, mean, scale, whiten):
    """Yield slices of rows, and these rows whitened."""
    for rows in gen_batches(len(X), _BATCH_SIZE // X.shape[1] + 1):
        yield rows, whiten(np.asfortranarray((X[rows] - mean) / scale))


def _squares(rows):
    return np.einsum("ij,ij->i", rows, rows)


def _share(residuals, certain, of_coef, weights):
    """Largest share, for each target, of `of_coef` in s^2 that residuals do not refute."""
    deviances = []
    for share in _SHARES:
        squares = (certain + share * of_coef)[:, np.newaxis]
        variance = np.average(residuals**2 / squares, axis=0, weights=weights)
        of_noise = np.log(np.maximum(variance, np.finfo(np.float64).tiny))
        deviances.append(of_noise + np.average(np.log(squares), axis=0, weights=weights))
    worse = weights.sum() * (deviances - np.min(deviances, axis=0))
    return np.take(_SHARES, np.argmax(worse <= _REFUTED, axis=0))


def _own_columns(X, unit):
    """Squared steps of each row in columns that it alone makes vary, and which columns vary."""
    usual = np.median(X[:3], axis=0)  # at least two of three, if a single row differs
    differs = usual != X
    alone = differs.sum(axis=0) == 1
    steps = np.where(differs[:, alone], (X - usual)[:, alone] / unit[alone], 0)
    return _squares(steps), differs.any(axis=0)
