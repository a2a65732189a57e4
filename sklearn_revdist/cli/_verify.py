"""Command `revdist verify`: embeddings beside those of fair-esm, on the user's weights."""

import math
from importlib.metadata import version
from typing import Any

import click

from ..embedding._verify import verify_embeddings
from ._chains import chain_of, make_embedder
from ._console import print_json, print_table
from ._endings import embedding
from ._frames import json_rows
from ._model_options import chain_option, device_option
from ._options import report_options
from ._weights import fetch_weights
from ._words import short_names


@click.command()
@chain_option(families=False)
@device_option
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "bfloat16"]),
    default="float32",
    help="Precision of our computation; fair-esm's is float32, judged by float64.",
)
@report_options("instead of a table")
def verify_command(models, alone, device, dtype, as_json, quiet):
    """Prove on your weights and machine that the embeddings are right.

    fair-esm and this package embed the same sequences with each model of the chain. For residues
    and for means, the table has our largest difference from what fair-esm computes in float64, and
    that in units of fair-esm's own difference in float32, of which 8 are allowed; then the least
    cosine, the largest difference from published outputs of the model, where there are some (ESM-2
    8M to 3B, good to bfloat16), and how many times as fast as fair-esm we are.

    Ends with code 0 if all of it holds and with 1, and a sentence that says what differs and
    where, if not. Float64 takes its time on a CPU.

    \b
      revdist verify -m demo
      revdist verify -m 650M --alone --device cuda
      revdist verify -m ./my_model --json
    """  # noqa: D301
    chain = chain_of(models, alone=alone, families=False)
    fetch_weights(make_embedder(chain, {}), quiet=quiet)
    with embedding():
        table = verify_embeddings(chain, device=device, dtype=dtype, verbose=not quiet)
    rows = table.to_dict("records")
    if as_json:
        report = {
            "fair_esm": version("fair-esm"),
            "dtype": dtype,
            "holds": bool(table["holds"].all()),
            "models": json_rows(table),
        }
        print_json(report)
    else:
        print_table(_lines(rows), n_left=1)
    if findings := [row["finding"] for row in rows if not row["holds"]]:
        raise click.ClickException(" ".join(findings))
    if not as_json:
        click.echo(f"\n{_summary(rows)}")


def _lines(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the cells of each model, after those of the header."""
    heads = ("residues", "x fair-esm", "means", "x fair-esm", "cosine", "speed", "right")
    lines = [("model", *heads, "published outputs")]
    for row in rows:
        cells = (
            f"{row['rows_error']:.1e}",
            f"{row['rows_ratio']:.2f}",
            f"{row['means_error']:.1e}",
            f"{row['means_ratio']:.2f}",
            f"{row['cosine']:.6f}",
            f"x {row['speed']:.1f}",
            "yes" if row["holds"] else "NO",
        )
        lines.append((short_names(row["model"]), *cells, _published(row)))
    return lines


def _published(row: dict[str, Any]) -> str:
    if math.isnan(row["published_error"]):
        return "no published outputs"
    return f"{row['published_error']:.2g} away, {row['published_allowed']:.2g} allowed"


def _summary(rows: list[dict[str, Any]]) -> str:
    """What has been shown of models that are right."""
    n, n_published = len(rows), sum(not math.isnan(row["published_error"]) for row in rows)
    return (
        f"{n} of {n} models agree with fair-esm {version('fair-esm')}, and {n_published} with "
        "published outputs."
    )
