"""Retrieval: evaluate scores what PrefixNeighbors finds, by the metrics, and lets nothing leak."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from sklearn_revdist import (
    KmerComposition,
    PrefixNeighbors,
    ReverseDistiller,
    ScalingDisplay,
    Task,
    evaluate,
    mean_average_precision,
    mean_scores,
    recall_at_k,
    win_rates,
)
from sklearn_revdist.evaluation._retrieval import count_relevant, score_queries

DIMS = [3, 4]
N = 90


class Embedder:
    """Rows of a matrix, in the order of the sequences that they belong to."""

    def __init__(self, rows, sequences):
        self.row_of = dict(zip(sequences, rows, strict=True))

    def fingerprint(self):
        return "fixed rows"

    def transform(self, sequences):
        return np.array([self.row_of[sequence] for sequence in sequences])


@pytest.fixture
def task(rng):
    """Fifteen families of six proteins, of which embeddings show the family and noise."""
    proteins = ["".join(rng.choice(list("ACDEFGHIKL"), rng.integers(20, 30))) for _ in range(N)]
    families = np.array([f"family {i % 15}" for i in range(N)], dtype=object)
    return Task("families", proteins, families, np.arange(N), retrieval="recall@1")


@pytest.fixture
def embedder(rng, task):
    _, family = np.unique(task.target, return_inverse=True)
    rows = rng.normal(size=(15, sum(DIMS)))[family] + 0.7 * rng.normal(size=(N, sum(DIMS)))
    return Embedder(rows, task.sequences)


@pytest.fixture
def distiller(embedder, task):
    return ReverseDistiller(DIMS).fit(embedder.transform(task.sequences))


def scored(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    assert len(table) == 1, table
    return table.iloc[0]


def by_hand(X, labels, known, asked, metric):
    """Score of a search for rows that are not among the known ones."""
    neighbors = PrefixNeighbors().fit(X[known])
    retrieved = labels[known][neighbors.kneighbors(X[asked], len(known), return_distance=False)]
    n_relevant = (labels[known] == labels[asked][:, np.newaxis]).sum(axis=1)
    if metric == "map":
        return mean_average_precision(labels[asked], retrieved, n_relevant)
    return recall_at_k(labels[asked], retrieved, int(metric[-1]), n_relevant=n_relevant)


@pytest.mark.parametrize("metric", ["recall@1", "recall@5", "map"])
def test_with_a_split_test_rows_are_queries_of_the_others(task, embedder, distiller, metric):
    is_test = np.arange(N) % 4 == 0
    task = replace(task, retrieval=metric, split=np.where(is_test, "test", "train"))
    table = evaluate([task], embedder, distiller, splits=["modulo"])
    assert set(table["split"]) == {"given"}
    assert set(table["metric"]) == {metric}
    assert (table["n_test"] == 23).all()
    known, asked = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    X = embedder.transform(task.sequences)
    pca = PCA(4, svd_solver="full").fit(X[known])
    composition = KmerComposition().transform(task.sequences)
    for columns, which in (
        (X[:, :3], {"model": "block0", "representation": "plain"}),
        (X[:, 3:], {"model": "block1", "representation": "plain"}),
        (X, {"representation": "concat"}),
        (distiller.transform(X)[:, :4], {"model": "block1", "fitted_on": "natural"}),
        (pca.transform(X), {"model": "block1", "representation": "concat_pca"}),
        (composition, {"representation": "composition"}),
    ):
        if which.get("fitted_on"):
            which = {**which, "representation": "distilled"}
        if which.get("representation") == "concat_pca":
            which = {**which, "fitted_on": "fold"}
        row = scored(table, **which)
        expected = by_hand(columns, task.target, known, asked, metric)
        np.testing.assert_allclose(row["score"], expected, rtol=1e-12)
        assert (row["score_std"], row["n_folds"]) == (0, 1)
        assert row[["penalty", "top_k_recall", "hit_rate", "ndcg_at_k"]].isna().all()


@pytest.mark.parametrize("metric", ["recall@1", "recall@5", "map"])
def test_without_a_split_each_row_is_a_query_of_other_sequences_and_clusters(
    task, embedder, distiller, metric, rng
):
    task = replace(task, retrieval=metric, cluster=rng.integers(0, 20, N))
    table = evaluate([task], embedder, distiller, representations=["plain"])
    X, labels, groups = embedder.transform(task.sequences), task.target, task.groups()
    scores = []
    for row in range(N):
        others = np.flatnonzero(groups != groups[row])
        if (labels[others] == labels[row]).any():
            scores.append(by_hand(X[:, :3], labels, others, np.array([row]), metric))
    found = scored(table, model="block0", split="leave-one-out")
    np.testing.assert_allclose(found["score"], np.mean(scores), rtol=1e-12)
    assert found["n_test"] == len(scores)


def test_labels_without_order_are_at_chance(rng):
    X, groups = rng.normal(size=(2000, 4)), np.arange(2000)
    labels = rng.permutation(np.repeat(list("abcd"), 500))
    database = PrefixNeighbors().fit(X)
    for metric, chance in (("recall@1", 0.25), ("map", 0.25)):
        scores = score_queries(database, X, labels, groups, groups, groups, metric)
        assert abs(scores.mean() - chance) < 0.05  # five standard errors


def test_duplicates_and_clusters_do_not_leak(rng):
    # each row is there twice, with a label that nothing else has
    X = np.repeat(rng.normal(size=(30, 4)), 2, axis=0)
    labels = np.repeat(np.arange(30), 2).astype(str)
    every, pairs = np.arange(60), np.repeat(np.arange(30), 2)
    assert not count_relevant(labels, pairs, every, every).any()
    assert (count_relevant(labels, every, every, every) == 1).all()
    database = PrefixNeighbors().fit(X)
    assert not score_queries(database, X, labels, every, every, every, "recall@1").any()
    # rounding differs between the two, as after a matrix product
    X[::2] *= 1 + 1e-15
    scores = score_queries(PrefixNeighbors().fit(X), X, labels, pairs, every, every, "recall@1")
    assert np.isnan(scores).all()


def test_more_rows_than_there_are_find_all(rng):
    X, labels, every = rng.normal(size=(9, 3)), np.array(list("aabbcccde")), np.arange(9)
    scores = score_queries(
        PrefixNeighbors().fit(X), X, labels, every, every, every, "recall@999999999"
    )
    np.testing.assert_array_equal(scores, [1] * 7 + [np.nan] * 2)


def test_queries_that_nothing_can_answer_are_not_counted(task, embedder, distiller):
    labels = task.target.copy()
    labels[:4] = ["w", "x", "y", "z"]
    how = {"representations": ["plain"], "embedder": embedder, "distiller": distiller}
    table = evaluate([replace(task, target=labels)], **how)
    assert (table["n_test"] == N - 4).all()
    alone = np.array([str(i) for i in range(N)], dtype=object)
    with pytest.raises(ValueError, match=r"No query of 'families' \(leave-one-out split\)"):
        evaluate([replace(task, target=alone)], **how)


def test_all_that_follows_takes_retrievals_beside_other_tasks(
    task, embedder, distiller, tmp_path, monkeypatch
):
    X = embedder.transform(task.sequences)
    number = Task("number", task.sequences, X[:, 0] + X[:, 5], np.arange(N))
    how = {"representations": ["plain", "distilled"], "output": tmp_path}
    table = evaluate([task, number], embedder, distiller, **how)
    assert table["metric"].unique().tolist() == ["recall@1", "spearman"]
    assert set(mean_scores(table)["metric"]) == set(win_rates(table)["metric"])
    pytest.importorskip("matplotlib").use("Agg")
    drawn = ScalingDisplay.from_table(table[table["metric"] == "recall@1"])
    assert "recall@1" in drawn.ax_.get_ylabel()
    # the scores that are kept are read, unless the metric is another one
    monkeypatch.setattr(embedder, "row_of", {})
    pd.testing.assert_frame_equal(evaluate([task, number], embedder, distiller, **how), table)
    with pytest.raises(KeyError):
        evaluate([replace(task, retrieval="map")], embedder, distiller, **how)


def test_the_search_can_be_changed_and_a_probe_for_predictions_is_refused(
    task, embedder, distiller
):
    how = {"representations": ["plain"], "embedder": embedder, "distiller": distiller}
    X, every = embedder.transform(task.sequences)[:, :3], np.arange(N)
    cosine = PrefixNeighbors(metric="cosine")
    expected = score_queries(cosine.fit(X), X, task.target, every, every, every, "recall@1")
    table = evaluate([task], probe=cosine, **how)
    assert scored(table, model="block0")["score"] == expected.mean()
    for probe in ("ridge", Ridge()):
        with pytest.raises(ValueError, match="a retrieval, but the probe is for a regression"):
            evaluate([task], probe=probe, **how)
    with pytest.raises(ValueError, match="a classification, but the probe is for a retrieval"):
        evaluate([replace(task, retrieval=None)], probe="neighbors", **how)
