"""Two sets of embeddings in the same columns, so that distances between them mean something.

Either may be sequences, which are then embedded as the other one was.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ._alike_embedders import Asked, embedder_of_one, last_of, origin_of, settings_like
from ._databases import Database, Source, embedded_source, open_database
from ._distillers import embedder_of, read_distiller
from ._embedding_inputs import holds_sequences
from ._endings import INPUT, failing
from ._origins import Origin
from ._outputs import Kept
from ._sequence_inputs import embedded
from ._spaces import Space, distilled_space, nested_space, plain_space


class Alike(NamedTuple):
    """A database and queries in the same columns.

    Attributes
    ----------
    database, queries : Database
    models : list of str
        What they are compared by: one model, or those of the nested columns.
    folder : Path
        For temporary files.
    """

    database: Database
    queries: Database
    models: list[str]
    folder: Path


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
        Each holds embeddings or sequences.
    reading : dict
        Options of reading queries: of sequences, ``input_format`` and ``name_column`` also of
        embeddings. What names a format or a column is not of the database.
    asked : Asked
    kept : Kept
        Where unfinished embeddings are kept.
    quiet : bool
        Whether to show no progress.

    Yields
    ------
    alike : Alike

    Raises
    ------
    ClickException
        If a file is missing or damaged or has no named sequences, or the two are not of the same
        models, layers, poolings and precision, which is found before anything is embedded.
    """
    others = {**reading, "input_format": None, "sequence_column": None, "name_column": None}
    with tempfile.TemporaryDirectory(prefix="revdist-") as name:
        with failing(INPUT):
            sides = [(database, others), (queries, reading)]
            space, opened = _opened_alike(sides, asked, kept, quiet)
            ways = [space.convert(source) for source in opened]
        folder = Path(name)  # the rows are mapped from there
        read = [
            source.read(space.n_columns, way, folder, quiet=quiet)
            for source, way in zip(opened, ways, strict=True)
        ]
        yield Alike(*read, space.models, folder)


def _opened_alike(
    sides: Sequence[tuple[Path, dict[str, Any]]], asked: Asked, kept: Kept, quiet: bool
) -> tuple[Space, list[Source]]:
    """Open files, each with its options of reading, that can be brought to the same columns."""
    fitted = None if asked.distiller is None else read_distiller(asked.distiller)
    found = [_opened(*side, fitted, asked) for side in sides]
    known = [source for source in found if source is not None]
    nested = [source for source in known if source.origin.is_nested]
    plain = [source for source in known if not source.origin.is_nested]
    if fitted is not None:
        space = distilled_space(fitted, asked)
    elif nested:
        space = nested_space(nested[0], asked)
    else:
        space = plain_space(plain, asked)
    if nested and fitted is None and len(known) < 2:
        raise click.UsageError(
            f"{nested[0].where} is nested, as sequences are not; give the distiller that made "
            "it (--distiller)."
        )
    if len(plain) == 2:
        _check_alike(plain[1].where, plain[1].origin, plain[0], space)
    if len(known) < 2:
        embedder = _embedder(space, fitted, plain[0].origin if plain else None, asked)
        origin = origin_of(embedder)
    opened = []
    for (path, reading), source in zip(sides, found, strict=True):
        if source is None:
            where = repr(str(path))
            for other in plain:
                _check_alike(where, origin, other, space)
            sequences, table = embedded(path, reading, embedder, kept, quiet=quiet)
            source = embedded_source(where, sequences, table, origin)
        opened.append(source)
    return space, opened


def _opened(
    path: Path, reading: dict[str, Any], fitted: ReverseDistiller | None, asked: Asked
) -> Source | None:
    """Open embeddings; of sequences nothing."""
    input_format, sequence_column = reading["input_format"], reading["sequence_column"]
    models = () if fitted is None else fitted.model_names_
    if not path.is_dir() and holds_sequences(path, input_format, sequence_column, models):
        return None
    source = open_database(path, input_format, reading["name_column"])
    if list(source.origin.blocks) == [""] and asked.models:  # said to be those of the model
        blocks = {last_of(asked.models)[0]: source.table.n_columns}
        return source._replace(origin=source.origin._replace(blocks=blocks))
    return source


def _check_alike(where: str, origin: Origin, other: Source, space: Space) -> None:
    found = origin.difference(other.origin, space.plain)
    if found is not None:
        raise ValueError(
            f"Embeddings of {where} are {found[0]}, but those of {other.where} {found[1]}; "
            "embed both alike (-m, --layer, --pooling, --reference, --dtype)."
        )


def _embedder(
    space: Space, fitted: ReverseDistiller | None, like: Origin | None, asked: Asked
) -> BaseEmbedder:
    """Make the embedder of sequences, which does as others were embedded."""
    if space.plain == [""]:
        raise click.UsageError(
            "The embeddings do not name their model, by which sequences have to be embedded; name "
            "it by -m."
        )
    if fitted is None:
        return embedder_of_one(space.plain[0], like, asked)
    return embedder_of(space.plain, fitted.model_names_, asked.models, settings_like(like, asked))
