"""Pickles leave moments out unless rows were added by partial_fit; copies keep them."""

import copy
import pickle

import numpy as np
import pytest

from sklearn_revdist import Moments, ReverseDistiller

DIMS = [4, 7, 12]


def fit_moments(distiller, X):
    return distiller.fit_moments(Moments.of(X))


def again(distiller):
    return pickle.loads(pickle.dumps(distiller))


@pytest.mark.parametrize("fit", [ReverseDistiller.fit, fit_moments])
def test_a_pickle_holds_the_map_alone(fit, X):
    distiller = fit(ReverseDistiller(DIMS), X)
    other = again(distiller)
    assert not hasattr(other, "moments_")
    np.testing.assert_array_equal(other.transform(X), distiller.transform(X))
    assert other.fingerprint() == distiller.fingerprint()
    with pytest.raises(ValueError, match=r"keeps no moments to add rows to; fit a new one with pa"):
        other.partial_fit(X)
    np.testing.assert_array_equal(other.transform(X), distiller.transform(X))


@pytest.mark.parametrize("solved", [False, True])
def test_rows_are_added_after_a_pickle_if_some_were_before(solved, X):
    distiller = ReverseDistiller(DIMS).partial_fit(X[:100])
    if solved:
        distiller.transform(X)
    other = again(again(distiller)).partial_fit(X[100:])
    expected = distiller.partial_fit(X[100:])
    np.testing.assert_array_equal(other.components_, expected.components_)
    assert other.moments_.weight == 300


def test_a_new_fit_forgets_that_rows_were_added(X):
    distiller = ReverseDistiller(DIMS).partial_fit(X)
    assert hasattr(again(distiller), "moments_")
    assert not hasattr(again(distiller.fit(X)), "moments_")


def test_moments_that_were_saved_beside_it_are_gone_on_with(X):
    distiller = ReverseDistiller(DIMS).fit(X[:100])
    moments = again(distiller.moments_)
    other = ReverseDistiller(DIMS).fit_moments(moments).partial_fit(X[100:])
    expected = distiller.partial_fit(X[100:])
    np.testing.assert_array_equal(other.components_, expected.components_)


def test_a_copy_shares_moments_and_a_deep_copy_has_its_own(X):
    distiller = ReverseDistiller(DIMS).fit(X)
    assert copy.copy(distiller).moments_ is distiller.moments_
    deep = copy.deepcopy(distiller)
    assert deep.moments_ is not distiller.moments_
    np.testing.assert_array_equal(deep.moments_.scatter, distiller.moments_.scatter)


def test_the_size_of_a_pickle_is_that_of_its_map(rng):
    """Moments of 300 columns take 720 kB, the chain less than half of it."""
    X = rng.normal(size=(400, 300))
    distiller = ReverseDistiller([40, 60, 200], regressor="ols").fit(X)
    arrays = sum(
        array.nbytes
        for level in distiller._chain.levels
        for array in (level.components, level.coef, level.carried)
    )
    assert len(pickle.dumps(distiller)) < arrays + 8 * 300 + 5000
    assert len(pickle.dumps(distiller.moments_)) > 8 * 300**2
