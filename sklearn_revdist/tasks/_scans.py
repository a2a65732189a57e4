"""Read mutational scans in ProteinGym's format, and check them variant by variant."""

import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from ..sequences._mutants import WHOLE_SEQUENCE, parse_mutant
from ..sequences._packed import plain_name, plain_suffix
from ..sequences._text_tables import open_rows
from ..sequences._tokens import wrong_letter
from ..sequences._wild_type import find_first_position, misfit, undo
from ._targets import as_numbers
from ._task import Task
from ._text_rows import Rejects, read_text, task_name, without_stops

COLUMNS = ("mutant", "mutated_sequence", "DMS_score")

_LISTED = 3  # files named in a warning
_LONGEST = 60  # letters of a mutant in a message
_FEW = 10  # fewer than one variant in ten


def scan_files(path: str | os.PathLike, reference: str | os.PathLike | None = None) -> dict:
    """Find the scans in a folder, by the names of their assays.

    Parameters
    ----------
    path : str or path-like
        One file, or a folder of ``.csv`` files, plain or compressed. Files of a folder with other
        columns are passed over, with a warning that counts them.
    reference : str or path-like, default=None
        ProteinGym's reference file, with names in its columns ``DMS_filename`` and ``DMS_id``.
        Other assays are named after their files.

    Returns
    -------
    files : dict of str to Path
        Sorted by name.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If a folder has no scan, or two files have the same name.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {str(path)!r} of scans; check it.")
    names = {}
    if reference is not None:
        table = read_text(reference, ["DMS_id", "DMS_filename"])
        names = dict(zip(table["DMS_filename"], table["DMS_id"], strict=True))
    scans, other = [path], []
    if path.is_dir():
        tables = [file for file in sorted(path.iterdir()) if plain_suffix(file) == ".csv"]
        scans = [file for file in tables if _is_scan(file)]
        other = [file.name for file in tables if file not in scans]
        if reference is not None:
            other = [name for name in other if not (path / name).samefile(reference)]
    files: dict[str, Path] = {}
    for file in scans:
        plain = plain_name(file)
        name = names.get(plain, plain.removesuffix(".csv"))
        if name in files:
            raise ValueError(
                f"{str(files[name])!r} and {str(file)!r} are both named {name!r}; remove one."
            )
        files[name] = file
    if not files:
        raise ValueError(
            f"{str(path)!r} has no scan, a .csv, plain or compressed, with the columns "
            f"{', '.join(COLUMNS)}; check the folder."
        )
    if other:
        listed = ", ".join(other[:_LISTED]) + (", ..." if len(other) > _LISTED else "")
        warnings.warn(
            f"{str(path)!r} has {len(other)} .csv files without the columns "
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
    first_position: int = 1,
    max_per_count: int | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read a mutational scan with ProteinGym's columns.

    The wild type is the sequence to which most variants return when their substitutions are
    undone; other variants are rejected. Rows of the wild type itself and of synonymous variants
    are left out and counted as "the wild type", since they have no position to split by.

    Parameters
    ----------
    path : str or path-like
        A file with the columns ``mutant``, ``mutated_sequence`` and ``DMS_score``; plain or
        compressed. Mutants are substitutions as in ``A24G:K31R``, with ``: ; / , + _``
        or blanks between, or in HGVS's notation of proteins (``p.Ala24Gly``,
        ``p.[Ala24Gly;Lys31Arg]``); the wild type is ``WT``, ``_wt``, ``p.=`` or empty.
    name : str, default=None
        Name of the task; None takes that of the file.
    first_position : int, default=1
        Number of the sequence's first residue in the numbering of the mutants: 11 if residue 24
        of the sequence is called 34, 0 if mutants count from zero.
    max_per_count : int, default=None
        From a scan with multiple substitutions, draw at most this many variants of each number of
        substitutions at random, with a fixed seed. Scans of single substitutions stay whole.
    unknown : {"error", "mask", "X", "keep"}, default="error"
        The embedder's policy on ambiguous residues.
    skip_invalid : bool, default=False
        Leave out bad variants and count them, instead of raising an error.

    Returns
    -------
    task : Task
        Its `position` counts from 1 at the beginning of the sequence, not from `first_position`.

    Raises
    ------
    ValueError
        If the file lacks a column, a parameter is out of range, mutants are whole sequences, most
        variants fit with another `first_position`, which the message names, or nearly none fit.
        Unless bad variants are skipped, also if substitutions do not lead to their sequence, a
        mutant is not a substitution (a stop, a deletion), a variant occurs twice, a score is
        missing, or a letter is not a residue; the message names file and line.
    """
    if max_per_count is not None and max_per_count < 1:
        raise ValueError(f"{str(path)!r}: {max_per_count=} is too small; give 1 or more.")
    table = read_text(path, COLUMNS)
    lines = table.index.tolist()
    texts, sequences, scores = (table[column].str.strip().tolist() for column in COLUMNS)
    sequences = without_stops([sequence.upper() for sequence in sequences], path)
    target = as_numbers(scores)
    mutants = [parse_mutant(text or "WT") for text in texts]
    _check_substitutions(path, mutants)
    wild_type, fits = _wild_type(mutants, sequences, first_position)
    _check_numbering(path, mutants, sequences, fits, first_position, skip_invalid)
    if wild_type and (wrong := wrong_letter(wild_type, unknown)):
        raise ValueError(f"{str(path)!r}: in the wild type {wrong}; fix it, or set `unknown`.")
    rejects = Rejects(skip_invalid)
    seen: dict[str, str] = {}
    rows = []
    for row, (mutant, sequence) in enumerate(zip(mutants, sequences, strict=True)):
        line, written = lines[row], _quoted(texts[row])
        if fits[row] and sequence == wild_type:
            rejects.counts["the wild type"] += 1
        elif not np.isfinite(target[row]):
            score = f"the score {scores[row]!r}, which is not a number"
            rejects.add(line, f"{written} has {score if scores[row] else 'no score'}", "no score")
        elif isinstance(mutant, str):
            rejects.add(line, f"{written} is {mutant}", mutant)
        elif wrong := wrong_letter(sequence, unknown):
            rejects.add(line, f"in {written} {wrong}", "unknown letters")
        elif not fits[row]:
            what = misfit(mutant, sequence, wild_type or "", first_position)
            rejects.add(line, f"{written} {what}", "a mutant that does not match its sequence")
        elif sequence in seen:
            what = f"{written} has the sequence of {seen[sequence]}, again"
            rejects.add(line, what, "a duplicate")
        else:
            seen[sequence] = line
            rows.append(row)
    rejects.check_any_left(path, len(rows))
    changes = [[each for each in mutants[row] if each.old != each.new] for row in rows]
    n_mutations = np.array([len(substitutions) for substitutions in changes])
    position = None
    if (n_mutations == 1).all():
        position = np.array([change.position - first_position + 1 for (change,) in changes])
    task = Task(
        name=name or task_name(path),
        sequences=[sequences[row] for row in rows],
        target=target[rows],
        protein=np.arange(len(rows)),
        position=position,
        n_mutations=n_mutations,
        excluded=dict(rejects.counts),
        wild_type=wild_type,
    )
    if max_per_count is None or position is not None:
        return task
    return _sample_by_count(task, max_per_count)


