"""Summary of `revdist evaluate`: means and wins; what is fitted on the same data is together."""

from collections.abc import Iterator

import click
import numpy as np
import pandas as pd

from ..displays._axes import short_name
from ..evaluation._model_free import MODEL_FREE
from ..evaluation._representations import FITTED_ON, REPRESENTATIONS
from ..evaluation._summary import NESTED
from ._console import print_table

_KIND = ["rows", "metric", "split"]
_DATA = {
    "": "not fitted",
    "natural": "fitted on natural data",
    "fold": "fitted on each training fold",
}
_SMALLER = "the next smaller one"
_ORDER = [*REPRESENTATIONS, *MODEL_FREE, _SMALLER]


def print_summary(means: pd.DataFrame, wins: pd.DataFrame) -> None:
    """Print the means over tasks, and in how many of them the distilled embedding wins.

    Parameters
    ----------
    means, wins : DataFrame
        As :func:`mean_scores` and :func:`win_rates` return them.
    """
    means, wins = (table[table["subset"] == "all"] for table in (means, wins))
    for kind, table in means.groupby(_KIND, sort=False):
        rows, metric, split = kind
        n_tasks = table["n_tasks"].max()
        many = "" if n_tasks == 1 else "s"
        click.echo(f"\nMean {metric} of {n_tasks} task{many} ({rows}, {split} split):")
        of_models = table[table["model"] != ""]
        models = of_models["model"].unique().tolist()
        print_table([("", *map(short_name, models)), *_means(of_models, models)], n_left=1)
        if model_free := [
            f"{row.representation} {row.score:.3f}"
            for row in table[table["model"] == ""].itertuples()
        ]:
            click.echo(f"without a model: {', '.join(model_free)}")
        of_kind = wins[(wins[_KIND] == list(kind)).all(axis=1)]
        if not of_kind.empty and n_tasks > 1:
            click.echo(
                "\nTasks won (from six on their share, and its 95 % interval) over what is fitted "
                "on the\nsame data or not at all, and over what needs no model:"
            )
            print_table([("", *map(short_name, models[1:])), *_wins(of_kind, models[1:])], n_left=1)


def _means(table: pd.DataFrame, models: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield a line for each representation, under the data that it is fitted on."""
    scores = table.set_index(["representation", "fitted_on", "model"])["score"].to_dict()
    for data in _DATA:
        names = table.loc[table["fitted_on"] == data, "representation"].unique()
        if len(names):
            yield _DATA[data], *[""] * len(models)
        for name in sorted(names, key=_ORDER.index):
            found = {model: scores.get((name, data, model), np.nan) for model in models}
            if name in NESTED and np.isnan(found[models[0]]):
                found[models[0]] = scores.get(("plain", "", models[0]), np.nan)
            yield f"  {name}", *("" if np.isnan(s) else f"{s:.3f}" for s in found.values())


def _wins(wins: pd.DataFrame, models: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield a line for each rival, under what is compared with it."""
    headings = {("plain", ""): "plain, over"}
    for data in FITTED_ON:
        headings["distilled", data] = f"distilled, {_DATA[data]}, over"
    for (name, data), heading in headings.items():
        own = wins[(wins["representation"] == name) & (wins["fitted_on"] == data)]
        cells: dict[str, dict[str, str]] = {}
        for row in own.itertuples():
            is_smaller = row.rival_model not in ("", row.model)
            rival = _SMALLER if is_smaller else row.rival
            cells.setdefault(rival, {})[row.model] = _won(row)
        if cells:
            yield heading, *[""] * len(models)
        for rival in sorted(cells, key=_ORDER.index):
            yield f"  {rival}", *(cells[rival].get(model, "") for model in models)


def _won(row) -> str:
    if np.isnan(row.win_rate_low):
        return f"{row.win_rate * row.n_tasks:g} of {row.n_tasks}"
    return f"{row.win_rate:.3f} [{row.win_rate_low:.3f}, {row.win_rate_high:.3f}]"
