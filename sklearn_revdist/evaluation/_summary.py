"""Summary: mean scores, win rates and growth over many tasks, with intervals."""

from collections.abc import Iterator, Sequence
from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..utils._compat import Interval, validate_params
from ._probes import OF_BEST

_GROUP = ["rows", "metric", "split", "subset"]
_REPRESENTATION = ["representation", "fitted_on"]
# Columns of tables of scores and of their means.
SCORED = [*_GROUP, "model", *_REPRESENTATION, "n_columns", "score"]
# Of fewer tasks, the bootstrap's intervals cover far less than they say.
_FEWEST = 6
# Representations whose smallest size is the smallest model's plain embedding.
NESTED = ("distilled", "naive")

_checked = validate_params(
    {
        "scores": [pd.DataFrame],
        "n_bootstrap": [Interval(Integral, 1, None, closed="left")],
        "seed": [Interval(Integral, 0, None, closed="left")],
    }
)


@_checked
def mean_scores(scores: pd.DataFrame, *, n_bootstrap: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """Average the scores of every representation and size over tasks.

    Parameters
    ----------
    scores : DataFrame
        Table that :func:`evaluate` returns.
    n_bootstrap : int, default=10_000
        Number of resamples of the tasks.
    seed : int, default=0
        Seed of the resampling.

    Returns
    -------
    means : DataFrame
        One row for each kind of rows, metric, split, subset, model, representation and data of
        the fit, those of the same data side by side: the width `n_columns`, the number of tasks
        `n_tasks`, the mean `score`, and the bounds `low` and `high` of its 95 % bootstrap interval,
        NaN for fewer than six tasks; if `scores` has them, the means of `top_k_recall`,
        `hit_rate` and `ndcg_at_k`.

    Raises
    ------
    ValueError
        If a column of scores is missing.

    Examples
    --------
    Two tasks were scored on the plain embeddings of two models:

    >>> import pandas as pd
    >>> from sklearn_revdist import mean_scores
    >>> scores = pd.DataFrame({
    ...     "task": ["a", "a", "b", "b"],
    ...     "rows": "proteins",
    ...     "metric": "spearman",
    ...     "split": "random",
    ...     "subset": "all",
    ...     "model": ["8M", "35M"] * 2,
    ...     "representation": "plain",
    ...     "fitted_on": "",
    ...     "n_columns": [320, 480] * 2,
    ...     "score": [0.4, 0.5, 0.6, 0.7],
    ... })

    Each model has a mean score over the tasks, which are too few for an interval:

    >>> mean_scores(scores)[["model", "n_tasks", "score", "low", "high"]].round(2)
      model  n_tasks  score  low  high
    0    8M        2    0.5  NaN   NaN
    1   35M        2    0.6  NaN   NaN
    """
    rows = []
    more = [column for column in OF_BEST if column in scores]
    for group, tables in _groups(scores):
        for key, of_tasks in tables.items():
            values = of_tasks["score"].to_numpy()
            low, high = _interval(values, n_bootstrap, seed)
            n_columns = int(of_tasks["n_columns"].max())
            summary = n_columns, len(values), values.mean(), low, high, *of_tasks[more].mean()
            rows.append((*group, *key, *summary))
    columns = [*SCORED[:-1], "n_tasks", "score", "low", "high", *more]
    return pd.DataFrame(rows, columns=columns)


@_checked
def win_rates(scores: pd.DataFrame, *, n_bootstrap: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """Compute the share of tasks in which one representation scores higher than another.

    For each model, the distilled embedding is compared with the baselines of that size that are
    fitted on the same data, or on none, and with those without a model; and the plain and the
    distilled embedding each with the same representation at the next smaller model.

    Parameters
    ----------
    scores : DataFrame
        Table that :func:`evaluate` returns.
    n_bootstrap : int, default=10_000
        Number of paired resamples of the tasks.
    seed : int, default=0
        Seed of the resampling.

    Returns
    -------
    wins : DataFrame
        One row for each kind of rows, metric, split, subset and comparison: `model`,
        `representation` and `fitted_on`, and those of the baseline, `rival_model`, `rival` and
        `rival_fitted_on`; the number of tasks that have both, `n_tasks`; the share of these in
        which the former scores higher, `win_rate` (ties count half); the mean difference of
        scores, `gain`; and the bounds of the 95 % bootstrap intervals, as `gain_low`, NaN for fewer
        than six tasks.

    Raises
    ------
    ValueError
        If a column of scores is missing.
    """
    rows = []
    for group, tables in _groups(scores):
        for first, second in _pairs(list(tables)):
            both = tables[first]["score"].to_frame("first").join(tables[second]["score"])
            both = both.dropna()
            if both.empty:
                continue
            gain = (both["first"] - both["score"]).to_numpy()
            wins = (np.sign(gain) + 1) / 2
            row = [*group, *first, *second, len(gain)]
            for values in (wins, gain):
                row += [values.mean(), *_interval(values, n_bootstrap, seed)]
            rows.append(row)
    first = ["model", *_REPRESENTATION]
    second = ["rival_model", "rival", "rival_fitted_on"]
    compared = [f"{of}{bound}" for of in ("win_rate", "gain") for bound in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=[*_GROUP, *first, *second, "n_tasks", *compared])


@_checked
def growth(scores: pd.DataFrame, *, n_bootstrap: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """Compute the share of tasks in which the score rises with every model of the chain.

    Parameters
    ----------
    scores : DataFrame
        Table that :func:`evaluate` returns.
    n_bootstrap : int, default=10_000
        Number of resamples of the tasks.
    seed : int, default=0
        Seed of the resampling.

    Returns
    -------
    growth : DataFrame
        One row for each kind of rows, metric, split, subset and representation with all sizes:
        `n_tasks`, the `share` of tasks, and the bounds `low` and `high` of its 95 % bootstrap
        interval, NaN for fewer than six tasks. The share expected by chance is one over the number
        of orders of the models, 1 in 6 for three models.

    Raises
    ------
    ValueError
        If a column of scores is missing.
    """
    rows = []
    for group, tables in _groups(scores):
        of_models = [key for key in tables if key[0]]
        models = list(dict.fromkeys(key[0] for key in of_models))
        for representation in dict.fromkeys(key[1:] for key in of_models):
            keys = [(model, *representation) for model in models]
            if representation[0] in NESTED and keys[0] not in tables:
                keys[0] = (models[0], "plain", "")
            if len(keys) < 2 or any(key not in tables for key in keys):
                continue
            by_size = pd.concat([tables[key]["score"] for key in keys], axis=1).dropna()
            grows = (np.diff(by_size.to_numpy(), axis=1) > 0).all(axis=1).astype(float)
            low, high = _interval(grows, n_bootstrap, seed)
            rows.append((*group, *representation, len(grows), grows.mean(), low, high))
    columns = [*_GROUP, *_REPRESENTATION, "n_tasks", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def check_columns(table: pd.DataFrame, columns: Sequence[str], parameter: str) -> None:
    """Refuse a table without some column of scores."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(
            f"{parameter} has no column {missing[0]!r}; give a table of scores as it was computed."
        )


def _groups(scores: pd.DataFrame) -> Iterator[tuple[tuple, dict[tuple, pd.DataFrame]]]:
    """Yield groups of scores, and for each the scores by model and representation, in order."""
    check_columns(scores, ["task", *SCORED], "scores")
    # All variants of a scan of single substitutions are in the subset "1".
    counted = scores.loc[scores["subset"] != "all", "task"].unique()
    single = scores[(scores["rows"] == "variants") & ~scores["task"].isin(counted)]
    scores = pd.concat([scores, single.assign(subset="1")], ignore_index=True)
    for group, table in scores.groupby(_GROUP, sort=False):
        by_what = table.groupby(["model", *_REPRESENTATION], sort=False)
        yield group, {key: of_tasks.set_index("task") for key, of_tasks in by_what}


def _pairs(keys: list[tuple[str, str, str]]) -> Iterator[tuple[tuple, tuple]]:
    """Yield pairs of representations to compare, the larger or distilled one first."""
    models = [model for model in dict.fromkeys(key[0] for key in keys) if model]
    for own in keys:
        model, representation, fitted_on = own
        if not model or model == models[0]:
            continue
        if representation == "distilled":
            for other in keys:
                alike = other[0] == model and other != own and other[2] in ("", fitted_on)
                if alike or not other[0]:
                    yield own, other
        if representation in ("plain", "distilled"):
            smaller = models[models.index(model) - 1]
            for other in ((smaller, representation, fitted_on), (smaller, "plain", "")):
                if other in keys:
                    yield own, other
                    break


def _interval(values: NDArray, n_bootstrap: int, seed: int) -> tuple[float, float]:
    """Return the bounds of the 95 % bootstrap percentile interval of the mean.

    The same seed resamples all values alike. NaN where there are too few values.
    """
    if len(values) < _FEWEST:
        return np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(0, len(values), (n_bootstrap, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
