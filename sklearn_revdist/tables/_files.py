"""Files of embeddings: choose the format, then open or write a table.

Parquet, HDF5, CSV and npz hold numbers and labels, npy numbers alone; npz is only read. Reading CSV
is in `sequences`, beside that of other text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils._files import replaced
from ._columns import Choice, columns_to_fit
from ._csv import csv_writer
from ._hdf5 import hdf5_writer, open_hdf5
from ._npy import npy_writer, open_npy, open_npz
from ._parquet import open_parquet, parquet_writer
from ._table import Batch, Table, batch_rows

_BINARY = {".parquet": "parquet", ".h5": "hdf5", ".hdf5": "hdf5", ".npy": "npy"}
FORMATS = {**_BINARY, ".csv": "csv", ".csv.gz": "csv"}
READ = {**_BINARY, ".npz": "npz"}
STORES = (".sqlite", ".db")

_OPENERS = {"hdf5": open_hdf5, "npy": open_npy, "npz": open_npz}
_WRITERS = {"parquet": parquet_writer, "hdf5": hdf5_writer, "npy": npy_writer, "csv": csv_writer}
# Reading files of torch or pickle may execute code in them; this is how to, if they are trusted.
_TENSOR = 'torch.load("x.pt", map_location="cpu", weights_only=True).float()'
_OBJECT = 'pandas.read_pickle("x.pkl")'
_CODE = {".pt": _TENSOR, ".pth": _TENSOR, ".pkl": _OBJECT, ".pickle": _OBJECT}


def format_of(path: Path, name: str | None = None, formats: dict[str, str] = FORMATS) -> str:
    """Return the given format, or that of the suffix of the path."""
    if name is not None:
        return name
    for suffix, format_name in formats.items():
        if path.name.lower().endswith(suffix):
            return format_name
    raise ValueError(
        f"{str(path)!r} ends in none of {', '.join(formats)}; choose one, or name the format."
    )


def check_holds_no_code(path: Path) -> None:
    """Refuse a file of torch or pickle, and say how to convert it."""
    read = _CODE.get(path.suffix.lower())
    if read is not None:
        raise ValueError(
            f"{str(path)!r} is a file of Python objects, which may run code when it is read; write "
            f'its matrix to npy, as in numpy.save("x.npy", {read}).'
        )


def open_table(
    path: Path,
    name: str | None = None,
    choose: Callable[[Sequence[str]], Choice] | None = None,
) -> Table:
    """Open a file of embeddings.

    Parameters
    ----------
    path : Path
        A Parquet, HDF5, npy or npz file.
    name : {"parquet", "hdf5", "npy", "npz"}, default=None
        Format of the file; None takes that of its suffix.
    choose : callable, default=None
        Returns the columns of the embedding, in order, from all columns of numbers; the others
        are labels. None takes those that a distiller would be fitted on.

    Returns
    -------
    table : Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another format, or holds no embeddings.
    ImportError
        If the format needs a package that is not installed; the message names the extra.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}; check the path.")
    choose = choose or partial(columns_to_fit, where=repr(str(path)))
    format_name = format_of(path, name, READ)
    if format_name == "parquet":
        table = open_parquet(path, choose)
    else:
        table = chosen(_OPENERS[format_name](path), choose)
    if table.n_rows == 0 or table.n_columns == 0:
        raise ValueError(f"{str(path)!r} has no embeddings; check how it was written.")
    return table


def chosen(table: Table, choose: Callable[[Sequence[str]], Choice]) -> Table:
    """Return the table with the chosen columns as the embedding, and the others as labels."""
    if table.columns is None:
        return table
    columns, names = choose(table.columns)
    if columns == table.columns:
        return table._replace(columns=names)
    place = {column: i for i, column in enumerate(table.columns)}
    kept = [place.pop(column) for column in columns]

    def batches() -> Iterator[Batch]:
        for labels, rows in table.batches():
            more = {column: rows[:, i] for column, i in place.items()}
            yield Batch({**labels, **more}, rows[:, kept])

    return Table(table.n_rows, names, len(kept), batches, table.types)


@contextmanager
def writing(
    path: Path,
    columns: Sequence[str],
    name: str | None = None,
    *,
    types: Mapping[str, Any] | None = None,
) -> Iterator[Callable[[dict[str, Any], NDArray], None]]:
    """Write a file of embeddings, which appears when it is complete.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Names of the columns of numbers.
    name : {"parquet", "hdf5", "npy", "csv"}, default=None
        Format of the file; None takes that of its suffix. CSV is compressed where the path ends in
        ``.gz``.
    types : mapping of str to pyarrow.DataType or None, default=None
        Types of labels in Parquet; that of others follows from their values.

    Yields
    ------
    write : callable
        Takes labels and rows, and appends them.
    """
    format_name = format_of(path, name)
    more = {"parquet": {"types": types or {}}, "csv": {"compressed": path.suffix.lower() == ".gz"}}
    writer = partial(_WRITERS[format_name], **more.get(format_name, {}))
    with replaced(path) as part, writer(part, list(columns)) as write:
        waiting: list[Batch] = []

        def flush():
            if waiting:
                labels = {
                    key: np.concatenate([batch.labels[key] for batch in waiting])
                    for key in waiting[0].labels
                }
                write(Batch(labels, np.concatenate([batch.rows for batch in waiting])))
                waiting.clear()

        def gather(labels, rows):
            waiting.append(Batch({key: np.asarray(label) for key, label in labels.items()}, rows))
            # a file of few large pieces is read faster than one of many small ones
            if sum(len(batch.rows) for batch in waiting) >= batch_rows(len(columns)):
                flush()

        yield gather
        flush()
