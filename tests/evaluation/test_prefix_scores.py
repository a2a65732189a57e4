"""Prefix scores: known answers, equal treatment, and errors that say what was wrong."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import (
    ESMEmbedder,
    NestedVarianceDisplay,
    PrefixRidgeCV,
    ReverseDistiller,
    load_if1_ecoli,
    prefix_scores,
)
from sklearn_revdist.evaluation._prefix_scores import distiller_of

DIMS = [4, 8, 12]
COLUMNS = ["model", "representation", "n_columns", "score_mean", "score_std"]


@pytest.fixture(scope="module")
def chain():
    """Embeddings of three models, the larger ones with all of the smaller ones and more."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(150, sum(DIMS)))
    X = np.hstack([hidden[:, :width] @ rng.normal(size=(width, width)) for width in DIMS])
    return hidden, X, ReverseDistiller(dims=DIMS, regressor="ols").fit(X)


def score(table, representation, level):
    return table[table["representation"] == representation]["score_mean"].iloc[level]


def test_every_model_has_one_row_for_each_representation(chain):
    hidden, X, distiller = chain
    table = prefix_scores(distiller, X, hidden[:, 0])
    assert list(table.columns) == COLUMNS
    assert table["model"].tolist() == np.repeat(distiller.model_names_, 3).tolist()
    assert table["representation"].tolist() == ["plain", "distilled", "concat_pca"] * 3
    assert table["n_columns"].tolist() == np.repeat(DIMS, 3).tolist()
    assert table[["score_mean", "score_std"]].dtypes.tolist() == [np.float64] * 2


def test_a_target_in_the_smallest_model_is_found_by_every_prefix(chain):
    hidden, X, distiller = chain
    table = prefix_scores(distiller, X, hidden[:, 0])
    assert all(score(table, "distilled", level) > 0.99 for level in range(3))


def test_a_target_in_the_residual_appears_at_the_model_that_adds_it(chain):
    hidden, X, distiller = chain
    table = prefix_scores(distiller, X, hidden[:, 10])
    assert abs(score(table, "distilled", 0)) < 0.3
    assert abs(score(table, "distilled", 1)) < 0.3
    assert score(table, "distilled", 2) > 0.99


def test_the_smallest_prefix_is_the_smallest_model(chain):
    hidden, X, distiller = chain
    table = prefix_scores(distiller, X, hidden[:, 2])
    assert score(table, "distilled", 0) == score(table, "plain", 0)


def test_permuted_rows_in_the_same_folds_score_the_same(chain):
    hidden, X, distiller = chain
    order = np.random.default_rng(1).permutation(len(X))
    folds = list(KFold(5).split(X))
    where = np.argsort(order)
    permuted = [(where[train], where[test]) for train, test in folds]

    class Folds:
        def split(self, X, y):
            return permuted

    table = prefix_scores(distiller, X, hidden[:, 5], cv=KFold(5))
    again = prefix_scores(distiller, X[order], hidden[order, 5], cv=Folds())
    pd.testing.assert_frame_equal(table, again, rtol=1e-6)


def test_two_calls_give_the_same_bits(chain):
    hidden, X, distiller = chain
    pd.testing.assert_frame_equal(
        prefix_scores(distiller, X, hidden[:, 5]),
        prefix_scores(distiller, X, hidden[:, 5]),
        check_exact=True,
    )


def test_n_components_of_the_distiller_is_ignored_and_kept(chain):
    hidden, X, distiller = chain
    expected = prefix_scores(distiller, X, hidden[:, 5])
    short = ReverseDistiller(dims=DIMS, regressor="ols", n_components=4).fit(X)
    pd.testing.assert_frame_equal(prefix_scores(short, X, hidden[:, 5]), expected)
    assert short.n_components == 4


def test_a_data_frame_scores_as_its_values(chain):
    hidden, X, distiller = chain
    names = [f"m{i}_{j}" for i, width in enumerate(DIMS) for j in range(width)]
    frame = pd.DataFrame(X, columns=names)
    named = ReverseDistiller(regressor="ols").fit(frame).set_output(transform="pandas")
    table = prefix_scores(named, frame, pd.Series(hidden[:, 5]))
    expected = prefix_scores(distiller, X, hidden[:, 5])
    assert table["model"].unique().tolist() == ["m0", "m1", "m2"]
    pd.testing.assert_frame_equal(table.drop(columns="model"), expected.drop(columns="model"))


