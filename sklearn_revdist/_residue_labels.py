"""Residue labels: a number or a class for each residue, in the files in which people have them."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ._classes import class_name, finish, one_spelling
from ._headers import identifier
from ._positions import as_position, check_first_position
from ._sequences import read_fasta
from ._sets import as_sets, set_in_header, wrong_set
from ._targets import as_numbers, as_targets
from ._tasks import Task
from ._text_rows import Rejects, read_text, task_name, wrong_letter


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
        ``VALIDATION=True``. A final ``*`` beyond the sequence is no label. Sequences without
        labels are not used.
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
        have a blank, or are another mask than 0 and 1, a sequence occurs twice, a letter is no
        residue, a set is not known or a class cannot be learnt and tested; the message names
        file and record. If letters of `ignore` or `positive` are labels in other capitals only.
    """
    headers, label_strings = read_fasta(labels)
    _check_capitals(label_strings, {"ignore": ignore, "positive": positive or ""})
    residues = _by_name(sequences)
    masks = None if mask is None else _by_name(mask)
    set_names = [set_in_header(header) for header in headers]
    sets = as_sets(set_names)
    rejects = Rejects(skip_invalid)
    proteins, target, protein, residue, split = [], [], [], [], []
    places: dict[str, str] = {}
    for i, (header, letters) in enumerate(zip(headers, label_strings, strict=True)):
        key = identifier(header)
        at = f"{str(labels)!r}, record {i + 1} ({key})"
        sequence = residues.get(key)
        if sequence is None:
            rejects.add(at, f"{str(sequences)!r} has no such sequence", "proteins without sequence")
        elif sequence in places:
            rejects.add(at, "its sequence occurred before", "proteins that occur again")
        elif wrong := wrong_letter(sequence, unknown):
            rejects.add(at, wrong, "proteins with unknown letters")
        elif sets is not None and sets[i] is None:
            what, reason = wrong_set(set_names[i])
            rejects.add(at, what, f"proteins in {reason}")
        elif masks is not None and key not in masks:
            rejects.add(at, f"{str(mask)!r} has no such protein", "proteins without a mask")
        else:
            letters = _without_stop(letters, sequence)
            used = None if masks is None else _without_stop(masks[key], sequence)
            if wrong := _wrong_string(letters, used, sequence):
                rejects.add(at, *wrong)
                continue
            places[sequence] = at
            at_all = [
                j
                for j, letter in enumerate(letters)
                if letter not in ignore and (used is None or used[j] == "1")
            ]
            residue += at_all
            target += [class_name(letters[j]) for j in at_all]
            protein += [len(proteins)] * len(at_all)
            split += [sets and sets[i]] * len(at_all)
            proteins.append(sequence)
    rejects.check_any_left(labels, len(target))
    if n_unlabelled := len(residues.keys() - set(map(identifier, headers))):
        rejects.counts["proteins without labels"] = n_unlabelled
    task = Task(
        name=name or task_name(labels),
        sequences=proteins,
        target=np.array(target, dtype=object),
        protein=np.array(protein),
        residue=np.array(residue),
        split=None if sets is None else np.array(split),
        excluded=dict(rejects.counts),
    )
    if max_train_proteins is not None:
        task = task.sample_proteins(max_train_proteins)
    at = [places[task.sequences[i]] for i in task.protein]
    if positive is not None:
        task, at = one_spelling(task, at, rejects)
        classes = [str(int(letter in positive)) for letter in task.target]
        task = replace(task, target=np.array(classes, dtype=object))
    return finish(task, at, rejects)


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
    residues = _by_name(sequences)
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


def _check_capitals(label_strings, given):
    """Refuse letters that are labels in other capitals only."""
    found = set().union(*label_strings)
    for parameter, letters in given.items():
        for letter in letters:
            other = letter.swapcase()
            if letter not in found and other in found:
                raise ValueError(
                    f"{parameter}={letters!r} has {letter!r}, but labels have {other!r}; write "
                    "them alike."
                )


def _without_stop(letters, sequence):
    """Letters without a final ``*`` that stands beyond the sequence."""
    beyond = len(letters) == len(sequence) + 1 and letters.endswith("*")
    return letters[:-1] if beyond else letters


def _wrong_string(letters, mask, sequence):
    """What is wrong with a protein's labels or mask, and the reason by which it counts."""
    if blank := re.search(r"\s", letters):
        what = (
            f"labels have a blank at position {blank.start() + 1}, and each residue needs a letter"
        )
        return what, "proteins with blanks among their labels"
    if mask is not None and (other := re.search("[^01]", mask)):
        what = f"its mask has {other[0]!r} at position {other.start() + 1}, not 0 or 1"
        return what, "proteins with other letters than 0 and 1 in their mask"
    if len(letters) == len(sequence) and (mask is None or len(mask) == len(sequence)):
        return None
    masked = "" if mask is None else f" and a mask of {len(mask)}"
    what = f"{len(letters)} labels{masked} for {len(sequence)} residues"
    return what, "proteins with labels of another length"


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
