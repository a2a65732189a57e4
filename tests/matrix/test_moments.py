"""Moments add up in any order, in either form, to the rounding of float64."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_revdist.matrix._moments import (
    Moments,
    _block_rows,
    _symmetric,
    check_moments,
    select_columns,
    square,
)


def assert_equal_moments(left, right, rtol=1e-10):
    """Equal up to a relative tolerance in units of each column's spread."""
    spread = np.sqrt(np.diag(square(right)))
    sigma = spread / np.sqrt(right.weight)
    assert left.weight == pytest.approx(right.weight, rel=1e-12)
    np.testing.assert_array_less(np.abs(left.mean - right.mean), rtol * (sigma + 1e-300) + 1e-14)
    error = np.abs(square(left) - square(right))
    np.testing.assert_array_less(error, rtol * np.outer(spread, spread) + 1e-14)


def test_equal_to_numpy_with_and_without_weights(rng):
    X, weights = rng.normal(size=(300, 7)), rng.random(300)
    plain, weighted = Moments.of(X), Moments.of(X, weights)
    np.testing.assert_allclose(plain.scatter, 299 * np.cov(X.T), rtol=1e-12)
    np.testing.assert_allclose(weighted.mean, np.average(X, axis=0, weights=weights), rtol=1e-12)
    np.testing.assert_allclose(
        weighted.scatter, weights.sum() * np.cov(X.T, aweights=weights, ddof=0), rtol=1e-12
    )


@given(
    cuts=st.lists(st.integers(0, 200), max_size=6),
    seed=st.integers(0, 2**32 - 1),
    weighted=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_any_split_adds_up_to_the_whole(cuts, seed, weighted):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 5)) * rng.lognormal(size=5) + 100 * rng.normal(size=5)
    weights = rng.integers(0, 4, size=200) if weighted else None
    bounds = [0, *sorted(cuts), 200]
    total = Moments.zeros(5)
    for start, stop in pairwise(bounds):
        part = None if weights is None else weights[start:stop]
        part = Moments.of(X[start:stop], part)
        total = total + part if seed % 2 else part + total
    assert_equal_moments(total, Moments.of(X, weights))


def test_no_rows_are_the_neutral_element(rng):
    none, some = Moments.zeros(4), Moments.of(rng.normal(size=(9, 4)))
    assert (none.weight, none.root.shape, none.scatter) == (0.0, (0, 4), None)
    np.testing.assert_array_equal(none.mean, np.zeros(4), strict=True)
    assert none + some is some
    assert some + none is some
    assert vars(Moments.of(np.empty((0, 4)))).keys() == vars(none).keys()
    assert Moments.of(np.ones((3, 4)), np.zeros(3)).weight == 0.0


@pytest.mark.parametrize(
    ("n_features", "n_rows"),
    [(1, 2**17), (100, 1310), (300, 600), (1000, 2000), (2720, 771), (10_400, 256)],
)
def test_blocks_are_twice_as_tall_as_wide_within_bounds(n_features, n_rows):
    """1 MB of few columns, and of many 16 MB, are the bounds."""
    assert _block_rows(n_features) == n_rows


def test_moments_have_a_root_or_a_scatter():
    for parts in ({}, {"root": np.ones((1, 2)), "scatter": np.ones((2, 2))}):
        with pytest.raises(ValueError, match=r"^Moments have a root or a scatter, not both; use M"):
            Moments(1.0, np.zeros(2), **parts)


@pytest.mark.parametrize("n_samples", [3, 300])
def test_squares_that_overflow_are_refused_by_column(n_samples, rng):
    X = rng.normal(size=(n_samples, 4))
    X[:, 2] *= 1e200
    message = r"^Numbers of column 2 \(counting .* drop these rows, or scale the columns\.$"
    with pytest.raises(ValueError, match=message):
        Moments.of(X)


