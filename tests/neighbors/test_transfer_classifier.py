"""Classes are transferred as weighing the neighbours by hand says, and reliabilities hold."""

import pickle

import numpy as np
import pandas as pd
import pytest
from brute_force import brute_force
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import AnnotationTransferClassifier


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def data(rng):
    """Rows of three classes that overlap, and queries."""
    codes = rng.integers(3, size=260)
    X = rng.normal(size=(260, 12)) + 1.5 * np.eye(12)[codes]
    y = np.array(["cytoplasm", "membrane", "nucleus"])[codes]
    return X[:200], y[:200], X[200:], y[200:]


@parametrize_with_checks(
    [
        AnnotationTransferClassifier(),
        AnnotationTransferClassifier(1, temperature=0),
    ]
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_votes_are_softmax_of_distances(temperature, metric, data):
    X, y, queries, _ = data
    model = AnnotationTransferClassifier(7, temperature=temperature, metric=metric).fit(X, y)
    distances = brute_force(X, queries, metric=metric)
    among = brute_force(X, X, metric=metric)
    np.fill_diagonal(among, np.inf)
    scale = np.median(among.min(axis=1))
    np.testing.assert_allclose(model.distance_scale_, scale, rtol=1e-12)
    nearest = np.argsort(distances, axis=1)[:, :7]
    weights = np.exp(-np.take_along_axis(distances, nearest, axis=1) / (temperature * scale))
    weights /= weights.sum(axis=1, keepdims=True)
    shares = np.stack([(weights * (y[nearest] == c)).sum(axis=1) for c in model.classes_], axis=1)
    np.testing.assert_allclose(model.predict_proba(queries), shares, atol=1e-12)
    assert (model.predict(queries) == model.classes_[shares.argmax(axis=1)]).all()


@pytest.mark.parametrize("n_neighbors", [1, 6])
def test_infinite_temperature_is_a_vote_of_equals(n_neighbors, data):
    X, y, queries, _ = data
    ours = AnnotationTransferClassifier(n_neighbors, temperature=np.inf).fit(X, y)
    theirs = KNeighborsClassifier(n_neighbors).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(queries), theirs.predict_proba(queries))


def test_without_temperature_the_nearest_row_decides(data):
    X, y, queries, _ = data
    ours = AnnotationTransferClassifier(9, temperature=0).fit(X, y)
    assert (ours.predict(queries) == KNeighborsClassifier(1).fit(X, y).predict(queries)).all()
    assert (ours.predict(X) == y).all()


def test_a_scale_of_the_data_changes_nothing(data):
    X, y, queries, _ = data
    one, other = AnnotationTransferClassifier().fit(X, y), AnnotationTransferClassifier()
    other.fit(X * 1024, y)
    np.testing.assert_allclose(
        one.predict_proba(queries), other.predict_proba(queries * 1024), rtol=1e-12
    )
    np.testing.assert_allclose(one.reliability(queries), other.reliability(queries * 1024))


def test_far_queries_get_no_label(data):
    X, y, queries, _ = data
    far = np.vstack([queries[:1], np.full((1, 12), 50.0)])
    model = AnnotationTransferClassifier(max_distance=6.0).fit(X, y)
    for method in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match=r"Row 1 of X .* within max_distance=6.0"):
            method(far)
    model.set_params(outlier_label="unknown location")
    assert model.predict(far)[1] == "unknown location"
    assert model.predict_proba(far)[1].tolist() == [0, 0, 0]
    assert model.reliability(far)[1] == 0 < model.reliability(far)[0]
    model.set_params(outlier_label="nucleus")
    assert model.predict(far)[1] == "nucleus"
    assert model.predict_proba(far)[1].tolist() == [0, 0, 1]
    model.set_params(outlier_label=-1)
    with pytest.raises(ValueError, match="outlier_label=-1 is not of the type of the classes"):
        model.predict(far)


