"""Neighbours in other groups are those that brute force finds."""

import numpy as np
import pytest

from sklearn_revdist import PrefixNeighbors
from sklearn_revdist.neighbors._other_groups import nearest_of_other_groups


def brute_force(rows, X, own, groups, *, metric, exclude):
    ranked = []
    for x, group in zip(X, own, strict=True):
        if metric == "cosine":
            norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(x)
            distances = 1 - rows @ x / norms
        else:
            distances = np.square(rows - x).sum(axis=1)
        order = np.lexsort((np.arange(len(rows)), distances))
        same = (rows == x).all(axis=1) & exclude
        kept = [row for row in order if groups[row] != group and not same[row]]
        ranked.append(kept + [-1] * (len(rows) - len(kept)))
    return np.array(ranked)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("exclude", ["identical", "none"])
def test_groups_and_identical_rows_are_left_out(rng, metric, exclude):
    rows, X = rng.normal(size=(60, 5)), rng.normal(size=(20, 5))
    X[3], X[4] = rows[7], 0.5 * rows[8]
    groups, own = rng.integers(0, 6, 60), rng.integers(0, 8, 20)
    own[3] = 7  # no row of the database
    neighbors = PrefixNeighbors(metric=metric, exclude=exclude).fit(rows)
    how = {"metric": metric, "exclude": exclude == "identical"}
    expected = brute_force(rows, X, own, groups, **how)
    assert (7 in expected[3]) == (exclude == "none")
    for n in (1, 4, 60):
        found = nearest_of_other_groups(neighbors, X, own, groups, n)
        np.testing.assert_array_equal(found, expected[:, :n])


def test_more_neighbours_than_rows_leave_places_empty(rng):
    rows = rng.normal(size=(4, 3))
    neighbors = PrefixNeighbors().fit(rows)
    found = nearest_of_other_groups(neighbors, rows, np.arange(4), np.arange(4), 6)
    assert (found[:, :3] >= 0).all()
    assert (found[:, 3:] == -1).all()
