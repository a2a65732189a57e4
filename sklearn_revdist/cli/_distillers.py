"""What commands that apply a distiller share: the prefix, and the embedder that it needs."""

from collections.abc import Sequence
from typing import Any

import click

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ..matrix._layout import blocks_of_names
from ..utils._models import known_model, model_and_layer
from ._sequence_inputs import chain_of, embedding_columns, make_embedder, sources


def prefix_of(
    distiller: ReverseDistiller, n_components: str | None
) -> tuple[int, ReverseDistiller]:
    """Number of columns that are asked for, and the distiller up to the models they need."""
    if n_components is not None:
        asked = int(n_components) if n_components.isdecimal() else n_components
        distiller.set_params(n_components=asked)
    n_columns = len(distiller.get_feature_names_out())
    needed = int((distiller.prefix_lengths_ < n_columns).sum())
    return n_columns, distiller.truncate(distiller.model_names_[needed])


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
    if given.keys() - {model for model, _ in of_fit.values()}:
        return make_embedder(chain, settings)
    needed = [of_fit[name] for name in names]
    missing = [model for model, _ in needed if model not in given and known_model(model) is None]
    if missing:
        raise click.UsageError(
            f"The distiller was fitted on {', '.join(fitted_on)}; give the file or folder of "
            f"{' and of '.join(missing)} with --model."
        )
    if settings["layer"] is None:
        settings = {**settings, "layer": [layer for _, layer in needed]}
    embedder = make_embedder([given.get(model, model) for model, _ in needed], settings)
    found = blocks_of_names(embedding_columns(embedder, residues))
    if found and list(found.names) != list(names):
        raise click.UsageError(
            f"The distiller was fitted on {', '.join(names)}, but sequences would be embedded as "
            f"{', '.join(found.names)}; give files of other models by --model, and the same "
            "--layer and --pooling."
        )
    return embedder
