"""What a ridge knows of its errors: equal to inverse matrices and to refits without each row."""

import pickle

import numpy as np
import pytest
from scipy import stats

from sklearn_revdist.probes import _uncertainty
from sklearn_revdist.probes._uncertainty import Uncertainty

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
