"""Tables: rows of embeddings, read one batch at a time, whatever holds them.

A row has numbers, which are the embedding, and labels, such as a name or a position.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..utils._messages import first_line
from ..utils._optional import import_optional

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
        Names of the columns of numbers, if known.
    n_columns : int
    batches : callable
        Reads from the beginning and yields one Batch at a time.
    types : mapping of str to pyarrow.DataType or None, default=None
        Types that labels have in a Parquet file.
    """

    n_rows: int
    columns: list[str] | None
    n_columns: int
    batches: Callable[[], Iterator[Batch]]
    types: Mapping[str, Any] | None = None


def batch_rows(n_columns: int) -> int:
    """Number of rows in a batch."""
    return max(1, _BATCH_SIZE // max(1, n_columns))


def slices(n_rows: int, n_columns: int) -> list[slice]:
    """The batches that a matrix is read in."""
    step = batch_rows(n_columns)
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


@contextmanager
def reading_as(name, path, *others):
    """Turn errors of reading, and those of other types, into one that names file and format."""
    try:
        yield
    except (OSError, ValueError, EOFError, RuntimeError, *others) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(
            f"{str(path)!r} cannot be read as {name} ({first_line(error)}); check that it is "
            "complete and of that format."
        ) from error


import_h5py = partial(import_optional, "h5py", "HDF5 files need h5py", "io")
import_parquet = partial(import_optional, "pyarrow.parquet", "Parquet files need pyarrow", "io")
