"""Command `revdist evaluate`: the paper's tables for any chain and any tasks."""

import hashlib
from pathlib import Path

import click
import numpy as np
import pandas as pd

from ._embedder import ESMEmbedder
from ._evaluation import evaluate, write_scores
from ._moments import Moments
from ._representations import FITTED_ON, REPRESENTATIONS
from ._reverse_distiller import ReverseDistiller
from ._sequences import read_fasta
from ._splits import SPLITS
from ._summary import growth, mean_scores, win_rates
from ._task_list import task_readers
from ._tasks import Task, wrong_letter

_PATH = click.Path(exists=True, path_type=Path)


def _listed(known):
    """Callback that reads a list of known words, separated by commas."""

    def read(_context, _parameter, text):
        words = tuple(text.split(","))
        unknown = [word for word in words if word not in known]
        if unknown:
            raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(known)}.")
        return words

    return read


@click.command(name="evaluate")
@click.argument("tasks", type=_PATH)
@click.option("--data", type=_PATH, help="Folder that paths in a list of tasks are relative to.")
@click.option("--chain", default="650M", show_default=True, help="Chain of models.")
@click.option("--distiller", help="A fitted distiller: a file, a folder, or 'demo'.")
@click.option(
    "--fit-on",
    type=_PATH,
    multiple=True,
    help="FASTA file of natural proteins, on whose residues the distiller and its rivals are "
    "fitted; may be given several times.",
)
@click.option("--fit-sequences", default=1000, show_default=True, help="How many of them.")
@click.option(
    "--regressor",
    type=click.Choice(["ols", "ridge", "pcr"]),
    default="ridge",
    show_default=True,
    help="Regressor of the distiller that is fitted.",
)
@click.option(
    "--representations",
    default=",".join(REPRESENTATIONS),
    show_default=True,
    callback=_listed(REPRESENTATIONS),
    help="What is scored.",
)
@click.option(
    "--fitted-on",
    default=",".join(FITTED_ON),
    show_default=True,
    callback=_listed(FITTED_ON),
    help="What maps are fitted on: the distiller's data, each training fold, or both.",
)
@click.option(
    "--splits",
    default="random",
    show_default=True,
    callback=_listed(SPLITS[1:]),
    help="Splits of tasks without one of their own: random, contiguous, modulo.",
)
@click.option("--folds", default=5, show_default=True, help="Number of folds.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("evaluation"),
    show_default=True,
    help="Folder for tables, figures, embeddings and what is needed to go on after a stop.",
)
@click.option(
    "--store", type=click.Path(path_type=Path), help="Store of embeddings; default: in --output."
)
@click.option("--device", help="Device of torch, as in cuda:1.")
@click.option("--max-length", type=int, help="Residues beyond which a sequence is cut up.")
@click.option(
    "--unknown",
    type=click.Choice(["error", "mask", "X"]),
    default="error",
    show_default=True,
    help="What becomes of ambiguous residues.",
)
@click.option("--skip-invalid", is_flag=True, help="Leave out bad rows, and count them.")
@click.option("--jobs", default=1, show_default=True, help="Probes fitted at a time.")
def evaluate_command(
    tasks,
    data,
    chain,
    distiller,
    fit_on,
    fit_sequences,
    regressor,
    representations,
    fitted_on,
    splits,
    folds,
    output,
    store,
    device,
    max_length,
    unknown,
    skip_invalid,
    jobs,
):
    """Score plain, distilled and rival embeddings of every size on TASKS.

    TASKS is a folder of ProteinGym's scans, one such file, or a TOML file that lists tasks of
    any kind. Each task is done by itself: after an interruption the same command goes on where
    it was, and once all is done it only prints.

    In --output: scores.csv has every score; means.csv, wins.csv and growth.csv sum them up with
    95 % bootstrap intervals over tasks; tasks.csv says what each task is, and how many rows were
    left out and why; scaling.png is a picture of the means.
    """
    if distiller and fit_on:
        raise click.UsageError("--distiller is fitted already; leave it or --fit-on out.")
    try:
        readers = task_readers(tasks, data=data, unknown=unknown, skip_invalid=skip_invalid)
        output.mkdir(parents=True, exist_ok=True)
        embedder = ESMEmbedder(
            chain if "," not in chain else chain.split(","),
            device=device,
            max_length=max_length,
            unknown=unknown,
            store=store or output / "embeddings.sqlite",
        )
        if distiller:
            fitted = ReverseDistiller.from_pretrained(distiller)
        elif fit_on:
            fitted = ReverseDistiller(regressor=regressor)
            moments = natural_moments(fit_on, fit_sequences, embedder, output)
            fitted.fit_moments(moments, embedder.get_feature_names_out())
        else:
            fitted = ReverseDistiller(regressor=regressor)
        tables, described = [], []
        for i, read in enumerate(readers, start=1):
            task = read()
            click.echo(f"{i}/{len(readers)} {task.name}", err=True)
            described.append(_described(task))
            table = evaluate(
                [task],
                embedder,
                fitted,
                representations=representations,
                fitted_on=fitted_on,
                splits=splits,
                n_folds=folds,
                output=output / "tasks",
                n_jobs=jobs,
            )
            tables.append(table)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    scores = pd.concat(tables, ignore_index=True)
    means, wins, grows = mean_scores(scores), win_rates(scores), growth(scores)
    for name, table in {
        "scores": scores,
        "tasks": pd.DataFrame(described),
        "means": means,
        "wins": wins,
        "growth": grows,
    }.items():
        write_scores(table, output / f"{name}.csv")
    _report(means, wins, grows)
    click.echo(f"\nTables and figures: {output.absolute()}")


