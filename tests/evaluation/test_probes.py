"""Probes: known answers, groups that are kept together, and GB1 as published."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_revdist import PrefixRidgeCV
from sklearn_revdist.evaluation._probes import (
    RIDGE_ALPHAS,
    fit_probe,
    make_probe,
    outputs,
    penalty,
    score,
)


@pytest.mark.parametrize("shape", [(200, 30), (40, 90)])
def test_ridge_chooses_and_predicts_as_by_scikit_learns_default_method(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1]))
    y = X[:, 0] + rng.normal(size=len(X))
    expected = make_pipeline(StandardScaler(), RidgeCV(RIDGE_ALPHAS)).fit(X, y)
    probe = fit_probe(make_probe("ridge", "regression"), X, y, np.arange(len(X)))
    assert penalty(probe) == expected[-1].alpha_
    np.testing.assert_allclose(probe.predict(X), expected.predict(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", ["auto", "svd", "eigen"])
def test_a_decomposition_that_is_set_stays(mode, rng):
    X, rows = rng.normal(size=(20, 3)), np.arange(20)
    fitted = fit_probe(RidgeCV(RIDGE_ALPHAS, gcv_mode=mode), X, X[:, 0], rows)
    assert fitted.gcv_mode == {"auto": "svd"}.get(mode, mode)
    wide = fit_probe(RidgeCV(RIDGE_ALPHAS, gcv_mode=mode), X[:2], X[:2, 0], rows[:2])
    assert wide.gcv_mode == mode


def test_the_scale_of_columns_is_no_matter(rng):
    X = rng.normal(size=(100, 5))
    scaled = X * np.geomspace(1e-3, 1e3, 5) + 50
    for kind, y in (
        ("regression", X[:, 0] + rng.normal(size=100)),
        ("classification", (X[:, 0] > 0).astype(int).astype(str).astype(object)),
    ):
        predicted = [
            outputs(fit_probe(make_probe(None, kind), x, y, np.arange(100)), x) for x in (X, scaled)
        ]
        np.testing.assert_allclose(*predicted, rtol=1e-5, atol=1e-6)


@pytest.fixture
def grouped(rng):
    """Ten rows to each of 12 groups, and columns that tell groups but nothing of a new group."""
    groups = np.repeat(np.arange(12), 10)
    X = rng.normal(size=(12, 12))[groups] + 0.01 * rng.normal(size=(120, 12))
    y = np.repeat(rng.normal(size=12), 10)
    return X, y, groups


def test_the_search_for_the_penalty_keeps_groups_whole(grouped):
    X, y, groups = grouped
    apart = fit_probe(make_probe("ridge", "regression"), X, y, np.arange(120))
    together = fit_probe(make_probe("ridge", "regression"), X, y, groups)
    # Where each row has its like among the others, no penalty seems needed.
    assert penalty(apart) < 1
    assert penalty(together) > 100
    classes = np.where(y > np.median(y), "high", "low").astype(object)
    apart = fit_probe(make_probe("logistic", "classification"), X, classes, np.arange(120))
    together = fit_probe(make_probe("logistic", "classification"), X, classes, groups)
    assert penalty(apart) == 1
    assert penalty(together) > 10


def test_inner_folds_of_a_search_passed_in_keep_groups_whole_too(grouped):
    X, y, groups = grouped
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=4)
    fitted = fit_probe(search, X, y, groups)
    assert len(fitted.cv) == 4
    assert sorted(np.concatenate([test for _, test in fitted.cv])) == list(range(120))
    for train, test in fitted.cv:
        assert not set(groups[train]) & set(groups[test])
    own = KFold(3)
    assert fit_probe(GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=own), X, y, groups).cv.n_splits == 3


def test_a_class_that_an_inner_fold_lacks_is_no_obstacle(rng):
    X = rng.normal(size=(61, 4))
    y = np.array(["a"] * 30 + ["b"] * 30 + ["rare"], dtype=object)
    probe = fit_probe(make_probe("logistic", "classification"), X, y, np.arange(61))
    assert probe.classes_.tolist() == ["a", "b", "rare"]
    assert np.isfinite(probe.cv_results_["mean_test_score"]).all()


def test_a_probe_is_named_or_any_estimator():
    assert isinstance(make_probe(None, "regression")[-1], RidgeCV)
    assert make_probe("logistic", "classification").estimator[-1].__class__ is LogisticRegression
    own = PrefixRidgeCV()
    assert make_probe(own, "regression") is own
    with pytest.raises(ValueError, match=r"probe='forest' is not known; give 'ridge', 'logistic'"):
        make_probe("forest", "regression")
    with pytest.raises(ValueError, match="task is a classification, but the probe is for a reg"):
        make_probe("ridge", "classification")


def test_fitting_leaves_the_probe_as_it_was(rng):
    probe = make_probe("logistic", "classification")
    X, y = rng.normal(size=(30, 2)), np.array(list("ab") * 15, dtype=object)
    fit_probe(probe, X, y, np.repeat(np.arange(10), 3))
    assert probe.cv == 3
    assert not hasattr(probe, "best_params_")


def test_a_probe_without_a_penalty_tells_none(rng):
    X = rng.normal(size=(30, 2))
    svc = fit_probe(LinearSVC(), X, X[:, 0] > 0, np.arange(30))
    assert np.isnan(penalty(svc))
    predicted = outputs(svc, X)
    np.testing.assert_array_equal(predicted[:, 0], -predicted[:, 1])
    ridge = fit_probe(PrefixRidgeCV(), X, X[:, 0], np.arange(30))
    assert penalty(ridge) == ridge.alpha_


def test_spearman_is_scipys_and_without_order_zero(rng):
    y, predicted = rng.normal(size=50), rng.normal(size=50).round(1)
    assert score("spearman", y, predicted, None) == pytest.approx(spearmanr(y, predicted).statistic)
    assert score("spearman", y, np.zeros(50), None) == 0
    assert np.isnan(score("spearman", np.ones(50), predicted, None))


def test_aupr_is_of_the_second_class_or_the_mean_over_classes(rng):
    y = np.array(list("abcab"), dtype=object)
    predicted = rng.random((5, 3))
    classes = np.array(list("abc"), dtype=object)
    per_class = [average_precision_score(y == c, predicted[:, i]) for i, c in enumerate(classes)]
    assert score("aupr", y, predicted, classes) == pytest.approx(np.mean(per_class))
    two = np.array(["no", "yes", "no"], dtype=object)
    predicted = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    assert score("aupr", two, predicted, np.array(["no", "yes"])) == 0.5
    # a class that is not among the tests has no curve
    four = np.array(list("abcd"), dtype=object)
    predicted = rng.random((5, 4))
    per_class = [average_precision_score(y == c, predicted[:, i]) for i, c in enumerate("abc")]
    assert score("aupr", y, predicted, four) == pytest.approx(np.mean(per_class))


@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
def test_gb1_on_embeddings_of_esm2_scores_as_published():
    """Schmirler et al. (2024): a probe on these embeddings reaches 0.74 on the validation set."""
    path = Path(os.environ["REVDIST_DATA"]) / "embeddings" / "schmirler_gb1_esm2_8m_mean.npz"
    with np.load(path) as data:
        X, y = data["X_train"].astype(np.float64), data["y_train"].astype(np.float64)
        X_valid, y_valid = data["X_valid"].astype(np.float64), data["y_valid"]
    probe = fit_probe(make_probe("ridge", "regression"), X, y, np.arange(len(X)))
    assert score("spearman", y_valid, outputs(probe, X_valid), None) == pytest.approx(
        0.74, abs=0.01
    )
