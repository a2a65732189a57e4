"""Scores and predictions of folds are those of models that have not seen what they predict."""

import tempfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import root_mean_squared_error

from sklearn_revdist import (
    ESMEmbedder,
    LeftOutVotingRegressor,
    compare_features,
    make_variant_model,
    mutants_of,
    read_assay,
)
from sklearn_revdist.assays import _comparison
from sklearn_revdist.assays._assay import differences
from sklearn_revdist.assays._comparison import PREDICTED, predict_intervals
from sklearn_revdist.evaluation._splits import make_folds
from sklearn_revdist.probes._metrics import spearman

EMBEDDER = ESMEmbedder("demo-48")
QUICK = ["one_hot", "site_mean", "mean"]


@pytest.fixture(scope="module")
def compared(assay):
    """An assay of 69 variants, its comparison, and the folds."""
    folds = {
        split: make_folds(assay.task(), split, 3) for split in ("random", "modulo", "contiguous")
    }
    return compare_features(assay, EMBEDDER, features=QUICK, n_folds=3), folds


def shortened(assay, rows):
    """Some rows of an assay."""
    sequences = [assay.sequences[row] for row in rows]
    return replace(
        assay, table=assay.table.iloc[rows], sequences=sequences, target=assay.target[rows]
    )


def test_predictions_are_those_of_models_fitted_by_hand(assay, compared):
    found, folds = compared
    sequences = np.array(assay.sequences, dtype=object)
    model = make_variant_model(EMBEDDER, features=QUICK, reference=assay.wild_type)
    expected = np.empty((len(sequences), 4))
    for train, test in folds["random"]:
        assert not {*sequences[train]} & {*sequences[test]}
        fitted = model.fit(sequences[train], assay.target[train])
        predicted, std = fitted.predict(sequences[test], return_std=True)
        ends = fitted.predict_interval(sequences[test], 0.9)
        expected[test] = np.column_stack([predicted, std, ends])
    np.testing.assert_allclose(found.predicted, expected, rtol=1e-6)
    assert found.predicted.columns.tolist() == list(PREDICTED)
    pd.testing.assert_index_equal(found.predicted.index, assay.table.index)


def test_scores_are_those_of_each_fold(assay, compared):
    found, folds = compared
    scores = found.scores.set_index(["split", "features", "fold"])
    assert len(scores) == 3 * 4 * 3
    sets = {"one_hot + site_mean + mean": QUICK, "one_hot": ["one_hot"], "mean": ["mean"]}
    sequences = np.array(assay.sequences, dtype=object)
    for split, fold, name in (
        ("random", 2, "one_hot + site_mean + mean"),
        ("modulo", 0, "mean"),
        ("contiguous", 1, "one_hot + site_mean + mean"),
        ("random", 1, "one_hot"),
    ):
        train, test = folds[split][fold]
        model = make_variant_model(EMBEDDER, features=sets[name], reference=assay.wild_type)
        fitted = model.fit(sequences[train], assay.target[train])
        lower, upper = fitted.predict_interval(sequences[test]).T
        predicted, y = fitted.predict(sequences[test]), assay.target[test]
        row = scores.loc[split, name, fold]
        assert row["n_test"] == len(test)
        rounded = np.round(predicted, 9)  # of a penalty so large that all are equal
        assert row["spearman"] == pytest.approx(spearman(y, rounded), abs=1e-6)
        assert row["rmse"] == pytest.approx(root_mean_squared_error(y, predicted), rel=1e-6)
        assert row["within_90"] == np.mean((lower <= y) & (y <= upper))
    named = found.scores["features"].unique().tolist()
    assert named == ["one_hot + site_mean + mean", "one_hot", "site_mean", "mean"]


def test_no_prediction_depends_on_its_own_measurements(assay, rng):
    rows = [*range(30), 3, 3, 17]  # some were measured again
    repeated, how = shortened(assay, rows), {"features": ["one_hot", "site_mean"], "n_folds": 3}
    before = compare_features(repeated, **how).predicted.to_numpy()
    for row in (3, 8):
        same = np.array(rows) == row
        target = repeated.target + np.where(same, rng.normal(scale=5, size=len(rows)), 0)
        changed = replace(repeated, target=target)
        after = compare_features(changed, **how).predicted.to_numpy()
        np.testing.assert_array_equal(after[same], before[same])
        fold = next(test for _, test in make_folds(repeated.task(), "random", 3) if row in test)
        others = np.setdiff1d(np.arange(len(rows)), fold)
        assert (after[others] != before[others]).any(axis=1).all()


def test_targets_in_random_order_cannot_be_predicted(scan, rng, tmp_path):
    mutants = mutants_of(scan.wild_type, scan.data[::7])
    table = pd.DataFrame({"mutant": mutants, "DMS_score": scan.target[::7]})
    table.to_csv(tmp_path / "a.csv", index=False)
    assay = read_assay(tmp_path / "a.csv", reference=scan.wild_type)
    n_draws, scores, how = 3, [], {"features": ["one_hot", "site_mean"], "n_folds": 3}
    for _ in range(n_draws):
        permuted = replace(assay, target=rng.permutation(assay.target))
        compared = compare_features(permuted, **how)
        scores.append(compared.scores.query("split == 'random'"))
    means = pd.concat(scores).groupby("features")["spearman"].mean()
    error = 1 / np.sqrt(n_draws * len(assay.target))
    assert (means.abs() < 3 * error).all()


