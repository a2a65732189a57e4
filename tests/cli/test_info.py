"""The command `revdist info`: what a distiller is, for people and for programs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sklearn_revdist import ESMEmbedder, ReverseDistiller, load_if1_ecoli
from sklearn_revdist.cli._endings import INPUT
from sklearn_revdist.utils._models import DEMO


@pytest.fixture
def distiller(tmp_path, rng):
    X = rng.normal(size=(500, 304)) @ rng.normal(size=(304, 304))
    fitted = ReverseDistiller(regressor="ols", n_new=[20, 30]).fit(X)
    fitted.save_pretrained(tmp_path / "x.safetensors")
    return fitted


def test_json_has_all_that_is_known(revdist, distiller):
    ended = revdist("info", "x.safetensors", "--json")
    assert (ended.code, ended.err) == (0, "")
    report = ended.json
    assert (report["n_columns_in"], report["n_columns_out"]) == (304, 98)
    assert (report["regressor"], report["n_new"], report["weight"]) == ("ols", [20, 30], 500)
    assert report["residual"] == "model"
    assert [model["model"] for model in report["models"]] == [model.name for model in DEMO]
    assert [model["width"] for model in report["models"]] == [48, 96, 160]
    assert [model["prefix_length"] for model in report["models"]] == [48, 68, 98]
    assert report["models"][0]["r2"] is None
    for key, values in {
        "r2": distiller.r2_,
        "variance_kept": distiller.explained_variance_ratio_,
        "rank": distiller.ranks_,
        "condition": distiller.conditions_,
    }.items():
        np.testing.assert_array_equal([model[key] for model in report["models"][1:]], values)
    assert set(report["versions"]) == {"sklearn-revdist", "numpy", "scikit-learn"}


@pytest.mark.usefixtures("distiller")
def test_the_table_has_one_line_per_model(revdist):
    lines = revdist("info", "x.safetensors").text.splitlines()
    assert lines[0] == "3 models, 304 columns to 98, ols, fitted on 500 rows"
    assert lines[1] == "The file does not say whether the rows were residues or whole proteins."
    assert "training R2" in lines[3]
    assert [line.split()[:3] for line in lines[3:7]] == [
        ["model", "width", "prefix"],
        [DEMO[0].short, "48", "48"],
        [DEMO[1].short, "96", "68"],
        [DEMO[2].short, "160", "98"],
    ]
    assert lines[-1].startswith("Written by sklearn-revdist ")


def test_residues_are_said_where_the_fit_knows_them(in_process, tmp_path):
    sequences = load_if1_ecoli().data[:20]
    fitted = ReverseDistiller().fit_residues(sequences, ESMEmbedder("demo"))
    fitted.save_pretrained(tmp_path / "y.safetensors")
    text = in_process("info", "y.safetensors").text
    assert text.splitlines()[:2] == [
        "3 models, 304 columns to 160, ridge, fitted on 1440 residues",
        "",
    ]
    rows, _ = next(ESMEmbedder("demo").iter_residues(sequences))
    fitted.fit(rows).save_pretrained(tmp_path / "y.safetensors")
    assert in_process("info", "y.safetensors", "--json").json["rows"] is None


def test_the_bundled_distiller_and_published_weights(in_process, tmp_path):
    demo = in_process("info", "demo").text
    assert demo.startswith("3 models, 304 columns to 160, ols, fitted on residues\n\n")
    for path in (Path(__file__).parents[1] / "published").glob("rd-*-pcr-fbpca-1k.npz"):
        shutil.copy(path, tmp_path)
    ended = in_process("info", tmp_path)
    assert ended.code == 0, ended.err
    assert "published weights" in ended.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No saved distiller at 'x.safetensors'"),
        (b"", "cannot be read as a saved distiller"),
        (b">a\nMKT\n", "cannot be read as a saved distiller"),
        (bytes(range(256)) * 9, "cannot be read as a saved distiller"),
    ],
)
def test_what_is_not_a_distiller(revdist, tmp_path, content, message):
    if content is not None:
        (tmp_path / "x.safetensors").write_bytes(content)
    ended = revdist("info", "x.safetensors")
    assert (ended.code, ended.out) == (INPUT, b"")
    assert message in ended.err


@pytest.mark.usefixtures("distiller")
def test_a_damaged_distiller(revdist, tmp_path):
    content = bytearray((tmp_path / "x.safetensors").read_bytes())
    content[-1000] ^= 1
    (tmp_path / "x.safetensors").write_bytes(content)
    ended = revdist("info", "x.safetensors")
    assert ended.code == INPUT
    assert "its checksum does not match" in ended.err
