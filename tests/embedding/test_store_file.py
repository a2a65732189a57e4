"""The file of a store: shared by processes, its tables made once, its embeddings checked."""

import hashlib
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from sklearn_revdist.embedding import _store_file
from sklearn_revdist.embedding._store_file import (
    Source,
    SQLiteFile,
    checksum_of,
    decode,
    encode,
    is_intact,
    make_tables,
    read_header,
    text_digest,
)

SOURCE = Source("0" * 64, -1, "mean", "float32", 3)
SHA256 = text_digest("MKT")


@pytest.fixture
def path(tmp_path):
    with closing(SQLiteFile(tmp_path / "shared.sqlite", "rwc")) as file:
        file.rows("CREATE TABLE numbers (value INTEGER UNIQUE)")
        file.rows("INSERT INTO numbers VALUES (?)", (1,))
    return tmp_path / "shared.sqlite"


def numbers(path):
    with closing(SQLiteFile(path, "rw")) as file:
        return [value for (value,) in file.rows("SELECT value FROM numbers ORDER BY value")]


def test_a_transaction_is_there_for_all_when_it_ends(path):
    with closing(SQLiteFile(path, "rw")) as file:
        with file.transaction() as connection:
            connection.executemany("INSERT INTO numbers VALUES (?)", [(2,), (3,)])
            assert numbers(path) == [1]
        assert numbers(path) == [1, 2, 3]


def test_a_transaction_that_fails_leaves_nothing(path):
    with closing(SQLiteFile(path, "rw")) as file:
        with pytest.raises(ValueError, match="UNIQUE"), file.transaction() as connection:
            connection.executemany("INSERT INTO numbers VALUES (?)", [(2,), (1,)])
        with file.transaction() as connection:
            connection.execute("INSERT INTO numbers VALUES (3)")
    assert numbers(path) == [1, 3]


def test_one_writes_while_another_waits_and_readers_go_on(path, monkeypatch):
    monkeypatch.setattr(_store_file, "BUSY_SECONDS", 0.1)
    with (
        closing(SQLiteFile(path, "rw")) as file,
        closing(SQLiteFile(path, "rw")) as other,
        file.transaction(),
    ):
        assert other.rows("SELECT value FROM numbers") == [(1,)]
        message = r"shared\.sqlite' was in use by other .*; try again, what was stored is kept\.$"
        with pytest.raises(TimeoutError, match=message):
            other.rows("DELETE FROM numbers")
    assert numbers(path) == [1]


def test_others_are_waited_for_as_long_as_it_says(path, monkeypatch):
    asked = {}
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *given, **named: asked.update(named) or connect(*given, **named)
    )
    SQLiteFile(path, "rw").close()
    assert asked == {"uri": True, "timeout": _store_file.BUSY_SECONDS, "isolation_level": None}


def test_a_file_is_made_where_that_is_asked_for(tmp_path):
    message = r"nothing' cannot be opened or written \(unable to open.*, what was stored is kept\.$"
    with pytest.raises(OSError, match=message):
        SQLiteFile(tmp_path / "nothing", "rw")
    SQLiteFile(tmp_path / "nothing", "rwc").close()


def test_other_files_and_damaged_ones_are_refused(path):
    content = path.read_bytes()
    path.write_text("value\n1\n" * 99)
    with pytest.raises(ValueError, match=r"shared\.sqlite' is not a SQLite file; choose another"):
        numbers(path)
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    with pytest.raises(
        ValueError, match=r"shared\.sqlite' is damaged \(.*\); .* let a new one be filled\.$"
    ):
        numbers(path)


def test_errors_keep_their_cause(path):
    with closing(SQLiteFile(path, "rw")) as file, pytest.raises(ValueError) as caught:  # noqa: PT011
        file.rows("SELECT value FROM letters")
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


# ------------------------------------------------------------------ tables, embeddings


@pytest.fixture
def file(tmp_path):
    with closing(SQLiteFile(tmp_path / "store.sqlite", "rwc")) as file:
        yield file


def test_tables_are_made_once(file):
    for dtype in ("float16", "float32"):
        make_tables(file, dtype)
        assert read_header(file) == "float16"


def test_another_process_may_be_faster(file, tmp_path, monkeypatch):
    """It makes the store between a look at the file and the wait for its turn."""
    transaction = SQLiteFile.transaction

    def late(self):
        monkeypatch.setattr(SQLiteFile, "transaction", transaction)
        with closing(SQLiteFile(tmp_path / "store.sqlite", "rw")) as other:
            make_tables(other, "float16")
        return transaction(self)

    monkeypatch.setattr(SQLiteFile, "transaction", late)
    make_tables(file, "float32")
    assert read_header(file) == "float16"


def test_the_file_says_how_checksums_are_made(file):
    make_tables(file, "float16")
    assert dict(file.rows("SELECT key, value FROM metadata")) == {
        "format": "embeddings of protein sequences, made by sklearn_revdist",
        "storage_dtype": "float16",
        "checksum": "BLAKE2b of 16 bytes of: weights, layer, pooling, dtype, width and max_length, "
        "each as text and followed by a space; the sequence's sha256; the vector",
    }
    key = b"0" * 64 + b" -1 mean float32 3 1022 "
    made = hashlib.blake2b(key + SHA256 + b"vector", digest_size=16).digest()
    assert checksum_of(SOURCE, 1022, SHA256, b"vector") == made


def test_a_file_of_something_else_is_left_as_it_is(file):
    file.rows("CREATE TABLE other (value)")
    make_tables(file, "float32")
    assert file.rows("SELECT name FROM sqlite_schema") == [("other",)]
    with pytest.raises(ValueError, match="is a SQLite file of something else"):
        read_header(file)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_an_embedding_comes_back_in_the_precision_of_the_store(dtype):
    values = np.array([0.1, -2.0, 3e-5], np.float32)
    vector = encode(values, np.dtype(dtype).name)
    assert len(vector) == 3 * np.dtype(dtype).itemsize
    expected = values.astype(dtype).astype(np.float32)
    np.testing.assert_array_equal(decode(vector, 3), expected, strict=True)


@pytest.mark.parametrize(
    "change",
    [
        {"source": SOURCE._replace(layer=-2)},
        {"source": SOURCE._replace(dtype="float16")},
        {"max_length": 1022},
        {"sha256": text_digest("MKV")},
        {"sha256": None},
        {"vector": b"\0" * 11 + b"\1"},
        {"vector": "text"},
        {"checksum": b""},
        {"checksum": None},
    ],
)
def test_a_checksum_is_that_of_the_embedding_and_of_all_it_is_kept_under(change):
    row = {"source": SOURCE, "max_length": 0, "sha256": SHA256, "vector": b"\0" * 12}
    stored = row | {"checksum": checksum_of(**row)}
    assert is_intact(**stored)
    assert not is_intact(**stored | change)
