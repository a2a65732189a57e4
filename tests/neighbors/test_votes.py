"""Votes: weights by their definition, however large distances are, and the usual distance."""

import numpy as np
import pandas as pd
import pytest
from brute_force import brute_force, excluded
from scipy.special import softmax

from sklearn_revdist import PrefixNeighbors
from sklearn_revdist.neighbors import _votes
from sklearn_revdist.neighbors._votes import nearest_distance_scale, vote_weights


def test_weights_are_the_softmax_of_negative_distances(rng):
    distances = np.sort(rng.exponential(size=(20, 7)), axis=1)
    for bandwidth in (0.1, 1.0, 30.0):
        weights = vote_weights(distances, bandwidth)
        np.testing.assert_allclose(weights, softmax(-distances / bandwidth, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(vote_weights(distances, np.inf), np.full((20, 7), 1 / 7))


def test_a_bandwidth_of_zero_counts_the_nearest_alone():
    distances = np.array([[1.0, 1.0, 2.0], [0.0, 3.0, 3.0]])
    expected = [[0.5, 0.5, 0], [1, 0, 0]]
    for bandwidth in (0.0, 5e-324):
        np.testing.assert_array_equal(vote_weights(distances, bandwidth), expected)


def test_a_constant_added_to_distances_changes_nothing(rng):
    distances = rng.integers(0, 50, size=(9, 4)).astype(float)
    for far in (1e5, 2.0**50):
        weights = vote_weights(distances + far, 3.0)
        np.testing.assert_array_equal(weights, vote_weights(distances, 3.0))


@pytest.mark.parametrize("bandwidth", [0.0, 0.5, np.inf])
def test_what_is_not_there_has_no_weight(bandwidth):
    distances = np.array([[1.0, 2.0, np.inf], [np.inf] * 3])
    weights = vote_weights(distances, bandwidth)
    np.testing.assert_array_equal(weights[:1, :2], vote_weights(distances[:1, :2], bandwidth))
    assert not weights[:, 2].any()
    assert not weights[1].any()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("exclude", ["identical", "none"])
def test_the_usual_distance_is_that_to_the_nearest_row_which_is_not_identical(metric, exclude, rng):
    X = rng.normal(size=(41, 5)).astype(np.float32)
    X[30:] = X[:11]
    nn = PrefixNeighbors(50, metric=metric, exclude=exclude, n_components=4).fit(X)
    distances = brute_force(X[:, :4], X[:, :4], metric=metric)
    distances = excluded(distances, X[:, :4], X[:, :4], None, "identical")
    assert nearest_distance_scale(nn) == np.median(distances.min(axis=1))
    assert nn.exclude == exclude


def test_the_usual_distance_of_many_rows_is_that_of_some(monkeypatch, rng):
    monkeypatch.setattr(_votes, "_N_SAMPLED", 10)
    X = rng.normal(size=(100, 3))
    nn = PrefixNeighbors().fit(pd.DataFrame(X, columns=list("abc")))
    distances = excluded(brute_force(X, X[::10]), X, X[::10], None, "identical")
    assert nearest_distance_scale(nn) == np.median(distances.min(axis=1))


@pytest.mark.parametrize("X", [np.ones((1, 3)), np.ones((4, 3)), [[0.0], [1e-200], [2e-200]]])
def test_without_a_usual_distance_it_is_one(X):
    assert nearest_distance_scale(PrefixNeighbors().fit(X)) == 1.0
