"""All prefixes from one factorisation: the regressions refitted one by one, by both solvers."""

import tracemalloc

import numpy as np
import pytest
from scipy import linalg
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from sklearn_revdist.probes import _prefix_ridge
from sklearn_revdist.probes._prefix_ridge import SOLVERS, coefficients, left_out_predictions

either_solver = pytest.mark.parametrize("solver", SOLVERS)


def problem(rng, n_samples, n_features, n_targets=1):
    """Correlated columns with means and scales of their own, targets, weights, held-out rows."""
    n = n_samples + 40
    X = rng.normal(size=(n, n_features)) @ rng.normal(size=(n_features, n_features))
    X = X * rng.lognormal(size=n_features) + 10 * rng.normal(size=n_features)
    Y = rng.normal(size=(n, n_targets)) + X[:, :1] / X[:, 0].std() + 3
    return X[:n_samples], Y[:n_samples], rng.random(n_samples), X[n_samples:]


def solve(X, Y, weights, X_test, alpha, prefixes=None, *, scale=False, solver="auto"):
    """Rounding, and parts of the predictions."""
    prefixes = np.arange(1, X.shape[1] + 1) if prefixes is None else prefixes
    settings = {"sample_weight": weights, "scale": scale, "solver": solver}
    (found,) = _prefix_ridge.predictions(X, Y, [alpha], prefixes, X_test, **settings)
    return found


def predictions(*rows_and_alpha, **settings):
    _, parts = solve(*rows_and_alpha, **settings)
    return np.concatenate([predicted for _, predicted in parts])


def linear(X, Y, weights, alpha, prefixes, **settings):
    """Coefficients and intercept of each prefix."""
    ((_, found),) = coefficients(X, Y, [alpha], prefixes, sample_weight=weights, **settings)
    return list(found)


def refitted(X, Y, weights, X_test, alpha, prefixes):
    """Ridge, once for each prefix."""
    return np.array(
        [
            Ridge(alpha).fit(X[:, :k], Y, weights).predict(X_test[:, :k]).reshape(len(X_test), -1)
            for k in prefixes
        ]
    )


def augmented(X, Y, X_test, alpha):
    """The regression on all columns by a QR decomposition of rows and penalty."""
    rows = np.vstack([X - X.mean(axis=0), np.sqrt(alpha) * np.eye(X.shape[1])])
    targets = np.vstack([Y - Y.mean(axis=0), np.zeros((X.shape[1], Y.shape[1]))])
    coef = linalg.lstsq(rows, targets, cond=0, lapack_driver="gelsy")[0]
    return (X_test - X.mean(axis=0)) @ coef + Y.mean(axis=0)


def random_problem(seed):
    rng = np.random.default_rng(seed)
    X, Y, weights, X_test = problem(rng, rng.integers(20, 501), rng.integers(5, 301))
    return X, Y, weights if seed % 2 else None, X_test, 10 ** rng.uniform(-1, 3)


