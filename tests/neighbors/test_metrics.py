"""Metrics of retrieval: equal to their definitions, query by query, and at chance for no order."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score

from sklearn_revdist import accuracy_by_identity, mean_average_precision, recall_at_k


@pytest.fixture
def found(rng):
    """Labels of queries and of complete rankings of a database, whose classes differ in size."""
    database = rng.choice(list("abcde"), 40, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    y_true = rng.choice(list("abcde"), 30)
    ranked = np.stack([rng.permutation(database) for _ in y_true])
    return y_true, ranked, (database == y_true[:, np.newaxis]).sum(axis=1)


@pytest.mark.parametrize("k", [1, 5, 40])
def test_recall_is_the_share_of_queries_with_their_label_among_the_first(found, k):
    y_true, ranked, n_relevant = found
    hits = [label in row[:k] for label, row in zip(y_true, ranked, strict=True)]
    assert recall_at_k(y_true, ranked, k) == np.mean(hits)
    assert recall_at_k(y_true.tolist(), ranked.tolist(), k=k) == np.mean(hits)
    assert recall_at_k(y_true, ranked, k, n_relevant=n_relevant) == np.mean(hits)


def test_average_precision_of_complete_rankings_is_that_of_scikit_learn(found):
    y_true, ranked, n_relevant = found
    scores = -np.arange(ranked.shape[1])
    expected = [
        average_precision_score(row == label, scores)
        for label, row in zip(y_true, ranked, strict=True)
    ]
    np.testing.assert_allclose(mean_average_precision(y_true, ranked), np.mean(expected))
    np.testing.assert_allclose(
        mean_average_precision(y_true, ranked, n_relevant), np.mean(expected)
    )


def test_what_is_not_retrieved_counts_as_relevant_only_if_it_is_said_to_exist():
    assert mean_average_precision(["a"], [["a", "b", "b"]]) == 1
    assert mean_average_precision(["a"], [["a", "b", "b"]], n_relevant=[4]) == 1 / 4
    assert mean_average_precision(["a", "a"], [["a", "b"], ["b", "b"]]) == 1 / 2


def test_queries_without_relevant_rows_are_left_out_and_counted(found):
    y_true, ranked, n_relevant = found
    more = np.append(y_true, ["z", "y"])
    of_more = np.vstack([ranked, ranked[:2]])
    for metric in (recall_at_k, mean_average_precision):
        with pytest.warns(UndefinedMetricWarning, match="^2 of 32 queries have no relevant row"):
            score = metric(more, of_more, n_relevant=[*n_relevant, 0, 0])
        assert score == metric(y_true, ranked, n_relevant=n_relevant)
        with pytest.warns(UndefinedMetricWarning, match="^1 of 1 "):
            assert np.isnan(metric(["z"], [["a"]], n_relevant=[0]))


def test_places_without_a_row_match_no_query():
    assert recall_at_k(["a", "b"], [["b", "a"], ["a", ""]], k=2) == 1 / 2
    assert recall_at_k([0, 1], [[1, 0], [0, -1]], k=2) == 1 / 2


def test_rankings_without_order_are_at_chance(rng):
    labels = np.repeat(np.arange(4), 250)
    ranked = np.stack([rng.permutation(labels) for _ in labels])
    # four classes of equal size; 1,000 queries have a standard error of .014
    assert abs(recall_at_k(labels, ranked) - 1 / 4) < 0.06
    assert abs(recall_at_k(labels, ranked, 3) - (1 - (3 / 4) ** 3)) < 0.06
    assert abs(mean_average_precision(labels, ranked) - 1 / 4) < 0.02


def test_accuracy_is_that_of_the_queries_in_each_band():
    identity = np.array([0.0, 29.9, 30.0, 49.0, 70.0, 100.0])
    y_true, y_pred = np.array(list("aabbcc")), np.array(list("abbbac"))
    table = accuracy_by_identity(y_true, y_pred, identity)
    expected = {
        "low": [0, 30, 50, 70],
        "high": [30, 50, 70, 100],
        "n_queries": [2, 2, 0, 2],
        "accuracy": [1 / 2, 1, np.nan, 1 / 2],
    }
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected))
    one = accuracy_by_identity(y_true, y_pred, identity / 100, bands=[0, 1])
    assert one.loc[0, "accuracy"] == recall_at_k(y_true, y_pred[:, np.newaxis])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: recall_at_k(["a"], [["a"]], k=2), "k=2 exceeds the 1 rows"),
        (lambda: recall_at_k(["a", "b"], [["a"]]), r"shape \(1, 1\), but y_true has 2"),
        (lambda: recall_at_k(["a"], ["a"]), r"y_retrieved is of shape \(1,\)"),
        (lambda: recall_at_k([["a"]], [["a"]]), r"y_true is of shape \(1, 1\)"),
        (lambda: recall_at_k(["1"], [[1]]), "labels of one type"),
        (lambda: recall_at_k(["a"], [["a"]], n_relevant=[0]), r"n_relevant\[0\]=0, but 1 "),
        (lambda: mean_average_precision(["a"], [["a"]], [1.5]), "type float64; give a whole"),
        (lambda: accuracy_by_identity(["a"], ["a"], [101]), r"identity\[0\]=101 is not within"),
        (lambda: accuracy_by_identity(["a"], ["a"], [np.nan]), "give 0 for queries without"),
        (lambda: accuracy_by_identity(["a"], ["a"], [0.3]), "multiply it by 100"),
        (lambda: accuracy_by_identity(["a"], ["a"], [3], bands=[50, 0]), "ascending bounds"),
        (lambda: accuracy_by_identity(["a", "b"], ["a"], [3]), "inconsistent numbers"),
    ],
)
def test_wrong_input_is_one_error(call, told):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=told):
            call()
