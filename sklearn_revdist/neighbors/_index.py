"""An index: training rows, prepared for searches that run in threads and block by block."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise, product
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..utils._threads import one_blas_thread
from ._bounds import Block, Frame, Queries
from ._found import Nearest, Within
from ._search import Search
from ._shortlist import Shortlist
from ._sources import ArrayRows, DaskRows, Rows, evenly
from ._space import Space

# Rows and queries whose products are computed at a time, and the most products.
_BLOCK_ROWS, _BATCH_ROWS, _N_PRODUCTS = 2**17, 1024, 2**25
# Rows that are read at a time if they are not in memory, or prepared by one thread.
_ROWS_READ, _FEW_ROWS = 2**15, 2**12
# Rows by which the coordinates are chosen, and that are tried as queries.
_N_SAMPLED, _N_TRIED = 2048, 32
# Bytes of the heads that are kept of rows in a file.
_HEAD_BYTES = 2**29
# With fewer queries, heads that are computed for one search do not pay.
_FEW_QUERIES = 512

Found = TypeVar("Found", Nearest, Within)


class Asked(NamedTuple):
    """Rows whose neighbours are asked for.

    Attributes
    ----------
    rows : ndarray of shape (n_queries, n_features)
    own : ndarray of shape (n_queries,), int64
        Numbers of the training rows that they are; -1 for others.
    first : int
        Number of the first, for errors.
    """

    rows: NDArray
    own: NDArray[np.int64]
    first: int = 0

    def batches(self, frame: Frame, size: int, run: Callable = map) -> list[Queries]:
        """Prepare the queries, so many at a time."""

        def prepared(start):
            part = slice(start, start + size)
            return frame.queries(self.rows[part], self.own[part], self.first + start)

        return list(run(prepared, range(0, len(self.rows), size)))


class Index(NamedTuple):
    """Training rows that can be searched.

    Attributes
    ----------
    frame : Frame
    source : Rows
    block : Block or None
        All rows, prepared, unless they are read anew for each search.
    stage : int, default=0
        Stage of the bounds at which searches begin.
    shortlist : Shortlist, default=None
        For approximate searches.
    """

    frame: Frame
    source: Rows
    block: Block | None
    stage: int = 0
    shortlist: Shortlist | None = None

    @classmethod
    def of(
        cls,
        source: Rows,
        space: Space,
        n_neighbors: int,
        n_threads: int,
        factory: str | None = None,
    ) -> Self:
        """Prepare rows.

        Parameters
        ----------
        source : Rows
        space : Space
        n_neighbors : int
            Number of neighbours for which searches should be fast.
        n_threads : int
        factory : str, default=None
            What faiss should build for approximate searches; needs an array.

        Returns
        -------
        index : Index

        Raises
        ------
        ValueError
            If a row is not finite, its squares overflow, or the metric needs a direction that it
            does not have; as for :meth:`Shortlist.of`.
        """
        sample = source.sample(evenly(source.n_rows, _N_SAMPLED))
        kept, widest = isinstance(source, ArrayRows), 2**30
        if isinstance(source, ArrayRows) and source.is_mapped:
            widest = _HEAD_BYTES // (4 * source.n_rows)
            if widest < 32:  # numbers that help little
                kept, widest = False, 2**30
        with _threads(n_threads) as run:
            frame = Frame.of(sample, space, source.n_rows, widest)
            block = frame.prepare(source.rows, 0, run=run) if kept else None
        index = cls(frame, source, block)
        if factory is not None:
            leading = frame.leading(source.rows, block.heads)
            return index._replace(shortlist=Shortlist.of(leading, factory))
        if block is None or not frame.lengths:
            return index
        tried = evenly(source.n_rows, _N_TRIED)
        search = Search(frame, source.n_rows)
        wanted = partial(Nearest, n_neighbors=min(n_neighbors, source.n_rows - 1))
        index.search(search, Asked(source.sample(tried), tried), wanted, n_threads)
        return index._replace(stage=search.stage)

    def search(
        self, search: Search, asked: Asked, made: Callable[[int], Found], n_threads: int
    ) -> list[Found]:
        """Search all rows.

        Parameters
        ----------
        search : Search
        asked : Asked
        made : callable
            Takes a number of queries and returns what their neighbours are added to.
        n_threads : int

        Returns
        -------
        found : list
            The neighbours of some queries each, in order.
        """
        size = _N_PRODUCTS // min(self.source.n_rows, _BLOCK_ROWS)
        size = max(1, min(_BATCH_ROWS, size, -(-len(asked.rows) // n_threads)))
        if isinstance(self.source, DaskRows):
            of_block = partial(
                _search_block, self.frame, self.source.n_rows, search.skip_identical, asked, made
            )
            return self.source.reduced(partial(of_block, size), _merged)
        with _threads(n_threads) as run:
            batches = asked.batches(self.frame, size, run)
            found = [made(len(batch.rows)) for batch in batches]
            for block in self._blocks(len(asked.rows), run):
                _search_all(search, batches, block, found, n_threads, run)
        return found

    def search_listed(
        self, search: Search, asked: Asked, made: Callable[[int], Nearest], n_listed: int
    ) -> Nearest:
        """Search only the rows that faiss lists, so many for each neighbour."""
        (queries,) = asked.batches(self.frame, len(asked.rows))
        found = made(len(asked.rows))
        leading = self.frame.leading(queries.rows, queries.heads)
        of, at = self.shortlist.pairs(leading, found.n_wanted * n_listed)
        search.add_pairs(queries, self.block, of, at, found, np.arange(len(asked.rows)))
        return found

    def _blocks(self, n_queries, run):
        if self.block is not None:
            yield self.block
            if isinstance(self.source, ArrayRows):
                self.source.release()
            return
        first = 0
        for rows in self.source.blocks(_ROWS_READ):
            yield self.frame.prepare(rows, first, heads=n_queries >= _FEW_QUERIES, run=run)
            first += len(rows)


@contextmanager
def _threads(n_threads: int) -> Iterator[Callable]:
    """Function like `map` that computes in threads."""
    with one_blas_thread():
        if n_threads == 1:
            yield map
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                yield pool.map


def _search_all(search, batches, block, found, n_threads, run):
    """Search a block, batches side by side, or its rows side by side if there are few batches."""
    n_rows = len(block.rows)
    n_parts = -(-n_rows // _BLOCK_ROWS)
    apart = len(batches) < n_threads
    if apart:
        n_parts = max(n_parts, min(n_threads // len(batches), n_rows // _FEW_ROWS), 1)
    ends = (np.arange(n_parts + 1) * n_rows // n_parts).tolist()
    parts = [block.part(*pair) for pair in pairwise(ends)]

    def search_batch(i):
        for part in parts:
            search.add(batches[i], part, found[i])

    def search_part(pair):
        i, part = pair
        of_part = found[i].apart()
        search.add(batches[i], part, of_part)
        return i, of_part

    if apart and n_parts > 1:
        for i, of_part in list(run(search_part, product(range(len(batches)), parts))):
            found[i].merge(of_part)
    else:
        list(run(search_batch, range(len(batches))))


def _search_block(frame, n_rows, skip_identical, asked, made, size, rows, first):
    """Search a block of dask, on a worker."""
    block = frame.prepare(np.asarray(rows), first, heads=len(asked.rows) >= _FEW_QUERIES)
    search, batches = Search(frame, n_rows, skip_identical), asked.batches(frame, size)
    found = [made(len(batch.rows)) for batch in batches]
    if len(rows):
        _search_all(search, batches, block, found, 1, map)
    return found


def _merged(results: Sequence[list[Found]]) -> list[Found]:
    merged = [found.apart() for found in results[0]]
    for result in results:
        for found, more in zip(merged, result, strict=True):
            found.merge(more)
    return merged