@pytest.mark.parametrize("seed", range(10))
def test_predictions_are_those_of_ridge(seed):
    *rows, alpha = random_problem(seed)
    n_features = rows[0].shape[1]
    prefixes = np.unique(np.linspace(1, n_features, 15, dtype=int))
    np.testing.assert_allclose(
        predictions(*rows, alpha)[prefixes - 1],
        refitted(*rows, alpha, prefixes),
        rtol=0,
        atol=1e-8,
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_every_prefix_predicts_as_ridge(seed):
    *rows, alpha = random_problem(seed)
    prefixes = np.arange(1, rows[0].shape[1] + 1)
    np.testing.assert_allclose(
        predictions(*rows, alpha), refitted(*rows, alpha, prefixes), rtol=0, atol=1e-8
    )


@either_solver
@pytest.mark.parametrize("shape", [(200, 150), (60, 100), (30, 150), (50, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_either_solver_predicts_as_ridge(shape, weighted, solver, rng):
    X, Y, weights, X_test = problem(rng, *shape, n_targets=3)
    rows = X, Y, weights if weighted else None, X_test
    prefixes = np.arange(1, shape[1] + 1)
    found = predictions(*rows, 10.0, solver=solver)
    np.testing.assert_allclose(found, refitted(*rows, 10.0, prefixes), rtol=0, atol=1e-8)


@either_solver
def test_coefficients_are_those_of_ridge(solver, rng):
    X, Y, weights, _ = problem(rng, 80, 100, n_targets=2)
    prefixes = [1, 64, 65, 100]
    found = linear(X, Y, weights, 3.0, prefixes, scale=False, solver=solver)
    for k, (coef, intercept) in zip(prefixes, found, strict=True):
        ridge = Ridge(3.0).fit(X[:, :k], Y, weights)
        np.testing.assert_allclose(coef[:, :k], ridge.coef_, rtol=0, atol=1e-8)
        np.testing.assert_allclose(intercept, ridge.intercept_, rtol=0, atol=1e-8)
        assert not coef[:, k:].any()


def test_many_rows_fewer_than_columns_predict_as_ridge(rng, monkeypatch):
    monkeypatch.setattr(_prefix_ridge, "_MANY_ROWS", 30)
    X, Y, weights, X_test = problem(rng, 30, 150, n_targets=2)
    expected = refitted(X, Y, weights, X_test, 10.0, np.arange(1, 151))
    np.testing.assert_allclose(predictions(X, Y, weights, X_test, 10.0), expected, atol=1e-8)


def test_some_prefixes_are_those_of_all(rng):
    rows = problem(rng, 100, 30, n_targets=2)
    every = predictions(*rows, 1.0)
    some = predictions(*rows, 1.0, np.array([2, 3, 17, 30]))
    np.testing.assert_allclose(some, every[[1, 2, 16, 29]], rtol=0, atol=1e-12)


def test_predictions_come_in_bounded_parts(rng, monkeypatch):
    X, Y, _, X_test = problem(rng, 100, 30, n_targets=2)
    monkeypatch.setattr(_prefix_ridge, "_CHUNK_SIZE", 3 * X_test.shape[0] * 2)
    prefixes = np.arange(3, 31)
    _, parts = solve(X, Y, None, X_test, 1.0, prefixes)
    parts = list(parts)
    assert [len(predicted) for _, predicted in parts] == [3] * 9 + [1]
    assert np.concatenate([prefixes[part] for part, _ in parts]).tolist() == prefixes.tolist()


@either_solver
def test_columns_of_zeros_change_nothing(solver, rng):
    """Columns beyond the numerical rank of a nested embedding are zero."""
    X, Y, _, X_test = problem(rng, 60, 50)
    X[:, 20:40] = X_test[:, 20:40] = 0.0
    predicted = predictions(X, Y, None, X_test, 0.1, solver=solver)
    for k in range(20, 40):
        np.testing.assert_array_equal(predicted[k], predicted[19])


def test_few_rows_need_no_square_matrix_of_columns(rng):
    n_features = 3000
    X, Y, weights, X_test = problem(rng, 20, n_features)

    def work():
        predictions(X, Y, weights, X_test, 1.0)
        return linear(X, Y, weights, 1.0, [10, 2000, n_features], scale=False)

    work()  # whatever is made once
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * n_features**2 / 5


# ----------------------------------------------------------------- numerics


def test_a_column_with_a_mean_of_ten_thousand_sigma(rng):
    X, Y, _, X_test = problem(rng, 200, 30)
    shift = np.where(np.arange(30) % 3 == 0, 1e4 * X.std(axis=0), 0.0)
    np.testing.assert_allclose(
        predictions(X + shift, Y, None, X_test + shift, 1.0),
        predictions(X, Y, None, X_test, 1.0),
        rtol=0,
        atol=1e-8,
    )


@either_solver
def test_columns_of_very_different_scales(solver, rng):
    X, Y, _, X_test = problem(rng, 100, 20)
    scales = 10.0 ** rng.integers(-6, 7, size=20)
    predicted = predictions(X * scales, Y, None, X_test * scales, 1e-3, solver=solver)[-1]
    expected = augmented(X * scales, Y, X_test * scales, 1e-3)
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("shape", [(200, 60), (60, 100), (20, 150)])
@pytest.mark.parametrize("alpha", [1e-10, 1e-6, 1e-2])
def test_ill_conditioned_columns_keep_eight_digits(shape, alpha, rng):
    """Principal directions whose scales decay over nine decades, mixed in all columns."""
    n, n_features = shape
    basis = linalg.qr(rng.normal(size=(n_features, n_features)))[0]
    X = rng.normal(size=(n + 40, n_features)) * np.logspace(0, -9, n_features) @ basis
    Y = 10 * X[:, :1] + rng.normal(size=(n + 40, 1))
    predicted = predictions(X[:n], Y[:n], None, X[n:], alpha)[-1]
    expected = augmented(X[:n], Y[:n], X[n:], alpha)
    assert np.abs(predicted - expected).max() < 1e-8 * np.abs(Y).max()


@pytest.mark.parametrize("n_samples", [100, 20])
def test_without_penalty_it_tends_to_the_smallest_least_squares_solution(n_samples, rng):
    X, Y, _, X_test = problem(rng, n_samples, 30)
    X[:, 20], X_test[:, 20] = X[:, 3], X_test[:, 3]  # a column twice
    coef = linalg.lstsq(X - X.mean(axis=0), Y - Y.mean(axis=0))[0]
    expected = (X_test - X.mean(axis=0)) @ coef + Y.mean(axis=0)
    np.testing.assert_allclose(
        predictions(X, Y, None, X_test, 1e-9)[-1], expected, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("alpha", [1e-14, 1e-10, 1e-6, 1e-2, 1.0])
@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_rounding_is_foretold(alpha, solver, rng):
    X, Y, _, X_test = problem(rng, 40, 60)
    foretold, parts = solve(X, Y, None, X_test, alpha, solver=solver)
    *_, (_, predicted) = parts
    predicted = predicted[-1]
    error = np.abs(predicted - augmented(X, Y, X_test, alpha)).max() / np.abs(Y).max()
    assert np.isinf(foretold) or error < max(1e-12, 1e3 * foretold)
    assert np.isfinite(foretold) or solver == "cholesky"


def test_the_filter_takes_over_where_cholesky_loses_digits(rng):
    X, Y, _, X_test = problem(rng, 60, 60)
    alphas = np.logspace(2, -12, 15)
    roundings = {
        solver: [solve(X, Y, None, X_test, alpha, solver=solver)[0] for alpha in alphas]
        for solver in ("auto", *SOLVERS)
    }
    assert max(roundings["auto"]) < 1e-6 < max(roundings["cholesky"])
    assert roundings["auto"][0] == roundings["cholesky"][0] < 1e-12
    assert roundings["auto"][-1] == roundings["filter"][-1]


def test_a_failed_factorisation_is_infinitely_wrong(rng):
    X, Y, _, X_test = problem(rng, 40, 60)
    assert solve(X, Y, None, X_test, 1e-30, solver="cholesky")[0] == np.inf


# ----------------------------------------------------------------- columns of unit variance


@either_solver
@pytest.mark.parametrize("shape", [(200, 30), (40, 90)])
def test_scaled_columns_are_those_of_a_standard_scaler(shape, solver, rng):
    X, Y, weights, X_test = problem(rng, *shape, n_targets=2)
    X[:, 3] = X_test[:, 3] = 0.0
    scaler = StandardScaler().fit(X, sample_weight=weights)
    prefixes = np.arange(1, shape[1] + 1)
    expected = refitted(scaler.transform(X), Y, weights, scaler.transform(X_test), 3.0, prefixes)
    found = predictions(X, Y, weights, X_test, 3.0, scale=True, solver=solver)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
    maps = linear(X, Y, weights, 3.0, prefixes, scale=True, solver=solver)
    found = np.array([X_test @ coef.T + intercept for coef, intercept in maps])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


# ----------------------------------------------------------------- leaving out one row


def left_out_parts(X, Y, weights, alpha, prefixes, **settings):
    settings = {"scale": False, **settings}
    ((_, parts),) = left_out_predictions(X, Y, [alpha], prefixes, sample_weight=weights, **settings)
    return list(parts)


def left_out(*rows_and_alpha, **settings):
    return np.concatenate(
        [predicted for _, predicted in left_out_parts(*rows_and_alpha, **settings)]
    )


def refitted_without(X, Y, weights, alpha, prefixes):
    """Ridge, once for each prefix and row that is left out."""
    weights = np.ones(len(X)) if weights is None else weights
    rows = np.arange(len(X))
    return np.array(
        [
            [
                Ridge(alpha)
                .fit(X[rows != i, :k], Y[rows != i], weights[rows != i])
                .predict(X[[i], :k])
                .reshape(-1)
                for i in rows
            ]
            for k in prefixes
        ]
    )


@either_solver
@pytest.mark.parametrize("shape", [(80, 20), (25, 60)])
@pytest.mark.parametrize("weighted", [False, True])
def test_left_out_predictions_are_those_of_refitting(shape, weighted, solver, rng):
    X, Y, weights, _ = problem(rng, *shape, n_targets=2)
    weights = weights if weighted else None
    prefixes = np.array([1, 2, 7, 8, shape[1]])
    for alpha in (0.3, 30.0):
        np.testing.assert_allclose(
            left_out(X, Y, weights, alpha, prefixes, solver=solver),
            refitted_without(X, Y, weights, alpha, prefixes),
            rtol=0,
            atol=1e-8,
        )


def test_left_out_predictions_in_units_of_all_rows(rng):
    """The scale belongs to the penalty and stays, as that of a scaler before the regression."""
    X, Y, weights, _ = problem(rng, 60, 12)
    scaled = StandardScaler().fit(X, sample_weight=weights).transform(X)
    prefixes = np.arange(1, 13)
    np.testing.assert_allclose(
        left_out(X, Y, weights, 3.0, prefixes, scale=True),
        refitted_without(scaled, Y, weights, 3.0, prefixes),
        rtol=0,
        atol=1e-8,
    )


def test_a_row_without_weight_is_left_out_already(rng):
    X, Y, weights, _ = problem(rng, 60, 12)
    weights[::3] = 0
    prefixes = np.arange(1, 13)
    expected = predictions(X, Y, weights, X, 3.0, prefixes)
    found = left_out(X, Y, weights, 3.0, prefixes)
    np.testing.assert_allclose(found[:, ::3], expected[:, ::3], rtol=0, atol=1e-12)
    assert (np.abs(found - expected)[:, 1::3] > 1e-6).all()


def test_left_out_predictions_come_in_bounded_parts(rng, monkeypatch):
    X, Y, weights, _ = problem(rng, 50, 30)
    prefixes = np.arange(3, 31)
    expected = left_out(X, Y, weights, 1.0, prefixes)
    monkeypatch.setattr(_prefix_ridge, "_CHUNK_SIZE", 150)
    parts = left_out_parts(X, Y, weights, 1.0, prefixes)
    assert [len(predicted) for _, predicted in parts] == [3] * 9 + [1]
    found = np.concatenate([predicted for _, predicted in parts])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
