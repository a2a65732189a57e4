"""Text files of others: compressed or plain, in lines of bounded length."""

import gzip
import io
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ._messages import told

# No protein, and no row of a table, is as long: only a file made to fill the memory.
LONGEST = 2**24

# Nor does text of any length that differs from row to row unpack to so many times its size.
_SMALL = 2**24
_COMPRESSION = 200


@contextmanager
def open_text(
    path: str | os.PathLike,
    *,
    errors: str = "strict",
    newline: str | None = None,
    may_hold_nul: bool = True,
) -> Iterator[TextIO]:
    """Open a file of UTF-8, plain or compressed with gzip, a byte order mark left out.

    Parameters
    ----------
    path : str or path-like
    errors : {"strict", "replace"}, default="strict"
        What becomes of bytes that are no UTF-8.
    newline : str, default=None
        As for :func:`open`.
    may_hold_nul : bool, default=True
        Whether NUL characters are read; pandas 2 ends a table's cell there, without a word.

    Yields
    ------
    file : text file

    Raises
    ------
    Unreadable
        While it is read, if a line is longer than any protein, there is a NUL that may not be,
        or the file is compressed and damaged, or unpacks to far more than text does.
    """
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        n_bytes = os.fstat(file.fileno()).st_size
        raw = _BoundedLines(
            gzip.GzipFile(fileobj=file) if compressed else file,
            may_hold_nul,
            _SMALL + _COMPRESSION * n_bytes if compressed else math.inf,
        )
        text = io.TextIOWrapper(io.BufferedReader(raw, 2**16), "utf-8-sig", errors, newline)
        try:
            yield text
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Unreadable(f"it cannot be decompressed: {told(error)}") from error


class Unreadable(ValueError):
    """What is wrong with the text of a file, to be told with the file's name."""


class _BoundedLines(io.RawIOBase):
    """Bytes of a file, as long as its lines end, and it itself does."""

    def __init__(self, file, may_hold_nul, most):
        self._file = file
        self._may_hold_nul = may_hold_nul
        self._most = most  # bytes that it may have
        self._n_read = 0
        self._since = 0  # the last end of a line

    def readable(self):
        return True

    def readinto(self, buffer):
        read = self._file.read(len(buffer))
        end = max(read.rfind(b"\n"), read.rfind(b"\r")) + 1
        self._since = len(read) - end + (0 if end else self._since)
        if self._since > LONGEST:
            raise Unreadable(f"it has a line of more than {LONGEST} bytes")
        self._n_read += len(read)
        if self._n_read > self._most:
            raise Unreadable(f"it unpacks to more than {_COMPRESSION} times its size")
        if not self._may_hold_nul and b"\0" in read:
            raise Unreadable("it has a NUL character")
        buffer[: len(read)] = read
        return len(read)
