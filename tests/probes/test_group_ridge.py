"""Ridge with a penalty for each group: equal to refits, to finite differences, in both spaces."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.linear_model import Ridge

from sklearn_revdist.probes._group_ridge import GroupRidge

GROUPS = [np.array([0, 3]), np.array([1, 2, 4]), np.array([5, 6, 7, 8])]
PENALTIES = np.array([0.3, 5.0, 70.0])


def data(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 9))
    Y = np.column_stack([X[:, 0] + X[:, 1], 3 * X[:, 5]]) + rng.normal(size=(n_rows, 2))
    return X, Y


def centred(X, Y, weight):
    means = (np.average(a, axis=0, weights=weight) for a in (X, Y))
    return [a - mean for a, mean in zip((X, Y), means, strict=True)]


def ridge_of(X, Y, weight=None):
    weight = np.ones(len(X)) if weight is None else weight
    return GroupRidge(*centred(X, Y, weight), weight, GROUPS)


def left_out_residuals(ridge):
    return ridge._solve(PENALTIES)[-1] / np.sqrt(ridge.weight)[:, np.newaxis]


def refit(X, Y, weight=None):
    """Ridge on columns that the penalties have scaled, by scikit-learn."""
    factors = np.empty(9)
    for columns, penalty in zip(GROUPS, PENALTIES, strict=True):
        factors[columns] = 1 / np.sqrt(penalty)
    model = Ridge(1.0).fit(X * factors, Y, sample_weight=weight)
    return model.coef_ * factors, model.intercept_


@pytest.mark.parametrize("n_rows", [6, 30])  # fewer rows than columns, and more
@pytest.mark.parametrize("weighted", [False, True])
def test_coefficients_are_those_of_a_ridge_on_scaled_columns(n_rows, weighted):
    X, Y = data(n_rows)
    weight = np.random.default_rng(1).uniform(0.2, 3, n_rows) if weighted else None
    coef, _ = refit(X, Y, weight)
    np.testing.assert_allclose(ridge_of(X, Y, weight).coefficients(PENALTIES).T, coef)


@pytest.mark.parametrize("n_rows", [6, 30])
def test_left_out_residuals_are_those_of_refits(n_rows):
    X, Y = data(n_rows)
    found = left_out_residuals(ridge_of(X, Y))
    for row in range(n_rows):
        others = np.arange(n_rows) != row
        coef, intercept = refit(X[others], Y[others])
        np.testing.assert_allclose(found[row], Y[row] - X[row] @ coef.T - intercept, atol=1e-10)


def test_a_row_of_weight_two_is_two_rows():
    X, Y = data(20)
    weight = np.where(np.arange(20) < 5, 2.0, 1.0)
    repeated = np.r_[np.arange(20), np.arange(5)]
    one, other = ridge_of(X, Y, weight), ridge_of(X[repeated], Y[repeated])
    np.testing.assert_allclose(one.coefficients(PENALTIES), other.coefficients(PENALTIES))
    left_out = left_out_residuals(other)[:20]
    np.testing.assert_allclose(left_out_residuals(one), left_out)
    np.testing.assert_allclose(one.error(PENALTIES)[0], other.error(PENALTIES)[0])


@pytest.mark.parametrize("n_rows", [6, 30])
def test_slopes_are_finite_differences(n_rows):
    X, Y = data(n_rows)
    ridge = ridge_of(X, Y, np.random.default_rng(1).uniform(0.2, 3, n_rows))
    error, slopes = ridge.error(PENALTIES)
    left_out = left_out_residuals(ridge)
    variance = np.average(centred(X, Y, ridge.weight)[1] ** 2, axis=0, weights=ridge.weight)
    expected = np.average(left_out**2 / variance, axis=0, weights=ridge.weight).mean()
    assert error == pytest.approx(expected)
    numeric = approx_fprime(np.log(PENALTIES), lambda logs: ridge.error(np.exp(logs))[0], 1e-6)
    np.testing.assert_allclose(slopes, numeric, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("n_rows", "seed"), [(15, 0), (30, 1), (60, 2), (15, 3), (30, 4)])
def test_no_penalties_of_a_grid_are_better(n_rows, seed):
    ridge = ridge_of(*data(n_rows, seed))
    found, error, n_iter = ridge.best_penalties(0.01, 1e6, 100)
    assert error == pytest.approx(ridge.error(found)[0])
    assert n_iter >= 1
    tried = np.geomspace(0.01, 1e6, 9)
    grid = np.stack(np.meshgrid(tried, tried, tried), axis=-1).reshape(-1, 3)
    assert error <= min(ridge.error(penalties)[0] for penalties in grid) + 1e-4


@pytest.mark.parametrize("n_rows", [5, 30])
def test_the_error_of_a_common_penalty_is_that_of_single_solutions(n_rows):
    ridge = ridge_of(*data(n_rows))
    error_of = ridge._common_error()
    for penalty in np.geomspace(0.01, 1e4, 7):
        expected = ridge.error(np.full(3, penalty))[0]
        assert error_of(np.log(penalty)) == pytest.approx(expected, rel=1e-8)


def test_the_penalty_of_a_single_group_has_the_least_error():
    weight = np.ones(30)
    ridge = GroupRidge(*centred(*data(30), weight), weight, [np.arange(9)])
    (penalty,), error, _ = ridge.best_penalties(0.01, 1e6, 50)
    tried = [ridge.error(np.array([other]))[0] for other in np.geomspace(0.01, 1e6, 200)]
    assert error == pytest.approx(ridge.error(np.array([penalty]))[0], rel=1e-8)
    assert error <= min(tried) + 1e-9
