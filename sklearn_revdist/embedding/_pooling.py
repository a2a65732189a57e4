"""Poolings: how the residues of a sequence become one row.

A mean over residues and the row of a special token are weighted sums over tokens, which the device
computes. Any other pooling is a function of the rows of all residues.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..sequences._tokens import MASK, encode_reference
from ..sequences._windows import Piece
from ..utils._fingerprint import fingerprint

POOLINGS = ("mean", "max", "cls", "eos", "sites", "sites_difference")
_OF_SITES = POOLINGS[-2:]


class Sum(NamedTuple):
    """A sum over consecutive tokens of a piece, of which ``<cls>`` is number 0.

    Attributes
    ----------
    start, stop : int
    weight : ndarray of shape (stop - start,), float32, or None
        None is a weight of one for each token.
    """

    start: int
    stop: int
    weight: NDArray[np.float32] | None


@dataclass(frozen=True)
class Pooling:
    """A way of pooling.

    Attributes
    ----------
    name : str
        For the names of columns.
    key : str
        All that pooled rows depend on beside the sequence, for a store.
    """

    name: str
    key: str

    is_mean = False  # over residues, so that a distiller of residues applies
    at: ClassVar[Any] = None  # which residues, where not all count
    less_reference = False


@dataclass(frozen=True)
class Sites:
    """The positions at which a sequence differs from a reference; of the reference itself, all."""

    reference: NDArray[np.uint8]

    def of(self, tokens: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which residues are chosen."""
        differs = tokens != self.reference[: len(tokens)]
        return differs if differs.any() else ~differs

    def check(self, whole: NDArray[np.uint8], short: NDArray[np.uint8], record: int) -> None:
        """Refuse a sequence that cannot be compared."""
        n_residues = len(self.reference)
        if len(whole) != n_residues:
            raise ValueError(
                f"Record {record} (counting from 0) has {len(whole)} residues, but the wild "
                f"type has {n_residues}, so its sites are not known; leave it out, or choose a "
                "pooling that compares nothing."
            )
        differs = whole != self.reference
        if differs.all():
            raise ValueError(
                f"Record {record} (counting from 0) differs from the wild type at every "
                "position; it is not a variant of it, so give its own wild type (`reference`)."
            )
        if differs.any() and not differs[: len(short)].any():
            raise ValueError(
                f"Record {record} (counting from 0) differs from the wild type only after "
                f"residue {len(short)}, where it was truncated; raise max_length or set "
                "long='window'."
            )


