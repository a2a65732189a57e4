"""What a store's file holds: tables made once, and embeddings that are told from damaged ones."""

import hashlib
from contextlib import closing

import numpy as np
import pytest

from sklearn_revdist.embedding._sqlite import SQLiteFile
from sklearn_revdist.embedding._store_format import (
    Source,
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


def test_what_half_precision_cannot_hold_stays_float32():
    values = np.array([1e5, 0.1, 0.0], np.float32)
    np.testing.assert_array_equal(decode(encode(values, "float16"), 3), values)


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
