"""Read text: UTF-8, UTF-16 or UTF-32, plain or compressed, in lines of bounded length."""

import codecs
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ._packed import Content, Reader, Unreadable, open_content

# No protein and no row of a table is longer, only a line that is made to fill the memory.
LONGEST = 2**24

_CHUNK = 2**16

# Longer marks first: one of UTF-32 begins with one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)


@contextmanager
def open_text(path: str | os.PathLike) -> Iterator[TextIO]:
    """Open a file of text: plain or compressed, also a pipe or a device.

    Parameters
    ----------
    path : str or path-like
        UTF-8 or, with a byte order mark, UTF-16 or UTF-32; compressed as for
        :func:`~._packed.open_content`.

    Yields
    ------
    file : text file

    Raises
    ------
    FileNotFoundError, PermissionError, ImportError
        As for :func:`~._packed.open_content`.
    Unreadable
        If the file is not text; while reading, if bytes are not characters, a line is longer than
        any protein, or the file is compressed and damaged.
    """
    with open_content(path) as content:
        if content.is_workbook:
            raise Unreadable(
                f"{os.fspath(path)!r} is an Excel workbook, which is read only as a table; name "
                "it as one (.xlsx), or save the sheet as text."
            )
        yield as_text(content, path)


def as_text(
    content: Content,
    path: str | os.PathLike,
    *,
    newline: str | None = None,
    may_hold_nul: bool = True,
) -> TextIO:
    """Decode the content of a file; see :func:`open_text`.

    Parameters
    ----------
    content : Content
    path : str or path-like
        Name of the file in errors.
    newline : str, default=None
        As for :func:`open`.
    may_hold_nul : bool, default=True
        Whether NUL characters, which have no place in a table, are accepted.

    Returns
    -------
    file : text file
    """
    head = content.file.head
    mark, encoding = next((m for m in _MARKS if head.startswith(m[0])), (b"", "utf-8"))
    content.file.read(len(mark))
    raw = _BoundedLines(content.file, encoding, os.fspath(path), may_hold_nul)
    return io.TextIOWrapper(raw, "utf-8", newline=newline)


class _BoundedLines(Reader):
    """The text of a file as UTF-8; bytes that are not text, and endless lines, are errors."""

    def __init__(self, file, encoding, path, may_hold_nul):
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._encoding = encoding
        self._path = path
        self._may_hold_nul = may_hold_nul
        self._rest = b""
        self._line = 1  # number of the current line
        self._since = 0  # characters in it so far
        self._after_return = False

    def _next(self, n_bytes):
        while not self._rest and (read := self._file.read(_CHUNK)):
            self._rest = self._checked(read)
        if not self._rest:
            self._rest = self._checked(b"", final=True)
        read, self._rest = self._rest[:n_bytes], self._rest[n_bytes:]
        return read

    def _checked(self, read, *, final=False):
        try:
            text = self._decoder.decode(read, final)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(self._encoding)
            raise self._wrong(
                before, f"bytes that are not {self._encoding.upper()}", "convert the file to UTF-8"
            ) from error
        nul = -1 if self._may_hold_nul else text.find("\0")
        if nul >= 0:
            raise self._wrong(text[:nul], "a NUL character", "remove it")
        n_ends = self._n_ends(text)
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        self._since = len(text) - end + (0 if end else self._since)
        self._line += n_ends
        if self._since > LONGEST:
            raise self._wrong(
                "", f"more than {LONGEST} characters", "check that it is the right file"
            )
        self._after_return = text[-1:] == "\r" or (not text and self._after_return)
        return text.encode()

    def _n_ends(self, text):
        n_ends = text.count("\n") + text.count("\r") - text.count("\r\n")
        return n_ends - (self._after_return and text[:1] == "\n")

    def _wrong(self, before, what, remedy):
        line = self._line + self._n_ends(before)
        return Unreadable(f"{self._path!r}, line {line}, has {what}; {remedy}.")
