"""Command `revdist info`: what is in a distiller, or in a model of an assay."""

import os
from typing import Any

import click
import numpy as np
import pandas as pd

from ..assays._saved_model import is_model, read_card
from ..distillation._saved_chain import read_description
from ._console import print_json, print_table
from ._distillers import distiller_name, read_distiller
from ._endings import INPUT, failing
from ._options import report_options
from ._words import short_names

_HEADS = {
    "model": "model",
    "width": "width",
    "prefix_length": "prefix",
    "r2": "training R2",
    "variance_kept": "variance kept",
    "rank": "rank",
    "alpha": "penalty",
}


@click.command()
@click.argument("file")
@report_options("instead of a table")
def info_command(file, as_json, quiet):
    """Show what is in FILE, a distiller or a model of an assay.

    A model is what `revdist train` wrote: its measurements, features and scores. A distiller is a
    file that `revdist fit` wrote, a folder of published weights, or demo. For each model: its
    width, the length of the prefix that ends with it, how well the smaller models
    predict it (training R2), and the share of the residual variance that its new columns keep.
    """
    with failing(INPUT):
        is_assay = os.path.exists(file) and is_model(file)
        report = read_card(file) if is_assay else report_of(file)
    if as_json:
        print_json(report)
        return
    show = _show_card if is_assay else _show_distiller
    show(report)
    if report["versions"]:
        versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
        click.echo(f"\nWritten by {versions}.")


def _show_distiller(report: dict[str, Any]) -> None:
    """Print what is to be known of a distiller."""
    click.echo(described(report))
    if report["weight"] is not None and report["rows"] is None:
        click.echo("The file does not say whether the rows were residues or whole proteins.")
    click.echo()
    cells = [[_cell(model[key]) for key in _HEADS] for model in report["models"]]
    print_table([[*_HEADS.values()], *cells], n_left=1)


def _show_card(card: dict[str, Any]) -> None:
    """Print what is to be known of a model of an assay."""
    embedders = ", ".join(card["embedders"]) or "no language model"
    wild_type = card["wild_type"]
    lengths = "of several lengths" if wild_type is None else f"of {len(wild_type)} residues"
    click.echo(f"Model of {card['target']!r} in {card['assay']!r}, {short_names(embedders)}")
    click.echo(f"{card['n_variants']} measurements of proteins {lengths}\n")
    table = pd.DataFrame.from_dict(card.get("spearman", {}), orient="index")
    cells = [["Spearman correlation", *table.columns]]
    cells += [[name, *(f"{score:.3f}" for score in scores)] for name, *scores in table.itertuples()]
    print_table(cells, n_left=1)


def report_of(path: str | os.PathLike) -> dict[str, Any]:
    """What is in a distiller, as plain values."""
    path = distiller_name(os.fspath(path))
    distiller = read_distiller(path)
    described = {} if path != "demo" and os.path.isdir(path) else read_description(path)
    parameters = described.get("parameters", {})
    levels = {
        "r2": distiller.r2_,
        "variance_kept": distiller.explained_variance_ratio_,
        "rank": distiller.ranks_,
        "alpha": distiller.alphas_,
        "condition": distiller.conditions_,
    }
    columns = {
        "model": distiller.model_names_,
        "width": distiller.dims_.tolist(),
        "prefix_length": distiller.prefix_lengths_.tolist(),
        **{name: [None, *map(_known, values)] for name, values in levels.items()},
    }
    return {
        "n_columns_in": int(distiller.n_features_in_),
        "n_columns_out": int(distiller.prefix_lengths_[-1]),
        "regressor": parameters.get("regressor"),
        "n_new": parameters.get("n_new"),
        "residual": distiller.residual,
        "weight": described.get("weight"),
        "rows": described.get("rows"),
        "models": [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ],
        "versions": described.get("versions", {}),
    }


def described(report: dict[str, Any]) -> str:
    """Describe a distiller in one line."""
    regressor = report["regressor"] or "published weights"
    joint = ", joint residuals" if report["residual"] == "joint" else ""
    counted = [] if report["weight"] is None else [f"{report['weight']:g}", "rows"]
    if report["rows"]:
        counted[1:] = [report["rows"]]
    rows = f", fitted on {' '.join(counted)}" if counted else ""
    return (
        f"{len(report['models'])} models, {report['n_columns_in']} columns to "
        f"{report['n_columns_out']}, {regressor}{joint}{rows}"
    )


def _known(number: Any) -> float | None:
    """A number of Python's, or None where it is not known."""
    return None if number is None or not np.isfinite(number) else np.asarray(number).item()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else short_names(str(value))
