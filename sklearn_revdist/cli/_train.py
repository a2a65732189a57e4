"""Command `revdist train`: from a spreadsheet of measured variants to a model of them."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ..assays._assay import Assay, read_assay
from ..assays._comparison import Comparison, compare_features
from ..assays._model import VariantModel
from ..assays._variant_model import FEATURES, make_variant_model
from ._chains import chain_of, make_embedder
from ._console import note, print_json, print_table
from ._distillers import read_distiller
from ._endings import INPUT, OUTPUT, as_usage, embedding, failing
from ._frames import frame_path, measured_figure, picture_path, write_frame, write_picture
from ._layer_options import read_reference
from ._model_options import chain_option, device_options, store_option, unknown_option
from ._option_groups import gathered
from ._options import folds_option, report_options
from ._outputs import Kept
from ._paths import checked_path, file_only, refuse_input
from ._weights import fetch_weights_of

# What readers of assays and embedders are told.
_READING = ("target", "sequence_column", "mutant_column", "reference", "first_position", "unknown")
_SETTINGS = ("device", "dtype")

_SPLITS = {
    "random": "at random",
    "modulo": "by every fifth position",
    "contiguous": "by neighbouring positions",
}


@click.command()
@click.argument("assay", type=click.Path(path_type=Path))
@click.option("--target", help='Column of the measurements; default: "DMS_score".')
@click.option(
    "--sequence-column", help='Column of the sequences; default: "sequence" or "mutated_sequence".'
)
@click.option(
    "--mutant-column",
    help='Column of mutants, such as A24G:L30K, if there are no sequences; default: "mutant" or '
    '"variant".',
)
@click.option(
    "--reference",
    callback=read_reference,
    help="The wild type, as a sequence or a FASTA file; default: the most frequent residues.",
)
@click.option("--first-position", default=1, help="Number of the first residue in mutants.")
@chain_option()
@click.option(
    "--features",
    help=f"Features, with commas between: {', '.join(FEATURES)}; default: all that were of use in "
    "39 assays.",
)
@click.option("--distiller", help="A distiller that nests the embeddings: a file, or demo.")
@click.option("--lower-is-better", is_flag=True, help="The best variants have the lowest values.")
@folds_option
@click.option("-o", "--output", **checked_path(file_only), required=True, help="File of the model.")
@click.option(
    "--predictions",
    **checked_path(frame_path),
    help="A .csv or .parquet file for the cross-validated prediction of each row, with all columns "
    "of the spreadsheet.",
)
@click.option(
    "--plot",
    **checked_path(picture_path),
    help="A picture (.png, .svg or .pdf) of cross-validated predictions against measurements.",
)
@store_option("A store (.sqlite) to keep embeddings in.")
@device_options
@unknown_option("What to do with ambiguous residues.")
@report_options("of scores on standard output")
@gathered(reading=_READING, settings=_SETTINGS)
def train_command(
    assay,
    models,
    alone,
    features,
    distiller,
    lower_is_better,
    n_folds,
    output,
    predictions,
    plot,
    store,
    as_json,
    quiet,
    reading,
    settings,
):
    """Train a model on ASSAY, a spreadsheet of measured variants.

    ASSAY has sequences or mutants, and measurements, as CSV (commas, semicolons or tabs), Excel or
    Parquet. The model is cross-validated beside
    simpler ones: with variants left out at random and, if each has one substitution, with positions
    left out, which tells what predictions at other positions are worth. Then it is trained on all
    variants. Rows without a measurement are left out.

    \b
      revdist train assay.csv --target activity -m 650M -o activity.model
      revdist predict activity.model new_variants.csv -o predictions.csv
      revdist predict activity.model --saturate -o singles.csv --plot singles.png
    """  # noqa: D301
    for path in (output, predictions, plot):
        refuse_input(path, assay)
    with failing(INPUT):
        read = read_assay(assay, **reading)
        chosen = read_distiller(distiller) if distiller else None
    _note_what_was_read(read, reading["reference"] is not None)
    kept = Kept.beside(output)
    settings |= {"store": store or kept.store, "unknown": reading["unknown"], "verbose": not quiet}
    embedder = make_embedder(chain_of(models, alone=alone), settings)
    names = [name.strip().replace("-", "_") for name in features.split(",")] if features else None
    model = as_usage(
        partial(make_variant_model, embedder, features=names, reference=read.wild_type)
    )
    fetch_weights_of(model, quiet=quiet)
    how: dict[str, Any] = {"features": names, "distiller": chosen}
    with embedding():
        compared = compare_features(read, embedder, n_folds=n_folds, verbose=not quiet, **how)
        model = VariantModel.train(read, embedder, **how)
    table = _means(compared, "spearman")
    model.card |= {
        "file": assay.name,
        "columns": read.table.columns.tolist(),
        "first_position": reading["first_position"],
        "lower_is_better": lower_is_better,
        "n_folds": n_folds,
        "spearman": json.loads(table.to_json(orient="index")),
        "rmse": _means(compared, "rmse").iloc[0].to_dict(),
        "within_90": _means(compared, "within_90").iloc[0].to_dict(),
        "measured_range": [float(read.target.min()), float(read.target.max())],
    }
    with failing(OUTPUT):
        model.save(output)
        if predictions:
            write_frame(pd.concat([read.table, compared.predicted], axis=1), predictions)
        if plot:
            figure = measured_figure(read.target, compared.predicted["predicted"], read.target_name)
            write_picture(figure, plot)
    kept.remove()
    if as_json:
        report = {"model": str(output), "n_left_out": read.left_out, **model.card}
        print_json(report)
        return
    cells = [["features", *map(_SPLITS.get, table.columns)]]
    cells += [[name, *(f"{score:.3f}" for score in scores)] for name, *scores in table.itertuples()]
    click.echo(f"Spearman correlation, mean of {n_folds} folds:\n")
    print_table(cells, n_left=1)
    click.echo("")
    _print_advice(compared, model.card, read)
    click.echo(f"{output}: model of {read.target_name!r}, trained on all {len(read.target)} rows")


def _note_what_was_read(assay: Assay, given: bool) -> None:
    """Say what was read, and what was left out or assumed."""
    lengths = sorted(set(map(len, assay.sequences)))
    span = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
    n_distinct = len(set(assay.sequences))
    what = f"{len(assay.target)} measurements of {n_distinct} variants of {span} residues"
    note(f"{assay.name}: {what}")
    if assay.left_out:
        counted = ", ".join(f"{n} ({reason})" for reason, n in assay.left_out.items())
        note(f"Left out: {counted}")
    if assay.wild_type is None:
        note("Sequences differ in length, so positions are not compared.")
    elif not given:
        note(
            "The most frequent residue at each position is taken for the wild type; if it is not, "
            "give --reference."
        )


def _means(compared: Comparison, column: str) -> pd.DataFrame:
    """Means over folds, one row per set of features and one column per split."""
    means = compared.scores.groupby(["features", "split"], sort=False)[column].mean()
    return means.unstack(sort=False)


def _print_advice(compared: Comparison, card: dict[str, Any], assay: Assay) -> None:
    """Say what the scores mean; differences count if they exceed two standard errors over folds."""
    rmse, within = card["rmse"]["random"], card["within_90"]["random"]
    click.echo(
        f"A prediction of a variant like these is wrong by {rmse:.3g} (root mean square, in units "
        f"of {assay.target_name!r}, whose standard deviation is {assay.target.std():.3g}); "
        f"{within:.0%} of the measurements lie within their 90 % intervals."
    )
    table = compared.scores
    scores = table.pivot(index=["split", "fold"], columns="features", values="spearman")
    scores = scores[table["features"].unique()]
    whole = scores.iloc[:, 0]
    if not _exceeds_zero(whole["random"]):
        click.echo(
            "Rows left out at random are predicted no better than by chance; measure more "
            "variants, or try other features or models."
        )
    if "contiguous" in whole:
        within = card["within_90"]["contiguous"]
        click.echo(
            f"At positions without measurements expect less: {within:.0%} lie within, and the "
            f"correlation is {whole['contiguous'].mean():.2f}."
        )
    for split in table["split"].unique():
        of_folds = scores.loc[split]
        best = str(of_folds.mean().idxmax())
        score, of_all = of_folds[best].mean(), of_folds.iloc[:, 0]
        if score > 0 and _exceeds_zero(of_folds[best] - of_all):
            click.echo(
                f"With rows left out {_SPLITS[split]}, {best} alone predicts better "
                f"({score:.3f}, all features {of_all.mean():.3f}); to train it alone, add "
                f"--features {best.replace(' + ', ',')}."
            )


def _exceeds_zero(values: pd.Series) -> bool:
    """Whether the mean over folds exceeds zero by more than two standard errors."""
    return bool(values.mean() > 2 * values.sem())
