"""What a search finds: the nearest rows, or all within a radius. What blocks hold is merged."""

import numpy as np
from numpy.typing import NDArray


class Nearest:
    """The nearest rows of queries, by distance and then by number.

    Parameters
    ----------
    n_queries, n_neighbors : int

    Attributes
    ----------
    distances : ndarray of shape (n_queries, n_neighbors), float64
        Infinite where there are fewer rows.
    rows : ndarray of shape (n_queries, n_neighbors), int64
        Their numbers, -1 where there are fewer.
    n_wanted : int
        Number of rows that each query should have.
    n_seen : int
        Number of rows that were searched.
    """

    def __init__(self, n_queries: int, n_neighbors: int) -> None:
        self.distances = np.full((n_queries, n_neighbors), np.inf)
        self.rows = np.full((n_queries, n_neighbors), -1)
        self.n_wanted = n_neighbors
        self.n_seen = 0

    @property
    def limits(self) -> NDArray[np.float64]:
        """Distances beyond which a row is not wanted."""
        return self.distances[:, -1]

    def merge(self, other: "Nearest") -> None:
        """Add what another search has found."""
        of, rank = np.nonzero(other.rows >= 0)
        self.n_seen += other.n_seen
        self.add(of, other.distances[of, rank], other.rows[of, rank])

    def add(self, of: NDArray, distances: NDArray[np.float64], rows: NDArray) -> None:
        """Add pairs of a query and a row, which may be there already."""
        near = distances <= self.limits[of]
        changed, of = np.unique(of[near], return_inverse=True)
        if len(changed) == 0:
            return
        known_of, rank = np.nonzero(self.rows[changed] >= 0)
        of = np.concatenate([known_of, of])
        distances = np.concatenate([self.distances[changed[known_of], rank], distances[near]])
        rows = np.concatenate([self.rows[changed[known_of], rank], rows[near]])
        order = np.lexsort((rows, distances, of))
        again = (np.diff(of[order], prepend=-1) == 0) & (np.diff(rows[order], prepend=-1) == 0)
        order = order[~again]
        of = of[order]
        rank = np.arange(len(of)) - np.searchsorted(of, of)
        kept = rank < self.n_wanted
        of, rank, order = changed[of[kept]], rank[kept], order[kept]
        self.distances[of, rank], self.rows[of, rank] = distances[order], rows[order]


class Within:
    """Pairs of a query and a row that are not farther apart than a radius.

    Parameters
    ----------
    n_queries : int
    radius : float

    Attributes
    ----------
    n_seen : int
        Number of rows that were searched.
    """

    n_wanted = 0

    def __init__(self, n_queries: int, radius: float) -> None:
        self.limits = np.full(n_queries, float(radius))
        self.n_seen = 0
        self._pairs: list[tuple[NDArray, NDArray, NDArray]] = []

    def merge(self, other: "Within") -> None:
        """Add what another search has found."""
        self.n_seen += other.n_seen
        self._pairs += other._pairs

    def add(self, of: NDArray, distances: NDArray[np.float64], rows: NDArray) -> None:
        """Add pairs of a query and a row, which are not there yet."""
        near = distances <= self.limits[of]
        self._pairs.append((of[near], distances[near], rows[near]))

    def lists(self) -> tuple[list[NDArray[np.float64]], list[NDArray[np.int64]]]:
        """Distances and numbers of the rows of each query, by distance and then by number."""
        of, distances, rows = map(np.concatenate, zip(*self._pairs, strict=True))
        order = np.lexsort((rows, distances, of))
        ends = np.searchsorted(of[order], np.arange(1, len(self.limits)))
        return np.split(distances[order], ends), np.split(rows[order], ends)
