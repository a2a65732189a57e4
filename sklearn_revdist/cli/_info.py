"""Command `revdist info`: what is in a distiller."""

import json
import os
from typing import Any

import click
import numpy as np

from ..distillation._reverse_distiller import ReverseDistiller
from ..distillation._saved_chain import read_description
from ._console import INPUT, failing
from ._options import json_option


@click.command()
@click.argument("distiller")
@json_option("instead of a table")
def info(distiller, as_json):
    """Tell what is in DISTILLER.

    DISTILLER is a file that `revdist fit` wrote, a folder of published weights, or demo. For each
    model: its width, the length of the prefix that ends with it, how well the smaller models
    predict it (R2, held-in), and the share of the rest's variance that its new columns keep.
    """
    with failing(INPUT):
        report = report_of(distiller)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(described(report))
    click.echo()
    heads = ("model", "width", "prefix", "R2", "variance kept", "rank", "penalty")
    keys = ("model", "width", "prefix_length", "r2", "variance_kept", "rank", "alpha")
    lines = [heads, *([_cell(model[key]) for key in keys] for model in report["models"])]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for model, *numbers in lines:
        cells = [model.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]
        click.echo("  ".join(cells).rstrip())
    if report["versions"]:
        told = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
        click.echo(f"\nWritten by {told}.")


def report_of(path: str | os.PathLike) -> dict[str, Any]:
    """What is in a distiller, as plain values."""
    distiller = ReverseDistiller.from_pretrained(path)
    described = {} if path != "demo" and os.path.isdir(path) else read_description(path)
    levels = zip(
        distiller.r2_,
        distiller.explained_variance_ratio_,
        distiller.ranks_,
        distiller.alphas_,
        distiller.conditions_,
        strict=True,
    )
    none = (None,) * 5
    models = [
        {
            "model": name,
            "width": int(width),
            "prefix_length": int(length),
            "r2": _known(r2),
            "variance_kept": _known(kept),
            "rank": None if rank is None else int(rank),
            "alpha": _known(alpha),
            "condition": _known(condition),
        }
        for name, width, length, (r2, kept, rank, alpha, condition) in zip(
            distiller.model_names_,
            distiller.dims_,
            distiller.prefix_lengths_,
            [none, *levels],
            strict=True,
        )
    ]
    return {
        "n_columns_in": int(distiller.n_features_in_),
        "n_columns_out": int(distiller.prefix_lengths_[-1]),
        "regressor": described.get("parameters", {}).get("regressor"),
        "n_new": described.get("parameters", {}).get("n_new"),
        "weight": described.get("weight"),
        "models": models,
        "versions": described.get("versions", {}),
    }


def described(report: dict[str, Any]) -> str:
    """One line about a distiller."""
    regressor = report["regressor"] or "published weights"
    rows = "" if report["weight"] is None else f", fitted on {report['weight']:g} rows"
    return (
        f"{len(report['models'])} models, {report['n_columns_in']} columns to "
        f"{report['n_columns_out']}, {regressor}{rows}"
    )


def _known(number: float | None) -> float | None:
    return None if number is None or not np.isfinite(number) else float(number)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
