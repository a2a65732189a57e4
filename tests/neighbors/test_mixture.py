"""Retrieval mixtures: pairs and means by their definition, and no pairs within a group."""

import joblib
import numpy as np
import pandas as pd
import pytest
from brute_force import brute_force
from scipy.special import softmax
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import PrefixNeighbors, RetrievalMixtureClassifier, RetrievalMixtureRegressor
from sklearn_revdist.neighbors import _mixture
from sklearn_revdist.neighbors._groups import find_groups


@parametrize_with_checks(
    [
        RetrievalMixtureClassifier(LogisticRegression()),
        RetrievalMixtureRegressor(Ridge()),
        RetrievalMixtureRegressor(KNeighborsRegressor(), PrefixNeighbors(3), temperature=0.0),
    ]
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.fixture
def data(rng):
    """Rows of which ten are duplicates, targets, and new rows."""
    X = rng.normal(size=(60, 6))
    X[50:] = X[:10]
    return X, X[:, 0] + 0.1 * rng.normal(size=60), np.concatenate([rng.normal(size=(9, 6)), X[:3]])


def pairs_of(X, queries, left_out, k, bandwidth):
    """All pairs, and their weights as a matrix."""
    distances = brute_force(X, queries)
    distances[left_out] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    weights = softmax(-np.take_along_axis(distances, order, axis=1) / bandwidth, axis=1)
    beside = np.broadcast_to(queries[:, np.newaxis], X[order].shape)
    return np.concatenate([beside, X[order]], axis=2).reshape(-1, 12), weights


@pytest.mark.parametrize("groups", [None, np.arange(60) // 4])
@pytest.mark.parametrize("with_database", [False, True])
def test_it_is_the_mean_prediction_for_pairs(data, groups, with_database, rng, monkeypatch):
    monkeypatch.setattr(_mixture, "_PAIRS_SIZE", 120)
    X, y, new = data
    database = np.concatenate([rng.normal(size=(80, 6)), X[:5]]) if with_database else None
    rows = X if database is None else database
    own_out = (X[:, np.newaxis] == rows).all(axis=-1)
    if database is None:
        own_out = np.equal.outer(*[find_groups(X, groups)] * 2)
    new_out = (new[:, np.newaxis] == rows).all(axis=-1)
    made = {"neighbors": PrefixNeighbors(4), "database": database, "temperature": 0.5}
    model = RetrievalMixtureRegressor(Ridge(), **made).fit(X, y, groups=groups)
    pairs, weights = pairs_of(rows, X, own_out, 4, model.bandwidth_)
    alone = Ridge().fit(pairs, np.repeat(y, 4), sample_weight=weights.ravel())
    np.testing.assert_allclose(model.estimator_.coef_, alone.coef_)
    asked, weights_new = pairs_of(rows, new, new_out, 4, model.bandwidth_)
    expected = (weights_new * alone.predict(asked).reshape(-1, 4)).sum(axis=1)
    np.testing.assert_allclose(model.predict(new), expected)

    names = np.array(["low", "middle", "high"])[np.digitize(y, [-0.5, 0.5])]
    model = RetrievalMixtureClassifier(LogisticRegression(), **made).fit(X, names, groups)
    alone = LogisticRegression().fit(pairs, np.repeat(names, 4), sample_weight=weights.ravel())
    each = alone.predict_proba(asked).reshape(-1, 4, 3)
    probabilities = np.einsum("qk,qkc->qc", weights_new, each)
    np.testing.assert_allclose(model.predict_proba(new), probabilities)
    np.testing.assert_array_equal(model.predict(new), alone.classes_[probabilities.argmax(axis=1)])
    np.testing.assert_array_equal(model.classes_, ["high", "low", "middle"])


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps what it is fitted on, and takes no weights."""

    def fit(self, X, y):
        self.X_, self.y_ = X, y
        return self

    def predict(self, X):
        return X[:, 0]


def test_rows_of_one_group_are_not_paired(data):
    X, y, new = data
    for groups in (None, np.arange(60) // 5):
        model = RetrievalMixtureRegressor(Recorder(), PrefixNeighbors(30)).fit(X, y, groups)
        together = dict(zip(map(bytes, X), find_groups(X, groups), strict=True))
        pairs = model.estimator_.X_
        assert all(together[bytes(pair[:6])] != together[bytes(pair[6:])] for pair in pairs)
        np.testing.assert_array_equal(model.estimator_.y_, np.repeat(y, 30))
        np.testing.assert_allclose(model.predict(new), new[:, 0])


@pytest.mark.parametrize("grouped", [False, True])
def test_permuted_labels_score_at_chance(grouped, rng):
    X = np.repeat(rng.normal(size=(100, 5)), 3, axis=0)
    if grouped:
        X = X + 1e-3 * rng.normal(size=X.shape)
    y = np.repeat(rng.permutation(np.arange(100) % 2), 3)
    groups = np.repeat(np.arange(100), 3)
    with config_context(enable_metadata_routing=True):
        model = RetrievalMixtureClassifier(LogisticRegression(), PrefixNeighbors(6))
        model.set_fit_request(groups=True)
        scores = cross_val_score(model, X, y, cv=GroupKFold(5), params={"groups": groups})
    assert 0.3 < scores.mean() < 0.7


def test_weights_reach_the_last_step_of_a_pipeline(data):
    X, y, new = data
    model = RetrievalMixtureRegressor(make_pipeline(StandardScaler(), Ridge()), PrefixNeighbors(4))
    model.fit(X, y)
    out = np.equal.outer(*[find_groups(X)] * 2)
    pairs, weights = pairs_of(X, X, out, 4, model.bandwidth_)
    alone = make_pipeline(StandardScaler(), Ridge())
    alone.fit(pairs, np.repeat(y, 4), ridge__sample_weight=weights.ravel())
    np.testing.assert_allclose(model.estimator_[-1].coef_, alone[-1].coef_)
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(StandardScaler(), Ridge().set_fit_request(sample_weight=True))
        routed[0].set_fit_request(sample_weight=False)
        routed = clone(model).set_params(estimator=routed).fit(X, y)
        np.testing.assert_allclose(routed.predict(new), model.predict(new))
        unasked = clone(model).fit(X, y)
    assert (unasked.predict(new) != model.predict(new)).any()


def test_rows_without_neighbours_are_paired_with_themselves():
    model = RetrievalMixtureRegressor(Recorder(), PrefixNeighbors(3))
    model.fit(np.array([[1.0, 2], [1, 2], [3, 4]]), [1.0, 2, 3])
    pairs = [[1, 2, 3, 4], [1, 2, 3, 4], [3, 4, 1, 2], [3, 4, 1, 2]]
    np.testing.assert_array_equal(model.estimator_.X_, pairs)
    model.fit(np.ones((4, 2)), np.arange(4))
    np.testing.assert_array_equal(model.estimator_.X_, np.ones((4, 4)))
    assert model.predict([[1.0, 1.0], [5.0, 1.0]]).tolist() == [1, 5]


def test_the_order_of_rows_does_not_matter(data, rng):
    X, y, new = data
    order = rng.permutation(60)
    for groups in (None, np.arange(60) // 4):
        model = RetrievalMixtureRegressor(Ridge(), PrefixNeighbors(5))
        found = model.fit(X, y, groups).predict(new)
        shuffled = None if groups is None else groups[order]
        again = clone(model).fit(X[order], y[order], shuffled)
        np.testing.assert_allclose(again.predict(new), found, rtol=1e-8)


def test_clones_files_and_searches(data, rng, tmp_path):
    X, y, new = data
    frame = pd.DataFrame(X, columns=["a_0", "a_1", "b_0", "b_1", "b_2", "b_3"])
    model = RetrievalMixtureRegressor(Ridge(), PrefixNeighbors(5, n_components="a")).fit(frame, y)
    asked = pd.DataFrame(new, columns=frame.columns)
    found = model.predict(asked)
    joblib.dump(model, tmp_path / "m.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "m.joblib").predict(asked), found)
    np.testing.assert_array_equal(clone(model).fit(frame, y).predict(asked), found)
    database = rng.normal(size=(30, 6))
    assert clone(model.set_params(database=database)).database is database
    assert is_regressor(model)
    assert is_classifier(RetrievalMixtureClassifier(LogisticRegression()))
    grid = {"neighbors__n_components": [2, None], "estimator__alpha": [0.1, 1e6]}
    search = GridSearchCV(clone(model).set_params(database=None), grid, cv=3).fit(X, y)
    assert search.best_params_["estimator__alpha"] == 0.1
    with pytest.raises(NotFittedError):
        clone(model).predict(new)


@pytest.mark.parametrize(
    ("made", "y", "error", "message"),
    [
        (RetrievalMixtureClassifier(Ridge()), ["a", "b"], TypeError, r"^estimator is a Ridge, whi"),
        (RetrievalMixtureClassifier(LogisticRegression()), ["a", "a"], ValueError, "of one class"),
        (RetrievalMixtureClassifier(LogisticRegression()), ["a", None], ValueError, "y has None"),
        (RetrievalMixtureRegressor(Ridge()), [1.0, np.nan], ValueError, "y has nan in row 1"),
        (RetrievalMixtureRegressor(Ridge()), ["a", "b"], ValueError, "take RetrievalMixtureClass"),
        (
            RetrievalMixtureRegressor(Ridge(), database=np.ones((3, 2))),
            [1.0, 2.0],
            ValueError,
            "database has 2 columns, but X has 3",
        ),
    ],
)
def test_what_cannot_be_fitted_is_said(made, y, error, message):
    with pytest.raises(error, match=message):
        made.fit(np.eye(2, 3), y)
