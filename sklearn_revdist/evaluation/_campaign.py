"""Campaign: replay rounds of measuring and predicting, on variants that have all been measured."""

import inspect
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, column_or_1d

from ..matrix._rows import check_targets
from ..probes._top_k import NUMBER_OR_SHARE, n_best
from ..utils._compat import HasMethods, Interval, StrOptions, _safe_indexing, validate_params

_COUNT = Interval(Integral, 1, None, closed="left")


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "initial": [_COUNT, "array-like"],
        "n_per_round": [_COUNT],
        "n_rounds": [_COUNT],
        "acquisition": [StrOptions({"greedy", "thompson", "random"})],
        "top": NUMBER_OR_SHARE,
        "threshold": [Interval(Real, None, None, closed="neither"), None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=False,  # parameters of the estimator are the caller's
)
def simulate_campaign(
    estimator: BaseEstimator,
    X: Any,
    y: ArrayLike,
    *,
    initial: int | ArrayLike = 24,
    n_per_round: int = 24,
    n_rounds: int = 4,
    acquisition: str = "greedy",
    top: int | float = 0.01,
    threshold: float | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    """Replay a campaign that measures in rounds, and picks each round by what it has learnt.

    The first variants are drawn at random or given. Each round, the estimator is fitted on those
    measured so far, and picks the next ones among the others. It sees no target before its variant
    is picked. Read more in the :ref:`User Guide <campaigns>`.

    Parameters
    ----------
    estimator : estimator
        A regressor, or a pipeline that ends in one. It is cloned, and fitted again each round; give
        a `random_state` of its own a number. Embed the sequences once, before.
    X : array-like, sparse matrix, DataFrame or list of length n_samples
        What the estimator takes: a row for each variant.
    y : array-like of shape (n_samples,)
        Measured values; larger ones are better, so negate them if smaller ones are.
    initial : int or array-like of int, default=24
        Number of variants of the first round, drawn at random, or their rows, counted from 0, such
        as those with the best zero-shot scores.
    n_per_round : int, default=24
        Number of variants of each further round.
    n_rounds : int, default=4
        Number of further rounds.
    acquisition : {"greedy", "thompson", "random"}, default="greedy"
        How a round's variants are picked:

        "greedy"
            those with the best predictions; equal ones in random order;
        "thompson"
            one after the other, each the best of values drawn from normal distributions with the
            mean and standard deviation of ``predict(X, return_std=True)``, independently for each
            variant and pick; on ten scans it found fewer of the best than "greedy";
        "random"
            at random, for comparison.
    top : int or float, default=0.01
        How many variants are the best, or if below 1 which share, rounded down to at least one.
        Variants that tie with the last of them are among them.
    threshold : float, default=None
        Value that a hit exceeds, such as that of the wild type. None counts the best as hits.
    random_state : int, default=0
        Seed of all that is drawn here.

    Returns
    -------
    campaign : DataFrame
        One row for each round:

        round : int
            0 for the initial variants.
        n_measured : int
            Number of variants measured so far.
        best : float
            The best of their values.
        found : float
            Share of the best variants that are among them.
        hit_rate : float
            Share of hits among the variants of this round.

    Raises
    ------
    ValueError
        If `y` is not one finite number for each row, `initial` has no, repeated or unknown rows,
        the rounds need more variants than there are, or a prediction is not finite.
    TypeError
        If `acquisition` is "thompson" and the estimator's `predict` has no `return_std`.

    See Also
    --------
    evaluate : Scores of predictions on all variants, without rounds.
    hit_rate : Share of hits among the best predictions.

    Examples
    --------
    A ridge finds half of the ten best of a thousand variants with 60 measurements, of which chance
    would find 6 %:

    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_revdist import simulate_campaign
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 20))
    >>> y = X @ rng.normal(size=20) + 2 * rng.normal(size=1000)
    >>> campaign = simulate_campaign(Ridge(), X, y, initial=20, n_per_round=20, n_rounds=2)
    >>> campaign.round(2)
       round  n_measured   best  found  hit_rate
    0      0          20  10.28    0.0      0.00
    1      1          40  12.30    0.2      0.10
    2      2          60  12.30    0.5      0.15
    """
    y = check_targets(column_or_1d(y), "1 and 0")
    check_consistent_length(X, y)
    n_top = n_best(top, len(y), "top")
    if acquisition == "thompson":
        _check_gives_std(estimator)
    rng = np.random.default_rng(random_state)
    measured = picked = _initial_rows(initial, len(y), rng)
    n_needed = len(measured) + n_rounds * n_per_round
    if n_needed > len(y):
        raise ValueError(
            f"{len(measured)} initial variants and n_rounds={n_rounds} of n_per_round="
            f"{n_per_round} are {n_needed}, but X has {len(y)} rows; ask for fewer."
        )
    is_top = y >= np.partition(y, -n_top)[-n_top]
    is_hit = is_top if threshold is None else y > threshold
    rows = []
    for i in range(n_rounds + 1):
        if i > 0:
            others = np.setdiff1d(np.arange(len(y)), measured)
            if acquisition == "random":
                picked = rng.choice(others, n_per_round, replace=False)
            else:
                fitted = clone(estimator).fit(_safe_indexing(X, measured), y[measured])
                pick = _best_predicted if acquisition == "greedy" else _best_drawn
                picked = others[pick(fitted, _safe_indexing(X, others), n_per_round, rng)]
            measured = np.concatenate([measured, picked])
        found = is_top[measured].sum() / is_top.sum()
        rows.append((i, len(measured), y[measured].max(), found, is_hit[picked].mean()))
    return pd.DataFrame(rows, columns=["round", "n_measured", "best", "found", "hit_rate"])


def _initial_rows(initial, n_samples, rng):
    """Draw the initial rows, or check those given."""
    if isinstance(initial, Integral):
        if initial > n_samples:
            raise ValueError(f"initial={initial} exceeds the {n_samples} rows of X; ask for fewer.")
        return rng.choice(n_samples, int(initial), replace=False)
    rows = np.asarray(initial)
    if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu":
        raise ValueError(
            f"initial is of shape {rows.shape} and type {rows.dtype}; give a number of variants, "
            "or the numbers of their rows."
        )
    values, counts = np.unique(rows, return_counts=True)
    for wrong, why in (
        (values[counts > 1], "repeated"),
        (values[values < 0], "negative"),
        (values[values >= n_samples], f"not one of the {n_samples} of X"),
    ):
        if len(wrong):
            raise ValueError(f"Row {wrong[0]} of initial is {why}; give each row once, from 0.")
    return rows.astype(np.int64)


def _check_gives_std(estimator):
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    if "return_std" not in inspect.signature(last.predict).parameters:
        raise TypeError(
            "acquisition='thompson' needs predict(X, return_std=True), which "
            f"{type(last).__name__} lacks; take GroupRidgeCV, BayesianRidge or "
            "GaussianProcessRegressor."
        )


def _best_predicted(fitted, X, n, rng) -> NDArray[np.int64]:
    """Return the n rows with the best predictions, equal ones in random order."""
    predicted = _checked(fitted.predict(X), fitted)
    return np.lexsort([rng.random(len(predicted)), -predicted])[:n]


def _best_drawn(fitted, X, n, rng) -> NDArray[np.int64]:
    """Return n rows, each the best of its own draw among those that are left."""
    mean, std = (_checked(values, fitted) for values in fitted.predict(X, return_std=True))
    left, picked = np.ones(len(mean), dtype=bool), []
    for _ in range(n):
        drawn = np.where(left, rng.normal(mean, std), -np.inf)
        picked.append(drawn.argmax())
        left[picked[-1]] = False
    return np.array(picked)


def _checked(values, fitted):
    values = column_or_1d(values)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{type(fitted).__name__} predicts {values[~np.isfinite(values)][0]}, by which no "
            "variant can be picked; take another estimator, or scale its columns."
        )
    return values
