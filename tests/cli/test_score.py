"""The command `score`: the scores of Python, for variants in any form."""

import io

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMScorer, mutate, single_substitutions

WILD_TYPE = "MKTAYIAKQRQISF"
MUTANTS = ["K12R", "K12A:K18L", "WT"]
MODELS = ("-m", "demo", "-q")


@pytest.fixture(autouse=True)
def _inputs(tmp_path):
    (tmp_path / "wt.fasta").write_text(f">wt\n{WILD_TYPE}\n")
    sequences = mutate(WILD_TYPE, MUTANTS, first_position=11)
    frame = pd.DataFrame({"name": list("abc"), "mutant": MUTANTS, "sequence": sequences})
    frame.to_csv(tmp_path / "v.csv", index=False)
    records = zip("abc", sequences, strict=True)
    (tmp_path / "v.fasta").write_text("".join(f">{name}\n{text}\n" for name, text in records))


def table_of(ended):
    assert ended.code == 0, ended.err
    return pd.read_csv(io.BytesIO(ended.out))


@pytest.mark.parametrize(
    "asked", [("v.csv",), ("v.fasta",), ("v.csv", "--mutant-column", "mutant")]
)
def test_variants_in_any_form(in_process, asked):
    line = ("--reference", "wt.fasta", "--first-position", "11", *MODELS)
    found = table_of(in_process("score", *asked, *line))
    scorer = ESMScorer("demo", reference=WILD_TYPE)
    expected = scorer.transform(mutate(WILD_TYPE, MUTANTS, first_position=11))
    assert found.columns.tolist() == ["name", "mutant", *scorer.get_feature_names_out()]
    assert found["mutant"].tolist() == MUTANTS
    assert found["name"].tolist() == list("abc")
    np.testing.assert_allclose(found.iloc[:, 2:], expected, rtol=1e-4, atol=1e-5)


def test_all_singles_to_files(in_process, tmp_path):
    pytest.importorskip("pyarrow")
    line = ("score", "--all-singles", "--reference", WILD_TYPE, "-m", "demo-48", "-q")
    assert in_process(*line, "-o", "s.csv", "--kind", "wild_type_marginals").code == 0
    assert in_process(*line, "-o", "s.parquet", "--kind", "wild_type_marginals").code == 0
    first, second = pd.read_csv(tmp_path / "s.csv"), pd.read_parquet(tmp_path / "s.parquet")
    assert first["mutant"].tolist() == single_substitutions(WILD_TYPE)
    np.testing.assert_allclose(first.iloc[:, 2], second.iloc[:, 2], rtol=1e-4)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((), "either a file of variants or --all-singles"),
        (("v.csv", "--all-singles"), "either a file of variants or --all-singles"),
        (
            ("v.csv", "--mutant-column", "mutant"),
            "line 2: the mutant 'K12R' has K at position 12, where the wild type",
        ),
        (("v.csv", "-o", "x.txt"), "ends in none of .csv, .csv.gz and .parquet"),
        (("none.csv",), "none.csv"),
    ],
)
def test_what_is_wrong_is_one_sentence(in_process, asked, message):
    ended = in_process("score", *asked, "--reference", "wt.fasta", *MODELS)
    assert ended.code != 0
    assert message in ended.err
