"""A search reads few numbers where bounds exclude rows, and little more than all elsewhere."""

import numpy as np
import pytest

from sklearn_revdist.neighbors._bounds import Frame
from sklearn_revdist.neighbors._found import Nearest
from sklearn_revdist.neighbors._search import Search, _Products
from sklearn_revdist.neighbors._space import Space

N_ROWS, N_COLUMNS = 20_000, 320


def costs(X, queries, stage, n_neighbors=8):
    """Share of the queries that a stage is too costly for, and share of the numbers it reads."""
    frame = Frame.of(X[::10], Space(N_COLUMNS), len(X))
    search, found = Search(frame, len(X)), Nearest(len(queries), n_neighbors)
    found.n_seen = len(X)
    which = np.arange(len(queries))
    asked = frame.queries(queries, np.full(len(queries), -1), 0)
    costly = search.add(asked, which, frame.prepare(X, 0), found, stage)
    return len(costly) / len(queries), sum(search.n_read) / (len(queries) * X.size)


def test_a_tenth_is_read_if_a_few_directions_hold_most_of_the_variance(rng):
    X = rng.normal(size=(N_ROWS, N_COLUMNS)) * np.arange(1, N_COLUMNS + 1) ** -1.5
    X = X.astype(np.float32)
    share_costly, share_read = costs(X[100:], X[:100], 0)
    assert share_costly < 0.1
    assert share_read < 0.12


def test_whole_rows_are_left_if_no_direction_is_better_than_others(rng):
    X = rng.normal(size=(N_ROWS, N_COLUMNS)).astype(np.float32)
    assert costs(X[100:], X[:100], 0)[0] == 1
    assert costs(X[100:], X[:100], 1)[0] == 1
    share_costly, share_read = costs(X[100:], X[:100], 2)
    assert share_costly == 0
    assert share_read < 1.01


@pytest.mark.parametrize("size", [1, 4, 64])
def test_the_best_products_are_those_of_a_sort(rng, size):
    n_rows = 64 * 40
    values = rng.normal(size=(n_rows, 3)).astype(np.float32)
    values[-5:] = -np.inf  # excluded
    products = _Products(values.copy(), size)
    for n in (1, 10, 500, n_rows):
        of, at = products.best(np.array([2, 0]), n)
        for query in (0, 2):
            expected = np.argsort(-values[:, query])[: min(n, n_rows - 5)]
            assert set(at[of == query]) == set(expected)
        assert not (of == 1).any()


@pytest.mark.parametrize("n_pairs", [1, 2**20])
def test_pairs_above_thresholds_are_all_found(rng, n_pairs, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.neighbors._search._N_PAIRS", n_pairs)
    values = rng.normal(size=(640, 4)).astype(np.float32)
    least = np.array([-1, 0, 2, np.inf], np.float32)
    products = _Products(values, 16)
    found = [pair for pairs in products.above(least) for pair in zip(*pairs, strict=True)]
    assert len(found) == len(set(found))
    assert set(found) == set(zip(*np.nonzero((values >= least).T), strict=True))
