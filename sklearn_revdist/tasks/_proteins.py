"""Read a number or a class for each protein from tables and FASTA headers."""

import os
import re
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from ..sequences._fasta import header_values, identifier, read_fasta
from ..sequences._tokens import wrong_letter
from ._classes import finish
from ._sets import as_sets, set_in_header, wrong_set
from ._targets import as_targets, retrieval_of
from ._task import Task
from ._text_rows import Rejects, read_text, task_name, without_stops


def read_table(
    path: str | os.PathLike | dict[str, str | os.PathLike],
    *,
    name: str | None = None,
    sequence: str = "sequence",
    target: str = "target",
    split: str | None = None,
    columns: Sequence[str] | None = None,
    cluster: str | None = None,
    kind: str | None = None,
    metric: str | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read proteins and their targets from tables of text.

    Parameters
    ----------
    path : path-like, or dict of path-like
        A table with commas or, ending in ``.tsv``, ``.tab`` or ``.txt``, tabs between columns,
        plain or compressed, an Excel workbook, or Parquet. A dict has files for "train",
        "validation" and "test".
    name : str, default=None
        Name of the task; None takes that of the (first) file.
    sequence, target : str
        Columns of the sequences and of what to predict.
    split : str, default=None
        Column with "train", "validation" (or "valid", "val", "dev") or "test", in upper or lower
        case; not together with a file for each set.
    columns : sequence of str, default=None
        Names of the columns of files without a header.
    cluster : str, default=None
        Column of the clusters of the sequences, which stay together; an empty cell is a cluster of
        one.
    kind : {"regression", "classification", "retrieval"}, default=None
        None means a regression if at least half of the targets that are not missing are numbers,
        unless these are at most 20 distinct whole numbers. With "classification" and "retrieval"
        every cell that is not empty is a class, or label, even NA and None.
    metric : str, default=None
        Metric of a retrieval: "recall@1", the default, "recall@5" or another number, or "map".
    unknown : {"error", "mask", "X", "keep"}, default="error"
        The embedder's policy on ambiguous residues.
    skip_invalid : bool, default=False
        Leave out bad rows and count them, instead of raising an error.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If a column is missing or, unless bad rows are skipped, if a row has a letter that is not a
        residue, no target, no known set, a sequence that occurred before, or a class that cannot
        be learnt and tested. The message names file and line.
    """
    if split and isinstance(path, dict):
        raise ValueError(f"split={split!r} and a file for each set both define sets; drop one.")
    retrieval, records = retrieval_of(kind, metric, path), []
    for set_name, file in _files(path):
        more = [column for column in (split, cluster) if column]
        table = read_text(file, [sequence, target, *more], columns=columns)
        sets = table[split] if split else [set_name] * len(table)
        clusters = table[cluster].str.strip() if cluster else [""] * len(table)
        records += zip(table.index, table[sequence], table[target], sets, clusters, strict=True)
    return _protein_task(path, records, name, kind, retrieval, unknown, Rejects(skip_invalid))


def read_labelled_fasta(
    path: str | os.PathLike | dict[str, str | os.PathLike],
    *,
    name: str | None = None,
    target: str = "TARGET",
    kind: str | None = None,
    metric: str | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read proteins whose targets are in the headers of a FASTA file.

    Parameters
    ----------
    path : path-like, or dict of path-like
        A FASTA file, or files for "train", "validation" and "test"; plain or compressed.
    target : str, default="TARGET"
        Key of the target, in upper or lower case, in headers such as FLIP's ``>id TARGET=1.5
        SET=train VALIDATION=False``; the target goes on to the next key. Or a regular expression
        with one group, which is the target.
    name, kind, metric, unknown, skip_invalid
        As for :func:`read_table`.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        As for :func:`read_table`; the message names file and record.
    """
    find, retrieval = _target_finder(target), retrieval_of(kind, metric, path)
    rejects = Rejects(skip_invalid)
    records = []
    for set_name, file in _files(path):
        names, sequences = read_fasta(file)
        for i, (header, sequence) in enumerate(zip(names, sequences, strict=True)):
            place = f"{str(file)!r}, record {i + 1} ({identifier(header)})"
            found = find(header)
            if len(found) > 1:
                what = f"the header has {target} twice, as {found[0]!r} and {found[1]!r}"
                rejects.add(place, what, "a target given twice")
                continue
            label = found[0] if found else ""
            records.append((place, sequence, label, set_name or set_in_header(header), ""))
    return _protein_task(path, records, name, kind, retrieval, unknown, rejects)


def _target_finder(target):
    """Make a function that finds the targets in a header."""
    if "(" not in target:
        return partial(header_values, key=target)
    try:
        pattern = re.compile(target)
    except re.error as error:
        raise ValueError(
            f"target={target!r} is not a regular expression ({error}); fix it."
        ) from error
    if pattern.groups != 1:
        raise ValueError(
            f"target={target!r} has {pattern.groups} groups; give a regular expression with one."
        )
    return lambda header: [found[1]] if (found := pattern.search(header)) and found[1] else []


def _protein_task(path, records, name, kind, retrieval, unknown, rejects):
    """Make a task of records (place, sequence, target, set, cluster) from one file or several."""
    places, sequences, labels, names, clusters = zip(*records, strict=True) if records else [[]] * 5
    first_file = _files(path)[0][1]
    sequences = without_stops([sequence.strip().upper() for sequence in sequences], first_file)
    targets, wrong_targets = as_targets(labels, kind, places)
    sets = as_sets(names)
    seen: dict[str, str] = {}
    rows = []
    for row, (place, sequence) in enumerate(zip(places, sequences, strict=True)):
        if wrong := wrong_targets[row]:
            rejects.add(place, *wrong)
        elif sets is not None and sets[row] is None:
            rejects.add(place, *wrong_set(names[row]))
        elif wrong := wrong_letter(sequence, unknown):
            rejects.add(place, wrong, "unknown letters")
        elif sequence in seen:
            rejects.add(place, f"the sequence of {seen[sequence]}, again", "a duplicate")
        else:
            seen[sequence] = place
            rows.append(row)
    rejects.check_any_left(first_file, len(rows))
    # a row without a cluster is one of its own
    cluster, _ = pd.factorize(np.array([clusters[row] or row for row in rows], dtype=object))
    task = Task(
        name=name or task_name(first_file),
        sequences=[sequences[row] for row in rows],
        target=targets[rows],
        protein=np.arange(len(rows)),
        split=None if sets is None else np.array([sets[row] for row in rows]),
        retrieval=retrieval,
        cluster=cluster if any(clusters) else None,
    )
    return finish(task, [places[row] for row in rows], rejects)


def _files(path):
    """List pairs of a set, or None, and its file."""
    return list(path.items()) if isinstance(path, dict) else [(None, path)]
