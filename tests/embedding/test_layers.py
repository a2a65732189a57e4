"""Layers: what users write is the layer that fair-esm calls so, of each model of a chain."""

import re

import numpy as np
import pytest

from sklearn_revdist.embedding._layers import resolve_layers

NAMES, DEPTHS = ["a", "b", "c"], [3, 4, 6]


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
