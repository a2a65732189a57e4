"""VotingRidge: the mean prediction of several ridges, with its uncertainty."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..utils._compat import Interval, _fit_context, validate_parameter_constraints
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
        self : VotingRidge
            The fitted estimator.

        Raises
        ------
        TypeError
            If an estimator has no standard deviations.
        ValueError
            If `estimators` are not pairs with a name of each, or `weights` not one for each.
        """
        self._check_members()
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
        predicted, spread = self._predicted(X)
        return predicted, self.noise_std_ * spread

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
        predicted, _, half = self._predicted_with_half(X, coverage)
        return np.column_stack([predicted - half, predicted + half])

    def _check_members(self):
        """Refuse estimators and weights that have no mean."""
        pairs = [x for x in self.estimators if isinstance(x, tuple | list) and len(x) == 2]
        names = {name for name, _ in pairs if isinstance(name, str)}
        if not pairs or len(names) < len(self.estimators):
            raise ValueError(
                "estimators must be a list of one or more pairs, each of a name that no other has "
                "and a regression; correct it."
            )
        for name, estimator in pairs:
            ridge = _ridge(estimator)
            if not isinstance(ridge, str) and not hasattr(ridge, "predict_interval"):
                raise TypeError(
                    f"estimators has {name!r} of type {type(ridge).__name__}, which has no "
                    "standard deviations; give GroupRidgeCV, PrefixRidgeCV, or pipelines that end "
                    "in one."
                )
        if self.weights is None:
            return
        weights = np.asarray(self.weights)
        fits = weights.dtype.kind in "fiub" and weights.shape == (len(pairs),)
        if not fits or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise ValueError(
                f"weights={self.weights!r} must be {len(pairs)} numbers of 0 or more, one for each "
                "estimator, and not all 0; change them."
            )

    def _predicted(self, X):
        """Predictions, and standard deviations in units of the noise."""
        check_is_fitted(self)
        first, *others = self.estimators_
        ridge, rows = _ridge(first), X
        if isinstance(first, Pipeline) and len(first) > 1:
            rows = first[:-1].transform(X)
        rows = ridge._rows(rows)
        each = np.column_stack([ridge._linear(rows), *(other.predict(X) for other in others)])
        predicted = np.average(each, axis=1, weights=self._weights_not_none)
        return predicted, ridge._uncertainty.spread(rows)

    def _predicted_with_half(self, X, coverage):
        """Predictions, standard deviations, and half the widths of intervals."""
        predicted, spread = self._predicted(X)
        (quantile,) = weighted_quantile(self._errors[:, np.newaxis], self._row_weights, coverage)
        return predicted, self.noise_std_ * spread, quantile * spread


def _ridge(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
