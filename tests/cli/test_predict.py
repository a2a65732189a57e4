"""The command `predict`: ranked predictions with all columns, for any source of variants."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import (
    ESMEmbedder,
    VariantModel,
    combine_mutants,
    mutate,
    read_assay,
    single_substitutions,
)

WILD_TYPE = "MKTAYIAKQRQISF"
ALL = single_substitutions(WILD_TYPE, first_position=11)
MUTANTS = ALL[::7]
ADDED = ["rank", "predicted", "std", "lower_90", "upper_90", "substitutions", "identity", "unlike"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("skops")
    path = tmp_path_factory.mktemp("model") / "a.model"
    table = pd.DataFrame({"mutant": MUTANTS})
    table["activity"] = np.random.default_rng(0).normal(size=len(MUTANTS))
    table.to_csv(path.with_name("assay.csv"), index=False)
    how = {"reference": WILD_TYPE, "first_position": 11}
    assay = read_assay(path.with_name("assay.csv"), "activity", **how)
    trained = VariantModel.train(assay, ESMEmbedder("demo-48"))
    trained.card |= {"first_position": 11, "lower_is_better": False}
    trained.save(path)
    return trained, str(path)


def table_of(ended):
    assert ended.code == 0, ended.err
    return pd.read_csv(io.BytesIO(ended.out), keep_default_na=False)


def test_all_columns_are_kept_and_the_best_is_first(in_process, tmp_path, model):
    trained, path = model
    given = pd.DataFrame({"plate": ["007", "1.50", "NA"], "mutant": ["K12R", "K12A:K18L", "F24W"]})
    given.to_csv(tmp_path / "new.csv", index=False, sep=";")
    found = table_of(in_process("predict", path, "new.csv", "--mutant-column", "mutant", "-q"))
    assert found.columns.tolist() == ["plate", "mutant", "sequence", *ADDED]
    expected = trained.predict(mutate(WILD_TYPE, given["mutant"].tolist(), first_position=11))
    order = expected["predicted"].argsort()[::-1].to_numpy()
    assert found["rank"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(found["predicted"], expected["predicted"].iloc[order], rtol=1e-4)
    for column in ("plate", "mutant"):
        assert found[column].astype(str).tolist() == given[column].iloc[order].tolist()
    assert found["unlike"].tolist() == expected["unlike"].iloc[order].tolist()


def test_usual_columns_are_found_in_semicolons_too(in_process, tmp_path, model):
    _, path = model
    (tmp_path / "new.csv").write_text("plate;variant\n7,5;K12R\n")
    found = table_of(in_process("predict", path, "new.csv", "-q"))
    assert found[["plate", "variant", "mutant"]].values.tolist() == [["7,5", "K12R", "K12R"]]
    ended = in_process("predict", path, "new.csv", "--mutant-column", "clone", "-q")
    assert ended.code == 3
    assert "say which one it is (--sequence-column, --mutant-column)" in ended.err


def test_fasta_and_tables_of_sequences(in_process, tmp_path, model):
    _, path = model
    sequences = mutate(WILD_TYPE, ["K12R", "F24W"], first_position=11)
    records = zip("ab", sequences, strict=True)
    (tmp_path / "new.fasta").write_text("".join(f">{name}\n{text}\n" for name, text in records))
    pd.DataFrame({"name": list("ab"), "sequence": sequences}).to_csv("new.csv", index=False)
    from_fasta = table_of(in_process("predict", path, "new.fasta", "-q"))
    from_table = table_of(in_process("predict", path, "new.csv", "-q"))
    assert sorted(from_fasta["mutant"]) == ["F24W", "K12R"]
    pd.testing.assert_frame_equal(from_fasta[sorted(from_fasta)], from_table[sorted(from_table)])


def test_saturation_has_every_single_substitution_and_a_map(in_process, tmp_path, model):
    pytest.importorskip("matplotlib")
    _, path = model
    line = ("predict", path, "--saturate", "-q", "-o", "s.csv", "--plot", "s.png", "--json")
    ended = in_process(*line)
    assert ended.code == 0, ended.err
    found = pd.read_csv(tmp_path / "s.csv", keep_default_na=False)
    assert sorted(found["mutant"]) == sorted(ALL)
    assert found["predicted"].is_monotonic_decreasing
    report = json.loads(ended.out)
    assert report == {"n_predicted": len(ALL), "n_unlike": int((found["unlike"] != "").sum())}
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    again = table_of(in_process("predict", path, "--saturate", WILD_TYPE, "-q"))
    pd.testing.assert_frame_equal(again, found)


def test_combinations_are_of_the_best_substitutions(in_process, model, monkeypatch):
    trained, path = model
    found = table_of(in_process("predict", path, "--combine", "2", "--top", "5", "-q"))
    predicted = trained.predict(mutate(WILD_TYPE, ALL, first_position=11))
    predicted["mutant"] = ALL
    familiar = predicted[predicted["unlike"] == ""]
    best = familiar.sort_values("predicted", ascending=False)["mutant"].tolist()[:5]
    assert sorted(found["mutant"]) == sorted(combine_mutants(best, 2))
    # at one position there are none
    monkeypatch.setattr(VariantModel, "predict", of_first_position)
    ended = in_process("predict", path, "--combine", "2", "--top", "5", "-q")
    assert ended.code == 2
    assert "The best 5 substitutions are at fewer than 2 positions; combine more" in ended.err


def of_first_position(_, sequences, **how):
    """Predictions by which the best substitutions are all of the first residue."""
    others = [sequence[0] != WILD_TYPE[0] for sequence in sequences]
    return pd.DataFrame({"predicted": np.array(others, dtype=float), "unlike": ""})


def test_measurements_in_the_table_are_compared(in_process, model):
    trained, path = model
    table = pd.DataFrame({"mutant": MUTANTS[:9], "activity": np.arange(9.0)})
    table.to_csv("new.csv", index=False)
    ended = in_process("predict", path, "new.csv", "-q", "-o", "p.csv", "--json")
    report = json.loads(ended.out)
    found = pd.read_csv("p.csv", keep_default_na=False)
    rho = found[["activity", "predicted"]].corr(method="spearman").iloc[0, 1]
    assert report["spearman"] == pytest.approx(rho)
    within = found["activity"].between(found["lower_90"], found["upper_90"])
    assert report["within_90"] == pytest.approx(within.mean())
    trained_on = set(trained.sequences) & set(found["sequence"])
    assert 0 < report["n_trained_on"] == len(trained_on)


def test_lower_is_better_turns_the_ranks(in_process, tmp_path, model):
    trained, _ = model
    turned = VariantModel(
        trained.estimator, trained.card | {"lower_is_better": True}, trained.sequences
    )
    turned.save(tmp_path / "b.model")
    found = table_of(in_process("predict", "b.model", "--saturate", "-q"))
    assert found["predicted"].is_monotonic_increasing
    assert found["rank"].iloc[0] == 1


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ("sequence\nMKTAYIAKQRQIS\n", 3, "line 2: the sequence has 13 residues, but the wild"),
        ("sequence\nMKTAYIAKQRQISF\nMKTAYIAKQRQIS1\n", 3, "line 3: the sequence has '1'"),
        (
            "mutant\nK12R\nA12R\n",
            3,
            "A at position 12, where the wild type has K; check the numbering and the wild type.",
        ),
        ("mutant,rank\nK12R,3\n", 2, "The table has a column 'rank', as the predictions have"),
        ("name\nK12R\n", 3, "has no column"),
    ],
)
def test_wrong_variants_are_refused(assert_fails, model, content, code, message):
    with open("new.csv", "w") as file:
        file.write(content)
    line = ("predict", model[1], "new.csv", "-o", "p.csv", "-q")
    assert_fails(*line, code=code, message=message)


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ((), 2, "Give one of a file of variants, --saturate and --combine"),
        (("--saturate", "--combine", "2"), 2, "Give one of"),
        (("--saturate", "--json"), 2, "Standard output takes the predictions"),
        (("--combine", "2", "--plot", "c.png"), 2, "--plot needs --saturate"),
    ],
)
def test_wrong_lines_are_refused(assert_fails, model, asked, code, message):
    assert_fails("predict", model[1], *asked, "-q", code=code, message=message)


def test_other_files_are_not_models(assert_fails):
    with open("no.model", "w") as file:
        file.write("sequence\n")
    message = "is not a model of variants, or not complete"
    assert_fails("predict", "no.model", "--saturate", "-q", code=3, message=message)


def test_info_shows_the_card(in_process, model):
    trained, path = model
    assert json.loads(in_process("info", path, "--json").out)["data"] == trained.card["data"]
    printed = in_process("info", path).out.decode()
    assert "Model of 'activity' in 'assay', ESMEmbedder" in printed
    assert f"{len(MUTANTS)} measurements of proteins of 14 residues" in printed