def _wild_type(mutants, sequences, first_position):
    """Find what most variants become when undone, and which of them become it."""
    undone = [
        None if isinstance(mutant, str) or not sequence else undo(mutant, sequence, first_position)
        for mutant, sequence in zip(mutants, sequences, strict=True)
    ]
    counts = Counter(sequence for sequence in undone if sequence is not None)
    wild_type = counts.most_common(1)[0][0] if counts else None
    return wild_type, [sequence is not None and sequence == wild_type for sequence in undone]


def _sample_by_count(task, max_per_count):
    """Draw at most this many variants of each number of substitutions."""
    rng = np.random.default_rng(0)
    kept = np.zeros(len(task.target), bool)
    for count in np.unique(task.n_mutations):
        among = np.flatnonzero(task.n_mutations == count)
        if len(among) > max_per_count:
            among = rng.choice(among, max_per_count, replace=False)
        kept[among] = True
    return task.leave_out(kept, f"beyond {max_per_count} of a number of substitutions")


def _is_scan(path):
    """Check whether a table has the columns of a scan."""
    with open_rows(path, {}, wanted=COLUMNS) as table:
        return set(COLUMNS) <= set(table.columns)


def _check_substitutions(path, mutants):
    """Refuse whole sequences as mutants, as in ProteinGym's files of insertions and deletions."""
    if 2 * mutants.count(WHOLE_SEQUENCE) > len(mutants):
        raise ValueError(
            f"{str(path)!r} has whole sequences for mutants, as files of insertions and deletions "
            'do; read it in a list of tasks (TOML) as format="table" with '
            'sequence="mutated_sequence" and target="DMS_score".'
        )


def _check_numbering(path, mutants, sequences, fits, first_position, skip_invalid):
    """Refuse a scan that is numbered in another way, or of which nearly nothing fits."""
    rows = [row for row, each in enumerate(mutants) if each and not isinstance(each, str)]
    n_fitting = sum(fits[row] for row in rows)
    if 2 * n_fitting >= len(rows):
        return
    first = find_first_position([(mutants[row], sequences[row]) for row in rows])
    if first not in (None, first_position):
        raise ValueError(
            f"{str(path)!r}: {n_fitting} of {len(rows)} rows fit their sequences if numbering "
            f"starts at {first_position}, but most rows fit if numbering starts at {first}; set "
            f"first_position={first} (in a list of tasks, TOML)."
        )
    if skip_invalid and _FEW * n_fitting < len(rows):
        raise ValueError(
            f"{str(path)!r}: {n_fitting} of {len(rows)} mutants lead from one wild type to their "
            "mutated_sequence, and no other numbering fits more; check that the columns belong "
            "together, and that the file has variants of one protein."
        )


def _quoted(text):
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ...")
