"""Task lists: the tasks that a TOML file names, or a folder of scans holds."""

import inspect
import os
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sklearn.utils._param_validation import StrOptions, validate_params

from ..sequences._tokens import RESIDUES
from ..utils._messages import first_line
from ._proteins import read_labelled_fasta, read_table
from ._residue_tables import read_residue_table
from ._residues import read_residue_labels
from ._scans import read_scan, scan_files
from ._sets import SETS
from ._targets import KINDS
from ._task import Task

_READERS: dict[str, Callable[..., Task]] = {
    "scan": read_scan,
    "table": read_table,
    "fasta": read_labelled_fasta,
    "residue-labels": read_residue_labels,
    "residue-table": read_residue_table,
}
# Types of settings that are no text.
_TYPES = {
    **dict.fromkeys(
        ("first_position", "max_per_count", "max_train_proteins", "n_classes", "seed"), int
    ),
    **dict.fromkeys(("columns", "protein"), list),
    **{"where": dict, "skip_invalid": bool},
}
_PATHS = ("path", "sequences", "labels", "mask", "reference")


@validate_params(
    {
        "path": [str, os.PathLike],
        "data": [str, os.PathLike, None],
        "unknown": [StrOptions(set(RESIDUES))],
        "skip_invalid": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def read_tasks(
    path: str | os.PathLike,
    *,
    data: str | os.PathLike | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> Iterator[Task]:
    """Read tasks, one at a time, from a list or a folder of scans.

    Parameters
    ----------
    path : str or path-like
        A folder of ProteinGym's scans, one such scan, plain or compressed, or a TOML file
        with an entry ``[[task]]`` for each task. Its key `format` says how the task is read:

        "scan"
            ProteinGym's columns; `path` is a file or a folder, `reference` ProteinGym's file of
            names, `first_position` the number of the sequences' first residue (1), and
            `max_per_count` the most variants of each number of substitutions.
        "table"
            proteins in a table of text: `path`, or `train`, `validation` and `test`; `sequence`,
            `target`, `split`, `columns`, `kind`.
        "fasta"
            proteins with targets in the headers: `path`, or files as above; `target`, `kind`.
        "residue-labels"
            `sequences` and `labels`, a letter a residue, both FASTA; `mask`, `ignore`,
            `positive`, `max_train_proteins`.
        "residue-table"
            `path`, a table of residues, and `sequences`, FASTA; `target`, `protein`, `position`,
            `residue`, `first_position`, `where`, `kind`, `n_classes`.

        `name` names a task, and `skip_invalid` and `unknown` may be set for it alone.
    data : str or path-like, default=None
        Folder that paths in a TOML file are relative to; None is the TOML file's own.
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
        If a file is not there.
    ValueError
        If the list or a file is not as it should be; the message says which and where.
    """
    path = Path(path)
    for read in task_readers(path, data=data, unknown=unknown, skip_invalid=skip_invalid):
        yield read()


def task_readers(
    path: str | os.PathLike,
    *,
    data: str | os.PathLike | None = None,
    unknown: str = "error",
    skip_invalid: bool = False,
) -> list[Callable[[], Task]]:
    """Functions that read the tasks, after checking the list alone; see :func:`read_tasks`."""
    path = Path(path)
    defaults = {"unknown": unknown, "skip_invalid": skip_invalid}
    if path.suffix != ".toml":
        return _readers_of({"format": "scan", "path": path}, defaults, str(path))
    folder = path.parent if data is None else Path(data)
    with path.open("rb") as file:
        try:
            content = tomllib.loads(file.read().decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:  # also what is no UTF-8
            raise ValueError(
                f"{str(path)!r} is no TOML file: {first_line(error)}; mend it."
            ) from error
    entries = content.get("task")
    if not isinstance(entries, list) or set(content) != {"task"}:
        raise ValueError(
            f"{str(path)!r} needs an entry [[task]] for each task, and nothing else; mend it."
        )
    readers = []
    for i, entry in enumerate(entries, start=1):
        where = f"{str(path)!r}, task {i}"
        if not isinstance(entry, dict):
            raise ValueError(f"{where} is no entry [[task]]; mend it.")
        for key in (*_PATHS, *SETS):
            if key in entry:
                if not isinstance(entry[key], str) or "\0" in entry[key]:
                    raise ValueError(f"{where}: {key}={entry[key]!r} is no path; mend it.")
                entry[key] = folder / entry[key]
        readers += _readers_of(entry, defaults, where)
    return readers


def _readers_of(entry, defaults, where):
    entry = dict(entry)
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
    if sets:
        entry["path"] = sets
    parameters = inspect.signature(reader).parameters
    unknown = [key for key in entry if key not in parameters]
    if unknown:
        raise ValueError(
            f"{where}: {chosen!r} has no setting {unknown[0]!r}; choose from "
            f"{', '.join(parameters)}."
        )
    for key, value in entry.items():
        kind = _TYPES.get(key, str)
        fits = type(value) is kind
        if fits and kind is list:
            fits = all(isinstance(each, str) for each in value)
        if key not in (*_PATHS, *SETS) and not fits:
            told = {str: "a text", int: "a whole number", list: "a list of texts"}
            raise ValueError(
                f"{where}: {key}={value!r} is not {told.get(kind, f'of type {kind.__name__}')}; "
                "mend it."
            )
    if entry.get("kind") not in (*KINDS, None):
        raise ValueError(
            f"{where}: kind={entry['kind']!r} is not known; give {' or '.join(map(repr, KINDS))}."
        )
    if entry.get("unknown", "error") not in RESIDUES:
        raise ValueError(
            f"{where}: unknown={entry['unknown']!r} is not known; give one of "
            f"{', '.join(RESIDUES)}."
        )
    needed = [
        key
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty and key not in entry
    ]
    if needed:
        raise ValueError(f"{where}: {chosen!r} needs {needed[0]!r}; add it.")
    settings = {**defaults, **entry}
    for key in ("path", *_PATHS[1:]):
        file = settings.get(key)
        for each in file.values() if isinstance(file, dict) else [file]:
            if each is not None and not os.path.exists(each):
                raise FileNotFoundError(f"{where}: there is no {str(each)!r}; check the path.")
    if chosen != "scan":
        return [partial(reader, **settings)]
    files = scan_files(settings.pop("path"), reference)
    only = settings.pop("name", None)
    if only is not None:
        if len(files) > 1:
            raise ValueError(
                f"{where}: one name for {len(files)} scans; leave it out, or list them one by one."
            )
        files = dict.fromkeys([only], *files.values())
    return [partial(reader, file, name=name, **settings) for name, file in files.items()]
