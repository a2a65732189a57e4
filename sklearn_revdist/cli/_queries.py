"""What commands share that ask a database for the sequences nearest to queries."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from ._alike_embedders import Asked
from ._comparison import Side, read_alike
from ._databases import Database
from ._frames import list_path
from ._options import models_option, prefix_option, together
from ._paths import checked_path, local_copy, readable
from ._sequence_inputs import Kept

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

query_name_option = click.option(
    "--name-column",
    help='Column of QUERIES that holds names; default: "name", if there is one.',
)


list_option = click.option(
    "-o",
    "--output",
    **checked_path(list_path, dash=True),
    default="-",
    help="A .tsv, .csv or .parquet file, or - for TSV on standard output.",
)


class Alike(NamedTuple):
    """A database and queries in the same columns.

    Attributes
    ----------
    database, queries : Database
    models : list of str
        What they are compared by, as :func:`read_alike` returns it.
    folder : Path
        For temporary files.
    """

    database: Database
    queries: Database
    models: list[str]
    folder: Path


def asked_of(
    context: click.Context,
    models: Sequence[str],
    distiller: str | None,
    n_components: str | None,
    settings: dict[str, Any],
) -> Asked:
    """Collect the options of comparisons, and which settings were given on the command line."""
    default = (ParameterSource.DEFAULT, None)
    given = {name for name in settings if context.get_parameter_source(name) not in default}
    return Asked(models, distiller, n_components, settings, given)


@contextmanager
def reading_alike(
    database: Path,
    queries: Path,
    reading: dict[str, Any],
    asked: Asked,
    kept: Kept,
    *,
    quiet: bool,
) -> Iterator[Alike]:
    """Read a database and queries in the same columns, which are there until the block ends.

    Parameters
    ----------
    database, queries : Path
        Queries may be a pipe or standard input.
    reading : dict
        Options of reading queries; what names a format or a column is not of the database.
    asked, kept, quiet
        As for :func:`read_alike`.

    Yields
    ------
    alike : Alike
    """
    others = {**reading, "input_format": None, "sequence_column": None, "name_column": None}
    with tempfile.TemporaryDirectory(prefix="revdist-") as name, local_copy(queries) as path:
        sides, folder = (Side(database, others), Side(path, reading)), Path(name)
        yield Alike(*read_alike(*sides, asked, kept, folder, quiet=quiet), folder)
