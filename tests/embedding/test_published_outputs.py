"""Published outputs: what is bundled, where it comes from, and what differs from it."""

import json
import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from sklearn_revdist.embedding._published_outputs import FILE, PublishedOutputs, published_outputs
from sklearn_revdist.sequences._tokens import AMINO_ACIDS
from sklearn_revdist.utils._models import DEMO, ESM2


@pytest.mark.parametrize("model", ESM2[:5], ids=lambda model: model.short)
def test_what_is_bundled(model):
    published = published_outputs(model.name)
    assert [*map(len, published.sequences)] == [61, 29, 13]
    assert set("".join(published.sequences)) <= set(AMINO_ACIDS)
    assert [at[0] for at in published.positions] == [1, 1, 1]
    assert [at[-1] for at in published.positions] == [61, 29, 13]
    assert published.rows.shape == (18, model.width)
    assert published.means.shape == (3, model.width)
    assert np.isfinite(published.rows).all()
    # means of random sequences are nearer to each other than residues are
    assert 0 < published.means.std(axis=0).mean() < published.rows.std(axis=0).mean()


@pytest.mark.parametrize("name", [ESM2[5].name, *(model.name for model in DEMO), "my_model"])
def test_of_others_there_are_none(name):
    assert published_outputs(name) is None


def test_the_file_is_small_and_says_where_it_is_from():
    assert FILE.stat().st_size < 300_000
    with safe_open(FILE, "numpy") as file:
        described = json.loads(file.metadata()["description"])
    assert described["licence"] == "Apache-2.0"
    assert {*described["sha256"]} == {model.name for model in ESM2[:5]}
    beside = FILE.with_suffix(".rst").read_text(encoding="utf-8")
    assert described["commit"] in beside.replace("\n", " ")
    assert "Apache License" in FILE.with_suffix(".LICENSE").read_text(encoding="utf-8")


@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
def test_the_script_makes_the_file(tmp_path, monkeypatch):
    script = Path(__file__).parents[2] / "examples" / "published_outputs.py"
    folder, made = Path(os.environ["REVDIST_DATA"], "embeddings"), tmp_path / "made.safetensors"
    monkeypatch.setattr(sys, "argv", ["script", str(folder), "--output", str(made)])
    runpy.run_path(str(script), run_name="__main__")
    assert made.read_bytes() == FILE.read_bytes()


@pytest.fixture
def rows(rng):
    """Rows of two sequences of 9 and 5 residues, of about unit size."""
    return [rng.normal(size=(n, 8)).astype(np.float32) for n in (9, 5)]


@pytest.fixture
def published(rows):
    positions = [[1, 5, 9], [2, 4]]
    kept = [r[np.array(at) - 1] for r, at in zip(rows, positions, strict=True)]
    means = np.stack([r.mean(0) for r in rows])
    return PublishedOutputs(["M" * 9, "K" * 5], positions, np.concatenate(kept), means)


def test_rounding_to_bfloat16_is_allowed(published, rows):
    assert published.compare(rows).difference < 1e-6
    rounded = [(r.view(np.uint32) & 0xFFFF0000).view(np.float32) for r in rows]
    compared = published.compare(rounded)
    assert compared.difference > 1e-3
    assert compared.holds


@pytest.mark.parametrize(
    ("sequence", "residue", "where"),
    [(0, 5, "residue 5 of sequence 1"), (1, 2, "residue 2 of sequence 2")],
)
def test_a_residue_that_differs_is_named(published, rows, sequence, residue, where):
    rows[sequence][residue - 1, 3] += 1
    compared = published.compare(rows)
    assert not compared.holds
    assert compared.where == where


def test_other_residues_are_in_the_means(published, rows):
    rows[1][2, 3] += 5
    compared = published.compare(rows)
    assert not compared.holds
    assert compared.where == "the mean of sequence 2"


def test_small_differences_everywhere_add_up(published, rows):
    compared = published.compare([r * 0.85 for r in rows])
    assert not compared.holds
    compared = published.compare([r * 0.97 for r in rows])
    assert compared.holds
    assert compared.share_of_spread == pytest.approx(0.03, rel=0.3)


def test_what_is_not_finite_does_not_hold(published, rows):
    rows[0][0, 0] = np.nan
    assert not published.compare(rows).holds
