"""A simulated campaign picks what its estimator finds best, and knows only what it has measured."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import BayesianRidge, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import (
    GroupRidgeCV,
    SequenceOneHotEncoder,
    mutate,
    simulate_campaign,
    single_substitutions,
)


class First(RegressorMixin, BaseEstimator):
    """Predicts by the first column, and by the second says how sure it is."""

    seen = []  # targets of each fit; clones share the list

    def fit(self, X, y):
        self.seen.append(y.copy())
        return self

    def predict(self, X, return_std=False):
        return (X[:, 0], X[:, 1]) if return_std else X[:, 0]


@pytest.fixture
def scan(rng):
    y = rng.permutation(200).astype(float)
    return np.column_stack([y, np.zeros(200)]), y


def test_a_perfect_predictor_finds_the_best_first(scan):
    campaign = simulate_campaign(First(), *scan, initial=[*range(8)], n_per_round=4, top=10)
    known = np.isin(np.sort(scan[1])[-10:], scan[1][:8]).sum()
    found = np.minimum(known + 4 * np.arange(5), 10) / 10
    assert campaign["found"].tolist() == pytest.approx(found)
    assert campaign["best"].tolist()[1:] == [199.0] * 4
    assert campaign["n_measured"].tolist() == [8, 12, 16, 20, 24]
    assert campaign["round"].tolist() == [0, 1, 2, 3, 4]


def test_each_round_is_fitted_on_exactly_what_was_picked(scan):
    X, y = scan
    First.seen.clear()
    simulate_campaign(First(), X, y, initial=[3, 1], n_per_round=5, n_rounds=3)
    others = np.sort(np.delete(y, [3, 1]))[::-1]
    assert len(First.seen) == 3
    for i, seen in enumerate(First.seen):
        np.testing.assert_array_equal(seen, [y[3], y[1], *others[: 5 * i]])


def test_targets_that_are_not_measured_change_no_pick(scan):
    X, y = scan
    First.seen.clear()
    simulate_campaign(First(), X, y, n_per_round=6)
    before = First.seen.copy()
    First.seen.clear()
    simulate_campaign(First(), X, np.where(np.isin(y, before[-1]), y, -1.0), n_per_round=6)
    for first, second in zip(before, First.seen, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("acquisition", ["random", "greedy", "thompson"])
def test_without_knowledge_rounds_find_what_chance_does(acquisition, scan):
    """The number found is hypergeometric: 20 of 200 are the best, and 40 are measured."""
    X, y = np.zeros((200, 2)), scan[1]
    X[:, 1] = acquisition == "thompson"
    campaigns = [
        simulate_campaign(
            First(), X, y, initial=10, n_per_round=10, n_rounds=3, top=20, threshold=99.5,
            acquisition=acquisition, random_state=seed,
        )
        for seed in range(300)
    ]  # fmt: skip
    found = np.array([campaign["found"] for campaign in campaigns])
    for i, n in enumerate((10, 20, 30, 40)):
        deviation = np.sqrt(n * 0.1 * 0.9 * (200 - n) / 199) / 20
        assert abs(found[:, i].mean() - n / 200) < 4 * deviation / np.sqrt(300)
    hits = np.array([campaign["hit_rate"] for campaign in campaigns])
    assert abs(hits.mean() - 0.5) < 0.02


@pytest.mark.parametrize("acquisition", ["random", "greedy", "thompson"])
def test_the_same_seed_replays_the_same_campaign(acquisition, scan):
    X = scan[0] // 50
    first, again, other = (
        simulate_campaign(First(), X, scan[1], acquisition=acquisition, random_state=seed)
        for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_thompson_sampling_without_uncertainty_is_greedy(scan):
    greedy, drawn = (
        simulate_campaign(First(), *scan, acquisition=acquisition)
        for acquisition in ("greedy", "thompson")
    )
    pd.testing.assert_frame_equal(greedy, drawn)


def test_thompson_sampling_picks_each_as_often_as_it_is_the_best_drawn():
    """Of two variants, the first is the best with the probability of N(1, 2) being positive."""
    X, y = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), np.array([0.0, 1.0, 2.0])
    picked = [
        simulate_campaign(
            First(), X, y, initial=[0], n_per_round=1, n_rounds=1, acquisition="thompson",
            random_state=seed,
        )["best"].iloc[-1]
        for seed in range(500)
    ]  # fmt: skip
    assert abs(np.mean(np.array(picked) == 1) - 0.760) < 4 * np.sqrt(0.76 * 0.24 / 500)


def test_the_best_and_hits_are_counted_with_ties():
    y = np.array([0.0, 5.0, 5.0, 1.0, 2.0, 3.0])
    campaign = simulate_campaign(
        Ridge(), y[:, np.newaxis], y, initial=[0, 3], n_per_round=1, n_rounds=2, top=1, threshold=1
    )
    assert campaign["found"].tolist() == [0.0, 0.5, 1.0]
    assert campaign["hit_rate"].tolist() == [0.0, 1.0, 1.0]
    assert campaign["best"].tolist() == [1.0, 5.0, 5.0]


def test_rows_are_whatever_the_estimator_takes(scan):
    X, y = scan
    expected = simulate_campaign(Ridge(), X, y)
    frame = pd.DataFrame(X, columns=["a", "b"], index=np.arange(200)[::-1])
    for rows in (frame, csr_array(X), X.tolist()):
        pd.testing.assert_frame_equal(simulate_campaign(Ridge(), rows, y.tolist()), expected)


def test_sequences_are_rows_of_a_pipeline():
    sequences = mutate("MKTAY", single_substitutions("MKTAY"))
    y = [float(sequence[2] != "T") for sequence in sequences]  # the third position matters
    for acquisition, ridge in product(["greedy", "thompson"], [BayesianRidge(), GroupRidgeCV()]):
        model = make_pipeline(SequenceOneHotEncoder(), StandardScaler(), ridge)
        campaign = simulate_campaign(
            model, sequences, y, n_per_round=10, n_rounds=2, top=19, acquisition=acquisition
        )
        assert campaign["found"].iloc[-1] == 1


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"initial": 110}, ValueError, "110 initial .* n_per_round=24 are 206, but X has 200 rows"),
        ({"initial": 201}, ValueError, "initial=201 exceeds the 200 rows"),
        ({"initial": [5, 7, 5]}, ValueError, "Row 5 of initial is repeated"),
        ({"initial": [200]}, ValueError, "Row 200 of initial is not one of the 200"),
        ({"initial": [-1]}, ValueError, "Row -1 of initial is negative"),
        ({"top": 201}, ValueError, "top=201 exceeds the 200"),
        (
            {"acquisition": "thompson", "estimator": make_pipeline(RandomForestRegressor())},
            TypeError,
            "which RandomForestRegressor",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused(changed, error, message, scan):
    with pytest.raises(error, match=message):
        simulate_campaign(**{"estimator": First(), "X": scan[0], "y": scan[1], **changed})


def test_targets_and_predictions_that_are_not_finite_are_refused(scan):
    X, y = scan
    y[7] = np.nan
    with pytest.raises(ValueError, match=r"y has nan in row 7 .* drop the row"):
        simulate_campaign(First(), X, y)
    y[7], X[7, 0] = 1.0, np.inf
    with pytest.raises(ValueError, match="First predicts inf"):
        simulate_campaign(First(), X, y, initial=[0])
