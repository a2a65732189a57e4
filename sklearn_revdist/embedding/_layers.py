"""Layers: which representation of each model a user's `layer` means."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np


def resolve_layers(
    layer: Any, names: Sequence[str], depths: Sequence[int], parameter: str = "layer"
) -> list[int]:
    """Find the layer of each model of a chain.

    Parameters
    ----------
    layer : int, float or sequence of these
        One for all models, or a sequence with one for each model. A whole number counts as
        fair-esm's ``repr_layers``, 0 for the input of the first layer, or from the end, -1 for
        the last. A float is a fraction of the model's depth, rounded to the next whole layer.
    names : sequence of str
        Names of the models, for messages.
    depths : sequence of int
        Numbers of layers of the models.
    parameter : str, default="layer"
        What the user calls it, for messages.

    Returns
    -------
    layers : list of int
        From 0 to the number of layers of the model.

    Raises
    ------
    ValueError
        If a model has no such layer, or a sequence has another length than the chain.
    """
    if isinstance(layer, Sequence | np.ndarray) and not isinstance(layer, str):
        given = list(layer)
        if len(given) != len(names):
            raise ValueError(
                f"{parameter}={layer!r} has {len(given)} entries, but the chain has {len(names)} "
                "models; give one for each, or a single number for all."
            )
        labels = [f"{parameter}[{i}]={value!r}" for i, value in enumerate(given)]
    else:
        given = [layer] * len(names)
        labels = [f"{parameter}={layer!r}"] * len(names)
    return [_resolve(*of_model) for of_model in zip(given, labels, names, depths, strict=True)]


def _resolve(layer, label, name, depth):
    if isinstance(layer, Integral) and not isinstance(layer, bool | np.bool_):
        if -depth - 1 <= layer <= depth:
            return int(layer) % (depth + 1)
    elif isinstance(layer, Real) and not isinstance(layer, bool | np.bool_) and 0 <= layer <= 1:
        return int(np.floor(layer * depth + 0.5))
    raise ValueError(
        f"{label} is not a layer of {name}, which has {depth}; give 0 (its input) to {depth}, "
        f"-1 (the last) to {-depth - 1}, or a fraction of its depth, as in 0.5."
    )
