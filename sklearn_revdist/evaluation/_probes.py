"""Probes: the estimators that score representations, and their metrics."""

from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ..neighbors._prefix_neighbors import PrefixNeighbors
from ..probes._metrics import spearman
from ..probes._top_k import hit_rate, ndcg_at_k, top_k_recall
from ..utils._compat import Interval
from ._splits import random_fold

# Numbers of probes that can be fitted at a time.
N_JOBS = [
    Interval(Integral, 1, None, closed="left"),
    Interval(Integral, None, -1, closed="right"),
    None,
]
RIDGE_ALPHAS = np.logspace(-2, 6, 17)
LOGISTIC_CS = np.logspace(-4, 0, 5)
# Names of the scores of the best predictions.
OF_BEST = ("top_k_recall", "hit_rate", "ndcg_at_k")
_INNER_FOLDS = 3


def _log_likelihood(estimator, X, y):
    """Score by the mean log-probability of the true class, over rows of known classes."""
    probability = estimator.predict_proba(X)
    column = np.searchsorted(estimator.classes_, y).clip(max=len(estimator.classes_) - 1)
    known = estimator.classes_[column] == y
    right = probability[known, column[known]]
    return float(np.log(right.clip(min=np.finfo(np.float64).tiny)).mean())


def _ridge():
    return make_pipeline(StandardScaler(), RidgeCV(RIDGE_ALPHAS))


def _logistic():
    return GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        {"logisticregression__C": LOGISTIC_CS},
        scoring=_log_likelihood,
        cv=_INNER_FOLDS,
        error_score="raise",
    )


_NAMED = {"ridge": _ridge, "logistic": _logistic, "neighbors": PrefixNeighbors}
_DEFAULT = {"regression": "ridge", "classification": "logistic", "retrieval": "neighbors"}


def make_probe(probe: str | BaseEstimator | None, kind: str) -> BaseEstimator:
    """Return the estimator that a task is scored with.

    Parameters
    ----------
    probe : {"ridge", "logistic", "neighbors"}, estimator or None
        None is "ridge" for a regression, "logistic" for a classification and "neighbors" for a
        retrieval. An estimator is returned as it is.
    kind : {"regression", "classification", "retrieval"}
        Kind of the task.

    Returns
    -------
    probe : estimator
        "ridge": columns of unit variance; the penalty, one of 17 between 1e-2 and 1e6, minimises
        the leave-one-out error or, if rows form groups, the error in 3 inner folds. "logistic":
        columns of unit variance; the inverse penalty, one of 5 between 1e-4 and 1, maximises the
        likelihood in 3 inner folds. Inner folds keep groups whole. "neighbors": exact search by the
        Euclidean distance of the columns as they are.

    Raises
    ------
    ValueError
        If the probe is unknown, or is for another kind of task.
    """
    if probe is None:
        probe = _DEFAULT[kind]
    if isinstance(probe, str):
        if probe not in _NAMED:
            names = ", ".join(map(repr, _NAMED))
            raise ValueError(f"probe={probe!r} is not known; give {names} or an estimator.")
        probe = _NAMED[probe]()
    made_for = "classification" if is_classifier(probe) else "regression"
    if isinstance(probe, PrefixNeighbors):
        made_for = "retrieval"
    if made_for != kind:
        raise ValueError(f"The task is a {kind}, but the probe is for a {made_for}; give another.")
    return probe


