"""What a ridge knows of its errors, standard deviations and intervals, beside refits and models."""

import io
import pickle
import re

import joblib
import numpy as np
import pytest
import sklearn
from scipy import stats
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import GroupRidgeCV, PrefixRidgeCV
from sklearn_revdist.probes import _uncertainty
from sklearn_revdist.probes._uncertainty import Uncertainty
from sklearn_revdist.utils._fingerprint import fingerprint

MANY_AND_FEW_ROWS = pytest.mark.parametrize("shape", [(60, 12), (25, 30), (12, 60)])


def problem(rng, n_rows, n_columns, n_targets=2):
    X = rng.normal(size=(n_rows, n_columns)) * rng.uniform(0.5, 5, n_columns) + 3
    return X, X[:, :n_targets] + rng.normal(size=(n_rows, n_targets))


def posterior(X, Y, weights, alpha, scale):
    """Mean, coefficients and inverse matrix, in units of the columns."""
    mean, target_mean = (np.average(a, axis=0, weights=weights) for a in (X, Y))
    Z = (X - mean) / scale
    inverse = np.linalg.inv(Z.T @ (weights[:, np.newaxis] * Z) + alpha * np.eye(Z.shape[1]))
    return mean, target_mean, inverse @ Z.T @ (weights[:, np.newaxis] * (Y - target_mean)), inverse


def q_of(rows, mean, inverse, scale):
    z = (rows - mean) / scale
    return np.einsum("ij,jk,ik->i", z, inverse, z)


@MANY_AND_FEW_ROWS
@pytest.mark.parametrize("weighted", [False, True])
def test_the_spread_of_every_prefix_is_that_of_the_inverse_matrix(shape, weighted, rng):
    X, Y = problem(rng, *shape)
    weights = rng.uniform(0.3, 3, len(X)) if weighted else None
    w = np.ones(len(X)) if weights is None else weights
    new = rng.normal(size=(7, shape[1])) * 3
    for k in (1, 2, 5, shape[1]):
        found = Uncertainty.of(X[:, :k], Y, weights, alpha=2.0, scale=True)
        scale = np.sqrt(np.average((X - np.average(X, axis=0, weights=w)) ** 2, 0, w))[:k]
        mean, _, _, inverse = posterior(X[:, :k], Y, w, 2.0, scale)
        q = q_of(new[:, :k], mean, inverse, scale)
        expected = np.sqrt(1 + 1 / w.sum() + np.outer(q, found.share))
        np.testing.assert_allclose(found.spread(new[:, :k]), expected, rtol=1e-9)


def left_out(X, Y, weights, alpha, scale):
    """Residuals of each row in the ridge without it, its q there, and the rest of the weight.

    A column that does not vary among the other rows is left out with the row.
    """
    residuals, q, rest = [], [], []
    for i in range(len(X)):
        others = weights - np.minimum(weights, 1) * (np.arange(len(X)) == i)
        varies = np.ptp(X[others > 0], axis=0) > 0
        mean, target_mean, coef, inverse = posterior(X[:, varies], Y, others, alpha, scale[varies])
        z = (X[i, varies] - mean) / scale[varies]
        residuals.append(Y[i] - target_mean - z @ coef)
        q.append(z @ inverse @ z)
        rest.append(others.sum())
    return np.abs(residuals), np.array(q), np.array(rest)


@MANY_AND_FEW_ROWS
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_errors_are_those_of_refits_without_each_row(shape, weighted, own, rng):
    X, Y = problem(rng, *shape)
    if own:  # features that one row alone has, or one row alone has not
        X[:, 3:6] = [0, 1, -2]
        X[[4, 7, 7], [3, 4, 5]] += 1
    weights = rng.uniform(0.3, 1 if own else 3, len(X)) if weighted else np.ones(len(X))
    scale = rng.uniform(0.5, 3, shape[1])
    found = Uncertainty.of(X, Y, weights, alpha=2.0, scale=scale)
    residuals, q, rest = left_out(X, Y, weights, 2.0, scale)
    expected = residuals / np.sqrt(1 + 1 / rest[:, np.newaxis] + np.outer(q, found.share))
    np.testing.assert_allclose(found.errors, expected, rtol=1e-8)
    noise = np.sqrt(np.average(expected**2, axis=0, weights=weights))
    np.testing.assert_allclose(found.noise, noise, rtol=1e-8)


