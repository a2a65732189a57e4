"""Options that several commands have, each written once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ._layer_options import LAYER_SETTINGS, layer_option, pooling_options
from ._model_options import device_options, max_length_option, unknown_option
from ._option_groups import gathered, together
from ._paths import checked_path, folder_only, readable, writable


def output_option(
    content: str, check: Callable[[Path], Path] = writable, *, default: str | None = None
) -> Callable:
    """Make the option for the file to write, which is required unless it has a default.

    The help says what is in it.
    """
    return click.option(
        "-o",
        "--output",
        **checked_path(check, dash=True),
        default=default,
        required=default is None,
        help=f"{content}, or - for standard output.",
    )


def report_options(what: str) -> Callable:
    """Make the options for output that programs read, and for silence."""
    quiet = "Write nothing to standard error but warnings and errors."
    return together(
        click.option("--json", "as_json", is_flag=True, help=f"Print one JSON object {what}."),
        click.option("-q", "--quiet", is_flag=True, help=quiet),
    )


# What readers of tasks are told, by the names that they have for it.
LISTED = ("data", "target", "sequence", "mutant", "skip_invalid")

tasks_options = together(
    click.argument("tasks", **checked_path(readable)),
    click.option(
        "--data", **checked_path(readable), help="Folder that the paths in TASKS are relative to."
    ),
    click.option("--target", help="Column of a table that holds what is to be predicted."),
    click.option(
        "--sequence-column",
        "sequence",
        help='Column of a table that holds sequences; default: "mutated_sequence" or "sequence".',
    ),
    click.option(
        "--mutant-column",
        "mutant",
        help='Column of a table that holds mutants, such as A24G:L30K; default: "mutant".',
    ),
)


def folder_option(content: str, **settings: Any) -> Callable:
    """Make the option for the folder to write to; the help says what is in it."""
    return click.option(
        "-o", "--output", **checked_path(folder_only), help=f"Folder for {content}.", **settings
    )


def _not_zero(_context, _parameter, number):
    """Refuse 0; joblib counts negative numbers from the number of processors down."""
    if number == 0:
        raise click.BadParameter("0 is not a number of jobs; give 1 or more, or -1 for all.")
    return number


_jobs_option = click.option(
    "--jobs",
    "n_jobs",
    default=1,
    callback=_not_zero,
    help="Number of probes to fit in parallel; -1 for all processors.",
)


def scoring_options(what: str) -> Callable:
    """Make the last options of commands that score tasks, which print one JSON object of these."""
    return together(
        unknown_option("What to do with ambiguous residues."),
        click.option(
            "--skip-invalid", is_flag=True, help="Leave out invalid rows, and count them."
        ),
        _jobs_option,
        report_options(what),
    )


folds_option = click.option(
    "--folds", "n_folds", type=click.IntRange(min=2), default=5, help="Number of folds."
)

keep_option = click.option(
    "--keep",
    metavar="COLUMN",
    multiple=True,
    help="Column of the input table to copy to the output, or all; may be given several times.",
)

sequence_column_option = click.option(
    "--sequence-column", help='Column of a table that holds sequences; default: "sequence".'
)


def name_column_option(where: str) -> Callable:
    """Make the option for the column of names in an input."""
    names = f'Column of {where} that holds names; default: "name", if there is one.'
    return click.option("--name-column", help=names)


table_options = together(
    click.option(
        "--output-format",
        type=click.Choice(["parquet", "hdf5", "npy", "csv"]),
        help="Format of the output, if its suffix does not say it.",
    ),
    keep_option,
    name_column_option("a table"),
)

_input_options = together(
    click.option(
        "--input-format",
        type=click.Choice(["fasta", "csv", "tsv", "parquet", "hdf5", "npy", "npz"]),
        help="Format of the input, if neither its suffix nor its first line says it.",
    ),
    sequence_column_option,
    layer_option,
    pooling_options,
    device_options,
    click.option(
        "--batch-tokens",
        type=click.IntRange(min=1),
        help="Residues embedded at a time; fewer take less memory.",
    ),
    max_length_option("Length in residues above which --long applies; default: no limit."),
    click.option(
        "--long",
        type=click.Choice(["window", "truncate", "error"]),
        default="window",
        help="What to do with longer sequences.",
    ),
    unknown_option(
        "What to do with ambiguous residues: X B Z U O J, and * inside a sequence. Gaps are not "
        "among them."
    ),
    click.option("--remove-gaps", is_flag=True, help="Remove gaps (- .) of alignments."),
    click.option(
        "--keep-stop",
        is_flag=True,
        help="Refuse sequences that end in * (a stop codon), instead of dropping it.",
    ),
)

_READING = ("input_format", "sequence_column", "name_column", "keep", "remove_gaps", "keep_stop")
SETTINGS = (*LAYER_SETTINGS, "device", "dtype", "batch_tokens", "max_length", "long", "unknown")


def sequence_options(command: Callable) -> Callable:
    """Add the options of commands that embed.

    The command takes them as two dicts: ``reading``, of how sequences are read, with the name
    column and the columns to keep where it has these options, and ``settings`` of the embedder.
    """
    return _input_options(gathered(reading=_READING, settings=SETTINGS)(command))