def natural_moments(
    files: tuple[Path, ...], n_sequences: int, embedder: ESMEmbedder, folder: Path, seed: int = 0
) -> Moments:
    """Moments of the residues of proteins drawn from files, kept in a folder for the next time."""
    sequences = sorted(
        {
            sequence.upper()
            for file in files
            for sequence in read_fasta(file)[1]
            if wrong_letter(sequence, "error") is None and len(sequence) <= 1022
        }
    )
    if len(sequences) > n_sequences:
        drawn = np.random.default_rng(seed).choice(len(sequences), n_sequences, replace=False)
        sequences = [sequences[i] for i in drawn]
    settings = {**embedder.get_params(), "store": None, "device": None}
    told = hashlib.sha256("\n".join([repr(sorted(settings.items())), *sequences]).encode())
    path = folder / f"moments-{told.hexdigest()[:12]}.npz"
    if not path.exists():
        click.echo(f"Residues of {len(sequences)} natural proteins", err=True)
        moments = Moments.zeros(len(embedder.get_feature_names_out()))
        for rows, _ in embedder.iter_residues(sequences):
            moments += Moments.of(rows)
        part = path.with_suffix(".part.npz")
        np.savez(part, weight=moments.weight, mean=moments.mean, scatter=moments._square())
        part.replace(path)
    with np.load(path) as kept:
        return Moments(float(kept["weight"]), kept["mean"], scatter=kept["scatter"])


def _described(task: Task) -> dict:
    return {
        "task": task.name,
        "rows": task.rows,
        "metric": task.metric,
        "n_rows": len(task.target),
        "n_sequences": len(task.sequences),
        "longest": max(map(len, task.sequences)),
        "n_classes": len(set(task.target)) if task.kind == "classification" else 0,
        "left_out": "; ".join(f"{reason}: {n}" for reason, n in task.excluded.items()),
    }


def _report(means: pd.DataFrame, wins: pd.DataFrame, grows: pd.DataFrame) -> None:
    """Print the means over tasks, one line a size and one column a representation."""
    for group, table in means[means["subset"] == "all"].groupby(
        ["rows", "metric", "split"], sort=False
    ):
        label = table["representation"] + np.where(
            table["fitted_on"] == "", "", " (" + table["fitted_on"] + ")"
        )
        wide = table.assign(label=label).pivot(index="model", columns="label", values="score")
        wide = wide.loc[table["model"].unique(), label.unique()]
        click.echo(f"\nMean {group[1]} of {table['n_tasks'].max()} tasks ({group[0]}, {group[2]}):")
        click.echo(wide.T.round(3).to_string(na_rep=""))
