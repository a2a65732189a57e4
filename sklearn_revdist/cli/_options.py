"""Options that several commands have, each written once."""

from collections.abc import Callable
from pathlib import Path

import click

from ._console import writable

# What a --model may be, beside the name of one.
CHECKPOINTS = "a .pt file or a folder in Hugging Face's format"


def together(*options: Callable) -> Callable:
    """Several options as one decorator, in the order in which the help shows them."""

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def output_option(content: str) -> Callable:
    """Where a file is written to; the help says what is in it."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, allow_dash=True),
        required=True,
        callback=writable,
        help=f"{content}, or - for standard output.",
    )


def chain_option(*more_names: str) -> Callable:
    """The models that sequences are embedded with, where no distiller says them."""
    return together(
        click.option(
            *("-m", "--model", *more_names, "models"),
            multiple=True,
            default=["650M"],
            show_default=True,
            help=f"The chain up to this model, or {CHECKPOINTS}; given several times, exactly "
            "these.",
        ),
        click.option("--alone", is_flag=True, help="The model by itself, not the chain up to it."),
    )


def json_option(what: str) -> Callable:
    """Whether a program is told, not a person."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print one JSON object {what}.")


def unknown_option(help: str) -> Callable:
    """The policy on ambiguous residues."""
    return click.option(
        "--unknown",
        type=click.Choice(["error", "mask", "X", "keep"]),
        default="error",
        show_default=True,
        help=help,
    )


quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")

table_options = together(
    click.option(
        "--output-format",
        type=click.Choice(["parquet", "hdf5", "npy"]),
        help="Format of the output, where its suffix does not say it.",
    ),
    click.option(
        "--name-column", help='Column of a table with the names; default: "name", if there is one.'
    ),
)

sequence_options = together(
    click.option(
        "--input-format",
        type=click.Choice(["fasta", "csv", "tsv", "parquet", "hdf5", "npy", "npz"]),
        help="Format of the input, where neither its suffix nor its first line says it.",
    ),
    click.option(
        "--sequence-column",
        show_default="sequence",
        help="Column of a table that holds the sequences.",
    ),
    click.option("--device", help="Device of torch, as in cuda:1; default: the best."),
    click.option(
        "--dtype",
        type=click.Choice(["auto", "float32", "float16", "bfloat16"]),
        default="auto",
        show_default=True,
        help="Precision of the computation.",
    ),
    click.option(
        "--batch-tokens",
        type=click.IntRange(min=1),
        help="Residues embedded at a time, which bounds memory.",
    ),
    click.option(
        "--max-length",
        type=click.IntRange(min=1),
        help="Residues beyond which --long applies; default: any length is embedded whole.",
    ),
    click.option(
        "--long",
        type=click.Choice(["window", "truncate", "error"]),
        default="window",
        show_default=True,
        help="What becomes of longer sequences.",
    ),
    unknown_option(
        "What becomes of ambiguous residues (X B Z U O J, and * inside a sequence); gaps are none."
    ),
    click.option("--remove-gaps", is_flag=True, help="Remove gaps (- .), as of an alignment."),
    click.option(
        "--keep-stop",
        is_flag=True,
        help="Refuse sequences that end in * (a stop codon), instead of dropping it.",
    ),
)
