"""Read the tasks that a TOML file lists, or the scans in a folder."""

import inspect
import os
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ..sequences._fasta import only_sequence
from ..sequences._table_rows import table_columns
from ..sequences._tokens import RESIDUES
from ..utils._compat import StrOptions, validate_params
from ..utils._messages import first_line, warn_of_skipped
from ._proteins import read_labelled_fasta, read_table
from ._residue_tables import read_residue_table
from ._residues import read_residue_labels
from ._scans import COLUMNS, read_scan, scan_files, table_files
from ._targets import KINDS
from ._task import SETS, Task

_READERS: dict[str, Callable[..., Task]] = {
    "scan": read_scan,
    "table": read_table,
    "fasta": read_labelled_fasta,
    "residue-labels": read_residue_labels,
    "residue-table": read_residue_table,
}
# Types of settings that are not strings.
_TYPES = {
    **dict.fromkeys(
        ("first_position", "max_per_count", "max_train_proteins", "n_classes"),
        (int, "a whole number"),
    ),
    **dict.fromkeys(("columns", "protein"), (list, "a list of strings")),
    "where": (dict, "a table of columns and values"),
    "skip_invalid": (bool, "true or false"),
}
_CHOICES = {"kind": KINDS, "unknown": tuple(RESIDUES)}
_PATHS = ("path", "sequences", "labels", "mask", "reference", "wild_type")


