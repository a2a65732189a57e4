"""What blocks hold is merged to what all rows hold, in any order."""

import numpy as np
import pytest

from sklearn_revdist.neighbors._found import Nearest, Within


@pytest.fixture
def pairs(rng):
    """All pairs of 6 queries and 40 rows, many of which are equally far apart."""
    of, rows = (array.ravel() for array in np.indices((6, 40)))
    distances = rng.integers(0, 8, size=len(of)).astype(float)
    distances[of == 3] = np.inf  # distances that overflow
    return of, distances, rows


def parts(pairs, rng, n):
    """The pairs in any order, in parts."""
    order = rng.permutation(len(pairs[0]))
    return [tuple(values[part] for values in pairs) for part in np.array_split(order, n)]


@pytest.mark.parametrize("n_neighbors", [1, 5, 40])
def test_the_nearest_are_those_of_a_stable_sort(pairs, n_neighbors, rng):
    expected = np.argsort(pairs[1].reshape(6, 40), axis=1, kind="stable")[:, :n_neighbors]
    for n in (1, 2, 7, 100):
        found = Nearest(6, n_neighbors)
        for part in parts(pairs, rng, n):
            found.add(*part)
            found.add(*part)  # pairs may be there already
        apart = [Nearest(6, n_neighbors) for _ in range(n)]
        for each, part in zip(apart, parts(pairs, rng, n), strict=True):
            each.add(*part)
        for each in apart[1:]:
            apart[0].merge(each)
        for each in (found, apart[0]):
            np.testing.assert_array_equal(each.rows, expected)
            np.testing.assert_array_equal(
                each.distances, np.take_along_axis(pairs[1].reshape(6, 40), expected, axis=1)
            )


def test_there_may_be_too_few_rows():
    found = Nearest(2, 3)
    found.add(np.array([1, 1]), np.array([2.0, 1.0]), np.array([4, 8]))
    np.testing.assert_array_equal(found.rows, [[-1, -1, -1], [8, 4, -1]])
    np.testing.assert_array_equal(found.limits, [np.inf, np.inf])


def test_all_within_a_radius_are_listed_by_distance_and_number(pairs, rng):
    found = Within(6, 3)
    for part in parts(pairs, rng, 5):
        other = Within(6, 3)
        other.add(*part)
        found.merge(other)
    for i, (distances, rows) in enumerate(zip(*found.lists(), strict=True)):
        of_query = pairs[1][pairs[0] == i]
        order = np.argsort(of_query, kind="stable")[: (of_query <= 3).sum()]
        np.testing.assert_array_equal(rows, order)
        np.testing.assert_array_equal(distances, of_query[order])
