"""Assemble the output from the values of pieces: a mean per sequence, or a row per residue."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain as flatten
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..sequences._windows import Piece, split
from ..utils._models import Model, model_name

if TYPE_CHECKING:
    from ._inference import EmbeddingRun


def first_occurrences(tokens: list[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """For each sequence the index of the first one that is equal to it."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(sequence.tobytes(), i) for i, sequence in enumerate(tokens)])


def means(
    run: "EmbeddingRun",
    entry: Model | Path,
    records: dict[int, NDArray[np.uint8]],
    max_length: int | None,
    progress: Callable[[str, int], Any],
) -> Iterator[dict[int, NDArray[np.float32]]]:
    """Yield the means over residues of those records that a batch has completed."""
    pieces = _pieces(records.items(), max_length)
    n_missing = Counter(piece.record for piece in pieces)
    sums: dict[int, NDArray[np.float32]] = {}
    n_residues = sum(len(piece.tokens) for piece in pieces)
    with progress(model_name(entry), n_residues) as bar:
        for batch in run.embed(entry, pieces, pool=True):
            for piece, total in batch:
                share = total / len(records[piece.record])
                sums[piece.record] = sums.get(piece.record, 0) + share
                n_missing[piece.record] -= 1
            yield {record: sums.pop(record) for record in list(sums) if not n_missing[record]}
            bar.update(sum(len(piece.tokens) for piece, _ in batch))


def residue_blocks(
    run: "EmbeddingRun",
    columns: dict[Model | Path, slice],
    tokens: list[NDArray[np.uint8]],
    max_length: int | None,
    block_rows: int,
    progress: Callable[[str, int], Any],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield blocks of residue rows, and the record of each row."""
    lengths = [len(sequence) for sequence in tokens]
    n_columns = max(block.stop for block in columns.values())
    rows, index = np.empty((0, n_columns), dtype=np.float32), np.empty(0, dtype=np.int64)
    with progress("residues", sum(lengths)) as bar:
        for records in _chunks(lengths, max(block_rows, run.batch_tokens)):
            new_index = np.repeat(records, [lengths[record] for record in records])
            new_rows = np.zeros((len(new_index), n_columns), dtype=np.float32)
            pieces = _pieces(((record, tokens[record]) for record in records), max_length)
            for entry, block in columns.items():
                batches = run.embed(entry, pieces, pool=False)
                for piece, values in flatten.from_iterable(batches):
                    at = np.searchsorted(new_index, piece.record) + piece.start
                    new_rows[at : at + len(values), block] += values
            rows, index = np.concatenate([rows, new_rows]), np.concatenate([index, new_index])
            bar.update(len(new_index))
            while len(rows) >= block_rows:
                yield rows[:block_rows], index[:block_rows]
                rows, index = rows[block_rows:], index[block_rows:]
    if len(rows):
        yield rows, index


def _pieces(
    records: Iterable[tuple[int, NDArray[np.uint8]]], max_length: int | None
) -> list[Piece]:
    return [piece for record, tokens in records for piece in split(record, tokens, max_length)]


def _chunks(lengths: list[int], n_rows: int) -> Iterator[range]:
    """Yield consecutive records, as few as have together at least `n_rows` residues."""
    start = n_residues = 0
    for stop, length in enumerate(lengths, start=1):
        n_residues += length
        if n_residues >= n_rows or stop == len(lengths):
            yield range(start, stop)
            start, n_residues = stop, 0
