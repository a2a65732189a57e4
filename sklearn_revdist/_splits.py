"""Splits: which rows a probe learns from and which it is tested on."""

import numpy as np
from numpy.typing import NDArray

from ._folds import ContiguousKFold, ModuloKFold
from ._tasks import Task

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
