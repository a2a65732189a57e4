"""The choice of prefix and penalty: that of a search that refits every candidate."""

import re
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import (
    f1_score,
    get_scorer,
    make_scorer,
    mean_squared_error,
    median_absolute_error,
    r2_score,
)
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import PrefixRidgeClassifierCV, PrefixRidgeCV, ReverseDistiller
from sklearn_revdist.probes._metrics import spearman

ALPHAS = [0.1, 3.0, 100.0]


@parametrize_with_checks([PrefixRidgeCV(), PrefixRidgeClassifierCV()])
@pytest.mark.filterwarnings("ignore:The least populated class in y has only 4 members")  # 1.6's
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture
def regression(rng):
    X = rng.normal(size=(90, 12)) + 5
    return X, X[:, 0] - X[:, 4] + rng.normal(size=90)


@pytest.fixture
def classes(rng):
    X, y = make_classification(120, 12, n_informative=5, n_classes=3, shuffle=False, random_state=0)
    return X, np.array(["nucleus", "membrane", "cytosol"])[y]


@pytest.fixture
def _routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def first_columns(X, n_columns):
    return X[:, :n_columns]


def brute_force(ridge, prefixes, X, y, **params):
    """Scores of every prefix and penalty, refitted, of shape (n_prefixes, n_alphas)."""
    search, fit_params = params.pop("search"), params
    pipeline = Pipeline(
        [
            ("prefix", FunctionTransformer(first_columns)),
            ("scaler", StandardScaler().set_fit_request(sample_weight=True))
            if sklearn.get_config()["enable_metadata_routing"]
            else ("scaler", StandardScaler()),
            ("ridge", ridge),
        ]
    )
    grid = {
        "prefix__kw_args": [{"n_columns": k} for k in prefixes],
        "ridge__alpha": ALPHAS,
    }
    results = GridSearchCV(pipeline, grid, **search).fit(X, y, **fit_params).cv_results_
    assert list(results["param_ridge__alpha"][: len(ALPHAS)]) == ALPHAS
    return results["mean_test_score"].reshape(len(prefixes), len(ALPHAS))


def assert_chosen(estimator, scores):
    """The scores are those given; of the best, the shortest prefix with the largest penalty."""
    np.testing.assert_allclose(estimator.cv_scores_, scores, rtol=0, atol=1e-8)
    prefixes, alphas = np.nonzero(scores >= scores.max() - 1e-10)
    shortest = prefixes.min()
    assert estimator.n_prefix_ == estimator.prefixes_[shortest]
    assert estimator.alpha_ == max(np.array(ALPHAS)[alphas[prefixes == shortest]])
    assert estimator.best_score_ == pytest.approx(scores.max(), abs=1e-8)


# ----------------------------------------------------------------- against brute force


@pytest.mark.parametrize(
    "scoring", [None, "r2", "neg_mean_squared_error", "neg_median_absolute_error", "spearman"]
)
@pytest.mark.parametrize("prefixes", ["all", [2, 5, 11]])
def test_scores_and_choice_are_those_of_a_grid_search(scoring, prefixes, regression):
    cv = KFold(4, shuffle=True, random_state=0)
    probe = PrefixRidgeCV(ALPHAS, prefixes=prefixes, cv=cv, scoring=scoring).fit(*regression)
    search = {"cv": cv, "scoring": make_scorer(spearman) if scoring == "spearman" else scoring}
    expected = brute_force(Ridge(), probe.prefixes_, *regression, search=search)
    assert_chosen(probe, expected)


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_squared_error", "spearman", "max_error"])
def test_several_targets(scoring, regression, rng):
    X, y = regression
    Y = np.column_stack([y, X[:, 3] + rng.normal(size=90)])
    scorer = {
        "spearman": make_scorer(spearman),
        "max_error": make_scorer(lambda y, p: np.abs(y - p).max(), greater_is_better=False),
    }.get(scoring, scoring)
    probe = PrefixRidgeCV(ALPHAS, cv=3, scoring=scorer if scoring == "max_error" else scoring).fit(
        X, Y
    )
    folds = KFold(3, shuffle=True, random_state=0)
    assert_chosen(
        probe, brute_force(Ridge(), range(1, 13), X, Y, search={"cv": folds, "scoring": scorer})
    )
    assert probe.predict(X).shape == Y.shape


