"""What a model is shown of a sequence: all of it, its beginning, or overlapping windows."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


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
    too_long = [i for i, sequence in enumerate(tokens) if len(sequence) > max_length]
    if not too_long:
        return tokens
    first = too_long[0]
    what = (
        f"{len(too_long)} of {len(tokens)} sequences exceed max_length={max_length} residues, the "
        f"first of them record {first} (counting from 0) with {len(tokens[first])} residues"
    )
    if long == "error":
        raise ValueError(f"{what}; shorten them, raise max_length or set long='window'.")
    warnings.warn(f"{what}; what is beyond was ignored.", UserWarning, stacklevel=3)
    return [sequence[:max_length] for sequence in tokens]


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

    spacing = (max_length + 1) // 2
    n_steps = -((max_length - n_residues) // spacing)
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