def test_neighbours_beyond_the_limit_do_not_vote(data):
    X, y, queries, _ = data
    distances = np.sort(brute_force(X, queries), axis=1)
    limit = np.median(distances[:, 5])
    model = AnnotationTransferClassifier(16, max_distance=limit, outlier_label="none").fit(X, y)
    table = model.neighbors_table(queries)
    expected = np.minimum((distances <= limit).sum(axis=1), 16)
    assert np.bincount(table["query"], minlength=len(queries)).tolist() == expected.tolist()
    assert table["distance"].max() <= limit


def test_a_table_names_what_a_prediction_rests_on(data):
    X, y, queries, _ = data
    names = [f"P{i:05d}" for i in range(len(X))]
    model = AnnotationTransferClassifier(4).fit(pd.DataFrame(X, index=names).add_prefix("c"), y)
    asked = pd.DataFrame(queries[:3], index=["a", "b", "c"]).add_prefix("c")
    table = model.neighbors_table(asked)
    assert table["query"].tolist() == list("aaaabbbbcccc")
    assert table["rank"].tolist() == [1, 2, 3, 4] * 3
    rows = [names.index(name) for name in table["neighbor"]]
    assert table["label"].tolist() == y[rows].tolist()
    np.testing.assert_allclose(
        table["distance"], np.sqrt(((X[rows] - queries[[0, 1, 2]].repeat(4, axis=0)) ** 2).sum(1))
    )
    np.testing.assert_allclose(table.groupby("query")["weight"].sum(), 1)
    shares = table.pivot_table("weight", "query", "label", "sum", fill_value=0)
    shares = shares.reindex(columns=model.classes_, fill_value=0)
    np.testing.assert_allclose(shares, model.predict_proba(asked))


