"""UncertainRidge: predictions of a ridge with their standard deviations and intervals."""

from collections.abc import Callable
from numbers import Real
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..utils._compat import Interval, validate_parameter_constraints
from ._uncertainty import Uncertainty


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
