"""What estimators that look up neighbours share: where they look, and how neighbours are weighted.

They look in a database of rows without labels, or in the training rows. There a training row does
not find itself, nor its duplicates, nor rows of its group, as rows to come will not.
"""

import os
from copy import copy
from numbers import Real
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from ..matrix._rows import check_rows, header
from ..matrix._torch import as_array
from ..utils._compat import Interval
from ..utils._messages import first_line
from ._groups import find_groups
from ._prefix_neighbors import PrefixNeighbors
from ._sources import Rows
from ._votes import Voters, nearest_distance_scale, vote_weights


class Searched(NamedTuple):
    """Rows that are searched.

    Attributes
    ----------
    neighbors : PrefixNeighbors
        Fitted on them.
    bandwidth : float
        For weights.
    """

    neighbors: PrefixNeighbors
    bandwidth: float

    def find(self, X: Any, rows: NDArray) -> Voters:
        """Find neighbours of queries; X are the rows as they were given, maybe with names."""
        neighbors = self.neighbors
        asked = neighbors._asked(X if hasattr(neighbors, "feature_names_in_") else rows)
        return self._weighted(*neighbors._nearest(asked, neighbors.n_neighbors))

    def find_others(self, groups: NDArray[np.int64]) -> Voters:
        """Find neighbours of each training row in other groups."""
        every, n_neighbors = np.arange(len(groups)), self.neighbors.n_neighbors
        return self._weighted(*self.neighbors._left_out(every, groups, n_neighbors))

    def find_groups(self, rows: NDArray, groups: Any) -> NDArray[np.int64]:
        """Number groups of the training rows, identical ones in the columns in use among them."""
        return find_groups(rows[:, : self.neighbors._n_columns], groups)

    @property
    def source(self) -> Rows:
        """The rows themselves."""
        return self.neighbors._index.source

    def _weighted(self, distances, rows):
        return Voters(distances, rows, rows >= 0, vote_weights(distances, self.bandwidth))


def checked(X: Any, estimator: BaseEstimator) -> NDArray:
    """Rows as an array of finite numbers in memory."""
    return np.asarray(as_array(check_rows(X, estimator)))


class BaseRetrieval(BaseEstimator):
    """Estimator with the parameters `neighbors`, `database` and `temperature`."""

    _parameter_constraints: dict = {
        "neighbors": [PrefixNeighbors, None],
        "database": ["array-like", str, os.PathLike, None],
        "temperature": [Interval(Real, 0, np.inf, closed="both")],
    }

    def __sklearn_clone__(self) -> Self:
        # a database may be larger than the memory, so that clones share it
        bare = copy(self).set_params(database=None)
        return super(BaseRetrieval, bare).__sklearn_clone__().set_params(database=self.database)

    def _check_columns(self, X: Any, *, reset: bool) -> None:
        """Keep the number and the names of columns, or check them."""
        validate_data(self, header(X), reset=reset, skip_check_array=True)

    def _as_fitted(self, X: Any) -> NDArray:
        """Check rows and that their columns are those of the fit."""
        check_is_fitted(self)
        rows = checked(X, self)
        self._check_columns(X, reset=False)
        return rows

    def _search(self, X: Any, rows: NDArray) -> Searched:
        """Prepare the training rows."""
        neighbors = PrefixNeighbors() if self.neighbors is None else clone(self.neighbors)
        neighbors.fit(X if hasattr(X, "columns") else rows)
        return Searched(neighbors, self.temperature * nearest_distance_scale(neighbors))

    def _search_database(self, rows: NDArray) -> Searched:
        """Prepare the database for queries that are like the training rows."""
        neighbors = PrefixNeighbors() if self.neighbors is None else clone(self.neighbors)
        try:
            neighbors.fit(self.database)
        except (TypeError, ValueError) as error:
            reason = first_line(error).rstrip(":")
            raise ValueError(
                f"database cannot be searched ({reason}); give finite rows with the columns of X, "
                "or a folder of embed_to_parquet."
            ) from error
        if neighbors.n_features_in_ != rows.shape[1]:
            raise ValueError(
                f"database has {neighbors.n_features_in_} columns, but X has {rows.shape[1]}; give "
                "embeddings of the same models."
            )
        return Searched(neighbors, self.temperature * nearest_distance_scale(neighbors, rows))
