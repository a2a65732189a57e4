"""Tables: rows of embeddings, read a batch at a time, from whatever they are kept in.

A row of a table has numbers, the embedding, and labels, which is all else that is known of it: a
name, a position.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from numpy.typing import NDArray

from ..utils._messages import first_line

# A batch of this many numbers takes 32 MB in float32.
_BATCH_SIZE = 2**23


class Batch(NamedTuple):
    """Consecutive rows: their labels by name, and their numbers."""

    labels: dict[str, NDArray]
    rows: NDArray


class Table(NamedTuple):
    """Rows of embeddings.

    Attributes
    ----------
    n_rows : int
    columns : list of str or None
        Names of the numbers' columns, where there are some.
    n_columns : int
    batches : callable
        Reads from the beginning and yields a Batch at a time.
    """

    n_rows: int
    columns: list[str] | None
    n_columns: int
    batches: Callable[[], Iterator[Batch]]


def batch_rows(n_columns: int) -> int:
    """Number of rows of a batch with so many numbers in each."""
    return max(1, _BATCH_SIZE // max(1, n_columns))


def slices(n_rows: int, n_columns: int) -> list[slice]:
    """Rows of each batch of a matrix."""
    step = batch_rows(n_columns)
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


@contextmanager
def reading_as(name, path):
    """Say in one sentence that a file is not what it should be."""
    try:
        yield
    except (OSError, ValueError, EOFError, RuntimeError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(
            f"{str(path)!r} cannot be read as {name} ({first_line(error)}); check that it is "
            "complete and of that format."
        ) from error


def import_h5py():
    """The package that reads and writes HDF5."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(_needs("HDF5", "h5py")) from error
    return h5py


def import_parquet():
    """The module that reads and writes Parquet."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(_needs("Parquet", "pyarrow")) from error
    return parquet


def _needs(name, package):
    return (
        f"{name} files need {package}, which is not installed; run "
        '`pip install "sklearn-revdist[io]"`.'
    )
