"""verify_embeddings: right models hold, and each kind of mistake is found and named."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from sklearn_revdist import ESMEmbedder, verify_embeddings
from sklearn_revdist.embedding import _esm2, _published_outputs
from sklearn_revdist.embedding._esm2 import ESM2
from sklearn_revdist.utils._models import DEMO

SEQUENCES = ["MPAGFRQVCKAFMAEPMFNTATQHEYHCCTP", "MYPNQTSFAH", "MCAD"]
POSITIONS = [[1, 9, 31], [1, 10], [1, 2, 4]]


def verified(*chain, **settings):
    """What is found of each model, on the CPU."""
    return verify_embeddings([*chain], device="cpu", **settings).to_dict("records")


@pytest.fixture
def checkpoint(tmp_path, tiny):
    """A checkpoint of its own, so that the process keeps no model of it."""
    return shutil.copy(tiny, tmp_path / "esm2_mine.pt")


@pytest.mark.parametrize("chain", ["demo-96", pytest.param("demo", marks=pytest.mark.slow)])
def test_the_demo_chain_holds(chain):
    table = verify_embeddings(chain, device="cpu")
    assert table["model"].tolist() == [model.name for model in DEMO[: len(table)]]
    assert len(table) == {"demo-96": 2, "demo": 3}[chain]
    assert table["holds"].dtype == bool
    assert table["holds"].all()
    assert (table["finding"] == "").all()
    assert table[["published_error", "published_allowed"]].isna().all(axis=None)
    for what in ("rows", "means"):
        assert table[f"{what}_error"].between(0, 1e-4, inclusive="neither").all()
        assert table[f"{what}_ratio"].gt(0).all()
    assert table["cosine"].between(1 - 1e-9, 1 + 1e-9).all()
    assert table["speed"].gt(0).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_holds_within_its_roundings(dtype):
    try:
        (row,) = verified("demo-48", dtype=dtype)
    except RuntimeError as error:
        if "pack_vnni2" not in str(error):
            raise
        pytest.skip("ATEN_CPU_CAPABILITY is below what torch takes for bfloat16 on this processor")
    assert row["holds"], row["finding"]
    assert row["rows_ratio"] > 100


def test_a_folder_of_hugging_face_holds(tmp_path, hugging_face):
    (row,) = verified(hugging_face(tmp_path / "model", rotary="once"))
    assert row["model"] == "model"
    assert row["holds"], row["finding"]


def test_a_model_without_token_dropout_holds(tmp_path, write_checkpoint):
    (row,) = verified(write_checkpoint(tmp_path / "m.pt", token_dropout=False))
    assert row["holds"], row["finding"]


def test_what_belongs_to_the_process_is_as_before(tiny):
    state, dtype = torch.random.get_rng_state(), torch.get_default_dtype()
    verified(tiny)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_default_dtype() is dtype


# ------------------------------------------------------------------- mistakes of ours


def finding_of(*chain):
    (row,) = verified(*chain)
    assert row["holds"] is False
    assert row["finding"].endswith(".")
    return row["finding"]


def test_a_wrong_scale_of_the_input(checkpoint, monkeypatch):
    monkeypatch.setattr(_esm2, "MASK_RATE_IN_TRAINING", 0.13)
    assert "the first part that differs is the input" in finding_of(checkpoint)


def test_rotation_that_is_left_out(checkpoint, monkeypatch):
    monkeypatch.setattr(_esm2, "_rotate", lambda heads, turns: None)
    finding = finding_of(checkpoint)
    assert finding.startswith("esm2_mine: residue ")
    assert "away from fair-esm's in float64" in finding
    assert "the first part that differs is layer 1 of 2" in finding


def test_a_wrong_weight_in_our_layout(checkpoint, monkeypatch):
    right = ESM2.__init__

    def wrong(self, *arguments, **settings):
        right(self, *arguments, **settings)
        self.layers[1].fc1.bias[5] += 0.01

    monkeypatch.setattr(ESM2, "__init__", wrong)
    assert "the first part that differs is layer 2 of 2" in finding_of(checkpoint)


def test_sequences_that_see_each_other(checkpoint, monkeypatch):
    right = ESM2.forward

    def wrong(self, sequences, layers):
        return (x + 0.01 * (len(sequences) > 1) for x in right(self, sequences, layers))

    monkeypatch.setattr(ESM2, "forward", wrong)
    finding = finding_of(checkpoint)
    assert "alone it agrees in every layer, so batching is at fault" in finding


def test_rows_in_the_wrong_order(checkpoint, monkeypatch):
    right = ESM2.forward
    monkeypatch.setattr(
        ESM2, "forward", lambda self, *wanted: (x.flip(0) for x in right(self, *wanted))
    )
    finding_of(checkpoint)


def test_means_that_are_not_those_of_the_rows(checkpoint, monkeypatch):
    right = ESMEmbedder.transform
    monkeypatch.setattr(ESMEmbedder, "transform", lambda self, X: right(self, X) * 1.001)
    finding = finding_of(checkpoint)
    assert finding.startswith("esm2_mine: the mean of ")
    assert "residues agree, so pooling is at fault" in finding


# ------------------------------------------------------------------- published outputs


@pytest.fixture
def published(tiny, fair_esm, tmp_path, monkeypatch):
    """What fair-esm makes of the tiny model, published under the name of the checkpoint.

    Numbers are rounded to bfloat16.
    """
    rows = [fair_esm.rows([tiny], sequence).single for sequence in SEQUENCES]
    rows = [torch.from_numpy(r).bfloat16().float().numpy() for r in rows]
    kept = [r[np.array(at) - 1] for r, at in zip(rows, POSITIONS, strict=True)]
    tensors = {
        "esm2_mine/rows": np.concatenate(kept).astype(np.float16),
        "esm2_mine/means": np.stack([r.mean(0) for r in rows]).astype(np.float16),
    }
    description = json.dumps({"sequences": SEQUENCES, "positions": POSITIONS})
    path = tmp_path / "published.safetensors"
    save_file(tensors, path, {"description": description})
    monkeypatch.setattr(_published_outputs, "FILE", path)


@pytest.mark.usefixtures("published")
def test_the_weights_that_were_published_hold(checkpoint, tiny):
    mine, other = verified(checkpoint, tiny)
    assert mine["holds"], mine["finding"]
    assert 0 < mine["published_error"] < mine["published_allowed"]
    assert other["holds"]
    assert np.isnan(other["published_error"])  # it has another name


@pytest.mark.usefixtures("published")
def test_one_changed_weight_is_found_by_published_outputs_alone(checkpoint, load):
    content = load(checkpoint)
    content["model"]["encoder.sentence_encoder.layers.0.fc2.weight"][3, 5] += 10
    torch.save(content, checkpoint)
    (row,) = verified(checkpoint)
    assert row["holds"] is False
    assert row["rows_ratio"] < 8
    assert row["published_error"] > row["published_allowed"]
    assert "these are not the published weights" in row["finding"]
    assert " of sequence " in row["finding"]


# ------------------------------------------------------------------- errors


def test_all_weights_are_looked_for_before_the_work(tiny, monkeypatch):
    monkeypatch.setattr(ESM2, "forward", None)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*nosuch\.pt'"):
        verified(tiny, "./nosuch.pt")


def test_a_checkpoint_without_a_tensor_is_our_error(checkpoint, load):
    content = load(checkpoint)
    del content["model"]["encoder.sentence_encoder.layers.1.fc2.bias"]
    torch.save(content, checkpoint)
    with pytest.raises(ValueError, match=r"esm2_mine\.pt' has no tensor 'layers\.1\.fc2\.bias'"):
        verified(checkpoint)


def test_progress_is_shown_where_it_is_asked_for(tiny, capsys, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.utils._progress._QUICK", 0)
    verified(tiny, verbose=True)
    assert "tiny: 100 % of" in capsys.readouterr().err
    verified(tiny)
    assert capsys.readouterr() == ("", "")