def fit_probe(probe: BaseEstimator, X: NDArray, y: NDArray, groups: NDArray) -> BaseEstimator:
    """Fit a clone of a probe.

    Parameters
    ----------
    probe : estimator
        As :func:`make_probe` returns it.
    X : ndarray of shape (n_rows, n_columns)
        A representation of the training rows.
    y : ndarray of shape (n_rows,)
        Their targets.
    groups : ndarray of shape (n_rows,)
        Group of each row; the search for the penalty keeps groups whole. This holds for a grid
        search and a RidgeCV (also as the last step of a pipeline) whose `cv` is None, and for a
        grid search also if it is a number. Else a RidgeCV whose `gcv_mode` is not set computes its
        leave-one-out errors in the way that is the fastest for this shape.

    Returns
    -------
    fitted : estimator
    """
    probe = clone(probe)
    search = probe[-1] if isinstance(probe, Pipeline) else probe
    if isinstance(search, RidgeCV) and search.cv is None:
        if len(np.unique(groups)) < len(groups):
            folds = _grouped_folds(y, groups, _INNER_FOLDS)
            search.set_params(cv=folds, scoring=search.scoring or "neg_mean_squared_error")
        elif search.gcv_mode in (None, "auto") and len(X) > X.shape[1]:
            # Same errors as by X'X, two to three times faster; for few rows XX' is (measured).
            search.set_params(gcv_mode="svd")
    elif isinstance(search, GridSearchCV) and isinstance(search.cv, int | None):
        search.set_params(cv=_grouped_folds(y, groups, search.cv or 5))
    return probe.fit(X, y)


def _grouped_folds(y, groups, n_folds):
    """Return shuffled folds that keep groups whole and spread classes."""
    fold = random_fold(groups, n_folds, None if y.dtype.kind == "f" else y)
    return list(PredefinedSplit(fold).split())


def penalty(probe: BaseEstimator) -> float:
    """Return the penalty that a fitted probe has chosen; NaN if it has none."""
    if isinstance(probe, GridSearchCV):
        return 1 / probe.best_params_.get("logisticregression__C", np.nan)
    last = probe[-1] if isinstance(probe, Pipeline) else probe
    return float(np.mean(getattr(last, "alpha_", np.nan)))


def outputs(probe: BaseEstimator, X: NDArray) -> NDArray:
    """Predict by a fitted probe: numbers, or a score for each of its classes."""
    if not is_classifier(probe):
        return probe.predict(X)
    if hasattr(probe, "predict_proba"):
        return probe.predict_proba(X)
    decision = probe.decision_function(X)
    return decision if decision.ndim == 2 else np.column_stack([-decision, decision])


def score(metric: str, y: NDArray, predicted: NDArray, classes: NDArray | None) -> float:
    """Score the predictions of a probe.

    Parameters
    ----------
    metric : str
        "spearman", the Spearman correlation; "aupr", the area under the precision-recall curve
        (average precision), of two classes that of the second, of more the mean over the classes
        that occur in `y`; or a metric of retrievals, the mean over queries.
    y : ndarray of shape (n_rows,)
        Measured targets.
    predicted : ndarray of shape (n_rows,) or (n_rows, n_classes)
        As :func:`outputs` returns them, or :func:`score_queries`.
    classes : ndarray of shape (n_classes,) or None
        Classes of the columns of `predicted`, among which are all classes of `y`.

    Returns
    -------
    score : float
        NaN if it is undefined, as if all targets are equal.
    """
    if metric not in ("spearman", "aupr"):
        return float(predicted.mean()) if len(predicted) else np.nan
    if len(y) < 2 or (y == y[0]).all():
        return np.nan
    if metric == "spearman":
        return spearman(y, predicted)
    if len(classes) == 2:
        return average_precision_score(y == classes[1], predicted[:, 1])
    present = np.isin(classes, y)
    return average_precision_score(y[:, np.newaxis] == classes[present], predicted[:, present])


def score_best(
    metric: str, y: NDArray, predicted: NDArray, y_train: NDArray
) -> tuple[float, float, float]:
    """Score the best tenth of the predictions of a regression.

    Parameters
    ----------
    metric : str
    y : ndarray of shape (n_rows,)
        Measured targets.
    predicted : ndarray of shape (n_rows,)
        As :func:`outputs` returns them.
    y_train : ndarray of shape (n_train,)
        Targets of the training rows, whose median a hit exceeds.

    Returns
    -------
    top_k_recall, hit_rate, ndcg_at_k : float
        NaN unless the metric is "spearman".
    """
    if metric != "spearman":
        return np.nan, np.nan, np.nan
    hits = hit_rate(y, predicted, threshold=float(np.median(y_train)))
    return top_k_recall(y, predicted), hits, ndcg_at_k(y, predicted)