def test_each_sequence_is_embedded_once_and_the_embedder_stays_as_it_was(
    assay, embedded, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    embedder = ESMEmbedder("demo-48", pooling="max")
    before = embedder.get_params()
    few = shortened(assay, range(30))
    compare_features(few, embedder, n_folds=2)
    assert embedder.get_params() == before
    assert list(tmp_path.iterdir()) == []  # the temporary store is gone
    n_variants, n_positions = len(set(few.sequences)), few.mutated.any(axis=0).sum()
    times = Counter(embedded)  # of variants, of the wild type, and of that with each mask
    assert len(times) == n_variants + 1 + n_positions
    # the wild type is beside the variants of the first training fold and of its test fold
    assert sorted(times.values()) == [*[1] * (len(times) - 1), 2]
    embedded.clear()
    embedder.set_params(store=tmp_path / "mine.sqlite")
    for _ in range(2):
        compare_features(few, embedder, features=["mean", "one_hot"], n_folds=2)
    assert len(embedded) == n_variants
    assert embedder.store == tmp_path / "mine.sqlite"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.sqlite"]


def test_an_error_leaves_no_store(assay, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fails(*arguments):
        assert list(tmp_path.iterdir())
        raise RuntimeError("stopped")

    monkeypatch.setattr(_comparison, "predict_intervals", fails)
    with pytest.raises(RuntimeError, match="stopped"):
        compare_features(assay, EMBEDDER, features=["mean"])
    assert list(tmp_path.iterdir()) == []


def test_splits_by_position_are_for_single_substitutions_at_enough_positions(assay, scan):
    quick = {"embedder": EMBEDDER, "features": ["one_hot"]}
    double = assay.wild_type.replace("MA", "AM", 1)
    with_double = replace(assay, sequences=[*assay.sequences[:-1], double])
    assert set(compare_features(with_double, **quick).scores["split"]) == {"random"}
    differ = differences(scan.wild_type, scan.data)
    of_six = differ.argmax(axis=1) < 6
    few = replace(
        assay,
        table=pd.DataFrame(index=range(of_six.sum())),
        sequences=scan.data[of_six].tolist(),
        target=scan.target[of_six],
    )
    for n_folds, expected in ((6, ["random", "modulo", "contiguous"]), (7, ["random"])):
        splits = compare_features(few, **quick, n_folds=n_folds).scores["split"]
        assert splits.unique().tolist() == expected


def test_unaligned_sequences_have_their_own_features(assay):
    uneven = replace(
        assay, wild_type=None, sequences=[s[: 60 + i % 5] for i, s in enumerate(assay.sequences)]
    )
    found = compare_features(uneven, EMBEDDER).scores
    assert found["features"].unique().tolist() == ["composition + mean", "composition", "mean"]
    assert found["split"].unique().tolist() == ["random"]
    with pytest.raises(ValueError, match="'one_hot', which compares variants of one length"):
        compare_features(uneven, EMBEDDER, features=["one_hot"])


def test_a_distiller_nests_what_is_compared(assay, distiller):
    embedder = ESMEmbedder(["demo-48", "demo-96"])
    how = {"features": ["one_hot", "mean"], "n_folds": 2}
    nested, plain = (
        compare_features(assay, embedder, distiller=used, **how).scores["rmse"]
        for used in (distiller, None)
    )
    differs = (nested != plain).groupby(nested.index // 6).all()
    assert differs.tolist() == [True, False, True]  # all features, one-hot alone, mean alone


def test_what_cannot_be_scored_is_refused_before_the_work(assay, monkeypatch):
    monkeypatch.setattr(LeftOutVotingRegressor, "fit", lambda *_: pytest.fail("the work began"))
    random = make_folds(assay.task(), "random", 5)
    constant = assay.target.copy()
    constant[random[3][1]] = 1.5
    refused = {
        r"^All 14 targets of test fold 3 of 'if1' \(random split\) are equal": (
            replace(assay, target=constant),
            {},
        ),
        r"^'if1' has too few positions or proteins for 80 folds \(random split\)": (
            assay,
            {"n_folds": 80},
        ),
        r"^features has 'nosuch'; choose from": (assay, {"features": ["mean", "nosuch"]}),
        r"^features has 'mean' twice": (assay, {"features": ["mean", "mean"]}),
    }
    for message, (given, how) in refused.items():
        with pytest.raises(ValueError, match=message):
            compare_features(given, EMBEDDER, **{"features": ["one_hot"]} | how)


def test_intervals_are_those_of_the_model(assay):
    model = make_variant_model(EMBEDDER, features=["one_hot"], reference=assay.wild_type)
    model.fit(assay.sequences, assay.target)
    found = predict_intervals(model, np.array(assay.sequences, dtype=object))
    np.testing.assert_array_equal(found[:, 2:], model.predict_interval(assay.sequences, 0.9))
