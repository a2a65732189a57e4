"""Read residue tables: a number or a class for single residues, one per line."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..sequences._tokens import wrong_letter
from ._classes import class_name, finish
from ._positions import as_position, check_first_position
from ._residues import sequences_by_name
from ._targets import as_numbers, as_targets, retrieval_of
from ._task import Task
from ._text_rows import Rejects, read_text


def read_residue_table(
    path: str | os.PathLike,
    sequences: str | os.PathLike,
    *,
    target: str,
    name: str | None = None,
    protein: str | Sequence[str] = "protein",
    position: str = "position",
    residue: str | None = None,
    first_position: int = 1,
    where: dict[str, Any] | None = None,
    kind: str | None = None,
    metric: str | None = None,
    n_classes: int | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read a number or a class for single residues from a table.

    Parameters
    ----------
    path : str or path-like
        A table with commas between columns, plain or compressed with gzip.
    sequences : str or path-like
        A FASTA file; the first word of a header is the protein's name.
    target : str
        Column of what to predict.
    name : str, default=None
        Name of the task; None takes that of the target.
    protein : str or sequence of str, default="protein"
        Column of the protein's name, or columns that, joined by ``_``, make the name.
    position : str, default="position"
        Column of positions.
    residue : str, default=None
        Column of the residue's letter, which is checked against the sequence. Without it, only
        positions outside the sequence show that `first_position` is wrong.
    first_position : int, default=1
        Position of a sequence's first residue: 0 where positions are counted from 0.
    where : dict, default=None
        Use only the rows that have these values in these columns; 1 matches 1.0, and true matches
        TRUE.
    kind : {"regression", "classification", "retrieval"}, default=None
        As for :func:`read_table`.
    metric : str, default=None
        As for :func:`read_table`.
    n_classes : int, default=None
        Make this many classes of equal size from the ranks of the numbers.
    unknown, skip_invalid
        As for :func:`read_residue_labels`; rows are left out.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If residues match their sequences with another `first_position` or, unless bad rows are
        skipped, if a row has no target, an unknown protein or position, or another letter than the
        sequence, if a residue occurs twice, or if a class cannot be learnt and tested. The message
        names file and line.
    """
    retrieval = retrieval_of(kind, metric, path)
    protein = [protein] if isinstance(protein, str) else list(protein)
    columns = [target, *protein, position, *([residue] if residue else [])]
    table = _rows_where(path, columns, where or {})
    rejects = Rejects(skip_invalid)
    rejects.check_any_left(path, len(table))
    if n_classes is not None:
        if kind in ("classification", "retrieval"):
            raise ValueError(
                f"{str(path)!r}: n_classes={n_classes} ranks numbers, but kind={kind!r}; leave one "
                "out."
            )
        kind = "regression"
    targets, wrong_targets = as_targets(table[target].tolist(), kind, table.index)
    lines = _lines(table, protein, position, residue)
    residues = sequences_by_name(sequences)
    known = [line for line in lines if line.protein in residues and line.position is not None]
    check_first_position(
        path,
        [(line.place, line.position, line.letter, residues[line.protein]) for line in known],
        first_position,
    )
    wrong_letters = {
        name: wrong_letter(residues[name], unknown)
        for name in residues.keys() & {line.protein for line in lines}
    }
    found: dict[tuple[str, int], int] = {}  # rows by protein and residue
    for row, (line, wrong_target) in enumerate(zip(lines, wrong_targets, strict=True)):
        if wrong_target:
            what, reason = wrong_target
            rejects.add(line.place, f"of column {target!r} {what}", reason)
        elif line.protein not in residues:
            what = f"{str(sequences)!r} has no protein {line.protein!r}"
            rejects.add(line.place, what, "no sequence")
        elif letter := wrong_letters[line.protein]:
            rejects.add(line.place, f"of protein {line.protein!r} {letter}", "unknown letters")
        elif wrong := _wrong_residue(line, residues[line.protein], first_position):
            rejects.add(line.place, *wrong)
        elif (line.protein, line.position) in found:
            what = f"residue {line.written} of protein {line.protein!r} occurs again"
            rejects.add(line.place, what, "a duplicate")
        else:
            found[line.protein, line.position] = row
    rejects.check_any_left(path, len(found))
    rows = list(found.values())
    of_protein, names = pd.factorize(np.array([name for name, _ in found], dtype=object))
    task = Task(
        name=name or target,
        sequences=[residues[name] for name in names],
        target=targets[rows],
        protein=of_protein,
        residue=np.array([number - first_position for _, number in found]),
        retrieval=retrieval,
    )
    if n_classes is not None:
        task = task.ranked(n_classes)
    return finish(task, [lines[row].place for row in rows], rejects)


class _Line(NamedTuple):
    """Which residue a line of the table is about."""

    place: str
    protein: str
    written: str  # the position as text
    position: int | None
    letter: str | None


def _lines(table, protein, position, residue):
    names = ["_".join(parts) for parts in zip(*(table[part] for part in protein), strict=True)]
    letters = table[residue].str.upper() if residue else [None] * len(table)
    return [
        _Line(place, name, text, as_position(text), letter)
        for place, name, text, letter in zip(
            table.index, names, table[position], letters, strict=True
        )
    ]


def _rows_where(path, columns, where):
    """Read the rows of a table that have these values in these columns."""
    table = read_text(path, [*columns, *where])
    table = table.apply(lambda column: column.str.strip())
    for column, value in where.items():
        found = list(dict.fromkeys(table[column]))[:3]
        if isinstance(value, int | float) and not isinstance(value, bool):
            kept = as_numbers(table[column]) == value
        else:
            kept = table[column].map(class_name) == class_name(str(value))
        table = table[kept]
        if table.empty and found:
            raise ValueError(
                f"{str(path)!r} has no valid row with {column}={value!r}; its first values of "
                f"{column!r} are {', '.join(map(repr, found))}."
            )
    return table


def _wrong_residue(line, sequence, first_position):
    """Say why a line is not about a residue of its protein, and the reason to count it by."""
    if line.position is None:
        what = f"the position {line.written!r} is not a whole number"
        return what, "a position that is not a whole number"
    index = line.position - first_position
    if not 0 <= index < len(sequence):
        what = (
            f"protein {line.protein!r} has {len(sequence)} residues but no position {line.written}"
        )
        return what, "a position outside the sequence"
    if line.letter in (None, sequence[index]):
        return None
    what = (
        f"residue {line.letter}{line.written}, but protein {line.protein!r} has "
        f"{sequence[index]} there"
    )
    return what, "a residue that does not match its sequence"
