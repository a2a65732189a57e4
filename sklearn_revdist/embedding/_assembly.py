"""Rows of sequences, or of residues: assembled from pieces, or read from a store."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain as flatten
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..sequences._tokens import as_text
from ..sequences._windows import Piece, split
from ._entries import Block, columns_of
from ._pooling import OfRows, Pooling, Sum
from ._store import EmbeddingStore
from ._store_file import SequenceKey

if TYPE_CHECKING:
    from ._inference import EmbeddingRun, Values

FLUSH_SECONDS = 1.0  # a killed process loses this much work, and the batches being computed

Records = dict[int, NDArray]


def records_of_sequences(tokens: list[NDArray[np.uint8]]) -> dict[int, list[int]]:
    """List the records of each distinct sequence, by the first of them."""
    first: dict[bytes, int] = {}
    records: defaultdict[int, list[int]] = defaultdict(list)
    for record, sequence in enumerate(tokens):
        records[first.setdefault(sequence.tobytes(), record)].append(record)
    return dict(records)


def pooled_rows(
    run: "EmbeddingRun", block: Block, records: Records, store: EmbeddingStore | None
) -> Iterator[Records]:
    """Yield pooled rows, of shape (n_layers, n_poolings, width), until each record has come.

    Those that a store has are read, the others computed and kept.
    """
    if store is None:
        yield from _pooled(run, block, records)
        return
    sources = block.sources(run, store)
    keys = {record: key_of(tokens, run.max_length) for record, tokens in records.items()}
    shape = len(block.layers), len(block.poolings), block.width

    def read(records: Records) -> Records:
        found = [store.read(source, [keys[r] for r in records]) for source in sources]
        complete = [r for r in records if all(keys[r] in of_source for of_source in found)]
        return {
            r: np.stack([of_source[keys[r]] for of_source in found]).reshape(shape)
            for r in complete
        }

    stored = read(records)
    yield stored
    missing = {record: records[record] for record in records if record not in stored}
    if not missing:
        return
    for new in _gathered(_pooled(run, block, missing)):
        for i, source in enumerate(sources):
            rows = {keys[r]: values.reshape(-1, block.width)[i] for r, values in new.items()}
            store.write(source, block.name, rows)
        yield new
    # the store's values count: rounded, or those of another process that was faster
    yield read(missing)


def key_of(tokens: NDArray[np.uint8], max_length: int | None) -> SequenceKey:
    """Key of a sequence in a store, with the length of windows if it is embedded in some."""
    whole = max_length is None or len(tokens) <= max_length
    return SequenceKey(as_text(tokens), 0 if whole else max_length)


def _gathered(parts: Iterator[Records]) -> Iterator[Records]:
    """Merge consecutive parts that arrive within FLUSH_SECONDS."""
    together: Records = {}
    start = time.monotonic()
    for part in parts:
        together |= part
        if together and time.monotonic() - start >= FLUSH_SECONDS:
            yield together
            together, start = {}, time.monotonic()
    if together:
        yield together


def _pooled(run: "EmbeddingRun", block: Block, records: Records) -> Iterator[Records]:
    """Yield the pooled rows of those records that a batch has completed."""
    pieces = _pieces(records.items(), run.max_length)
    n_missing = Counter(piece.record for piece in pieces)
    parts: defaultdict[int, list[tuple[Piece, Values]]] = defaultdict(list)
    means = [pooling for pooling in block.poolings if not isinstance(pooling, OfRows)]
    reference = _reference_rows(run, block, records)

    def sums(piece: Piece) -> list[Sum]:
        return [pooling.sum(piece, records[piece.record]) for pooling in means]

    needs_rows = len(means) < len(block.poolings)
    batches = run.embed(block.entry, pieces, block.layers, sums if means else None, rows=needs_rows)
    with run.bar(block.short, sum(len(piece.tokens) for piece in pieces)) as bar:
        for batch in batches:
            complete = {}
            for piece, values in batch:
                record = piece.record
                parts[record].append((piece, values))
                if len(parts[record]) == n_missing[record]:
                    complete[record] = _pool(
                        block.poolings, record, records[record], parts.pop(record), reference
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
        if pooling.less_reference:
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
    run: "EmbeddingRun", block: Block, records: Records
) -> NDArray[np.float32] | None:
    """Rows of the reference of a difference, cut like the sequences, if there is one."""
    for pooling in block.poolings:
        if pooling.less_reference:
            tokens = pooling.at.reference[: len(next(iter(records.values())))]
            batches = run.embed(
                block.entry, split(0, tokens, run.max_length), block.layers, rows=True
            )
            return _rows(len(tokens), list(flatten.from_iterable(batches)))
    return None


def residue_blocks(
    run: "EmbeddingRun", blocks: Sequence[Block], tokens: list[NDArray[np.uint8]], block_rows: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield blocks of residue rows, and the record of each row; `blocks` have one layer each."""
    columns = columns_of(block.width for block in blocks)
    n_columns = columns[-1].stop
    lengths = [len(sequence) for sequence in tokens]
    rows, index = np.empty((0, n_columns), dtype=np.float32), np.empty(0, dtype=np.int64)
    with run.bar("residues", sum(lengths)) as bar:
        for records in _chunks(lengths, max(block_rows, run.batch_tokens)):
            new_index = np.repeat(records, [lengths[record] for record in records])
            new_rows = np.zeros((len(new_index), n_columns), dtype=np.float32)
            pieces = _pieces(((record, tokens[record]) for record in records), run.max_length)
            for block, of_block in zip(blocks, columns, strict=True):
                batches = run.embed(block.entry, pieces, block.layers, rows=True)
                for piece, values in flatten.from_iterable(batches):
                    at = np.searchsorted(new_index, piece.record) + piece.start
                    new_rows[at : at + len(piece.tokens), of_block] += values.rows[0]
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