def test_widths_of_the_table_follow_n_new(chain):
    hidden, X, _ = chain
    distiller = ReverseDistiller(dims=DIMS, n_new=[2, 3]).fit(X)
    table = prefix_scores(distiller, X, hidden[:, 0])
    assert table["n_columns"].tolist() == [4, 4, 4, 8, 6, 6, 12, 9, 9]


def test_with_few_rows_principal_components_are_fewer_than_training_rows(chain):
    hidden, X, distiller = chain
    table = prefix_scores(distiller, X[:12], hidden[:12, 0], cv=4)
    pca = table[table["representation"] == "concat_pca"]
    assert pca["n_columns"].tolist() == [4, 8, 8]


def test_a_splitter_may_be_given(chain):
    hidden, X, distiller = chain
    groups = np.repeat(np.arange(15), 10)

    class Grouped:
        def split(self, X, y):
            return GroupKFold(3).split(X, y, groups)

    table = prefix_scores(distiller, X, hidden[:, 0], cv=Grouped())
    assert score(table, "distilled", 0) > 0.99


def test_progress_goes_to_standard_error(chain, capsys, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.utils._progress._QUICK", 0)
    hidden, X, distiller = chain
    prefix_scores(distiller, X, hidden[:, 0], verbose=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100 % of 45 probes" in err


def test_equal_targets_in_a_fold_are_refused_with_the_fold(chain):
    hidden, X, distiller = chain
    y = np.where(np.arange(150) < 30, 0.0, hidden[:, 0])
    with pytest.raises(ValueError, match="All 30 targets of test fold 0 are equal"):
        prefix_scores(distiller, X, y, cv=KFold(5))


def test_a_missing_target_is_refused(chain):
    hidden, X, distiller = chain
    y = hidden[:, 0].copy()
    y[3] = np.nan
    with pytest.raises(ValueError, match=r"y has nan in row 3 \(counting from 0\)"):
        prefix_scores(distiller, X, y)


def test_classes_are_no_targets(chain):
    _, X, distiller = chain
    with pytest.raises(ValueError, match=r"y has 'a' in row 0 .*; give numbers, or take evaluate"):
        prefix_scores(distiller, X, ["a", "b"] * 75)


def test_targets_of_another_length_are_refused(chain):
    hidden, X, distiller = chain
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        prefix_scores(distiller, X, hidden[:-1, 0])


def test_wrong_widths_are_refused(chain):
    hidden, X, distiller = chain
    with pytest.raises(ValueError, match="23 features"):
        prefix_scores(distiller, X[:, :-1], hidden[:, 0])


def test_an_unfitted_distiller_is_refused(chain):
    hidden, X, _ = chain
    with pytest.raises(NotFittedError):
        prefix_scores(ReverseDistiller(dims=DIMS), X, hidden[:, 0])


def test_the_distiller_is_found_frozen_or_not(X):
    distiller = ReverseDistiller([4, 7, 12]).fit(X)
    frozen = FrozenEstimator(distiller)
    for given in (distiller, frozen, make_pipeline(distiller), make_pipeline(frozen, Ridge())):
        assert distiller_of(given, X)[0] is distiller
        assert distiller_of(given, X)[1] is X


def test_rows_are_what_the_steps_before_make_of_them(X):
    model = make_pipeline(StandardScaler(), ReverseDistiller([4, 7, 12]), Ridge()).fit(X, X[:, 0])
    distiller, rows = distiller_of(model, X)
    assert distiller is model[1]
    np.testing.assert_array_equal(rows, model[0].transform(X))
    assert distiller_of(model, None) == (distiller, None)


@pytest.mark.parametrize(
    "given", [make_pipeline(StandardScaler(), Ridge()), FrozenEstimator(Ridge())]
)
def test_where_there_is_none_the_steps_are_named(given):
    with pytest.raises(ValueError, match=r"no ReverseDistiller in (StandardScaler, )?Ridge; give"):
        distiller_of(given, None)


@pytest.mark.usefixtures("_close_figures")
def test_a_pipeline_is_scored_from_its_sequences():
    X, y = load_if1_ecoli(return_X_y=True)
    X, y = X[::20], y[::20]
    embedder, distiller = ESMEmbedder("demo"), ReverseDistiller(pretrained="demo")
    model = make_pipeline(embedder, distiller, PrefixRidgeCV()).fit(X, y)
    H = embedder.transform(X)
    found = prefix_scores(model, X, y, cv=2)
    assert found.equals(prefix_scores(distiller, H, y, cv=2))
    assert found["model"].unique().tolist() == distiller.model_names_
    shares = NestedVarianceDisplay.from_estimator(model, X).explained
    np.testing.assert_array_equal(
        shares, NestedVarianceDisplay.from_estimator(model[1], H).explained
    )
