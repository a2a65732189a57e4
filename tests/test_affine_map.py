"""The map level by level is the map in one piece."""

import numpy as np
import pytest

from sklearn_revdist import Moments
from sklearn_revdist._affine_map import LevelMap, assemble, nest, reconstruct
from sklearn_revdist._chain import solve_chain

DIMS = [5, 8, 14]


def level_maps(levels):
    return [
        LevelMap(
            from_own=level.components[:, -width:].T,
            from_prefix=level.coef @ level.components[:, -width:].T,
            from_all=level.components.T,
            amplification=level.amplification,
        )
        for level, width in zip(levels, DIMS[1:], strict=True)
    ]


@pytest.fixture
def X(rng):
    X = rng.normal(size=(9000, sum(DIMS))) @ rng.normal(size=(sum(DIMS), sum(DIMS)))
    return X + 300 * rng.normal(size=X.shape[1])


@pytest.fixture
def moments(X):
    return Moments.of(X)


@pytest.fixture
def levels(moments):
    return solve_chain(moments, DIMS, [3, 6], regressor="ridge")


def test_the_whole_map_is_block_lower_triangular_and_starts_with_the_identity(levels):
    lengths, components, reconstruction = assemble(DIMS, levels)
    assert lengths.tolist() == [5, 8, 14]
    np.testing.assert_array_equal(components[:5], np.eye(5, 27))
    assert not components[5:8, 13:].any()
    # Nesting what was reconstructed gives the nested columns back.
    np.testing.assert_allclose(reconstruction @ components.T, np.eye(14), atol=1e-10)


def test_level_by_level_equals_the_product_with_the_whole_map(X, moments, levels):
    components = assemble(DIMS, levels)[1]
    expected = (X - moments.mean) @ components.T
    expected[:, :5] += moments.mean[:5]
    np.testing.assert_allclose(
        nest(X, moments.mean, level_maps(levels), 14), expected, rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_components", [1, 5, 6, 8, 13])
def test_columns_do_not_depend_on_how_many_are_asked_for(dtype, n_components, X, moments, levels):
    X = X.astype(dtype)
    nested = nest(X, moments.mean, level_maps(levels), 14)
    shorter = nest(X, moments.mean, level_maps(levels), n_components)
    assert shorter.dtype == dtype
    np.testing.assert_array_equal(shorter, nested[:, :n_components])


def test_single_precision_is_right_to_a_hundred_thousandth_of_a_column(X, moments, levels):
    """Also where means are hundreds of sigma: X is rounded, its centring is not."""
    X = X.astype(np.float32)
    exact = nest(X.astype(np.float64), moments.mean, level_maps(levels), 14)
    error = nest(X, moments.mean, level_maps(levels), 14) - exact
    assert np.abs(error.mean(axis=0) / exact.std(axis=0)).max() < 1e-5
    assert (error.std(axis=0) / exact.std(axis=0)).max() < 1e-5


def test_columns_whose_terms_cancel_are_summed_in_double_precision(rng):
    small = rng.normal(size=(2000, 3))
    X = np.hstack([small, small @ rng.normal(size=(3, 5)) + 1e-3 * rng.normal(size=(2000, 5))])
    X = X.astype(np.float32)
    moments = Moments.of(X)
    level = solve_chain(moments, [3, 5], [2], regressor="ols")[0]
    assert level.amplification > 500
    maps = [
        LevelMap(
            level.components[:, 3:].T,
            level.coef @ level.components[:, 3:].T,
            level.components.T,
            level.amplification,
        )
    ]
    exact = nest(X.astype(np.float64), moments.mean, maps, 5)
    np.testing.assert_allclose(nest(X, moments.mean, maps, 5), exact, rtol=1e-6, atol=1e-9)


def test_a_prefix_is_reconstructed_with_the_rest_at_its_mean(X, moments, levels):
    _, _, reconstruction = assemble(DIMS, levels)
    nested = nest(X, moments.mean, level_maps(levels), 14)
    offset = np.r_[moments.mean[:5], np.zeros(9)]
    nested[:, 8:] = 0
    np.testing.assert_allclose(
        reconstruct(nested[:, :8], offset[:8], reconstruction[:8], moments.mean),
        reconstruct(nested, offset, reconstruction, moments.mean),
        rtol=0,
        atol=1e-10,
    )