@pytest.mark.parametrize(
    ("scoring", "n_classes"),
    [
        (None, 2),
        (None, 3),
        ("balanced_accuracy", 2),
        ("f1_macro", 3),
        ("roc_auc", 2),
        ("average_precision", 2),
    ],
)
def test_classifier_chooses_as_a_grid_search(scoring, n_classes, classes):
    X, y = classes
    if n_classes == 2:
        y = np.where(y == "nucleus", 1, 0)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    probe = PrefixRidgeClassifierCV(ALPHAS, cv=5, scoring=scoring).fit(X, y)
    expected = brute_force(
        RidgeClassifier(), range(1, 13), X, y, search={"cv": folds, "scoring": scoring}
    )
    assert_chosen(probe, expected)
    held = X[:, : probe.n_prefix_]
    ridge = make_pipeline(StandardScaler(), RidgeClassifier(probe.alpha_)).fit(held, y)
    assert probe.predict(X).tolist() == ridge.predict(held).tolist()
    np.testing.assert_allclose(
        probe.decision_function(X), ridge.decision_function(held), rtol=0, atol=1e-10
    )


@pytest.mark.usefixtures("_routing")
@pytest.mark.parametrize("name", ["r2", "neg_median_absolute_error"])
def test_weights_reach_fit_and_score(name, regression, rng):
    weights = rng.integers(0, 4, size=90)
    scoring = get_scorer(name).set_score_request(sample_weight=True)
    ridge = Ridge().set_fit_request(sample_weight=True)
    expected = brute_force(
        ridge,
        range(1, 13),
        *regression,
        search={"cv": KFold(3), "scoring": scoring},
        sample_weight=weights,
    )
    probe = PrefixRidgeCV(ALPHAS, cv=KFold(3), scoring=scoring)
    assert_chosen(probe.fit(*regression, sample_weight=weights), expected)


def test_without_routing_weights_reach_a_scorer_that_takes_them(regression, rng):
    X, y = regression
    weights = rng.integers(1, 4, size=90)
    with sklearn.config_context(enable_metadata_routing=True):
        expected = PrefixRidgeCV(cv=3).fit(X, y, sample_weight=weights).cv_scores_

    def weighted_r2(estimator, X, y, sample_weight=None):
        return r2_score(y, estimator.predict(X), sample_weight=sample_weight)

    for scoring in (None, "r2", weighted_r2):
        probe = PrefixRidgeCV(cv=3, scoring=scoring).fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(probe.cv_scores_, expected, rtol=0, atol=1e-10)
    probe = PrefixRidgeCV(cv=3, scoring="spearman").fit(X, y, sample_weight=weights)
    assert np.isfinite(probe.cv_scores_).all()


@pytest.mark.usefixtures("_routing")
def test_groups_reach_the_splitter(regression, rng):
    groups = rng.integers(6, size=90)
    probe = PrefixRidgeCV(ALPHAS, cv=GroupKFold(3)).fit(*regression, groups=groups)
    splits = list(GroupKFold(3).split(*regression, groups))
    np.testing.assert_array_equal(
        probe.cv_scores_, PrefixRidgeCV(ALPHAS, cv=splits).fit(*regression).cv_scores_
    )


def test_groups_need_routing(regression):
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        PrefixRidgeCV(cv=GroupKFold(3)).fit(*regression, groups=np.zeros(90))


def test_a_number_is_shuffled_folds(regression, classes):
    folds = KFold(4, shuffle=True, random_state=0)
    assert_same(PrefixRidgeCV(cv=4).fit(*regression), PrefixRidgeCV(cv=folds).fit(*regression))
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    assert_same(
        PrefixRidgeClassifierCV(cv=4).fit(*classes),
        PrefixRidgeClassifierCV(cv=folds).fit(*classes),
    )


def assert_same(left, right):
    np.testing.assert_array_equal(left.cv_scores_, right.cv_scores_)
    np.testing.assert_array_equal(left.coef_, right.coef_)


# ----------------------------------------------------------------- leaving out one row


def left_out_scores(score, ridge, X, y, weights):
    """Scores of predictions of each row by pipelines fitted without it, the scaler apart."""
    scaled = StandardScaler().fit(X, sample_weight=weights).transform(X)
    rows = np.arange(len(X))
    scores = np.empty((X.shape[1], len(ALPHAS)))
    for k in range(X.shape[1]):
        for j, alpha in enumerate(ALPHAS):
            predicted = [
                clone(ridge)
                .set_params(alpha=alpha)
                .fit(scaled[rows != i, : k + 1], y[rows != i], weights[rows != i])
                .predict(scaled[[i], : k + 1])[0]
                for i in rows
            ]
            scores[k, j] = score(y, np.array(predicted), weights)
    return scores


