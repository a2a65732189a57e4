"""Read any table row by row as text: CSV, TSV, Excel workbooks and Parquet."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..tables._parquet import parquet_batches
from ..tables._table import import_parquet, reading_as
from ._packed import plain_suffix
from ._text_tables import Rows, cell_text, check_columns, open_rows

_BATCH = 2**14  # rows of Parquet read at a time
_SHORT = {"halffloat": np.float16, "float": np.float32}


@contextmanager
def open_table_rows(
    path: str | os.PathLike,
    needed: Mapping[str, str],
    *,
    wanted: Collection[str] = (),
    columns: Sequence[str] | None = None,
    name: str | None = None,
) -> Iterator[Rows]:
    """Open a table of text, an Excel workbook or a Parquet table, with all cells as text.

    Parameters
    ----------
    path : str or path-like
        As for :func:`open_rows`, or a Parquet table. An index of pandas that has no name is none
        of its columns.
    needed, wanted
        As for :func:`open_rows`.
    columns : sequence of str, default=None
        Names of the columns of a table of text without a header.
    name : {"csv", "tsv", "parquet"}, default=None
        Format; None goes by the suffix.

    Yields
    ------
    table : Rows
        The rows of Parquet are numbered from 0.

    Raises
    ------
    FileNotFoundError, PermissionError, ImportError, ValueError
        As for :func:`open_rows`, and if Parquet needs a package or cannot be read.
    """
    if (name or plain_suffix(path).removeprefix(".")) != "parquet":
        with open_rows(path, needed, wanted=wanted, columns=columns, name=name) as table:
            yield table
        return
    path = Path(path)
    names, _ = parquet_schema(path)
    check_columns(names, needed, wanted, path, repr(str(path)))
    kept = [column for column in names if names.count(column) == 1]

    def place(number: int) -> str:
        return f"{str(path)!r}, row {number} (counting from 0)"

    yield Rows(kept, lambda columns: enumerate(parquet_rows(path, columns)), place)


def read_columns(
    path: str | os.PathLike, needed: Mapping[str, str]
) -> list[tuple[str, tuple[str, ...]]]:
    """Read some columns of a table as text; see :func:`open_table_rows`.

    Parameters
    ----------
    path : str or path-like
    needed : mapping of str to str
        The columns, and what to do if one is missing.

    Returns
    -------
    rows : list of (str, tuple of str)
        The place of each row, and its cells in the order of `needed`.
    """
    with open_table_rows(path, needed) as table:
        rows = table.cells(list(needed))
        return [(table.place(number), tuple(cells)) for number, cells in rows]


def table_columns(path: str | os.PathLike, wanted: Collection[str] = ()) -> list[str]:
    """Names of the columns of a table; see :func:`open_table_rows`."""
    with open_table_rows(path, {}, wanted=wanted) as table:
        return table.columns


def parquet_schema(path: Path) -> tuple[list[str], dict[str, Any]]:
    """Names of the columns of a Parquet file, and Arrow types by name.

    The types have those of an index without a name as well.
    """
    parquet = import_parquet()
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}; check the path.")
    if not path.is_file():
        raise ValueError(f"{str(path)!r} is not a file, which Parquet has to be; name one.")
    with reading_as("Parquet", path):
        schema = parquet.read_schema(path)
    # what pandas calls an index that has no name
    names = [name for name in schema.names if not name.startswith("__index_level_")]
    return names, {field.name: field.type for field in schema}


def parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Read the cells of some columns of a Parquet file as text, row by row."""
    for part in parquet_batches(path, _BATCH, columns):
        yield from zip(*(_texts(part.column(column)) for column in columns), strict=True)


def _texts(column):
    # pandas turns whole numbers with gaps into floats
    short = _SHORT.get(str(column.type), float)
    return [cell_text(value, short) for value in column.to_pylist()]