def scan(rng):
    """One-hot columns of 25 sites, with four mutants each, and of mutants; targets are noise."""
    X, mutants = np.zeros((200, 125)), np.arange(100)
    X[mutants, mutants // 4] = X[mutants, 25 + mutants] = 1
    return X, rng.normal(size=(200, 5))


def test_the_share_is_the_largest_that_left_out_rows_do_not_refute(rng):
    X, Y = scan(rng)
    found = Uncertainty.of(X, Y, None, alpha=100.0, scale=True)
    residuals, q, rest = left_out(X, Y, np.ones(200), 100.0, X.std(axis=0))

    def log_likelihood(share):
        squares = (1 + 1 / rest + share * q)[:, np.newaxis]
        noise = np.mean(residuals**2 / squares, axis=0)
        return stats.norm.logpdf(residuals, scale=np.sqrt(noise * squares)).sum(axis=0)

    found_of = np.array([log_likelihood(share) for share in _uncertainty._SHARES])
    ratio = 2 * (found_of.max(axis=0) - found_of)
    allowed = np.where(ratio <= stats.chi2(1).ppf(0.95), np.array([_uncertainty._SHARES]).T, 0)
    np.testing.assert_array_equal(found.share, allowed.max(axis=0))
    assert found.share.max() == 1
    assert found.share.min() < 1


def test_with_all_of_the_posterior_errors_are_studentised_residuals(rng):
    X, Y = problem(rng, 40, 8)
    found = Uncertainty.of(X, Y, None, alpha=2.0, scale=False)
    mean, target_mean, coef, inverse = posterior(X, Y, np.ones(40), 2.0, np.ones(8))
    leverage = 1 / 40 + q_of(X, mean, inverse, np.ones(8))
    residuals = np.abs(Y - target_mean - (X - mean) @ coef)
    expected = residuals / np.sqrt(1 - leverage)[:, np.newaxis]
    assert found.share.tolist() == [1, 1]
    np.testing.assert_allclose(found.errors, expected, rtol=1e-9)


def test_rare_features_without_effects_do_not_widen_intervals(rng):
    X, Y = scan(rng)
    found = Uncertainty.of(X, Y, None, alpha=0.01, scale=True)
    assert (found.share < 1e-3).all()
    assert (np.abs(found.noise - 1) < 0.2).all()
    assert (found.spread(X[[0, 150]]) < 2).all()


def test_columns_that_did_not_vary_have_no_say(rng):
    X, Y = problem(rng, 30, 8)
    more = np.hstack([X, np.full((30, 2), 5.0)])
    without, found = (Uncertainty.of(a, Y, None, alpha=2.0, scale=True) for a in (X, more))
    new = rng.normal(size=(4, 10)) * 100
    np.testing.assert_allclose(found.errors, without.errors, rtol=1e-10)
    np.testing.assert_allclose(found.spread(new), without.spread(new[:, :8]), rtol=1e-10)


@MANY_AND_FEW_ROWS
def test_a_row_of_weight_two_is_two_rows(shape, rng):
    X, Y = problem(rng, *shape)
    X[:, 3], X[[1, 9], [3, 3]] = 0, [1, 2]
    twice = np.arange(len(X)) < 5
    repeated = np.r_[np.arange(len(X)), :5]
    one = Uncertainty.of(X, Y, 1.0 + twice, alpha=2.0, scale=True)
    other = Uncertainty.of(X[repeated], Y[repeated], None, alpha=2.0, scale=True)
    np.testing.assert_allclose(one.errors[repeated], other.errors, rtol=1e-8)
    np.testing.assert_allclose(one.spread(X), other.spread(X), rtol=1e-9)
    for coverage in (0.1, 0.5, 0.8, 0.9, 0.99):
        found, expected = one.quantile(coverage), other.quantile(coverage)
        np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_rows_without_weight_are_not_there(rng):
    X, Y = problem(rng, 30, 8)
    weights = np.where(np.arange(30) < 20, 1.0, 0.0)
    one = Uncertainty.of(X, Y, weights, alpha=2.0, scale=True)
    other = Uncertainty.of(X[:20], Y[:20], None, alpha=2.0, scale=True)
    np.testing.assert_allclose(one.errors, other.errors, rtol=1e-10)


def test_the_quantile_is_the_smallest_with_enough_rows(rng):
    X, Y = problem(rng, 19, 3)
    found = Uncertainty.of(X, Y, None, alpha=2.0, scale=True)
    ascending = np.sort(found.errors, axis=0)
    for rank in range(1, 20):
        np.testing.assert_array_equal(found.quantile(rank / 20), ascending[rank - 1])
        np.testing.assert_array_equal(found.quantile((rank - 0.5) / 20), ascending[rank - 1])
    assert np.isinf(found.quantile(0.951)).all()


def test_few_rows_are_kept_without_a_square_matrix(rng):
    X, Y = problem(rng, 20, 3000)
    kept = pickle.dumps(Uncertainty.of(X, Y, None, alpha=2.0, scale=True))
    assert len(kept) < 8 * (2 * 20 + 70) * 3000


def test_batches_change_nothing(rng, monkeypatch):
    X, Y = problem(rng, 60, 12)
    at_once = Uncertainty.of(X, Y, None, alpha=2.0, scale=True)
    expected = at_once.spread(X)
    monkeypatch.setattr(_uncertainty, "_BATCH_SIZE", 70)
    found = Uncertainty.of(X, Y, None, alpha=2.0, scale=True)
    np.testing.assert_allclose(found.errors, at_once.errors, rtol=1e-11)
    np.testing.assert_allclose(found.spread(X), expected, rtol=1e-11)


@pytest.mark.parametrize("alpha", [1e-8, 1e-4])
@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (12, 60)])
def test_small_penalties_keep_six_digits(alpha, shape, rng):
    """Against an orthogonal basis of the rows, in which the matrix is diagonal."""
    X, Y = problem(rng, *shape)
    new = rng.normal(size=(5, shape[1])) * 3
    found = Uncertainty.of(X, Y, None, alpha=alpha, scale=np.ones(shape[1]))
    _, singular, basis = np.linalg.svd(X - X.mean(axis=0))
    values = np.zeros(shape[1])
    values[: len(singular)] = singular**2
    q = ((new - X.mean(axis=0)) @ basis.T) ** 2 @ (1 / (values + alpha))
    expected = np.sqrt(1 + 1 / len(X) + np.outer(q, found.share))
    np.testing.assert_allclose(found.spread(new), expected, rtol=1e-6)


