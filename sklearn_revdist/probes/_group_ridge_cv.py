"""GroupRidgeCV: ridge regression with a penalty for each group of columns."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..matrix._finite import check_finite
from ..matrix._layout import blocks_of_names
from ..matrix._rows import check_row_weights
from ..utils._compat import Interval, _fit_context, _get_feature_names
from ._group_ridge import GroupRidge
from ._uncertainty import UncertainRidge

_NUMBERS = {"dtype": np.float64, "ensure_all_finite": False}


class GroupRidgeCV(UncertainRidge, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression with a penalty for each group of columns, chosen by leaving out each row.

    Features of unlike kinds, such as the embeddings of two models, a one-hot encoding and a
    zero-shot score, deserve unlike penalties: with a common one, a group of many columns drowns a
    group of few. The penalties minimise the exact squared error of leaving out each row in turn.

    Parameters
    ----------
    groups : array-like of shape (n_features,), default=None
        Label of each column's group. None reads groups from the names of columns (use
        `set_output(transform="pandas")` before): ``<group>_<number>``, as embedders name them,
        ``<step>__<name>`` as a ``FeatureUnion`` does, and names without either are a group each;
        without names all columns are one group.

    alpha_min, alpha_max : float, default=0.01 and 1e8
        Bounds of the penalties, as in :class:`sklearn.linear_model.Ridge` on columns of unit
        variance, or with ``scale=False`` on unscaled columns.

    scale : bool, default=True
        Whether columns are divided by their standard deviations on the training rows (constant
        columns are not). `coef_` applies to unscaled columns.

    max_iter : int, default=50
        Number of steps of the search for the penalties, from each of its starting points.

    Attributes
    ----------
    groups_ : list of length n_groups
        Labels of the groups, in the order of their first columns.

    alphas_ : ndarray of shape (n_groups,), float64
        Penalty of each group.

    best_score_ : float
        R2 of leaving out each row, averaged over targets.

    coef_ : ndarray of shape (n_features,) or (n_targets, n_features), float64
        Coefficients.

    intercept_ : float or ndarray of shape (n_targets,), float64
        Intercept.

    noise_std_ : float or ndarray of shape (n_targets,), float64
        Standard deviation of the noise.

    posterior_share_ : float or ndarray of shape (n_targets,), float64
        Share of the variance of coefficients, given data and penalties, that shows in the errors of
        left-out rows; see `predict`.

    n_iter_ : int
        Number of steps that the search took.

    n_features_in_ : int
        Number of columns seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    PrefixRidgeCV : One penalty, and the prefix that predicts best.
    sklearn.linear_model.RidgeCV : One penalty for all columns.

    Notes
    -----
    Leave-one-out residuals follow from one factorisation, and so does their gradient for all
    penalties, by which they are found [1]_. Rows that repeat a sequence, or measure the same
    position, are not left out together, so the penalties suit rows like those of the fit. All
    targets share the penalties, by the mean of their errors in units of their variances. The error
    may have several minima; the lowest of those found from several starting points is taken.

    References
    ----------
    .. [1] Cook, R. D. and Weisberg, S. (1982). Residuals and Influence in Regression. Chapman
       and Hall, section 2.2.

    Examples
    --------
    Two columns that matter stand beside two hundred that do not:

    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeCV
    >>> from sklearn_revdist import GroupRidgeCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 202))
    >>> y = X[:, 0] + X[:, 1] + rng.normal(size=300)
    >>> model = GroupRidgeCV(groups=["few"] * 2 + ["many"] * 200).fit(X[:100], y[:100])
    >>> common = RidgeCV(np.logspace(-2, 4, 13)).fit(X[:100], y[:100])
    >>> model.groups_, round(model.score(X[100:], y[100:]), 1)
    (['few', 'many'], 0.7)
    >>> round(common.score(X[100:], y[100:]), 1)
    0.1

    Predictions have standard deviations, and intervals that contain 90 % of new measurements:

    >>> predicted, std = model.predict(X[100:], return_std=True)
    >>> low, high = model.predict_interval(X[100:], coverage=0.9).T
    >>> print(round(np.mean((low <= y[100:]) & (y[100:] <= high)), 1))
    0.9
    """

    _parameter_constraints: dict = {
        "groups": ["array-like", None],
        "alpha_min": [Interval(Real, 0, None, closed="neither")],
        "alpha_max": [Interval(Real, 0, None, closed="neither")],
        "scale": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        groups: ArrayLike | None = None,
        *,
        alpha_min: float = 0.01,
        alpha_max: float = 1e8,
        scale: bool = True,
        max_iter: int = 50,
    ):
        self.groups = groups
        self.alpha_min = alpha_min
        self.alpha_max = alpha_max
        self.scale = scale
        self.max_iter = max_iter

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Choose the penalties, and fit the ridge.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in the regressions and in the error; a row of weight 2 counts as
            two.

        Returns
        -------
        self : GroupRidgeCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If `X` or `y` is not finite, `groups` does not have one label for each column, or the
            bounds of the penalties are out of order.
        """
        names = _get_feature_names(X)
        how = {"multi_output": True, "y_numeric": True, "ensure_min_samples": 2}
        data, y = validate_data(self, X, y, **_NUMBERS, **how)
        check_finite(data)
        if self.alpha_min > self.alpha_max:
            raise ValueError(
                f"alpha_min={self.alpha_min!r} is above alpha_max={self.alpha_max!r}; swap them."
            )
        labels, columns = self._groups(data.shape[1], names)
        Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        weight = check_row_weights(sample_weight, data)
        weight = np.ones(len(data)) if weight is None else weight
        kept = weight > 0
        data, Y, weight = data[kept], Y[kept], weight[kept]
        mean, target_mean = (np.average(a, axis=0, weights=weight) for a in (data, Y))
        spread = np.ones(data.shape[1])
        if self.scale:
            spread = np.sqrt(np.average((data - mean) ** 2, axis=0, weights=weight))
            # constant up to rounding
            spread[spread <= 10 * np.finfo(float).eps * np.abs(data).max(axis=0)] = 1
        ridge = GroupRidge((data - mean) / spread, Y - target_mean, weight, columns)
        bounds = float(self.alpha_min), float(self.alpha_max)
        self.alphas_, error, self.n_iter_ = ridge.best_penalties(*bounds, self.max_iter)
        coef = ridge.coefficients(self.alphas_).T / spread
        intercept = target_mean - coef @ mean
        self.groups_ = labels
        self.best_score_ = 1 - error
        flat = np.ndim(y) == 1
        self.coef_ = coef[0] if flat else coef
        self.intercept_ = float(intercept[0]) if flat else intercept
        units = spread * np.sqrt(ridge.of_columns(self.alphas_))
        self._set_uncertainty(data, Y, weight, alpha=1.0, scale=units)
        return self

    def _rows(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **_NUMBERS)
        check_finite(X)
        return X

    def _groups(
        self, n_features: int, names: Sequence[str] | None
    ) -> tuple[list[Any], list[NDArray[np.int64]]]:
        """Labels of the groups, and the columns of each."""
        if self.groups is None:
            labels = _labels_of_names(names, n_features)
        else:
            labels = np.asarray(self.groups, dtype=object).tolist()
            if len(labels) != n_features or any(isinstance(label, list) for label in labels):
                raise ValueError(
                    f"groups is of shape {np.shape(self.groups)}, but X has {n_features} columns; "
                    "give one label for each."
                )
        columns: dict[Any, list[int]] = {}
        for column, label in enumerate(labels):
            columns.setdefault(label, []).append(column)
        return list(columns), [np.array(of_group) for of_group in columns.values()]


def _labels_of_names(names: Sequence[str] | None, n_features: int) -> list[str]:
    if names is None:
        return ["all"] * n_features
    blocks = blocks_of_names(list(names))
    if blocks is not None:
        return np.repeat(np.array(blocks.names, dtype=object), blocks.dims).tolist()
    return [_label(name) for name in names]


def _label(name: str) -> str:
    """The step of a union, or the name before a number, or the whole name."""
    step, found, rest = name.partition("__")
    group, underscore, number = rest.rpartition("_") if found else name.rpartition("_")
    if underscore and number.isdecimal():
        return f"{step}__{group}" if found else group
    return step if found else name
