"""Training rows, wherever they are: in an array, a memory map, blocks of dask or Parquet files."""

import json
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from ..matrix._dask import as_blocks, in_tree, is_dask
from ..matrix._layout import Blocks, names_of_blocks
from ..matrix._rows import check_rows, string_columns
from ..matrix._torch import as_array
from ..tables._columns import Choice
from ..tables._files import open_table
from ..utils._files import local_path

_FLOATS = (np.float32, np.float64)


class ArrayRows(NamedTuple):
    """Rows of an array, which may be in a file."""

    rows: NDArray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self.rows.shape[1]

    @property
    def memory_map(self) -> np.memmap | None:
        """The memory map that the rows are a view of, or None."""
        rows = self.rows
        while rows is not None and not isinstance(rows, np.memmap):
            rows = getattr(rows, "base", None)
        # a memory map turns into an array that it still calls so when it is copied
        return None if rows is None or rows._mmap is None else rows

    def sample(self, numbers: NDArray[np.int64]) -> NDArray:
        """Rows of some numbers."""
        return self.rows[numbers]

    def blocks(self, size: int) -> Iterator[NDArray]:
        """All rows, at most so many at a time."""
        for start in range(0, len(self.rows), size):
            yield self.rows[start : start + size]
            self.release()

    def release(self) -> None:
        """Forget the pages of the file that were read."""
        found = self.memory_map
        # pages of a copy may have been written to
        if found is not None and found.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
            found._mmap.madvise(mmap.MADV_DONTNEED)


class ParquetRows(NamedTuple):
    """Rows of a folder that :func:`embed_to_parquet` has written.

    Attributes
    ----------
    files : list of Path
    n_rows : int
    names : list of str
        Names of the columns.
    """

    files: list[Path]
    n_rows: int
    names: list[str]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Find the files of a folder.

        Raises
        ------
        FileNotFoundError, ValueError
            If it is no folder of complete embeddings.
        """
        path = folder / "manifest.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"{str(folder)!r} has no manifest.json; give a folder of embed_to_parquet."
            )
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            files = [folder / "embeddings" / part["file"] for part in manifest["parts"]]
            columns = {str(name): int(width) for name, width in manifest["columns"].items()}
            n_rows, is_complete = int(manifest["n_sequences"]), manifest["complete"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{str(path)!r} is not a manifest of embeddings ({error!r}); embed once more."
            ) from error
        if n_rows < 1:
            raise ValueError(f"{str(folder)!r} has no embeddings; embed some sequences.")
        if not is_complete:
            raise ValueError(
                f"The embeddings in {str(folder)!r} are not complete; call embed_to_parquet again."
            )
        return cls(files, n_rows, names_of_blocks(Blocks(tuple(columns), tuple(columns.values()))))

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.names)

    def sample(self, numbers: NDArray[np.int64]) -> NDArray:
        """Rows of some numbers, in ascending order."""
        found, first = [], 0
        for rows in self._batches():
            found.append(rows[numbers[(numbers >= first) & (numbers < first + len(rows))] - first])
            first += len(rows)
        return np.concatenate(found)

    def blocks(self, size: int) -> Iterator[NDArray]:
        """All rows, at most so many at a time."""
        waiting: list[NDArray] = []
        for rows in self._batches():
            waiting.append(rows)
            while sum(map(len, waiting)) >= size:
                rows = np.concatenate(waiting)
                yield rows[:size]
                waiting = [rows[size:]]
        if sum(map(len, waiting)):
            yield np.concatenate(waiting)

    def _batches(self):
        for path in self.files:
            for batch in open_table(path, choose=partial(self._choose, path)).batches():
                yield batch.rows

    def _choose(self, path, columns):
        missing = next((name for name in self.names if name not in columns), None)
        if missing is not None:
            raise ValueError(f"{str(path)!r} has no column {missing!r}; embed once more.")
        return Choice(self.names, self.names)


class DaskRows(NamedTuple):
    """Rows of a dask array.

    Attributes
    ----------
    parts : list of Delayed
        Blocks of whole rows.
    firsts : ndarray of shape (n_parts + 1,), int64
        Number of the first row of each block, and of all rows.
    n_columns : int
    """

    parts: list[Any]
    firsts: NDArray[np.int64]
    n_columns: int

    @classmethod
    def of(cls, X: Any, name: str) -> Self:
        """Take the blocks of a collection; unknown numbers of rows are computed."""
        import dask

        rows = as_blocks(X, name, 1)
        parts, n_rows = rows.to_delayed().ravel().tolist(), rows.chunks[0]
        if np.isnan(n_rows).any():
            n_rows = dask.compute(*map(dask.delayed(len), parts))
        if not any(n_rows):
            raise ValueError("There are no rows; give some.")
        return cls(parts, np.cumsum([0, *n_rows]), rows.shape[1])

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.firsts[-1])

    def sample(self, numbers: NDArray[np.int64]) -> NDArray:
        """Rows of some numbers, in ascending order."""
        import dask

        ends = np.searchsorted(numbers, self.firsts)
        taken = dask.delayed(_take)
        found = [
            taken(part, numbers[start:stop] - first)
            for part, first, start, stop in zip(
                self.parts, self.firsts[:-1], ends[:-1], ends[1:], strict=True
            )
            if start < stop
        ]
        return np.concatenate(dask.compute(*found))

    def blocks(self, size: int) -> Iterator[NDArray]:
        """All rows, at most so many at a time."""
        for part in self.parts:
            rows = np.asarray(part.compute())
            for start in range(0, len(rows), size):
                yield rows[start : start + size]

    def reduced(
        self, function: Callable[[NDArray, int], Any], combine: Callable[[Sequence[Any]], Any]
    ) -> Any:
        """Combine what a function returns for each block and the number of its first row."""
        import dask

        # once in the graph, not in each task
        of_block = dask.delayed(function, pure=False)
        firsts = self.firsts[:-1].tolist()
        tasks = [of_block(*place) for place in zip(self.parts, firsts, strict=True)]
        return in_tree(combine, tasks)


# Rows that are read in blocks: wherever they are, they have the same methods.
Rows = ArrayRows | ParquetRows | DaskRows


def rows_of(X: Any, estimator: BaseEstimator) -> tuple[Rows, list[str] | None]:
    """Find where rows are, and the names of their columns.

    Parameters
    ----------
    X : array-like, Tensor, memory map, dask collection or path
    estimator : BaseEstimator
        For messages.

    Returns
    -------
    rows : Rows
        Numbers of arrays, of memory maps, of dask and of files are checked when they are used.
    names : list of str or None

    Raises
    ------
    ValueError
        If X is not a matrix of numbers.
    """
    if isinstance(X, str | os.PathLike):
        found = ParquetRows.of(local_path(X))
        return found, found.names
    if is_dask(X):
        return DaskRows.of(X, type(estimator).__name__), string_columns(X)
    if type(X) is np.memmap and X.ndim == 2 and X.size and X.dtype.kind == "f":
        return ArrayRows(X), None
    names = string_columns(X)
    if type(X) is not np.ndarray or X.ndim != 2 or not X.size or X.dtype not in _FLOATS:
        X = as_array(check_rows(X, estimator))
    return ArrayRows(np.ascontiguousarray(X)), names


def evenly(n_rows: int, n_wanted: int) -> NDArray[np.int64]:
    """Numbers of rows, evenly apart, so that they do not depend on how rows are stored."""
    n_wanted = min(n_rows, n_wanted)
    return np.arange(n_wanted) * n_rows // max(n_wanted, 1)


def _take(rows, numbers):
    return np.asarray(rows)[numbers]
