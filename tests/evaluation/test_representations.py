"""Representations are what a direct solution from the same rows gives."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_revdist import Moments, NaiveChain, ReverseDistiller
from sklearn_revdist.evaluation._representations import (
    REPRESENTATIONS,
    Maps,
    Representation,
    Sizes,
    list_representations,
)

DIMS = [4, 7, 9]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(300, sum(DIMS))) * np.geomspace(5, 0.1, sum(DIMS))
    return hidden @ rng.normal(size=(sum(DIMS), sum(DIMS))) + 10


@pytest.fixture(scope="module")
def distiller(data):
    return ReverseDistiller(dims=DIMS).fit(data[:200])


pytestmark = pytest.mark.filterwarnings("ignore:.*(fewer than its|beyond the numerical rank)")


@pytest.fixture(scope="module", params=["natural", "few rows"])
def fitted(request, data, distiller):
    """Maps, and the rows that they were fitted on: more than columns, and fewer."""
    sizes = Sizes.of_fitted(distiller)
    if request.param == "natural":
        return Maps(data, sizes, distiller, distiller.moments_), data[:200]
    train = np.arange(5, 20)
    return Maps(data, sizes, distiller, rows=train), data[train]


def assert_equal_up_to_sign(a, b):
    assert a.shape == b.shape
    signs = np.sign((a * b).sum(axis=0))
    np.testing.assert_allclose(a, b * np.where(signs == 0, 1, signs), rtol=1e-6, atol=1e-7)


def test_those_of_nothing_fitted_are_slices(data, fitted):
    maps, _ = fitted
    for level, (start, stop, length) in enumerate([(0, 4, 4), (4, 11, 7), (11, 20, 9)]):
        np.testing.assert_array_equal(maps.columns(level, "plain"), data[:, start:stop])
        np.testing.assert_array_equal(maps.columns(level, "concat"), data[:, :stop])
        first = data[:, 11 : 11 + length]
        np.testing.assert_array_equal(maps.columns(level, "largest_first"), first)


def test_distilled_is_the_prefix_of_a_distiller_fitted_on_the_rows(data, fitted):
    maps, rows = fitted
    nested = ReverseDistiller(dims=DIMS).fit(rows).transform(data)
    for level, length in enumerate([4, 7, 9]):
        np.testing.assert_allclose(maps.columns(level, "distilled"), nested[:, :length])


def test_principal_components_are_those_of_the_rows(data, fitted):
    maps, rows = fitted
    for level, (stop, length) in enumerate([(4, 4), (11, 7), (20, 9)]):
        pca = PCA(min(length, len(rows) - 1), svd_solver="full").fit(rows[:, :stop])
        assert_equal_up_to_sign(maps.columns(level, "concat_pca"), pca.transform(data[:, :stop]))
    pca = PCA(7, svd_solver="full").fit(rows[:, 11:])
    assert_equal_up_to_sign(maps.columns(1, "largest_pca"), pca.transform(data[:, 11:]))


def test_directions_in_which_nothing_varies_are_no_components(data, distiller):
    maps = Maps(data, Sizes.of_fitted(distiller), distiller, rows=np.arange(6))
    columns = maps.columns(2, "concat_pca")
    assert columns.shape == (300, 5)
    assert columns[:6].std(axis=0).min() > 1e-6


def test_the_naive_chain_is_the_transformer_of_that_name(data, fitted):
    maps, rows = fitted
    for level in (1, 2):
        stop = sum(DIMS[: level + 1])
        chain = NaiveChain(dims=DIMS[: level + 1]).fit(rows[:, :stop])
        assert_equal_up_to_sign(maps.columns(level, "naive"), chain.transform(data[:, :stop]))


def test_the_jump_is_a_chain_of_the_smallest_and_that_model(data, fitted):
    maps, rows = fitted
    two = np.r_[0:4, 11:20]
    jump = ReverseDistiller(dims=[4, 9]).fit(rows[:, two]).transform(data[:, two])
    np.testing.assert_allclose(maps.columns(2, "jump"), jump, rtol=1e-9)


def test_widths_follow_n_new(data):
    distiller = ReverseDistiller(dims=DIMS, n_new=[2, 8]).fit(data)
    maps = Maps(data, Sizes.of_fitted(distiller), distiller, distiller.moments_)
    widths = {name: maps.columns(2, name).shape[1] for name in REPRESENTATIONS}
    assert widths == {
        "plain": 9,
        "distilled": 14,
        "jump": 13,  # no more than the model has
        "naive": 9,
        "concat_pca": 14,
        "largest_pca": 9,
        "largest_first": 9,
        "concat": 20,
    }


def test_a_chain_with_any_regressor_is_fitted_on_the_rows_of_the_fold(data):
    train = np.arange(0, 300, 2)
    distiller = ReverseDistiller(dims=DIMS, regressor=LinearRegression())
    sizes = Sizes.of_unfitted(distiller, None, 20)
    maps = Maps(data, sizes, distiller, rows=train)
    expected = ReverseDistiller(dims=DIMS, regressor="ols").fit(data[train]).transform(data)
    assert_equal_up_to_sign(maps.columns(2, "distilled"), expected)
    fitted = ReverseDistiller(dims=DIMS, regressor=Ridge()).fit(data)
    assert Maps(data, Sizes.of_fitted(fitted), fitted).columns(1, "distilled").shape == (300, 7)


def test_sizes_are_known_before_and_after_the_fit(data):
    for n_new in (None, "all", [2, 3]):
        distiller = ReverseDistiller(dims=DIMS, n_new=n_new)
        before = Sizes.of_unfitted(distiller, None, 20)
        after = Sizes.of_fitted(distiller.fit(data))
        assert before == after
        assert [before.own(i) for i in range(3)] == [slice(0, 4), slice(4, 11), slice(11, 20)]


def test_the_distillers_own_n_components_stays(data):
    distiller = ReverseDistiller(dims=DIMS, n_components=5).fit(data)
    maps = Maps(data, Sizes.of_fitted(distiller), distiller, distiller.moments_)
    assert maps.columns(2, "distilled").shape == (300, 9)
    assert distiller.n_components == 5


def test_the_list_has_each_once_from_small_to_large():
    listed = list_representations(3, REPRESENTATIONS, ("natural", "fold"))
    assert len(set(listed)) == len(listed)
    assert [each.level for each in listed] == sorted(each.level for each in listed)
    of_smallest = [each[1:] for each in listed if each.level == 0]
    assert of_smallest == [
        ("plain", ""),
        ("largest_first", ""),
        ("distilled", "natural"),
        ("concat_pca", "natural"),
        ("largest_pca", "natural"),
        ("concat_pca", "fold"),
        ("largest_pca", "fold"),
    ]
    assert list_representations(2, ("jump", "plain"), ("fold",)) == [
        Representation(0, "plain", ""),
        Representation(1, "plain", ""),
    ]


def test_unfitted_maps_can_be_made_from_moments_alone(data, distiller):
    maps = Maps(data, Sizes.of_fitted(distiller), distiller, Moments.of(data[:200]))
    again = Maps(data, Sizes.of_fitted(distiller), distiller, distiller.moments_)
    np.testing.assert_allclose(maps.columns(2, "naive"), again.columns(2, "naive"))
