"""Tables and pictures that commands write whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ..utils._files import replaced
from ._console import STDIO, writable

FRAMES = (".csv", ".parquet")
_PICTURES = (".png", ".svg", ".pdf")


def frame_path(context: click.Context, parameter: click.Parameter, path: Path | None) -> Any:
    """Refuse a file for a table that cannot be written, before the work."""
    return _checked(context, parameter, path, FRAMES)


def picture_path(context: click.Context, parameter: click.Parameter, path: Path | None) -> Any:
    """Refuse a file for a picture that cannot be written or drawn, before the work."""
    path = _checked(context, parameter, path, _PICTURES)
    if path is not None:
        from ..displays._axes import check_axes

        try:
            check_axes(None)
        except ImportError as error:
            raise click.BadParameter(str(error)) from error
    return path


def _checked(context, parameter, path: Path | None, suffixes: Sequence[str]) -> Path | None:
    if path is None or path == STDIO:
        return path
    if path.suffix not in suffixes:
        raise click.BadParameter(
            f"{str(path)!r} ends in none of {', '.join(suffixes)}; choose one of these formats."
        )
    return writable(context, parameter, path)


def write_frame(table: pd.DataFrame, path: Path) -> None:
    """Write a table to a .csv or .parquet file, or as CSV to standard output."""
    if path == STDIO:
        click.echo(table.to_csv(index=False, float_format="%.6g"), nl=False)
        return
    with replaced(path) as partial:
        if path.suffix == ".csv":
            table.to_csv(partial, index=False, float_format="%.6g")
        else:
            table.to_parquet(partial, index=False)


def write_picture(figure: Any, path: Path) -> None:
    """Write a figure of matplotlib in the format of the file's suffix."""
    with replaced(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=200)


def measured_figure(measured: Any, predicted: Any, name: str) -> Any:
    """Draw predictions against measurements, on a figure that no window shows."""
    from matplotlib.figure import Figure
    from sklearn.metrics import PredictionErrorDisplay

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    ax = figure.subplots()
    PredictionErrorDisplay.from_predictions(
        measured,
        predicted,
        kind="actual_vs_predicted",
        subsample=None,
        ax=ax,
        scatter_kwargs={"s": 9, "alpha": 0.5},
    )
    ax.set_xlabel(f"predicted {name}")
    ax.set_ylabel(f"measured {name}")
    return figure