@validate_params(
    {
        "path": [str, os.PathLike],
        "data": [str, os.PathLike, None],
        "target": [str, None],
        "sequence": [str, None],
        "mutant": [str, None],
        "reference": [str, None],
        "unknown": [StrOptions(set(RESIDUES))],
        "skip_invalid": ["boolean"],
    }
)
def read_tasks(
    path: str | os.PathLike,
    *,
    data: str | os.PathLike | None = None,
    target: str | None = None,
    sequence: str | None = None,
    mutant: str | None = None,
    reference: str | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Iterator[Task]:
    """Read tasks, one at a time, from a list, a table or a folder of tables.

    Parameters
    ----------
    path : str or path-like
        A folder of ProteinGym's scans, one such scan (a table of text, plain or compressed, an
        Excel workbook, or Parquet), or a TOML file with an entry ``[[task]]`` for each task. Its
        key `format` says how the task is read:

        "scan"
            ProteinGym's columns, or those that `mutant`, `sequence` and `target` name; `path` is a
            file or a folder, `reference` ProteinGym's file of names, `first_position` the number
            of the sequences' first residue (1), and `max_per_count` the most variants of each
            number of substitutions.
        "table"
            proteins in a table of text: `path`, or `train`, `validation` and `test`; `sequence`,
            `target`, `split`, `columns`, `cluster`, `kind`, `metric`.
        "fasta"
            proteins with targets in the headers: `path`, or files as above; `target`, `kind`,
            `metric`.
        "residue-labels"
            `sequences` and `labels`, one letter per residue, both FASTA; `mask`,
            `max_train_proteins`.
        "residue-table"
            `path`, a table of residues, and `sequences`, FASTA; `target`, `protein`, `position`,
            `residue`, `first_position`, `where`, `kind`, `metric`, `n_classes`.

        Every entry may have a `name`, and its own `skip_invalid` and `unknown`. The `kind` of a
        task is "regression", "classification" or "retrieval"; for the last, `metric` is "recall@1"
        (the default), "recall@5" or another number, or "map".
    data : str or path-like, default=None
        Folder that paths in a TOML file are relative to; None is the TOML file's own.
    target, sequence, mutant : str, default=None
        Columns of tables, or of all tables of a folder: of what to predict, of the sequences and
        of the mutants. If any is given, a table with mutants (`mutant`; None is "mutant") is read
        as a scan, and another as proteins. The target is "DMS_score" for scans and "target" for
        proteins by default, the sequence the first that a table has of "mutated_sequence" and
        "sequence".
    reference : str, default=None
        The wild type of one scan without a column of sequences, which are made from its mutants;
        in a folder, tables without sequences are skipped.
    unknown : {"error", "mask", "X", "keep"}, default="error"
        The embedder's policy on ambiguous residues.
    skip_invalid : bool, default=False
        Leave out bad rows and count them, instead of raising an error.

    Yields
    ------
    task : Task

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ValueError
        If the list or a file is wrong; the message says which and where.

    Warns
    -----
    UserWarning
        For each file of a folder that is no task; of more than ten, the others are counted.
    """
    columns = {"target": target, "sequence": sequence, "mutant": mutant}
    policy = {"unknown": unknown, "skip_invalid": skip_invalid}
    for read in task_readers(path, data=data, **columns, reference=reference, **policy):
        yield read()


def task_readers(
    path: str | os.PathLike,
    *,
    data: str | os.PathLike | None = None,
    target: str | None = None,
    sequence: str | None = None,
    mutant: str | None = None,
    reference: str | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> list[Callable[[], Task]]:
    """Check a list, and return functions that read its tasks; see :func:`read_tasks`."""
    path = Path(path)
    defaults = {"unknown": unknown, "skip_invalid": skip_invalid}
    named = {"target": target, "sequence": sequence, "mutant": mutant, "reference": reference}
    named = {key: value for key, value in named.items() if value is not None}
    if path.suffix != ".toml":
        start = {"wild_type": named.pop("reference")} if reference is not None else {}
        if named:
            return _readers_of_tables(path, named, start, defaults)
        return _readers_of({"format": "scan", "path": path}, {**defaults, **start}, str(path))
    if named:
        raise ValueError(
            f"{str(path)!r} lists tasks, whose entries name columns and wild types of their own; "
            f"leave out {next(iter(named))}={next(iter(named.values()))!r}."
        )
    folder = path.parent if data is None else Path(data)
    with path.open("rb") as file:
        try:
            content = tomllib.loads(file.read().decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8
            raise ValueError(
                f"{str(path)!r} is not a TOML file: {first_line(error)}; fix it."
            ) from error
    entries = content.get("task")
    if not isinstance(entries, list) or set(content) != {"task"}:
        raise ValueError(
            f"{str(path)!r} needs an entry [[task]] for each task, and nothing else; fix it."
        )
    readers = []
    for i, entry in enumerate(entries, start=1):
        where = f"{str(path)!r}, task {i}"
        if not isinstance(entry, dict):
            raise ValueError(f"{where} is not an entry [[task]]; fix it.")
        for key in (*_PATHS, *SETS):
            if key in entry:
                if not isinstance(entry[key], str) or "\0" in entry[key]:
                    raise ValueError(f"{where}: {key}={entry[key]!r} is not a path; fix it.")
                entry[key] = folder / entry[key]
        readers += _readers_of(entry, defaults, where)
    return readers


def _readers_of_tables(path, named, start, defaults):
    """Return functions that read tables by names of columns that the user gives."""
    files, skipped = table_files(path)
    readers = []
    for name, file in files.items():
        found = table_columns(file, named.values())
        mutant, sequence, target = COLUMNS
        is_scan = "mutant" in named or mutant in found
        columns = {
            "sequence": sequence if sequence in found else "sequence",
            "target": target if is_scan else "target",
            **({"mutant": mutant} if is_scan else {}),
            **named,
        }
        missing = [column for column in columns.values() if column not in found]
        if missing and path.is_dir():  # of one file, reading says what is missing
            skipped[file.name] = f"it has no column {missing[0]!r}"
            continue
        read, more = (read_scan, start) if is_scan else (read_table, {})
        readers.append(partial(read, file, name=name, **columns, **more, **defaults))
    if not readers:
        raise ValueError(
            f"{str(path)!r} has no table with the columns {', '.join(named.values())} that are "
            "asked for; check the folder."
        )
    warn_of_skipped(dict(sorted(skipped.items())))
    return readers


def _readers_of(entry, defaults, where):
    """Check an entry of a list, and bind its settings to the function that reads it."""
    chosen = entry.pop("format", None)
    if not isinstance(chosen, str) or chosen not in _READERS:
        raise ValueError(
            f"{where}: format={chosen!r} is not known; give one of {', '.join(_READERS)}."
        )
    reader = _READERS[chosen]
    reference = entry.pop("reference", None) if chosen == "scan" else None
    sets = {name: entry.pop(name) for name in SETS if name in entry}
    if sets and "path" in entry:
        raise ValueError(
            f"{where}: path and {next(iter(sets))} both name files of rows; leave one out."
        )
    files = [*sets.values(), *(entry[key] for key in _PATHS if key in entry), reference]
    if sets:
        entry["path"] = sets
    _check_settings(entry, chosen, where)
    for file in files:
        if file is not None and not os.path.exists(file):
            raise FileNotFoundError(f"{where}: there is no {str(file)!r}; check the path.")
    settings = {**defaults, **entry}
    if "wild_type" in entry:
        settings["wild_type"] = only_sequence(entry["wild_type"])
    if chosen != "scan":
        return [partial(reader, **settings)]
    columns = dict(zip(("mutant", "sequence", "target"), COLUMNS, strict=True))
    columns = {key: settings.get(key, column) for key, column in columns.items()}
    scans = scan_files(settings.pop("path"), reference, [*columns.values()])
    only = settings.pop("name", None)
    if only is not None:
        if len(scans) > 1:
            raise ValueError(
                f"{where}: one name for {len(scans)} scans; leave it out, or list them one by one."
            )
        scans = {only: next(iter(scans.values()))}
    return [partial(reader, file, name=name, **settings) for name, file in scans.items()]


def _check_settings(entry, chosen, where):
    """Check the names, types and choices of the settings of an entry."""
    parameters = inspect.signature(_READERS[chosen]).parameters
    for key, value in entry.items():
        if key not in parameters:
            raise ValueError(
                f"{where}: {chosen!r} has no setting {key!r}; choose from {', '.join(parameters)}."
            )
        kind, what = _TYPES.get(key, (str, "a string"))
        fits = type(value) is kind
        if fits and kind is list:
            fits = all(isinstance(each, str) for each in value)
        if key not in _PATHS and not fits:
            raise ValueError(f"{where}: {key}={value!r} is not {what}; fix it.")
        choices = _CHOICES.get(key)
        if choices and value not in choices:
            raise ValueError(
                f"{where}: {key}={value!r} is not known; give one of {', '.join(choices)}."
            )
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in entry:
            raise ValueError(f"{where}: {chosen!r} needs {key!r}; add it.")
