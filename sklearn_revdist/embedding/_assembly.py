"""Assemble the output from the values of pieces: a row per sequence, or a row per residue."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain as flatten
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..sequences._windows import Piece, split
from ._entries import Entry
from ._pooling import OfRows, Pooling, Residues, Sum

if TYPE_CHECKING:
    from ._inference import EmbeddingRun, Values


def records_of_sequences(tokens: list[NDArray[np.uint8]]) -> dict[int, list[int]]:
    """List the records of each distinct sequence, by the first of them."""
    first: dict[bytes, int] = {}
    records: defaultdict[int, list[int]] = defaultdict(list)
    for record, sequence in enumerate(tokens):
        records[first.setdefault(sequence.tobytes(), record)].append(record)
    return dict(records)


def pooled(
    run: "EmbeddingRun",
    entry: Entry,
    layers: Sequence[int],
    poolings: Sequence[Pooling],
    records: dict[int, NDArray[np.uint8]],
    max_length: int | None,
    progress: Callable[[str, int], Any],
) -> Iterator[dict[int, NDArray[np.float32]]]:
    """Yield the pooled rows of those records that a batch has completed.

    Each is an array of shape (n_layers, n_poolings, width).
    """
    pieces = _pieces(records.items(), max_length)
    n_missing = Counter(piece.record for piece in pieces)
    parts: defaultdict[int, list[tuple[Piece, Values]]] = defaultdict(list)
    means = [pooling for pooling in poolings if not isinstance(pooling, OfRows)]
    reference = _reference_rows(run, entry, layers, poolings, records, max_length)

    def sums(piece: Piece) -> list[Sum]:
        return [pooling.sum(piece, records[piece.record]) for pooling in means]

    batches = run.embed(
        entry, pieces, layers, sums if means else None, rows=len(means) < len(poolings)
    )
    with progress(entry.name, sum(len(piece.tokens) for piece in pieces)) as bar:
        for batch in batches:
            complete = {}
            for piece, values in batch:
                record = piece.record
                parts[record].append((piece, values))
                if len(parts[record]) == n_missing[record]:
                    complete[record] = _pool(
                        poolings, record, records[record], parts.pop(record), reference
                    )
            yield complete
            bar.update(sum(len(piece.tokens) for piece, _ in batch))


def _pool(
    poolings: Sequence[Pooling],
    record: int,
    tokens: NDArray[np.uint8],
    parts: list[tuple[Piece, "Values"]],
    reference: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Pool a sequence from the values of all its pieces."""
    rows = _rows(len(tokens), parts)
    sums = iter(range(len(poolings)))
    pooled = []
    for pooling in poolings:
        if isinstance(pooling, OfRows):
            pooled.append([pooling.pool(of_layer, record) for of_layer in rows])
            continue
        divisor, at = pooling.divisor(tokens, len(parts)), next(sums)
        mean = sum(values.sums[:, at] / divisor for _, values in parts)
        if isinstance(pooling, Residues) and reference is not None and pooling.less_reference:
            mean = pooling.subtract(mean, tokens, reference)
        pooled.append(mean)
    return np.stack(pooled, axis=1)


def _rows(n_residues: int, parts: list[tuple[Piece, "Values"]]) -> NDArray[np.float32] | None:
    """Rows of all residues of a sequence, of each layer, where they were asked for."""
    _, first = parts[0]
    if first.rows is None:
        return None
    n_layers, _, width = first.rows.shape
    rows = np.zeros((n_layers, n_residues, width), dtype=np.float32)
    for piece, values in parts:
        rows[:, piece.start : piece.start + len(piece.tokens)] += values.rows
    return rows


def _reference_rows(
    run: "EmbeddingRun",
    entry: Entry,
    layers: Sequence[int],
    poolings: Sequence[Pooling],
    records: dict[int, NDArray[np.uint8]],
    max_length: int | None,
) -> NDArray[np.float32] | None:
    """Rows of the reference of a difference, cut like the sequences, if there is one."""
    references = [p.at.reference for p in poolings if isinstance(p, Residues) and p.less_reference]
    if not references:
        return None
    tokens = references[0][: len(next(iter(records.values())))]
    batches = run.embed(entry, split(0, tokens, max_length), layers, rows=True)
    return _rows(len(tokens), list(flatten.from_iterable(batches)))


def residue_blocks(
    run: "EmbeddingRun",
    blocks: dict[Entry, tuple[int, slice]],
    tokens: list[NDArray[np.uint8]],
    max_length: int | None,
    block_rows: int,
    progress: Callable[[str, int], Any],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield blocks of residue rows, and the record of each row.

    `blocks` are the layer of each model, and its columns.
    """
    lengths = [len(sequence) for sequence in tokens]
    n_columns = max(columns.stop for _, columns in blocks.values())
    rows, index = np.empty((0, n_columns), dtype=np.float32), np.empty(0, dtype=np.int64)
    with progress("residues", sum(lengths)) as bar:
        for records in _chunks(lengths, max(block_rows, run.batch_tokens)):
            new_index = np.repeat(records, [lengths[record] for record in records])
            new_rows = np.zeros((len(new_index), n_columns), dtype=np.float32)
            pieces = _pieces(((record, tokens[record]) for record in records), max_length)
            for entry, (layer, columns) in blocks.items():
                batches = run.embed(entry, pieces, [layer], rows=True)
                for piece, values in flatten.from_iterable(batches):
                    at = np.searchsorted(new_index, piece.record) + piece.start
                    new_rows[at : at + len(piece.tokens), columns] += values.rows[0]
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
