"""Labels: targets of proteins and of residues, in the files in which people have them."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ._sequences import read_fasta
from ._tasks import Rejects, Task, as_targets, reject_lone_classes, wrong_letter

_SETS = {"train": "train", "valid": "validation", "validation": "validation", "test": "test"}
# FLIP's headers: ">id TARGET=1.5 SET=train VALIDATION=False".
_KEY_VALUE = re.compile(r"(\w+)=(\S+)")


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
        A table with commas or, ending in ``.tsv`` or ``.txt``, tabulators between columns;
        plain or compressed with gzip. A dict has files for "train", "validation" and "test".
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
        table = pd.read_csv(
            file,
            sep="\t" if re.search(r"\.(tsv|txt)(\.gz)?$", str(file)) else ",",
            dtype=str,
            keep_default_na=False,
            header=None if columns else "infer",
            names=list(columns) if columns else None,
        )
        for column in filter(None, (sequence, target, split)):
            if column not in table:
                raise ValueError(
                    f"{str(file)!r} has no column {column!r}, only {', '.join(table)}; say which "
                    "columns to read."
                )
        sets = table[split].tolist() if split else [set_name] * len(table)
        first_line = 1 if columns else 2
        records += [
            (file, f"line {i + first_line}", *record)
            for i, record in enumerate(zip(table[sequence], table[target], sets, strict=True))
        ]
    return _protein_task(records, name or _stem(_files(path)[0][1]), kind, unknown, skip_invalid)


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
    name : str, default=None
        Name of the task; None takes that of the (first) file.
    target : str, default="TARGET"
        Key of the target, in headers such as FLIP's ``>id TARGET=1.5 SET=train
        VALIDATION=False``, or a regular expression with one group, which is the target.
    kind : {"regression", "classification"}, default=None
        None takes numbers for a regression, unless they are at most 20 distinct whole ones.
    unknown : {"error", "mask", "X"}, default="error"
        The embedder's policy on ambiguous residues.
    skip_invalid : bool, default=False
        Leave out bad records and count them, instead of raising an error.

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
            records.append(
                (
                    file,
                    f"record {i + 1} ({_id(header)})",
                    sequence,
                    found[1] if found else "",
                    set_name or _set_of(header),
                )
            )
    return _protein_task(records, name or _stem(_files(path)[0][1]), kind, unknown, skip_invalid)


def read_residue_labels(
    sequences: str | os.PathLike,
    labels: str | os.PathLike,
    *,
    name: str | None = None,
    mask: str | os.PathLike | None = None,
    ignore: str = "",
    positive: str | None = None,
    max_train_proteins: int | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read a class for each residue from a FASTA file beside that of the sequences.

    Parameters
    ----------
    sequences, labels : str or path-like
        FASTA files whose headers begin with the same names. A label is one letter a residue:
        three letters make Q3, eight Q8. Headers of `labels` may have ``SET=train`` and
        ``VALIDATION=True``. Sequences without labels are not used.
    name : str, default=None
        Name of the task; None takes that of the file of labels.
    mask : str or path-like, default=None
        A FASTA file with 1 for the residues to use and 0 for others.
    ignore : str, default=""
        Labels of residues that are not used.
    positive : str, default=None
        Labels that make one class, "1", against all others, "0".
    max_train_proteins : int, default=None
        Learn from at most so many proteins, drawn at random.
    unknown : {"error", "mask", "X"}, default="error"
        The embedder's policy on ambiguous residues.
    skip_invalid : bool, default=False
        Leave out bad proteins and count them, instead of raising an error.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If, unless they are skipped, a protein's labels or mask are not as long as its sequence,
        a name occurs twice, a letter is no residue or a class has one residue; the message
        names file and record.
    """
    headers, label_strings = read_fasta(labels)
    residues = _by_name(sequences)
    masks = None if mask is None else _by_name(mask)
    rejects = Rejects(labels, skip_invalid)
    proteins, target, protein, residue, split = [], [], [], [], []
    seen: set[str] = set()
    where = []
    for i, (header, letters) in enumerate(zip(headers, label_strings, strict=True)):
        key = _id(header)
        at = f"record {i + 1} ({key})"
        sequence = residues.get(key)
        used = letters if masks is None else masks.get(key, "")
        if key in seen:
            rejects.add(at, "the name occurred before", "proteins that occur again")
        elif sequence is None:
            rejects.add(at, f"{str(sequences)!r} has no such sequence", "proteins without sequence")
        elif wrong := wrong_letter(sequence, unknown):
            rejects.add(at, wrong, "proteins with unknown letters")
        elif not len(letters) == len(used) == len(sequence):
            rejects.add(
                at,
                f"{len(letters)} labels{'' if masks is None else f' and a mask of {len(used)}'} "
                f"for {len(sequence)} residues",
                "proteins with labels of another length",
            )
        else:
            seen.add(key)
            at_all = [
                j
                for j, letter in enumerate(letters)
                if letter not in ignore and (masks is None or used[j] == "1")
            ]
            residue += at_all
            target += [letters[j] for j in at_all]
            protein += [len(proteins)] * len(at_all)
            split += [_set_of(header)] * len(at_all)
            where += [at] * len(at_all)
            proteins.append(sequence.upper())
    rejects.check_any_left(len(target))
    if positive is not None:
        target = [str(int(letter in positive)) for letter in target]
    task = Task(
        name=name or _stem(labels),
        sequences=proteins,
        target=np.array(target, dtype=object),
        protein=np.array(protein),
        residue=np.array(residue),
        split=_as_split(split, labels),
    )
    task = _finish(task, rejects, where)
    return task if max_train_proteins is None else task.sample_proteins(max_train_proteins)


