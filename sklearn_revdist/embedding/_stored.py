"""Pooled rows of one model: those that a store has are read, the others computed and kept."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..sequences._tokens import as_text
from ._assembly import pooled
from ._blocks import Block
from ._store import EmbeddingStore
from ._store_file import SequenceKey

if TYPE_CHECKING:
    from ._inference import EmbeddingRun

FLUSH_SECONDS = 1.0  # a killed process loses this much work, and the batches being computed

Records = dict[int, NDArray]


def pooled_rows(
    run: "EmbeddingRun",
    block: Block,
    records: Records,
    max_length: int | None,
    store: EmbeddingStore | None,
    progress: Callable[[str, int], Any],
) -> Iterator[Records]:
    """Yield pooled rows, of shape (n_layers, n_poolings, width), until each record has come."""

    def compute(records: Records) -> Iterator[Records]:
        arguments = run, block.entry, block.layers, block.poolings, records, max_length, progress
        return pooled(*arguments)

    if store is None:
        yield from compute(records)
        return
    sources = block.sources(run, store)
    keys = {record: key_of(tokens, max_length) for record, tokens in records.items()}
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
    for new in _gathered(compute(missing)):
        for i, source in enumerate(sources):
            rows = {keys[r]: values.reshape(-1, block.width)[i] for r, values in new.items()}
            store.write(source, block.entry.name, rows)
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
