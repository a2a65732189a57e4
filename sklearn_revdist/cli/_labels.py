"""Labels of the records of a database: from a table of names, its own columns or its headers."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..sequences._fasta import header_values, identifier
from ..sequences._table_rows import read_columns, table_columns
from ..tasks._targets import MISSING, as_numbers

# Of UniProt: the accession in the first word of a header.
_ACCESSION = re.compile(r"(?:sp|tr)\|([^|\s]+)\|")
# Numbers with more distinct values than this, and than half of them, were measured.
_MOST_NUMBERS = 20


class Labels(NamedTuple):
    """Labels of records.

    Attributes
    ----------
    labels : ndarray of shape (n_records,), object
        Text; empty where there is none.
    groups : ndarray of shape (n_records,), int64, or None
        A record without a group is one by itself.
    n_unknown : int, default=0
        Number of names in the table that no record has.
    """

    labels: NDArray
    groups: NDArray[np.int64] | None
    n_unknown: int = 0

    @classmethod
    def of(cls, cells: Sequence[tuple[str, ...]], n_unknown: int = 0) -> "Labels":
        """Take the label, and the group if there is one, of each record."""
        labels, *groups = (np.array(column, dtype=object) for column in zip(*cells, strict=True))
        return cls(labels, _numbered(groups[0]) if groups else None, n_unknown)


# What finds the labels of records by their names, once these are known.
Find = Callable[[Sequence[str]], Labels]


def labels_of_table(
    path: Path, name_column: str | None, label_column: str, group_column: str | None
) -> Find:
    """Read labels from a table with names.

    A record has the label of its whole name, its first word, or UniProt's accession in that.

    Parameters
    ----------
    path : Path
    name_column : str or None
        None is "name" or, if there is none, the first column.
    label_column : str
    group_column : str or None

    Returns
    -------
    find : callable
        Raises ValueError if no record has a label.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is not a table or has no such column, a name has two labels or
        groups, or labels are numbers that were measured.
    """
    if name_column is None:
        columns = table_columns(path, [label_column])
        name_column = "name" if "name" in columns else (columns or ["name"])[0]
    needed = {
        name_column: "name the one that holds names (--label-name-column)",
        **_needed(label_column, group_column),
    }
    if len(needed) < 2 + (group_column is not None):
        raise ValueError(
            f"The columns of names, labels and groups of {str(path)!r} are not different ones; "
            "name others (--label-name-column, --label-column, --group-column)."
        )
    known = _by_name(read_columns(path, needed))
    where = f"The column {label_column!r} of {str(path)!r}"
    _check_classes((label for label, *_ in known.values()), where)

    def find(names: Sequence[str]) -> Labels:
        keys = [next((key for key in _keys(name) if key in known), None) for name in names]
        found = set(keys) - {None}
        if not found:
            raise ValueError(
                f"None of the names of {str(path)!r}, such as {next(iter(known))!r}, is one of the "
                f"database, such as {names[0]!r}; name their column (--label-name-column)."
            )
        none = ("",) * (len(needed) - 1)
        cells = [none if key is None else known[key] for key in keys]
        return Labels.of(cells, len(known) - len(found))

    return find


def labels_of_columns(path: Path, label_column: str, group_column: str | None) -> Find:
    """Read labels from columns of the database itself.

    Parameters, what is returned and errors are those of :func:`labels_of_table`.
    """
    rows = read_columns(path, _needed(label_column, group_column))
    cells = [("" if label in MISSING else label, *group) for _, (label, *group) in rows]
    where = f"The column {label_column!r} of {str(path)!r}"
    _check_classes((label for label, *_ in cells if label), where)

    def find(names: Sequence[str]) -> Labels:
        if len(names) != len(cells):
            raise ValueError(
                f"{str(path)!r} has {len(names)} sequences, but {len(cells)} rows of text; give a "
                "table of names and labels (--labels)."
            )
        return Labels.of(cells)

    return find


def labels_of_headers(key: str) -> Find:
    """Read labels from names in which a key is before them, as ``OS=`` and ``GN=`` in UniProt's.

    Parameters
    ----------
    key : str
        With or without ``=``.

    Returns
    -------
    find : callable
        Raises ValueError if a name has several values, or none has any.
    """
    key = key.rstrip("= ")

    def find(names: Sequence[str]) -> Labels:
        values = [header_values(name, key) for name in names]
        for name, found in zip(names, values, strict=True):
            if len(found) > 1:
                raise ValueError(
                    f"The record {name!r} has {len(found)} values of {key!r}; give a table of "
                    "names and labels (--labels)."
                )
        cells = [("" if found[0] in MISSING else found[0],) if found else ("",) for found in values]
        if not any(label for (label,) in cells):
            raise ValueError(
                f"No record of the database has a {key!r} in its header, such as {names[0]!r}; "
                "give another key (--label-from-header), or a table of labels (--labels)."
            )
        _check_classes((label for (label,) in cells if label), f"The key {key!r}")
        return Labels.of(cells)

    return find


def _needed(label_column: str, group_column: str | None) -> dict[str, str]:
    needed = {label_column: "name the one that holds labels (--label-column)"}
    if group_column is not None:
        needed[group_column] = "name the one that holds groups (--group-column)"
    return needed


def _by_name(rows: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Label, and maybe group, of each name that has a label."""
    known: dict[str, tuple[str, ...]] = {}
    places: dict[str, str] = {}
    for place, (name, *cells) in rows:
        if not name or cells[0] in MISSING:
            continue
        first = known.setdefault(name, tuple(cells))
        for what, given, earlier in zip(("label", "group"), cells, first, strict=False):
            if given != earlier:
                raise ValueError(
                    f"{place}: {name!r} has the {what} {given!r}, but {earlier!r} in "
                    f"{places[name]}; keep one of them."
                )
        places.setdefault(name, place)
    return known


def _keys(name: str) -> tuple[str, ...]:
    """What a record may be called in a table of labels."""
    word = identifier(name)
    return (name, word, *_ACCESSION.findall(word)[:1])


def _numbered(groups: NDArray) -> NDArray[np.int64]:
    """Number groups; each record without one is another."""
    numbers = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    alone = groups == ""
    numbers[alone] = len(groups) + np.arange(alone.sum())
    return numbers


def _check_classes(labels: Iterable[str], where: str) -> None:
    """Refuse a column without labels, or of what was measured."""
    given = list(labels)
    if not given:
        raise ValueError(f"{where} has no label; name another one, or fill it in.")
    numbers, n_distinct = as_numbers(given), len(set(given))
    are_measured = np.isfinite(numbers).all() and (numbers != np.rint(numbers)).any()
    if are_measured and n_distinct > max(_MOST_NUMBERS, len(given) / 2):
        raise ValueError(
            f"{where} holds numbers, {n_distinct} of {len(given)} different, but annotate "
            "transfers classes; train a model on what was measured (revdist train)."
        )
