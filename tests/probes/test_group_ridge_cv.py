"""GroupRidgeCV: groups from names, equality with Ridge, and what unlike penalties are good for."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import (
    ESMEmbedder,
    GroupRidgeCV,
    KmerComposition,
    SequenceOneHotEncoder,
    load_if1_ecoli,
)


@parametrize_with_checks([GroupRidgeCV()])
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 40)) * rng.uniform(0.5, 20, 40)
    return X, X[:, 0] / 10 + rng.normal(size=80), ["few"] * 2 + ["many"] * 38


def test_it_equals_ridge_with_the_chosen_penalties(data):
    X, y, groups = data
    for model in (GroupRidgeCV(groups), GroupRidgeCV(groups, scale=False)):
        model.fit(X, y)
        factors = np.repeat(1 / np.sqrt(model.alphas_), [2, 38])
        if model.scale:
            factors /= X.std(axis=0)
        ridge = Ridge(1.0).fit(X * factors, y)
        np.testing.assert_allclose(model.predict(X), ridge.predict(X * factors))
        assert model.groups_ == ["few", "many"]


def test_one_group_has_the_penalty_of_ridge_cv(data):
    X, y, _ = data
    model = GroupRidgeCV(scale=False).fit(X, y)
    assert model.groups_ == ["all"]
    tried = np.geomspace(model.alphas_[0] / 2, model.alphas_[0] * 2, 41)
    common = RidgeCV(tried, store_cv_results=True).fit(X, y)
    assert common.alpha_ == pytest.approx(model.alphas_[0], rel=0.05)
    errors = common.cv_results_.mean(axis=0)
    assert 1 - errors.min() / y.var() == pytest.approx(model.best_score_, abs=1e-5)


def test_equal_bounds_are_the_penalty(data):
    X, y, groups = data
    model = GroupRidgeCV(groups, alpha_min=3.0, alpha_max=3.0).fit(X, y)
    np.testing.assert_allclose(model.alphas_, 3.0)


def test_groups_have_penalties_of_their_own(data):
    X, y, groups = data
    model = GroupRidgeCV(groups).fit(X, y)
    assert model.alphas_[1] > 10 * model.alphas_[0]
    common = GroupRidgeCV(["all"] * 40).fit(X, y)
    assert model.best_score_ > common.best_score_ + 0.02


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["8M_0", "8M_1", "35M_0", "35M_1"], ["8M", "35M"]),
        (["score", "score2", "site1_A", "site1_C"], ["score", "score2", "site1_A", "site1_C"]),
        (["hot__site1_A", "hot__site1_C", "e__8M_0", "e__8M_1"], ["hot", "e__8M"]),
        (["b_0", "a", "b_1", "c__x"], ["b", "a", "c"]),
    ],
)
def test_names_of_columns_say_the_groups(names, expected):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(20, 4)), columns=names)
    assert GroupRidgeCV().fit(X, X.iloc[:, 0]).groups_ == expected


def test_it_combines_features_of_unlike_kinds():
    X, y = load_if1_ecoli(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:400]
    union = FeatureUnion(
        [
            ("one_hot", SequenceOneHotEncoder()),
            ("kmers", KmerComposition()),
            ("embedding", ESMEmbedder("demo-48")),
        ]
    ).set_output(transform="pandas")
    model = make_pipeline(union, GroupRidgeCV())
    scores = cross_val_score(model, X[rows], y[rows], cv=3, error_score="raise")
    assert scores.mean() > 0.2
    fitted = model.fit(X[rows], y[rows])
    groups = ["one_hot", "kmers", "embedding__esm2_t3_100K_demo"]
    assert fitted[-1].groups_ == groups


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"groups": ["a"]},
            r"^groups is of shape \(1,\), but X has 40 columns; give one label for",
        ),
        ({"groups": [["a"] * 40]}, r"^groups is of shape \(1, 40\), but X has 40 columns"),
        ({"alpha_min": 10, "alpha_max": 1}, r"^alpha_min=10 is above alpha_max=1; swap them\.$"),
    ],
)
def test_what_is_not_valid_is_said(data, settings, message):
    X, y, _ = data
    with pytest.raises(ValueError, match=message):
        GroupRidgeCV(**settings).fit(X, y)


def test_equal_bounds_fix_the_penalty(data):
    X, y, _ = data
    model = GroupRidgeCV(alpha_min=5, alpha_max=5, scale=False).fit(X, y)
    assert model.alphas_ == pytest.approx([5])
    np.testing.assert_allclose(model.predict(X), Ridge(5.0).fit(X, y).predict(X))
