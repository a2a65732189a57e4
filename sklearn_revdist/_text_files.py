"""Text files of others: gzip or plain, lines of bounded length, and tables of strings."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import pandas as pd

# No protein, and no row of a table, is as long: only a file made to fill the memory.
LONGEST = 2**24


@contextmanager
def open_text(
    path: str | os.PathLike, *, errors: str = "strict", newline: str | None = None
) -> Iterator[TextIO]:
    """Open a file of UTF-8, plain or compressed with gzip, a byte order mark left out.

    Parameters
    ----------
    path : str or path-like
    errors : {"strict", "replace"}, default="strict"
        What becomes of bytes that are no UTF-8.
    newline : str, default=None
        As for :func:`open`.

    Yields
    ------
    file : text file

    Raises
    ------
    ValueError
        While it is read, if a line is longer than any protein, bytes are no UTF-8, or the file
        is compressed and damaged.
    """
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        raw = _BoundedLines(gzip.GzipFile(fileobj=file) if compressed else file)
        text = io.TextIOWrapper(io.BufferedReader(raw, 2**16), "utf-8-sig", errors, newline)
        try:
            yield text
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(
                f"{os.fspath(path)!r} is damaged: it cannot be decompressed ({error}); "
                "copy or download it again."
            ) from error
        except _TooLong as error:
            raise ValueError(
                f"{os.fspath(path)!r} has a line of more than {LONGEST} bytes; check that it is "
                "the right file."
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{os.fspath(path)!r} is not UTF-8 ({error}); save it in that encoding."
            ) from error


def read_cells(
    path: str | os.PathLike,
    *,
    separator: str = ",",
    names: Sequence[str] | None = None,
    n_rows: int | None = None,
) -> pd.DataFrame:
    """Table of a text file, all cells strings, those that a row lacks empty.

    Parameters
    ----------
    path : str or path-like
        Plain, or compressed with gzip.
    separator : str, default=","
    names : sequence of str, default=None
        Names of the columns, where the file has no header.
    n_rows : int, default=None
        Read no more than so many.

    Returns
    -------
    table : DataFrame of str

    Raises
    ------
    ValueError
        If the file is no such table, or is damaged.
    """
    with open_text(path, newline="") as file:
        return next(iter_cells(file, path, separator=separator, names=names, n_rows=n_rows))


def iter_cells(
    file: TextIO,
    path: str | os.PathLike,
    *,
    separator: str = ",",
    names: Sequence[str] | None = None,
    n_rows: int | None = None,
    chunk: int | None = None,
) -> Iterator[pd.DataFrame]:
    """The same from an open file, so many rows at a time."""
    try:
        parts = pd.read_csv(
            file,
            sep=separator,
            dtype=str,
            keep_default_na=False,  # "NA" is a protein and a name, not a gap
            header=None if names else "infer",
            names=list(names) if names else None,
            nrows=n_rows,
            chunksize=chunk,
            low_memory=False,
        )
        for part in [parts] if chunk is None else parts:
            if not isinstance(part.index, pd.RangeIndex):
                raise ValueError("rows have more cells than the header")
            yield part.fillna("")
    except (UnicodeDecodeError, _TooLong):
        raise
    except ValueError as error:
        kind, reason = "TSV" if separator == "\t" else "CSV", " ".join(str(error).split())
        raise ValueError(
            f"{os.fspath(path)!r} cannot be read as {kind} ({reason}); check that it is complete "
            "and of that format."
        ) from error


class _TooLong(ValueError):
    """A line that nobody would write."""


class _BoundedLines(io.RawIOBase):
    """Bytes of a file, as long as its lines end."""

    def __init__(self, file):
        self._file = file
        self._since = 0  # the last end of a line

    def readable(self):
        return True

    def readinto(self, buffer):
        read = self._file.read(len(buffer))
        end = max(read.rfind(b"\n"), read.rfind(b"\r")) + 1
        self._since = len(read) - end + (0 if end else self._since)
        if self._since > LONGEST:
            raise _TooLong
        buffer[: len(read)] = read
        return len(read)
