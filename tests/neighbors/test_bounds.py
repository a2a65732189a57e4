"""Bounds exclude no row that is near enough, and most of the others."""

import numpy as np
import pytest
from brute_force import brute_force

from sklearn_revdist.neighbors._bounds import Frame, Queries
from sklearn_revdist.neighbors._space import Space


def frame_of(space, basis, lengths, plain=None):
    return Frame(space, np.zeros(space.n_columns), 1.0, basis, lengths, plain)


def left(frame, rows, asked, distances, stage):
    """Which rows the bounds leave at these distances of a query."""
    block = frame.prepare(rows, 0)
    queries = frame.queries(asked, np.full(len(asked), -1), 0)
    dtype = np.float32 if stage < len(frame.lengths) else frame.dtype
    products = np.empty((len(rows), len(asked)), dtype)
    frame.products(queries, stage, block, products)
    return np.array(
        [
            product >= frame.thresholds(query, distance, stage)[0]
            for i in range(len(asked))
            for query in [Queries(*(values[[i]] for values in queries))]
            for product, distance in zip(products[:, i], distances[i], strict=True)
        ]
    ).reshape(len(asked), len(rows))


@pytest.mark.parametrize("offset", [0, 1e-5, 1, 300])
@pytest.mark.parametrize("scale", [1e-6, 1, 1e5])
def test_a_row_is_left_at_its_own_distance_even_if_the_bound_is_that_distance(rng, offset, scale):
    # the same head and rests on one line, so that the bound by Cauchy and Schwarz is equal to it
    line = np.zeros((200, 40), np.float32)
    line[:, 30] = scale * (offset + rng.random(200))
    basis = np.eye(40)[:, :20]
    distances = brute_force(line, line[:50])
    for plain in (None, line.dtype):
        frame = frame_of(Space(40), basis, (5, 20), plain)
        for stage in (0, 1, 2):
            assert left(frame, line, line[:50], distances, stage).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [1, 1e10, 1e20])
def test_rows_and_queries_far_away_are_left(rng, dtype, far):
    X = rng.normal(size=(300, 64)).astype(dtype)
    X[3] *= far
    asked = np.concatenate([X[:20], far * X[20:40]]).astype(dtype)
    frame = Frame.of(X[50:], Space(64), 10_000)
    assert frame.lengths == (30,)
    distances = brute_force(X, asked)
    for stage in (0, 1):
        assert left(frame, X, asked, distances, stage).all()


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_most_rows_that_are_farther_away_are_excluded(rng, power):
    X = rng.normal(size=(2000, 100)) * np.arange(1, 101) ** -power
    X = (X @ np.linalg.qr(rng.normal(size=(100, 100)))[0]).astype(np.float32)
    frame = Frame.of(X, Space(100), 10_000)
    distances = brute_force(X, X[:20])
    limits = np.broadcast_to(np.sort(distances, axis=1)[:, 20:21], distances.shape)
    n_left = left(frame, X, X[:20], limits, 0).sum(axis=1)
    assert (n_left >= 21).all()
    assert n_left.mean() < (500 if power == 1 else 40)
    # whole rows differ from the distances by rounding alone
    assert (left(frame, X, X[:20], limits, 1).sum(axis=1) < 23).all()


def test_directions_are_those_of_the_most_variance_and_orthonormal(rng):
    spread = np.repeat([10.0, 1.0], [29, 71])
    turn = np.linalg.qr(rng.normal(size=(100, 100)))[0]
    X = (rng.normal(size=(2000, 100)) * spread) @ turn + 50
    frame = Frame.of(X, Space(100), 10_000)
    np.testing.assert_allclose(frame.basis.T @ frame.basis, np.eye(30), rtol=0, atol=1e-13)
    kept = np.square(turn[:29] @ frame.basis).sum(axis=1)
    assert (kept > 0.99).all()


def test_rows_near_the_origin_are_multiplied_as_they_are_and_others_centred(rng):
    X = rng.normal(size=(100, 50)).astype(np.float32)
    for dtype in (np.float32, np.float64):
        assert Frame.of(X.astype(dtype), Space(50), 100).plain == dtype
    for rows, space in (
        (X + np.float32(100), Space(50)),
        (X.astype(np.float16), Space(50)),
        (X, Space(50, np.ones(50))),
        (X, Space(50, None, True)),
        (X * np.float32(1e-20), Space(50)),
    ):
        assert Frame.of(rows, space, 100).plain is None


@pytest.mark.parametrize(
    ("value", "metric", "message"),
    [
        (np.nan, "euclidean", "X has NaN in row 7, column"),
        (np.inf, "cosine", "X has infinity in row 7, column"),
        (1e200, "euclidean", "squares overflow, in row 7"),
        (0, "cosine", "a row of zeros, which has no direction, in row 7"),
    ],
)
def test_a_row_without_a_distance_is_named(rng, value, metric, message):
    X = rng.normal(size=(20, 5))
    wrong = X.copy()
    wrong[7] = value
    space = Space(5, None, metric == "cosine")
    frame = Frame.of(X, space, 20)
    for call in (
        lambda: frame.prepare(wrong, 0),
        lambda: Frame.of(wrong, space, 20).prepare(wrong, 0),
        lambda: Frame.of(wrong[7:8], space, 20).prepare(wrong, 0),
        lambda: frame.prepare(wrong[5:], 5),
        lambda: frame.queries(wrong[5:], np.full(15, -1), 5),
    ):
        with pytest.raises(ValueError, match=message):
            call()
