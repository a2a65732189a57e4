"""Classes: which labels are one class, and which classes can be learnt and tested."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from ._task import Task
from ._text_rows import Rejects

_WHOLE = re.compile(r"([+-]?)([0-9]+)(?:\.0*)?")
_EXPONENT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?[eE][+-]?[0-9]{1,2}")

# A class by its label: what is wrong with it, and the reason by which its rows count.
_Wrong = dict[str, tuple[str, str]]


def class_name(label: str) -> str:
    """Name of the class that a label means.

    Whole numbers are one class however they are written, as 1, +1, 1.0 and 1.00, and so are
    True and False in any capitals. Of numbers that are not whole nothing is changed: the EC
    classes 1.1 and 1.10 are two. Nor are zeros in front taken off.

    Parameters
    ----------
    label : str
        As a file has it.

    Returns
    -------
    name : str
    """
    label = label.strip()
    if whole := _WHOLE.fullmatch(label):
        sign = "-" if whole[1] == "-" and whole[2].strip("0") else ""
        return sign + whole[2]
    return label.capitalize() if label.casefold() in ("true", "false") else label


def one_spelling(task: Task, places: Sequence[str], rejects: Rejects) -> tuple[Task, Sequence[str]]:
    """Reject rows whose class most rows write otherwise: in other capitals, blanks or zeros.

    Parameters
    ----------
    task : Task
        A classification.
    places : sequence of str
        Where each row is.
    rejects : Rejects

    Returns
    -------
    task : Task
        Without those rows.
    places : sequence of str
        Those of its rows.
    """
    counts = Counter(task.target.tolist())
    alike = defaultdict(list)
    for name, _ in counts.most_common():
        alike[_look(name)].append(name)
    wrong = {}
    for usual, *others in alike.values():
        for name in others:
            at = places[task.target.tolist().index(usual)]
            what = (
                f"class {name!r} is written {usual!r} elsewhere ({at}; if they are two classes, "
                "rename one)"
            )
            wrong[name] = what, "a class written in another way than in most rows"
    return _without(task, places, rejects, wrong)


def finish(task: Task, places: Sequence[str], rejects: Rejects) -> Task:
    """The task with usable classes only, and with the counts of all that was rejected.

    Parameters
    ----------
    task : Task
        Its rows are those of the file that are left.
    places : sequence of str
        Where each row is.
    rejects : Rejects
        Rows of a class are rejected that is written otherwise in most rows, has a single row or
        is in one sequence only, or that only test rows of the task's own split have.

    Returns
    -------
    task : Task
    """
    if task.kind == "classification":
        task, places = one_spelling(task, places, rejects)
        for unusable in (_seen_once, _only_tested):
            task, places = _without(task, places, rejects, unusable(task))
    task.excluded.update(rejects.counts)
    return task


def _look(name):
    """A text that is equal for names that look like one class."""
    if _WHOLE.fullmatch(name):
        sign, digits = _WHOLE.fullmatch(name).groups()
        return sign + (digits.lstrip("0") or "0")
    if _EXPONENT.fullmatch(name) and float(name).is_integer():
        return str(int(float(name)))
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _seen_once(task) -> _Wrong:
    labels = task.target.tolist()
    rows = Counter(labels)
    lone = ("a class seen only once", "is seen only here")
    wrong = {name: lone for name, n in rows.items() if n == 1}
    groups = task.groups().tolist()
    if task.split is None and len(set(groups)) > 1:
        in_groups = Counter(name for name, _ in set(zip(labels, groups, strict=True)))
        alone = ("a class seen in one sequence only", "is seen only in this sequence")
        wrong = {name: alone for name, n in in_groups.items() if n == 1} | wrong
    return {name: (f"class {name!r} {what}", reason) for name, (reason, what) in wrong.items()}


def _only_tested(task) -> _Wrong:
    if task.split is None:
        return {}
    test = task.split == "test"
    reason = "a class that only test rows have"
    return {
        name: (f"class {name!r} is in test rows only, so that it cannot be learnt", reason)
        for name in set(task.target[test].tolist()) - set(task.target[~test].tolist())
    }


def _without(task, places, rejects, wrong: _Wrong):
    """Task and places without the rows of some classes, which are rejected."""
    if not wrong:
        return task, places
    labels = task.target.tolist()
    kept = np.array([label not in wrong for label in labels])
    for row in np.flatnonzero(~kept):
        rejects.add(places[row], *wrong[labels[row]])
    if not kept.any():
        counts = ", ".join(f"{n} with {reason}" for reason, n in rejects.counts.items())
        raise ValueError(
            f"{places[0]}: of this class and all others no row is usable ({counts}); check that "
            "it is the right file and its columns are the ones meant."
        )
    rows = np.flatnonzero(kept)
    return task.take(rows), [places[row] for row in rows]
