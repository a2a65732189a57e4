"""Residue labels: a number or a class for each residue, in the files in which people have them."""

import os
import re
from collections.abc import Sequence
from typing import Any

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
        a sequence occurs twice, a letter is no residue or a class has one residue; the message
        names file and record.
    """
    headers, label_strings = read_fasta(labels)
    residues = _by_name(sequences)
    masks = None if mask is None else _by_name(mask)
    rejects = Rejects(skip_invalid)
    proteins, target, protein, residue, split = [], [], [], [], []
    seen: set[str] = set()
    places = []
    for i, (header, letters) in enumerate(zip(headers, label_strings, strict=True)):
        key = identifier(header)
        at = f"{str(labels)!r}, record {i + 1} ({key})"
        sequence = residues.get(key)
        used = letters if masks is None else masks.get(key, "")
        if sequence is None:
            rejects.add(at, f"{str(sequences)!r} has no such sequence", "proteins without sequence")
        elif sequence in seen:
            rejects.add(at, "its sequence occurred before", "proteins that occur again")
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
            seen.add(sequence)
            at_all = [
                j
                for j, letter in enumerate(letters)
                if letter not in ignore and (masks is None or used[j] == "1")
            ]
            residue += at_all
            target += [letters[j] for j in at_all]
            protein += [len(proteins)] * len(at_all)
            split += [set_of(header)] * len(at_all)
            places += [at] * len(at_all)
            proteins.append(sequence)
    rejects.check_any_left(labels, len(target))
    if n_unlabelled := len(residues.keys() - set(map(identifier, headers))):
        rejects.counts["proteins without labels"] = n_unlabelled
    if positive is not None:
        target = [str(int(letter in positive)) for letter in target]
    task = Task(
        name=name or task_name(labels),
        sequences=proteins,
        target=np.array(target, dtype=object),
        protein=np.array(protein),
        residue=np.array(residue),
        split=as_split(split, places),
    )
    task = rejects.finish(task, places)
    return task if max_train_proteins is None else task.sample_proteins(max_train_proteins)


def read_residue_table(
    path: str | os.PathLike,
    sequences: str | os.PathLike,
    *,
    target: str,
    name: str | None = None,
    protein: str | Sequence[str] = "protein",
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
        A table, as for :func:`read_table`.
    sequences : str or path-like
        FASTA file; the first word of a header is the protein's name.
    target : str
        Column of what to predict.
    name : str, default=None
        Name of the task; None takes that of the target.
    protein : str or sequence of str, default="protein"
        Column of the protein's name, or columns that make it, joined by ``_``.
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
    unknown, skip_invalid
        As for :func:`read_residue_labels`; what is left out are rows.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If, unless they are skipped, a row has no target, no such protein or position, another
        letter than the sequence, or a residue occurs twice; the message names file and line.
    """
    protein = [protein] if isinstance(protein, str) else list(protein)
    where = where or {}
    table = read_text(path, [target, *protein, position, *([residue] if residue else []), *where])
    for column, value in where.items():
        table = table[table[column] == str(value)]
    residues = _by_name(sequences)
    rejects = Rejects(skip_invalid)
    rejects.check_any_left(path, len(table))
    values, present = as_targets(table[target].tolist(), kind)
    keys = ["_".join(parts) for parts in zip(*(table[part] for part in protein), strict=True)]
    letters = table[residue].str.upper().tolist() if residue else [None] * len(table)
    seen: set[tuple[str, int]] = set()
    rows, places = [], []
    bad = {key: wrong_letter(residues[key], unknown) for key in set(keys) if key in residues}
    for row, (key, text, letter) in enumerate(zip(keys, table[position], letters, strict=True)):
        line = table.index[row]
        sequence = residues.get(key, "")
        place = int(text) - 1 if re.fullmatch("[0-9]{1,9}", text) else -1
        if not present[row]:
            what = table[target].iloc[row]
            what = f"{target} {what!r} is no number" if what else f"no {target}"
            rejects.add(line, what, "no score")
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
    rejects.check_any_left(path, len(rows))
    names = list(dict.fromkeys(keys[row] for row in rows))
    places_of = {key: i for i, key in enumerate(names)}
    task = Task(
        name=name or target,
        sequences=[residues[key] for key in names],
        target=values[rows],
        protein=np.array([places_of[keys[row]] for row in rows]),
        residue=np.array(places),
    )
    if n_classes is not None:
        task = task.ranked(n_classes)
    return rejects.finish(task, table.index[rows].tolist())


def _by_name(path):
    """Sequences, or what stands in their place, by the first word of the header."""
    names, sequences = read_fasta(path)
    found: dict[str, str] = {}
    for i, (name, sequence) in enumerate(zip(map(identifier, names), sequences, strict=True)):
        if name in found:
            raise ValueError(
                f"{str(path)!r}, record {i + 1} ({name}): the name occurred before; rename or "
                "remove one of the records."
            )
        found[name] = sequence.upper()
    return found
