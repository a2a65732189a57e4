"""Command `revdist layers`: which layer of each model predicts best."""

from collections.abc import Hashable
from functools import partial
from typing import Any

import click
import pandas as pd

from ..displays._axes import short_name
from ..displays._layer_curve import LayerCurveDisplay
from ..evaluation._layer_scores import layer_scores
from ..evaluation._score_files import write_scores
from ..evaluation._splits import SPLITS, checked_folds
from ..evaluation._task_embeddings import comparing
from ..tasks._task import Task
from ..tasks._task_list import task_readers
from ._chains import chain_of, make_embedder
from ._console import note, print_json
from ._endings import INPUT, OUTPUT, as_usage, embedding, failing
from ._frames import json_rows, write_panels
from ._layer_options import layers_option, pooling_options
from ._model_options import chain_option, device_options, store_option
from ._option_groups import gathered
from ._options import LISTED, folder_option, folds_option, scoring_options, tasks_options
from ._weights import fetch_weights


@click.command()
@tasks_options
@chain_option()
@layers_option
@pooling_options
@click.option(
    "--split",
    type=click.Choice(SPLITS[1:]),
    default="random",
    help="Split of tasks that have none of their own.",
)
@folds_option
@folder_option("layers.csv and layers.png")
@store_option("A store (.sqlite) to take embeddings from and to keep those of all layers in.")
@device_options
@scoring_options("with the tables")
@gathered(listed=LISTED)
def layers_command(
    tasks,
    listed,
    models,
    alone,
    layers,
    split,
    n_folds,
    output,
    n_jobs,
    as_json,
    quiet,
    **settings,
):
    """Score every layer of every model on TASKS.

    TASKS is what `revdist evaluate` takes: a table with a column of sequences and one of
    measurements, which --target names, a folder of such tables or of ProteinGym scans, or a TOML
    file that lists tasks, of proteins here. Mutants without sequences need the wild type
    (--reference). Each model is scored alone, on the same folds, and all its layers are embedded in
    one pass. The gain of a layer is its difference to the last one, with a 95 % interval over
    folds, which does not know that the best was chosen; use a layer by --layer of the other
    commands.

    \b
      revdist layers variants.csv --target fitness -m 650M
      revdist layers scan.csv -m 650M --split contiguous
      revdist layers scan.csv -m demo --pooling sites_difference -o layers
    """  # noqa: D301
    chain = chain_of(models, alone=alone)
    embedder = make_embedder(chain, {**settings, "verbose": not quiet})
    if layers:
        with embedding():
            as_usage(make_embedder(chain, {}).layer_numbers, layers)
    with failing(INPUT):
        reference = None if tasks.suffix == ".toml" else embedder.reference
        readers = task_readers(tasks, **listed, reference=reference, unknown=embedder.unknown)
        read = [reader() for reader in readers]
        folds = [_folds(task, split, n_folds) for task in read]
    fetch_weights(embedder, quiet=quiet)
    tables = []
    for task, of_task in zip(read, folds, strict=True):
        note(task.name)
        with embedding():
            table = layer_scores(
                comparing(embedder, task),
                [task.sequences[i] for i in task.protein],
                task.target,
                layers=layers,
                cv=of_task,
                n_jobs=n_jobs,
                verbose=not quiet,
            )
        tables.append(table.assign(task=task.name)[["task", *table]])
        if not as_json:
            if len(read) > 1:
                click.echo(f"\n{task.name}")
            _report(table, task.metric)
    if as_json:
        contents = [_content(task, table) for task, table in zip(read, tables, strict=True)]
        print_json({"tasks": contents})
    if output:
        with failing(OUTPUT):
            output.mkdir(parents=True, exist_ok=True)
            write_scores(pd.concat(tables, ignore_index=True), output / "layers.csv")
            panels = (partial(_draw, table) for table in tables)
            write_panels(panels, output / "layers.png", dpi=200)


def _folds(task: Task, split: str, n_folds: int):
    if task.residue is not None:
        raise ValueError(f"{task.name!r} is of residues; list tasks of proteins.")
    found = checked_folds(task, (split,), n_folds)
    if not found:
        raise ValueError(
            f"{task.name!r} has no positions of single substitutions, which the split {split!r} "
            "needs; choose 'random'."
        )
    return next(iter(found.values()))


def _best(table: pd.DataFrame) -> dict[Hashable, int]:
    """Row of the best layer of each model."""
    return table.groupby("model", sort=False)["score_mean"].idxmax().to_dict()


def _content(task: Task, table: pd.DataFrame) -> dict:
    """Table of a task for JSON, in which what is not known is null."""
    rows = json_rows(table.drop(columns="task"))
    best = {model: table.at[row, "layer"].item() for model, row in _best(table).items()}
    return {"task": task.name, "metric": task.metric, "best": best, "layers": rows}


def _report(table: pd.DataFrame, metric: str) -> None:
    """Print a table, and what the best layer of each model gains."""
    best_rows = _best(table)
    shown = table.drop(columns=["n_columns", "n_folds"])
    shown["model"] = shown["model"].map(short_name)
    shown = shown.rename(columns={"score_mean": metric, "score_std": "SD"})
    shown = shown.round(3).replace(-0.0, 0.0)
    shown[""] = ["best" if row in best_rows.values() else "" for row in table.index]
    text = shown.to_string(index=False, float_format="{:.3f}".format, na_rep="")
    click.echo("\n".join(line.rstrip() for line in text.splitlines()))
    for model, row in best_rows.items():
        best = table.loc[row]
        what = f"is better than the last by {best['gain']:.3f}, "
        if best["depth"] == 1:
            what = "is the best"
        elif best["n_folds"] == 1:
            what += "on one fold"
        elif best["gain_low"] > 0:
            what += "more than folds differ"
        else:
            what += "no more than folds differ"
        click.echo(f"{short_name(str(model))}: layer {best['layer']} {what}")


def _draw(table: pd.DataFrame, ax: Any) -> None:
    """Draw the panel of a task."""
    LayerCurveDisplay.from_scores(table, ax=ax)
    ax.set_title(table["task"].iloc[0])
