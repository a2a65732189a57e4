"""Text rows: rows of files, with their places in them, and what becomes of bad ones."""

import os
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._packed_files import plain_name
from ._sequences import AMBIGUOUS, AMINO_ACIDS
from ._tasks import Task
from ._text_tables import open_rows

SETS = ("train", "validation", "test")

# Numbers with at most so many distinct values, all whole, are taken as names of classes.
_MOST_NUMBERED_CLASSES = 20
_SETS = {**dict(zip(SETS, SETS, strict=True)), "valid": "validation"}
# FLIP's headers: ">id TARGET=1.5 SET=train VALIDATION=False".
_KEY_VALUE = re.compile(r"(\w+)=(\S+)")


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

    def finish(self, task: Task, places: Sequence[str]) -> Task:
        """The task without classes of one row, and with the counts of all that was rejected.

        Parameters
        ----------
        task : Task
            Its rows are those of the file that are left.
        places : sequence of str
            Where each row is.
        """
        if task.kind == "classification":
            counts = Counter(task.target.tolist())
            lone = np.array([counts[label] == 1 for label in task.target])
            for row in np.flatnonzero(lone):
                what = f"class {task.target[row]!r} is seen only here"
                self.add(places[row], what, "a class seen only once")
            if lone.all():
                raise ValueError(
                    f"{places[0]}: this class and all others have one row each; check that it is "
                    "the right file and its columns are the ones meant."
                )
            if lone.any():
                task = task.take(np.flatnonzero(~lone))
        task.excluded.update(self.counts)
        return task


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


def wrong_letter(sequence: str, unknown: str) -> str | None:
    """What is wrong with the letters of a sequence, or None.

    Parameters
    ----------
    sequence : str
        A protein sequence.
    unknown : {"error", "mask", "X"}
        The embedder's policy; unless it is "error", ambiguous residues are let through.
    """
    if not sequence:
        return "the sequence is empty"
    allowed = AMINO_ACIDS if unknown == "error" else AMINO_ACIDS + AMBIGUOUS
    found = re.search(f"[^{re.escape(allowed)}]", sequence, re.IGNORECASE | re.ASCII)
    if found is None:
        return None
    hint = " (see `unknown`)" if found[0].upper() in AMBIGUOUS else ""
    return f"the sequence has {found[0]!r} at position {found.start() + 1}{hint}"


def as_targets(values: Sequence[str], kind: str | None) -> tuple[NDArray, NDArray[np.bool_]]:
    """Targets from text, and which of them are there.

    Parameters
    ----------
    values : sequence of str
        As the file has them; empty where missing.
    kind : {"regression", "classification"} or None
        None takes numbers for a regression, unless they are at most 20 distinct whole ones, and
        all else for classes.

    Returns
    -------
    target : ndarray of float64, or of str as objects
    present : ndarray of bool
        False for missing values and, in a regression, for what is no finite number.
    """
    text = np.array([value.strip() for value in values], dtype=object)
    missing = np.isin(text, ["", "nan", "NaN", "NA", "None"])
    numbers = np.array([_number(value) for value in text])
    if kind is None:
        is_number = np.isfinite(numbers) | missing
        given = numbers[~missing]
        few = len(set(given.tolist())) <= _MOST_NUMBERED_CLASSES
        named = not is_number.all() or (few and (given == np.rint(given)).all())
        kind = "classification" if named else "regression"
    if kind == "regression":
        return numbers, np.isfinite(numbers)
    return text, ~missing


def as_split(sets: Sequence[str | None], places: Sequence[str]) -> NDArray[np.str_] | None:
    """The split where every row has one, None where none has.

    Parameters
    ----------
    sets : sequence of str or None
        The set of each row: "train", "valid", "validation" or "test".
    places : sequence of str
        Where each row is.
    """
    if not any(sets):
        return None
    for name, place in zip(sets, places, strict=True):
        if str(name).lower() not in _SETS:
            raise ValueError(
                f"{place}: the row is in the set {name or ''!r}; give every row one of "
                f"{', '.join(SETS)}, or none any."
            )
    return np.array([_SETS[name.lower()] for name in sets])


def set_of(header: str) -> str | None:
    """FLIP's set of a FASTA record, None where its header has none."""
    values = dict(_KEY_VALUE.findall(header))
    if values.get("VALIDATION", "").lower() == "true":
        return "validation"
    return values.get("SET")


def identifier(header: str) -> str:
    """First word of a FASTA record's header."""
    return header.split(maxsplit=1)[0] if header else ""


def task_name(path: str | os.PathLike) -> str:
    """Name of a file without what says its format."""
    return re.sub(r"\.(csv|tsv|txt|fasta|fa)$", "", plain_name(path))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
