"""PrefixNeighbors: the nearest rows in embeddings, found exactly or with faiss."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from numbers import Integral, Real
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..matrix._dask import header
from ..matrix._prefixes import prefix_length
from ..utils._compat import Interval, StrOptions, _fit_context, validate_params
from ..utils._threads import n_blas_threads
from ._found import Nearest, Within
from ._index import Asked, Index
from ._levels import find_levels, scale_of_columns
from ._search import Search
from ._sources import ArrayRows, Rows, rows_of
from ._space import Space

_COUNT, _FLAG = [Interval(Integral, 1, None, closed="left")], ["boolean"]

Found = TypeVar("Found", Nearest, Within)

# Numbers of the queries that are searched together, 128 MB in double precision.
_QUERIES_SIZE = 2**24


class PrefixNeighbors(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Nearest neighbours in nested embeddings, by all columns or by a prefix.

    The neighbours are those that comparing all rows in double precision finds, in the order of
    their distances and, if these are equal, of their row numbers. Most rows are excluded by bounds
    of their distances, so that a search reads a small part of the numbers.

    As a transformer it returns the graph of neighbours, which scikit-learn's estimators take with
    ``metric="precomputed"``.

    Read more in the :ref:`User Guide <neighbors>`.

    Parameters
    ----------
    n_neighbors : int, default=16
        Number of neighbours.

    n_components : int or str, default=None
        Prefix to search: a number of columns, or the model at which it ends. None is all columns. A
        change needs no new fit.

    prefixes : array-like of int, default=None
        Numbers of columns at which the levels end, one for each model, the last being all columns.
        None reads them from the column names (use ``set_output(transform="pandas")`` on the
        distiller) or takes them from the widths of ESM-2. They matter for `level_scale` and for
        models as `n_components`; exact search does not need them.

    level_scale : "unit" or array-like of float, default=None
        How much levels count. None leaves the columns as they are. "unit" divides the columns of a
        level by the square root of the sum of their variances (of at most 16,384 rows, evenly
        apart). Or a factor for each level.

    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance of the columns in use. The cosine distance is 1 minus the cosine.

    exclude : {"identical", "none"}, default="identical"
        Which rows are not taken for neighbours: those identical to the query in the columns in
        use, so that labels cannot leak through duplicates, or none. The training rows themselves
        (``X=None``) are never their own neighbours.

    engine : {"exact", "faiss"}, default="exact"
        "faiss" lists rows that may be near and computes their distances; it may miss neighbours. It
        needs the extra ``faiss`` and rows in memory or in a memory map.

    index : str, default="HNSW32"
        What faiss builds, as for ``faiss.index_factory``, over the principal coordinates with most
        of the variance.

    shortlist : int, default=10
        Number of rows that faiss lists for each neighbour.

    n_jobs : int, default=None
        Number of threads. None is that of BLAS. Results do not depend on it.

    Attributes
    ----------
    n_samples_fit_ : int
        Number of training rows.

    model_names_ : list of str
        Models of the levels; ``level0`` and so on if they are not known.

    prefix_lengths_ : ndarray of shape (n_levels,), int64
        Number of columns up to and including each level.

    level_scale_ : ndarray of shape (n_levels,), float64
        Factor of each level.

    n_features_in_ : int
        Number of columns seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    ReverseDistiller : Computes nested embeddings.
    sklearn.neighbors.NearestNeighbors : The same for any metric.

    Notes
    -----
    A distance is the root of the sum of squared differences in double precision, or, for the
    cosine, half the sum for rows of unit length. It depends on the two rows alone, so that blocks,
    threads and workers change nothing.

    Bounds are scalar products in single precision of the first few principal coordinates, and of
    the lengths of what is left, with the largest possible rounding error. If they exclude too few
    rows, as for data without structure, products of whole rows take their place.

    Rows may be an array, a memory map, a dask array or data frame, or a folder that
    :func:`embed_to_parquet` has written. Beside an array, about a fifth of it is kept in memory; of
    a memory map at most 0.5 GB; the rest is read anew for each search. Workers of dask search the
    blocks that they hold.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import PrefixNeighbors
    >>> X = np.random.default_rng(0).normal(size=(100, 8)) * [4, 4, 4, 4, 1, 1, 1, 1]
    >>> neighbors = PrefixNeighbors(n_neighbors=3, prefixes=[4, 8]).fit(X)
    >>> distances, indices = neighbors.kneighbors(X[:1])
    >>> indices
    array([[49,  4, 56]])

    By the first four columns, without another fit:

    >>> neighbors.set_params(n_components=4).kneighbors(X[:1], return_distance=False)
    array([[49, 56, 90]])
    """

    _parameter_constraints: dict = {
        "n_neighbors": _COUNT,
        "n_components": [Interval(Integral, 1, None, closed="left"), str, None],
        "prefixes": ["array-like", None],
        "level_scale": [StrOptions({"unit"}), "array-like", None],
        "metric": [StrOptions({"euclidean", "cosine"})],
        "exclude": [StrOptions({"identical", "none"})],
        "engine": [StrOptions({"exact", "faiss"})],
        "index": [str],
        "shortlist": _COUNT,
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: object = None) -> Self:
        """Prepare the training rows.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Rows of shape (n_samples, n_features). They are not copied, so they should not be
            changed while they are searched.
        y : Ignored
            Present by scikit-learn's convention.

        Returns
        -------
        self : PrefixNeighbors
            The fitted estimator.

        Raises
        ------
        ValueError
            If X is not finite, its columns are out of order, or a parameter does not fit them.
        ImportError
            If `engine` is "faiss" and faiss is not installed; the message names the extra.
        """
        rows, names = rows_of(X, self)
        needed = self.level_scale is not None or isinstance(self.n_components, str)
        levels = find_levels(self.prefixes, names, rows.n_columns, needed=needed)
        scale = scale_of_columns(self.level_scale, levels, rows)
        n_columns = prefix_length(self.n_components, levels.names, levels.ends)
        index = self._prepared(rows, scale, n_columns)
        self._check_columns(X, names, reset=True)
        self.n_samples_fit_ = rows.n_rows
        self.model_names_, self.prefix_lengths_ = levels
        self.level_scale_ = np.ones(len(levels.ends)) if scale is None else scale[levels.ends - 1]
        self._scale, self._index = scale, index
        return self

    @validate_params({"n_neighbors": [*_COUNT, None], "return_distance": _FLAG})
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
            "n_neighbors": [*_COUNT, None],
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

    def transform(self, X: Any) -> csr_matrix:
        """Compute the graph of distances that scikit-learn takes with ``metric="precomputed"``.

        It has one neighbour more than `n_neighbors`, as that of
        :class:`sklearn.neighbors.KNeighborsTransformer`, whose graph it equals with
        ``exclude="none"``. Estimators that ask for neighbours of the training rows, such as
        :class:`sklearn.manifold.TSNE`, expect each row to be its own nearest neighbour in the
        graph, and so need ``exclude="none"``.

        Parameters
        ----------
        X : array-like, Tensor, memory map, dask collection or path
            Queries of shape (n_queries, n_features).

        Returns
        -------
        graph : csr_matrix of shape (n_queries, n_samples_fit), float64
        """
        check_is_fitted(self)
        return self.kneighbors_graph(X, self.n_neighbors + 1, mode="distance")

    @property
    def _n_features_out(self) -> int:
        return self.n_samples_fit_

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

    def _nearest(
        self, asked: Iterable[Asked], n_neighbors: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and row numbers; infinity and -1 where a query has fewer neighbours."""
        parts = self._searched(asked, partial(Nearest, n_neighbors=n_neighbors))
        distances, rows = zip(*((part.distances, part.rows) for part in parts), strict=True)
        return np.concatenate(distances), np.concatenate(rows)

    def _searched(self, asked: Iterable[Asked], made: Callable[[int], Found]) -> list[Found]:
        """Neighbours of some queries each."""
        n_columns = prefix_length(self.n_components, self.model_names_, self.prefix_lengths_)
        if n_columns != self._index.frame.space.n_columns:
            self._index = self._prepared(self._index.source, self._scale, n_columns)
        index, parts = self._index, []
        search = Search(index.frame, self.n_samples_fit_, self.exclude == "identical")
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
    for i, array in enumerate(given):
        ragged[i] = array
    return ragged
