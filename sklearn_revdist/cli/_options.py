"""Options that several commands have, each written once."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..utils._models import DEMO, ESM2
from ._layer_options import LAYER_SETTINGS, layer_options
from ._paths import checked_path, folder_only, readable, store_only, writable

# What a --model may be, beside the name of one.
CHECKPOINTS = "a .pt file or a folder in Hugging Face's format"
FAMILIES = f"{CHECKPOINTS}, or hf: and the name of another family's model there"


def together(*options: Callable) -> Callable:
    """Combine options into one decorator, in the order in which the help shows them."""

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def gathered(**groups: Sequence[str]) -> Callable:
    """Make a decorator of commands that take groups of options, those that they have, as dicts."""

    def decorate(command):
        @wraps(command)
        def gathering(**given):
            dicts = {
                group: {name: given.pop(name) for name in names if name in given}
                for group, names in groups.items()
            }
            return command(**dicts, **given)

        return gathering

    return decorate


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


def complete_models(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:
    """Complete the name of a model in a shell, in whatever case, or else a path."""
    names = ["demo", *(model.short for model in DEMO + ESM2)]
    found = [name for name in names if name.lower().startswith(incomplete.lower())]
    return [CompletionItem(name) for name in found] or [CompletionItem(incomplete, type="file")]


def models_option(help: str, *more_names: str, **settings: Any) -> Callable:
    """Make the option for models; what they are for is in the help."""
    return click.option(
        *("-m", "--model", *more_names, "models"),
        multiple=True,
        metavar="MODEL",
        shell_complete=complete_models,
        help=help,
        **settings,
    )


def prefix_option(help: str) -> Callable:
    """Make the option for a prefix of nested embeddings."""
    return click.option(
        "-n",
        "--n-components",
        metavar="NUMBER|MODEL",
        shell_complete=complete_models,
        help=help,
    )


def chain_option(*more_names: str, families: bool = True) -> Callable:
    """Make the options for the models that embed, where no distiller names them.

    Models of other families are mentioned unless `families` is false.
    """
    kinds = FAMILIES if families else CHECKPOINTS
    return together(
        models_option(
            f"The chain up to this model, or {kinds}; given several times, exactly those models.",
            *more_names,
            default=["650M"],
        ),
        click.option("--alone", is_flag=True, help="Use only the model, not the chain up to it."),
    )


def report_options(what: str) -> Callable:
    """Make the options for output that programs read, and for silence."""
    quiet = "Write nothing to standard error but warnings and errors."
    return together(
        click.option("--json", "as_json", is_flag=True, help=f"Print one JSON object {what}."),
        click.option("-q", "--quiet", is_flag=True, help=quiet),
    )


def unknown_option(help: str) -> Callable:
    """Make the option for what to do with ambiguous residues."""
    return click.option(
        "--unknown",
        type=click.Choice(["error", "mask", "X", "keep"]),
        default="error",
        help=help,
    )


# What readers of tasks are told, by the names that they have for it.
LISTED = ("data", "target", "sequence", "mutant", "skip_invalid")

tasks_options = together(
    click.argument("tasks", **checked_path(readable)),
    click.option(
        "--data",
        **checked_path(readable),
        help="Folder that the paths in TASKS are relative to.",
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


def _device(_context, _parameter, name: str | None) -> str | None:
    """Refuse a device that torch cannot use, before the work."""
    if name is not None:
        from ..embedding._inference import resolve_device

        try:
            resolve_device(name)
        except ValueError as error:
            raise click.UsageError(
                f"--device {name} cannot be used with this machine and installation of torch; give "
                "--device cpu, or leave it out to take the best there is."
            ) from error
    return name


def folder_option(content: str, **settings: Any) -> Callable:
    """Make the option for the folder to write to; the help says what is in it."""
    return click.option(
        "-o",
        "--output",
        **checked_path(folder_only),
        help=f"Folder for {content}.",
        **settings,
    )


def store_option(help: str) -> Callable:
    """Make the option for a store of embeddings."""
    return click.option(
        "--store",
        **checked_path(store_only),
        help=help,
    )


device_option = click.option(
    "--device", callback=_device, help="PyTorch device, such as cuda:1; default: the best."
)

_dtype_option = click.option(
    "--dtype",
    type=click.Choice(["auto", "fast", "float32", "float16", "bfloat16"]),
    default="auto",
    help="Precision of the computation; fast is bfloat16 on CPUs with instructions for it.",
)

device_options = together(device_option, _dtype_option)

regressor_option = click.option(
    "--regressor",
    type=click.Choice(["ridge", "ols", "pcr"]),
    default="ridge",
    help="What predicts each model from the smaller ones in the distiller that is fitted.",
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

table_options = together(
    click.option(
        "--output-format",
        type=click.Choice(["parquet", "hdf5", "npy", "csv"]),
        help="Format of the output, if its suffix does not say it.",
    ),
    keep_option,
    click.option(
        "--name-column",
        help='Column of a table that holds names; default: "name", if there is one.',
    ),
)

_input_options = together(
    click.option(
        "--input-format",
        type=click.Choice(["fasta", "csv", "tsv", "parquet", "hdf5", "npy", "npz"]),
        help="Format of the input, if neither its suffix nor its first line says it.",
    ),
    click.option(
        "--sequence-column",
        help='Column of a table that holds sequences; default: "sequence".',
    ),
    layer_options(),
    device_options,
    click.option(
        "--batch-tokens",
        type=click.IntRange(min=1),
        help="Residues embedded at a time; fewer take less memory.",
    ),
    click.option(
        "--max-length",
        type=click.IntRange(min=1),
        help="Length in residues above which --long applies; default: no limit.",
    ),
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
