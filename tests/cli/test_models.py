"""The command `revdist models`."""

import json

import torch

from sklearn_revdist.utils._models import DEMO


def test_models_are_listed_with_their_places(
    in_process, tmp_path, monkeypatch, write_checkpoint, hugging_face
):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    file = write_checkpoint(tmp_path / "checkpoints" / "esm2_t6_8M_UR50D.pt")
    folder = tmp_path / "hf" / "models--facebook--esm2_t6_8M_UR50D" / "snapshots" / "c731"
    hugging_face(folder)
    ended = in_process("models")
    assert ended.code == 0, ended.err
    head, *lines = (line.split() for line in ended.text.splitlines())
    assert head == ["model", "name", "width", "where", "size", "path"]
    assert [line[0] for line in lines] == [
        *(model.short for model in DEMO),
        *("8M", "8M", "35M", "150M", "650M", "3B", "15B"),
    ]
    assert lines[2][1:6] == ["esm2_t6_2M_demo", "160", "package", "3.8", "MB"]
    assert lines[3][3:] == ["fair-esm", "0.1", "MB", str(file)]
    assert lines[4][3:6] + lines[4][-1:] == ["Hugging", "Face", "0.1", str(folder)]
    missing = tmp_path / "checkpoints" / "esm2_t48_15B_UR50D.pt"
    about = ["(30", "GB)"]
    assert lines[-1] == ["15B", "esm2_t48_15B_UR50D", "5120", "missing", *about, str(missing)]
    of_file, of_folder = (
        row
        for row in json.loads(in_process("models", "--json").out)["models"]
        if row["bytes"] and row["model"] == "8M"
    )
    assert of_file["path"] == str(file)
    assert of_folder["where"] == "Hugging Face"


def test_a_bundled_model_that_is_missing_is_shown_with_its_place(in_process, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    lines = in_process("models").text.splitlines()
    assert lines[1].split()[3:] == ["missing", str(tmp_path / "bundled" / f"{DEMO[0].name}.pt")]
