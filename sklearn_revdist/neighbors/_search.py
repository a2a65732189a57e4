"""Exact search: bounds choose the pairs of rows whose distances are computed.

Distances to the rows with the best bounds come first. The largest of the k smallest then excludes,
by their bounds, nearly all other rows, and the distances to those left decide.
"""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._bounds import Block, Frame, Queries
from ._found import Nearest, Within

# The best bound is kept for each group of rows, so that few bounds are looked at again.
_LARGEST_GROUP = 64
# Pairs that are chosen at a time, if there are many, and whose distances are computed.
_N_PAIRS, _N_DISTANCES = 2**20, 2**11
# Share of the rows above which the next stage costs less: longer heads, or whole rows.
_LONGER, _WHOLE = 0.0025, 0.011


class Search:
    """How to look for neighbours, and what has been learnt of the data on the way.

    Threads may share one.

    Parameters
    ----------
    frame : Frame
    n_rows : int
        Number of all training rows.
    skip_identical : bool, default=False
        Whether rows that are identical to the query are left out.
    groups : ndarray of shape (n_rows,), int64, default=None
        Group of each training row; a query is not searched for in its own. None is a group a row.

    Attributes
    ----------
    n_read : list of int
        Numbers of training rows that products and distances were computed from.
    costly : list of tuple
        Stages, how many queries they were for, and how many of these they were too costly for.
    """

    def __init__(
        self,
        frame: Frame,
        n_rows: int,
        skip_identical: bool = False,
        groups: NDArray[np.int64] | None = None,
    ) -> None:
        self.frame = frame
        self.n_rows = n_rows
        self.skip_identical = skip_identical
        self.groups = groups
        self.n_read: list[int] = []
        self.costly: list[tuple[int, int, int]] = []
        self._local = threading.local()

    def add(
        self,
        queries: Queries,
        which: NDArray[np.int64],
        block: Block,
        found: Nearest | Within,
        stage: int,
        *,
        again: bool = False,
        n_parts: int = 1,
        run: Callable = map,
    ) -> NDArray[np.int64]:
        """Add rows of a block that are near enough to what has been found in others.

        Parameters
        ----------
        queries : Queries
            Some of those that `found` is for.
        which : ndarray of shape (n_queries,), int
            Their numbers in `found`.
        block : Block
        found : Nearest or Within
        stage : int
            Stage of the bounds.
        again : bool, default=False
            Whether an earlier stage has left too many rows of this block.
        n_parts : int, default=1
            Number of parts of the rows whose products may be computed side by side.
        run : callable, default=map
            Like `map`; may use threads.

        Returns
        -------
        costly : ndarray of int
            Those of `which` that this stage leaves so many rows to that the next one costs less.
        """
        last = len(self.frame.lengths)
        # bounds by heads are less near to the distances; one row may be the query itself
        n_seeds = (1 if stage == last else 2) * found.n_wanted + 1
        products = self._products(queries, block, stage, n_seeds, n_parts, run)
        short = (
            np.flatnonzero(np.isinf(found.limits[which]) | again) if found.n_wanted else which[:0]
        )
        while len(short):
            of, at = products.best(short, n_seeds)
            products.values[at, of] = -np.inf
            self.add_pairs(queries, which, block, found, of, at)
            short = short[np.isinf(found.limits[which[short]])]
            if n_seeds >= len(products.values):
                break
            n_seeds *= 4
        least = self.frame.thresholds(queries, found.limits[which], stage)
        costly = which[:0]
        if stage < last:
            share = _LONGER if stage + 1 < last else _WHOLE
            # limits are lower, and fewer rows are left, once more rows have been seen
            costly = which[products.set_aside(least, min(share * self.n_rows / found.n_seen, 1))]
            self.costly.append((stage, len(which), len(costly)))
        for of, at in products.above(least):
            self.add_pairs(queries, which, block, found, of, at)
        block.release()
        return costly

    def add_pairs(
        self,
        queries: Queries,
        which: NDArray[np.int64],
        block: Block,
        found: Nearest | Within,
        of: NDArray[np.int64],
        at: NDArray[np.int64],
    ) -> None:
        """Compute distances of queries and rows, and add them but for those of a row to itself."""
        n_columns = self.frame.space.n_columns
        distances = np.empty(len(of))
        for start in range(0, len(of), _N_DISTANCES):
            part = slice(start, start + _N_DISTANCES)
            distances[part] = self.frame.space.distances(
                block.rows, at[part], queries.points, of[part]
            )
            block.release()
        self.n_read.append(len(of) * n_columns)
        rows = at + block.first
        kept = queries.own[of] != (rows if self.groups is None else self.groups[rows])
        if self.skip_identical:
            zero = np.flatnonzero(distances == 0)
            same = block.rows[at[zero], :n_columns] == queries.rows[of[zero], :n_columns]
            kept[zero] &= ~same.all(axis=1)
        found.add(which[of[kept]], distances[kept], rows[kept])

    def _products(self, queries, block, stage, n_seeds, n_parts, run):
        n_queries, n_rows = len(queries.rows), len(block.rows)
        # a power of two: few groups are found fast, small ones are searched fast
        size = min(2 ** round(np.log2(1 + n_rows / (2 * (n_seeds + 1))) / 2), _LARGEST_GROUP)
        n_groups = -(-n_rows // size)
        dtype = np.float32 if stage < len(self.frame.lengths) else self.frame.dtype
        values = self._room(n_groups * size * n_queries, dtype).reshape(-1, n_queries)
        values[n_rows:] = -np.inf
        parts = block.parts(n_parts)
        out = np.split(values[:n_rows], np.cumsum([len(part.rows) for part in parts])[:-1])
        list(run(partial(self.frame.products, queries, stage), parts, out))
        if self.groups is not None:  # else the best bounds may all be of the query's own group
            of_rows = self.groups[block.first : block.first + n_rows, np.newaxis]
            np.copyto(values[:n_rows], -np.inf, where=of_rows == queries.own)
        self.n_read.append(n_queries * n_rows * self.frame.width(stage))
        return _Products(values, size)

    def _room(self, size: int, dtype: DTypeLike) -> NDArray:
        """Memory for products, which a thread uses again and again."""
        n_bytes = size * np.dtype(dtype).itemsize
        if len(getattr(self._local, "room", ())) < n_bytes:
            self._local.room = np.empty(n_bytes, np.uint8)
        return self._local.room[:n_bytes].view(dtype)


class _Products:
    """Products of rows and queries, and the largest of each group of rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_queries)
    size : int
        Number of rows in a group; these are as far apart as possible.
    """

    def __init__(self, values: NDArray, size: int) -> None:
        self.values = values
        self.grouped = values.reshape(size, -1, values.shape[1])
        self.tops = self.grouped.max(axis=0)

    def best(self, which: NDArray, n: int) -> tuple[NDArray, NDArray]:
        """Pairs with the n largest products of some queries, or nearly so, unless excluded."""
        n_groups = len(self.tops)
        if 2 * n < n_groups:
            tops = np.ascontiguousarray(self.tops.T[which])
            groups = np.argpartition(tops, n_groups - n, axis=1)[:, -n:]
            rows = groups[:, None, :] + n_groups * np.arange(len(self.grouped))[:, None]
            rows = rows.reshape(len(which), -1)
        else:
            rows = np.broadcast_to(np.arange(len(self.values)), (len(which), len(self.values)))
        values = self.values[rows, which[:, None]]
        if n < values.shape[1]:
            top = np.argpartition(values, values.shape[1] - n, axis=1)[:, -n:]
            values, rows = (np.take_along_axis(array, top, axis=1) for array in (values, rows))
        at, column = _where(values > -np.inf)
        return which[at], rows[at, column]

    def set_aside(self, least: NDArray, share: float) -> NDArray[np.int64]:
        """Exclude and return the queries to which more than this share of the rows is left."""
        n_left = np.count_nonzero(self.tops >= least, axis=0)
        share_of_groups = 1 - (1 - share) ** len(self.grouped)
        costly = np.flatnonzero(n_left > share_of_groups * len(self.tops))
        least[costly] = np.inf
        return costly

    def above(self, least: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield pairs with products of at least so much for each query, some at a time."""
        group, of = _where(self.tops >= least)
        if len(of) * len(self.grouped) <= _N_PAIRS:
            member, pair = _where(self.grouped[:, group, of] >= least[of])
            yield of[pair], group[pair] + member * len(self.tops)
            return
        step = max(1, _N_PAIRS // len(least))
        for start in range(0, len(self.values), step):
            at, of = _where(self.values[start : start + step] >= least)
            yield of, at + start


def _where(mask):
    """Rows and columns of what is true; faster than NumPy's for matrices."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])
