"""Embedders that do as other embeddings were made, but for what the command line asks for."""

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import click

from ..embedding._base import BaseEmbedder
from ..embedding._pooling import POOLINGS
from ..utils._models import known_model, model_and_layer
from ._chains import chain_of, embedding_columns, make_embedder, sources
from ._endings import embedding
from ._layer_options import positions_of
from ._origins import Origin

_DEFAULT = "650M"


class Asked(NamedTuple):
    """What the command line asks for.

    Attributes
    ----------
    models : sequence of str
        Models, as :func:`chain_of` takes them; none where embeddings say theirs.
    distiller : str or None
        File of a distiller that makes plain embeddings nested.
    n_components : str or None
        Prefix of nested embeddings.
    settings : dict
        Settings of the embedder.
    given : collection of str
        Those of the settings that do not have their default.
    """

    models: Sequence[str]
    distiller: str | None
    n_components: str | None
    settings: dict[str, Any]
    given: Collection[str]


def origin_of(embedder: BaseEmbedder) -> Origin:
    """Describe the embeddings that an embedder would make."""
    columns = embedding_columns(embedder, residues=False)
    with embedding():
        return Origin.of_embedder(embedder, columns)


def last_of(models: Sequence[str]) -> tuple[str, Any]:
    """Name and source of the largest of the models that the command line names."""
    return list(sources(chain_of(models)).items())[-1]


def embedder_of_one(block: str, like: Origin | None, asked: Asked) -> BaseEmbedder:
    """Make the embedder of one model, with its layer unless another is given."""
    name, entry = last_of(asked.models or [_DEFAULT]) if asked.models or not block else ("", None)
    model, layer = model_and_layer(block, [name] if name else [])
    settings = settings_like(like, asked)
    if block and "layer" not in asked.given:
        settings["layer"] = layer
    if entry is None and known_model(model) is None:
        raise click.UsageError(
            f"The model {model!r} is not known by its name; give its file or folder by -m."
        )
    return make_embedder([entry or model], settings)


def settings_like(like: Origin | None, asked: Asked) -> dict[str, Any]:
    """Settings that are given, and else those that others were embedded with."""
    if like is None:
        return asked.settings
    others = dict(like.settings)
    if like.dtype is not None and "+" not in like.dtype:
        others["dtype"] = like.dtype
    keys = like.pooling or _poolings_of_names(like.blocks)
    if keys and "pooling" not in asked.given:
        others["pooling"] = [_pooling(key) for key in keys] if len(keys) > 1 else _pooling(keys[0])
    return asked.settings | {n: value for n, value in others.items() if n not in asked.given}


def _poolings_of_names(blocks: Collection[str]) -> tuple[str, ...]:
    """The pooling in the names of columns, if it is a single one that has a name."""
    found = re.search(r"_(max|cls|eos)$", next(iter(blocks)))
    return (found[1],) if found else ()


def _pooling(key: str) -> Any:
    """The parameter that the key of a pooling stands for."""
    name, _, rest = key.partition(" ")
    if name in POOLINGS:
        return name
    if name == "positions":
        return positions_of(rest)
    raise ValueError(
        f"The embeddings are pooled by {name}, a function of Python; embed the sequences there, "
        "too."
    )