def read_residue_table(
    path: str | os.PathLike,
    sequences: str | os.PathLike,
    *,
    target: str,
    name: str | None = None,
    protein: Sequence[str] = ("protein",),
    position: str = "position",
    residue: str | None = None,
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
    protein : sequence of str, default=("protein",)
        Columns that make the protein's name, joined by ``_``.
    position : str, default="position"
        Column of positions, counted from 1.
    residue : str, default=None
        Column of the residue's letter, to be checked against the sequence.
    where : dict, default=None
        Use only the rows that have these values in these columns.
    kind : {"regression", "classification"}, default=None
        None takes numbers for a regression, unless they are at most 20 distinct whole ones.
    n_classes : int, default=None
        Make classes of equal size of the ranks of a regression's numbers.
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
        If, unless they are skipped, a row has no target, no such protein or position, another
        letter than the sequence, or a residue occurs twice; the message names file and line.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in (target, *protein, position, *([residue] if residue else []), *(where or {})):
        if column not in table:
            raise ValueError(
                f"{str(path)!r} has no column {column!r}, only {', '.join(table)}; say which "
                "columns to read."
            )
    lines = np.arange(len(table)) + 2
    for column, value in (where or {}).items():
        lines = lines[(table[column] == str(value)).to_numpy()]
        table = table[table[column] == str(value)]
    residues = _by_name(sequences)
    rejects = Rejects(path, skip_invalid)
    values, present = as_targets(table[target].tolist(), kind)
    keys = table[list(protein)].agg("_".join, axis=1).tolist()
    letters = table[residue].tolist() if residue else [None] * len(table)
    seen: set[tuple[str, int]] = set()
    rows, places = [], []
    bad = {key: wrong_letter(residues[key], unknown) for key in set(keys) if key in residues}
    for row, (key, text, letter) in enumerate(zip(keys, table[position], letters, strict=True)):
        line = f"line {lines[row]}"
        sequence = residues.get(key, "")
        place = int(text) - 1 if text.isdecimal() else -1
        if not present[row]:
            rejects.add(line, f"no {target}", "no score")
        elif key not in residues:
            rejects.add(line, f"{str(sequences)!r} has no protein {key!r}", "no sequence")
        elif bad[key]:
            rejects.add(line, f"of protein {key!r} {bad[key]}", "unknown letters")
        elif not 0 <= place < len(sequence):
            rejects.add(
                line,
                f"protein {key!r} has {len(sequence)} residues but no position {text}",
                "a position outside the sequence",
            )
        elif letter is not None and letter != sequence[place]:
            rejects.add(
                line,
                f"residue {letter}{text}, but protein {key!r} has {sequence[place]} there",
                "a residue that does not match its sequence",
            )
        elif (key, place) in seen:
            rejects.add(line, f"residue {text} of protein {key!r} occurs again", "a duplicate")
        else:
            seen.add((key, place))
            rows.append(row)
            places.append(place)
    rejects.check_any_left(len(rows))
    names = list(dict.fromkeys(keys[row] for row in rows))
    task = Task(
        name=name or target,
        sequences=[residues[key].upper() for key in names],
        target=values[rows],
        protein=np.array([names.index(keys[row]) for row in rows]),
        residue=np.array(places),
    )
    if n_classes is not None:
        task = task.ranked(n_classes)
    return _finish(task, rejects, [f"line {lines[row]}" for row in rows])


def _protein_task(records, name, kind, unknown, skip_invalid):
    """The task of records (file, where, sequence, target, set)."""
    target, present = as_targets([record[3] for record in records], kind)
    rejects = {record[0]: Rejects(record[0], skip_invalid) for record in records}
    seen: dict[str, str] = {}
    rows = []
    for row, (file, where, sequence, text, _) in enumerate(records):
        sequence = sequence.strip().upper()
        if not present[row]:
            what = f"the target {text!r} is no number" if text else "no target"
            rejects[file].add(where, what, "no score")
        elif wrong := wrong_letter(sequence, unknown):
            rejects[file].add(where, wrong, "unknown letters")
        elif sequence in seen:
            rejects[file].add(where, f"the sequence of {seen[sequence]} again", "a duplicate")
        else:
            seen[sequence] = f"{where} of {str(file)!r}"
            rows.append(row)
    first = next(iter(rejects.values()))
    for other in list(rejects.values())[1:]:
        first.counts.update(other.counts)
    first.check_any_left(len(rows))
    task = Task(
        name=name,
        sequences=[records[row][2].strip().upper() for row in rows],
        target=target[rows],
        protein=np.arange(len(rows)),
        split=_as_split([records[row][4] for row in rows], first.path),
    )
    return _finish(task, first, [records[row][1] for row in rows])


def _finish(task, rejects, where):
    """The task without classes of one row, and with what was left out."""
    task = reject_lone_classes(task, rejects, where)
    task.excluded.update(rejects.counts)
    return task


def _files(path):
    """Pairs of a set's name, or None, and a file."""
    return list(path.items()) if isinstance(path, dict) else [(None, path)]


def _as_split(sets, path):
    """The split where every row has one, None where none has."""
    if not any(sets):
        return None
    for name in set(sets):
        if str(name).lower() not in _SETS:
            raise ValueError(
                f"{str(path)!r} has rows of the set {name!r}; every row needs one of "
                f"{', '.join(sorted(set(_SETS.values())))}, or none any."
            )
    return np.array([_SETS[name.lower()] for name in sets])


def _set_of(header):
    """FLIP's set of a record, None where the header has none."""
    values = dict(_KEY_VALUE.findall(header))
    if values.get("VALIDATION", "").lower() == "true":
        return "validation"
    return values.get("SET")


def _by_name(path):
    """Sequences, or what stands in their place, by the first word of the header."""
    names, sequences = read_fasta(path)
    found: dict[str, str] = {}
    for i, (name, sequence) in enumerate(zip(map(_id, names), sequences, strict=True)):
        if name in found:
            raise ValueError(
                f"{str(path)!r}, record {i + 1} ({name}): the name occurred before; rename or "
                "remove one of the records."
            )
        found[name] = sequence
    return found


def _id(header):
    return header.split(maxsplit=1)[0] if header else ""


def _stem(path):
    return re.sub(r"\.(csv|tsv|txt|fasta|fa)(\.gz)?$", "", Path(path).name)
