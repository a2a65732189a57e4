"""Options for the layer and the pooling: from text to the parameters of an embedder."""

import os
import re
from pathlib import Path
from typing import Any

import click

from ..embedding._pooling import POOLINGS
from ..sequences._fasta import only_sequence
from ..sequences._tokens import encode_reference
from ._endings import as_usage
from ._option_groups import together

LAYER_SETTINGS = ("layer", "pooling", "reference")


def _layer(_context, _parameter, text: str | None) -> int | float | list[int | float] | None:
    """Read a whole number, a fraction, or one for each model."""
    if text is None:
        return None
    layers = _numbers(text, "one for each model, as in 3,6,15")
    return layers if len(layers) > 1 else layers[0]


def _layers(_context, _parameter, text: str | None) -> list[int | float] | None:
    """Read layers that each model has; the last, with which others are compared, is added."""
    return None if text is None else [*_numbers(text, "several, as in 0.25,0.5"), -1]


def _numbers(text: str, more: str) -> list[int | float]:
    try:
        layers = [float(n) if "." in n else int(n) for n in text.split(",")]
        if any(isinstance(n, float) and not 0 <= n <= 1 for n in layers):
            raise ValueError("more than the depth")
        return layers
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a layer; give its number, as in 6 or -1, a fraction of the depth, "
            f"from 0 to 1, as in 0.75, or {more}."
        ) from None


def _pooling(_context, _parameter, texts: tuple[str, ...]) -> Any:
    """Read the names of poolings, and ranges of positions."""
    poolings = [text if text in POOLINGS else positions_of(text) for text in texts]
    return None if not poolings else poolings if len(poolings) > 1 else poolings[0]


def positions_of(text: str) -> list[int]:
    """Read ranges of positions, as in 24-31,55."""
    ranges = [re.fullmatch(r"(\d+)(?:-(\d+))?", part) for part in text.split(",")]
    if not all(ranges):
        raise click.BadParameter(
            f"{text!r} is neither one of {', '.join(POOLINGS)}, nor positions, as in 24-31,55."
        )
    spans = [(int(found[1]), int(found[2] or found[1])) for found in ranges if found]
    if any(not 1 <= first <= last for first, last in spans):
        raise click.BadParameter(
            f"{text!r} is not positions, which count from 1, in ranges that go upwards, as in "
            "24-31,55."
        )
    return [position for first, last in spans for position in range(first, last + 1)]


def read_reference(_context, parameter: click.Parameter, text: str | None) -> str | None:
    """Read a sequence, or the only one in a file."""
    if text is None:
        return None
    reference = text
    if Path(text).is_file():
        reference = as_usage(only_sequence, text)
    elif "." in text or "/" in text or os.sep in text:
        raise click.BadParameter(f"There is no file {text!r}; check the path.")
    try:  # ambiguous residues are checked later
        encode_reference(reference, "mask")
    except ValueError as error:
        what = str(error).removeprefix("The wild type (`reference`) ")
        raise click.UsageError(f"{parameter.opts[0]} {what}") from error
    return reference


layer_option = click.option(
    "--layer",
    callback=_layer,
    help="Layer of each model: a number (0 is the input, -1 the last), a fraction of the depth "
    "(0.75), or one for each model (3,6,15); default: the last.",
)

# For the command that compares layers.
layers_option = click.option(
    "--layers",
    callback=_layers,
    help="Layers to score, as in 0.25,0.5,0.75 or 0,1,2; the last is always one of them; default: "
    "all.",
)

pooling_options = together(
    click.option(
        "--pooling",
        multiple=True,
        callback=_pooling,
        help=f"How residues become one row: {', '.join(POOLINGS)}, or positions (24-31,55); given "
        "several times, side by side; default: mean.",
    ),
    click.option(
        "--reference",
        callback=read_reference,
        help="For the poolings of sites: the wild type, as a sequence or a FASTA file.",
    ),
)


def refuse_pooling(settings: dict[str, Any]) -> None:
    """Refuse a pooling where rows are residues."""
    if settings["pooling"] is not None or settings["reference"] is not None:
        raise click.UsageError(
            "Rows are residues, which are not pooled; leave out --pooling and --reference."
        )
