"""Find out which labels are one class, and which classes can be learnt and tested."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from ._task import Task
from ._text_rows import WRONG_FILE, Rejects

_WHOLE = re.compile(r"([+-]?)([0-9]+)(?:\.0*)?")
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?[eE][+-]?[0-9]{1,2}")

# By class, what is wrong with it, and the reason to count its rows by.
_Wrong = dict[str, tuple[str, str]]


def class_name(label: str) -> str:
    """Name the class that a label stands for.

    Whole numbers such as 1, +1, 1.0 and 1.00 are one class, and so are True and TRUE. Numbers that
    are not whole stay as they are, since the EC classes 1.1 and 1.10 are two, and so do leading
    zeros.

    Parameters
    ----------
    label : str
        As in the file.

    Returns
    -------
    name : str
    """
    label = label.strip()
    if whole := _WHOLE.fullmatch(label):
        sign = "-" if whole[1] == "-" and whole[2].strip("0") else ""
        return sign + whole[2]
    return label.capitalize() if label.casefold() in ("true", "false") else label


def finish(task: Task, places: Sequence[str], rejects: Rejects) -> Task:
    """Reject unusable classes, and add the counts of all rejected rows to the task.

    A class is unusable if most rows spell it in another way and, unless it is only to be retrieved,
    if it has a single row or is in one sequence only, or if the task's own split has it in test
    rows only.

    Parameters
    ----------
    task : Task
        Its rows are the valid ones of the file.
    places : sequence of str
        Where each row is.
    rejects : Rejects

    Returns
    -------
    task : Task
    """
    for unusable in _UNUSABLE[task.kind]:
        wrong, labels = unusable(task, places), task.target.tolist()
        if not wrong:
            continue
        kept = np.array([label not in wrong for label in labels])
        for row in np.flatnonzero(~kept):
            rejects.add(places[row], *wrong[labels[row]])
        if not kept.any():
            raise ValueError(
                f"{places[0]}: of this class and all others no row is usable ({rejects}); "
                f"{WRONG_FILE}."
            )
        rows = np.flatnonzero(kept)
        task, places = task.take(rows), [places[row] for row in rows]
    task.excluded.update(rejects.counts)
    return task


def _normalised(name):
    """Normalise a name, so that names that look like one class are equal."""
    if whole := _WHOLE.fullmatch(name):
        return whole[1] + (whole[2].lstrip("0") or "0")
    if _EXPONENT.fullmatch(name) and float(name).is_integer():
        return str(int(float(name)))
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _written_otherwise(task, places) -> _Wrong:
    """Classes that most rows spell in another way: in other capitals, blanks or zeros."""
    labels = task.target.tolist()
    alike = defaultdict(list)
    for name, _ in Counter(labels).most_common():
        alike[_normalised(name)].append(name)
    reason = "a class written in another way than in most rows"
    wrong = {}
    for usual, *others in alike.values():
        for name in others:
            at = places[labels.index(usual)]
            what = (
                f"class {name!r} is written {usual!r} elsewhere ({at}; if they are two classes, "
                "rename one)"
            )
            wrong[name] = what, reason
    return wrong


def _seen_once(task, _places) -> _Wrong:
    labels, groups = task.target.tolist(), task.groups().tolist()
    n_rows = Counter(labels)
    n_groups = Counter(name for name, _ in set(zip(labels, groups, strict=True)))
    needs_groups = task.split is None and len(set(groups)) > 1
    wrong = {}
    for name in n_rows:
        if n_rows[name] == 1:
            wrong[name] = f"class {name!r} is seen only here", "a class seen only once"
        elif needs_groups and n_groups[name] == 1:
            what = f"class {name!r} is seen only in this sequence"
            wrong[name] = what, "a class seen in one sequence only"
    return wrong


def _only_tested(task, _places) -> _Wrong:
    if task.split is None:
        return {}
    test = task.split == "test"
    reason = "a class that only test rows have"
    return {
        name: (f"class {name!r} is in test rows only, so that it cannot be learnt", reason)
        for name in set(task.target[test].tolist()) - set(task.target[~test].tolist())
    }


_UNUSABLE = {
    "regression": (),
    "classification": (_written_otherwise, _seen_once, _only_tested),
    "retrieval": (_written_otherwise,),
}
