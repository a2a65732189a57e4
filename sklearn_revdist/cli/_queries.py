"""Options of commands that ask a database for the sequences nearest to queries."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import click
from click.core import ParameterSource

from ._alike_embedders import Asked
from ._frames import list_path
from ._model_options import models_option, prefix_option
from ._option_groups import together
from ._paths import checked_path, readable

two_files = together(
    click.argument("database", **checked_path(readable)),
    click.argument("queries", type=click.Path(path_type=Path, allow_dash=True)),
)

comparison_options = together(
    models_option(
        "The model that is compared, by name or as a file or folder; default: the largest one of "
        "the embeddings, or 650M where both are sequences. With --distiller: those of its models "
        "that are not known by name."
    ),
    click.option(
        "--distiller",
        help="Nest embeddings that are not nested by this: a file that revdist fit wrote, a folder "
        "of published weights, or demo.",
    ),
    prefix_option(
        "Prefix of nested embeddings: a number of columns, or the model that they end with, such "
        "as 35M; default: all."
    ),
    click.option(
        "--metric",
        type=click.Choice(["euclidean", "cosine"]),
        default="euclidean",
        help="Distance; the cosine distance is 1 minus the cosine.",
    ),
)


list_option = click.option(
    "-o",
    "--output",
    **checked_path(list_path, dash=True),
    default="-",
    help="A .tsv, .csv or .parquet file, or - for TSV on standard output.",
)


def asking(command: Callable) -> Callable:
    """Give a command what its options ask of the comparison, in place of these options."""

    @wraps(command)
    def collected(*, models, distiller, n_components, settings, **given):
        source_of = click.get_current_context().get_parameter_source
        default = (ParameterSource.DEFAULT, None)
        named = {name for name in settings if source_of(name) not in default}
        return command(asked=Asked(models, distiller, n_components, settings, named), **given)

    return collected
