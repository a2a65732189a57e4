"""Read residue tables: a number or a class for single residues, one per line."""

import os
from collections.abc import Sequence
from typing import Any

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
    proteins = ["_".join(parts) for parts in zip(*(table[part] for part in protein), strict=True)]
    numbers = list(map(as_position, table[position]))
    letters = table[residue].str.upper() if residue else [None] * len(table)
    lines = list(zip(table.index, proteins, table[position], numbers, letters, strict=True))
    residues = sequences_by_name(sequences)
    known = [
        (place, number, letter, residues[name])
        for place, name, _, number, letter in lines
        if name in residues and number is not None
    ]
    check_first_position(path, known, first_position)
    of_proteins = residues.keys() & set(proteins)
    wrong_letters = {name: wrong_letter(residues[name], unknown) for name in of_proteins}
    found: dict[tuple[str, int], int] = {}  # rows by protein and residue
    for row, (place, key, written, number, letter) in enumerate(lines):
        sequence = residues.get(key, "")
        if wrong_targets[row]:
            what, reason = wrong_targets[row]
            rejects.add(place, f"of column {target!r} {what}", reason)
        elif key not in residues:
            rejects.add(place, f"{str(sequences)!r} has no protein {key!r}", "no sequence")
        elif wrong := wrong_letters[key]:
            rejects.add(place, f"of protein {key!r} {wrong}", "unknown letters")
        elif number is None:
            what = f"the position {written!r} is not a whole number"
            rejects.add(place, what, "a position that is not a whole number")
        elif not 0 <= number - first_position < len(sequence):
            what = f"protein {key!r} has {len(sequence)} residues but no position {written}"
            rejects.add(place, what, "a position outside the sequence")
        elif letter not in (None, sequence[number - first_position]):
            found_there = sequence[number - first_position]
            what = f"residue {letter}{written}, but protein {key!r} has {found_there} there"
            rejects.add(place, what, "a residue that does not match its sequence")
        elif (key, number) in found:
            what = f"residue {written} of protein {key!r} occurs again"
            rejects.add(place, what, "a duplicate")
        else:
            found[key, number] = row
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
    return finish(task, [table.index[row] for row in rows], rejects)


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
