"""Sample space and feature space answer alike, and as a direct solution from the rows."""

import numpy as np
import pytest
from scipy import linalg

from sklearn_revdist.distillation._spaces import (
    FeatureSpace,
    SampleSpace,
    inverse_scale,
    principal_directions,
    space_of,
    varying_space,
)
from sklearn_revdist.matrix._moments import Moments


@pytest.fixture
def root(rng):
    """Centred rows whose columns differ in scale, one of them zero."""
    rows = rng.normal(size=(15, 9)) * np.geomspace(1e3, 1e-3, 9)
    rows[:, 4] = 0
    return rows - rows.mean(axis=0)


@pytest.fixture
def spaces(root):
    return SampleSpace(root), FeatureSpace(root.T @ root)


def test_moments_are_in_the_space_that_they_are_kept_in(rng):
    X = rng.normal(size=(30, 9))
    assert isinstance(space_of(Moments.of(X[:9])), SampleSpace)
    assert isinstance(space_of(Moments.of(X)), FeatureSpace)


@pytest.mark.parametrize("n_samples", [8, 300])
def test_columns_that_are_constant_but_for_rounding_are_zeros(n_samples, rng):
    X = rng.normal(size=(n_samples, 9))
    moments = Moments.of(X)
    np.testing.assert_array_equal(varying_space(moments).scale, space_of(moments).scale)
    X[:, [2, 7]] = 1 / 3, 1e6 / 3
    scale = varying_space(Moments.of(X)).scale
    np.testing.assert_array_equal(np.flatnonzero(scale == 0), [2, 7])


def test_a_factor_is_one_of_the_products(spaces, root):
    products, scale = root.T @ root, np.linalg.norm(root, axis=0)
    for space in spaces:
        np.testing.assert_allclose(space.scale, scale, rtol=1e-12)
        factor = space.factor(scale, 1e-12)
        assert factor.shape == (9, 8)
        unit = np.outer(scale, scale) + 1e-300
        np.testing.assert_allclose(factor @ factor.T / unit, products / unit, rtol=0, atol=1e-12)


def test_columns_of_a_map_and_others_beside_them(spaces, root, rng):
    to_prefix = rng.normal(size=(3, 5))
    rows = np.hstack([root[:, :5] @ to_prefix.T, root[:, 5:8]])
    for space in spaces:
        joined = space.joined(to_prefix, slice(5, 8))
        np.testing.assert_allclose(joined.scale, np.linalg.norm(rows, axis=0), rtol=1e-9)
        factor = joined.factor(joined.scale, 1e-12)
        np.testing.assert_allclose(factor @ factor.T, rows.T @ rows, rtol=1e-9, atol=1e-6)


def test_axes_are_those_in_which_the_rows_vary(rng):
    rows = rng.normal(size=(15, 4)) @ rng.normal(size=(4, 9))
    rows -= rows.mean(axis=0)
    expected = linalg.svd(rows)[2][:4].T
    for space in (SampleSpace(rows), FeatureSpace(rows.T @ rows)):
        for n_axes in (2, 4, 9):
            axes = space.axes(n_axes)
            assert axes.shape == (9, min(n_axes, 4))
            np.testing.assert_allclose(
                np.abs(axes.T @ expected), np.eye(len(axes.T), 4), rtol=0, atol=1e-7
            )


def test_axes_are_all_where_all_vary_and_none_where_rounding_does(rng):
    rows = rng.normal(size=(15, 9))
    for space in (SampleSpace(rows), FeatureSpace(rows.T @ rows)):
        assert space.axes(9).shape == (9, 9)
    for space in (SampleSpace(np.diag([1.0, 1e-17, 0.0])), FeatureSpace(np.diag([1.0, 1e-17, 0]))):
        np.testing.assert_array_equal(np.abs(space.axes(3)), [[1], [0], [0]])


def test_a_spectrum_has_no_negative_value(rng):
    rows = np.repeat(rng.normal(size=(30, 8)), 5, axis=1)
    for space in (SampleSpace(rows), FeatureSpace(rows.T @ rows)):
        prefix = space.beside(space.prefix(35), slice(35, 40))
        assert (space.spectrum(prefix, slice(35, 40), scaled=False).values >= 0).all()


@pytest.mark.parametrize("scaled", [False, True])
def test_a_prefix_grows_alike_in_both_spaces(scaled, spaces, root, rng):
    """Of a first model and the new columns of a second, beside a third."""
    components = rng.normal(size=(2, 6))
    scores = np.hstack([root[:, :3], root[:, :6] @ components.T])
    for space in spaces:
        prefix = space.beside(space.prefix(3), slice(3, 6))
        prefix = space.beside(space.extended(prefix, components), slice(6, 9))
        spectrum = space.spectrum(prefix, slice(6, 9), scaled=scaled)
        unit = np.linalg.norm(scores, axis=0) if scaled else np.ones(5)
        singular = linalg.svdvals(scores / unit)
        np.testing.assert_allclose(spectrum.values[:3], singular[:3] ** 2, rtol=1e-9)
        # Products of the axes' scores with the model.
        np.testing.assert_allclose(
            spectrum.cross[:3], (scores @ spectrum.vectors[:, :3]).T @ root[:, 6:], rtol=1e-6
        )


def test_zeros_have_no_directions():
    for space in (SampleSpace(np.zeros((3, 3))), FeatureSpace(np.zeros((3, 3)))):
        for tolerance in (0.0, 1e-12):
            found = space.factor(np.ones(3), tolerance)
            assert found.shape == (3, 0)
            directions, variances, share = principal_directions(found, 2)
            assert (directions.shape, variances.shape, share) == ((3, 0), (0,), 1.0)


def test_directions_keep_a_share_of_the_variance(rng):
    factor = rng.normal(size=(6, 4))
    directions, variances, share = principal_directions(factor, 2)
    np.testing.assert_allclose(directions.T @ directions, np.eye(2), atol=1e-12)
    assert (directions[np.abs(directions).argmax(axis=0), [0, 1]] > 0).all()
    np.testing.assert_allclose(variances, linalg.svdvals(factor)[:2] ** 2)
    assert share == pytest.approx(variances.sum() / (factor**2).sum())
    assert principal_directions(factor / 100, 2)[2] == pytest.approx(share)
    assert principal_directions(factor, 0)[2] == 0.0


def test_there_are_no_more_directions_than_the_rank(rng):
    directions, variances, share = principal_directions(rng.normal(size=(6, 4)), 6)
    assert (directions.shape, variances.shape) == ((6, 4), (4,))
    assert share == pytest.approx(1.0)


def test_the_share_of_squares_that_underflow_is_all():
    assert principal_directions(np.full((2, 1), 1e-170), 1)[2] == 1.0


def test_constant_columns_are_scaled_to_nothing():
    for _ in range(50):
        np.full(3, np.nan)  # what the memory held before
        np.testing.assert_array_equal(inverse_scale(np.array([0.0, 2.0, 0.0])), [0, 0.5, 0])
