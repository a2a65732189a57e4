"""How far values may be from fair-esm's, and the layer in which a difference begins."""

import numpy as np
import pytest
import torch

from sklearn_revdist.embedding import _esm2
from sklearn_revdist.embedding._agreement import Agreement, first_layer
from sklearn_revdist.embedding._checkpoints import read_checkpoint
from sklearn_revdist.embedding._esm2 import ESM2
from sklearn_revdist.embedding._fair_esm import FairESM

CPU = torch.device("cpu")
SEQUENCE = "MKTAYIAKXQRQ<mask>SFVKSHFSRQ"
SINGLE, HALF = 4 * 2.0**-23, 16 * 2.0**-10


def judge(error, stock=0.0, dtype="float32"):
    """Two sequences whose largest value is 8, the second of which is wrong in its second row."""
    double = [np.full((1, 2), 8.0), np.full((3, 2), -1.0)]
    ours = [double[0], double[1] + [[0, 0], [0, error], [0, 0]]]
    return Agreement.of(["A", "MKT"], ours, [x + stock for x in double], double, dtype)


def test_ours_may_be_eight_times_as_far_as_fair_esm():
    assert judge(0.7, stock=0.1).holds
    assert not judge(0.9, stock=0.1).holds
    assert judge(0.5, stock=0.1).ratio == pytest.approx(5)


@pytest.mark.parametrize(("dtype", "rounding"), [("float32", SINGLE), ("float16", HALF)])
def test_where_fair_esm_is_exact_roundings_of_the_largest_value_are_allowed(dtype, rounding):
    assert judge(0.9 * 8 * rounding, dtype=dtype).holds
    assert not judge(1.1 * 8 * rounding, dtype=dtype).holds
    assert np.isnan(judge(0.1).ratio)


def test_the_worst_row_is_named():
    worst = judge(0.5)
    assert (worst.sequence, worst.row, worst.error) == ("MKT", 1, 0.5)
    assert worst.described("residue 2").startswith("residue 2 of 'MKT' is 0.5 away from fair-esm")


def test_what_is_not_finite_does_not_hold():
    assert not judge(np.nan).holds


@pytest.fixture
def models(tiny):
    checkpoint = read_checkpoint(tiny)
    return ESM2(checkpoint, device=CPU, dtype=torch.float32), FairESM(checkpoint, CPU)


def test_no_layer_differs_where_none_is_wrong(models):
    assert first_layer(SEQUENCE, *models, "float32") is None


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("part", ["attention_norm", "out", "fc2"])
def test_the_layer_that_is_wrong_is_found(models, part, layer):
    getattr(models[0].layers[layer - 1], part).bias[3] += 0.01  # the norms undo a shift of all
    assert first_layer(SEQUENCE, *models, "float32") == layer


def test_the_last_norm_belongs_to_the_last_layer(models):
    models[0].last_norm.bias[3] += 0.01
    assert first_layer(SEQUENCE, *models, "float32") == 2


def test_the_input_is_layer_zero(models, monkeypatch):
    monkeypatch.setattr(_esm2, "MASK_RATE_IN_TRAINING", 0.1)
    assert first_layer(SEQUENCE, *models, "float32") == 0


def test_layers_with_rotary_frequencies_of_their_own(tmp_path, tiny, load):
    content = load(tiny)
    name = "encoder.sentence_encoder.layers.1.self_attn.rot_emb.inv_freq"
    content["model"][name] *= 1.5
    torch.save(content, tmp_path / "m.pt")
    checkpoint = read_checkpoint(tmp_path / "m.pt")
    ours = ESM2(checkpoint, device=CPU, dtype=torch.float32)
    assert first_layer(SEQUENCE, ours, FairESM(checkpoint, CPU), "float32") is None
    ours.frequencies[1] /= 1.5
    assert first_layer(SEQUENCE, ours, FairESM(checkpoint, CPU), "float32") == 2
