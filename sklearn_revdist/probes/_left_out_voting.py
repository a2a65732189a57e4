"""LeftOutVotingRegressor: the mean of several regressions, judged by the rows they leave out."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..utils._compat import Interval, _fit_context
from ._uncertainty import UncertainRidge, weighted_quantile

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
    (array([5.]), array([1.]))
    """

    @_fit_context(prefer_skip_nested_validation=False)
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
            If `estimators` are not pairs with a name of each, or `weights` not one for each.
        """
        self._check_members()
        super().fit(X, y, **fit_params)
        y = column_or_1d(y).astype(np.float64)
        row_weights = fit_params.get("sample_weight")
        used = np.ones(len(y), bool) if row_weights is None else np.asarray(row_weights) > 0
        known = [_left_out(estimator, y, used) for estimator in self.estimators_]
        first = _last(self.estimators_[0])._uncertainty
        self._row_weights = first.weights
        self.weights_ = self._weights(known, y[used])
        left_out = np.average(np.column_stack(known), axis=1, weights=self.weights_)
        spreads = first.spreads[:, 0]
        self._errors = np.abs(left_out) / spreads
        self.noise_std_ = float(np.sqrt(np.average(self._errors**2, weights=self._row_weights)))
        self._left_out_std = self.noise_std_ * spreads
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
        self._check("predict", "return_std", return_std, "boolean")
        predicted, spread = self._predicted(X)
        return (predicted, self.noise_std_ * spread) if return_std else predicted

    @property
    def n_features_in_(self) -> int:
        """Number of columns, if the regressions have it."""
        return super().n_features_in_

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
        bounds = Interval(Real, 0, 1, closed="neither")
        self._check("predict_interval", "coverage", coverage, bounds)
        predicted, _, half = self._predicted_with_half(X, coverage)
        return np.column_stack([predicted - half, predicted + half])

    _check = UncertainRidge._check

    def _check_members(self):
        """Refuse estimators and weights that have no mean."""
        pairs = [x for x in self.estimators if isinstance(x, tuple | list) and len(x) == 2]
        names = {name for name, _ in pairs if isinstance(name, str)}
        if not pairs or len(names) < len(self.estimators):
            raise ValueError(
                "estimators must be a list of one or more pairs, each of a name that no other has "
                "and a regression; correct it."
            )
        used = [(name, _last(each)) for name, each in pairs if not isinstance(each, str)]
        for i, (name, last) in enumerate(used):
            if hasattr(last, "predict_interval") or (i and getattr(last, "oob_score", False)):
                continue
            needs = "predictions of left-out rows" if i else "standard deviations"
            forests = ", forests with oob_score=True," if i else ""
            raise TypeError(
                f"estimators has {name!r} of type {type(last).__name__}, which has no {needs}; "
                f"give GroupRidgeCV, PrefixRidgeCV{forests} or pipelines that end in one."
            )
        if self.weights is None:
            return
        given = np.asarray(self.weights, dtype=object)
        fits = given.shape == (len(pairs),)
        numbers = [float(x) for x in given.ravel() if isinstance(x, Real)] if fits else []
        n_r2 = sum(isinstance(x, str) and x == _R2 for x in given.ravel())
        fits = fits and len(numbers) + n_r2 == len(pairs) and (n_r2 > 0 or any(numbers))
        if not fits or not all(0 <= number < np.inf for number in numbers):
            raise ValueError(
                f"weights={self.weights!r} must be {len(pairs)} numbers of 0 or more, or 'r2', one "
                "for each estimator, and not all 0; change them."
            )

    def _weights(self, known, y):
        """Weights of the regressions, which sum to 1."""
        given = [1.0] * len(known)
        if self.weights is not None:
            pairs = zip(self.estimators, self.weights, strict=True)
            given = [weight for (_, estimator), weight in pairs if not isinstance(estimator, str)]
        rows = self._row_weights
        total = np.average((y - np.average(y, weights=rows)) ** 2, weights=rows)
        weights = []
        for weight, left_out in zip(given, known, strict=True):
            if isinstance(weight, str):
                error = np.average(left_out**2, weights=rows)
                weight = max(0.0, 1 - error / total) if total else 0.0
            weights.append(float(weight))
        if not any(weights):  # none is better than the mean
            weights = [1.0] * len(known)
        return np.array(weights) / sum(weights)

    def _predicted(self, X):
        """Predictions, and standard deviations in units of the noise."""
        check_is_fitted(self)
        first, *others = self.estimators_
        ridge, rows = _last(first), X
        if isinstance(first, Pipeline) and len(first) > 1:
            rows = first[:-1].transform(X)
        rows = ridge._rows(rows)
        each = np.column_stack([ridge._linear(rows), *(other.predict(X) for other in others)])
        spread = ridge._uncertainty.spread(rows)[:, 0]
        return np.average(each, axis=1, weights=self.weights_), spread

    def _predicted_with_half(self, X, coverage):
        """Predictions, standard deviations, and half the widths of intervals."""
        predicted, spread = self._predicted(X)
        (quantile,) = weighted_quantile(self._errors[:, np.newaxis], self._row_weights, coverage)
        return predicted, self.noise_std_ * spread, quantile * spread


def _last(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _left_out(estimator, y, used):
    """Residuals of rows that a regression leaves out."""
    last = _last(estimator)
    if hasattr(last, "oob_prediction_"):
        return (y - last.oob_prediction_)[used]
    return last._uncertainty.left_out[:, 0]
