"""Chains: from the models that the command line names to their embedder."""

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from ..embedding._base import BaseEmbedder
from ..embedding._embedder import ESMEmbedder
from ..embedding._transformers_embedder import TransformersEmbedder
from ..matrix._residue_moments import residue_columns
from ..utils._models import DEMO, ESM2, known_model
from ._console import did_you_mean
from ._endings import MISSING, as_usage, embedding, failure

_OTHER = "hf:"  # before a model of another family than ESM-2
_WHOLE = "demo"  # the chain of all bundled models

# What a model may be called, in whatever case, and its short name.
_CALLED = {
    name.lower(): model.short
    for model in ESM2 + DEMO
    for name in (model.short, model.name, f"facebook/{model.name}")
} | {_WHOLE: _WHOLE}


def chain_of(
    models: Sequence[str], *, alone: bool = False, families: bool = True
) -> str | list[str | Path]:
    """Find the chain of the models that are named on the command line.

    Parameters
    ----------
    models : sequence of str
        Names of models, in whatever case, paths of checkpoints, or models of other families, as
        "hf:owner/name". One name is the chain up to that model.
    alone : bool, default=False
        Whether one name is only that model.
    families : bool, default=True
        Whether other families are allowed.
    """
    entries = [_entry(model) for model in models]
    others = [entry for entry in entries if _is_other(entry)]
    if others and not families:
        raise click.UsageError(
            f"{others[0]!r} is a model of another family than ESM-2, which this command does not "
            "take; choose one of ESM-2."
        )
    if _WHOLE in entries and (alone or len(entries) > 1):
        single = ", ".join(model.short for model in DEMO)
        raise click.UsageError(f"{_WHOLE} is a whole chain; name a model of it, {single}.")
    if twice := next((entry for i, entry in enumerate(entries) if entry in entries[:i]), None):
        raise click.UsageError(f"-m {twice} is given twice; leave one out.")
    is_one_name = isinstance(entries[0], str) and len(entries) == 1 and not others
    chain = entries[0] if is_one_name and not alone else entries
    as_usage(_plain(chain)._entries)
    return chain


def known_name(text: str) -> str | None:
    """Short name of the model that a text names, in whatever case, or "demo"; else None."""
    return _CALLED.get(text.lower())


def names_like(text: str, names: Sequence[str] = tuple(dict.fromkeys(_CALLED.values()))) -> str:
    """Ask whether one of some names of models is meant by a text."""
    size = _size(text)
    if size and (same := [name for name in names if _size(name) == size]):
        return did_you_mean(same)
    close = get_close_matches(text.lower(), [name.lower() for name in names], n=2)
    return did_you_mean([name for name in names if name.lower() in close])


def sources(chain: str | list[str | Path]) -> dict[str, str | Path]:
    """Entries of a chain, each by itself, by the names in columns."""
    names = [entry.name for entry in _plain(chain)._entries()]
    return dict(zip(names, names if isinstance(chain, str) else chain, strict=True))


def make_embedder(chain: str | list[str | Path], settings: dict[str, Any]) -> BaseEmbedder:
    """Make the embedder of a chain; settings that are None have their defaults."""
    given = {name: value for name, value in settings.items() if value is not None}
    embedder = _plain(chain)
    if "layer" in given:
        with embedding():
            embedder.layer_numbers()  # reads the depth of a checkpoint, whose errors are its own
        as_usage(embedder.set_params(layer=given["layer"]).layer_numbers)
    return embedder.set_params(**given)


def embedding_columns(embedder: BaseEmbedder, residues: bool) -> list[str]:
    """Names of the columns of an embedding."""
    with embedding():
        return residue_columns(embedder) if residues else list(embedder.get_feature_names_out())


def _plain(chain: str | list[str | Path]) -> BaseEmbedder:
    """The embedder of a chain, with default settings."""
    if isinstance(chain, list) and any(map(_is_other, chain)):
        return TransformersEmbedder(
            [entry.removeprefix(_OTHER) if _is_other(entry) else entry for entry in chain]
        )
    return ESMEmbedder(chain)


def _is_other(entry: str | Path) -> bool:
    return isinstance(entry, str) and entry.startswith(_OTHER)


def _entry(model: str) -> str | Path:
    """The short name of a model; anything else is the path of a checkpoint."""
    if _is_other(model):
        return model
    is_there = os.path.exists(os.path.expanduser(model))
    is_exact = model == _WHOLE or known_model(model) is not None
    if (name := known_name(model)) is not None and (is_exact or not is_there):
        return name
    if is_there:
        return Path(model)
    if os.sep in model or "/" in model or model.endswith(".pt"):
        raise failure(
            f"There is no file or folder {model!r}; check the path.{names_like(model)}", MISSING
        )
    raise click.UsageError(
        f"{model!r} is not a known model, and there is no such file or folder."
        f"{names_like(model) or ' `revdist models` lists the names.'}"
    )


def _size(text: str) -> str | None:
    """The size in a model's name, as in ESM2-650M."""
    found = re.search(r"(?<!\d)(\d+)(m|b|$)", text.lower().replace("demo-", "demo"))
    return found and found[1]
