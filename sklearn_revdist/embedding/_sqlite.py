"""A SQLite file that many processes share: they wait for each other, and errors are one sentence.

What is written in a transaction is there whole or not at all, whenever the process is killed.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..utils._messages import first_line

BUSY_SECONDS = 60.0

_WRITE_ERRORS = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


class SQLiteFile:
    """An open SQLite file.

    Parameters
    ----------
    path : Path
        Where it is; absolute.
    mode : {"rw", "rwc"}
        Whether it must exist, or is made where there is none.

    Raises
    ------
    TimeoutError
        If other processes do not let it go, here as in all that follows.
    OSError
        If it cannot be opened or written.
    ValueError
        If it is no SQLite file, or is damaged.
    """

    def __init__(self, path: Path, mode: str):
        self.path = path
        # The rollback journal, SQLite's default: unlike the write-ahead log it works where
        # several machines share a folder, leaves one file, and one that can be read without
        # permission to write. Transactions are short, so that readers do not wait for long.
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
        """All rows that a statement gives."""
        with _one_sentence(self.path):
            return self._connection.execute(statement, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements that all take place, or none."""
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
    """One sentence for a file that does not hold what it should."""
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
