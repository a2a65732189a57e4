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
        self._uncertainty = Uncertainty.of(X, Y, sample_weight, alpha=alpha, scale=scale)
        noise = self._uncertainty.noise()
        self.noise_std_ = float(noise[0]) if self.coef_.ndim == 1 else noise

    def _linear(self, rows: NDArray) -> NDArray[np.float64]:
        return rows @ self.coef_[..., : rows.shape[1]].T + self.intercept_

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
            Rows.

        return_std : bool, default=False
            Whether to return standard deviations. In a pipeline pass it to the pipeline's
            `predict`, with metadata routing after ``set_predict_request(return_std=True)``.

        Returns
        -------
        predicted : ndarray of shape (n_samples,) or (n_samples, n_targets), float64
            Predictions.

        std : ndarray of the same shape, float64
            Standard deviations of new measurements, with `return_std` alone.
        """
        self._check("predict", return_std=(["boolean"], return_std))
        rows = self._rows(X)
        predicted = self._linear(rows)
        if not return_std:
            return predicted
        return predicted, self._of_targets(rows, self._uncertainty.noise())

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> NDArray[np.float64]:
        """Predict intervals that contain new measurements with a given probability.

        The half-width is the standard deviation of `predict` times a factor, which is such that the
        intervals of left-out training rows have this coverage, whatever the distribution.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        coverage : float, default=0.9
            Probability, between 0 and 1. A coverage above n / (n + 1) after a fit to n rows gives
            infinite intervals.

        Returns
        -------
        intervals : ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2), float64
            Lower and upper ends.
        """
        bounds = Interval(Real, 0, 1, closed="neither")
        self._check("predict_interval", coverage=([bounds], coverage))
        rows = self._rows(X)
        predicted = self._linear(rows)
        half = self._of_targets(rows, self._uncertainty.quantile(coverage))
        return np.stack([predicted - half, predicted + half], axis=-1)

    def _of_targets(self, rows, unit):
        """Spread of rows, in the unit of each target."""
        spread = self._uncertainty.spread(rows)
        return spread * unit[0] if self.coef_.ndim == 1 else np.outer(spread, unit)

    def _check(self, method, **parameters):
        for name, (constraints, value) in parameters.items():
            caller = f"{type(self).__name__}.{method}"
            validate_parameter_constraints({name: constraints}, {name: value}, caller)
