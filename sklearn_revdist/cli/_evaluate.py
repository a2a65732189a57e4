"""Command `revdist evaluate`: the paper's tables for any chain and any tasks."""

from functools import partial
from itertools import chain as flatten
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ..displays._scaling import ScalingDisplay
from ..distillation._reverse_distiller import ReverseDistiller
from ..evaluation._evaluate import checked_tasks, evaluate
from ..evaluation._model_free import MODEL_FREE
from ..evaluation._representations import FITTED_ON, REPRESENTATIONS
from ..evaluation._score_files import write_scores
from ..evaluation._splits import SPLITS
from ..evaluation._summary import growth, mean_scores, win_rates
from ..evaluation._task_embeddings import check_models
from ..matrix._moments import Moments
from ..matrix._residue_moments import residue_columns, sum_residues
from ..sequences._draw import draw_proteins
from ..sequences._records import read_records
from ..tasks._task import Task
from ..tasks._task_list import task_readers
from ..utils._fingerprint import fingerprint
from ..utils._parts import Parts
from ._chains import chain_of, make_embedder
from ._console import note, print_json
from ._distillers import read_distiller
from ._endings import INPUT, OUTPUT, as_usage, embedding, failing
from ._frames import json_rows, write_panels
from ._layer_options import layer_option, pooling_options
from ._model_options import (
    chain_option,
    device_options,
    max_length_option,
    regressor_option,
    store_option,
)
from ._option_groups import gathered
from ._options import LISTED, SETTINGS, folder_option, folds_option, scoring_options, tasks_options
from ._paths import checked_path, readable
from ._summary import print_summary
from ._weights import fetch_weights

_KIND = ["rows", "metric", "split"]
_DRAWN = ("plain", "distilled", "jump", "concat_pca", "concat", *MODEL_FREE)


def _listed(known):
    """Make a callback that reads a list of known words, separated by commas."""

    def read(_context, _parameter, text):
        words = tuple(text.split(","))
        unknown = [word for word in words if word not in known]
        if unknown:
            raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(known)}.")
        return words

    return read


