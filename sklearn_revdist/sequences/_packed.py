"""Open files, plain or compressed, after recognising by their first bytes what they are."""

import bz2
import errno
import gzip
import io
import lzma
import os
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..utils._messages import first_line

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")

# Text in which rows differ does not unpack to this many times its size.
_SMALL = 2**24
_COMPRESSION = 200

_HEAD = 512  # bytes by which a file is recognised; those of a tar archive begin at 257
_CHUNK = 2**16
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second is that of an archive of nothing

# What zipfile raises, also for impossible offsets, versions and passwords.
_DAMAGED_ZIP = (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, struct.error)

_TEXT = "save the text in it as FASTA or CSV"
_FORMAT = "end its name in {0}, or name its format ({1})"
_BY_FIRST_BYTES = (
    (rb"%PDF-", "a PDF document", _TEXT),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document", "save it as .xlsx or CSV"),
    (rb"\{\\rtf", "a document in RTF", _TEXT),
    (rb"PAR1[\x00-\x08\x0e-\x1f]", "a Parquet table", _FORMAT.format(".parquet", "parquet")),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", _FORMAT.format(".h5", "hdf5")),
    (rb"\x93NUMPY", "an array of NumPy", _FORMAT.format(".npy", "npy")),
    (rb"SQLite format 3\0", "a SQLite database", "end its name in .sqlite if it is a store"),
    (rb"ARROW1\0\0", "a Feather table", "write it as Parquet or CSV"),
    (rb"\x80[\x02-\x05]", "a pickle, which may run code when it is read", _TEXT),
    (rb".{257}ustar", "a tar archive", "unpack it"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!", "an archive", "unpack it"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "a picture", _TEXT),
    (rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype html|html|head)\b", "a page in HTML", _TEXT),
    (rb"(?i)(\xef\xbb\xbf)?\s*<\?xml", "a document in XML", _TEXT),
    (rb'(\xef\xbb\xbf)?\s*[\[{]\s*["{\[\]}]', "in JSON", "write it as FASTA or CSV"),
)
# Members of zip archives that are documents.
_BY_MEMBERS = (
    (r"word/", "a document of Word", _TEXT),
    (r"ppt/", "a presentation", _TEXT),
    (r"content\.xml$", "an OpenDocument file", "save it as .xlsx or CSV"),
    (r"(.*/)?data\.pkl$", "a file of torch", _TEXT),
    (r".*\.npy$", "a file of arrays of NumPy", _TEXT),
)


class Unreadable(ValueError):
    """What is wrong with a file, where in it, and what to do."""


class Content(NamedTuple):
    """What is in a file.

    Attributes
    ----------
    file : binary file
        At its beginning; seekable if it is a workbook.
    is_workbook : bool
        Whether it is an Excel workbook (.xlsx), which is not unpacked.
    """

    file: BinaryIO
    is_workbook: bool


def plain_name(path: str | os.PathLike) -> str:
    """Name of a file without the suffix of a compression."""
    path = Path(path)
    return path.stem if path.suffix.lower() in COMPRESSIONS else path.name


def plain_suffix(path: str | os.PathLike) -> str:
    """Suffix of a file's format, before that of a compression, in lower case."""
    return Path(plain_name(path)).suffix.lower()


@contextmanager
def open_content(path: str | os.PathLike) -> Iterator[Content]:
    """Open a file, a pipe or a device, plain or compressed: gzip, bzip2, xz, zstd, zip of one file.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    content : Content

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or it may not be read.
    ImportError
        If it is compressed with zstd and the package for that is not installed.
    Unreadable
        If it is a folder or a document; while reading, if it is compressed and damaged, or
        unpacks to far more than text does.
    """
    path = Path(path)
    with ExitStack() as stack:
        file = stack.enter_context(_opened(path))
        packed = _Peeked(file)
        content = packed
        if packed.head.startswith(_ZIP):
            archive: BinaryIO = file
            if not file.seekable():
                archive = stack.enter_context(tempfile.TemporaryFile(prefix="revdist-"))
                shutil.copyfileobj(packed, archive)
            member = _only_member(archive, path)
            if member is None:
                archive.seek(0)
                yield Content(archive, is_workbook=True)
                return
            content = _Peeked(_Unpacked(member, packed, file, path))
        elif start := _unpacker(packed.head, path):
            content = _Peeked(_Unpacked(start(packed), packed, file, path))
        _refuse_others(content.head, path, packed=content is not packed)
        yield Content(content, is_workbook=False)


def _damaged(path: Path, error: BaseException) -> Unreadable:
    return Unreadable(
        f"{str(path)!r} is damaged: it cannot be decompressed ({first_line(error)}); copy or "
        "download it again."
    )


def _check_size(n_unpacked: int, n_packed: int, path: Path) -> None:
    """Refuse a file that unpacks to far more bytes than text does."""
    if n_unpacked > _SMALL + _COMPRESSION * n_packed:
        raise Unreadable(
            f"{str(path)!r} unpacks to more than {_COMPRESSION} times its size, which no table or "
            "FASTA file does; check that it is the right file."
        )


def _opened(path):
    if path.is_dir():
        raise Unreadable(f"{str(path)!r} is a folder; name a file in it.")
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no file {str(path)!r}; check the path.") from error
    except PermissionError as error:
        raise PermissionError(
            f"The file {str(path)!r} may not be read by this user; change its permissions."
        ) from error


def _only_member(file: BinaryIO, path: Path) -> Any:
    """Open the only file in an archive; return None if the archive is a workbook."""
    try:
        file.seek(0)
        archive = zipfile.ZipFile(file)
    except _DAMAGED_ZIP as error:
        raise _damaged(path, error) from error
    # leave out folders, and the one that macOS adds
    ours = [m for m in archive.infolist() if not re.match("(__MACOSX/|.*/$)", m.filename)]
    names = [member.filename for member in ours]
    if "xl/workbook.xml" in names:
        size = sum(member.file_size for member in ours)
        _check_size(size, file.seek(0, os.SEEK_END), path)
        return None
    for pattern, what, remedy in _BY_MEMBERS:
        if any(re.match(pattern, name) for name in names):
            raise Unreadable(f"{str(path)!r} is {what}, by its contents; {remedy}.")
    if len(ours) != 1:
        listed = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
        raise Unreadable(
            f"{str(path)!r} is a zip archive of {len(ours)} files ({listed}); unpack it, and name "
            "one of them."
        )
    if ours[0].flag_bits & 1:
        raise Unreadable(f"{str(path)!r} is a zip archive with a password; unpack it.")
    try:
        return archive.open(ours[0])
    except _DAMAGED_ZIP as error:
        raise _damaged(path, error) from error


def _unpacker(head: bytes, path: Path) -> Callable[[BinaryIO], Any] | None:
    """Return what unpacks a file with this beginning, None if it is not compressed."""
    if head.startswith(b"\x1f\x8b"):
        return lambda file: gzip.GzipFile(fileobj=file)
    if re.match(rb"BZh[1-9](1AY&SY|\x17rE8P)", head):
        return lambda file: _Streams(file, bz2.BZ2Decompressor)
    if head.startswith(b"\xfd7zXZ\0"):
        return lambda file: _Streams(file, lzma.LZMADecompressor)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return lambda file: _Streams(file, _zstd(path).ZstdDecompressor)
    return None


def _zstd(path):
    for name in ("compression.zstd", "backports.zstd"):  # the first from Python 3.14 on
        with suppress(ImportError):
            return import_module(name)
    raise ImportError(
        f"{str(path)!r} is compressed with zstd, which needs backports.zstd; run "
        '`pip install "sklearn-revdist[io]"`, or unpack it with `zstd -d`.'
    )


def _refuse_others(head: bytes, path: Path, *, packed: bool) -> None:
    """Refuse a file that is neither text nor compressed text, by what it is."""
    if packed and (head.startswith(_ZIP) or _unpacker(head, path)):
        raise Unreadable(f"{str(path)!r} is compressed twice; unpack it once.")
    for pattern, what, remedy in _BY_FIRST_BYTES:
        if re.match(pattern, head, re.DOTALL):
            raise Unreadable(f"{str(path)!r} is {what}, by its first bytes; {remedy}.")


class Reader(io.RawIOBase):
    """A file that :meth:`_next` reads: at most so many bytes, none at the end."""

    def readable(self):
        return True

    def readinto(self, buffer):
        read = self._next(len(buffer))
        buffer[: len(read)] = read
        return len(read)


class _Peeked(Reader):
    """A file, not necessarily seekable, whose first bytes are known before it is read."""

    def __init__(self, file):
        self.n_read = 0  # bytes taken from the file so far
        self._file = file
        self.head = b""
        while len(self.head) < _HEAD and (more := file.read(_HEAD - len(self.head))):
            self.head += more
        self._rest = self.head

    def _next(self, n_bytes):
        if self._rest:
            read, self._rest = self._rest[:n_bytes], self._rest[n_bytes:]
        else:
            read = self._file.read(n_bytes)
        self.n_read += len(read)
        return read


class _Streams(Reader):
    """Compressed streams, one after the other; anything else after them is an error."""

    def __init__(self, file, start):
        self._file = file
        self._start = start
        self._unpacker = None

    def _next(self, n_bytes):
        while True:
            waiting = b""
            if self._unpacker is None or self._unpacker.eof:
                if not (waiting := self._next_stream()):
                    return b""
                self._unpacker = self._start()
            elif self._unpacker.needs_input and not (waiting := self._file.read(_CHUNK)):
                raise EOFError("it ends too early")
            if read := self._unpacker.decompress(waiting, n_bytes):
                return read

    def _next_stream(self):
        """Return the beginning of the next stream, after any padding."""
        waiting = self._unpacker.unused_data.lstrip(b"\0") if self._unpacker else b""
        while not waiting and (read := self._file.read(_CHUNK)):
            waiting = read.lstrip(b"\0")
        return waiting


class _Unpacked(Reader):
    """Content of a compressed file, with one error for any damage, and a bounded size."""

    def __init__(self, content, packed, file, path):
        self._content = content
        self._packed = packed
        self._path = path
        self._size = os.fstat(file.fileno()).st_size  # 0 for a pipe
        self._n_read = 0

    def _next(self, n_bytes):
        try:
            read = self._content.read(n_bytes)
        except Exception as error:  # the class of zstd's error may not be installed
            known = (*_DAMAGED_ZIP, zlib.error, lzma.LZMAError)
            if not isinstance(error, known) and type(error).__name__ != "ZstdError":
                raise
            if getattr(error, "errno", None) not in (None, errno.EINVAL):  # the disk's
                raise
            raise _damaged(self._path, error) from error
        self._n_read += len(read)
        _check_size(self._n_read, max(self._size, self._packed.n_read), self._path)
        return read