@pytest.mark.parametrize(
    ("scoring", "score"),
    [
        (None, lambda y, p, w: r2_score(y, p, sample_weight=w)),
        ("neg_mean_squared_error", lambda y, p, w: -mean_squared_error(y, p, sample_weight=w)),
        ("spearman", lambda y, p, w: spearman(y, p)),
        (
            "neg_median_absolute_error",
            lambda y, p, w: -median_absolute_error(y, p, sample_weight=w),
        ),
        (
            lambda model, X, y: -np.abs(model.predict(X) - y).max(),
            lambda y, p, w: -np.abs(y - p).max(),
        ),
    ],
)
def test_by_default_each_row_is_left_out(scoring, score, regression, rng):
    X, y = (values[:30] for values in regression)
    weights = rng.uniform(0.5, 2, size=30)
    probe = PrefixRidgeCV(ALPHAS, scoring=scoring).fit(X, y, sample_weight=weights)
    assert_chosen(probe, left_out_scores(score, Ridge(), X, y, weights))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_by_default_the_classifier_leaves_each_row_out(n_classes, classes):
    X, y = classes[0][::3, :5], classes[1][::3]
    if n_classes == 2:
        y = np.where(y == "nucleus", 1, 0)

    def score(y, predicted, weights):
        return np.mean(y == predicted)

    probe = PrefixRidgeClassifierCV(ALPHAS).fit(X, y)
    assert_chosen(probe, left_out_scores(score, RidgeClassifier(), X, y, np.ones(40)))
    macro = PrefixRidgeClassifierCV(ALPHAS, scoring="f1_macro").fit(X, y)
    expected = left_out_scores(
        lambda y, p, w: f1_score(y, p, average="macro"), RidgeClassifier(), X, y, np.ones(40)
    )
    assert_chosen(macro, expected)


