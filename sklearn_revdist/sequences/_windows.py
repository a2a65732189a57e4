"""Truncate or window long sequences."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..utils._messages import warn_user


class Piece(NamedTuple):
    """Consecutive residues of a record, and the weight of each in the record's embedding."""

    record: int
    start: int
    tokens: NDArray[np.uint8]
    weight: NDArray[np.float32]


def limit_length(
    tokens: list[NDArray[np.uint8]], max_length: int | None, long: str
) -> list[NDArray[np.uint8]]:
    """Apply `long` to the sequences that exceed `max_length`.

    ``long="truncate"`` shortens them, with one warning; ``long="error"`` raises ValueError;
    ``long="window"`` leaves them to :func:`split`. Messages count the sequences and name the
    first one.
    """
    if max_length is None or long == "window":
        return tokens
    if check_lengths([len(sequence) for sequence in tokens], max_length, long):
        return [sequence[:max_length] for sequence in tokens]
    return tokens


def check_lengths(lengths: ArrayLike, max_length: int | None, long: str) -> int:
    """Count the sequences that are too long.

    If there are any, ``long="error"`` raises ValueError and ``long="truncate"`` warns.
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
    warn_user(f"{what}; the residues beyond were ignored.")
    return len(too_long)


def n_processed(lengths: NDArray[np.int64], max_length: int | None, long: str) -> NDArray[np.int64]:
    """Count the residues that the model processes, those in two windows twice."""
    if max_length is None:
        return lengths
    if long != "window":
        return np.minimum(lengths, max_length)
    return np.where(
        lengths <= max_length, lengths, (1 + _n_steps(lengths, max_length)) * max_length
    )


def split(record: int, tokens: NDArray[np.uint8], max_length: int | None) -> list[Piece]:
    """Split a sequence into pieces in which the weights of every residue sum to one.

    A sequence of more than `max_length` residues is covered by windows of that length: the
    smallest number of evenly spaced ones of which neighbours share at least half of their
    residues. In each window, weights rise from the ends to the middle (a triangle); the weights
    of a residue in several windows are divided by their sum.
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
    """Count the steps by which windows that share half of their residues cover a sequence."""
    spacing = (max_length + 1) // 2
    return -((max_length - n_residues) // spacing)
