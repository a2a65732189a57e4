"""Held-out scores of all prefixes and penalties, and the choice among them."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_method_params

from ._prefix_ridge import Training
from ._prefix_scorers import PrefixScores

# Scores that differ by less than this share are equal but for rounding.
_EQUAL = 1e-12
# Predictions that rounding may move by more than this share of the targets are warned of.
_DOUBTFUL = 1e-6


class Candidates(NamedTuple):
    """What is tried, and how it is scored.

    Attributes
    ----------
    prefixes : ndarray of shape (n_prefixes,)
    alphas : ndarray of shape (n_alphas,)
    scale : bool
        Whether penalties are those of columns of unit variance.
    scores : PrefixScores or None
        Scores all prefixes at once, where the scorer is one of those that can be.
    """

    prefixes: NDArray
    alphas: NDArray
    scale: bool
    scores: PrefixScores | None


def leave_one_out(data, Y, sample_weight, candidates, score, score_params):
    """Scores of the predictions of all rows, each by the regressions without it.

    Parameters
    ----------
    data, Y, sample_weight : ndarray
        Rows.
    candidates : Candidates
    score : callable
        ``score(n_prefix, (coef, intercept), X, rows, score_params)``, where the scorer takes one
        prefix at a time.
    score_params : dict
        What goes to the scorer.

    Returns
    -------
    scores, standard_errors : ndarray of shape (n_prefixes, n_alphas)
        Standard errors by the scatter over rows; not a number where the scorer tells none.

    Raises
    ------
    ValueError
        If there are no two rows, or a score is not finite.
    """
    prefixes, alphas, scale, known = candidates
    n_rows, n_targets = Y.shape
    if np.count_nonzero(np.ones(n_rows) if sample_weight is None else sample_weight) < 2:
        raise ValueError(
            f"To leave one out takes two rows of positive weight, but n_samples={n_rows}, of which "
            "at most one weighs anything; give more rows."
        )
    # The scorer is given predictions in place of columns, and an identity in place of a regression.
    identity = np.eye(n_targets), np.zeros(n_targets)
    scores = np.empty((len(prefixes), len(alphas)))
    errors = np.full_like(scores, np.nan)
    rounding = np.zeros(len(alphas))
    training = Training(data[:, : prefixes[-1]], Y, sample_weight, scale=scale)
    for j, alpha in enumerate(alphas):
        ridges = training.ridges(alpha)
        rounding[j] = ridges.rounding
        for part, predicted in ridges.left_out_predictions(prefixes):
            if known is not None:
                scored = known.with_errors(Y, predicted, score_params.get("sample_weight"))
                scores[part, j], errors[part, j] = scored
            else:
                scores[part, j] = [
                    score(n_targets, identity, one, slice(None), score_params) for one in predicted
                ]
    _warn_of_rounding(rounding, alphas)
    _check_finite(scores[np.newaxis], candidates, "give targets that differ")
    return scores, errors


def cross_validate(data, Y, sample_weight, splits, candidates, score, score_params):
    """Mean scores of held-out rows over folds, and their standard errors.

    Parameters and errors as for :func:`leave_one_out`; `splits` are training and test rows.
    """
    prefixes, alphas, scale, known = candidates
    scores = np.empty((len(splits), len(prefixes), len(alphas)))
    rounding = np.zeros(len(alphas))
    columns = data[:, : prefixes[-1]]
    for i, (train, test) in enumerate(splits):
        weights = None if sample_weight is None else sample_weight[train]
        _check_any_weight(weights, f"training fold {i}")
        training = Training(columns[train], Y[train], weights, scale=scale)
        held_out = _check_method_params(data, score_params, indices=test)
        weights = held_out.get("sample_weight")
        _check_any_weight(weights, f"test fold {i}")
        prepared = training.prepared(columns[test])
        for j, alpha in enumerate(alphas):
            ridges = training.ridges(alpha)
            rounding[j] = max(rounding[j], ridges.rounding)
            if known is not None:
                for part, predicted in ridges.predictions(prepared, prefixes):
                    scores[i, part, j] = known.scores(Y[test], predicted, weights)
            else:
                for k, linear in enumerate(ridges.coefs(prefixes)):
                    scores[i, k, j] = score(prefixes[k], linear, data[test], test, held_out)
    _warn_of_rounding(rounding, alphas)
    _check_finite(
        scores, candidates, "see to it that `cv` leaves targets that differ in every test fold"
    )
    return scores.mean(axis=0), _standard_errors(scores)


def check_alphas(alphas):
    """The penalties as an array, all positive and finite."""
    try:
        alphas = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "alphas has entries that are no numbers; give penalties above 0."
        ) from error
    if alphas.ndim != 1 or alphas.size == 0:
        raise ValueError(
            f"alphas has the shape {alphas.shape}; give a list of one penalty or more."
        )
    for i, alpha in enumerate(alphas):
        if not 0 < alpha < np.inf:
            raise ValueError(
                f"alphas[{i}]={alpha} is not positive and finite; give penalties above 0."
            )
    return alphas


def _check_any_weight(weights, fold):
    if weights is not None and not np.any(weights):
        raise ValueError(
            f"sample_weight is zero for all rows of {fold}; give at least one of them a positive "
            "weight."
        )


def _check_finite(scores, candidates, remedy):
    """Refuse scores, fold by fold or of one that is all rows, among which none is the best."""
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        fold, k, j = bad[0]
        where = f"test fold {fold}" if len(scores) > 1 else "the held-out rows"
        raise ValueError(
            f"The score of {where} is {scores[fold, k, j]} with prefix {candidates.prefixes[k]} "
            f"and alpha={candidates.alphas[j]}, so that no choice is possible; {remedy}, or change "
            "`scoring`."
        )


def _warn_of_rounding(rounding, alphas):
    doubtful = rounding > _DOUBTFUL
    if doubtful.any():
        warnings.warn(
            f"alpha={alphas[doubtful].max()} is so small for columns that nearly depend on each "
            f"other that rounding may move predictions by {rounding[doubtful].max():.0e} of the "
            "targets; leave out penalties as small as that.",
            UserWarning,
            stacklevel=6,
        )


def _standard_errors(scores):
    """Standard errors of the means over folds; not a number for a single fold."""
    n_folds = len(scores)
    if n_folds == 1:
        return np.full(scores.shape[1:], np.nan)
    return scores.std(axis=0, ddof=1) / np.sqrt(n_folds)


def choose(scores, alphas, least=None):
    """Indices of the shortest prefix that scores at least so much, and of its best penalty.

    `least` is the best score where it is not given. Of equal penalties the largest is taken.
    """
    equal = _EQUAL * np.abs(scores).max()
    best = scores.max() if least is None else least
    prefix = int(np.argmax((scores >= best - equal).any(axis=1)))
    own = scores[prefix]
    alpha = int(np.argmax(np.where(own >= own.max() - equal, alphas, 0.0)))
    return prefix, alpha