GROUPS = ["few"] * 2 + ["many"] * 10
RIDGES = {"prefixes": PrefixRidgeCV(), "groups": GroupRidgeCV(GROUPS)}
either = pytest.mark.parametrize("ridge", RIDGES.values(), ids=RIDGES)


def fixed(alpha, **settings):
    """Both ridges with one penalty and all columns."""
    yield PrefixRidgeCV([alpha], prefixes=[12], **settings)
    yield GroupRidgeCV(["all"] * 12, alpha_min=alpha, alpha_max=alpha, **settings)


def rows(rng, n_rows, noise=None):
    X = rng.normal(size=(n_rows, 12)) * np.geomspace(0.5, 5, 12)
    noise = rng.normal(size=n_rows) if noise is None else noise
    return X, X[:, 0] - X[:, 1] + noise


@pytest.mark.parametrize("n_rows", [8, 40])
def test_standard_deviations_are_those_of_a_gaussian_process(n_rows, rng):
    X, y = rows(rng, n_rows)
    new = rng.normal(size=(5, 12)) * 5
    for model in fixed(3.0, scale=False):
        predicted, std = model.fit(X, y).predict(new, return_std=True)
        variance = model.noise_std_**2
        kernel = variance / 3.0 * DotProduct(0.0, "fixed")
        process = GaussianProcessRegressor(kernel, alpha=variance, optimizer=None)
        process.fit(X - X.mean(axis=0), y - y.mean())
        centred, of_coef = process.predict(new - X.mean(axis=0), return_std=True)
        np.testing.assert_allclose(predicted, centred + y.mean())
        expected = variance * (1 + 1 / n_rows) + model.posterior_share_ * of_coef**2
        np.testing.assert_allclose(std**2, expected, rtol=1e-7)
    assert model.posterior_share_ == 1


