"""Splits: training and test rows of a task, checked so that every fold has a score."""

import numpy as np
from numpy.typing import NDArray

from ..probes._folds import ContiguousKFold, ModuloKFold
from ..tasks._task import Task
from ._retrieval import count_relevant

SPLITS = ("given", "random", "contiguous", "modulo")
# Of retrievals without a split of their own: each row is a query of all others.
LEAVE_ONE_OUT = "leave-one-out"
_BY_POSITION = {"contiguous": ContiguousKFold, "modulo": ModuloKFold}

Folds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


def make_folds(task: Task, split: str, n_folds: int) -> Folds:
    """Return the training and test rows of every fold.

    Parameters
    ----------
    task : Task
    split : {"given", "random", "contiguous", "modulo"}
        "given" is the task's own split, with validation rows as training rows. "random" shuffles
        groups of rows, one group per sequence, and spreads classes evenly. "contiguous" and
        "modulo" are :class:`ContiguousKFold` and :class:`ModuloKFold`.
    n_folds : int
        Number of folds, except for "given", which has one.

    Returns
    -------
    folds : list of (train, test)
        Increasing indices of rows.

    Raises
    ------
    ValueError
        If there are fewer groups or positions than folds, or no training or no test rows.
    """
    if split == "given":
        test = task.split == "test"
        if not test.any() or test.all():
            side = "test" if not test.any() else "training"
            raise ValueError(
                f"{task.name!r} has no {side} rows in its own split; fix the split or leave it out."
            )
        return [(np.flatnonzero(~test), np.flatnonzero(test))]
    if split == "random":
        classes = task.target if task.kind == "classification" else None
        fold = random_fold(task.groups(), n_folds, classes)
    else:
        try:
            return list(_BY_POSITION[split](n_folds).split(task.position, groups=task.position))
        except ValueError as error:
            raise ValueError(_too_few(task, split, n_folds)) from error
    numbers = np.unique(fold)
    if len(numbers) < n_folds:
        raise ValueError(_too_few(task, split, n_folds))
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in numbers]


def checked_folds(task: Task, splits: tuple[str, ...], n_folds: int) -> dict[str, Folds]:
    """Return the folds of all splits that a task is scored on, after checking them.

    Parameters
    ----------
    task : Task
    splits : tuple of {"random", "contiguous", "modulo"}
        Splits for predictions without a split of their own; those by position are skipped unless
        every row is a single substitution.
    n_folds : int
        Number of folds, except for the task's own split.

    Returns
    -------
    folds : dict of str to Folds
        Folds by split; ``"given"`` for a split of the task's own. Retrievals without one have
        ``"leave-one-out"``, whose only fold has all rows on both sides.

    Raises
    ------
    ValueError
        If the task has a target that is not finite or too few sequences or positions, or a fold
        cannot be scored (see :func:`check_folds`); or if no query of a retrieval has its label in
        the database.
    """
    if task.kind == "retrieval":
        return _retrieval_folds(task)
    if task.kind == "regression" and not np.isfinite(task.target).all():
        row = np.flatnonzero(~np.isfinite(task.target))[0]
        raise ValueError(
            f"Target {row} (counting from 0) of {task.name!r} is {task.target[row]}; drop the row."
        )
    groups, classes = task.groups(), task.kind == "classification"
    checked = {}
    for split in splits if task.split is None else ("given",):
        if split in _BY_POSITION and task.position is None:
            continue
        folds = checked[split] = make_folds(task, split, n_folds)
        where = f" of {task.name!r} ({split} split)"
        check_folds(folds, task.target, groups, classes=classes, where=where)
    return checked


def _retrieval_folds(task: Task) -> dict[str, Folds]:
    """Return the database and the queries of a retrieval."""
    every = np.arange(len(task.target))
    split = LEAVE_ONE_OUT if task.split is None else "given"
    folds = [(every, every)] if task.split is None else make_folds(task, split, 1)
    ((known, asked),) = folds
    if not count_relevant(task.target, task.groups(), known, asked).any():
        raise ValueError(
            f"No query of {task.name!r} ({split} split) has its label among the rows of other "
            "sequences and clusters that it may find; check the labels, or the split."
        )
    return {split: folds}


def check_folds(
    folds: Folds,
    y: NDArray,
    groups: NDArray | None = None,
    *,
    classes: bool = False,
    where: str = "",
) -> None:
    """Refuse folds that a probe cannot be scored on.

    Parameters
    ----------
    folds : Folds
    y : ndarray of shape (n_rows,)
        Targets.
    groups : ndarray of shape (n_rows,), default=None
        Group of each row, its sequence.
    classes : bool, default=False
        Whether targets are classes.
    where : str, default=""
        What the folds are of, for errors, as ``" of 'task' (random split)"``.

    Raises
    ------
    ValueError
        If a training fold has rows of one group only, the targets of a test fold are equal, or a
        test fold has a class that its training fold lacks.
    """
    for i, (train, test) in enumerate(folds):
        if groups is not None and (groups[train] == groups[train][0]).all():
            raise ValueError(
                f"All {len(train)} rows of training fold {i}{where} are of one sequence, so that "
                "no penalty can be chosen on others; use another split, or rows of more sequences."
            )
        if (y[test] == y[test][0]).all():
            raise ValueError(
                f"All {len(test)} targets of test fold {i}{where} are equal, so that the score is "
                "undefined; use fewer folds or another split."
            )
        if classes and (unknown := sorted(set(y[test].tolist()) - set(y[train].tolist()), key=str)):
            raise ValueError(
                f"Class {unknown[0]!r} is in test fold {i}{where} but not in its training fold, so "
                "that it cannot be learnt; use another number of folds, or leave the class out."
            )


def _too_few(task, split, n_folds):
    return (
        f"{task.name!r} has too few positions or proteins for {n_folds} folds ({split} split); ask "
        "for fewer folds."
    )


def random_fold(groups: NDArray, n_folds: int, classes: NDArray | None = None) -> NDArray[np.int64]:
    """Assign rows to folds: shuffled, with groups whole and classes spread evenly.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
        Group of each row.
    n_folds : int
        Number of folds.
    classes : ndarray of shape (n_rows,), default=None
        Class of each row; that of a group's first row is the class of the group.

    Returns
    -------
    fold : ndarray of shape (n_rows,), int64
        Index of the fold of each row.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(first))
    if classes is not None:
        _, labels = np.unique(classes[first].astype(str), return_inverse=True)
        order = order[labels[order].argsort(kind="stable")]
    # Dealt like cards, so that sizes of folds and counts of each class differ by at most one.
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % n_folds
    return fold[group]