@pytest.mark.parametrize("temperature", [0, 0.2, np.inf])
def test_the_class_is_the_first_of_those_with_the_largest_share(temperature, rng):
    X, y = rng.normal(size=(300, 3)), rng.integers(4, size=300)
    model = AnnotationTransferClassifier(6, temperature=temperature).fit(X, y)
    queries = rng.normal(size=(500, 3))
    share = model.predict_proba(queries)
    if temperature == np.inf:  # of six votes, three and three, say
        assert ((share == share.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean() > 0.2
    np.testing.assert_array_equal(model.predict(queries), share.argmax(axis=1))


def test_reliability_is_a_probability_that_orders_predictions(rng):
    # the nearer a row is to the border, the more often its class is wrong
    X = rng.uniform(-2, 2, size=(6000, 2))
    y = (rng.uniform(size=6000) < 1 / (1 + np.exp(-4 * X[:, 0]))).astype(int)
    model = AnnotationTransferClassifier().fit(X[:3000], y[:3000])
    probability = model.reliability(X[3000:])
    is_right = model.predict(X[3000:]) == y[3000:]
    bins = np.minimum(probability * 10, 9).astype(int)
    gaps = [
        abs(probability[bins == b].mean() - is_right[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    assert sum(gaps) < 0.05
    distances, _ = model.kneighbors(X[3000:], 1)
    assert roc_auc_score(is_right, probability) > 0.1 + roc_auc_score(is_right, -distances[:, 0])


@pytest.mark.parametrize("given", ["identical rows", "groups"])
def test_copies_do_not_make_labels_look_reliable(given, rng):
    X = np.repeat(rng.normal(size=(150, 6)), 2, axis=0)
    y = np.repeat(rng.integers(4, size=150), 2)  # at random, but equal for copies
    groups = None
    if given == "groups":
        X, groups = X + 1e-6 * rng.normal(size=X.shape), np.repeat(np.arange(150), 2)
    queries = rng.normal(size=(200, 6))
    careful = AnnotationTransferClassifier(3).fit(X, y, groups=groups).reliability(queries)
    assert careful.mean() < 0.4
    if given == "groups":
        careless = AnnotationTransferClassifier(3).fit(X, y).reliability(X)
        assert careless.mean() > 0.9


def test_identical_rows_are_as_reliable_as_the_nearest_that_are_not(rng):
    # labels at random, so that distances say nothing, whatever the slope that chance gives them
    X, y = rng.normal(size=(300, 6)), rng.integers(2, size=300)
    for n in range(100, 300, 25):
        model = AnnotationTransferClassifier(3).fit(X[:n], y[:n])
        others = model.reliability(rng.normal(size=(1000, 6)))
        own = model.reliability(X[:n])
        assert 0.5 * others.min() < own.min() < own.max() < 1.5 * others.max()


def test_one_class_and_labels_that_are_always_right(data):
    X = data[0]
    model = AnnotationTransferClassifier().fit(X, ["alone"] * len(X))
    assert (model.predict(X) == "alone").all()
    np.testing.assert_allclose(model.reliability(X), 201 / 202)


def test_fewer_rows_than_neighbours_are_all_taken():
    X = np.arange(4.0)[:, np.newaxis]
    model = AnnotationTransferClassifier(temperature=np.inf).fit(X, [0, 0, 0, 1])
    assert model.predict_proba([[9.0]]).tolist() == [[0.75, 0.25]]
    assert len(model.neighbors_table([[9.0]])) == 4


def test_a_search_over_prefixes_neighbours_and_temperatures(data):
    X, y, queries, truth = data
    grid = {"n_components": [1, 6, 12], "n_neighbors": [1, 8], "temperature": [0.5, np.inf]}
    search = GridSearchCV(AnnotationTransferClassifier(), grid).fit(X, y)
    assert search.best_params_["n_components"] > 1  # the first column tells one class from two
    assert search.score(queries, truth) > 0.5


def test_a_prefix_is_a_smaller_training_set(data):
    X, y, queries, _ = data
    prefix = AnnotationTransferClassifier(n_components=5).fit(X, y)
    alone = AnnotationTransferClassifier().fit(X[:, :5], y)
    np.testing.assert_array_equal(
        prefix.predict_proba(queries), alone.predict_proba(queries[:, :5])
    )
    np.testing.assert_array_equal(prefix.reliability(queries), alone.reliability(queries[:, :5]))


def test_clones_and_pickles_predict_the_same(data):
    X, y, queries, _ = data
    model = AnnotationTransferClassifier(5).fit(X, y)
    for other in (pickle.loads(pickle.dumps(model)), clone(model).fit(X, y)):
        np.testing.assert_array_equal(other.predict_proba(queries), model.predict_proba(queries))
        np.testing.assert_array_equal(other.reliability(queries), model.reliability(queries))


def test_what_is_known_may_be_in_files_and_in_dask(data, tmp_path):
    dask = pytest.importorskip("dask.array")
    X, y, queries, _ = data
    np.save(tmp_path / "rows.npy", X)
    expected = AnnotationTransferClassifier(5).fit(X, y)
    for rows in (
        np.load(tmp_path / "rows.npy", mmap_mode="r"),
        dask.from_array(X, chunks=(70, 12)),
    ):
        model = AnnotationTransferClassifier(5).fit(rows, y)
        np.testing.assert_array_equal(model.predict_proba(queries), expected.predict_proba(queries))
        np.testing.assert_array_equal(model.reliability(queries), expected.reliability(queries))


def test_labels_that_do_not_fit_are_refused_and_nothing_is_changed(data):
    X, y, queries, _ = data
    model = AnnotationTransferClassifier().fit(X, y)
    before = model.predict_proba(queries)
    for other in (X, X[:, :3] + 5):  # other rows are not searched either
        with pytest.raises(ValueError, match="y has 3 labels, but X has 200 rows"):
            model.fit(other, y[:3])
    with pytest.raises(ValueError, match=r"groups is of shape \(4,\), but there are 200 rows"):
        model.fit(X, y, groups=range(4))
    np.testing.assert_array_equal(model.predict_proba(queries), before)