@pytest.mark.usefixtures("_routing")
def test_weights_reach_the_score_of_left_out_rows_where_it_asks_for_them(regression, rng):
    X, y = regression
    weights = rng.uniform(0.5, 2, size=90)
    found = []
    for asks in (True, False):
        scoring = get_scorer("r2").set_score_request(sample_weight=asks)
        probe = PrefixRidgeCV([3.0], prefixes=[12], scoring=scoring)
        found.append(probe.fit(X, y, sample_weight=weights).best_score_)
    scaled = StandardScaler().fit(X, sample_weight=weights).transform(X)
    rows = np.arange(90)
    predicted = [
        Ridge(3.0).fit(scaled[rows != i], y[rows != i], weights[rows != i]).predict(scaled[[i]])[0]
        for i in rows
    ]
    expected = [r2_score(y, predicted, sample_weight=w) for w in (weights, None)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_left_out_scores_are_those_of_as_many_folds_as_rows(regression):
    """Without scaling, which would be that of each training fold."""
    X, y = regression
    probe = PrefixRidgeCV(ALPHAS, scale=False, scoring="neg_mean_squared_error").fit(X, y)
    folds = PrefixRidgeCV(
        ALPHAS, scale=False, scoring="neg_mean_squared_error", cv=LeaveOneOut()
    ).fit(X, y)
    np.testing.assert_allclose(probe.cv_scores_, folds.cv_scores_, rtol=1e-10)


@pytest.mark.parametrize("shape", [(300, 40), (40, 300)])
@pytest.mark.parametrize("scoring", [None, "spearman"])
def test_the_order_of_the_rows_decides_nothing(shape, scoring, rng):
    X = rng.normal(size=shape)
    y = X[:, :5].sum(axis=1) + rng.normal(size=shape[0])
    order = np.argsort(y)
    probes = [
        PrefixRidgeCV(scoring=scoring).fit(X[rows], y[rows])
        for rows in (order, order[::-1], rng.permutation(order))
    ]
    for probe in probes[1:]:
        assert (probe.n_prefix_, probe.alpha_) == (probes[0].n_prefix_, probes[0].alpha_)
        np.testing.assert_allclose(probe.cv_scores_, probes[0].cv_scores_, rtol=0, atol=1e-10)


def test_neither_unit_nor_spread_of_the_columns_matters(regression):
    X, y = regression
    units = np.logspace(-6, 6, 12)
    probe, other = PrefixRidgeCV().fit(X, y), PrefixRidgeCV().fit(X * units, y)
    np.testing.assert_allclose(other.cv_scores_, probe.cv_scores_, rtol=1e-9)
    np.testing.assert_allclose(other.coef_ * units, probe.coef_, rtol=1e-9)
    np.testing.assert_allclose(other.predict(X * units), probe.predict(X), rtol=1e-9)


def test_columns_as_they_are_give_those_of_ridge(regression):
    X, y = regression
    probe = PrefixRidgeCV(ALPHAS, scale=False).fit(X, y)
    ridge = Ridge(probe.alpha_).fit(X[:, : probe.n_prefix_], y)
    np.testing.assert_allclose(probe.coef_[: probe.n_prefix_], ridge.coef_, rtol=0, atol=1e-10)


def test_one_row_cannot_be_left_out(regression):
    weights = np.zeros(90)
    weights[7] = 1.0
    with pytest.raises(ValueError, match="Leave-one-out needs at least two rows"):
        PrefixRidgeCV().fit(*regression, sample_weight=weights)


def test_standard_errors_over_rows_shrink_with_their_number(rng):
    X = rng.normal(size=(4000, 5))
    y = X[:, 0] + rng.normal(size=4000)
    few, many = (PrefixRidgeCV([1.0]).fit(X[:n], y[:n]) for n in (250, 4000))
    ratio = few.cv_standard_errors_ / many.cv_standard_errors_
    assert ((ratio > 3) & (ratio < 5)).all()  # the root of 16


# ----------------------------------------------------------------- the choice


def test_columns_of_zeros_are_not_chosen(regression):
    X, y = regression
    X = np.hstack([X[:, :5], np.zeros((90, 4))])
    assert PrefixRidgeCV(ALPHAS).fit(X, y).n_prefix_ == 5


def test_one_standard_error_takes_the_shortest_prefix_within_it(rng):
    X = rng.normal(size=(90, 12))
    y = X @ 0.6 ** np.arange(12) + rng.normal(size=90)
    best = PrefixRidgeCV(ALPHAS).fit(X, y)
    frugal = PrefixRidgeCV(ALPHAS, one_standard_error=True).fit(X, y)
    np.testing.assert_array_equal(best.cv_scores_, frugal.cv_scores_)
    at_best = best.n_prefix_ - 1, ALPHAS.index(best.alpha_)
    least = best.cv_scores_[at_best] - best.cv_standard_errors_[at_best]
    within = (best.cv_scores_ >= least).any(axis=1)
    assert frugal.n_prefix_ == np.flatnonzero(within)[0] + 1 < best.n_prefix_
    own = best.cv_scores_[frugal.n_prefix_ - 1]
    assert frugal.alpha_ == ALPHAS[int(own.argmax())]
    assert frugal.best_score_ == own.max()


def test_standard_errors_are_those_over_folds(regression):
    X, y = regression
    splits = list(KFold(4).split(X))
    folds = [PrefixRidgeCV(ALPHAS, cv=[split]).fit(X, y) for split in splits]
    scores = np.array([fold.cv_scores_ for fold in folds])
    probe = PrefixRidgeCV(ALPHAS, cv=iter(splits)).fit(X, y)
    np.testing.assert_allclose(probe.cv_scores_, scores.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(probe.cv_standard_errors_, scores.std(axis=0, ddof=1) / 2, rtol=1e-9)
    assert np.isnan(folds[0].cv_standard_errors_).all()


# ----------------------------------------------------------------- the fit


@pytest.mark.parametrize("n_targets", [None, 1, 2])
def test_it_predicts_as_ridge_on_the_chosen_prefix(n_targets, regression, rng):
    X, y = regression
    if n_targets is not None:
        y = y[:, np.newaxis] + rng.normal(size=(90, n_targets))
    weights = rng.random(90)
    probe = PrefixRidgeCV(ALPHAS).fit(X, y, sample_weight=weights)
    assert probe.predict(X).shape == y.shape
    assert probe.coef_.shape == (*y.shape[1:], 12)
    assert np.shape(probe.intercept_) == y.shape[1:]
    assert not probe.coef_[..., probe.n_prefix_ :].any()
    prefix = X[:, : probe.n_prefix_]
    scaled = StandardScaler().fit(prefix, sample_weight=weights).transform(prefix)
    predicted = Ridge(probe.alpha_).fit(scaled, y, weights).predict(scaled).reshape(y.shape)
    np.testing.assert_allclose(probe.predict(X), predicted, rtol=0, atol=1e-10)


def test_columns_beyond_the_prefix_are_not_looked_at(regression):
    X, y = regression
    probe = PrefixRidgeCV(ALPHAS, prefixes=[5]).fit(X, y)
    other = np.hstack([X[:, :5], np.full((90, 7), 1e300)])
    np.testing.assert_array_equal(probe.predict(other), probe.predict(X))


@pytest.mark.parametrize("shape", [(40, 200), (400, 30)])
def test_two_fits_are_bit_identical(shape, rng):
    X, y = rng.normal(size=shape), rng.normal(size=shape[0])
    assert_same(PrefixRidgeCV().fit(X, y), PrefixRidgeCV().fit(X, y))


def test_clone_and_joblib(regression, tmp_path):
    probe = PrefixRidgeCV(ALPHAS, scoring="spearman").fit(*regression)
    joblib.dump(probe, tmp_path / "probe.joblib")
    assert_same(joblib.load(tmp_path / "probe.joblib"), probe)
    assert_same(clone(probe).fit(*regression), probe)


def test_scorers_see_a_fitted_estimator_of_the_prefix(regression):
    """A scorer may predict whatever it likes, not the held-out rows alone."""
    X, y = regression
    seen = []

    def scorer(estimator, X_test, y_test):
        seen.append((estimator.n_prefix_, len(estimator.predict(X))))
        return -np.abs(estimator.predict(X[:7]) - y[:7]).max()

    PrefixRidgeCV([1.0], prefixes=[2, 7], cv=KFold(3), scoring=scorer).fit(X, y)
    assert seen == [(2, 90), (7, 90)] * 3


# ----------------------------------------------------------------- the chain's models


@pytest.fixture
def chain(rng):
    hidden = rng.normal(size=(100, 21))
    X = np.hstack([hidden[:, :k] @ rng.normal(size=(k, k)) for k in (4, 7, 10)])
    names = [f"{m}_{i}" for m, k in (("a", 4), ("b", 7), ("c", 10)) for i in range(k)]
    return pd.DataFrame(X, columns=names), hidden[:, 5]


def test_models_are_read_from_the_distillers_names(chain):
    distiller = ReverseDistiller().set_output(transform="pandas")
    scaler = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(distiller, scaler, PrefixRidgeCV(prefixes="models")).fit(*chain)
    probe = model[-1]
    assert (
        probe.prefixes_.tolist() == distiller.fit(chain[0]).prefix_lengths_.tolist() == [4, 7, 10]
    )
    assert probe.n_prefix_ == 7
    assert probe.feature_names_in_[4] == "b_residual_0"


def test_models_of_a_shorter_embedding(chain):
    distiller = ReverseDistiller(n_components=9).set_output(transform="pandas")
    probe = PrefixRidgeCV(prefixes="models").fit(distiller.fit_transform(chain[0]), chain[1])
    assert probe.prefixes_.tolist() == [4, 7, 9]


def test_models_without_names_are_asked_for(regression):
    with pytest.raises(ValueError, match=r'prefixes="models" reads .* X has no such names'):
        PrefixRidgeCV(prefixes="models").fit(*regression)


# ----------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"prefixes": [0, 3]}, "prefixes[0]=0 is not an integer from 1 to 12"),
        ({"prefixes": [3, 13]}, "prefixes[1]=13 is not an integer from 4 to 12"),
        ({"prefixes": [2.5]}, "prefixes[0]=2.5 is not an integer"),
        ({"prefixes": [5, 3]}, "prefixes[1]=3 is not an integer from 6 to 12, the"),
        ({"prefixes": [3, 3]}, "prefixes[1]=3 is not an integer from 4 to 12, the"),
        ({"prefixes": []}, "prefixes is empty"),
        ({"alphas": [1.0, 0.0]}, "alphas[1]=0.0 is not positive"),
        ({"alphas": [-1.0]}, "alphas[0]=-1.0 is not positive"),
        ({"alphas": [np.nan]}, "alphas[0]=nan is not positive"),
        ({"alphas": [np.inf]}, "alphas[0]=inf is not positive"),
        ({"alphas": []}, "alphas has the shape (0,)"),
        ({"alphas": [[1.0]]}, "alphas has the shape (1, 1)"),
        ({"alphas": ["weak"]}, "alphas must be numbers"),
        ({"scoring": "neg_log_loss"}, "scoring='neg_log_loss' needs predict_proba, which"),
        ({"scoring": "roc_auc"}, "needs decision_function or predict_proba, which Prefix"),
        ({"cv": KFold(90)}, "The score of test fold 0 is nan with prefix 1 and alpha=0.01"),
        (
            {"scoring": "neg_max_error", "one_standard_error": True},
            "one_standard_error=True needs the scatter of at least two folds or, with cv=None,",
        ),
        (
            {"cv": [(np.arange(60), np.arange(60, 90))], "one_standard_error": True},
            "one_standard_error=True needs the scatter of at least two folds",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(parameters, message, regression):
    probe = PrefixRidgeCV(**parameters)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        probe.fit(*regression)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
    assert not hasattr(probe, "n_features_in_")


def test_a_classifier_has_no_probabilities(classes):
    with pytest.raises(ValueError, match=r"needs predict_proba, .* such as 'accuracy'"):
        PrefixRidgeClassifierCV(scoring="neg_log_loss").fit(*classes)


@pytest.mark.parametrize("missing", [None, np.nan, np.inf, pd.NA, pd.NaT])
def test_a_target_that_is_missing_is_named_by_its_row(missing, regression):
    X = regression[0]
    for probe, target in ((PrefixRidgeCV, 1.5), (PrefixRidgeClassifierCV, "nucleus")):
        y = np.array([target] * 90, dtype=object)
        y[7] = missing
        for given in (y, y.tolist(), pd.Series(y)):
            with pytest.raises(ValueError, match=r"y has .* in row 7 \(counting from 0\), .*drop"):
                probe().fit(X, given)


def test_classes_are_no_numbers(regression):
    X = regression[0]
    with pytest.raises(ValueError, match=r"y has 'b' in row 0 .*take PrefixRidgeClassifierCV for"):
        PrefixRidgeCV().fit(X, ["b", "a"] * 45)
    with pytest.raises(ValueError, match="y has 'b' in row 1, column 1 "):
        PrefixRidgeCV().fit(X, np.array([[1, 2], [3, "b"]] * 45, dtype=object))
    with pytest.raises(ValueError, match=r"y has 3 in row 1 .* and 'a' in row 0; give classes"):
        PrefixRidgeClassifierCV().fit(X, ["a", 3] * 45)


def test_one_class_is_refused(regression):
    with pytest.raises(ValueError, match="All targets are of one class, nucleus; give"):
        PrefixRidgeClassifierCV().fit(regression[0], ["nucleus"] * 90)


@pytest.mark.parametrize("what", ["X", "y"])
def test_nan_is_refused_and_changes_nothing(what, regression):
    X, y = regression
    probe = PrefixRidgeCV().fit(X, y)
    before = joblib.hash(vars(probe))
    other = {"X": X[:, :6].copy(), "y": y.copy()}
    other[what][3] = np.nan
    message = {"X": "X has NaN in row 3, column", "y": "y has nan in row 3"}[what]
    with pytest.raises(ValueError, match=message):
        probe.fit(**other)
    assert joblib.hash(vars(probe)) == before


@pytest.mark.parametrize(
    ("zero", "message"),
    [
        (slice(None), "sample_weight is zero for all rows"),
        (slice(30, None), "sample_weight is zero for all rows of training fold 0"),
        (slice(0, 30), "sample_weight is zero for all rows of test fold 0"),
    ],
)
def test_weights_that_are_all_zero(zero, message, regression):
    weights = np.ones(90)
    weights[zero] = 0
    with pytest.raises(ValueError, match=message):
        PrefixRidgeCV(cv=KFold(3)).fit(*regression, sample_weight=weights)


def test_equal_targets_have_no_rank_correlation(regression):
    y = np.where(np.arange(90) < 30, 1.0, regression[1])
    with pytest.raises(ValueError, match="The score of test fold 0 is nan"):
        PrefixRidgeCV(cv=KFold(3), scoring="spearman").fit(regression[0], y)
    with pytest.raises(ValueError, match="The score of the held-out rows is nan"):
        PrefixRidgeCV(scoring="spearman").fit(regression[0], np.ones(90))


def test_a_penalty_that_rounding_spoils_is_warned_of_once(regression):
    X, y = regression
    X = np.hstack([X, X])
    with pytest.warns(UserWarning, match=r"alpha=1e-20 is so small .* leave out") as caught:
        PrefixRidgeCV([1e-20, 1.0]).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PrefixRidgeCV([1e-8, 1.0]).fit(X, y)
