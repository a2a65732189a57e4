"""Tasks: what a probe predicts, for which proteins or residues, and how rows may be split."""

import re
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..utils._compat import Interval, validate_params
from ..utils._fingerprint import fingerprint
from ..utils._joined_groups import joined_groups

SETS = ("train", "validation", "test")
# Columns that a task may have, and types of those that are not whole numbers.
_COLUMNS = ("residue", "split", "position", "n_mutations", "cluster")
_TYPES = {"split": ("OUT", "strings"), "cluster": ("OUTiu", "strings or whole numbers")}
# Metrics of a retrieval.
RETRIEVAL_METRICS = re.compile("recall@[1-9][0-9]{0,8}|map")


@dataclass(frozen=True, eq=False)
class Task:
    """Targets of proteins, or of residues of proteins, to be predicted or retrieved.

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
        "train", "validation" or "test", if the dataset defines a split.
    position : ndarray of shape (n_rows,), int64, default=None
        Position of the substitution, from 1, if every row has exactly one.
    n_mutations : ndarray of shape (n_rows,), int64, default=None
        Number of substitutions, if rows are variants of one protein.
    excluded : dict of str to int
        Rows that were left out, by reason.
    wild_type : str, default=None
        The protein that rows are variants of, with which :class:`ESMEmbedder` compares them if its
        `pooling` does and it has no `reference`.
    retrieval : str, default=None
        Makes the task a retrieval, scored by "recall@1", "recall@5" or another number, or "map"
        (:func:`recall_at_k`, :func:`mean_average_precision`): test rows are queries, and the others
        the database in which rows with the label of a query should be nearest. Without a split,
        each row is a query of all others. None is a target to be predicted.
    cluster : ndarray of shape (n_rows,) of str or int, default=None
        Cluster of each row, such as that of similar sequences. Rows of a cluster, like those of a
        sequence, are in one random fold, and are never found for each other.
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
    wild_type: str | None = None
    retrieval: str | None = None
    cluster: NDArray | None = None

    def __post_init__(self):
        """Check the types, shapes and values."""
        listed = isinstance(self.sequences, list | tuple | np.ndarray)
        are_strings = listed and all(isinstance(sequence, str) for sequence in self.sequences)
        is_vector = isinstance(self.target, np.ndarray) and self.target.ndim == 1
        for name, fits, what in (
            ("name", isinstance(self.name, str), "a string"),
            ("sequences", are_strings, "a list of nothing but strings"),
            ("target", is_vector, "an array of one dimension"),
            ("excluded", isinstance(self.excluded, dict), "a dict"),
            ("wild_type", isinstance(self.wild_type, str | None), "a string or None"),
            ("retrieval", isinstance(self.retrieval, str | None), "a string or None"),
        ):
            if not fits:
                given = _describe(getattr(self, name))
                raise TypeError(f"{name} must be {what}, but it is {given}.")
        for column in ("protein", *_COLUMNS):
            values = getattr(self, column)
            if values is None and column != "protein":
                continue
            kinds, what = _TYPES.get(column, ("iu", "whole numbers"))
            fits = isinstance(values, np.ndarray) and values.shape == self.target.shape
            if not fits or values.dtype.kind not in kinds:
                raise TypeError(
                    f"{column} must be an array of {len(self.target)} {what}, one for each target, "
                    f"but it is {_describe(values)}."
                )
        lengths = np.array([len(sequence) for sequence in self.sequences])
        _check_indices(self.protein, len(lengths), "protein", "of a protein")
        if self.residue is not None:
            _check_indices(self.residue, lengths[self.protein], "residue", "of a residue")
        other = set() if self.split is None else {*self.split.tolist()} - set(SETS)
        if other:
            raise ValueError(f"split has {other.pop()!r}; give one of {', '.join(SETS)}.")
        if self.retrieval is not None:
            if not RETRIEVAL_METRICS.fullmatch(self.retrieval):
                raise ValueError(
                    f"retrieval={self.retrieval!r} is not a metric; give 'recall@1' or another "
                    "number, or 'map'."
                )
            if self.target.dtype.kind == "f":
                raise ValueError(
                    f"The target of {self.name!r} has numbers, but retrieval needs labels; give an "
                    "array of strings."
                )

    @property
    def kind(self) -> str:
        """One of "regression", "classification" and "retrieval"."""
        if self.retrieval is not None:
            return "retrieval"
        return "regression" if self.target.dtype.kind == "f" else "classification"

    @property
    def metric(self) -> str:
        """That of a retrieval; else the paper's: "spearman" of numbers, macro "aupr" of classes."""
        if self.retrieval is not None:
            return self.retrieval
        return "spearman" if self.kind == "regression" else "aupr"

    @property
    def rows(self) -> str:
        """What rows are: "variants", "proteins" or "residues"."""
        if self.residue is not None:
            return "residues"
        return "proteins" if self.n_mutations is None else "variants"

    def groups(self) -> NDArray[np.int64]:
        """Group the rows that must stay together: those of a sequence, and those of a cluster.

        Returns
        -------
        groups : ndarray of shape (n_rows,), int64
            Equal for rows with equal sequences or clusters, and for those that others link.
        """
        _, group = np.unique(np.array(self.sequences, dtype=object), return_inverse=True)
        group = group[self.protein]
        if self.cluster is None:
            return group
        _, cluster = np.unique(self.cluster, return_inverse=True)
        return joined_groups(group, cluster)

    def take(self, rows: ArrayLike) -> Self:
        """Select some rows, with only their proteins.

        Parameters
        ----------
        rows : array-like of int or bool
            Indices or a mask.

        Returns
        -------
        task : Task
            A new one.
        """
        rows = np.asarray(rows)
        kept, protein = np.unique(self.protein[rows], return_inverse=True)
        columns = {name: getattr(self, name) for name in ("target", *_COLUMNS)}
        taken = {name: values[rows] for name, values in columns.items() if values is not None}
        sequences = [self.sequences[i] for i in kept]
        return replace(self, sequences=sequences, protein=protein, **taken)

    def leave_out(self, kept: NDArray[np.bool_], reason: str) -> Self:
        """Leave out some rows, and count them.

        Parameters
        ----------
        kept : ndarray of shape (n_rows,), bool
            Rows to keep.
        reason : str
            Why the others are left out; the key of their count in `excluded`.

        Returns
        -------
        task : Task
            The same object if all rows are kept.
        """
        n_left_out = int((~kept).sum())
        if not n_left_out:
            return self
        excluded = {**self.excluded, reason: self.excluded.get(reason, 0) + n_left_out}
        return replace(self.take(np.flatnonzero(kept)), excluded=excluded)

    @validate_params({"n_train": [Interval(Integral, 1, None, closed="left")]})
    def sample_proteins(self, n_train: int) -> Self:
        """Draw at most `n_train` proteins to learn from, with a fixed seed; test rows are kept.

        Parameters
        ----------
        n_train : int
            Number of proteins that are not for testing.

        Returns
        -------
        task : Task
            The same object if it has no more.
        """
        learns = np.ones(len(self.target), bool) if self.split is None else self.split != "test"
        proteins = np.unique(self.protein[learns])
        if len(proteins) <= n_train:
            return self
        drawn = np.random.default_rng(0).choice(proteins, n_train, replace=False)
        kept = ~learns | np.isin(self.protein, drawn)
        return self.leave_out(kept, f"beyond {n_train} proteins to learn from")

    @validate_params({"n_classes": [Interval(Integral, 1, None, closed="left")]})
    def ranked(self, n_classes: int) -> Self:
        """Replace numbers by ranked classes of equal size, "1" for the smallest numbers.

        Parameters
        ----------
        n_classes : int
            Number of classes.

        Returns
        -------
        task : Task
            A classification.
        """
        if self.kind != "regression":
            raise ValueError(f"{self.name!r} has classes, which have no ranks; give numbers.")
        ranks = self.target.argsort(kind="stable").argsort(kind="stable")
        classes = ranks * n_classes // len(ranks) + 1
        return replace(self, target=classes.astype(str).astype(object))

    def fingerprint(self) -> str:
        """Compute a digest that changes whenever the name or a score of the task could.

        It covers everything but `excluded`, on which no score depends.

        Returns
        -------
        fingerprint : str
            64 hexadecimal digits.
        """
        # The types of strings and indices depend on who made the task, so they are unified.
        target = self.target if self.kind == "regression" else self.target.tolist()
        split = None if self.split is None else self.split.tolist()
        indices = (self.protein, self.residue, self.position, self.n_mutations)
        columns = [None if values is None else values.astype(np.int64) for values in indices]
        sequences = [*map(str, self.sequences), self.wild_type]
        # Only where there is something, so that scores of other tasks are still found.
        cluster = None if self.cluster is None else self.groups()
        more = [value for value in (self.retrieval, cluster) if value is not None]
        return fingerprint(self.name, sequences, target, split, columns, *more)


def _describe(value):
    """Describe a value that should be something else."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    return f"of type {type(value).__name__}"


def _check_indices(values, bounds, column, what):
    wrong = np.flatnonzero((values < 0) | (values >= bounds))
    if wrong.size:
        raise ValueError(
            f"{column}[{wrong[0]}]={values[wrong[0]]} is not the index {what}; count from 0."
        )