def test_objects_that_are_numbers_are_rows_of_numbers(rng):
    """As columns with gaps have them; of text and other things nothing is made."""
    X = rng.normal(size=(30, 3))
    np.testing.assert_array_equal(Moments.of(X.astype(object)).scatter, Moments.of(X).scatter)
    for wrong in ("MKT", object()):
        rows = X.astype(object)
        rows[4, 1] = wrong
        with pytest.raises(
            ValueError, match=r"^X must be a matrix of real .* \(30, 3\) and .* obj"
        ):
            Moments.of(rows)
    with pytest.raises(ValueError, match=r"^X must be .* \(3,\) .* give one row per embedding\.$"):
        Moments.of(X[0])


@pytest.mark.parametrize("weighted", [False, True])
def test_tensors_on_cuda_are_summed_there(weighted, rng, monkeypatch):
    """Here on the CPU, in their stead."""
    monkeypatch.setattr("sklearn_revdist.matrix._moments.on_cuda", torch.is_tensor)
    X = rng.normal(size=(3, 4)) + 10  # of which an array would keep the rows
    weights = rng.random(3) if weighted else None
    moments = Moments.of(torch.from_numpy(X), weights)
    assert moments.root is None
    assert_equal_moments(moments, Moments.of(X, weights))
    with pytest.raises(ValueError, match="sample_weight must be 3 finite numbers"):
        Moments.of(torch.from_numpy(X), -np.ones(3))


@pytest.mark.parametrize("weight", [1.0, 1e8])
def test_the_spread_of_rounding_is_none(weight):
    mean = np.full(2, 1e5 / 3)
    rounding = np.finfo(float).eps * mean * np.sqrt(weight)
    spread = rounding * [10, 20]
    scale = Moments(weight, mean, scatter=np.diag(spread**2)).scale()
    np.testing.assert_allclose(scale, [0, spread[1]])


def test_a_constant_that_was_merged_is_constant_still(rng):
    """Rounding of the mean adds up, and is no spread."""
    for value in (1 / 3, 1e12 / 3, -0.1):
        total = Moments.zeros(2)
        for n_rows in rng.integers(1, 40, size=300):
            total += Moments.of(np.c_[np.full(n_rows, value), rng.normal(size=n_rows)])
        scale = total.scale()
        assert scale[0] == 0.0 < scale[1]


def test_other_things_are_not_moments(rng):
    with pytest.raises(
        TypeError, match=r"^moments must be Moments, .* type ndarray; make them .* Moments\.of\.$"
    ):
        check_moments(np.ones(3))
    with pytest.raises(TypeError, match="unsupported operand"):
        Moments.zeros(3) + np.ones(3)


def test_the_form_follows_the_number_of_rows(rng):
    X = rng.normal(size=(30, 10))
    parts = [Moments.of(X[start : start + 3]) for start in range(0, 30, 3)]
    total = sum(parts[1:], start=parts[0])
    assert all(part.root.shape == (3, 10) for part in parts)
    assert Moments.of(X[:10]).root.shape == (10, 10)
    assert Moments.of(X[:11]).root is None
    assert (parts[0] + parts[1]).root.shape == (7, 10)
    assert (Moments.of(X[:5]) + Moments.of(X[:4])).root.shape == (10, 10)
    assert (Moments.of(X[:5]) + Moments.of(X[:5])).root is None
    assert total.root is None
    assert total.scatter.shape == (10, 10)
    assert_equal_moments(total, Moments.of(X))


def test_integer_weights_count_rows(rng):
    X, counts = rng.normal(size=(60, 4)), rng.integers(0, 4, size=60)
    assert_equal_moments(Moments.of(X, counts), Moments.of(np.repeat(X, counts, axis=0)))


def test_many_blocks_equal_one_block(rng, monkeypatch):
    X, weights = rng.normal(size=(3000, 6)) + 1e4, rng.random(3000)
    weights[:600] = 0  # two whole blocks of nothing
    at_once = Moments.of(X, weights)
    monkeypatch.setattr("sklearn_revdist.matrix._moments._BLOCK_SIZE", 1)
    assert_equal_moments(Moments.of(X, weights), at_once)


