"""All prefixes at once score as scikit-learn and SciPy score them one by one."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import accuracy_score, get_scorer, make_scorer, mean_squared_error, r2_score

from sklearn_revdist.probes._metrics import all_prefixes, spearman


@pytest.fixture
def predicted(rng):
    """Predictions of 7 prefixes for 30 samples and 2 targets."""
    return rng.normal(size=(7, 30, 2))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "metric", "sign"),
    [("r2", r2_score, 1), ("neg_mean_squared_error", mean_squared_error, -1)],
)
def test_errors(name, metric, sign, weighted, predicted, rng):
    y, weights = rng.normal(size=(30, 2)), rng.random(30) if weighted else None
    expected = [sign * metric(y, p, sample_weight=weights) for p in predicted]
    scores = all_prefixes(get_scorer(name)).scores(y, predicted, weights)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_r2_of_equal_targets_is_that_of_scikit_learn(predicted):
    y = np.ones((30, 2))
    predicted[0] = 1.0
    expected = [r2_score(y, p) for p in predicted]
    assert expected == [1, 0, 0, 0, 0, 0, 0]
    assert all_prefixes(get_scorer("r2")).scores(y, predicted, None).tolist() == expected


def test_r2_of_a_single_sample_does_not_exist(predicted):
    scores = all_prefixes(get_scorer("r2")).scores(np.ones((1, 2)), predicted[:, :1], None)
    assert np.isnan(scores).all()


@pytest.mark.parametrize("decimals", [1, 15])
def test_spearman_is_scipys_with_and_without_ties(decimals, predicted, rng):
    y = rng.normal(size=(30, 2)).round(decimals)
    predicted[::2] = predicted[::2].round(decimals)
    expected = [
        np.mean([spearmanr(y[:, i], p[:, i]).statistic for i in range(2)]) for p in predicted
    ]
    np.testing.assert_allclose(
        all_prefixes(make_scorer(spearman)).scores(y, predicted, None), expected, rtol=0, atol=1e-14
    )
    assert spearman(y, predicted[0]) == pytest.approx(expected[0], abs=1e-14)
    single = spearmanr(y[:, 0], predicted[0, :, 0]).statistic
    assert spearman(y[:, 0], predicted[0, :, 0]) == pytest.approx(single, abs=1e-14)


def test_spearman_is_bounded_by_one(rng):
    y = rng.normal(size=50)
    assert spearman(y, np.exp(y)) == pytest.approx(1.0, abs=1e-15)
    assert spearman(y, -(y**3)) == pytest.approx(-1.0, abs=1e-15)


def test_spearman_of_a_prediction_without_order_is_zero():
    assert spearman([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) == 0.0


def test_spearman_of_equal_targets_does_not_exist():
    assert np.isnan(spearman([5.0, 5.0, 5.0], [1.0, 2.0, 3.0]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_accuracy(n_classes, weighted, rng):
    codes, weights = rng.integers(n_classes, size=30), rng.random(30) if weighted else None
    if n_classes == 2:
        y, decisions = 2.0 * codes[:, np.newaxis] - 1, rng.normal(size=(7, 30, 1))
        predicted = (decisions[:, :, 0] > 0).astype(int)
    else:
        y, decisions = 2 * np.eye(n_classes)[codes] - 1, rng.normal(size=(7, 30, n_classes))
        predicted = decisions.argmax(axis=2)
    expected = [accuracy_score(codes, p, sample_weight=weights) for p in predicted]
    scores = all_prefixes(get_scorer("accuracy")).scores(y, decisions, weights)
    np.testing.assert_allclose(scores, expected, rtol=1e-14)


def test_the_sign_is_the_scorers(predicted, rng):
    y = rng.normal(size=(30, 2))
    upside_down = make_scorer(mean_squared_error)
    scores = all_prefixes(upside_down).scores(y, predicted, None)
    np.testing.assert_array_equal(
        scores, -all_prefixes(get_scorer("neg_mean_squared_error")).scores(y, predicted, None)
    )


@pytest.mark.parametrize(
    "scorer",
    [
        get_scorer("neg_mean_absolute_error"),
        make_scorer(r2_score, multioutput="variance_weighted"),
        lambda estimator, X, y: 0.0,
    ],
)
def test_other_scorers_are_called_one_by_one(scorer):
    assert all_prefixes(scorer) is None


# ----------------------------------------------------------------- standard errors


def moved_by_weights(score, n, step=1e-6):
    """Derivative of a score by the weight of each sample, from differences."""
    moved = []
    for i in range(n):
        up, down = np.ones(n), np.ones(n)
        up[i] += step
        down[i] -= step
        moved.append((score(up) - score(down)) / (2 * step))
    return np.array(moved)


@pytest.mark.parametrize("name", ["r2", "neg_mean_squared_error"])
def test_a_standard_error_is_the_length_of_the_scores_gradient(name, predicted, rng):
    """The infinitesimal jackknife: each sample moves the score by its weight."""
    y = rng.normal(size=(30, 2))
    known = all_prefixes(get_scorer(name))
    moved = moved_by_weights(lambda weights: known.scores(y, predicted, weights), 30)
    scores, errors = known.with_errors(y, predicted, None)
    np.testing.assert_allclose(scores, known.scores(y, predicted, None), rtol=1e-12)
    np.testing.assert_allclose(errors, np.linalg.norm(moved, axis=0), rtol=1e-6)


def test_the_standard_error_of_an_accuracy_is_that_of_a_proportion(rng):
    y = 2.0 * rng.integers(2, size=(30, 1)) - 1
    known = all_prefixes(get_scorer("accuracy"))
    decisions = rng.normal(size=(7, 30, 1))
    right = known.scores(y, decisions, None)
    _, errors = known.with_errors(y, decisions, None)
    np.testing.assert_allclose(errors, np.sqrt(right * (1 - right) / 30), rtol=1e-12)


def test_the_standard_error_of_a_rank_correlation(predicted, rng):
    y = rng.normal(size=(30, 2))
    u, v = (rankdata(values, axis=-2) for values in (y, predicted))

    def weighted(weights):
        cov = [[np.cov(u[:, i], p[:, i], aweights=weights) for i in range(2)] for p in v]
        return np.array([np.mean([c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) for c in of]) for of in cov])

    known = all_prefixes(make_scorer(spearman))
    scores, errors = known.with_errors(y, predicted, None)
    np.testing.assert_allclose(scores, known.scores(y, predicted, None), rtol=1e-12)
    expected = np.linalg.norm(moved_by_weights(weighted, 30), axis=0)
    np.testing.assert_allclose(errors, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["r2", "neg_mean_squared_error", "accuracy"])
def test_standard_errors_depend_on_no_unit_of_the_weights(name, predicted, rng):
    y, weights = np.sign(rng.normal(size=(30, 1))), rng.random(30)
    known = all_prefixes(get_scorer(name))
    _, errors = known.with_errors(y, predicted[..., :1], weights)
    assert (errors > 0).all()
    np.testing.assert_allclose(
        known.with_errors(y, predicted[..., :1], 100 * weights)[1], errors, rtol=1e-12
    )


def test_equal_targets_leave_no_scatter_of_r2(predicted):
    _, errors = all_prefixes(get_scorer("r2")).with_errors(np.ones((30, 2)), predicted, None)
    assert not errors.any()
