"""The command `revdist verify`: what it prints, and that its exit code is the verdict."""

import shutil

import pytest
import torch

from sklearn_revdist.cli import _verify
from sklearn_revdist.cli._endings import INPUT, MISSING
from sklearn_revdist.embedding import _esm2


@pytest.fixture
def checkpoint(tmp_path, tiny):
    return shutil.copy(tiny, tmp_path / "mine.pt")


def test_people_read_a_line_a_model(revdist):
    ended = revdist("verify", "-m", "demo-48", "--device", "cpu", "-q")
    assert (ended.code, ended.err) == (0, "")
    head, line, blank, summary = ended.text.splitlines()
    assert head.split("  ")[0] == "model"
    assert line.split()[0] == "demo-48"
    assert line.split()[-4:] == ["yes", "no", "published", "outputs"]
    assert head.endswith("published outputs")
    assert len(head) == len(line)
    assert blank == ""
    assert summary.startswith("1 of 1 models agree with fair-esm 2.")
    assert summary.endswith(", and 0 with published outputs.")


def test_a_program_reads_all_that_is_found(in_process, checkpoint):
    ended = in_process("verify", "-m", checkpoint, "--device", "cpu", "--json")
    assert ended.code == 0
    assert ended.err == ""
    assert ended.json["holds"] is True
    assert ended.json["dtype"] == "float32"
    assert ended.json["fair_esm"].startswith("2.")
    (model,) = ended.json["models"]
    assert model["model"] == "mine"
    assert model["holds"] is True
    assert model["finding"] == ""
    assert model["published_error"] is None
    assert 0 < model["rows_error"] < 1e-4
    assert 0 < model["means_ratio"] < 100


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_what_does_not_hold_ends_with_1_and_a_sentence(
    in_process, checkpoint, monkeypatch, options
):
    monkeypatch.setattr(_esm2, "_rotate", lambda heads, turns: None)
    ended = in_process("verify", "-m", checkpoint, "--device", "cpu", "-q", *options)
    assert ended.code == 1
    assert ended.err.startswith("Error: mine: residue ")
    assert "layer 1 of 2" in ended.err
    assert ended.err.count("\n") == 1
    if options:
        assert ended.json["holds"] is False
        assert f"Error: {ended.json['models'][0]['finding']}\n" == ended.err
    else:
        assert " NO  no published outputs" in ended.text
        assert "agree" not in ended.text


def test_all_models_are_shown_though_the_first_is_wrong(in_process, checkpoint, monkeypatch):
    monkeypatch.setattr(_esm2, "MASK_RATE_IN_TRAINING", 0.2)
    ended = in_process("verify", "-m", checkpoint, "-m", "demo-48", "--device", "cpu", "-q")
    assert ended.code == 1
    assert ended.text.count(" NO ") == 2
    assert ended.err.count("the first part that differs is the input.") == 2


def test_published_outputs_are_shown_with_what_is_allowed():
    row = {"model": "m", "rows_error": 1e-6, "rows_ratio": 1.0, "means_error": 1e-7}
    row |= {"means_ratio": 2.0, "cosine": 1.0, "speed": 3.25, "holds": True}
    row |= {"published_error": 0.034, "published_allowed": 0.31}
    _, line = _verify._lines([row])
    assert " ".join(line) == (
        "m 1.0e-06 1.00 1.0e-07 2.00 1.000000 x 3.2 yes 0.034 away, 0.31 allowed"
    )
    assert _verify._summary([row]).endswith(", and 1 with published outputs.")


def test_missing_weights(revdist):
    ended = revdist("verify", "-m", "./nosuch.pt", "-q")
    assert (ended.code, ended.out) == (MISSING, b"")
    assert "There is no file or folder './nosuch.pt'" in ended.err


def test_damaged_weights(revdist, checkpoint, load):
    content = load(checkpoint)
    del content["model"]["encoder.sentence_encoder.layers.1.fc2.bias"]
    torch.save(content, checkpoint)
    ended = revdist("verify", "-m", checkpoint, "-q")
    assert (ended.code, ended.out) == (INPUT, b"")
    assert "has no tensor 'layers.1.fc2.bias'" in ended.err


@pytest.mark.parametrize("options", [["-m", "nosuch"], ["--dtype", "float64"], ["sequences.fasta"]])
def test_what_is_no_option(in_process, options):
    assert in_process("verify", *options).code == 2
