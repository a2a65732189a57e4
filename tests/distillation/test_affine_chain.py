"""The map level by level is the map in one piece."""

import pickle

import numpy as np
import pytest

from sklearn_revdist import Moments
from sklearn_revdist.distillation._affine_chain import AffineChain
from sklearn_revdist.distillation._chain import solve_chain

DIMS = [5, 8, 14]


@pytest.fixture
def X(rng):
    X = rng.normal(size=(9000, sum(DIMS))) @ rng.normal(size=(sum(DIMS), sum(DIMS)))
    return X + 300 * rng.normal(size=X.shape[1])


@pytest.fixture
def moments(X):
    return Moments.of(X)


@pytest.fixture
def chain(moments):
    levels = solve_chain(moments, DIMS, [3, 6], regressor="ridge")
    return AffineChain(DIMS, moments.mean, levels)


def test_the_whole_map_is_block_lower_triangular_and_starts_with_the_identity(chain):
    assert chain.prefix_lengths.tolist() == [5, 8, 14]
    np.testing.assert_array_equal(chain.components[:5], np.eye(5, 27))
    assert not chain.components[5:8, 13:].any()
    # Nesting what was reconstructed gives the nested columns back.
    np.testing.assert_allclose(chain.reconstruction @ chain.components.T, np.eye(14), atol=1e-10)


def test_level_by_level_equals_the_product_with_the_whole_map(X, chain):
    expected = (X - chain.mean) @ chain.components.T + chain.offset
    np.testing.assert_allclose(chain.transform(X, 14), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_components", [1, 5, 6, 8, 13])
def test_columns_do_not_depend_on_how_many_are_asked_for(dtype, n_components, X, chain):
    X = X.astype(dtype)
    shorter = chain.transform(X, n_components)
    assert shorter.dtype == dtype
    np.testing.assert_array_equal(shorter, chain.transform(X, 14)[:, :n_components])


@pytest.mark.parametrize("n_components", range(1, 10))
def test_models_that_add_nothing_are_passed_over(n_components, X, moments):
    n_new = [0, 4]
    levels = solve_chain(moments, DIMS, n_new, regressor="ols")
    chain = AffineChain(DIMS, moments.mean, levels)
    nested = chain.transform(X, 9)
    np.testing.assert_array_equal(chain.transform(X, n_components), nested[:, :n_components])
    np.testing.assert_allclose(
        nested, (X - chain.mean) @ chain.components.T + chain.offset, rtol=0, atol=1e-10
    )


def test_single_precision_is_right_to_a_hundred_thousandth_of_a_column(X, chain):
    """Also where means are hundreds of sigma: X is rounded, its centring is not."""
    X = X.astype(np.float32)
    exact = chain.transform(X.astype(np.float64), 14)
    error = chain.transform(X, 14) - exact
    assert np.abs(error.mean(axis=0) / exact.std(axis=0)).max() < 1e-5
    assert (error.std(axis=0) / exact.std(axis=0)).max() < 1e-5


def test_columns_whose_terms_cancel_are_summed_in_double_precision(rng):
    small = rng.normal(size=(2000, 3))
    X = np.hstack([small, small @ rng.normal(size=(3, 5)) + 1e-3 * rng.normal(size=(2000, 5))])
    X = X.astype(np.float32)
    moments = Moments.of(X)
    levels = solve_chain(moments, [3, 5], [2], regressor="ols")
    chain = AffineChain([3, 5], moments.mean, levels)
    assert chain.amplifications[0] > 500
    exact = chain.transform(X.astype(np.float64), 5)
    np.testing.assert_allclose(chain.transform(X, 5), exact, rtol=1e-6, atol=1e-9)


def test_a_prefix_is_reconstructed_with_the_rest_at_its_mean(X, chain):
    nested = chain.transform(X, 14)
    nested[:, 8:] = 0
    reconstructed = chain.inverse_transform(nested[:, :8])
    np.testing.assert_allclose(reconstructed, chain.inverse_transform(nested), rtol=0, atol=1e-10)
    np.testing.assert_array_equal(reconstructed[:, :5], X[:, :5])


def test_a_pickle_holds_the_levels_alone_and_gives_the_same_bits(X, chain):
    before = pickle.dumps(chain)
    nested = chain.transform(X, 14)
    back = chain.inverse_transform(nested)
    assert pickle.dumps(chain) == before  # so that what is kept under its hash is found
    again = pickle.loads(before)
    np.testing.assert_array_equal(again.transform(X, 14), nested)
    np.testing.assert_array_equal(again.inverse_transform(nested), back)
    np.testing.assert_array_equal(again.components, chain.components)
