"""Prefix scorers: the held-out score of all prefixes at once, for the scorers that allow it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.metrics import accuracy_score, mean_squared_error, r2_score

Scores = Callable[[NDArray, NDArray, NDArray | None], NDArray[np.float64]]


class PrefixScores(NamedTuple):
    """How all prefixes are scored at once.

    Attributes
    ----------
    scores : callable
        ``scores(y, predicted, weights)`` of targets of shape (n_samples, n_targets), predictions
        of shape (n_prefixes, n_samples, n_targets) and weights of the samples or None. For the
        accuracy, targets are 1 at the class of a sample, and predictions the decision function.
    standard_errors : callable
        Of the same, standard errors of the scores by the scatter over the samples.
    """

    scores: Scores
    standard_errors: Scores


def spearman(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Spearman correlation of prediction and target, the mean over targets.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        What was measured.
    y_pred : array-like of the same shape
        What was predicted. A prediction without any order counts as 0.

    Returns
    -------
    score : float
        From -1 to 1; not a number where all targets are equal.
    """
    y_true, y_pred = (np.asarray(y, dtype=np.float64) for y in (y_true, y_pred))
    y_true, y_pred = (y.reshape(len(y), -1) for y in (y_true, y_pred))
    return float(_spearman(y_true, y_pred[np.newaxis], None)[0])


def all_prefixes(scorer: Callable) -> PrefixScores | None:
    """The functions that score all prefixes at once as a scorer scores one.

    Parameters
    ----------
    scorer : callable
        A scorer with the signature ``scorer(estimator, X, y)``.

    Returns
    -------
    scores : PrefixScores or None
        None where the scorer is not among the known.
    """
    known = {metric: functions for metric, *functions in _KNOWN}
    metric = getattr(scorer, "_score_func", None)
    if metric not in known or scorer._kwargs:
        return None
    scores, deviations = known[metric]
    return PrefixScores(
        lambda y, predicted, weights: scorer._sign * scores(y, predicted, weights),
        lambda y, predicted, weights: _standard_errors(deviations(y, predicted, weights), weights),
    )


def _standard_errors(deviations, weights):
    """Standard errors of weighted means, from deviations of shape (n_prefixes, n_samples)."""
    if weights is None:
        return np.sqrt(np.einsum("ij,ij->i", deviations, deviations)) / deviations.shape[1]
    return np.sqrt(np.einsum("ij,ij,j->i", deviations, deviations, weights**2)) / weights.sum()


def _squares(errors, weights):
    """Weighted sums of squares over the samples."""
    if weights is None:
        return np.einsum("...ij,...ij->...j", errors, errors)
    return np.einsum("...ij,...ij,i->...j", errors, errors, weights)


def _mean_squared_error(y, predicted, weights):
    weight = len(y) if weights is None else weights.sum()
    return _squares(predicted - y, weights).mean(axis=-1) / weight


def _mean_squared_error_deviations(y, predicted, weights):
    squares = np.square(predicted - y).mean(axis=-1)
    return squares - np.average(squares, axis=1, weights=weights)[:, np.newaxis]


def _r2(y, predicted, weights):
    if len(y) < 2:
        return np.full(len(predicted), np.nan)
    left = _squares(predicted - y, weights)
    total = np.broadcast_to(
        _squares(y - np.average(y, axis=0, weights=weights), weights), left.shape
    )
    # As r2_score: where all targets are equal, 1 for a perfect prediction and else 0.
    r2 = np.where(left == 0, 1.0, 0.0)
    np.divide(total - left, total, out=r2, where=total != 0)
    return r2.mean(axis=-1)


def _r2_deviations(y, predicted, weights):
    """How R2 moves with the weight of each sample: both of its sums of squares do."""
    squares = np.square(predicted - y)
    totals = np.square(y - np.average(y, axis=0, weights=weights))
    mean_square = np.average(squares, axis=1, weights=weights)[:, np.newaxis]
    mean_total = np.average(totals, axis=0, weights=weights)
    varies = np.flatnonzero(mean_total)
    deviations = np.zeros(predicted.shape[:2])
    for i in varies:
        ratio = mean_square[..., i] / mean_total[i]
        deviations += (ratio * totals[:, i] - squares[..., i]) / mean_total[i] / y.shape[1]
    return deviations


def _spearman(y, predicted, weights):
    return np.mean(
        [_rank_correlation(y[:, i], predicted[:, :, i]) for i in range(y.shape[1])], axis=0
    )


def _rank_correlation(y, predicted):
    """Spearman correlation of some targets with each of many rows."""
    ranks = rankdata(y)
    ranks -= ranks.mean()
    n = len(y)
    if not ranks.any():
        return np.full(len(predicted), np.nan)
    # Sorting the targets' ranks by the prediction is much faster than ranking predictions, which
    # only ties make necessary.
    order = predicted.argsort(axis=1)
    places = np.arange(n) - (n - 1) / 2
    correlation = ranks[order] @ places / np.sqrt((ranks @ ranks) * (places @ places))
    ordered = np.take_along_axis(predicted, order, axis=1)
    tied = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    tied_ranks = rankdata(predicted[tied], axis=1) - (n + 1) / 2
    norms = np.sqrt((ranks @ ranks) * np.square(tied_ranks).sum(axis=1))
    correlation[tied] = np.divide(
        tied_ranks @ ranks, norms, out=np.zeros_like(norms), where=norms > 0
    )
    return correlation


def _spearman_deviations(y, predicted, weights):
    """Of a correlation r of standardised ranks u and v: u v - r (u^2 + v^2) / 2."""
    deviations = np.zeros(predicted.shape[:2])
    for i in range(y.shape[1]):
        u, v = _standardised_ranks(y[:, i]), _standardised_ranks(predicted[..., i])
        r = (u * v).mean(axis=1, keepdims=True)
        deviations += (u * v - r * (u**2 + v**2) / 2) / y.shape[1]
    return deviations


def _standardised_ranks(values):
    ranks = rankdata(values, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    spread = ranks.std(axis=-1, keepdims=True)
    return np.divide(ranks, spread, out=np.zeros_like(ranks), where=spread > 0)


def _accuracy(y, predicted, weights):
    return np.average(_right(y, predicted), axis=1, weights=weights)


def _accuracy_deviations(y, predicted, weights):
    right = _right(y, predicted)
    return right - np.average(right, axis=1, weights=weights)[:, np.newaxis]


def _right(y, predicted):
    if y.shape[1] == 1:
        return (predicted[:, :, 0] > 0) == (y[:, 0] > 0)
    return predicted.argmax(axis=-1) == y.argmax(axis=1)


# Metric, scores, and by how much each sample's contribution deviates from their mean.
_KNOWN = (
    (r2_score, _r2, _r2_deviations),
    (mean_squared_error, _mean_squared_error, _mean_squared_error_deviations),
    (spearman, _spearman, _spearman_deviations),
    (accuracy_score, _accuracy, _accuracy_deviations),
)