@dataclass(frozen=True)
class Positions:
    """Positions, counted from 1."""

    numbers: NDArray[np.int64]

    def of(self, tokens: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which residues are chosen."""
        chosen = np.zeros(len(tokens), dtype=bool)
        chosen[self.numbers - 1] = True
        return chosen

    def check(self, whole: NDArray[np.uint8], short: NDArray[np.uint8], record: int) -> None:
        """Refuse a sequence that ends before the last position."""
        if self.numbers[-1] > len(short):
            raise ValueError(
                f"Record {record} (counting from 0) has {len(short)} residues, so there is none at "
                f"position {self.numbers[-1]} of `pooling`; leave out the position or the record."
            )


class Masked:
    """The masked residues of a sequence."""

    def of(self, tokens: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which residues are chosen."""
        return tokens == MASK

    def check(self, whole: NDArray[np.uint8], short: NDArray[np.uint8], record: int) -> None:
        """Refuse a sequence that has no mask."""
        if not self.of(short).any():
            raise ValueError(
                f"Record {record} (counting from 0) has no masked residue; mask one, or leave it "
                "out."
            )


@dataclass(frozen=True)
class Residues(Pooling):
    """The mean over residues: all, or some.

    Attributes
    ----------
    at : Sites, Positions or Masked, default=None
        Which residues.
    less_reference : bool, default=False
        Whether the mean of the reference's representations at the same positions is subtracted.
    """

    at: Sites | Positions | Masked | None = field(default=None, compare=False)
    less_reference: bool = False

    @property
    def is_mean(self) -> bool:
        """Whether a distiller of residues applies."""
        return not self.less_reference

    def sum(self, piece: Piece, tokens: NDArray[np.uint8]) -> Sum:
        """Return what a piece of a sequence contributes, from its first chosen residue on."""
        weight = piece.weight
        start, stop = 0, len(weight)
        if self.at:
            chosen = self.at.of(tokens)[piece.start : piece.start + stop]
            (at,) = np.nonzero(chosen)
            start, stop = (int(at[0]), int(at[-1]) + 1) if len(at) else (0, 0)
            weight = weight * chosen
        weight = weight[start:stop]
        is_whole = len(piece.tokens) == len(tokens)
        return Sum(start + 1, stop + 1, None if is_whole and weight.all() else weight)

    def divisor(self, tokens: NDArray[np.uint8], n_pieces: int) -> int:
        """Return what the sums of all pieces together are divided by."""
        return int(self.at.of(tokens).sum()) if self.at else len(tokens)

    def subtract(
        self, mean: NDArray[np.float32], tokens: NDArray[np.uint8], rows: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Subtract the mean of the reference's rows, of shape (n_layers, n_residues, width)."""
        if np.array_equal(tokens, self.at.reference[: len(tokens)]):
            return np.zeros_like(mean)  # exactly, not up to rounding
        reference = rows[:, self.at.of(tokens)].mean(axis=1, dtype=np.float64)
        return (mean - reference).astype(np.float32)


@dataclass(frozen=True)
class Token(Pooling):
    """The row of a special token, ``<cls>`` (0) or ``<eos>`` (-1); windows are averaged."""

    token: int

    def sum(self, piece: Piece, tokens: NDArray[np.uint8]) -> Sum:
        """Return what a piece of a sequence contributes."""
        number = self.token % (len(piece.tokens) + 2)
        return Sum(number, number + 1, None)

    def divisor(self, tokens: NDArray[np.uint8], n_pieces: int) -> int:
        """Return what the sums of all pieces together are divided by."""
        return n_pieces


@dataclass(frozen=True)
class OfRows(Pooling):
    """A function of the rows of all residues, (n_residues, width) to (width,)."""

    function: Callable[[NDArray[np.float32]], Any]

    def pool(self, rows: NDArray[np.float32], record: int) -> NDArray[np.float32]:
        """Pool the rows of one sequence; an error names the record."""
        pooled = np.asarray(self.function(rows))
        if pooled.shape != rows.shape[1:] or pooled.dtype.kind not in "fiu":
            raise ValueError(
                f"pooling by {self.name} made an array of shape {pooled.shape} and type "
                f"{pooled.dtype} of the {len(rows)} residues of record {record} (counting from 0); "
                f"it must return {rows.shape[1]} numbers, as in rows.std(axis=0)."
            )
        if not np.isfinite(pooled).all():
            raise ValueError(
                f"pooling by {self.name} gives values that are not finite for record {record} "
                "(counting from 0); change the function, or leave the record out."
            )
        return pooled.astype(np.float32)


def resolve_poolings(
    pooling: Any, reference: str | None, unknown: str, *, identify: bool = False
) -> list[Pooling]:
    """Find the poolings that a user's parameters mean.

    Parameters
    ----------
    pooling : str, array-like of int, callable, or list of these
        One of ``POOLINGS``, positions (counting from 1), a function, or several poolings.
    reference : str or None
        The sequence that others are compared with.
    unknown : str
        The policy on ambiguous residues, for the reference.
    identify : bool, default=False
        Whether a function must have a key; one that cannot be identified is then an error.

    Returns
    -------
    poolings : list of Pooling

    Raises
    ------
    TypeError
        If a pooling is of another type, or a function cannot be identified.
    ValueError
        If there is no such pooling, positions are not valid, a reference is missing or is not a
        protein, or a pooling occurs twice.
    """
    several = isinstance(pooling, list | tuple) and not all(
        isinstance(p, Integral) for p in pooling
    )
    entries = list(pooling) if several else [pooling]
    tokens = None
    if any(isinstance(entry, str) and entry in _OF_SITES for entry in entries):
        if reference is None:
            raise ValueError(
                f"pooling={pooling!r} compares sequences with the wild type, which is missing; "
                "give its sequence (`reference`)."
            )
        tokens = encode_reference(reference, unknown)
    poolings = [_resolve(entry, tokens, identify) for entry in entries]
    for i, one in enumerate(poolings):
        if one in poolings[:i]:
            raise ValueError(
                f"pooling[{poolings.index(one)}] and pooling[{i}] are the same ({one.name}); leave "
                "one out."
            )
    return poolings


def _resolve(entry: Any, reference: NDArray[np.uint8] | None, identify: bool) -> Pooling:
    if isinstance(entry, str):
        return _of_name(entry, reference)
    if callable(entry):
        name = getattr(entry, "__name__", type(entry).__name__).strip("<>")
        return OfRows(name, f"{name} {fingerprint(entry)[:32]}" if identify else name, entry)
    numbers = _positions(entry)
    return Residues("positions", f"positions {_as_ranges(numbers)}", Positions(numbers))


def _of_name(name: str, reference: NDArray[np.uint8] | None) -> Pooling:
    match name:
        case "mean":
            return Residues("mean", "mean")
        case "max":
            return OfRows("max", "max", _maxima)
        case "cls" | "eos":
            return Token(name, name, 0 if name == "cls" else -1)
    if name not in _OF_SITES:
        raise ValueError(
            f"pooling={name!r} is not one of {', '.join(map(repr, POOLINGS))}; give one of them, "
            "positions, a function, or a list of these."
        )
    digest = hashlib.sha256(reference.tobytes()).hexdigest()[:32]
    return Residues(name, f"{name} {digest}", Sites(reference), name == "sites_difference")


def _maxima(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows.max(axis=0)


def _positions(entry: Any) -> NDArray[np.int64]:
    numbers = np.asarray(entry)
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or not len(numbers):
        raise TypeError(
            f"pooling={entry!r} is neither one of {', '.join(map(repr, POOLINGS))}, nor a list of "
            "positions (whole numbers), nor a function, nor a list of these; give one of them."
        )
    distinct, counts = np.unique(numbers, return_counts=True)
    if distinct[0] < 1:
        raise ValueError(
            f"pooling has the position {distinct[0]}, but positions count from 1; add 1 to indices."
        )
    if (counts > 1).any():
        raise ValueError(f"pooling has the position {distinct[counts.argmax()]} twice; remove one.")
    return distinct.astype(np.int64)


def _as_ranges(numbers: NDArray[np.int64]) -> str:
    """Write sorted numbers like 1-3,7."""
    by_shift = groupby(enumerate(numbers.tolist()), lambda item: item[1] - item[0])
    runs = [[n for _, n in run] for _, run in by_shift]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
