"""Tasks: what a probe is to predict, of which proteins or residues, and how folds may be made."""

from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, validate_params

from ..utils._fingerprint import fingerprint

_SPLIT = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Task:
    """Targets of proteins, or of residues of proteins.

    Parameters
    ----------
    name : str
        Name of the task in every table.
    sequences : list of str
        The proteins.
    target : ndarray of shape (n_rows,)
        What to predict: float64 for a regression, strings for a classification.
    protein : ndarray of shape (n_rows,), int64
        Index of each row's protein.
    residue : ndarray of shape (n_rows,), int64, default=None
        Index of each row's residue in its protein, from 0; None where rows are proteins.
    split : ndarray of shape (n_rows,) of str, default=None
        "train", "validation" or "test", where the set says so.
    position : ndarray of shape (n_rows,), int64, default=None
        Position of the substitution, from 1, where every row has exactly one.
    n_mutations : ndarray of shape (n_rows,), int64, default=None
        Number of substitutions, where rows are variants of one protein.
    excluded : dict of str to int
        Rows that were left out, by reason.
    """

    name: str
    sequences: list[str]
    target: NDArray
    protein: NDArray[np.int64]
    residue: NDArray[np.int64] | None = None
    split: NDArray[np.str_] | None = None
    position: NDArray[np.int64] | None = None
    n_mutations: NDArray[np.int64] | None = None
    excluded: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        """Refuse what is no task, by the name of what is wrong."""
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a text, but it is {_told(self.name)}.")
        listed = isinstance(self.sequences, list | tuple | np.ndarray)
        if not listed or not all(isinstance(sequence, str) for sequence in self.sequences):
            raise TypeError(
                "sequences must be a list of texts, but it is "
                f"{'one of other things' if listed else _told(self.sequences)}."
            )
        if not isinstance(self.target, np.ndarray) or self.target.ndim != 1:
            raise TypeError(
                f"target must be an array of one dimension, but it is {_told(self.target)}."
            )
        for column in ("protein", "residue", "split", "position", "n_mutations"):
            values = getattr(self, column)
            if values is None and column != "protein":
                continue
            kinds, what = ("OUT", "texts") if column == "split" else ("iu", "whole numbers")
            fits = isinstance(values, np.ndarray) and values.shape == self.target.shape
            if not fits or values.dtype.kind not in kinds:
                raise TypeError(
                    f"{column} must be an array of {len(self.target)} {what}, one for each target, "
                    f"but it is {_told(values)}."
                )
        lengths = np.array([len(sequence) for sequence in self.sequences])
        _check_indices(self.protein, len(lengths), "protein", "of a protein")
        if self.residue is not None:
            _check_indices(self.residue, lengths[self.protein], "residue", "of a residue")
        other = set() if self.split is None else {*self.split.tolist()} - set(_SPLIT)
        if other:
            raise ValueError(f"split has {other.pop()!r}; give one of {', '.join(_SPLIT)}.")
        if not isinstance(self.excluded, dict):
            raise TypeError(f"excluded must be a dict, but it is {_told(self.excluded)}.")

    @property
    def kind(self) -> str:
        """Whether it is a "regression" or a "classification"."""
        return "regression" if self.target.dtype.kind == "f" else "classification"

    @property
    def metric(self) -> str:
        """The paper's metric for it: "spearman", or "aupr", macro where there are classes."""
        return "spearman" if self.kind == "regression" else "aupr"

    @property
    def rows(self) -> str:
        """What a row is: one of "variants", "proteins" or "residues"."""
        if self.residue is not None:
            return "residues"
        return "proteins" if self.n_mutations is None else "variants"

    def groups(self) -> NDArray[np.int64]:
        """Rows that must stay together: those of one sequence, under whatever name.

        Returns
        -------
        groups : ndarray of shape (n_rows,), int64
            Equal for rows of equal sequences.
        """
        _, group = np.unique(np.array(self.sequences, dtype=object), return_inverse=True)
        return group[self.protein]

    def take(self, rows: ArrayLike) -> Self:
        """The same task with some of its rows, and only their proteins.

        Parameters
        ----------
        rows : array-like of int or bool
            Which rows, by index or by mask.

        Returns
        -------
        task : Task
            A new one.
        """
        rows = np.asarray(rows)
        kept, protein = np.unique(self.protein[rows], return_inverse=True)
        columns = {
            name: values if values is None else values[rows]
            for name in ("target", "residue", "split", "position", "n_mutations")
            for values in [getattr(self, name)]
        }
        sequences = [self.sequences[i] for i in kept]
        return replace(self, sequences=sequences, protein=protein, **columns)

    def leave_out(self, kept: NDArray[np.bool_], reason: str) -> Self:
        """The task without some rows, which are counted.

        Parameters
        ----------
        kept : ndarray of shape (n_rows,), bool
            Which rows stay.
        reason : str
            Why the others do not; `excluded` counts them by it.

        Returns
        -------
        task : Task
            This one, if all rows stay.
        """
        n_left_out = int((~kept).sum())
        if not n_left_out:
            return self
        excluded = {**self.excluded, reason: self.excluded.get(reason, 0) + n_left_out}
        return replace(self.take(np.flatnonzero(kept)), excluded=excluded)

    @validate_params(
        {
            "n_train": [Interval(Integral, 1, None, closed="left")],
            "seed": [Interval(Integral, 0, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def sample_proteins(self, n_train: int, seed: int = 0) -> Self:
        """The task with at most `n_train` proteins to learn from, drawn at random; tests stay.

        Parameters
        ----------
        n_train : int
            Number of proteins that are not tests.
        seed : int, default=0
            Seed of the draw.

        Returns
        -------
        task : Task
            This one, if it has no more.
        """
        learns = np.ones(len(self.target), bool) if self.split is None else self.split != "test"
        proteins = np.unique(self.protein[learns])
        if len(proteins) <= n_train:
            return self
        drawn = np.random.default_rng(seed).choice(proteins, n_train, replace=False)
        kept = ~learns | np.isin(self.protein, drawn)
        return self.leave_out(kept, f"beyond {n_train} proteins to learn from")

    @validate_params(
        {"n_classes": [Interval(Integral, 1, None, closed="left")]},
        prefer_skip_nested_validation=True,
    )
    def ranked(self, n_classes: int) -> Self:
        """The task with classes of equal size in place of numbers, "1" the smallest.

        Parameters
        ----------
        n_classes : int
            Number of classes.

        Returns
        -------
        task : Task
            A classification.
        """
        if self.kind == "classification":
            raise ValueError(f"{self.name!r} has classes, which have no ranks; give numbers.")
        ranks = self.target.argsort(kind="stable").argsort(kind="stable")
        classes = ranks * n_classes // len(ranks) + 1
        return replace(self, target=classes.astype(str).astype(object))

    def fingerprint(self) -> str:
        """Text that changes whenever a score of the task would, or its name.

        It covers all but `excluded`, of which no score is a part.

        Returns
        -------
        fingerprint : str
            64 hexadecimal digits.
        """
        # Of texts and of indices the type is that of whoever read them; the values are the same.
        target = self.target if self.kind == "regression" else self.target.tolist()
        split = None if self.split is None else self.split.tolist()
        indices = (self.protein, self.residue, self.position, self.n_mutations)
        columns = [None if values is None else values.astype(np.int64) for values in indices]
        return fingerprint(self.name, list(map(str, self.sequences)), target, split, columns)


def _told(value):
    """What something is that should be something else."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    return f"of type {type(value).__name__}"


def _check_indices(values, bounds, column, what):
    wrong = np.flatnonzero((values < 0) | (values >= bounds))
    if wrong.size:
        raise ValueError(
            f"{column}[{wrong[0]}]={values[wrong[0]]} is no index {what}; count from 0."
        )
