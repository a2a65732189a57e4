"""Summaries of tables made by hand, whose answers can be counted."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sklearn_revdist import growth, mean_scores, win_rates

MODELS = ["small", "middle", "large"]


def table(scores, **columns):
    """Rows of `evaluate` from {task: {(model, representation, fitted_on): score}}."""
    rows = [
        {
            "task": task,
            "rows": "variants",
            "metric": "spearman",
            "split": "random",
            "subset": "all",
            "model": model,
            "representation": representation,
            "fitted_on": fitted_on,
            "n_columns": 10 * (MODELS.index(model) + 1),
            "score": score,
        }
        for task, of_task in scores.items()
        for (model, representation, fitted_on), score in of_task.items()
    ]
    return pd.DataFrame(rows).assign(**columns)


def chain(plain, distilled):
    scores = {(model, "plain", ""): s for model, s in zip(MODELS, plain, strict=True)}
    for model, s in zip(MODELS[1:], distilled, strict=True):
        scores[model, "distilled", "fold"] = s
    return scores


@pytest.fixture
def scores():
    return table(
        {
            "a": chain([0.1, 0.2, 0.3], [0.3, 0.4]),
            "b": chain([0.4, 0.3, 0.5], [0.3, 0.6]),
            "c": chain([0.2, 0.2, 0.1], [0.3, 0.2]),
            "d": chain([0.5, 0.6, 0.7], [0.7, 0.8]),
        }
    )


def pick(frame, **values):
    """The one row of the subset of all test rows that has these values."""
    for column, value in {"subset": "all", **values}.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_means_are_over_tasks(scores):
    row = pick(mean_scores(scores), model="large", representation="plain")
    assert row["n_tasks"] == 4
    assert row["score"] == pytest.approx(0.4)
    assert row["n_columns"] == 30


def test_scores_of_the_best_predictions_are_averaged_where_there_are_some(scores):
    assert "ndcg_at_k" not in mean_scores(scores)
    best = dict.fromkeys(("top_k_recall", "hit_rate", "ndcg_at_k"), scores["score"] / 2)
    means = mean_scores(scores.assign(**best))
    for name in best:
        np.testing.assert_allclose(means[name], means["score"] / 2)


def test_wins_are_counted_against_the_plain_baseline_and_the_smaller_model(scores):
    wins = win_rates(scores)
    against_plain = pick(
        wins,
        model="middle",
        representation="distilled",
        rival_model="middle",
        rival="plain",
    )
    assert against_plain["n_tasks"] == 4
    assert against_plain["win_rate"] == (1 + 0.5 + 1 + 1) / 4  # a tie counts half
    assert against_plain["gain"] == pytest.approx(0.3 / 4)
    # the middle distilled embedding builds on the smallest model's plain one
    against_smaller = pick(wins, model="middle", representation="distilled", rival_model="small")
    assert against_smaller["rival"] == "plain"
    assert against_smaller["win_rate"] == 3 / 4
    step = pick(wins, model="large", representation="distilled", rival_model="middle")
    assert (step["rival"], step["rival_fitted_on"]) == ("distilled", "fold")
    assert step["win_rate"] == 3 / 4
    plain = pick(wins, model="large", representation="plain", rival_model="middle")
    assert plain["win_rate"] == 3 / 4


def test_growth_is_strict_and_begins_with_the_plain_smallest_model(scores):
    grown = growth(scores)
    assert pick(grown, representation="plain")["share"] == 2 / 4
    assert pick(grown, representation="distilled")["share"] == 2 / 4
    assert pick(grown, representation="distilled")["n_tasks"] == 4


def test_a_baseline_without_all_sizes_has_no_growth(scores):
    lone = table({"a": {("middle", "concat", ""): 0.3}})
    grown = growth(pd.concat([scores, lone]))
    assert "concat" not in set(grown["representation"])


def test_baselines_fitted_on_other_data_are_not_compared():
    of_task = {
        **chain([0.1, 0.2, 0.3], [0.3, 0.4]),
        ("large", "concat_pca", "fold"): 0.3,
        ("large", "concat_pca", "natural"): 0.9,
    }
    wins = win_rates(table({"a": of_task}))
    rivals = wins[(wins["model"] == "large") & (wins["representation"] == "distilled")]
    rivals = set(zip(rivals["rival"], rivals["rival_fitted_on"], strict=True))
    assert rivals == {("plain", ""), ("distilled", "fold"), ("concat_pca", "fold")}


def test_only_tasks_that_have_both_are_paired(scores):
    missing = (scores["task"] == "a") & (scores["representation"] == "distilled")
    wins = win_rates(scores[~missing])
    assert pick(wins, model="large", rival_model="large", rival="plain")["n_tasks"] == 3


def test_what_no_task_has_both_of_is_not_compared(scores):
    plain = scores["representation"] == "plain"
    wins = win_rates(scores[plain == (scores["task"] == "a")])
    compared = set(zip(wins["representation"], wins["rival"], strict=True))
    assert compared == {("plain", "plain"), ("distilled", "distilled")}


def test_single_substitutions_of_all_scans_are_a_subset(scores):
    counted = table({"e": chain([0.0, 0.1, 0.2], [0.1, 0.3])})
    counted = pd.concat([counted, counted.assign(subset="1"), counted.assign(subset="2")])
    means = mean_scores(pd.concat([scores, counted]))
    large = means[(means["model"] == "large") & (means["representation"] == "plain")]
    assert dict(zip(large["subset"], large["n_tasks"], strict=True)) == {"all": 5, "1": 5, "2": 1}


def test_proteins_and_residues_have_no_such_subset(scores):
    assert set(mean_scores(scores.assign(rows="proteins"))["subset"]) == {"all"}


def test_splits_and_metrics_are_kept_apart(scores):
    both = pd.concat([scores, scores.assign(split="contiguous", score=0.0)])
    means = mean_scores(both)
    assert pick(means, model="large", representation="plain", split="random")["score"] > 0.39
    assert pick(means, model="large", representation="plain", split="contiguous")["score"] == 0


def test_intervals_are_the_students_for_many_tasks():
    values = np.random.default_rng(0).normal(size=400)
    scores = table({str(i): {("small", "plain", ""): v} for i, v in enumerate(values)})
    row = pick(mean_scores(scores), model="small")
    low, high = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert row["low"] == pytest.approx(low, abs=0.01)
    assert row["high"] == pytest.approx(high, abs=0.01)


def test_a_difference_is_resampled_in_pairs():
    rng = np.random.default_rng(0)
    levels = rng.normal(size=40)
    scores = table(
        {
            str(i): {("small", "plain", ""): v, ("middle", "plain", ""): v + 0.01}
            for i, v in enumerate(levels)
        }
    )
    row = pick(win_rates(scores), model="middle")
    assert row["gain_low"] == pytest.approx(0.01)
    assert row["gain_high"] == pytest.approx(0.01)
    assert row["win_rate_low"] == row["win_rate_high"] == 1


def test_fewer_than_six_tasks_have_no_interval():
    each = {name: {("small", "plain", ""): i / 10} for i, name in enumerate("abcdef")}
    row = pick(mean_scores(table(each)), model="small")
    assert row["score"] == pytest.approx(0.25)
    assert row["low"] < 0.25 < row["high"]
    each.pop("f")
    row = pick(mean_scores(table(each)), model="small")
    assert row["score"] == pytest.approx(0.2)
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])


def test_the_same_table_gives_the_same_digits(scores):
    for summary in (mean_scores, win_rates, growth):
        pd.testing.assert_frame_equal(summary(scores), summary(scores), check_exact=True)
