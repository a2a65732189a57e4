"""Neighbours by comparing all rows in double precision."""

import numpy as np


def brute_force(X, queries, *, metric="euclidean", scale=1.0):
    """Distances of all pairs, from differences in double precision."""

    def points(rows):
        rows = np.asarray(rows, np.float64) * scale
        if metric == "cosine":
            rows = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
        return rows

    with np.errstate(over="ignore"):
        squares = ((points(X)[None] - points(queries)[:, None]) ** 2).sum(axis=-1)
    return squares / 2 if metric == "cosine" else np.sqrt(squares)


def excluded(distances, X, queries, own, exclude):
    """Distances, infinite for rows that are left out."""
    distances = distances.copy()
    if exclude == "identical":
        distances[(np.asarray(X)[None] == np.asarray(queries)[:, None]).all(axis=-1)] = np.inf
    if own is not None:
        distances[np.arange(len(own)), own] = np.inf
    return distances
