"""Annotation transfer: a query takes over what is known of its nearest neighbours."""

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..utils._compat import Interval
from ._neighbor_search import NeighborSearch
from ._votes import Voters, vote_weights


class AnnotationTransfer(NeighborSearch):
    """What the transfer of classes and of numbers share."""

    distance_scale_: float
    _known: NDArray
    _names: NDArray | None

    # a training row identical to a query is its best neighbour
    exclude, engine, index, shortlist = "none", "exact", "", 1

    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in NeighborSearch._parameter_constraints.items()
            if name not in ("exclude", "engine", "index", "shortlist")
        },
        "temperature": [Interval(Real, 0, None, closed="both")],
        "max_distance": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        n_neighbors: int = 16,
        *,
        n_components: int | str | None = None,
        temperature: float = 0.2,
        max_distance: float | None = None,
        prefixes: ArrayLike | None = None,
        level_scale: str | ArrayLike | None = None,
        metric: str = "euclidean",
        n_jobs: int | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.n_components = n_components
        self.temperature = temperature
        self.max_distance = max_distance
        self.prefixes = prefixes
        self.level_scale = level_scale
        self.metric = metric
        self.n_jobs = n_jobs

    def neighbors_table(self, X: Any) -> pd.DataFrame:
        """List the neighbours whose labels are transferred.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Queries of shape (n_queries, n_features).

        Returns
        -------
        table : DataFrame
            One row per query and neighbour, nearest first. Columns are ``query`` and ``neighbor``,
            which are index labels of data frames or numbers of rows, ``rank`` from 1, ``distance``,
            ``label`` and ``weight``; weights of a query sum to 1.
        """
        found = self._found(X)
        of, rank = np.nonzero(found.votes)
        rows, names = found.rows[of, rank], _index_of(X)
        return pd.DataFrame(
            {
                "query": of if names is None else names[of],
                "rank": rank + 1,
                "neighbor": rows if self._names is None else self._names[rows],
                "distance": found.distances[of, rank],
                "label": list(self._known[rows]),
                "weight": found.weights[of, rank],
            }
        )

    def _fit_known(self, X: Any, y: NDArray) -> None:
        """Prepare the rows whose labels are known."""
        self._fit_rows(X, len(y))
        self._known, self._names = y, _index_of(X)

    def _check_y(self, y: Any) -> None:
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )

    def _found(self, X: Any, n_seen: int = 1) -> Voters:
        """Neighbours of queries, at least so many; the first `n_neighbors` may vote."""
        return self._voted(*self._nearest(self._asked(X), max(self.n_neighbors, n_seen)))

    def _voted(self, distances, rows):
        votes = (rows >= 0) & (np.arange(rows.shape[1]) < self.n_neighbors)
        if self.max_distance is not None:
            votes &= distances <= self.max_distance
        bandwidth = self.temperature * self.distance_scale_
        weights = vote_weights(np.where(votes, distances, np.inf), bandwidth)
        return Voters(distances, rows, votes, weights)


def _index_of(X: Any) -> NDArray | None:
    """Index labels of a data frame; None for others."""
    return X.index.to_numpy() if isinstance(X, pd.DataFrame) else None
