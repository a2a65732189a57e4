"""Metrics: score the predictions of all prefixes at once, with standard errors."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.metrics import accuracy_score, mean_squared_error, r2_score


class PrefixMetrics(NamedTuple):
    """Functions that score all prefixes at once.

    Attributes
    ----------
    scores : callable
        ``scores(y, predicted, weights)`` takes targets of shape (n_samples, n_targets), predictions
        of shape (n_prefixes, n_samples, n_targets) and weights of the samples or None, and returns
        scores of shape (n_prefixes,). For the accuracy, targets are positive at the class of a
        sample, and predictions are values of the decision function.
    with_errors : callable
        Takes the same, and returns scores and their standard errors from the scatter over samples.
    """

    scores: Callable[..., NDArray]
    with_errors: Callable[..., tuple[NDArray, NDArray]]


def spearman(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compute the Spearman correlation of prediction and target, the mean over targets.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        Measured values.
    y_pred : array-like of the same shape
        Predictions. A constant prediction scores 0.

    Returns
    -------
    score : float
        From -1 to 1; NaN if all targets are equal.
    """
    y_true, y_pred = (np.asarray(y, dtype=np.float64) for y in (y_true, y_pred))
    y_true, y_pred = (y.reshape(len(y), -1) for y in (y_true, y_pred))
    return float(_spearman(y_true, y_pred[np.newaxis], None)[0])


def all_prefixes(scorer: Callable) -> PrefixMetrics | None:
    """Return functions that score all prefixes at once as a scorer does one by one.

    Parameters
    ----------
    scorer : callable
        A scorer with the signature ``scorer(estimator, X, y)``.

    Returns
    -------
    metrics : PrefixMetrics or None
        None if the scorer must be called for each prefix.
    """
    metric = getattr(scorer, "_score_func", None)
    if metric not in _KNOWN or scorer._kwargs:
        return None
    score, score_and_deviate = _KNOWN[metric]

    def scores(y, predicted, weights):
        return scorer._sign * score(y, predicted, weights)

    def with_errors(y, predicted, weights):
        found, deviations = score_and_deviate(y, predicted, weights)
        return scorer._sign * found, _standard_errors(deviations, weights)

    return PrefixMetrics(scores, with_errors)


def _standard_errors(deviations, weights):
    """Return standard errors of weighted means, from deviations (n_prefixes, n_samples)."""
    if weights is None:
        return np.sqrt(np.einsum("ij,ij->i", deviations, deviations)) / deviations.shape[1]
    return np.sqrt(np.einsum("ij,ij,j->i", deviations, deviations, weights**2)) / weights.sum()


def _squares(errors, weights):
    """Return weighted sums of squares over the samples."""
    if weights is None:
        return np.einsum("...ij,...ij->...j", errors, errors)
    return np.einsum("...ij,...ij,i->...j", errors, errors, weights)


def _mean_of(values_of_rows):
    """Return the two functions of a metric that is the mean of a value for each row."""

    def with_deviations(y, predicted, weights):
        values = values_of_rows(y, predicted)
        means = np.average(values, axis=1, weights=weights)
        return means, values - means[:, np.newaxis]

    return lambda *given: with_deviations(*given)[0], with_deviations


def _r2(y, predicted, weights):
    if len(y) < 2:
        return np.full(len(predicted), np.nan)
    left = _squares(predicted - y, weights)
    total = np.broadcast_to(
        _squares(y - np.average(y, axis=0, weights=weights), weights), left.shape
    )
    # As in r2_score: if all targets are equal, 1 for a perfect prediction and 0 otherwise.
    r2 = np.where(left == 0, 1.0, 0.0)
    np.divide(total - left, total, out=r2, where=total != 0)
    return r2.mean(axis=-1)


def _r2_deviations(y, predicted, weights):
    """Return R2 and its derivatives by the weights, through both of its sums of squares."""
    squares = np.square(predicted - y)
    totals = np.square(y - np.average(y, axis=0, weights=weights))
    mean_square = np.average(squares, axis=1, weights=weights)[:, np.newaxis]
    mean_total = np.average(totals, axis=0, weights=weights)
    varies = np.flatnonzero(mean_total)
    deviations = np.zeros(predicted.shape[:2])
    for i in varies:
        ratio = mean_square[..., i] / mean_total[i]
        deviations += (ratio * totals[:, i] - squares[..., i]) / mean_total[i] / y.shape[1]
    return _r2(y, predicted, weights), deviations


def _spearman(y, predicted, weights):
    return np.mean([r for *_, r in _rank_correlations(y, predicted)], axis=0)


def _spearman_deviations(y, predicted, weights):
    """Return r and u v - r (u^2 + v^2) / 2, for standardised ranks u, v and correlation r."""
    correlations, deviations = 0.0, np.zeros(predicted.shape[:2])
    for u, v, r in _rank_correlations(y, predicted):
        correlations += r / y.shape[1]
        deviations += (u * v - r[:, np.newaxis] * (u**2 + v**2) / 2) / y.shape[1]
    return correlations, deviations


def _rank_correlations(y, predicted):
    """Yield, for each target, ranks of it and of its predictions, and their correlations."""
    places = np.arange(len(y)) - (len(y) - 1) / 2
    for i in range(y.shape[1]):
        u, values = _standardised_ranks(y[:, i]), predicted[..., i]
        # Sorting is much faster than ranking, which is needed only for ties.
        order = values.argsort(axis=1)
        v = np.empty(values.shape)
        np.put_along_axis(v, order, (places / places.std())[np.newaxis], axis=1)
        ordered = np.take_along_axis(values, order, axis=1)
        tied = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
        v[tied] = _standardised_ranks(values[tied])
        r = v @ u / len(y)
        yield u, v, r if u.any() else np.full_like(r, np.nan)


def _standardised_ranks(values):
    ranks = rankdata(values, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    spread = ranks.std(axis=-1, keepdims=True)
    return np.divide(ranks, spread, out=np.zeros_like(ranks), where=spread > 0)


def _correct(y, predicted):
    if y.shape[1] == 1:
        return (predicted[:, :, 0] > 0) == (y[:, 0] > 0)
    return predicted.argmax(axis=-1) == y.argmax(axis=1)


# For each metric, functions that return scores, and scores with each sample's deviation.
_KNOWN = {
    r2_score: (_r2, _r2_deviations),
    mean_squared_error: _mean_of(lambda y, predicted: np.square(predicted - y).mean(axis=-1)),
    spearman: (_spearman, _spearman_deviations),
    accuracy_score: _mean_of(_correct),
}
