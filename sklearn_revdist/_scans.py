"""Scans: mutational scans as ProteinGym writes them, checked variant by variant."""

import os
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from ._packed_files import plain_name, plain_suffix
from ._tasks import Task
from ._text_rows import Rejects, as_targets, read_text, task_name, wrong_letter
from ._text_tables import open_rows

COLUMNS = ("mutant", "mutated_sequence", "DMS_score")

_LISTED = 3  # names of files in a warning

_SUBSTITUTION = re.compile(r"([A-Z])([0-9]{1,9})([A-Z])")


def scan_files(path: str | os.PathLike, reference: str | os.PathLike | None = None) -> dict:
    """Files of scans in a folder, by the names of their assays.

    Parameters
    ----------
    path : str or path-like
        A folder, or one file; in a folder ``.csv``, plain or compressed. Files of a folder that
        have other columns are no scans and are passed over, with a warning that counts them.
    reference : str or path-like, default=None
        ProteinGym's reference file, whose columns ``DMS_filename`` and ``DMS_id`` give names;
        where a file is not in it, and without it, the file's name is the assay's.

    Returns
    -------
    files : dict of str to Path
        Sorted by name.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If a folder holds no scan, or two files have one name.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {str(path)!r} of scans; check it.")
    names = {}
    if reference is not None:
        table = read_text(reference, ["DMS_id", "DMS_filename"])
        names = dict(zip(table["DMS_filename"], table["DMS_id"], strict=True))
    candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    files: dict[str, Path] = {}
    other = []
    for file in candidates:
        if path.is_dir() and plain_suffix(file) != ".csv":
            continue
        if path.is_dir() and not set(COLUMNS) <= _header(file):
            if reference is None or not file.samefile(reference):
                other.append(file.name)
            continue
        plain = plain_name(file)
        name = names.get(plain, plain.removesuffix(".csv"))
        if name in files:
            raise ValueError(
                f"{str(files[name])!r} and {str(file)!r} are both named {name!r}; remove one."
            )
        files[name] = file
    if not files:
        raise ValueError(
            f"{str(path)!r} holds no scan, a .csv, plain or compressed, with the columns "
            f"{', '.join(COLUMNS)}; check the folder."
        )
    if other:
        listed = ", ".join(other[:_LISTED]) + (", ..." if len(other) > _LISTED else "")
        warnings.warn(
            f"{str(path)!r} holds {len(other)} .csv files without the columns "
            f"{', '.join(COLUMNS)}, which are passed over ({listed}); move them elsewhere, or "
            "rename their columns.",
            UserWarning,
            stacklevel=2,
        )
    return files


def read_scan(
    path: str | os.PathLike,
    *,
    name: str | None = None,
    max_per_count: int | None = None,
    seed: int = 0,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read a mutational scan with ProteinGym's columns.

    The wild type is what most variants become when their substitutions are undone; a variant
    that becomes something else is rejected.

    Parameters
    ----------
    path : str or path-like
        A file with the columns ``mutant`` (as in ``A24G:K31R``, positions from 1),
        ``mutated_sequence`` and ``DMS_score``; plain or compressed.
    name : str, default=None
        Name of the task; None takes that of the file.
    max_per_count : int, default=None
        Of a scan with multiple substitutions, take at most so many variants of each number of
        substitutions, drawn at random. Scans of single substitutions stay whole.
    seed : int, default=0
        Of that draw.
    unknown : {"error", "mask", "X"}, default="error"
        The embedder's policy on ambiguous residues.
    skip_invalid : bool, default=False
        Leave out bad variants and count them, instead of raising an error.

    Returns
    -------
    task : Task

    Raises
    ------
    ValueError
        If the file has no such columns or, unless they are skipped, a variant's substitutions do
        not lead to its sequence, a variant occurs twice, a score is missing, or a letter is no
        residue; the message names file and line.
    """
    table = read_text(path, COLUMNS)
    mutants, sequences, scores = (table[column].str.strip().tolist() for column in COLUMNS)
    mutants, sequences = ([text.upper() for text in texts] for texts in (mutants, sequences))
    target, present = as_targets(scores, "regression")
    wild_types = [_undo(*variant) for variant in zip(mutants, sequences, strict=True)]
    counts = Counter(wild_types)
    counts.pop(None, None)
    wild_type = counts.most_common(1)[0][0] if counts else None
    rejects = Rejects(skip_invalid)
    seen: dict[str, str] = {}
    rows = []
    for row, (mutant, sequence) in enumerate(zip(mutants, sequences, strict=True)):
        line = table.index[row]
        changed = "".join(mutant[-1:] for mutant in mutant.split(":"))
        wrong = wrong_letter(changed if wild_types[row] == wild_type else sequence, unknown)
        if not present[row]:
            what = f"the score {scores[row]!r}, which is no number" if scores[row] else "no score"
            rejects.add(line, f"{mutant!r} has {what}", "no score")
        elif wrong:
            rejects.add(line, f"in {mutant!r} {wrong}", "unknown letters")
        elif wild_types[row] is None:
            rejects.add(
                line,
                f"{mutant!r} does not lead to its mutated_sequence",
                "a mutant that does not match its sequence",
            )
        elif wild_types[row] != wild_type:
            rejects.add(
                line,
                f"{mutant!r} leads to its mutated_sequence from another wild type than most",
                "a mutant that does not match its sequence",
            )
        elif sequence in seen:
            rejects.add(
                line, f"{mutant!r} has the sequence of {seen[sequence]}, again", "a duplicate"
            )
        else:
            seen[sequence] = line
            rows.append(row)
    rejects.check_any_left(path, len(rows))
    if wrong := wrong_letter(wild_type, unknown):
        raise ValueError(f"{str(path)!r}: in the wild type {wrong}; mend it, or set `unknown`.")
    n_mutations = np.array([mutants[row].count(":") + 1 for row in rows])
    position = None
    if (n_mutations == 1).all():
        position = np.array([int(mutants[row][1:-1]) for row in rows])
    task = Task(
        name=name or task_name(path),
        sequences=[sequences[row] for row in rows],
        target=target[rows],
        protein=np.arange(len(rows)),
        position=position,
        n_mutations=n_mutations,
        excluded=dict(rejects.counts),
    )
    if max_per_count is None or position is not None:
        return task
    rng = np.random.default_rng(seed)
    kept = np.zeros(len(rows), bool)
    for count in np.unique(n_mutations):
        among = np.flatnonzero(n_mutations == count)
        if len(among) > max_per_count:
            among = rng.choice(among, max_per_count, replace=False)
        kept[among] = True
    return task.leave_out(kept, f"beyond {max_per_count} of a number of substitutions")


def _header(path):
    """Names of a table's columns."""
    with open_rows(path, {}, wanted=COLUMNS) as table:
        return set(table.columns)


def _undo(mutant: str, sequence: str) -> str | None:
    """The sequence without its substitutions, None where it does not have them."""
    letters = list(sequence)
    undone = set()
    for substitution in mutant.split(":"):
        match = _SUBSTITUTION.fullmatch(substitution)
        if match is None:
            return None
        old, position, new = match[1], int(match[2]), match[3]
        if not 1 <= position <= len(letters) or letters[position - 1] != new:
            return None
        if position in undone:
            return None
        undone.add(position)
        letters[position - 1] = old
    return "".join(letters)
