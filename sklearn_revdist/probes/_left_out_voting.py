"""LeftOutVotingRegressor: the mean of several regressions, judged by the rows they leave out."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..utils._compat import Interval, validate_parameter_constraints
from ._uncertainty import weighted_quantile

_R2 = "r2"


class LeftOutVotingRegressor(VotingRegressor):
    """Mean prediction of several regressions, with standard deviations and intervals.

    Regressions of unlike kinds on unlike features make unlike errors, so that their mean is often
    better than each. Each of them knows what it predicts for training rows that it leaves out:
    ridges by leave-one-out, forests out of bag. From these follow, without refitting, weights,
    standard deviations and intervals.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Names and regressions: :class:`GroupRidgeCV`, :class:`PrefixRidgeCV`, forests with
        ``oob_score=True``, or pipelines that end in one of these. The first is a ridge, on all
        features.
    weights : array-like of shape (n_estimators,), default=None
        Weight of each prediction: a number, or ``"r2"`` for the R2 of left-out rows, if that is
        positive, else 0. None weighs all alike.
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
    weights_ : ndarray of shape (n_estimators,), float64
        Weights, which sum to 1.
    noise_std_ : float
        Standard deviation of the noise, from left-out rows.
    n_features_in_ : int
        Number of columns, if the regressions have it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if the regressions have them.

    See Also
    --------
    GroupRidgeCV : One regression, with a penalty for each group of columns.

    Notes
    -----
    The residual of a left-out row is the weighted mean of those of the regressions, which is exact
    for given penalties, but for forests, of which fewer trees leave a row out. Its standard
    deviation is taken to be proportional to that of the first regression, so this should be the one
    on all features: one on few of them does not notice that a row is unlike the training in others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn_revdist import GroupRidgeCV, LeftOutVotingRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> y = X @ [1, 2, 3] + rng.normal(size=100)
    >>> forest = RandomForestRegressor(oob_score=True, random_state=0)
    >>> model = LeftOutVotingRegressor(
    ...     [("ridge", GroupRidgeCV()), ("forest", forest)], weights=[1, "r2"]
    ... ).fit(X, y)
    >>> model.weights_.round(1)
    array([0.5, 0.5])
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
        self : LeftOutVotingRegressor
            The fitted estimator.

        Raises
        ------
        TypeError
            If an estimator does not know what it predicts for rows that it leaves out, or the first
            has no standard deviations.
        ValueError
            If a weight is neither a number, 0 or more, nor "r2".
        """
        self._check_estimators()
        super().fit(X, y, **fit_params)
        y = column_or_1d(y).astype(np.float64)
        row_weights = fit_params.get("sample_weight")
        used = np.ones(len(y), bool) if row_weights is None else np.asarray(row_weights) > 0
        known = [_left_out(estimator, y, used) for estimator in self.estimators_]
        first = _last(self.estimators_[0])._uncertainty
        self._row_weights = first.weights
        self.weights_ = self._weights(known, y[used])
        left_out = np.average(np.column_stack(known), axis=1, weights=self.weights_)
        self._errors = np.abs(left_out) / first.spreads
        self.noise_std_ = float(np.sqrt(np.average(self._errors**2, weights=self._row_weights)))
        self._left_out_std = self.noise_std_ * first.spreads
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
        check_is_fitted(self)
        first, *others = self.estimators_
        of_first, std = first.predict(X, return_std=True)
        each = np.column_stack([of_first, *(estimator.predict(X) for estimator in others)])
        predicted = np.average(each, axis=1, weights=self.weights_)
        if not return_std:
            return predicted
        unit = _last(first).noise_std_
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
        return quantile[0] / self.noise_std_ if self.noise_std_ else quantile[0]

    def _check_estimators(self):
        """Refuse regressions that cannot be judged, before any is fitted."""
        used = [(name, each) for name, each in self.estimators if not isinstance(each, str)]
        for i, (name, estimator) in enumerate(used):
            last = _last(estimator)
            if hasattr(last, "predict_interval") or (i and getattr(last, "oob_score", False)):
                continue
            needs = "predictions of left-out rows" if i else "standard deviations"
            allowed = ", forests with oob_score=True" if i else ""
            raise TypeError(
                f"estimators has {name!r} of type {type(last).__name__}, which has no {needs}; "
                f"give GroupRidgeCV, PrefixRidgeCV{allowed} or pipelines that end in one."
            )

    def _weights(self, known, y):
        """Weights of the regressions, which sum to 1."""
        given = [1.0] * len(known)
        if self.weights is not None:
            pairs = zip(self.estimators, self.weights, strict=True)
            given = [weight for (_, estimator), weight in pairs if estimator != "drop"]
        centred = y - np.average(y, weights=self._row_weights)
        total = np.average(centred**2, weights=self._row_weights)
        weights = []
        for weight, left_out in zip(given, known, strict=True):
            if isinstance(weight, str) and weight == _R2:
                error = np.average(left_out**2, weights=self._row_weights)
                weight = max(0.0, 1 - error / total) if total else 0.0
            if not isinstance(weight, Real) or not 0 <= weight < np.inf:
                raise ValueError(
                    f"weights has {weight!r}; give numbers, 0 or more, or 'r2' for that of "
                    "left-out rows."
                )
            weights.append(float(weight))
        if not sum(weights):
            weights[0] = 1.0  # none is better than the mean
        return np.array(weights) / sum(weights)


def _last(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _left_out(estimator, y, used):
    """Residuals of rows that a regression leaves out."""
    last = _last(estimator)
    if hasattr(last, "oob_prediction_"):
        return (y - last.oob_prediction_)[used]
    return last._uncertainty.left_out[:, 0]
