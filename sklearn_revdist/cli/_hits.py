"""Hits: the records of a database that are nearest to each query.

Rows are searched, but records are found: several records of one sequence may share a row.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..neighbors._found import Nearest
from ..neighbors._prefix_neighbors import PrefixNeighbors
from ._databases import Database
from ._endings import INPUT, failing

# Numbers of the queries that are searched together, 64 MB in single precision.
_QUERIES_SIZE = 2**24


class Hits(NamedTuple):
    """Hits of consecutive queries, by query, distance and number of the record.

    Attributes
    ----------
    n_queries : int
        How many queries were searched, with hits or without.
    query, target : ndarray of shape (n_hits,), int64
        Numbers of the records.
    rank : ndarray of shape (n_hits,), int64
        1 for the nearest record.
    distance : ndarray of shape (n_hits,), float64
    """

    n_queries: int
    query: NDArray[np.int64]
    target: NDArray[np.int64]
    rank: NDArray[np.int64]
    distance: NDArray[np.float64]


def find_hits(
    neighbors: PrefixNeighbors, database: Database, queries: Database, n_hits: int
) -> Iterator[Hits]:
    """Search a database for queries, some at a time.

    Parameters
    ----------
    neighbors : PrefixNeighbors
        Fitted on the rows of the database, with as many neighbours as hits, or all rows.
    database, queries : Database
    n_hits : int
        Number of hits of each query, which has fewer if there are fewer records.

    Yields
    ------
    hits : Hits

    Raises
    ------
    ClickException
        If a row is not finite, or has no direction that the metric needs.
    """
    by_row = np.argsort(database.of_row, kind="stable")
    ends = np.searchsorted(database.of_row[by_row], np.arange(len(database.rows) + 1))
    step = max(1, _QUERIES_SIZE // queries.rows.shape[1])
    for first in range(0, len(queries.names), step):
        of_row = queries.of_row[first : first + step]
        with failing(INPUT):
            asked = neighbors._asked(queries.rows[of_row])
            parts = neighbors._searched(asked, partial(Nearest, n_neighbors=neighbors.n_neighbors))
        distances = np.concatenate([part.distances for part in parts])
        rows = np.concatenate([part.rows for part in parts])  # -1 where there are fewer
        of, at = np.nonzero(rows >= 0)
        distance, row = distances[of, at], rows[of, at]
        n_records = ends[row + 1] - ends[row]
        record = by_row[np.repeat(ends[row], n_records) + _counted(n_records)]
        of, distance = np.repeat(of, n_records), np.repeat(distance, n_records)
        order = np.lexsort((record, distance, of))
        rank = 1 + _counted(np.bincount(of, minlength=len(of_row)))
        order, rank = order[rank <= n_hits], rank[rank <= n_hits]
        yield Hits(len(of_row), first + of[order], record[order], rank, distance[order])


def _counted(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, 2 and so on up to each of some counts."""
    starts = np.cumsum(counts) - counts
    return np.arange(counts.sum()) - np.repeat(starts, counts)
