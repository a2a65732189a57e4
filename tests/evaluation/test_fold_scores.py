"""Scores fold by fold: which rows they are of, and that folds are learnt from apart."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold

from sklearn_revdist import ReverseDistiller, hit_rate, ndcg_at_k, top_k_recall
from sklearn_revdist.evaluation._fold_scores import SCORED, score_folds
from sklearn_revdist.evaluation._representations import Maps, Sizes, list_representations

DIMS = [3, 5]


@pytest.fixture
def scored(rng):
    """Function that scores plain and distilled rows of a known target, in a table."""
    X = rng.normal(size=(90, sum(DIMS)))
    distiller = ReverseDistiller(DIMS).fit(X)
    sizes = Sizes.of_fitted(distiller)
    listed = list_representations(2, ("plain", "distilled"), ("natural",))
    folds = [*KFold(3).split(X)]

    def table(subsets, y=X[:, 0] - X[:, 2], n_jobs=None):
        natural = Maps(X, sizes, distiller, distiller.moments_)
        rows = score_folds(
            natural,
            listed,
            folds,
            Ridge(alpha=1e-8),
            y,
            np.arange(len(y)),
            "spearman",
            subsets,
            n_jobs=n_jobs,
            progress=None,
        )
        return pd.DataFrame(rows, columns=SCORED)

    return table


def test_a_linear_target_in_the_smallest_model_is_found_in_every_fold(scored):
    table = scored({"all": np.ones(90, bool)})
    found = table[(table["model"] == "block0") | (table["representation"] == "distilled")]
    np.testing.assert_allclose(found["score"], 1)
    np.testing.assert_allclose(found["score_std"], 0, atol=1e-12)
    assert (table["n_folds"] == 3).all()
    assert (table["n_test"] == 90).all()


def test_a_subset_is_scored_in_the_folds_that_have_ten_of_it(scored):
    rows = np.arange(90)
    table = scored({"all": rows < 90, "few": rows % 10 == 0, "first": rows < 40, "nine": rows < 9})
    counts = table.groupby("subset")[["n_folds", "n_test"]].first()
    assert counts.loc["all"].tolist() == [3, 90]
    assert counts.loc["first"].tolist() == [2, 40]
    assert set(table["subset"]) == {"all", "first"}


def test_the_best_predictions_are_scored_in_every_fold_and_subset(rng):
    X, y = rng.normal(size=(90, 3)), rng.normal(size=90)
    folds, rows = [*KFold(3).split(X)], np.arange(90)
    distiller = ReverseDistiller([1, 2]).fit(X)
    listed = list_representations(1, ("plain",), ())
    maps = Maps(X, Sizes.of_fitted(distiller), distiller)
    subsets = {"all": rows < 90, "part": rows % 3 > 0}
    asked = (maps, listed, folds, LinearRegression(), y, rows)
    table = pd.DataFrame(
        score_folds(*asked, "spearman", subsets, n_jobs=None, progress=None), columns=SCORED
    ).set_index("subset")
    for name, mask in subsets.items():
        expected = []
        for train, test in folds:
            fitted = LinearRegression().fit(X[train, :1], y[train])
            chosen = test[mask[test]]
            measured, predicted = y[chosen], fitted.predict(X[chosen, :1])
            best = {"y_true": measured, "y_pred": predicted}
            hits = hit_rate(**best, threshold=np.median(y[train]))
            expected.append([top_k_recall(**best), hits, ndcg_at_k(**best)])
        found = table.loc[name, ["top_k_recall", "hit_rate", "ndcg_at_k"]]
        np.testing.assert_allclose(found.astype(float), np.mean(expected, axis=0))


def test_threads_change_nothing(scored):
    subsets = {"all": np.ones(90, bool)}
    pd.testing.assert_frame_equal(scored(subsets), scored(subsets, n_jobs=2))
