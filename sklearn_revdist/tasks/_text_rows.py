"""Text rows: rows of files, with their places in them, and what becomes of bad ones."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from ..sequences._packed import plain_name
from ..sequences._text_tables import open_rows
from ..sequences._tokens import drop_stop, stops_dropped


class Rejects:
    """What becomes of bad rows: an error that names file and row, or a count by reason.

    Parameters
    ----------
    skip_invalid : bool
        Whether bad rows are counted and left out.
    """

    def __init__(self, skip_invalid: bool):
        self.skip_invalid = skip_invalid
        self.counts: Counter[str] = Counter()

    def add(self, place: str, what: str, reason: str) -> None:
        """Reject a row: say where and what, or count it under a reason."""
        if not self.skip_invalid:
            raise ValueError(f"{place}: {what}; mend it, or leave such rows out (skip_invalid).")
        self.counts[reason] += 1

    def check_any_left(self, path: str | os.PathLike, n_rows: int) -> None:
        """Refuse a file of which nothing is left."""
        if not n_rows:
            told = ", ".join(f"{n} with {reason}" for reason, n in self.counts.items())
            raise ValueError(
                f"{str(path)!r} has no valid row ({told or 'it is empty'}); check that it is "
                "the right file and its columns are the ones meant."
            )


def read_text(
    path: str | os.PathLike, needed: Sequence[str], *, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Table of text.

    Parameters
    ----------
    path : str or path-like
        A table as :func:`~._text_tables.open_rows` reads it: CSV or, ending in ``.tsv``, ``.tab``
        or ``.txt``, with tabs, plain or compressed, or an Excel workbook.
    needed : sequence of str
        Columns that it must have.
    columns : sequence of str, default=None
        Names of the columns of a file that has no header.

    Returns
    -------
    table : DataFrame
        All columns as text, empty where nothing stands. The index says where each row is: file
        and line. Blank lines are left out, and rows without any text.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is no table, or a column is missing.
    """
    remedy = "say in a list of tasks (TOML) which columns to read"
    with open_rows(path, dict.fromkeys(needed, remedy), columns=columns) as table:
        numbered = [(table.place(number), row) for number, row in table.rows if any(row)]
    return pd.DataFrame(
        [row for _, row in numbered],
        index=[place for place, _ in numbered],
        columns=table.columns,
        dtype=str,
    )


def without_stops(sequences: Sequence[str], path: str | os.PathLike) -> list[str]:
    """Sequences of a file without the ``*`` at their ends, with one warning that counts them."""
    proteins = list(map(drop_stop, sequences))
    n_stops = sum(map(str.__ne__, proteins, sequences))
    if n_stops:
        what = f"{str(path)!r}: {stops_dropped(n_stops, len(proteins))}"
        warnings.warn(what, UserWarning, stacklevel=2)
    return proteins


def task_name(path: str | os.PathLike) -> str:
    """Name of a file without what says its format."""
    return re.sub(r"\.(csv|tsv|txt|fasta|fa)$", "", plain_name(path))
