"""Protein labels: a number or a class for each protein, in the files in which people have them."""

import os
import re
from collections.abc import Sequence

import numpy as np

from ._sequences import read_fasta
from ._tasks import Task
from ._text_rows import (
    Rejects,
    as_split,
    as_targets,
    identifier,
    read_text,
    set_of,
    task_name,
    wrong_letter,
)


def read_table(
    path: str | os.PathLike | dict[str, str | os.PathLike],
    *,
    name: str | None = None,
    sequence: str = "sequence",
    target: str = "target",
    split: str | None = None,
    columns: Sequence[str] | None = None,
    kind: str | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read proteins and their targets from tables of text.

    Parameters
    ----------
    path : path-like, or dict of path-like
        A table with commas or, ending in ``.tsv``, ``.tab`` or ``.txt``, tabulators between
        columns, plain or compressed, or an Excel workbook. A dict has files for "train",
        "validation" and "test".
    name : str, default=None
        Name of the task; None takes that of the (first) file.
    sequence, target : str
        Columns of the sequences and of what to predict.
    split : str, default=None
        Column that says "train", "validation" or "test".
    columns : sequence of str, default=None
        Names of the columns of files that have no header.
    kind : {"regression", "classification"}, default=None
        None takes numbers for a regression, unless they are at most 20 distinct whole ones.
    unknown : {"error", "mask", "X"}, default="error"
        The embedder's policy on ambiguous residues.
    skip_invalid : bool, default=False
        Leave out bad rows and count them, instead of raising an error.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If a column is missing or, unless they are skipped, a row has a letter that is no
        residue, no target, a sequence that occurred before or a class of its own; the message
        names file and line.
    """
    records = []
    for set_name, file in _files(path):
        table = read_text(file, [sequence, target, *([split] if split else [])], columns=columns)
        sets = table[split] if split else [set_name] * len(table)
        records += zip(table.index, table[sequence], table[target], sets, strict=True)
    return _protein_task(path, records, name, kind, unknown, skip_invalid)


def read_labelled_fasta(
    path: str | os.PathLike | dict[str, str | os.PathLike],
    *,
    name: str | None = None,
    target: str = "TARGET",
    kind: str | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read proteins whose targets are in the headers of a FASTA file.

    Parameters
    ----------
    path : path-like, or dict of path-like
        A FASTA file, or files for "train", "validation" and "test"; plain or compressed.
    target : str, default="TARGET"
        Key of the target, in headers such as FLIP's ``>id TARGET=1.5 SET=train
        VALIDATION=False``, or a regular expression with one group, which is the target.
    name, kind, unknown, skip_invalid
        As for :func:`read_table`.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        As for :func:`read_table`; the message names file and record.
    """
    pattern = re.compile(target if "(" in target else rf"(?:^|\s){re.escape(target)}=(\S+)")
    records = []
    for set_name, file in _files(path):
        names, sequences = read_fasta(file)
        for i, (header, sequence) in enumerate(zip(names, sequences, strict=True)):
            found = pattern.search(header)
            place = f"{str(file)!r}, record {i + 1} ({identifier(header)})"
            label = found[1] if found else ""
            records.append((place, sequence, label, set_name or set_of(header)))
    return _protein_task(path, records, name, kind, unknown, skip_invalid)


def _protein_task(path, records, name, kind, unknown, skip_invalid):
    """The task of records (place, sequence, target, set) of a file, or of several."""
    places, sequences, labels, sets = zip(*records, strict=True) if records else ([], [], [], [])
    sequences = [sequence.strip().upper() for sequence in sequences]
    target, present = as_targets(labels, kind)
    rejects = Rejects(skip_invalid)
    seen: dict[str, str] = {}
    rows = []
    for row, (place, sequence) in enumerate(zip(places, sequences, strict=True)):
        if not present[row]:
            what = f"the target {labels[row]!r} is no number" if labels[row] else "no target"
            rejects.add(place, what, "no score")
        elif wrong := wrong_letter(sequence, unknown):
            rejects.add(place, wrong, "unknown letters")
        elif sequence in seen:
            rejects.add(place, f"the sequence of {seen[sequence]}, again", "a duplicate")
        else:
            seen[sequence] = place
            rows.append(row)
    first_file = _files(path)[0][1]
    rejects.check_any_left(first_file, len(rows))
    kept = [places[row] for row in rows]
    task = Task(
        name=name or task_name(first_file),
        sequences=[sequences[row] for row in rows],
        target=target[rows],
        protein=np.arange(len(rows)),
        split=as_split([sets[row] for row in rows], kept),
    )
    return rejects.finish(task, kept)


def _files(path):
    """Pairs of a set's name, or None, and a file."""
    return list(path.items()) if isinstance(path, dict) else [(None, path)]
