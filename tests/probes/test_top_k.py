"""Metrics of the best predictions equal their definitions, averaged over all orders of ties."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer, ndcg_score
from sklearn.model_selection import GridSearchCV

from sklearn_revdist import hit_rate, ndcg_at_k, top_k_recall

METRICS = {
    "top_k_recall": top_k_recall,
    "hit_rate": lambda *given, **k: hit_rate(*given, threshold=0.0, **k),
    "ndcg_at_k": ndcg_at_k,
}


def of_one_order(name, y, order, k):
    """The definition, for predictions in this order from best to worst."""
    picked = y[list(order[:k])]
    if name == "hit_rate":
        return np.mean(picked > 0)
    if name == "top_k_recall":
        return np.mean([value >= np.sort(y)[-k] for value in picked])
    discount = 1 / np.log2(np.arange(k) + 2)
    return (picked - y.min()) @ discount / ((np.sort(y)[::-1][:k] - y.min()) @ discount)


@pytest.mark.parametrize("k", [1, 2, 3, 6])
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_the_mean_over_the_orders_in_which_predictions_can_be_read(name, k, rng):
    for _ in range(10):
        y, predicted = rng.integers(-2, 3, size=(2, 6)).astype(float)
        if not np.ptp(y):
            continue
        orders = [o for o in permutations(range(6)) if (np.diff(predicted[list(o)]) <= 0).all()]
        expected = np.mean([of_one_order(name, y, order, k) for order in orders])
        assert METRICS[name](y, predicted, k=k) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["top_k_recall", "ndcg_at_k"])
def test_the_measured_order_scores_one_whatever_ties(name, rng):
    y = rng.normal(size=200).round(1)
    for k in (1, 7, 0.1, 0.29, 200):
        assert METRICS[name](y, np.exp(y), k=k) == pytest.approx(1.0, rel=1e-12)


def test_a_constant_prediction_scores_what_chance_does(rng):
    y = rng.normal(size=50)
    assert top_k_recall(y, np.zeros(50), k=5) == pytest.approx(0.1)
    assert hit_rate(y, np.zeros(50), k=5, threshold=0.3) == pytest.approx(np.mean(y > 0.3))


def test_ndcg_is_that_of_scikit_learn_where_that_is_defined(rng):
    y, predicted = rng.random(40).round(1), rng.normal(size=40).round(1)
    y[0] = 0.0
    for k in (1, 5, 40):
        assert ndcg_at_k(y, predicted, k=k) == pytest.approx(ndcg_score([y], [predicted], k=k))


@pytest.mark.parametrize("name", METRICS)
def test_a_share_is_the_number_of_rows_rounded_down(name, rng):
    y, predicted = rng.normal(size=(2, 100))
    for share, number in ((0.1, 10), (0.29, 29), (0.118, 11), (0.001, 1)):
        assert METRICS[name](y, predicted, k=share) == METRICS[name](y, predicted, k=number)


@pytest.mark.parametrize("name", ["top_k_recall", "ndcg_at_k"])
def test_only_the_order_of_predictions_and_no_unit_matters(name, rng):
    y, predicted = rng.normal(size=(2, 60))
    expected = METRICS[name](y, predicted, k=6)
    assert METRICS[name](5 * y - 100, np.arctan(predicted), k=6) == pytest.approx(expected)


def test_ndcg_of_equal_values_does_not_exist():
    assert np.isnan(ndcg_at_k([2.0, 2.0], [1.0, 0.0], k=1))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([1.0, np.nan], [1.0, 2.0], "y_true contains NaN"),
        ([1.0, 2.0], [1.0, np.inf], "y_pred contains infinity"),
        ([[1.0], [2.0]], [1.0, 2.0], r"y_true is of shape \(2, 1\)"),
        ([1.0, 2.0], [1.0], "inconsistent"),
    ],
)
def test_values_that_cannot_be_ranked_are_refused(name, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        METRICS[name](y_true, y_pred, k=1)


def test_it_scores_a_search(rng):
    X = rng.normal(size=(60, 3))
    search = GridSearchCV(Ridge(), {"alpha": [1.0, 10.0]}, scoring=make_scorer(top_k_recall, k=3))
    assert search.fit(X, X[:, 0]).best_score_ > 0.5
