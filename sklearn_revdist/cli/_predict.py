"""Command `revdist predict`: predict new variants by a trained model, ranked."""

from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from ..assays._assay import read_variants, sequences_of_table
from ..assays._model import VariantModel
from ..displays._substitution_map import SubstitutionMapDisplay, figure_size
from ..probes._metrics import spearman
from ..sequences._fasta import read_fasta
from ..sequences._records import format_of_records
from ..sequences._variants import combine_mutants, mutants_of, mutate, single_substitutions
from ..tasks._targets import as_numbers
from ._console import note, print_json
from ._endings import INPUT, OUTPUT, as_usage, embedding, failing
from ._frames import frame_path, measured_figure, picture_path, write_frame, write_picture
from ._layer_options import read_reference
from ._model_options import device_option, store_option
from ._options import output_option, report_options
from ._outputs import refuse_json
from ._paths import STDIO, checked_path, refuse_input
from ._weights import fetch_weights_of

_OWN = "own"  # the wild type of the model


def _wild_type(context, parameter, text):
    return text if text in (None, _OWN) else read_reference(context, parameter, text)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("variants", type=click.Path(path_type=Path), required=False)
@click.option(
    "--saturate",
    is_flag=False,
    flag_value=_OWN,
    callback=_wild_type,
    help="Predict all single substitutions of the model's wild type, or of a sequence or FASTA "
    "file given here.",
)
@click.option(
    "--combine",
    type=click.IntRange(min=2),
    help="Predict combinations of so many of the best single substitutions (--top).",
)
@click.option("--top", default=50, type=click.IntRange(min=2), help="Substitutions to combine.")
@click.option("--sequence-column", help="Column of the sequences in a table.")
@click.option("--mutant-column", help="Column of mutants in a table without sequences.")
@output_option("A .csv or .parquet file", frame_path, default="-")
@click.option(
    "--plot",
    **checked_path(picture_path),
    help="A picture (.png, .svg or .pdf): with --saturate a map of all substitutions, else "
    "measurements in the table against predictions.",
)
@store_option("A store (.sqlite) to keep embeddings in.")
@device_option
@report_options("of counts on standard output")
def predict_command(
    model,
    variants,
    saturate,
    combine,
    top,
    sequence_column,
    mutant_column,
    output,
    plot,
    store,
    device,
    as_json,
    quiet,
):
    """Predict VARIANTS by MODEL, which `revdist train` wrote, best first.

    VARIANTS is a FASTA file or a table (CSV, Excel, Parquet) of sequences or mutants, of which all
    columns are kept; or leave it out and give --saturate or --combine. Each prediction comes with a
    standard deviation and a 90 % interval, and with a note if the variant is unlike those of the
    training, where the interval may be too narrow.

    \b
      revdist predict activity.model new_variants.csv -o predictions.csv
      revdist predict activity.model --saturate -o singles.csv --plot singles.png
      revdist predict activity.model --combine 2 -o pairs.csv
    """  # noqa: D301
    if sum([variants is not None, saturate is not None, combine is not None]) != 1:
        raise click.UsageError("Give one of a file of variants, --saturate and --combine.")
    if plot and combine is not None:
        raise click.UsageError("--plot needs --saturate, or measurements; leave it out.")
    refuse_json(output, "predictions", as_json)
    for path in (output, plot):
        refuse_input(path, model, variants)
    with failing(INPUT):
        trained = VariantModel.load(model)
    card = trained.card
    wild_type = card["wild_type"] if saturate in (None, _OWN) else saturate
    how: dict[str, Any] = {"store": store, "device": device, "verbose": not quiet}
    if variants is not None:
        with failing(INPUT):
            table, sequences = _read(variants, sequence_column, mutant_column, trained)
        if plot and _measured(table, card["target"]) is None:
            raise click.UsageError(
                f"--plot needs --saturate, or measurements in a column {card['target']!r}; leave "
                "it out."
            )
    elif wild_type is None:
        raise click.UsageError(
            "The model was trained on sequences of several lengths, so it has no wild type; give "
            "the sequence, as in --saturate wild_type.fasta, or a file of variants."
        )
    fetch_weights_of(trained.estimator, quiet=quiet)
    if variants is None:
        table = (
            _singles(wild_type, card) if combine is None else _combined(trained, combine, top, how)
        )
        sequences = table["sequence"].tolist()
    table = _predicted(trained, table, sequences, how)
    measured = _measured(table, card["target"])
    with failing(OUTPUT):
        if plot:
            write_picture(_figure(trained, table, saturate, measured, how), plot)
        write_frame(table, output)
    report = {"n_predicted": len(table), "n_unlike": int((table["unlike"] != "").sum())}
    if measured is not None:
        known = np.isfinite(measured)
        y, of_known = measured[known], table[known]
        within = (of_known["lower_90"] <= y) & (y <= of_known["upper_90"])
        report["n_measured"] = int(known.sum())
        report["n_trained_on"] = int(of_known["sequence"].isin(trained.sequences).sum())
        report["spearman"] = spearman(y, of_known["predicted"])
        report["within_90"] = float(within.mean())
    if as_json:
        print_json(report)
        return
    _say(report, output)


