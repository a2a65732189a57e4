"""LeftOutVotingRegressor: the mean of its members, left-out errors, coverage of intervals."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import GroupRidgeCV, LeftOutVotingRegressor, PrefixRidgeCV

COVERAGES = (0.1, 0.5, 0.9)


def fixed(alpha):
    """A ridge whose refits without a row are those that its left-out errors stand for."""
    return GroupRidgeCV(alpha_min=alpha, alpha_max=alpha, scale=False)


def on(columns, ridge):
    return make_pipeline(make_column_transformer(("passthrough", columns)), ridge)


@parametrize_with_checks(
    [LeftOutVotingRegressor([("scaled", GroupRidgeCV()), ("unscaled", GroupRidgeCV(scale=False))])]
)
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 8))
    return X, X[:, :3] @ [1, -1, 0.5] + 0.5 * rng.normal(size=60), rng.normal(size=(20, 8))


@pytest.fixture
def members():
    return [
        ("all", GroupRidgeCV()),
        ("few", on([0, 1], GroupRidgeCV(scale=False))),
        ("prefix", PrefixRidgeCV()),
    ]


@pytest.mark.parametrize("weights", [None, [1, 2, 5], np.array([0.5, 0, 0.5])])
def test_it_is_the_mean_of_its_members_and_as_sure_as_the_first(data, members, weights):
    X, y, new = data
    model = LeftOutVotingRegressor(members, weights=weights).fit(X, y)
    fitted = [clone(member).fit(X, y) for _, member in members]
    shares = np.ones(3) / 3 if weights is None else np.array(weights) / np.sum(weights)
    mean = sum(share * each.predict(new) for share, each in zip(shares, fitted, strict=True))
    predicted, std = model.predict(new, return_std=True)
    np.testing.assert_allclose(predicted, mean)
    np.testing.assert_array_equal(predicted, model.predict(new))
    _, of_first = fitted[0].predict(new, return_std=True)
    np.testing.assert_allclose(std / model.noise_std_, of_first / fitted[0].noise_std_)
    for coverage in COVERAGES:
        lower, upper = model.predict_interval(new, coverage).T
        np.testing.assert_allclose((lower + upper) / 2, mean)
        np.testing.assert_allclose((upper - lower) / std, ((upper - lower) / std)[0])


def test_left_out_errors_are_those_of_refits(data):
    X, y, _ = data
    members = [("all", fixed(5.0)), ("few", on([0, 1], fixed(2.0)))]
    model = LeftOutVotingRegressor(members, weights=[2, 1]).fit(X, y)
    rows, errors, spreads = np.arange(len(y)), [], []
    for row in rows:
        refit = clone(model).fit(X[rows != row], y[rows != row])
        predicted, std = refit.predict(X[[row]], return_std=True)
        errors.append(abs(y[row] - predicted[0]))
        spreads.append(std[0] / refit.noise_std_)
    np.testing.assert_allclose(model._left_out_std, model.noise_std_ * np.array(spreads))
    units = np.array(errors) / spreads
    assert model.noise_std_ == pytest.approx(np.sqrt(np.mean(units**2)))
    for coverage in COVERAGES:  # the smallest that so many of the rows and one more are within
        lower, upper = model.predict_interval(X, coverage).T
        _, std = model.predict(X, return_std=True)
        expected = np.sort(units)[int(np.ceil(coverage * (len(y) + 1))) - 1] / model.noise_std_
        np.testing.assert_allclose((upper - lower) / 2, expected * std)


@pytest.mark.parametrize("ridge", [GroupRidgeCV(), PrefixRidgeCV(), on([0, 2, 5], GroupRidgeCV())])
def test_one_member_is_what_it_is_alone(data, ridge):
    X, y, new = data
    model, alone = LeftOutVotingRegressor([("one", ridge)]).fit(X, y), clone(ridge).fit(X, y)
    assert model.noise_std_ == pytest.approx(getattr(alone, "noise_std_", model.noise_std_))
    for found, expected in zip(
        model.predict(new, return_std=True), alone.predict(new, return_std=True), strict=True
    ):
        np.testing.assert_allclose(found, expected)
    if hasattr(alone, "predict_interval"):
        for coverage in (*COVERAGES, 0.999):
            expected = alone.predict_interval(new, coverage)
            np.testing.assert_allclose(model.predict_interval(new, coverage), expected)
    twice = LeftOutVotingRegressor([("one", ridge), ("same", ridge)]).fit(X, y)
    for found, expected in zip(
        twice.predict(new, return_std=True), alone.predict(new, return_std=True), strict=True
    ):
        np.testing.assert_allclose(found, expected)


def test_rows_without_weight_are_left_out_of_everything(data):
    X, y, new = data
    forest = RandomForestRegressor(oob_score=True, bootstrap=True, random_state=0)
    members = [("ridge", GroupRidgeCV()), ("forest", forest)]
    weight = (np.arange(60) % 4 > 0).astype(float)
    one, other = (
        LeftOutVotingRegressor(members).fit(X, target, sample_weight=weight)
        for target in (y, np.where(weight > 0, y, 100.0))
    )
    np.testing.assert_allclose(one.predict_interval(new), other.predict_interval(new))
    assert len(one._errors) == 45


def test_intervals_hold_the_share_that_they_promise(rng):
    n_draws, coverage = 300, 0.8
    held = 0
    for _ in range(n_draws):  # of training rows and one new row each, with skewed noise
        X = rng.normal(size=(31, 6))
        y = X[:, 0] - X[:, 1] + rng.exponential(size=31)
        members = [("all", fixed(3.0)), ("few", on([0], fixed(1.0)))]
        model = LeftOutVotingRegressor(members).fit(X[:-1], y[:-1])
        lower, upper = model.predict_interval(X[-1:], coverage)[0]
        held += lower <= y[-1] <= upper
    sigma = np.sqrt(coverage * (1 - coverage) / n_draws)
    assert abs(held / n_draws - coverage) < 3 * sigma


def test_a_member_that_is_certain_does_not_hide_the_errors_of_another(rng):
    X = rng.normal(size=(30, 2))
    exact = GroupRidgeCV(alpha_min=1e-12, alpha_max=1e-12, scale=False)
    model = LeftOutVotingRegressor([("exact", exact), ("other", on([0], fixed(1.0)))]).fit(
        X, X.sum(axis=1)
    )
    _, std = model.predict(X, return_std=True)
    assert model.noise_std_ > 0.1
    assert (std >= model.noise_std_).all()


def test_coverages_beyond_what_rows_can_tell_are_infinite(data):
    X, y, new = data
    model = LeftOutVotingRegressor([("a", GroupRidgeCV()), ("b", GroupRidgeCV(scale=False))]).fit(
        X, y
    )
    assert np.isfinite(model.predict_interval(new, 60 / 61)).all()
    assert np.isinf(model.predict_interval(new, 60 / 61 + 1e-6)).all()


def test_rows_of_weight_two_are_two_rows(data):
    X, y, new = data
    weight = np.arange(60) % 3  # some are absent
    members = [("all", fixed(5.0)), ("other", fixed(50.0))]
    weighted = LeftOutVotingRegressor(members).fit(X, y, sample_weight=weight)
    repeated = LeftOutVotingRegressor(members).fit(
        np.repeat(X, weight, axis=0), np.repeat(y, weight)
    )
    for method in ("predict", "predict_interval"):
        found, expected = (getattr(model, method)(new) for model in (weighted, repeated))
        np.testing.assert_allclose(found, expected)
    assert weighted.noise_std_ == pytest.approx(repeated.noise_std_)


def test_targets_without_variance_are_predicted_with_certainty(data):
    X, _, new = data
    model = LeftOutVotingRegressor([("a", GroupRidgeCV()), ("b", PrefixRidgeCV())]).fit(
        X, np.full(60, 2.5)
    )
    predicted, std = model.predict(new, return_std=True)
    np.testing.assert_allclose(predicted, 2.5)
    assert (std == 0).all()
    np.testing.assert_allclose(model.predict_interval(new), 2.5)


def test_dropped_members_do_not_count(data, members):
    X, y, new = data
    model = LeftOutVotingRegressor(members, weights=[1, 2, 3]).set_params(few="drop").fit(X, y)
    kept = LeftOutVotingRegressor([members[0], members[2]], weights=[1, 3]).fit(X, y)
    np.testing.assert_allclose(model.predict_interval(new), kept.predict_interval(new))


def test_weights_may_be_the_r2_of_left_out_rows(data):
    X, y, new = data
    forest = RandomForestRegressor(50, oob_score=True, random_state=0)
    members = [("all", fixed(5.0)), ("forest", forest)]
    model = LeftOutVotingRegressor(members, weights=["r2", "r2"]).fit(X, y)
    left_out = cross_val_predict(fixed(5.0), X, y, cv=LeaveOneOut())
    trees = clone(forest).fit(X, y)
    shares = np.array([r2_score(y, left_out), trees.oob_score_])
    np.testing.assert_allclose(model.weights_, shares / shares.sum())
    np.testing.assert_allclose(
        model.predict(new),
        np.average([fixed(5.0).fit(X, y).predict(new), trees.predict(new)], axis=0, weights=shares),
    )
    errors = y - np.average([left_out, trees.oob_prediction_], axis=0, weights=shares)
    assert model.noise_std_ <= np.sqrt(np.mean(errors**2))  # spreads are above 1


def test_members_worse_than_the_mean_of_the_target_count_nothing(rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    members = [("noise", fixed(1e-6)), ("other", fixed(1.0))]
    assert LeftOutVotingRegressor(members, weights=["r2", 1]).fit(X, y).weights_.tolist() == [0, 1]
    both = LeftOutVotingRegressor(members, weights=["r2", "r2"]).fit(X, y)
    assert both.weights_.tolist() == [0.5, 0.5]


def test_pipelines_need_no_routing(data, members):
    X, y, new = data
    expected = LeftOutVotingRegressor(members).fit(X, y).predict_interval(new)
    with config_context(enable_metadata_routing=True):
        found = LeftOutVotingRegressor(members).fit(X, y).predict_interval(new)
    np.testing.assert_array_equal(found, expected)


def test_copies_predict_the_same(data, members):
    skops = pytest.importorskip("skops.io", reason="needs the extra cli")
    X, y, new = data
    model = LeftOutVotingRegressor(members, weights=[1, 2, 3]).fit(X, y)
    with pytest.raises(NotFittedError):
        clone(model).predict(new)
    dumped = skops.dumps(model)
    types = skops.get_untrusted_types(data=dumped)
    copies = [clone(model).fit(X, y), pickle.loads(pickle.dumps(model))]
    for copy in [*copies, skops.loads(dumped, trusted=types)]:
        np.testing.assert_array_equal(copy.predict_interval(new), model.predict_interval(new))


def test_what_cannot_be_mixed_is_refused(data):
    X, y, new = data
    for member, kind in (
        (LinearRegression(), "LinearRegression"),
        (make_pipeline(Ridge()), "Ridge"),
        (make_pipeline(make_pipeline(GroupRidgeCV())), "Pipeline"),
    ):
        model = LeftOutVotingRegressor([("good", GroupRidgeCV()), ("bad", member)])
        with pytest.raises(TypeError, match=rf"^estimators has 'bad' of type {kind}, which has no"):
            model.fit(X, y)
    forests = RandomForestRegressor(oob_score=True), RandomForestRegressor()
    for member, others, needs in (
        (forests[0], [], "standard deviations; give GroupRidgeCV, PrefixRidgeCV or"),
        (forests[1], [("good", GroupRidgeCV())], "predictions of left-out rows; give .* forests"),
    ):
        with pytest.raises(TypeError, match=rf"'bad' of type RandomForest.*, which has no {needs}"):
            LeftOutVotingRegressor([*others, ("bad", member)]).fit(X, y)
    model = LeftOutVotingRegressor([("a", GroupRidgeCV())])
    for call in (
        lambda: model.predict(new),
        lambda: model.predict(new, return_std=True),
        lambda: model.predict_interval(new),
    ):
        with pytest.raises(NotFittedError):
            call()
    wrong = ["r3", 1], [None, 1], ["r2"]
    for weights in ([1], [1, 2, 3], [-1, 2], [0, 0], [np.nan, 1], [np.inf, 1], [[1, 2]], *wrong):
        two = LeftOutVotingRegressor(
            [("a", GroupRidgeCV()), ("b", GroupRidgeCV())], weights=weights
        )
        with pytest.raises(ValueError, match=r"^weights=.* must be 2 numbers of 0 or more"):
            two.fit(X, y)
    with pytest.raises(ValueError, match=r"a name that no other has and a regression"):
        LeftOutVotingRegressor([("a", GroupRidgeCV()), ("a", GroupRidgeCV())]).fit(X, y)
    fitted = model.fit(X, y)
    for coverage in (0, 1, -0.5, "most", np.nan):
        with pytest.raises(ValueError, match="'coverage' parameter of LeftOutVotingRegressor"):
            fitted.predict_interval(new, coverage)
