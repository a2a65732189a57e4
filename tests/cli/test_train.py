"""The command `train`: the scores and the model of Python, from any spreadsheet."""

import json

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import (
    ESMEmbedder,
    VariantModel,
    compare_features,
    mutate,
    read_assay,
    single_substitutions,
)
from sklearn_revdist.assays._comparison import Comparison
from sklearn_revdist.cli._train import _print_advice

WILD_TYPE = "MKTAYIAKQRQISF"
MUTANTS = single_substitutions(WILD_TYPE)[::7]
LINE = ("train", "assay.csv", "--target", "activity", "--reference", "wt.fasta", "-m", "demo-48")


@pytest.fixture(autouse=True)
def _inputs(tmp_path):
    pytest.importorskip("skops")
    rng = np.random.default_rng(0)
    (tmp_path / "wt.fasta").write_text(f">wt\n{WILD_TYPE}\n")
    activity = rng.normal(size=len(MUTANTS)).round(3).astype(str)
    activity[3] = "n.d."
    columns = {"mutant": MUTANTS, "activity": activity, "plate": np.arange(len(MUTANTS))}
    pd.DataFrame(columns).to_csv(tmp_path / "assay.csv", index=False)


def test_scores_and_model_are_those_of_python(in_process, tmp_path):
    ended = in_process(*LINE, "-o", "a.model", "--predictions", "cv.csv", "-q", "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assay = read_assay("assay.csv", "activity", reference=WILD_TYPE)
    compared = compare_features(assay, ESMEmbedder("demo-48"))
    scores = compared.scores.groupby(["features", "split"])["spearman"].mean()
    for features, of_splits in report["spearman"].items():
        for split, score in of_splits.items():
            assert score == pytest.approx(scores[features, split], abs=1e-6)
    assert set(scores.index.get_level_values("features")) == set(report["spearman"])
    assert report["n_left_out"] == {"no measurement": 1}
    assert report["n_variants"] == len(MUTANTS) - 1
    table = pd.read_csv(tmp_path / "cv.csv")
    assert table.columns.tolist()[:4] == ["mutant", "activity", "plate", "sequence"]
    np.testing.assert_allclose(table["predicted"], compared.predicted["predicted"], rtol=1e-4)
    model = VariantModel.load("a.model")
    sequences = mutate(WILD_TYPE, ["K2A", "K2W:A4G"])
    trained = VariantModel.train(assay, ESMEmbedder("demo-48"))
    expected = trained.predict(sequences)
    pd.testing.assert_frame_equal(model.predict(sequences), expected)
    assert model.card["file"] == "assay.csv"
    assert not list(tmp_path.glob("*.unfinished*"))


def test_spreadsheets_with_semicolons_and_decimal_commas_in_utf_16(in_process, tmp_path):
    table = pd.read_csv(tmp_path / "assay.csv", dtype=str, keep_default_na=False)
    table["activity"] = table["activity"].str.replace(".", ",", regex=False)
    table["activity"] = table["activity"].replace("n,d,", "n.d.")
    table.to_csv(tmp_path / "other.csv", index=False, sep=";", encoding="utf-16")
    line = (*LINE[2:], "--features", "one-hot", "-q", "--json")
    ended = [in_process("train", f"{name}.csv", *line, "-o", name) for name in ("assay", "other")]
    first, second = (json.loads(each.out) for each in ended)
    assert first["spearman"] == second["spearman"]
    assert first["data"] == second["data"]


def test_measurements_by_chance_are_called_so(in_process):
    ended = in_process(*LINE, "-o", "a.model", "-q")
    assert ended.code == 0, ended.err
    assay = read_assay("assay.csv", "activity", reference=WILD_TYPE)
    assert "Rows left out at random are predicted no better than by chance" in ended.text
    assert f"whose standard deviation is {assay.target.std():.3g}" in ended.text


@pytest.mark.parametrize(
    ("alone", "is_named"),
    [
        ([0.7, 0.8, 0.6, 0.7], True),
        ([0.9, 0.3, 0.6, 0.5], False),  # by less than folds differ
        ([0.4, 0.4, 0.4, 0.4], False),
    ],
)
def test_a_simpler_model_that_is_better_in_most_folds_is_named(capsys, tmp_path, alone, is_named):
    whole = [0.5, 0.5, 0.4, 0.5]
    assay = read_assay(tmp_path / "assay.csv", "activity", reference=WILD_TYPE)
    scores = pd.DataFrame(
        {
            "split": "random",
            "features": ["one_hot + mean"] * 4 + ["one_hot"] * 4,
            "fold": [0, 1, 2, 3] * 2,
            "spearman": [*whole, *alone],
        }
    )
    card = {"rmse": {"random": 1.0}, "within_90": {"random": 0.9}}
    _print_advice(Comparison(scores, pd.DataFrame()), card, assay)
    printed = capsys.readouterr().out
    advice = f"one_hot alone predicts better ({np.mean(alone):.3f}, all features 0.475); to train"
    assert (advice in printed) == is_named
    assert ("alone" in printed) == is_named
    assert "by chance" not in printed


def test_a_picture_is_drawn(in_process, tmp_path):
    pytest.importorskip("matplotlib")
    line = (*LINE, "--features", "one_hot", "-o", "a.model", "--plot", "a.png", "-q")
    assert in_process(*line).code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (("--features", "one_hat"), 2, "features has 'one_hat'; choose from"),
        (
            ("--target", "plates"),
            3,
            "say which one it is (--target, --sequence-column, --mutant-co",
        ),
        (("--target", "mutant"), 3, "'assay.csv', line 2: the measurement 'M1A' in column"),
        (("--reference", WILD_TYPE[::-1]), 3, "'assay.csv', line 2: the mutant 'M1A' has M"),
        (("--predictions", "cv.txt"), 2, "ends in none of .csv, .parquet"),
        (("--folds", "40"), 3, "too few positions or proteins for 40 folds"),
        (("--distiller", "none.safetensors"), 3, "none.safetensors"),
    ],
)
def test_errors_name_the_place_and_write_nothing(assert_fails, asked, code, message):
    assert_fails(*LINE, "-o", "a.model", "-q", *asked, code=code, message=message)


def test_equal_measurements_of_a_fold_are_refused(assert_fails, tmp_path):
    table = pd.read_csv(tmp_path / "assay.csv")
    table.assign(activity=1.5).to_csv(tmp_path / "assay.csv", index=False)
    message = "targets of test fold 0 of 'assay' (random split) are equal"
    assert_fails(*LINE, "-o", "a.model", "-q", code=3, message=message)


def test_proteins_of_several_lengths(in_process, tmp_path):
    rng = np.random.default_rng(0)
    proteins = ["".join(rng.choice(list("ACDEFGHIKL"), n)) for n in range(10, 40)]
    table = pd.DataFrame({"sequence": proteins, "activity": rng.normal(size=30)})
    table.to_csv(tmp_path / "proteins.csv", index=False)
    line = ("train", "proteins.csv", "--target", "activity", "-m", "demo-48", "-o", "p.model")
    ended = in_process(*line, "-q", "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["wild_type"] is None
    assert list(report["spearman"]) == ["composition + mean", "composition", "mean"]
    refused = in_process("predict", "p.model", "--saturate", "-q")
    assert refused.code == 2
    assert "has no wild type" in refused.err
