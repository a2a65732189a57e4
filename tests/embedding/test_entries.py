"""Entries of ESM-2, before and after they are loaded; which layers of theirs users mean."""

import re

import numpy as np
import pytest
import torch

from sklearn_revdist.embedding._checkpoints import locate
from sklearn_revdist.embedding._entries import ESM2Entry, resolve_layers
from sklearn_revdist.utils._models import DEMO, ESM2

NAMES, DEPTHS = ["a", "b", "c"], [3, 4, 6]


def test_the_shape_of_a_published_model_needs_no_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    entries = [ESM2Entry(model) for model in ESM2]
    assert [entry.shape() for entry in entries] == [(m.n_layers, m.width) for m in ESM2]
    assert all(entry.is_published for entry in entries)


def test_a_checkpoint_says_what_it_holds(tmp_path):
    file = tmp_path / "mine.pt"
    file.write_bytes(locate(DEMO[0]).read_bytes())
    entry = ESM2Entry(file)
    assert (entry.name, entry.shape(), entry.files()) == ("mine", (3, 48), [file])
    assert not entry.is_published
    model = entry.load(torch.device("cpu"), torch.float32)
    assert (model.n_layers, model.width, model.is_packed, model.max_residues) == (3, 48, True, None)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (0, [0, 0, 0]),
        (-1, [3, 4, 6]),
        (-4, [0, 1, 3]),
        (np.int64(3), [3, 3, 3]),
        (0.0, [0, 0, 0]),
        (1.0, [3, 4, 6]),
        (0.5, [2, 2, 3]),
        (np.float32(0.25), [1, 1, 2]),
        ([1, -1, 0.5], [1, 4, 3]),
        ((3, 4, 6), [3, 4, 6]),
        (np.array([1, 2, 3]), [1, 2, 3]),
    ],
)
def test_numbers_fractions_and_one_for_each_model(layer, expected):
    assert resolve_layers(layer, NAMES, DEPTHS) == expected


def test_every_layer_has_two_numbers_and_fractions_grow_with_depth():
    for depth in range(1, 50):
        numbers = [resolve_layers(i, ["a"], [depth])[0] for i in range(-depth - 1, depth + 1)]
        assert numbers == 2 * list(range(depth + 1))
        fractions = [resolve_layers(i / 100, ["a"], [depth])[0] for i in range(101)]
        assert fractions == sorted(fractions)
        assert set(fractions) == set(range(depth + 1))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (4, "layer=4 is not a layer of a, which has 3; give 0 (its input) to 3, -1 (the last) to"),
        (-5, "layer=-5 is not a layer of a"),
        (1.5, "layer=1.5 is not a layer of a"),
        (True, "layer=True is not a layer of a"),
        ("last", "layer='last' is not a layer of a"),
        ([3, 5, 6], "layer[1]=5 is not a layer of b, which has 4"),
        ([3, 4], "layer=[3, 4] has 2 entries, but the chain has 3 models"),
    ],
)
def test_others_are_refused(layer, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        resolve_layers(layer, NAMES, DEPTHS)
