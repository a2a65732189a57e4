"""Read rows of text with their places in the file, and reject or count bad ones."""

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence

import pandas as pd

from ..sequences._packed import plain_name
from ..sequences._table_rows import open_table_rows
from ..sequences._tokens import drop_stop, stops_dropped
from ..utils._messages import warn_user

_REMEDY = "name the columns to read (`target`, `sequence`), or list the task in TOML"
WRONG_FILE = "check that it is the right file and that its columns are those intended"


class Rejects:
    """Reject bad rows: raise an error that names file and row, or count them by reason.

    Parameters
    ----------
    skip_invalid : bool
        Whether bad rows are left out and counted.
    """

    def __init__(self, skip_invalid: bool):
        self.skip_invalid = skip_invalid
        self.counts: Counter[str] = Counter()

    def add(self, place: str, what: str, reason: str) -> None:
        """Raise an error that says where a row is and what is wrong, or count it."""
        if not self.skip_invalid:
            raise ValueError(f"{place}: {what}; fix it, or leave such rows out (skip_invalid).")
        self.counts[reason] += 1

    def check_any_left(self, path: str | os.PathLike, n_rows: int) -> None:
        """Refuse a file without valid rows."""
        if not n_rows:
            raise ValueError(
                f"{str(path)!r} has no valid row ({str(self) or 'it is empty'}); {WRONG_FILE}."
            )

    def __str__(self):
        """List the counts."""
        return ", ".join(f"{n} with {reason}" for reason, n in self.counts.items())


def read_text(
    path: str | os.PathLike,
    needed: Sequence[str],
    *,
    wanted: Collection[str] = (),
    columns: Sequence[str] | None = None,
    remedy: str = _REMEDY,
) -> pd.DataFrame:
    """Read a whole table as text.

    Parameters
    ----------
    path : str or path-like
        As for :func:`~.sequences._table_rows.open_table_rows`: CSV or, ending in ``.tsv``,
        ``.tab`` or ``.txt``, with tabs, plain or compressed, an Excel workbook, or Parquet.
    needed : sequence of str
        Columns that it must have.
    wanted : collection of str, default=()
        Columns that are used if present, so that no two may have the name.
    columns : sequence of str, default=None
        Names of the columns of a file without a header.
    remedy : str
        What to do if a column is missing, for the message.

    Returns
    -------
    table : DataFrame
        All columns as strings. The index is the place of each row, file and line. Rows without
        any text are left out.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is not a table, or a column is missing.
    """
    expected = dict.fromkeys(needed, remedy)
    with open_table_rows(path, expected, wanted=wanted, columns=columns) as table:
        numbered = [
            (table.place(number), row) for number, row in table.cells(table.columns) if any(row)
        ]
    return pd.DataFrame(
        [row for _, row in numbered],
        index=[place for place, _ in numbered],
        columns=table.columns,
        dtype=str,
    )


def without_stops(sequences: Sequence[str], path: str | os.PathLike) -> list[str]:
    """Drop ``*`` from the ends of sequences, with one warning that counts them."""
    proteins = list(map(drop_stop, sequences))
    n_stops = sum(map(str.__ne__, proteins, sequences))
    if n_stops:
        warn_user(f"{str(path)!r}: {stops_dropped(n_stops, len(proteins))}")
    return proteins


def task_name(path: str | os.PathLike) -> str:
    """Name a task after its file, without the suffix of the format."""
    return re.sub(r"\.(csv|tsv|tab|txt|xlsx|parquet|fasta|fa)$", "", plain_name(path))