def test_standard_deviations_are_those_of_bayesian_ridge(rng):
    X, y = rows(rng, 60)
    X -= X.mean(axis=0)  # which scikit-learn before 1.7 does not do for standard deviations
    bayesian = BayesianRidge().fit(X, y)
    of_coef = bayesian.predict(X, return_std=True)[1] ** 2 * bayesian.alpha_ - 1
    for model in fixed(bayesian.lambda_ / bayesian.alpha_, scale=False):
        std = model.fit(X, y).predict(X, return_std=True)[1]
        expected = 1 + 1 / 60 + model.posterior_share_ * of_coef
        np.testing.assert_allclose((std / model.noise_std_) ** 2, expected, rtol=1e-6)
        assert model.noise_std_ == pytest.approx(bayesian.alpha_**-0.5, rel=0.1)


def share_inside(model, X, y, coverage):
    low, high = model.predict_interval(X, coverage).T
    return np.mean((low <= y) & (y <= high))


@either
@pytest.mark.parametrize("noise", [stats.norm, stats.t(3), stats.expon])
def test_intervals_contain_as_many_new_rows_as_they_say(ridge, noise, rng):
    X, y = rows(rng, 4000, noise.rvs(size=4000, random_state=rng))
    model = ridge.fit(X[:2000], y[:2000])
    for coverage in (0.5, 0.9, 0.99):
        found = share_inside(model, X[2000:], y[2000:], coverage)
        # chance is in the training rows, too
        assert abs(found - coverage) < 3 * np.sqrt(2 * coverage * (1 - coverage) / 2000)


@either
def test_intervals_of_few_rows_contain_as_many_on_average(ridge, rng):
    found = []
    for _ in range(100):
        X, y = rows(rng, 140)
        found.append(share_inside(ridge.fit(X[:40], y[:40]), X[40:], y[40:], 0.8))
    assert abs(np.mean(found) - 0.8) < 3 * np.std(found) / 10 + 0.02


@either
def test_noise_and_standard_deviations_are_those_of_new_rows(ridge, rng):
    X, y = rows(rng, 4000, 0.3 * rng.normal(size=4000))
    predicted, std = ridge.fit(X[:1000], y[:1000]).predict(X[1000:], return_std=True)
    assert ridge.noise_std_ == pytest.approx(0.3, rel=0.1)
    assert np.std((y[1000:] - predicted) / std) == pytest.approx(1, rel=0.1)


@either
def test_ends_are_around_the_prediction_and_further_for_more_coverage(ridge, rng):
    X, y = rows(rng, 50)
    model = ridge.fit(X, y)
    narrow, wide = (model.predict_interval(X, coverage) for coverage in (0.5, 0.9))
    predicted, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(wide.mean(axis=1), predicted, atol=1e-10)
    assert (wide[:, 0] < narrow[:, 0]).all()
    ratio = (wide[:, 1] - predicted) / std
    np.testing.assert_allclose(ratio, ratio[0])
    np.testing.assert_array_equal(model.predict(X), predicted)


def test_too_few_rows_for_the_coverage_have_infinite_intervals(rng):
    X, y = rows(rng, 9)
    for model in fixed(3.0):
        assert np.isfinite(model.fit(X, y).predict_interval(X, 0.9)).all()
        expected = np.broadcast_to([-np.inf, np.inf], (9, 2))
        np.testing.assert_array_equal(model.predict_interval(X, 0.91), expected)


def test_targets_together_are_as_each_alone(rng):
    X, y = rows(rng, 50)
    Y = np.column_stack([y, 100 * rng.standard_t(3, size=50)])
    for model in fixed(3.0):
        std, intervals = model.fit(X, Y).predict(X, return_std=True)[1], model.predict_interval(X)
        assert std.shape == (50, 2)
        assert intervals.shape == (50, 2, 2)
        for i in range(2):
            model.fit(X, Y[:, i])
            np.testing.assert_allclose(std[:, i], model.predict(X, return_std=True)[1])
            np.testing.assert_allclose(intervals[:, i], model.predict_interval(X))
        assert model.fit(X, Y[:, :1]).predict_interval(X).shape == (50, 1, 2)


