"""Published models: names, shapes, and the chains they form. No torch, no file access."""

import os
import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from ._files import local_path


class Model(NamedTuple):
    """A published model and the shape of its transformer."""

    short: str
    name: str
    n_layers: int
    width: int
    n_heads: int


ESM2 = (
    Model("8M", "esm2_t6_8M_UR50D", 6, 320, 20),
    Model("35M", "esm2_t12_35M_UR50D", 12, 480, 20),
    Model("150M", "esm2_t30_150M_UR50D", 30, 640, 20),
    Model("650M", "esm2_t33_650M_UR50D", 33, 1280, 20),
    Model("3B", "esm2_t36_3B_UR50D", 36, 2560, 40),
    Model("15B", "esm2_t48_15B_UR50D", 48, 5120, 40),
)

DEMO = (
    Model("demo-48", "esm2_t3_100K_demo", 3, 48, 3),
    Model("demo-96", "esm2_t4_500K_demo", 4, 96, 6),
    Model("demo-160", "esm2_t6_2M_demo", 6, 160, 10),
)


def model_name(entry: Model | Path) -> str:
    """Name in the columns of an entry of a chain: that of the model, the file or the folder."""
    return entry.name.removesuffix(".pt")


def known_model(name: str | os.PathLike) -> Model | None:
    """Return the model with a short or full name, or one as on Hugging Face; else None."""
    for model in ESM2 + DEMO:
        if name in (model.short, model.name, f"facebook/{model.name}"):
            return model
    return None


def block_name(model: str, layer: int | None, poolings: Iterable[str] = ()) -> str:
    """Name a block of columns: a model, its layer but for the last, and how rows are pooled.

    Parameters
    ----------
    model : str
    layer : int or None
        From 0, or from -2 down where the number of layers is not known; None is the last.
    poolings : iterable of str
        None for a mean over residues, since a distiller of residues applies to it.
    """
    return "_".join([model, *([] if layer is None else [f"layer{layer}"]), *poolings])


def model_and_layer(block: str, names: Iterable[str] = ()) -> tuple[str, int]:
    """Find the model and the layer that a block of columns is named after; -1 is the last layer.

    Parameters
    ----------
    block : str
        As :class:`ESMEmbedder` names it, ``<model>``, ``<model>_layer3`` or ``<model>_layer3_max``.
    names : iterable of str
        Names of models that are not known.

    Returns
    -------
    model : str
        The whole name, if it does not begin with that of a model.
    layer : int
    """
    names = (*names, *(model.name for model in ESM2 + DEMO))
    for name in sorted(names, key=len, reverse=True):  # of two that fit, the whole one
        if rest := re.fullmatch(rf"{re.escape(name)}(?:_layer(-?\d+))?(?:_[a-z].*)?", block):
            return name, int(rest[1] or -1)
    return block, -1


def resolve_chain(chain: str | Sequence[str | os.PathLike]) -> tuple[Model | Path, ...]:
    """Find the models and checkpoint files that a chain consists of, in order.

    Parameters
    ----------
    chain : str or sequence of str or path-like
        A string names the chain of all models of a family up to that model: ``"650M"`` is
        8M, 35M, 150M, 650M, and ``"demo"`` the whole demo chain. A sequence names every model
        explicitly: by its short name, its full name, its name on Hugging Face, or the path of a
        ``.pt`` file of fair-esm or of a Hugging Face folder. The path of a folder contains a
        separator, or is a Path.

    Returns
    -------
    models : tuple of Model or Path

    Raises
    ------
    TypeError
        If an entry is neither a name nor a path.
    ValueError
        If a name is unknown, the chain is empty, or two models have the same name.
    """
    if isinstance(chain, str):
        if chain == "demo":
            return DEMO
        last = known_model(chain)
        if last is not None:
            family = ESM2 if last in ESM2 else DEMO
            return family[: family.index(last) + 1]
        raise ValueError(
            f"chain={chain!r} names no known model; use 'demo' or one of {_known()}, "
            "or list models and checkpoints (.pt) explicitly, as in ['8M', 'my_model.pt']."
        )
    if not chain:
        raise ValueError("chain is empty; name at least one model.")

    models = tuple(_resolve_entry(i, entry) for i, entry in enumerate(chain))
    check_distinct([model_name(model) for model in models])
    return models


def check_distinct(names: Sequence[str]) -> None:
    """Refuse a chain in which two models have the same name."""
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ValueError(
                f"chain[{names.index(name)}] and chain[{i}] are both named {name!r}, so their "
                "columns would have the same names; leave one out or rename its file."
            )


def blocks_of_width(n_features: int) -> tuple[Model, ...] | None:
    """Return the models of one family whose widths sum to `n_features`, or None.

    The sums of distinct widths are all different, so there is at most one answer.
    """
    for family in (ESM2, DEMO):
        for n_models in range(1, len(family) + 1):
            for models in combinations(family, n_models):
                if sum(model.width for model in models) == n_features:
                    return models
    return None


def is_chain(names: Sequence[str]) -> bool:
    """Whether there is one model, or the models are the first of a family without a gap."""
    return len(names) == 1 or any(
        list(names) == [model.name for model in family[: len(names)]] for family in (ESM2, DEMO)
    )


def _resolve_entry(i: int, entry: str | os.PathLike) -> Model | Path:
    if not isinstance(entry, str | os.PathLike):
        raise TypeError(
            f"chain[{i}] must be a model's name or the path of a checkpoint, "
            f"but it is of type {type(entry).__name__}."
        )
    model = known_model(entry)
    if model is not None:
        return model
    text = os.fspath(entry)
    path = local_path(text)
    is_name = isinstance(entry, str) and "/" not in text and os.sep not in text
    if path.suffix == ".safetensors" or (is_name and path.suffix != ".pt"):
        raise ValueError(
            f"chain[{i}]={text!r} is neither a known model, {_known()}, nor the path of a "
            "checkpoint: a file ending in .pt, or a Hugging Face folder, as in './folder'."
        )
    # the folders '.' and '..' have other names, too
    return path if path.name not in ("", "..") else path.resolve()


def _known() -> str:
    return ", ".join(repr(model.short) for model in ESM2 + DEMO)
