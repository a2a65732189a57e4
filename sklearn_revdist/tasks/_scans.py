"""Read mutational scans in ProteinGym's format, and check them variant by variant."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..sequences._mutants import WHOLE_SEQUENCE, parse_mutant
from ..sequences._packed import plain_name, plain_suffix
from ..sequences._table_rows import table_columns
from ..sequences._text_tables import FORMATS
from ..sequences._tokens import drop_stop, wrong_letter
from ..sequences._variants import substituted
from ..sequences._wild_type import find_first_position, find_numbering, misfit, undo
from ..utils._messages import warn_of_skipped
from ._targets import as_numbers
from ._task import Task
from ._text_rows import Rejects, read_text, task_name, without_stops

COLUMNS = ("mutant", "mutated_sequence", "DMS_score")

_REMEDY = (
    "name the columns to read (`target`, `sequence`; --target, --sequence-column), give the wild "
    "type if there are mutants without sequences (`reference`), or list the task in TOML"
)
_TABLES = (*FORMATS, ".parquet")
_LONGEST = 60  # letters of a mutant in a message
_FEW = 10  # fewer than one variant in ten


def table_files(
    path: str | os.PathLike, reference: str | os.PathLike | None = None
) -> tuple[dict[str, Path], dict[str, str]]:
    """Find the tables in a folder, by the names of their tasks.

    Parameters
    ----------
    path : str or path-like
        One file, or a folder of tables: CSV, TSV, Excel workbooks or Parquet, text also compressed.
    reference : str or path-like, default=None
        ProteinGym's reference file, with names in its columns ``DMS_filename`` and ``DMS_id``.
        Other tables are named after their files.

    Returns
    -------
    files : dict of str to Path
        Sorted by the names of the files.
    skipped : dict of str to str
        What else is in the folder, hidden files apart, and why it is skipped.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If two files have the same name.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {str(path)!r} of scans; check it.")
    names = {}
    if reference is not None:
        table = read_text(reference, ["DMS_id", "DMS_filename"])
        names = dict(zip(table["DMS_filename"], table["DMS_id"], strict=True))
    files: dict[str, Path] = {}
    skipped = {}
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file != path and plain_suffix(file) not in _TABLES:
            if not file.name.startswith("."):
                skipped[file.name] = f"it is {'a folder' if file.is_dir() else 'no table'}"
            continue
        if file != path and reference is not None and file.samefile(reference):
            continue
        name = names.get(plain_name(file)) or task_name(file)
        if name in files:
            raise ValueError(
                f"{str(files[name])!r} and {str(file)!r} are both named {name!r}; remove one."
            )
        files[name] = file
    return files, skipped


def scan_files(
    path: str | os.PathLike,
    reference: str | os.PathLike | None = None,
    columns: Sequence[str] = COLUMNS,
) -> dict[str, Path]:
    """Find the scans in a folder, by the names of their assays.

    Parameters
    ----------
    path : str or path-like
        One file, or a folder, in which a warning names each file that is no scan.
    reference : str or path-like, default=None
        As for :func:`table_files`.
    columns : sequence of str, default=COLUMNS
        Columns that a scan has.

    Returns
    -------
    files : dict of str to Path

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If a folder has no scan, or two files have the same name.
    """
    files, skipped = table_files(path, reference)
    if Path(path).is_dir():
        for name, file in list(files.items()):
            found = table_columns(file, columns)
            if missing := [column for column in columns if column not in found]:
                skipped[file.name] = f"it has no column {missing[0]!r}"
                del files[name]
    if not files:
        raise ValueError(
            f"{str(path)!r} has no scan, a table with the columns {', '.join(columns)}; check the "
            "folder, or name its columns."
        )
    warn_of_skipped(dict(sorted(skipped.items())))
    return files


