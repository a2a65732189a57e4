"""PrefixNeighbors: the nearest rows in embeddings, found exactly or with faiss."""

from typing import Any, Self

from scipy.sparse import csr_matrix
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..utils._compat import _fit_context
from ._neighbor_search import NeighborSearch


class PrefixNeighbors(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NeighborSearch):
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
        self._fit_rows(X)
        return self

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
