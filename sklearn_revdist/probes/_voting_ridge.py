"""VotingRidge: the mean prediction of several ridges, with its uncertainty."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..utils._compat import Interval, validate_parameter_constraints
from ._uncertainty import weighted_quantile


class VotingRidge(VotingRegressor):
    """Mean prediction of several ridge regressions, with standard deviations and intervals.

    Each regression shrinks its predictions by as much as it is uncertain, so that one which knows
    little, such as one-hot encoding of positions that were not measured, changes the order of the
    others little. Beside one regression on all columns, one on few of them keeps these from being
    drowned.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Names and regressions: :class:`GroupRidgeCV`, :class:`PrefixRidgeCV`, or pipelines that end
        in one.
    weights : array-like of shape (n_estimators,), default=None
        Weights of the predictions; None weighs them alike.
    n_jobs : int, default=None
        Number of regressions fitted at a time.
    verbose : bool, default=False
        Whether to print the time that each took.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted regressions.
    named_estimators_ : Bunch
        The same by name.
    noise_std_ : float
        Standard deviation of the noise, from the residuals of left-out rows.
    n_features_in_ : int
        Number of columns, if the regressions have it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if the regressions have them.

    See Also
    --------
    GroupRidgeCV : One regression, with a penalty for each group of columns.

    Notes
    -----
    The residual of a left-out row is the mean of those of the regressions, exactly for given
    penalties. Its standard deviation is taken to be proportional to that of the first regression,
    so this should be the one on all columns: one on few of them does not notice that a row is
    unlike the training in the others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import GroupRidgeCV, VotingRidge
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> y = X @ [1, 2, 3] + rng.normal(size=100)
    >>> model = VotingRidge([("one", GroupRidgeCV()), ("other", GroupRidgeCV())]).fit(X, y)
    >>> predicted, std = model.predict([[1, 1, 1]], return_std=True)
    >>> predicted.round(), std.round()
    (array([6.]), array([1.]))
    """

    def fit(self, X: Any, y: ArrayLike, **fit_params: Any) -> Self:
        """Fit the regressions.

        Parameters
        ----------
        X : array-like
            Whatever the regressions take: rows, or sequences for pipelines that embed them.
        y : array-like of shape (n_samples,)
            Targets.
        **fit_params : dict
            Arguments for the regressions, such as `sample_weight`.

        Returns
        -------
        self : VotingRidge
            The fitted estimator.

        Raises
        ------
        TypeError
            If an estimator has no standard deviations.
        """
        for name, estimator in self.estimators:
            if not isinstance(estimator, str) and not hasattr(
                _ridge(estimator), "predict_interval"
            ):
                raise TypeError(
                    f"estimators has {name!r} of type {type(_ridge(estimator)).__name__}, which "
                    "has no standard deviations; give GroupRidgeCV, PrefixRidgeCV, or pipelines "
                    "that end in one."
                )
        super().fit(X, y, **fit_params)
        known = [_ridge(estimator)._uncertainty for estimator in self.estimators_]
        left_out = np.column_stack([each.left_out[:, 0] for each in known])
        mean = np.average(left_out, axis=1, weights=self._weights_not_none)
        self._row_weights = known[0].weights
        self._errors = np.abs(mean) / known[0].spreads
        self.noise_std_ = float(np.sqrt(np.average(self._errors**2, weights=self._row_weights)))
        self._left_out_std = self.noise_std_ * known[0].spreads
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict, on request with the standard deviation of a new measurement.

        Parameters
        ----------
        X : array-like
            As for :meth:`fit`.
        return_std : bool, default=False
            Whether to return standard deviations.

        Returns
        -------
        predicted : ndarray of shape (n_samples,), float64
            Predictions.
        std : ndarray of shape (n_samples,), float64
            Standard deviations of new measurements, only with `return_std`.
        """
        if not return_std:
            return super().predict(X)
        check_is_fitted(self)
        first, *others = self.estimators_
        of_first, std = first.predict(X, return_std=True)
        each = np.column_stack([of_first, *(estimator.predict(X) for estimator in others)])
        predicted = np.average(each, axis=1, weights=self._weights_not_none)
        unit = _ridge(first).noise_std_
        return predicted, std * (self.noise_std_ / unit if unit else 0.0)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> NDArray[np.float64]:
        """Predict intervals that contain new measurements with a given probability.

        Parameters
        ----------
        X : array-like
            As for :meth:`fit`.
        coverage : float, default=0.9
            Probability, between 0 and 1; infinite intervals above n / (n + 1) after a fit to n
            rows.

        Returns
        -------
        intervals : ndarray of shape (n_samples, 2), float64
            Lower and upper ends.
        """
        validate_parameter_constraints(
            {"coverage": [Interval(Real, 0, 1, closed="neither")]},
            {"coverage": coverage},
            caller_name=f"{type(self).__name__}.predict_interval",
        )
        predicted, std = self.predict(X, return_std=True)
        half = self._stds(coverage) * std
        return np.column_stack([predicted - half, predicted + half])

    def _stds(self, coverage):
        """Half the width of an interval, in standard deviations."""
        quantile = weighted_quantile(self._errors[:, np.newaxis], self._row_weights, coverage)
        return quantile[0] / self.noise_std_


def _ridge(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
