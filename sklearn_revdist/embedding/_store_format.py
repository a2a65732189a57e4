"""What a store's file holds: its tables, its header, and embeddings with checksums."""

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._sqlite import SQLiteFile, damaged

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
    text TEXT NOT NULL  -- as the model was shown it
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


class Source(NamedTuple):
    """What an embedding depends on beside the sequence."""

    weights: str
    layer: int
    pooling: str
    dtype: str
    width: int


class Shown(NamedTuple):
    """A sequence as a model is shown it: its text, and the length of windows or 0."""

    text: str
    max_length: int


def make_tables(file: SQLiteFile, dtype: str) -> None:
    """Make a blank file a store; leave any other as it is."""
    if not _is_blank(file):
        return
    with file.transaction() as connection:
        # another process may have been faster, and one that was killed while it made the store
        # leaves a blank file
        if not _is_blank(file):
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
    """Precision in which a store keeps embeddings, after checking that the file is one."""
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
    """SHA-256 of a sequence, by which it is found."""
    return hashlib.sha256(text.encode()).digest()


def checksum_of(source: Source, max_length: int, sha256: bytes, vector: bytes) -> bytes:
    """Checksum of an embedding together with its key."""
    key = "".join(f"{value} " for value in (*source, max_length))
    return hashlib.blake2b(key.encode() + sha256 + vector, digest_size=16).digest()


def is_intact(source: Source, max_length: int, sha256: bytes, vector: Any, checksum: Any) -> bool:
    """Whether an embedding is the one that was stored under its key."""
    # a damaged file may hold values of any type
    is_bytes = isinstance(sha256, bytes) and isinstance(vector, bytes)
    return is_bytes and checksum == checksum_of(source, max_length, sha256, vector)


def encode(values: NDArray[np.float32], storage_dtype: str) -> bytes:
    """Bytes of an embedding; float32 where float16 cannot hold it."""
    if storage_dtype == "float16":
        with np.errstate(over="ignore"):
            half = values.astype("<f2")
        if np.isfinite(half).all():
            return half.tobytes()
    return values.astype("<f4").tobytes()


def decode(vector: bytes, width: int) -> NDArray[np.float32]:
    """The embedding that those bytes are."""
    return np.frombuffer(vector, dtype="<f4" if len(vector) == 4 * width else "<f2").astype(
        np.float32
    )


def _is_blank(file: SQLiteFile) -> bool:
    ((n_tables,),) = file.rows("SELECT count(*) FROM sqlite_schema")
    ((application_id,),) = file.rows("PRAGMA application_id")
    return n_tables == application_id == 0