def _read(path, sequence_column, mutant_column, trained) -> tuple[pd.DataFrame, list[str]]:
    """All columns of a file, and its sequences."""
    if format_of_records(path, None, sequence_column or mutant_column) == "fasta":
        names, sequences = read_fasta(path)
        return pd.DataFrame({"name": names}), list(sequences)
    table = read_variants(path, sequence_column, mutant_column)
    sequences = sequences_of_table(
        table,
        path,
        sequence_column,
        mutant_column,
        trained.card["wild_type"],
        trained.card["first_position"],
        trained.unknown,
    )
    wild_type = trained.card["wild_type"]
    for place, sequence in zip(table.index, sequences, strict=True):
        if wild_type is not None and len(sequence) != len(wild_type):
            raise ValueError(
                f"{place}: the sequence has {len(sequence)} residues, but the wild type of the "
                f"model has {len(wild_type)}; give variants of that length."
            )
    return table, sequences


def _singles(wild_type, card) -> pd.DataFrame:
    mutants = single_substitutions(wild_type, first_position=card["first_position"])
    sequences = mutate(wild_type, mutants, first_position=card["first_position"])
    return pd.DataFrame({"mutant": mutants, "sequence": sequences})


def _combined(trained, combine, top, how) -> pd.DataFrame:
    """Combinations of the best substitutions that are like those of the training."""
    card = trained.card
    singles = _singles(card["wild_type"], card)
    with embedding():
        predicted = trained.predict(singles["sequence"].tolist(), **how)
    familiar = predicted[predicted["unlike"] == ""]
    order = (familiar if len(familiar) >= combine else predicted)["predicted"].sort_values(
        ascending=card["lower_is_better"], kind="stable"
    )
    best = singles["mutant"][order.index[:top]].tolist()
    mutants = as_usage(combine_mutants, best, combine)
    if not mutants:
        raise click.UsageError(
            f"The best {len(best)} substitutions are at fewer than {combine} positions; combine "
            "more of them (--top)."
        )
    sequences = mutate(card["wild_type"], mutants, first_position=card["first_position"])
    return pd.DataFrame({"mutant": mutants, "sequence": sequences})


def _predicted(trained, table, sequences, how) -> pd.DataFrame:
    """The table with predictions, best first."""
    card = trained.card
    with embedding():
        predictions = trained.predict(sequences, **how)
    best_first = predictions["predicted"].rank(method="min", ascending=card["lower_is_better"])
    predictions.insert(0, "rank", best_first.astype(int))
    new = {"sequence": sequences}
    if card["wild_type"] is not None:
        named = {"first_position": card["first_position"]}
        new["mutant"] = mutants_of(card["wild_type"], sequences, **named)
    for name, column in new.items():
        if name not in table:
            predictions.insert(0, name, column)
    if clash := [name for name in predictions if name in table]:
        raise click.UsageError(
            f"The table has a column {clash[0]!r}, as the predictions have; rename it."
        )
    joined = pd.concat([table.reset_index(drop=True), predictions], axis=1)
    return joined.sort_values("rank", kind="stable", ignore_index=True)


def _measured(table, target) -> Any:
    """Measurements in the table, if it has any."""
    if target not in table:
        return None
    numbers = as_numbers(table[target].astype(str).tolist())
    return numbers if np.isfinite(numbers).sum() > 1 else None


def _figure(trained, table, saturate, measured, how) -> Any:
    from matplotlib.figure import Figure

    target = trained.card["target"]
    if saturate is not None:
        value = trained.card["wild_type_target"]
        if value is None:
            with embedding():
                value = trained.predict([trained.card["wild_type"]], **how)["predicted"].item()
        size = figure_size(len(trained.card["wild_type"]))
        figure = Figure(figsize=size, layout="constrained")
        SubstitutionMapDisplay.from_predictions(
            table["mutant"],
            table["predicted"],
            wild_type_value=value,
            label=f"predicted {target}",
            ax=figure.subplots(),
        )
        return figure
    known = np.isfinite(measured)
    return measured_figure(measured[known], table["predicted"][known], target)


def _say(report, output) -> None:
    n_unlike = f"; {report['n_unlike']} are unlike the training (column unlike)"
    where = "" if output == STDIO else f"{output}: "
    note(f"{where}{report['n_predicted']} predictions{n_unlike if report['n_unlike'] else ''}")
    if "spearman" in report:
        note(
            f"Of {report['n_measured']} measurements in the table, {report['within_90']:.0%} lie "
            f"within their 90 % intervals; Spearman correlation {report['spearman']:.3f}"
        )
        if report["n_trained_on"]:
            note(
                f"{report['n_trained_on']} of them were trained on, and are predicted close to "
                "what was measured, so they do not test the model"
            )