def test_weights_are_as_repeated_rows(rng):
    X, y = rows(rng, 50)
    weights = rng.integers(0, 4, size=50)
    again = np.repeat(np.arange(50), weights)
    for one, other in zip(fixed(3.0), fixed(3.0), strict=True):
        one.fit(X, y, sample_weight=weights)
        other.fit(X[again], y[again])
        np.testing.assert_allclose(one.noise_std_, other.noise_std_)
        np.testing.assert_allclose(one.predict_interval(X), other.predict_interval(X))


def test_columns_beyond_the_prefix_have_no_say(rng):
    X, y = rows(rng, 50)
    model = PrefixRidgeCV(prefixes=[5]).fit(X, y)
    other = np.hstack([X[:, :5], 1e6 * X[:, 5:]])
    np.testing.assert_array_equal(model.predict_interval(other), model.predict_interval(X))
    alone = PrefixRidgeCV(prefixes=[5]).fit(X[:, :5], y)
    np.testing.assert_allclose(alone.predict_interval(X[:, :5]), model.predict_interval(X))


@either
def test_pipelines_and_searches_hand_on_the_request(ridge, rng):
    X, y = rows(rng, 50)
    pipeline = make_pipeline(StandardScaler(), ridge).fit(X, y)
    expected = pipeline[-1].predict(pipeline[0].transform(X), return_std=True)
    np.testing.assert_array_equal(pipeline.predict(X, return_std=True), expected)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = sklearn.clone(ridge).set_predict_request(return_std=True)
        pipeline = make_pipeline(StandardScaler(), asking).fit(X, y)
        np.testing.assert_array_equal(pipeline.predict(X, return_std=True), expected)
    search = GridSearchCV(sklearn.clone(ridge), {"scale": [True]}, cv=2).fit(X, y)
    assert search.best_estimator_.predict_interval(X).shape == (50, 2)


@pytest.mark.parametrize("ridge", [PrefixRidgeCV(), GroupRidgeCV()])
@pytest.mark.parametrize("shape", [(8, 48), (50, 12)])
def test_a_saved_ridge_has_the_same_intervals(ridge, shape, rng):
    X = rng.normal(size=shape)
    model = ridge.fit(X, X[:, 0])
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    loaded = joblib.load(file)
    np.testing.assert_array_equal(loaded.predict_interval(X), model.predict_interval(X))
    assert fingerprint(loaded) == fingerprint(model)


@either
@pytest.mark.parametrize("method", ["predict", "predict_interval"])
def test_what_is_not_fitted_has_no_intervals(ridge, method):
    with pytest.raises(NotFittedError):
        getattr(sklearn.clone(ridge), method)(np.ones((2, 12)))


@either
@pytest.mark.parametrize("coverage", [0, 1, 1.5, -0.1, "most", None, np.nan])
def test_a_coverage_is_a_probability(ridge, coverage, rng):
    model = ridge.fit(*rows(rng, 20))
    message = re.escape(
        f"The 'coverage' parameter of {type(ridge).__name__}.predict_interval must be a float in "
        f"the range (0.0, 1.0). Got {coverage!r} instead."
    )
    with pytest.raises(ValueError, match=message):
        model.predict_interval(np.ones((2, 12)), coverage)


def test_several_penalties_chosen_by_few_rows_make_intervals_too_narrow(rng):
    found = {}
    for _ in range(20):
        X = rng.normal(size=(560, 200)) * rng.uniform(0.1, 3, size=200)
        y = X @ (rng.normal(size=200) * 0.6 ** np.arange(200)) + rng.normal(size=560)
        for n_groups in (1, 4):
            model = GroupRidgeCV(np.arange(200) * n_groups // 200).fit(X[:60], y[:60])
            found.setdefault(n_groups, []).append(share_inside(model, X[60:], y[60:], 0.9))
    assert np.mean(found[1]) > 0.87
    assert 0.7 < np.mean(found[4]) < 0.87
