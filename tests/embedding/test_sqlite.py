"""A file that processes share: transactions are whole, others are waited for, errors are told."""

import sqlite3
from contextlib import closing

import pytest

from sklearn_revdist.embedding import _sqlite
from sklearn_revdist.embedding._sqlite import SQLiteFile


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
    monkeypatch.setattr(_sqlite, "BUSY_SECONDS", 0.1)
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
    assert asked == {"uri": True, "timeout": _sqlite.BUSY_SECONDS, "isolation_level": None}


def test_a_file_is_made_where_that_is_asked_for(tmp_path):
    message = r"nothing' cannot be opened or written \(unable to open.*, what was stored is kept\.$"
    with pytest.raises(OSError, match=message):
        SQLiteFile(tmp_path / "nothing", "rw")
    SQLiteFile(tmp_path / "nothing", "rwc").close()


def test_other_files_and_damaged_ones_are_told(path):
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
