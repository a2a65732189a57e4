"""Options for what embeds, and how: models, devices, precision, stores."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..utils._models import DEMO, ESM2
from ._option_groups import together
from ._paths import checked_path, store_only

# What a --model may be, beside the name of one.
CHECKPOINTS = "a .pt file or a folder in Hugging Face's format"
FAMILIES = f"{CHECKPOINTS}, or hf: and the name of another family's model there"


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


def unknown_option(help: str) -> Callable:
    """Make the option for what to do with ambiguous residues."""
    return click.option(
        "--unknown",
        type=click.Choice(["error", "mask", "X", "keep"]),
        default="error",
        help=help,
    )


def max_length_option(help: str) -> Callable:
    """Make the option for the length of sequences that models take."""
    return click.option("--max-length", type=click.IntRange(min=1), help=help)


def store_option(help: str) -> Callable:
    """Make the option for a store of embeddings."""
    return click.option("--store", **checked_path(store_only), help=help)
