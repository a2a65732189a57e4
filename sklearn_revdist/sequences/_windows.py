"""What a model is shown of a sequence: all of it, its beginning, or overlapping windows."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Piece(NamedTuple):
    """Consecutive residues of a record, and what each counts in the record's embedding."""

    record: int
    start: int
    tokens: NDArray[np.uint8]
    weight: NDArray[np.float32]


def limit_length(
    tokens: list[NDArray[np.uint8]], max_length: int | None, long: str
) -> list[NDArray[np.uint8]]:
    """Sequences as they are to be embedded, once `long` is applied to those that exceed.

    Only ``long="truncate"`` shortens them, with one warning; ``long="error"`` raises
    ValueError. Both messages count the sequences and name the first one.
    """
    if max_length is None or long == "window":
        return tokens
    if check_lengths([len(sequence) for sequence in tokens], max_length, long):
        return [sequence[:max_length] for sequence in tokens]
    return tokens


def check_lengths(lengths: ArrayLike, max_length: int | None, long: str) -> int:
    """Number of sequences that are too long, once that is an error or a warning.

    ``long="error"`` raises ValueError, ``long="truncate"`` warns, and ``long="window"`` does
    neither.
    """
    lengths = np.asarray(lengths)
    too_long = np.flatnonzero(lengths > (np.inf if max_length is None else max_length))
    if len(too_long) == 0 or long == "window":
        return len(too_long)
    first = too_long[0]
    what = (
        f"{len(too_long)} of {len(lengths)} sequences exceed max_length={max_length} residues, the "
        f"first of them record {first} (counting from 0) with {lengths[first]} residues"
    )
    if long == "error":
        raise ValueError(f"{what}; shorten them, raise max_length or set long='window'.")
    warnings.warn(f"{what}; what is beyond was ignored.", UserWarning, stacklevel=4)
    return len(too_long)


def n_shown(lengths: NDArray[np.int64], max_length: int | None, long: str) -> NDArray[np.int64]:
    """Residues that a model is shown of sequences, those in two windows counted twice."""
    if max_length is None:
        return lengths
    if long != "window":
        return np.minimum(lengths, max_length)
    return np.where(
        lengths <= max_length, lengths, (1 + _n_steps(lengths, max_length)) * max_length
    )


def split(record: int, tokens: NDArray[np.uint8], max_length: int | None) -> list[Piece]:
    """Pieces of at most `max_length` residues whose weights sum to one for every residue.

    A longer sequence is covered by as few windows of `max_length` residues as let
    neighbours share at least half of them, evenly spread. In each window a residue's
    weight grows from the window's ends to its middle (a triangle), and the weights that
    windows give to the same residue are divided by their sum.
    """
    n_residues = len(tokens)
    if max_length is None or n_residues <= max_length:
        return [Piece(record, 0, tokens, np.ones(n_residues, dtype=np.float32))]

    n_steps = _n_steps(n_residues, max_length)
    starts = np.arange(n_steps + 1) * (n_residues - max_length) // n_steps
    ramp = np.arange(1.0, max_length + 1)
    triangle = np.minimum(ramp, ramp[::-1])
    total = np.zeros(n_residues)
    for start in starts:
        total[start : start + max_length] += triangle
    pieces = []
    for start in starts.tolist():
        window = slice(start, start + max_length)
        weight = (triangle / total[window]).astype(np.float32)
        pieces.append(Piece(record, start, tokens[window], weight))
    return pieces


def _n_steps(n_residues, max_length):
    """By how many steps windows that share at least half of their residues cover a sequence."""
    spacing = (max_length + 1) // 2
    return -((max_length - n_residues) // spacing)
