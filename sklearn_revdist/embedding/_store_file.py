"""The file of a store: SQLite that processes share, its tables, and embeddings with checksums.

Processes wait for each other. What is written in a transaction is there whole or not at all,
whenever a process is killed, and errors of SQLite become one sentence.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..utils._messages import first_line

BUSY_SECONDS = 60.0
APPLICATION_ID = int.from_bytes(b"rvds", "big")
USER_VERSION = 1

_TABLES = (
    "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    weights TEXT NOT NULL,  -- SHA-256 of the checkpoint, hexadecimal
    layer INTEGER NOT NULL,  -- counted from the end: -1 is the last
    pooling TEXT NOT NULL,
    dtype TEXT NOT NULL,  -- precision of the computation
    width INTEGER NOT NULL,
    model TEXT NOT NULL,
    UNIQUE (weights, layer, pooling, dtype, width)
)""",
    """CREATE TABLE sequences (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,  -- of the sequence as ASCII text
    text TEXT NOT NULL  -- as the model received it
)""",
    """CREATE TABLE embeddings (
    source INTEGER NOT NULL REFERENCES sources,
    sequence INTEGER NOT NULL REFERENCES sequences,
    max_length INTEGER NOT NULL,  -- of windows, 0 where the sequence was embedded whole
    vector BLOB NOT NULL,  -- little-endian float32 or, at half the size, float16
    checksum BLOB NOT NULL,
    UNIQUE (source, sequence, max_length)
)""",
    """CREATE TABLE checkpoint_files (
    state TEXT PRIMARY KEY,  -- path, size and times of a file whose SHA-256 is known
    sha256 TEXT NOT NULL
)""",
)

_WRITE_ERRORS = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


class Source(NamedTuple):
    """What an embedding depends on besides the sequence."""

    weights: str
    layer: int
    pooling: str
    dtype: str
    width: int


class SequenceKey(NamedTuple):
    """A sequence as it is embedded, and the length of windows, 0 where it is embedded whole."""

    text: str
    max_length: int


class SQLiteFile:
    """An open SQLite file.

    Parameters
    ----------
    path : Path
        Absolute.
    mode : {"rw", "rwc"}
        ``"rw"`` opens an existing file, ``"rwc"`` creates one where there is none.

    Raises
    ------
    TimeoutError
        If other processes keep it locked, here as in all methods.
    OSError
        If it cannot be opened or written.
    ValueError
        If it is not a SQLite file, or is damaged.
    """

    def __init__(self, path: Path, mode: str):
        self.path = path
        # The rollback journal, SQLite's default: unlike the write-ahead log it works where
        # several machines share a folder, leaves one file, and one that can be read without
        # permission to write. Transactions are short, so readers do not wait for long.
        with _one_sentence(path):
            self._connection = sqlite3.connect(
                f"{path.as_uri()}?mode={mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def rows(self, statement: str, parameters: Sequence = ()) -> list[tuple]:
        """Execute a statement and return all of its rows."""
        with _one_sentence(self.path):
            return self._connection.execute(statement, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for statements of which all take effect, or none."""
        with _one_sentence(self.path):
            self._connection.execute("BEGIN IMMEDIATE")  # waits for other writers
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def damaged(path: Path, what: str) -> str:
    """Message about a damaged store."""
    return (
        f"The store {str(path)!r} is damaged ({what}); move it away, restore a copy or let a new "
        "one be filled."
    )


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into one sentence that says what to do."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter: names in the file
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise TimeoutError(
                f"The store {str(path)!r} was in use by other processes for {BUSY_SECONDS:.0f} "
                "seconds; try again, what was stored is kept."
            ) from error
        if code in _WRITE_ERRORS:
            raise OSError(
                f"The store {str(path)!r} cannot be opened or written ({first_line(error)}); check "
                "the disk and permissions, what was stored is kept."
            ) from error
        if code == sqlite3.SQLITE_NOTADB:
            raise ValueError(
                f"{str(path)!r} is not a SQLite file; choose another path for the store."
            ) from error
        raise ValueError(damaged(path, first_line(error))) from error


def make_tables(file: SQLiteFile, dtype: str) -> None:
    """Make the tables of a store in a blank file; leave any other file as it is."""
    if not _is_blank(file):
        return
    with file.transaction() as connection:
        if not _is_blank(file):  # another process may have been faster
            return
        for statement in _TABLES:
            connection.execute(statement)
        connection.executemany(
            "INSERT INTO metadata VALUES (?, ?)",
            [
                ("format", "embeddings of protein sequences, made by sklearn_revdist"),
                ("storage_dtype", dtype),
                (
                    "checksum",
                    "BLAKE2b of 16 bytes of: weights, layer, pooling, dtype, width and max_length, "
                    "each as text and followed by a space; the sequence's sha256; the vector",
                ),
            ],
        )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {USER_VERSION}")


def read_header(file: SQLiteFile) -> str:
    """Check that a file is a store, and return the precision in which it keeps embeddings."""
    ((application_id,),) = file.rows("PRAGMA application_id")
    ((version,),) = file.rows("PRAGMA user_version")
    if application_id != APPLICATION_ID:
        raise ValueError(
            f"{str(file.path)!r} is a SQLite file of something else; choose another path."
        )
    if version > USER_VERSION:
        raise ValueError(
            f"{str(file.path)!r} is of version {version}, but this sklearn_revdist knows "
            f"versions up to {USER_VERSION}; upgrade it."
        )
    values = dict(file.rows("SELECT key, value FROM metadata"))
    if values.get("storage_dtype") not in ("float32", "float16"):
        raise ValueError(damaged(file.path, "its metadata has no storage_dtype"))
    return values["storage_dtype"]


def text_digest(text: str) -> bytes:
    """SHA-256 of a sequence, under which it is stored."""
    return hashlib.sha256(text.encode()).digest()


def checksum_of(source: Source, max_length: int, sha256: bytes, vector: bytes) -> bytes:
    """Checksum of an embedding and its key."""
    key = "".join(f"{value} " for value in (*source, max_length))
    return hashlib.blake2b(key.encode() + sha256 + vector, digest_size=16).digest()


def is_intact(source: Source, max_length: int, sha256: bytes, vector: Any, checksum: Any) -> bool:
    """Whether an embedding is what was stored under its key."""
    # a damaged file may hold values of any type
    is_bytes = isinstance(sha256, bytes) and isinstance(vector, bytes)
    return is_bytes and checksum == checksum_of(source, max_length, sha256, vector)


def encode(values: NDArray[np.float32], storage_dtype: str) -> bytes:
    """Convert an embedding to bytes, of float32 where float16 would overflow."""
    if storage_dtype == "float16":
        with np.errstate(over="ignore"):
            half = values.astype("<f2")
        if np.isfinite(half).all():
            return half.tobytes()
    return values.astype("<f4").tobytes()


def decode(vector: bytes, width: int) -> NDArray[np.float32]:
    """Convert bytes to an embedding."""
    dtype = "<f4" if len(vector) == 4 * width else "<f2"
    return np.frombuffer(vector, dtype).astype(np.float32)


def _is_blank(file: SQLiteFile) -> bool:
    """Whether a file is new, or was left blank by a process killed while it made a store."""
    ((n_tables,),) = file.rows("SELECT count(*) FROM sqlite_schema")
    ((application_id,),) = file.rows("PRAGMA application_id")
    return n_tables == application_id == 0
