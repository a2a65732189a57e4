"""Read residue labels: a class for each residue, as a letter in a second FASTA file."""

import os
import re

import numpy as np

from ..sequences._fasta import identifier, read_fasta
from ..sequences._tokens import wrong_letter
from ._classes import class_name, finish
from ._sets import as_sets, set_in_header, wrong_set
from ._task import Task
from ._text_rows import Rejects, task_name, without_stops


def read_residue_labels(
    sequences: str | os.PathLike,
    labels: str | os.PathLike,
    *,
    name: str | None = None,
    mask: str | os.PathLike | None = None,
    max_train_proteins: int | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read a class for each residue from a FASTA file of labels and one of sequences.

    Parameters
    ----------
    sequences, labels : str or path-like
        FASTA files in which headers begin with the same names. Labels are one letter per residue:
        three letters make Q3, eight Q8. Headers of `labels` may have ``SET=train`` and
        ``VALIDATION=True``. A final ``*`` beyond the sequence is not a label. Sequences without
        labels are not used.
    name : str, default=None
        Name of the task; None takes that of the file of labels.
    mask : str or path-like, default=None
        A FASTA file with 1 for residues to use and 0 for others.
    max_train_proteins : int, default=None
        Learn from at most this many proteins, drawn at random.
    unknown : {"error", "mask", "X", "keep"}, default="error"
        The embedder's policy on ambiguous residues.
    skip_invalid : bool, default=False
        Leave out bad proteins and count them, instead of raising an error.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        Unless bad proteins are skipped, if labels or a mask are not as long as the sequence, labels
        have a blank, a mask has other letters than 0 and 1, a sequence occurs twice, a letter is
        not a residue, a set is not known, or a class cannot be learnt and tested. The message names
        file and record.
    """
    headers, label_strings = read_fasta(labels)
    residues = sequences_by_name(sequences)
    masks = None if mask is None else sequences_by_name(mask)
    set_names = [set_in_header(header) for header in headers]
    sets = as_sets(set_names)
    rejects = Rejects(skip_invalid)
    target, protein, residue, split = [], [], [], []
    places: dict[str, str] = {}  # by sequence
    for i, (header, letters) in enumerate(zip(headers, label_strings, strict=True)):
        key = identifier(header)
        place = f"{str(labels)!r}, record {i + 1} ({key})"
        sequence = residues.get(key, "")
        letters = _without_stop(letters, sequence)
        used = "1" * len(sequence)
        if masks is not None:
            used = _without_stop(masks.get(key, ""), sequence)
        if key not in residues:
            what = f"{str(sequences)!r} has no such sequence"
            rejects.add(place, what, "proteins without sequence")
        elif sequence in places:
            rejects.add(place, "its sequence occurred before", "proteins that occur again")
        elif wrong := wrong_letter(sequence, unknown):
            rejects.add(place, wrong, "proteins with unknown letters")
        elif sets is not None and sets[i] is None:
            what, reason = wrong_set(set_names[i])
            rejects.add(place, what, f"proteins in {reason}")
        elif masks is not None and key not in masks:
            what = f"{str(mask)!r} has no such protein"
            rejects.add(place, what, "proteins without a mask")
        elif blank := re.search(r"\s", letters):
            at = blank.start() + 1
            what = f"labels have a blank at position {at}, and each residue needs a letter"
            rejects.add(place, what, "proteins with blanks among their labels")
        elif other := re.search("[^01]", used):
            what = f"its mask has {other[0]!r} at position {other.start() + 1}, not 0 or 1"
            reason = "proteins with other letters than 0 and 1 in their mask"
            rejects.add(place, what, reason)
        elif not len(letters) == len(used) == len(sequence):
            masked = "" if masks is None else f" and a mask of {len(used)}"
            what = f"{len(letters)} labels{masked} for {len(sequence)} residues"
            rejects.add(place, what, "proteins with labels of another length")
        else:
            indices = [j for j, letter in enumerate(used) if letter == "1"]
            residue += indices
            target += [class_name(letters[j]) for j in indices]
            protein += [len(places)] * len(indices)
            split += [sets and sets[i]] * len(indices)
            places[sequence] = place
    rejects.check_any_left(labels, len(target))
    if n_unlabelled := len(residues.keys() - set(map(identifier, headers))):
        rejects.counts["proteins without labels"] = n_unlabelled
    task = Task(
        name=name or task_name(labels),
        sequences=list(places),
        target=np.array(target, dtype=object),
        protein=np.array(protein),
        residue=np.array(residue),
        split=None if sets is None else np.array(split),
        excluded=dict(rejects.counts),
    )
    if max_train_proteins is not None:
        task = task.sample_proteins(max_train_proteins)
    return finish(task, [places[task.sequences[i]] for i in task.protein], rejects)


def _without_stop(letters, sequence):
    """Drop a final ``*`` beyond the sequence."""
    beyond = len(letters) == len(sequence) + 1 and letters.endswith("*")
    return letters[:-1] if beyond else letters


def sequences_by_name(path):
    """Read sequences, or strings in their place, by the first word of the header."""
    names, sequences = read_fasta(path)
    proteins = without_stops(sequences, path)
    found: dict[str, str] = {}
    for i, (name, sequence) in enumerate(zip(map(identifier, names), proteins, strict=True)):
        if name in found:
            raise ValueError(
                f"{str(path)!r}, record {i + 1} ({name}): the name occurred before; rename or "
                "remove one of the records."
            )
        found[name] = sequence.upper()
    return found
