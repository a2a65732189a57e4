"""Residue tables: a number or a class for single residues, a line each."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._classes import class_name, finish
from ._positions import as_position, check_first_position
from ._residues import sequences_by_name
from ._targets import as_numbers, as_targets
from ._task import Task
from ._text_rows import Rejects, read_text, wrong_letter


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
        FASTA file; the first word of a header is the protein's name.
    target : str
        Column of what to predict.
    name : str, default=None
        Name of the task; None takes that of the target.
    protein : str or sequence of str, default="protein"
        Column of the protein's name, or columns that make it, joined by ``_``.
    position : str, default="position"
        Column of positions.
    residue : str, default=None
        Column of the residue's letter, to be checked against the sequence. Without it only a
        position outside the sequence shows that `first_position` is another.
    first_position : int, default=1
        Position of a sequence's first residue: 0 where positions are counted from 0.
    where : dict, default=None
        Use only the rows that have these values in these columns; 1 is 1.0 as well, and true
        TRUE.
    kind : {"regression", "classification"}, default=None
        As for tables of proteins.
    n_classes : int, default=None
        Make classes of equal size of the ranks of numbers, however few and whole these are.
    unknown, skip_invalid
        As for :func:`read_residue_labels`; what is left out are rows.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If, unless they are skipped, a row has no target, no such protein or position, another
        letter than the sequence, a residue occurs twice or a class cannot be learnt and tested;
        the message names file and line. If residues match their sequences with another
        `first_position`.
    """
    protein = [protein] if isinstance(protein, str) else list(protein)
    where = where or {}
    table = read_text(path, [target, *protein, position, *([residue] if residue else []), *where])
    for column, value in where.items():
        found = list(dict.fromkeys(table[column]))[:3]
        table = table[_has(table[column], value)]
        if table.empty and found:
            raise ValueError(
                f"{str(path)!r} has no valid row with {column}={value!r}; its first values of "
                f"{column!r} are {', '.join(map(repr, found))}."
            )
    residues = sequences_by_name(sequences)
    rejects = Rejects(skip_invalid)
    rejects.check_any_left(path, len(table))
    places = table.index.tolist()
    if n_classes is not None:
        if kind == "classification":
            raise ValueError(
                f"{str(path)!r}: n_classes={n_classes} ranks numbers, but kind={kind!r}; leave one "
                "out."
            )
        kind = "regression"
    targets = as_targets(table[target].tolist(), kind, places)
    columns = [table[part].str.strip() for part in protein]
    keys = ["_".join(parts) for parts in zip(*columns, strict=True)]
    texts = table[position].str.strip().tolist()
    positions = [as_position(text) for text in texts]
    letters = table[residue].str.strip().str.upper().tolist() if residue else [None] * len(table)
    _check_numbering(path, places, keys, positions, letters, residues, first_position)
    seen: set[tuple[str, int]] = set()
    rows, indices = [], []
    bad = {key: wrong_letter(residues[key], unknown) for key in set(keys) if key in residues}
    for row, (key, text, letter) in enumerate(zip(keys, texts, letters, strict=True)):
        line = places[row]
        sequence = residues.get(key, "")
        index = -1 if positions[row] is None else positions[row] - first_position
        if targets.wrong[row]:
            what, reason = targets.wrong[row]
            rejects.add(line, f"of column {target!r} {what}", reason)
        elif key not in residues:
            rejects.add(line, f"{str(sequences)!r} has no protein {key!r}", "no sequence")
        elif bad[key]:
            rejects.add(line, f"of protein {key!r} {bad[key]}", "unknown letters")
        elif positions[row] is None:
            what = f"the position {text!r} is no whole number"
            rejects.add(line, what, "a position that is no whole number")
        elif not 0 <= index < len(sequence):
            rejects.add(
                line,
                f"protein {key!r} has {len(sequence)} residues but no position {text}",
                "a position outside the sequence",
            )
        elif letter is not None and letter != sequence[index]:
            rejects.add(
                line,
                f"residue {letter}{text}, but protein {key!r} has {sequence[index]} there",
                "a residue that does not match its sequence",
            )
        elif (key, index) in seen:
            rejects.add(line, f"residue {text} of protein {key!r} occurs again", "a duplicate")
        else:
            seen.add((key, index))
            rows.append(row)
            indices.append(index)
    rejects.check_any_left(path, len(rows))
    names = list(dict.fromkeys(keys[row] for row in rows))
    index_of = {key: i for i, key in enumerate(names)}
    task = Task(
        name=name or target,
        sequences=[residues[key] for key in names],
        target=targets.values[rows],
        protein=np.array([index_of[keys[row]] for row in rows]),
        residue=np.array(indices),
    )
    if n_classes is not None:
        task = task.ranked(n_classes)
    return finish(task, [places[row] for row in rows], rejects)


def _has(column, value):
    """Which cells of a column have a value of TOML."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return as_numbers(column) == value
    return column.map(class_name) == class_name(str(value))


def _check_numbering(path, places, keys, positions, letters, residues, first_position):
    """Refuse a table whose positions are counted from another number."""
    known = [
        (row, position)
        for row, (key, position) in enumerate(zip(keys, positions, strict=True))
        if key in residues and position is not None
    ]
    if letters and letters[0] is not None:
        rows = [(position, letters[row], residues[keys[row]]) for row, position in known]
        check_first_position(path, rows, first_position)
        return
    for row, position in known:
        if position == 0 and first_position == 1:
            raise ValueError(
                f"{places[row]}: position 0 says that positions are counted from 0; set "
                "first_position=0, or name the column of letters (residue) to check them."
            )