def test_a_mean_of_ten_thousand_sigma_costs_no_digits(rng):
    centred = rng.normal(size=(5000, 3))
    centred -= centred.mean(axis=0)
    offset = np.array([1e4, -1e4, 0.0])
    # Rounding of the data themselves is 1e-12 sigma; nothing may be lost beyond it.
    assert_equal_moments(
        Moments.of(centred + offset),
        Moments(5000.0, offset, scatter=centred.T @ centred),
        rtol=2e-12,
    )


def test_float32_input_is_summed_in_float64(rng):
    X = (rng.normal(size=(20_000, 3)) + 1000).astype(np.float32)
    assert_equal_moments(Moments.of(X), Moments.of(X.astype(np.float64)), rtol=1e-15)


def test_scatter_is_exactly_symmetric(rng):
    moments = Moments.of(rng.normal(size=(500, 40)), rng.random(500))
    moments += Moments.of(rng.normal(size=(100, 40)))
    np.testing.assert_array_equal(moments.scatter, moments.scatter.T)


@pytest.mark.parametrize("size", range(1, 10))
def test_a_matrix_is_mirrored_square_by_square(size, rng, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.matrix._moments._SQUARE", 3)
    matrix = rng.normal(size=(size, size))
    matrix += matrix.T
    upper = np.asfortranarray(np.triu(matrix))
    np.testing.assert_array_equal(_symmetric(upper), matrix)


def test_leading_columns_are_the_moments_of_those_columns(rng):
    for X in (rng.normal(size=(100, 6)), rng.normal(size=(5, 6))):
        for n_features in (2, 6):
            leading = Moments.of(X).leading(n_features)
            assert_equal_moments(leading, Moments.of(X[:, :n_features]))
    with pytest.raises(ValueError, match=r"^n_features=7 is more than the 6 there are\.$"):
        Moments.of(X).leading(7)


@pytest.mark.parametrize("n_samples", [5, 100])
@pytest.mark.parametrize("columns", [slice(1, 4), np.array([0, 3, 5])])
def test_selected_columns_are_the_moments_of_those_columns(columns, n_samples, rng):
    X = rng.normal(size=(n_samples, 6))
    moments = Moments.of(X)
    selected = select_columns(moments, columns)
    assert (selected.root is None) == (moments.root is None)
    assert_equal_moments(selected, Moments.of(X[:, columns]))
    np.testing.assert_array_equal(square(selected), square(selected).T)


@pytest.mark.parametrize("n_samples", [5, 100])
def test_the_square_is_the_second_moment_of_either_form(n_samples, rng):
    X = rng.normal(size=(n_samples, 6))
    expected = (n_samples - 1) * np.cov(X.T)
    np.testing.assert_allclose(square(Moments.of(X)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e12 / 3])
def test_constant_columns_have_no_scale(value, rng):
    X = rng.normal(size=(1001, 2))
    X[:, 0] = value
    scale = Moments.of(X).scale()
    assert scale[0] == 0.0
    assert scale[1] > 0.0


def test_the_input_is_left_as_it_was(rng):
    X, weights = rng.normal(size=(20, 3)), rng.random(20)
    copies = X.copy(), weights.copy()
    left = Moments.of(X, weights)
    before = left.scatter.copy()
    left + left
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(weights, copies[1])
    np.testing.assert_array_equal(left.scatter, before)


def test_moments_of_different_columns_do_not_add():
    with pytest.raises(ValueError, match=r"3 columns and of 4 columns .* both the same columns\.$"):
        Moments.zeros(3) + Moments.zeros(4)


def test_blocks_of_unlike_means_and_weights_cost_no_digits(rng, monkeypatch):
    """Light rows far away come first, so that what follows is measured from afar."""
    monkeypatch.setattr("sklearn_revdist.matrix._moments._CACHED_SIZE", 1)
    X = rng.normal(size=(2000, 3))
    X[:256] += 1e4
    weights = np.r_[np.full(256, 1e-9), np.ones(1744)]
    total = Moments.of(X, weights)
    weight, mean = weights.sum(), np.average(X, axis=0, weights=weights)
    centred = (X - mean) * np.sqrt(weights)[:, np.newaxis]
    assert_equal_moments(total, Moments(weight, mean, scatter=centred.T @ centred), rtol=1e-11)
