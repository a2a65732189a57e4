"""Distances are those of two rows alone, bit for bit."""

import numpy as np
import pytest
from brute_force import brute_force

from sklearn_revdist.neighbors import _space
from sklearn_revdist.neighbors._space import Space


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_columns", [1, 7, 8, 9, 130, 1280])
def test_distances_are_those_of_all_pairs_at_once_in_any_chunks(
    metric, dtype, n_columns, monkeypatch
):
    rng = np.random.default_rng(n_columns)
    rows = (rng.normal(size=(40, n_columns + 2)) + 30).astype(dtype)
    scale = rng.uniform(0.5, 2, size=n_columns)
    space = Space(n_columns, scale, metric == "cosine")
    of, at = (array.ravel() for array in np.indices((5, 40)))
    expected = brute_force(rows[:, :n_columns], rows[:5, :n_columns], metric=metric, scale=scale)
    for size in (1, 100, 2**17):
        monkeypatch.setattr(_space, "_CHUNK_SIZE", size)
        found = space.distances(rows, at, space.points(rows[:5]), of)
        np.testing.assert_array_equal(found.reshape(5, 40), expected)


def test_the_cosine_distance_is_one_minus_the_cosine(rng):
    rows = rng.normal(size=(10, 6))
    space = Space(6, None, True)
    of, at = (array.ravel() for array in np.indices((10, 10)))
    found = space.distances(rows, at, space.points(rows), of).reshape(10, 10)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(found, 1 - units @ units.T, rtol=0, atol=1e-15)
    assert not found.diagonal().any()
