"""An index: training rows, prepared for searches that run in threads and block by block."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..utils._threads import one_blas_thread
from ._bounds import NARROWEST, Block, Frame, nothing
from ._found import Nearest, Within
from ._search import Search
from ._shortlist import Shortlist
from ._sources import ArrayRows, DaskRows, Rows, evenly
from ._space import Space

# Rows and queries whose products are computed at a time, and the most products.
_BLOCK_ROWS, _BATCH_ROWS, _N_PRODUCTS = 2**20, 1024, 2**25
# Rows that are read at a time if they are not in memory, and of which one thread is enough.
_ROWS_READ, _FEW_ROWS = 2**15, 2**12
# Rows by which the coordinates are chosen, and that are tried as queries.
_N_SAMPLED, _N_TRIED = 2048, 32
# Bytes of the heads that are kept of rows in a file.
_HEAD_BYTES = 2**29
# Products of numbers that take less time than it takes to begin a thread.
_FEW_PRODUCTS = 2**23
# With fewer queries for each thread, threads share the rows.
_FEW_QUERIES = 32
# With fewer queries, heads that are computed for one search do not pay.
_MANY_QUERIES = 512


class Asked(NamedTuple):
    """Rows whose neighbours are asked for.

    Attributes
    ----------
    rows : ndarray of shape (n_queries, n_features)
    own : ndarray of shape (n_queries,), int64
        Numbers, or groups, of the training rows that they are; -1 for others.
    first : int
        Number of the first, for errors.
    """

    rows: NDArray
    own: NDArray[np.int64]
    first: int = 0


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
            does not have; as for :class:`Shortlist`.
        """
        sample = source.sample(evenly(source.n_rows, _N_SAMPLED))
        widest = None
        if isinstance(source, ArrayRows) and source.memory_map is not None:
            widest = max(_HEAD_BYTES // (4 * source.n_rows), NARROWEST)
        # of larger files nothing is kept
        is_kept = factory or widest is None or 4 * widest * source.n_rows <= _HEAD_BYTES
        block = None
        with _threads(n_threads) as run:
            frame = Frame.of(sample, space, source.n_rows, widest if is_kept else None)
            if isinstance(source, ArrayRows) and is_kept:
                block = frame.prepare(source.rows, 0, run=run, release=source.release)
        index = cls(frame, source, block)
        if factory is not None:
            leading = frame.leading(source.rows, block.heads)
            return index._replace(shortlist=Shortlist(leading, factory))
        if block is None or not frame.lengths:
            return index
        tried = evenly(source.n_rows, _N_TRIED)
        search = Search(frame, source.n_rows)
        found = Nearest(len(tried), min(n_neighbors, source.n_rows - 1))
        index.search(search, Asked(source.sample(tried), tried), found, n_threads)
        return index._replace(stage=_first_stage(search.costly))

    def search(self, search: Search, asked: Asked, found: Nearest | Within, n_threads: int) -> None:
        """Search all rows.

        Parameters
        ----------
        search : Search
        asked : Asked
        found : Nearest or Within
            What neighbours are added to.
        n_threads : int
        """
        if isinstance(self.source, DaskRows):
            how = (search.frame, search.n_rows, search.skip_identical, search.groups)
            of_block = partial(_search_rows, how, asked, found)
            found.merge(self.source.reduced(of_block, _merged))
            return
        n_products = len(asked.rows) * self.source.n_rows * self.frame.width(self.stage)
        if self.block is not None and n_products < _FEW_PRODUCTS:
            n_threads = 1
        with _threads(n_threads) as run:
            for block in self._blocks(len(asked.rows), run):
                _search_block(search, asked, self.stage, block, found, n_threads, run)

    def search_listed(self, search: Search, asked: Asked, found: Nearest, n_listed: int) -> None:
        """Search only the rows that faiss lists, so many for each neighbour."""
        queries = self.frame.queries(asked.rows, asked.own, asked.first)
        leading = self.frame.leading(queries.rows, queries.heads)
        of, at = self.shortlist.pairs(leading, found.n_wanted * n_listed)
        search.add_pairs(queries, np.arange(len(asked.rows)), self.block, found, of, at)

    def _blocks(self, n_queries, run):
        if self.block is not None:
            yield self.block
            return
        first = 0
        for rows in self.source.blocks(_ROWS_READ):
            yield self.frame.prepare(rows, first, heads=n_queries >= _MANY_QUERIES, run=run)
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


def _search_block(search, asked, first, block, found, n_threads=1, run=map):
    """Search rows of a block, stage by stage.

    Threads share the queries or, if there are few, the rows whose products are computed.
    """
    last = len(search.frame.lengths)
    first = last if block.heads is None else first
    for part in _parts(block, _BLOCK_ROWS):
        found.n_seen += len(part.rows)
        which = np.arange(len(asked.rows))
        for stage in range(first, last + 1):
            pieces = [part]
            if stage == last:  # large batches, and few rows of a file in memory
                is_kept = block.release is nothing
                size = _N_PRODUCTS // min(len(which), _BATCH_ROWS) if is_kept else _ROWS_READ
                pieces = _parts(part, size)
            costly = [which[:0]]
            for i, piece in enumerate(pieces):
                add = partial(_search_batch, search, asked, piece, found, stage)
                add = partial(add, again=stage > first and i == 0)
                size = max(1, min(_BATCH_ROWS, _N_PRODUCTS // len(piece.rows)))
                n_batches = -(-len(which) // size)
                if len(which) < _FEW_QUERIES * n_threads:
                    n_parts = max(1, min(n_threads, len(piece.rows) // _FEW_ROWS))
                    add = partial(add, n_parts=n_parts, run=run)
                    costly += map(add, np.array_split(which, n_batches))
                else:
                    costly += run(add, np.array_split(which, max(n_batches, n_threads)))
            which = np.concatenate(costly)
            if len(which) == 0:
                break


def _parts(block, n_rows):
    """Parts of at most so many rows."""
    return block.parts(-(-len(block.rows) // n_rows))


def _search_batch(search, asked, block, found, stage, which, **how):
    rows, own = asked.rows[which], asked.own[which]
    queries = search.frame.queries(rows, own, asked.first + which[0])
    return search.add(queries, which, block, found, stage, **how)


def _search_rows(how, asked, found, rows, first):
    """Search a block of dask, on a worker, beginning with a copy of what has been found."""
    found = deepcopy(found)
    if len(rows):
        search, heads = Search(*how), len(asked.rows) >= _MANY_QUERIES
        block = search.frame.prepare(np.asarray(rows), first, heads=heads)
        _search_block(search, asked, 0, block, found)
    return found


def _merged(results):
    merged = deepcopy(results[0])
    for found in results[1:]:
        merged.merge(found)
    return merged


def _first_stage(costly: list[tuple[int, int, int]]) -> int:
    """The first stage that excludes enough rows for most of the queries that get to it."""
    stage = 0
    while True:
        counts = [(n_queries, n_costly) for at, n_queries, n_costly in costly if at == stage]
        n_queries, n_costly = np.sum([*counts, (0, 0)], axis=0)
        if 2 * n_costly <= n_queries:
            return stage
        stage += 1