def read_scan(
    path: str | os.PathLike,
    *,
    name: str | None = None,
    mutant: str = COLUMNS[0],
    sequence: str = COLUMNS[1],
    target: str = COLUMNS[2],
    first_position: int = 1,
    max_per_count: int | None = None,
    wild_type: str | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Task:
    """Read a mutational scan: a table of mutants, their sequences and what was measured.

    The wild type is the sequence to which most variants return when their substitutions are
    undone; other variants are rejected. In a table without sequences, as of MaveDB, these are made
    from the mutants and `wild_type`. Rows of the wild type itself and of synonymous variants are
    left out and counted as "the wild type", since they have no position to split by.

    Parameters
    ----------
    path : str or path-like
        A table of text, plain or compressed, an Excel workbook, or Parquet. Mutants are
        substitutions as in ``A24G:K31R``, with ``: ; / , + _`` or blanks between, or in HGVS's
        notation of proteins (``p.Ala24Gly``, ``p.[Ala24Gly;Lys31Arg]``); the wild type is ``WT``,
        ``_wt``, ``p.=`` or empty.
    name : str, default=None
        Name of the task; None takes that of the file.
    mutant : str, default="mutant"
        Column of the mutants.
    sequence : str, default="mutated_sequence"
        Column of the whole sequences of the variants.
    target : str, default="DMS_score"
        Column of the measured numbers.
    first_position : int, default=1
        Number of the sequence's first residue in the numbering of the mutants: 11 if residue 24
        of the sequence is called 34, 0 if mutants count from zero.
    max_per_count : int, default=None
        From a scan with multiple substitutions, draw at most this many variants of each number of
        substitutions at random, with a fixed seed. Scans of single substitutions stay whole.
    wild_type : str, default=None
        Its sequence, for a table that has no column `sequence`.
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
    by_mutants = wild_type is not None and sequence not in table_columns(path, [mutant, target])
    columns = (mutant, target) if by_mutants else (mutant, target, sequence)
    table = read_text(path, columns, remedy=_REMEDY)
    lines = table.index.tolist()
    texts, scores, *given = (table[column].str.strip().tolist() for column in columns)
    measured = as_numbers(scores)
    mutants = [parse_mutant(text or "WT") for text in texts]
    _check_substitutions(path, mutants)
    if by_mutants:
        wild_type = drop_stop(wild_type.strip().upper())
        sequences, misfits = _made(mutants, wild_type, first_position)
        fits = [not each for each in misfits]
    else:
        sequences, misfits = without_stops(list(map(str.upper, given[0])), path), [""] * len(texts)
        wild_type, fits = _wild_type(mutants, sequences, first_position)
    start = wild_type if by_mutants else None
    _check_numbering(path, mutants, sequences, fits, first_position, skip_invalid, start)
    if wild_type and (wrong := wrong_letter(wild_type, unknown)):
        raise ValueError(f"{str(path)!r}: in the wild type {wrong}; fix it, or set `unknown`.")
    rejects = Rejects(skip_invalid)
    seen: dict[str, str] = {}
    rows = []
    for row, (changes, protein) in enumerate(zip(mutants, sequences, strict=True)):
        line, written = lines[row], _quoted(texts[row])
        if fits[row] and protein == wild_type:
            rejects.counts["the wild type"] += 1
        elif not np.isfinite(measured[row]):
            score = f"the score {scores[row]!r}, which is not a number"
            rejects.add(line, f"{written} has {score if scores[row] else 'no score'}", "no score")
        elif isinstance(changes, str):
            rejects.add(line, f"{written} is {changes}", changes)
        elif wrong := wrong_letter(protein, unknown):
            rejects.add(line, f"in {written} {wrong}", "unknown letters")
        elif not fits[row]:
            what = misfits[row] or misfit(changes, protein, wild_type or "", first_position)
            rejects.add(line, f"{written} {what}", "a mutant that does not match its sequence")
        elif protein in seen:
            what = f"{written} has the sequence of {seen[protein]}, again"
            rejects.add(line, what, "a duplicate")
        else:
            seen[protein] = line
            rows.append(row)
    rejects.check_any_left(path, len(rows))
    exchanged = [[each for each in mutants[row] if each.old != each.new] for row in rows]
    n_mutations = np.array([len(substitutions) for substitutions in exchanged])
    position = None
    if (n_mutations == 1).all():
        position = np.array([change.position - first_position + 1 for (change,) in exchanged])
    task = Task(
        name=name or task_name(path),
        sequences=[sequences[row] for row in rows],
        target=measured[rows],
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


def _made(mutants, wild_type, first_position):
    """Make sequences of mutants, and say what is wrong with those that do not fit.

    The wild type stands for those, and for mutants that are not substitutions.
    """
    sequences, misfits = [], []
    for mutant in mutants:
        sequence, wrong = wild_type, ""
        if isinstance(mutant, str):
            wrong = mutant
        else:
            try:
                sequence = substituted(wild_type, mutant, "", first_position)
            except ValueError as error:
                wrong = str(error).partition(";")[0].strip()
        sequences.append(sequence)
        misfits.append(wrong)
    return sequences, misfits


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


def _check_substitutions(path, mutants):
    """Refuse whole sequences as mutants, as in ProteinGym's files of insertions and deletions."""
    if 2 * mutants.count(WHOLE_SEQUENCE) > len(mutants):
        raise ValueError(
            f"{str(path)!r} has whole sequences for mutants, as files of insertions and deletions "
            'do; read it in a list of tasks (TOML) as format="table" with '
            'sequence="mutated_sequence" and target="DMS_score".'
        )


def _check_numbering(path, mutants, sequences, fits, first_position, skip_invalid, start):
    """Refuse a scan that is numbered in another way, or of which nearly nothing fits.

    `start` is the wild type if the sequences were made from it, else None.
    """
    rows = [row for row, each in enumerate(mutants) if each and not isinstance(each, str)]
    n_fitting = sum(fits[row] for row in rows)
    if 2 * n_fitting >= len(rows):
        return
    if start is None:
        fit, lead = "fit their sequences", "lead from one wild type to their mutated_sequence"
        first = find_first_position([(mutants[row], sequences[row]) for row in rows])
    else:
        fit = lead = "fit the wild type"
        first = find_numbering([mutants[row] for row in rows], start)
    if first not in (None, first_position):
        raise ValueError(
            f"{str(path)!r}: {n_fitting} of {len(rows)} rows {fit} if numbering starts at "
            f"{first_position}, but most rows fit if numbering starts at {first}; set "
            f"first_position={first} (in a list of tasks, TOML)."
        )
    if skip_invalid and _FEW * n_fitting < len(rows):
        raise ValueError(
            f"{str(path)!r}: {n_fitting} of {len(rows)} mutants {lead}, and no other numbering "
            "fits more; check that the columns belong together, and that the file has variants of "
            "one protein."
        )


def _quoted(text):
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ...")
