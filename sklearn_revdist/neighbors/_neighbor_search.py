"""NeighborSearch: what estimators that search embeddings for neighbours share."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from ..matrix._prefixes import prefix_length
from ..matrix._rows import header
from ..utils._compat import Interval, StrOptions, validate_params
from ..utils._threads import n_blas_threads
from ._found import Nearest, Within
from ._index import Asked, Index
from ._levels import find_levels, scale_of_columns
from ._search import Search
from ._sources import ArrayRows, Rows, rows_of
from ._space import Space

COUNT, _FLAG = [Interval(Integral, 1, None, closed="left")], ["boolean"]

Found = TypeVar("Found", Nearest, Within)

# Numbers of the queries that are searched together, 128 MB in double precision.
_QUERIES_SIZE = 2**24


class NeighborSearch(BaseEstimator):
    """Base class of estimators that search rows; parameters are those of PrefixNeighbors."""

    _parameter_constraints: dict = {
        "n_neighbors": COUNT,
        "n_components": [Interval(Integral, 1, None, closed="left"), str, None],
        "prefixes": ["array-like", None],
        "level_scale": [StrOptions({"unit"}), "array-like", None],
        "metric": [StrOptions({"euclidean", "cosine"})],
        "exclude": [StrOptions({"identical", "none"})],
        "engine": [StrOptions({"exact", "faiss"})],
        "index": [str],
        "shortlist": COUNT,
        "n_jobs": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
    }

    def __init__(
        self,
        n_neighbors: int = 16,
        *,
        n_components: int | str | None = None,
        prefixes: ArrayLike | None = None,
        level_scale: str | ArrayLike | None = None,
        metric: str = "euclidean",
        exclude: str = "identical",
        engine: str = "exact",
        index: str = "HNSW32",
        shortlist: int = 10,
        n_jobs: int | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.n_components = n_components
        self.prefixes = prefixes
        self.level_scale = level_scale
        self.metric = metric
        self.exclude = exclude
        self.engine = engine
        self.index = index
        self.shortlist = shortlist
        self.n_jobs = n_jobs

    def _fit_rows(self, X: Any, n_labels: int | None = None) -> None:
        """Prepare the training rows; nothing is changed if they, or so many labels, are refused."""
        rows, names = rows_of(X, self)
        if n_labels is not None and n_labels != rows.n_rows:
            raise ValueError(
                f"y has {n_labels} labels, but X has {rows.n_rows} rows; give one for each."
            )
        needed = self.level_scale is not None or isinstance(self.n_components, str)
        levels = find_levels(self.prefixes, names, rows.n_columns, needed=needed)
        ends = np.array(list(levels.values()))
        scale = scale_of_columns(self.level_scale, ends.tolist(), rows)
        n_columns = prefix_length(self.n_components, list(levels), ends)
        index = self._prepared(rows, scale, n_columns)
        self._check_columns(X, names, reset=True)
        self.n_samples_fit_ = rows.n_rows
        self.model_names_, self.prefix_lengths_ = list(levels), ends
        self.level_scale_ = np.ones(len(ends)) if scale is None else scale[ends - 1]
        self._scale, self._index = scale, index

    @validate_params({"n_neighbors": [*COUNT, None], "return_distance": _FLAG})
    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find the nearest rows.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path, default=None
            Queries of shape (n_queries, n_features). None is the training rows, each without
            itself.
        n_neighbors : int, default=None
            Number of neighbours; None is that of the estimator.
        return_distance : bool, default=True
            Whether to return distances, too.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), float64
            Distances, ascending; only if `return_distance`.
        indices : ndarray of shape (n_queries, n_neighbors), int64
            Numbers of the training rows; of equally distant ones, the lower number is first.

        Raises
        ------
        ValueError
            If X does not have the columns of the fit, or there are fewer rows than `n_neighbors`
            without those that are left out.
        """
        asked = self._asked(X)
        n_neighbors = self.n_neighbors if n_neighbors is None else int(n_neighbors)
        self._check_count(n_neighbors, asked, are_own=X is None)
        distances, indices = self._nearest(asked, n_neighbors)
        short = np.flatnonzero(indices[:, -1] < 0)
        if len(short):
            n_found = np.count_nonzero(indices[short[0]] >= 0)
            raise ValueError(
                f"Row {short[0]} of X (counting from 0) has {n_found} neighbours "
                + (
                    "in the shortlist of faiss; raise `shortlist`."
                    if self._index.shortlist is not None
                    else f"that are not identical to it; lower n_neighbors={n_neighbors}, or set "
                    "exclude='none'."
                )
            )
        return (distances, indices) if return_distance else indices

    @validate_params({"radius": [Interval(Real, 0, None, closed="left")], "return_distance": _FLAG})
    def radius_neighbors(
        self, X: Any = None, *, radius: float, return_distance: bool = True
    ) -> Any:
        """Find all rows within a radius; always exactly.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path, default=None
            Queries of shape (n_queries, n_features). None is the training rows, each without
            itself.
        radius : float
            Largest distance.
        return_distance : bool, default=True
            Whether to return distances, too.

        Returns
        -------
        distances : ndarray of shape (n_queries,), object
            For each query an array of distances, ascending; only if `return_distance`.
        indices : ndarray of shape (n_queries,), object
            For each query an array of the numbers of training rows.

        Raises
        ------
        ValueError
            If X does not have the columns of the fit, or `radius` is negative.
        """
        asked = self._asked(X)
        parts = self._searched(asked, partial(Within, radius=float(radius)))
        distances, indices = zip(*(part.lists() for part in parts), strict=True)
        found = tuple(_ragged(chain.from_iterable(lists)) for lists in (distances, indices))
        return found if return_distance else found[1]

    @validate_params(
        {
            "n_neighbors": [*COUNT, None],
            "mode": [StrOptions({"connectivity", "distance"})],
        }
    )
    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> csr_matrix:
        """Compute the graph of the nearest rows.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path, default=None
            Queries, as for :meth:`kneighbors`.
        n_neighbors : int, default=None
            Number of neighbours; None is that of the estimator.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether entries are ones or distances.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_samples_fit), float64
            The entries of a row are in the order of their distances.
        """
        distances, indices = self.kneighbors(X, n_neighbors)
        n_queries, n_neighbors = indices.shape
        data = distances.ravel() if mode == "distance" else np.ones(indices.size)
        starts = np.arange(0, indices.size + 1, n_neighbors)
        return csr_matrix((data, indices.ravel(), starts), shape=(n_queries, self.n_samples_fit_))

    @property
    def _n_columns(self) -> int:
        """Number of columns that distances depend on."""
        return prefix_length(self.n_components, self.model_names_, self.prefix_lengths_)

    @property
    def _n_threads(self) -> int:
        return n_blas_threads() if self.n_jobs is None else effective_n_jobs(self.n_jobs)

    def _check_columns(self, X: Any, names: list[str] | None, *, reset: bool) -> None:
        """Keep the number and the names of columns, or check that they are those of the fit."""
        if isinstance(X, str | os.PathLike):
            X = pd.DataFrame(columns=names)
        validate_data(self, header(X), reset=reset, skip_check_array=True)

    def _prepared(self, rows: Rows, scale: NDArray[np.float64] | None, n_columns: int) -> Index:
        factory = self.index if self.engine == "faiss" else None
        if factory is not None and not isinstance(rows, ArrayRows):
            raise ValueError(
                "engine='faiss' needs rows in memory or in a memory map; give such, or set "
                "engine='exact'."
            )
        space = Space(
            n_columns, None if scale is None else scale[:n_columns], self.metric == "cosine"
        )
        return Index.of(rows, space, self.n_neighbors, self._n_threads, factory)

    def _check_count(self, n_neighbors: int, asked: Iterable[Asked], *, are_own: bool) -> None:
        """Refuse more neighbours than there are rows; errors in the queries come first."""
        n_rows = self.n_samples_fit_ - are_own
        if n_neighbors <= n_rows:
            return
        for some in asked:
            self._index.frame.queries(some.rows, some.own, some.first)
        raise ValueError(
            f"n_neighbors={n_neighbors} are more than the {n_rows} training rows"
            f"{' other than each itself' * are_own}; give at most as many."
        )

    def _asked(self, X: Any) -> Iterator[Asked]:
        """Check queries, and read some at a time."""
        check_is_fitted(self)
        rows = self._index.source
        if X is not None:
            rows, names = rows_of(X, self)
            self._check_columns(X, names, reset=False)
        return _asked(rows, are_own=X is None)

    def _left_out(
        self, rows: NDArray[np.int64], groups: NDArray[np.int64] | None, n_neighbors: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Nearest neighbours of training rows that are neither identical nor of the same group.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of the rows, ascending.
        groups : ndarray of shape (n_samples_fit,), int64, or None
            None is a group a row.
        n_neighbors : int

        Returns
        -------
        distances : ndarray of shape (n_rows, n_neighbors), float64
            Infinite where there are fewer.
        indices : ndarray of shape (n_rows, n_neighbors), int64
            -1 where there are fewer.
        """
        step = max(1, _QUERIES_SIZE // self.n_features_in_)
        own = rows if groups is None else groups[rows]
        source = self._index.source
        asked = (
            Asked(source.sample(rows[i : i + step]), own[i : i + step])
            for i in range(0, len(rows), step)
        )
        return self._nearest(asked, n_neighbors, skip_identical=True, groups=groups)

    def _nearest(
        self, asked: Iterable[Asked], n_neighbors: int, **how: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and numbers of the nearest rows; infinite and -1 where there are fewer."""
        parts = self._searched(asked, partial(Nearest, n_neighbors=n_neighbors), **how)
        return (
            np.concatenate([part.distances for part in parts]),
            np.concatenate([part.rows for part in parts]),
        )

    def _searched(
        self,
        asked: Iterable[Asked],
        made: Callable[[int], Found],
        *,
        skip_identical: bool | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> list[Found]:
        """Neighbours of some queries each."""
        n_columns = self._n_columns
        if n_columns != self._index.frame.space.n_columns:
            self._index = self._prepared(self._index.source, self._scale, n_columns)
        index, parts = self._index, []
        if skip_identical is None:
            skip_identical = self.exclude == "identical"
        search = Search(index.frame, self.n_samples_fit_, skip_identical, groups)
        for some in asked:
            found = made(len(some.rows))
            if index.shortlist is not None and isinstance(found, Nearest):
                index.search_listed(search, some, found, self.shortlist)
            else:
                index.search(search, some, found, self._n_threads)
            parts.append(found)
        return parts


def _asked(rows: Rows, are_own: bool) -> Iterator[Asked]:
    first = 0
    for part in rows.blocks(max(1, _QUERIES_SIZE // rows.n_columns)):
        numbers = np.arange(first, first + len(part))
        yield Asked(part, numbers if are_own else np.full(len(part), -1), first)
        first += len(part)


def _ragged(arrays: Iterable[NDArray]) -> NDArray:
    """An array of arrays, also if all are equally long."""
    given = list(arrays)
    ragged = np.empty(len(given), dtype=object)
    ragged[:] = given
    return ragged