@click.command()
@tasks_options
@chain_option("--chain")
@click.option("--distiller", help="A fitted distiller: a file, a folder, or 'demo'.")
@click.option(
    "--fit-on",
    **checked_path(readable),
    multiple=True,
    help="File of natural proteins (FASTA, CSV, TSV or Parquet): the distiller and the baselines "
    "are fitted on their residues; may be given several times.",
)
@click.option(
    "--fit-sequences",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=1000,
    help="How many of them are drawn, as with `revdist fit --sequences`.",
)
@regressor_option
@click.option(
    "--representations",
    default=",".join((*REPRESENTATIONS, *MODEL_FREE)),
    callback=_listed((*REPRESENTATIONS, *MODEL_FREE)),
    help="Representations to score.",
)
@click.option(
    "--fitted-on",
    default=",".join(FITTED_ON),
    callback=_listed(FITTED_ON),
    help="What the maps are fitted on: natural (the data of the distiller), fold (each training "
    "fold), or both.",
)
@click.option(
    "--splits",
    default="random",
    callback=_listed(SPLITS[1:]),
    help="Splits of tasks that have none of their own: random, contiguous, modulo.",
)
@folds_option
@folder_option(
    "tables, figure, embeddings and what is needed to go on after a stop",
    default=Path("evaluation"),
)
@store_option("Store of embeddings; default: in --output.")
@layer_option
@pooling_options
@device_options
@max_length_option("Residues beyond which a sequence is embedded in windows.")
@scoring_options("with the tables, instead of a summary")
@gathered(listed=LISTED, settings=SETTINGS)
def evaluate_command(
    tasks,
    listed,
    models,
    alone,
    distiller,
    fit_on,
    fit_sequences,
    regressor,
    output,
    store,
    settings,
    as_json,
    quiet,
    **scoring,
):
    """Score plain, distilled and baseline embeddings of every size on TASKS.

    TASKS is a folder of ProteinGym scans, one such file (CSV, TSV, Excel or Parquet), or a TOML
    file that lists tasks of any kind. --target and --sequence-column name the columns of other
    tables: those with mutants are scans, and the others proteins. Mutants without sequences need
    the wild type (--reference). Everything is read and checked before anything is embedded; files
    and tasks that are skipped are named on standard error, and rows that are left out are counted.
    Each task is done by itself: after an interruption the same command goes on where it was, and
    once all is done it only prints.

    In --output: scores.csv has every score; means.csv, wins.csv and growth.csv summarise them with
    95 % bootstrap intervals over tasks; tasks.csv describes each task, and how many rows were
    left out and why; scaling.png is a picture of the means, if matplotlib is installed.

    \b
      revdist evaluate DMS_ProteinGym_substitutions -m 650M --fit-on uniref50.fasta
      revdist evaluate variants.xlsx --target "log2 fold" --sequence-column Protein -m 650M
      revdist evaluate tasks.toml -m demo --distiller demo --splits random,contiguous,modulo
    """  # noqa: D301
    if distiller and fit_on:
        raise click.UsageError("--distiller is fitted already; leave out --distiller or --fit-on.")
    embedder = make_embedder(chain_of(models, alone=alone), {**settings, "verbose": not quiet})
    with failing(INPUT):
        reference = None if tasks.suffix == ".toml" else embedder.reference
        read = []
        for reader in task_readers(tasks, **listed, reference=reference, unknown=embedder.unknown):
            task = reader()
            read.append(task)
            if task.excluded:
                note(f"Left out of {task.name!r}: {_left_out(task)}.")
        described = pd.DataFrame([_described(task) for task in read])
        read = list(checked_tasks(read, scoring["splits"], scoring["n_folds"]))
    with failing(OUTPUT):
        output.mkdir(parents=True, exist_ok=True)
        write_scores(described, output / "tasks.csv")
    embedder.set_params(store=store or output / "embeddings.sqlite")
    fitted = ReverseDistiller(regressor=regressor)
    if distiller:
        with failing(INPUT):
            fitted = read_distiller(distiller)
        with embedding():
            for task in read:
                as_usage(check_models, task, embedder, fitted)
    fetch_weights(embedder, quiet=quiet)
    if fit_on:
        moments = _natural_moments(fit_on, fit_sequences, embedder, output)
        fitted.fit_moments(moments, residue_columns(embedder))
    with embedding():
        scores = evaluate(
            _announced(read),
            embedder,
            fitted,
            output=output / "tasks",
            verbose=not quiet,
            **scoring,
        )
    means, wins = mean_scores(scores), win_rates(scores)
    tables = {"scores": scores, "means": means, "wins": wins, "growth": growth(scores)}
    with failing(OUTPUT):
        for name, table in tables.items():
            write_scores(table, output / f"{name}.csv")
        kinds = means[means["subset"] == "all"].groupby(_KIND, sort=False)
        panels = (partial(_draw, kind) for _, kind in kinds)
        drawn = write_panels(panels, output / "scaling.png", dpi=150)
    if as_json:
        contents = {name: json_rows(table) for name, table in tables.items()}
        print_json({"output": str(output), **contents})
        return
    print_summary(means, wins)
    click.echo(f"\nTables{' and figure' if drawn else ''}: {output.absolute()}")


def _announced(tasks):
    """Yield the tasks, and name each when it begins."""
    for i, task in enumerate(tasks, start=1):
        note(f"{i}/{len(tasks)} {task.name}")
        yield task


def _natural_moments(files, n_proteins, embedder, folder) -> Moments:
    """Moments of the residues of proteins drawn from files, kept for the next run."""
    with failing(INPUT):
        records = flatten.from_iterable(map(read_records, files))
        draw = draw_proteins((sequence for _, sequence in records), n_proteins)
    with embedding():
        kept = Parts(folder / "moments", fingerprint(embedder, draw.proteins)[:32])
        if not kept.numbers():
            note(f"Residues of {draw}")
        return sum_residues([draw.proteins], embedder, kept)


def _described(task: Task) -> dict:
    return {
        "task": task.name,
        "rows": task.rows,
        "metric": task.metric,
        "n_rows": len(task.target),
        "n_sequences": len(task.sequences),
        "longest": max(map(len, task.sequences)),
        "n_classes": len(set(task.target)) if task.kind != "regression" else 0,
        "left_out": _left_out(task),
    }


def _left_out(task: Task) -> str:
    return "; ".join(f"{reason}: {n}" for reason, n in task.excluded.items())


def _draw(means: pd.DataFrame, ax: Any) -> None:
    """Draw the panel of a kind of tasks."""
    ScalingDisplay.from_table(means, representations=_DRAWN, ax=ax)
