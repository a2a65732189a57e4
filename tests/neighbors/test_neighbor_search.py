"""Searches that leave out groups and identical rows find what brute force finds."""

import numpy as np
import pytest
from brute_force import brute_force

from sklearn_revdist import PrefixNeighbors
from sklearn_revdist.neighbors._groups import find_groups
from sklearn_revdist.neighbors._index import Asked


def ranked_rows(rows, X, own, groups, *, metric, exclude):
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
    expected = ranked_rows(rows, X, own, groups, **how)
    assert (7 in expected[3]) == (exclude == "none")
    for n in (1, 4, 60):
        _, found = neighbors._nearest([Asked(X, own)], n, groups=groups)
        np.testing.assert_array_equal(found, expected[:, :n])


def test_more_neighbours_than_rows_leave_places_empty(rng):
    rows = rng.normal(size=(4, 3))
    neighbors = PrefixNeighbors().fit(rows)
    _, found = neighbors._nearest([Asked(rows, np.arange(4))], 6, groups=np.arange(4))
    assert (found[:, :3] >= 0).all()
    assert (found[:, 3:] == -1).all()


@pytest.mark.parametrize("engine", ["exact", "faiss"])
def test_fewer_rows_than_wanted_are_no_error(engine, rng):
    if engine == "faiss":
        pytest.importorskip("faiss")
    X = rng.normal(size=(12, 3))
    X[6:10] = X[5]
    nn = PrefixNeighbors(3, engine=engine, index="Flat").fit(X)
    for queries, left in ((X[5:6], 7), (X[:1], 11), (X[:1] + 1, 12)):
        distances, rows = nn._nearest(nn._asked(queries), 14)
        found, found_rows = nn.kneighbors(queries, left)
        np.testing.assert_array_equal(rows[:, :left], found_rows)
        np.testing.assert_array_equal(distances[:, :left], found)
        assert (rows[:, left:] == -1).all()
        assert np.isinf(distances[:, left:]).all()
        assert rows.shape == distances.shape == (1, 14)
    for found, expected in zip(nn._nearest(nn._asked(X), 3), nn.kneighbors(X), strict=True):
        np.testing.assert_array_equal(found, expected)


def same(numbers):
    return np.equal.outer(numbers, numbers)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_neighbours_in_other_groups_are_those_of_brute_force(metric, rng, small):
    X = rng.normal(size=(50, 6))
    sizes = np.repeat(np.arange(6), [26, 8, 1, 5, 7, 3])  # one is more than half of all
    X += 5 * rng.normal(size=(6, 6))[sizes]  # and all are apart
    X[40:] = X[:10]
    nn = PrefixNeighbors(5, n_components="level0", prefixes=[4, 6], level_scale="unit")
    nn.set_params(metric=metric).fit(X)
    groups = find_groups(X[:, :4], sizes)
    distances = brute_force(X[:, :4], X[:, :4], metric=metric, scale=nn.level_scale_[0])
    distances[same(groups)] = np.inf
    for k in (3, 19):
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        found, rows = nn._left_out(np.arange(50), groups, k)
        expected = np.take_along_axis(distances, order, axis=1)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(rows, np.where(np.isinf(expected), -1, order))


def test_a_single_group_has_no_others(rng):
    X = rng.normal(size=(7, 3))
    distances, rows = PrefixNeighbors().fit(X)._left_out(np.arange(7), np.zeros(7, int), 4)
    assert (rows == -1).all()
    assert np.isinf(distances).all()
