"""Tables and pictures that commands write whole."""

import csv
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ..displays._legends import draw_panels
from ..tables._table import import_parquet
from ..utils._files import replaced
from ._console import NO_PICTURE, say
from ._paths import STDIO, writable

_FRAMES = (".csv", ".parquet")


def frame_path(path: Path) -> Path:
    """Refuse a file for a table that cannot be written."""
    return _checked(path, _FRAMES)


def list_path(path: Path) -> Path:
    """Refuse a file for a table that is written in parts, as :func:`frame_path` does."""
    return _checked(path, (".tsv", *_FRAMES))


def picture_path(path: Path) -> Path:
    """Refuse a file for a picture that cannot be written or drawn."""
    from ..displays._axes import check_axes

    _checked(path, (".png", ".svg", ".pdf"))
    try:
        check_axes(None)
    except ImportError as error:
        raise click.BadParameter(str(error)) from error
    return path


def _checked(path: Path, suffixes: Sequence[str]) -> Path:
    if path != STDIO and path.suffix not in suffixes:
        raise click.BadParameter(
            f"{str(path)!r} ends in none of {', '.join(suffixes)}; choose one of these formats."
        )
    return writable(path)


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


@contextmanager
def writing_frames(path: Path, types: Mapping[str, Any]) -> Iterator[Callable]:
    """Write tables one after the other, to a file that appears when it is complete.

    Parameters
    ----------
    path : Path
        In the format of its suffix, .csv or .parquet; any other is TSV, whose cells have blanks
        for tabs and line breaks, and no quotes around them.
    types : mapping of str to str or ExtensionDtype
        pandas' types of the columns, in order.

    Yields
    ------
    write : callable
        Takes a data frame.
    """
    with replaced(path) as partial:
        if path.suffix == ".parquet":
            with _parquet_writer(partial, types) as write:
                yield write
            return
        plain = path.suffix != ".csv"
        how: dict[str, Any] = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
        if plain:
            how |= {"sep": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None}
        with open(partial, "w", encoding="utf-8", newline="") as file:
            pd.DataFrame(columns=list(types)).to_csv(file, **how)

            def write(table: pd.DataFrame) -> None:
                if plain:
                    table = table.replace(r"[\t\r\n]", " ", regex=True)
                table.to_csv(file, header=False, **how)

            yield write


@contextmanager
def _parquet_writer(path: Path, types: Mapping[str, Any]) -> Iterator[Callable]:
    import pyarrow

    def as_arrow(table: pd.DataFrame) -> Any:
        return pyarrow.Table.from_pandas(table.astype(types), preserve_index=False)

    schema = as_arrow(pd.DataFrame(columns=list(types))).schema
    with import_parquet().ParquetWriter(path, schema) as writer:
        yield lambda table: writer.write_table(as_arrow(table).cast(schema))


def write_panels(draws: Iterable[Callable[[Any], Any]], path: Path, dpi: int) -> bool:
    """Write a PNG of displays side by side; without matplotlib, say so and return False."""
    try:
        figure = draw_panels(draws)
    except ImportError:
        say(NO_PICTURE)
        return False
    with replaced(path) as partial:
        figure.savefig(partial, format="png", dpi=dpi)
    return True


def json_rows(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Rows of a table for JSON, in which what is not known is null."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


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
