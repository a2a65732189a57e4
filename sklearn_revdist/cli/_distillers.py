"""What commands that apply a distiller share: the prefix, and the embedder that it needs."""

import os
from collections.abc import Sequence
from typing import Any

import click

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ..matrix._layout import blocks_of_names
from ..utils._models import known_model, model_and_layer
from ._chains import chain_of, embedding_columns, known_name, make_embedder, names_like, sources
from ._words import short_names


def distiller_name(name: str) -> str:
    """The path of a distiller, or the name of the bundled one in lower case."""
    return name.lower() if name.lower() == "demo" and not os.path.exists(name) else name


def read_distiller(name: str) -> ReverseDistiller:
    """Read a distiller from a file or folder, or the bundled one."""
    return ReverseDistiller.from_pretrained(distiller_name(name))


def prefix_of(
    distiller: ReverseDistiller, n_components: str | None
) -> tuple[int, ReverseDistiller]:
    """Number of columns that are asked for, and the distiller up to the models they need."""
    if n_components is not None:
        distiller.set_params(n_components=read_prefix(n_components, distiller.model_names_))
    n_columns = len(distiller.get_feature_names_out())
    needed = int((distiller.prefix_lengths_ < n_columns).sum())
    return n_columns, distiller.truncate(distiller.model_names_[needed])


def read_prefix(text: str, names: Sequence[str]) -> int | str:
    """Read a number of columns, or the full name of one of some models."""
    if text.isdecimal():
        return int(text)
    if text in names:
        return text
    models = [model_and_layer(name)[0] for name in names]
    of_names = [known.short if (known := known_model(model)) else model for model in models]
    if (short := known_name(text)) in of_names:
        return short
    raise click.UsageError(
        f"-n {text} is neither a number of columns nor a model of the chain, "
        f"{', '.join(of_names)}.{names_like(text, of_names)}"
    )


def embedder_of(
    names: Sequence[str],
    fitted_on: Sequence[str],
    models: Sequence[str],
    settings: dict[str, Any],
    *,
    residues: bool = False,
) -> BaseEmbedder:
    """Make the embedder of the models that are needed, with the layers that they were fitted on.

    Each is given, or known by its name. If models are given that the distiller was not fitted on,
    exactly the given ones are used, and the distiller checks their columns.

    Parameters
    ----------
    names, fitted_on : sequence of str
        Models that are needed, and all that the distiller was fitted on.
    models : sequence of str
        As the command line names them.
    settings : dict
        Of the embedder.
    residues : bool, default=False
        Whether rows are residues.
    """
    chain = chain_of(models) if models else []
    given = sources(chain) if chain else {}
    of_fit = {name: model_and_layer(name, given) for name in fitted_on}
    fitted = {model for model, _ in of_fit.values()}
    if strange := next((name for name in given if name not in fitted and known_model(name)), None):
        raise click.UsageError(
            f"The distiller was fitted on {', '.join(fitted_on)}, and not on {strange}; leave out "
            f"-m {short_names(strange)}."
        )
    if given.keys() - fitted:
        return make_embedder(chain, settings)
    needed = [of_fit[name] for name in names]
    missing = [model for model, _ in needed if model not in given and known_model(model) is None]
    if missing:
        raise click.UsageError(
            f"The distiller was fitted on {', '.join(fitted_on)}; give the file or folder of "
            f"{' and of '.join(missing)} by -m."
        )
    if settings["layer"] is None:
        settings = {**settings, "layer": [layer for _, layer in needed]}
    embedder = make_embedder([given.get(model, model) for model, _ in needed], settings)
    found = blocks_of_names(embedding_columns(embedder, residues))
    if found and list(found.names) != list(names):
        raise click.UsageError(
            f"The distiller was fitted on {', '.join(names)}, but sequences would be embedded as "
            f"{', '.join(found.names)}; give files of other models by -m, and the same "
            "--layer and --pooling."
        )
    return embedder
