"""Splits: which rows a probe learns from and is tested on, and whether a score then exists."""

import numpy as np
from numpy.typing import NDArray

from ..probes._folds import ContiguousKFold, ModuloKFold
from ..tasks._task import Task

SPLITS = ("given", "random", "contiguous", "modulo")
_BY_POSITION = {"contiguous": ContiguousKFold, "modulo": ModuloKFold}

Folds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


def available_splits(task: Task, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The splits that a task is scored on.

    Parameters
    ----------
    task : Task
    wanted : tuple of {"random", "contiguous", "modulo"}
        Splits for tasks that come with none of their own.

    Returns
    -------
    splits : tuple of str
        ``("given",)`` where the task has a split of its own; else the wanted ones, those by
        position only where every row is a single substitution.
    """
    if task.split is not None:
        return ("given",)
    return tuple(split for split in wanted if split == "random" or task.position is not None)


def make_folds(task: Task, split: str, n_folds: int, seed: int = 0) -> Folds:
    """Training and test rows of every fold.

    Parameters
    ----------
    task : Task
    split : {"given", "random", "contiguous", "modulo"}
        "given" is the task's own: the probe learns from training and validation rows.
        "random" shuffles groups of rows, one group a sequence, and spreads classes evenly.
        "contiguous" and "modulo" keep positions whole: see :class:`ContiguousKFold` and
        :class:`ModuloKFold`.
    n_folds : int
        Number of folds, unless given.
    seed : int, default=0
        Of the shuffling.

    Returns
    -------
    folds : list of (train, test)
        Increasing indices of rows.

    Raises
    ------
    ValueError
        If there are fewer groups or positions than folds, or no rows on one side.
    """
    if split == "given":
        test = task.split == "test"
        if not test.any() or test.all():
            side = "test" if not test.any() else "training"
            raise ValueError(
                f"{task.name!r} has no {side} rows in its given split; fix the set, or leave "
                "the split out."
            )
        return [(np.flatnonzero(~test), np.flatnonzero(test))]
    if split == "random":
        classes = task.target if task.kind == "classification" else None
        fold = random_fold(task.groups(), n_folds, classes, seed)
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
    """Folds of all splits that a task is scored on, after checking that it can be.

    Parameters
    ----------
    task : Task
    splits : tuple of {"random", "contiguous", "modulo"}
        See :func:`available_splits`.
    n_folds : int
        Number of folds, unless given.

    Returns
    -------
    folds : dict of str to Folds
        By split.

    Raises
    ------
    ValueError
        If the task has too few rows or sequences, a target that is not finite, a test fold of
        equal targets, or one with a class that its training fold has not.
    """
    if task.kind == "regression" and not np.isfinite(task.target).all():
        row = np.flatnonzero(~np.isfinite(task.target))[0]
        raise ValueError(
            f"Target {row} (counting from 0) of {task.name!r} is {task.target[row]}; drop the row."
        )
    groups = task.groups()
    checked = {}
    for split in available_splits(task, splits):
        folds = checked[split] = make_folds(task, split, n_folds)
        where = f" of {task.name!r} ({split} split)"
        check_groups_differ(groups, folds, where)
        check_targets_differ(task.target, folds, where)
        if task.kind == "classification":
            check_classes_learnt(task.target, folds, where)
    return checked


def check_groups_differ(groups: NDArray, folds: Folds, where: str = "") -> None:
    """Refuse training folds of one group, in which a probe has no folds of its own."""
    for i, (train, _) in enumerate(folds):
        if (groups[train] == groups[train][0]).all():
            raise ValueError(
                f"All {len(train)} rows of training fold {i}{where} are of one sequence, so that "
                "no penalty can be chosen on others; use another split, or rows of more sequences."
            )


def check_targets_differ(y: NDArray, folds: Folds, where: str = "") -> None:
    """Refuse test folds in which there is nothing to rank."""
    for i, (_, test) in enumerate(folds):
        if (y[test] == y[test][0]).all():
            raise ValueError(
                f"All {len(test)} targets of test fold {i}{where} are equal, so that a score does "
                "not exist; use fewer folds or another split."
            )


def check_classes_learnt(y: NDArray, folds: Folds, where: str = "") -> None:
    """Refuse test folds with a class that the training fold has not."""
    for i, (train, test) in enumerate(folds):
        if unknown := sorted(set(y[test].tolist()) - set(y[train].tolist()), key=str):
            raise ValueError(
                f"Class {unknown[0]!r} is in test fold {i}{where} but not in its training fold, so "
                "that it cannot be learnt; use another number of folds, or leave the class out."
            )


def _too_few(task, split, n_folds):
    return (
        f"{task.name!r} has too few positions or proteins for {n_folds} folds ({split} split); ask "
        "for fewer folds."
    )


def random_fold(
    groups: NDArray, n_folds: int, classes: NDArray | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """Number of the fold of each row; shuffled, groups whole, classes spread evenly.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
        Rows of one group share a fold.
    n_folds : int
    classes : ndarray of shape (n_rows,), default=None
        Classes to spread; a group goes by the class of its first row.
    seed : int, default=0

    Returns
    -------
    fold : ndarray of shape (n_rows,), int64
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first))
    if classes is not None:
        _, labels = np.unique(classes[first].astype(str), return_inverse=True)
        order = order[labels[order].argsort(kind="stable")]
    # Dealt like cards, so that sizes, and the counts of each class, differ by one at most.
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % n_folds
    return fold[group]
