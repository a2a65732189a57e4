"""Votes: neighbours, as far as there are any, weighted by their distances.

The weight of a neighbour at distance d is proportional to ``exp(-d / bandwidth)``, as in Retrieved
Sequence Augmentation [1]_, where the bandwidth is 1. Distances of embeddings have no unit, so
bandwidths are given as multiples of the distance that is usual between nearest neighbours.

.. [1] Ma, C. et al. (2024). Retrieved Sequence Augmentation for Protein Representation Learning.
   EMNLP 2024, https://arxiv.org/abs/2302.12563.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ._index import Asked
from ._neighbor_search import NeighborSearch
from ._sources import evenly

# Training rows whose nearest neighbours say what distance is usual.
_N_SAMPLED = 2048


class Voters(NamedTuple):
    """Neighbours of queries, nearest first, and which of them vote.

    Attributes
    ----------
    distances, weights : ndarray of shape (n_queries, n_neighbors), float64
        Infinite, and zero, where there are fewer. Weights of a query sum to 1, or are zero if none
        votes.
    rows : ndarray of shape (n_queries, n_neighbors), int64
        Numbers of training rows; -1 where there are fewer.
    votes : ndarray of shape (n_queries, n_neighbors), bool
    """

    distances: NDArray[np.float64]
    rows: NDArray[np.int64]
    votes: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def mean_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted means of what voters have; the mean of all if a query has none.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns), float64
            A row for each of those that were searched.

        Returns
        -------
        means : ndarray of shape (n_queries, n_columns), float64
        """
        of, rank = np.nonzero(self.votes)
        pairs = (self.weights[of, rank], (of, self.rows[of, rank]))
        means = csr_matrix(pairs, (len(self.rows), len(values))) @ values
        means[~self.weights.any(axis=1)] = values.mean(axis=0)
        return means


def vote_weights(distances: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Weights of neighbours, proportional to ``exp(-distance / bandwidth)``.

    Parameters
    ----------
    distances : ndarray of shape (n_queries, n_neighbors), float64
        Infinite where there is no neighbour; its weight is zero.
    bandwidth : float
        Infinity weighs all neighbours alike, 0 those at the least distance.

    Returns
    -------
    weights : ndarray of shape (n_queries, n_neighbors), float64
        Rows sum to 1, or are zero where there is no neighbour at all.
    """
    found = np.isfinite(distances)
    least = np.min(distances, axis=1, keepdims=True, where=found, initial=np.inf)
    excess = np.subtract(distances, least, out=np.zeros(distances.shape), where=found)
    weights = (found & (excess == 0)).astype(np.float64)
    if bandwidth > 0:
        with np.errstate(over="ignore"):  # of a tiny bandwidth
            np.exp(-excess / bandwidth, out=weights, where=found)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1)


def nearest_distance_scale(neighbors: NeighborSearch, rows: NDArray | None = None) -> float:
    """Median distance of rows, at most 2,048 of them, to their nearest neighbour.

    Parameters
    ----------
    neighbors : NeighborSearch
        Fitted.
    rows : ndarray of shape (n_rows, n_features), default=None
        None is the training rows.

    Returns
    -------
    scale : float
        Rows that are identical are not neighbours, whatever `exclude` says. 1.0 if there are no
        others, or the median is zero.
    """
    if rows is None:
        sampled = evenly(neighbors.n_samples_fit_, _N_SAMPLED)
        distances, _ = neighbors._left_out(sampled, None, 1)
    else:
        sampled = rows[evenly(len(rows), _N_SAMPLED)]
        asked = Asked(sampled, np.full(len(sampled), -1))
        distances, _ = neighbors._nearest([asked], 1, skip_identical=True)
    return usual_distance(distances[:, 0])


def usual_distance(nearest: NDArray[np.float64]) -> float:
    """Median of the finite distances; 1.0 if there are none, or it is zero."""
    nearest = nearest[np.isfinite(nearest)]
    return float(np.median(nearest)) or 1.0 if len(nearest) else 1.0
