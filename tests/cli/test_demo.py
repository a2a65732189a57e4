"""The command `revdist demo`: results on standard output, progress on standard error."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

import sklearn_revdist
from sklearn_revdist.cli import _demo as _cli_demo
from sklearn_revdist.cli._demo import _table
from sklearn_revdist.cli._endings import OUTPUT
from sklearn_revdist.utils._models import DEMO

PNG = b"\x89PNG"
WIDTHS = [model.width for model in DEMO]


@pytest.fixture
def _short_assay(monkeypatch):
    assay = sklearn_revdist.load_if1_ecoli()
    rows = np.arange(0, len(assay.data), 20)
    short = Bunch(data=assay.data[rows], target=assay.target[rows], wild_type=assay.wild_type)
    monkeypatch.setattr(_cli_demo, "load_if1_ecoli", lambda: short)


def scores_of(plain, distilled, concat_pca):
    """A table of scores with 0.05 standard deviation."""
    rows = [
        (model, representation, width, score, 0.05)
        for model, width, *triple in zip("ab", (48, 96), plain, distilled, concat_pca, strict=True)
        for representation, score in zip(("plain", "distilled", "concat_pca"), triple, strict=True)
    ]
    return pd.DataFrame(
        rows, columns=["model", "representation", "n_columns", "score_mean", "score_std"]
    )


def best_of(n_columns, score):
    return {"n_columns": n_columns, "alpha": 1.0, "score_mean": score, "score_std": 0.04}


@pytest.mark.slow
def test_the_demo_runs_as_a_process(as_process, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    ended = as_process("demo")
    assert ended.code == 0, ended.err
    lines = ended.text.splitlines()
    assert "not ESM-2" in lines[0]
    for width in WIDTHS:
        assert any(f" {width} " in line and line.count("±") == 3 for line in lines)
    assert sum(line.lstrip().startswith("best prefix ") for line in lines) == 1
    assert "%" in ended.err
    assert (tmp_path / "demo.png").read_bytes().startswith(PNG)
    assert str(tmp_path / "demo.png") in lines[-1]


@pytest.mark.usefixtures("_short_assay")
def test_json_is_all_of_standard_output(in_process, tmp_path):
    ended = in_process("demo", "--json", "--output", "picture")
    assert ended.code == 0, ended.err
    report = ended.json
    assert "not ESM-2" in report["note"]
    assert ended.err == ""
    assert report["n_sequences"] == 69
    distilled = [row for row in report["scores"] if row["representation"] == "distilled"]
    assert [row["n_columns"] for row in distilled] == WIDTHS
    assert report["curve"]["n_columns"] == list(range(1, WIDTHS[-1] + 1))
    assert len(report["curve"]["score_mean"]) == WIDTHS[-1]
    assert 1 <= report["best_prefix"]["n_columns"] <= WIDTHS[-1]
    assert report["picture"] == str(tmp_path / "picture")
    assert (tmp_path / "picture").read_bytes().startswith(PNG)


@pytest.mark.usefixtures("_short_assay")
@pytest.mark.parametrize("matplotlib", [True, False])
def test_the_last_line_says_where_the_picture_is(in_process, tmp_path, monkeypatch, matplotlib):
    if not matplotlib:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ended = in_process("demo")
    assert ended.code == 0, ended.err
    assert ended.text.count("±") == 12
    picture = tmp_path / "demo.png"
    last = f"Picture: {picture}" if matplotlib else 'pip install "sklearn-revdist[plot]"'
    assert last in ended.text.splitlines()[-1]
    assert picture.exists() == matplotlib


def test_an_output_folder_that_does_not_exist_is_refused_before_the_work(in_process, tmp_path):
    ended = in_process("demo", "--output", "nowhere/demo.png")
    assert (ended.code, ended.out) == (OUTPUT, b"")
    assert f"There is no folder '{tmp_path / 'nowhere'}'" in ended.err


def test_the_table_has_one_line_per_model_and_one_for_the_best_prefix():
    table = _table(scores_of([0.1, 0.2], [0.1, 0.3], [0.15, 0.25]), best_of(77, 0.31))
    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert lines == [
        "model columns plain distilled PCA of concatenation",
        "a 48 0.100 ± 0.050 0.100 ± 0.050 0.150 ± 0.050",
        "b 96 0.200 ± 0.050 0.300 ± 0.050 0.250 ± 0.050",
        "best prefix 77 0.310 ± 0.040",
    ]
