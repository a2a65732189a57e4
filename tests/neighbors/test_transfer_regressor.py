"""Numbers are transferred as weighing the neighbours by hand says."""

import numpy as np
import pytest
from brute_force import brute_force
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import AnnotationTransferRegressor


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 12)), rng.normal(size=(60, 12))


@parametrize_with_checks([AnnotationTransferRegressor(), AnnotationTransferRegressor(3)])
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_predictions_are_means_with_the_softmax_of_distances(temperature, metric, data):
    X, queries = data
    y = X @ np.arange(12.0)
    model = AnnotationTransferRegressor(7, temperature=temperature, metric=metric).fit(X, y)
    distances = brute_force(X, queries, metric=metric)
    nearest = np.argsort(distances, axis=1)[:, :7]
    taken = np.take_along_axis(distances, nearest, axis=1)
    weights = np.exp(-taken / (temperature * model.distance_scale_))
    weights /= weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(queries), (weights * y[nearest]).sum(axis=1))


def test_infinite_temperature_is_a_plain_mean_of_any_number_of_targets(data):
    X, queries = data
    targets = np.stack([X[:, 0], X[:, 1] ** 2], axis=1)
    ours = AnnotationTransferRegressor(5, temperature=np.inf).fit(X, targets)
    theirs = KNeighborsRegressor(5).fit(X, targets)
    np.testing.assert_allclose(ours.predict(queries), theirs.predict(queries))


def test_without_temperature_training_rows_keep_their_targets(data):
    X, _ = data
    model = AnnotationTransferRegressor(temperature=0).fit(X, X[:, 0])
    np.testing.assert_array_equal(model.predict(X), X[:, 0])


def test_far_queries_get_no_number(data):
    X, queries = data
    far = np.vstack([queries[:1], np.full((1, 12), 50.0)])
    model = AnnotationTransferRegressor(max_distance=6.0).fit(X, X[:, 0])
    assert np.isnan(model.predict(far)).tolist() == [False, True]


def test_a_search_finds_the_prefix_that_matters(data):
    X, _ = data
    grid = {"n_components": [1, 6, 12], "temperature": [0.5, np.inf]}
    search = GridSearchCV(AnnotationTransferRegressor(8), grid).fit(X, X[:, 0])
    assert search.best_params_["n_components"] == 1
