"""Two sets of embeddings in the same columns, so that distances between them mean something.

Either may be sequences, which are then embedded as the other one was. Nested embeddings are
compared by a prefix, plain ones by a single model: of several side by side, each would count by its
scale.
"""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ..embedding._blocks import columns_of
from ..embedding._pooling import POOLINGS
from ..matrix._prefixes import model_prefixes, prefix_length
from ..utils._models import known_model, model_and_layer
from ._chains import chain_of, embedding_columns, make_embedder, sources
from ._console import INPUT, as_usage, embedding, failing
from ._databases import Database, Origin, Source, embedded_source, open_database
from ._distillers import embedder_of, prefix_of, read_distiller, read_prefix
from ._embedding_inputs import holds_sequences
from ._layer_options import positions_of
from ._sequence_inputs import Kept, Records, checked_sequences, embedded

_DEFAULT = "650M"


class Side(NamedTuple):
    """One of two files, and how it is read.

    Attributes
    ----------
    path : Path
    reading : dict
        Options of reading sequences; ``input_format`` and ``name_column`` also of embeddings.
    """

    path: Path
    reading: dict[str, Any]


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


class _Space(NamedTuple):
    """Columns that both sides are brought to.

    Attributes
    ----------
    models : list of str
        Of the columns, the smallest first; none if they are not known.
    n_columns : int
    plain : list of str
        Models of which plain embeddings are needed.
    convert : callable
        Makes the function of rows that makes these columns.
    """

    models: list[str]
    n_columns: int
    plain: list[str]
    convert: Callable[[Source], Callable[[NDArray], NDArray]]


def read_alike(
    first: Side, second: Side, asked: Asked, kept: Kept, folder: Path, *, quiet: bool
) -> tuple[Database, Database, list[str]]:
    """Read two files in the same columns.

    Parameters
    ----------
    first, second : Side
        A database and queries, say; each holds embeddings or sequences.
    asked : Asked
    kept : Kept
        Where unfinished embeddings are kept.
    folder : Path
        An empty one for temporary files, from which rows are mapped.
    quiet : bool
        Whether to show no progress.

    Returns
    -------
    first, second : Database
    models : list of str
        What they are compared by: one model, or those of the nested columns.

    Raises
    ------
    ClickException
        If a file is missing or damaged or has no named sequences, or the two are not of the same
        models, layers, poolings and precision, which is found before anything is embedded.
    """
    fitted = None
    with failing(INPUT):
        if asked.distiller is not None:
            fitted = read_distiller(asked.distiller)
        found = [_opened(side, fitted, asked) for side in (first, second)]
        known = [source for source in found if source is not None]
        nested = [source for source in known if source.origin.is_nested]
        plain = [source for source in known if not source.origin.is_nested]
        if fitted is not None:
            space = _distilled(fitted, asked)
        elif nested:
            space = _nested(nested[0], asked)
        else:
            space = _plain(plain, asked)
        if nested and fitted is None and len(known) < 2:
            raise click.UsageError(
                f"{nested[0].where} is nested, as sequences are not; give the distiller that made "
                "it (--distiller)."
            )
        if len(plain) == 2:
            _check_alike(plain[1].where, plain[1].origin, plain[0], space)
        if len(known) < 2:
            embedder = _embedder(space, fitted, plain[0].origin if plain else None, asked)
            origin = _origin_of(embedder)
        opened = []
        for side, source in zip((first, second), found, strict=True):
            if source is None:
                for other in plain:
                    _check_alike(repr(str(side.path)), origin, other, space)
                source = _embedded(side, embedder, origin, kept, quiet)
            opened.append(source)
        ways = [space.convert(source) for source in opened]
    database, queries = (
        source.read(space.n_columns, way, folder, quiet=quiet)
        for source, way in zip(opened, ways, strict=True)
    )
    return database, queries, space.models


def _opened(side: Side, fitted: ReverseDistiller | None, asked: Asked) -> Source | None:
    """Open embeddings; of sequences nothing."""
    reading, path = side.reading, side.path
    input_format = reading.get("input_format")
    models = () if fitted is None else fitted.model_names_
    if not path.is_dir() and holds_sequences(
        path, input_format, reading.get("sequence_column"), models
    ):
        return None
    source = open_database(path, input_format, reading.get("name_column"))
    if list(source.origin.blocks) == [""] and asked.models:  # said to be those of the model
        blocks = {_last_of(asked.models)[0]: source.table.n_columns}
        return source._replace(origin=source.origin._replace(blocks=blocks))
    return source


def _embedded(
    side: Side, embedder: BaseEmbedder, origin: Origin, kept: Kept, quiet: bool
) -> Source:
    records = Records(side.path, **side.reading)
    sequences = checked_sequences(records, embedder)
    how = {"copied": records.copied, "residues": False, "quiet": quiet}
    table = embedded(sequences, embedder, kept, **how)
    return embedded_source(repr(str(side.path)), sequences, table, origin)


def _check_alike(where: str, origin: Origin, other: Source, space: _Space) -> None:
    found = origin.difference(other.origin, space.plain)
    if found is not None:
        raise ValueError(
            f"Embeddings of {where} are {found[0]}, but those of {other.where} {found[1]}; "
            "embed both alike (-m, --layer, --pooling, --reference, --dtype)."
        )


def _origin_of(embedder: BaseEmbedder) -> Origin:
    columns = embedding_columns(embedder, residues=False)
    with embedding():
        return Origin.of_embedder(embedder, columns)


def _distilled(fitted: ReverseDistiller, asked: Asked) -> _Space:
    """Plain embeddings are transformed, and nested ones are those of the distiller."""
    n_columns, prefix = as_usage(prefix_of, fitted, asked.n_components)
    prefix.set_params(n_components=n_columns)
    names = fitted.get_feature_names_out().tolist()
    inputs = getattr(prefix, "feature_names_in_", None)

    def convert(source: Source) -> Callable[[NDArray], NDArray]:
        if source.origin.is_nested:
            if (source.table.columns or [])[:n_columns] != names:
                raise ValueError(
                    f"{source.where} has nested embeddings {source.origin.spelled()}, whose first "
                    f"{n_columns} columns are not those of the distiller; give the one that made "
                    "them (--distiller), or fewer columns (-n)."
                )
            return lambda rows: rows[:, :n_columns]
        columns = _columns(source, prefix.model_names_)

        def transform(rows: NDArray) -> NDArray:
            # in double precision, so that equal rows stay equal in batches of other sizes
            chosen = rows[:, columns].astype(np.float64)
            given = chosen if inputs is None else pd.DataFrame(chosen, columns=inputs)
            return np.asarray(prefix.transform(given)).astype(rows.dtype)

        return transform

    return _Space(prefix.model_names_, n_columns, prefix.model_names_, convert)


def _nested(source: Source, asked: Asked) -> _Space:
    """Both are nested already."""
    columns = source.table.columns or []
    prefixes = model_prefixes(columns) or {}
    models, ends = list(prefixes), np.array(list(prefixes.values()))
    n_components = None if asked.n_components is None else read_prefix(asked.n_components, models)
    n_columns = as_usage(prefix_length, n_components, models, ends)

    def convert(other: Source) -> Callable[[NDArray], NDArray]:
        if (other.table.columns or [])[:n_columns] != columns[:n_columns]:
            raise ValueError(
                f"{other.where} has embeddings {other.origin.spelled()}, but {source.where} has "
                f"nested ones {source.origin.spelled()}; give the distiller that made these "
                "(--distiller)."
            )
        return lambda rows: rows[:, :n_columns]

    n_models = int((ends < n_columns).sum()) + 1
    return _Space(models[:n_models], n_columns, [], convert)


def _plain(known: Sequence[Source], asked: Asked) -> _Space:
    """One model: that which is asked for, or the largest."""
    if asked.n_components is not None:
        raise click.UsageError(
            "-n is for nested embeddings, of which any prefix is an embedding; give --distiller, "
            "or leave it out."
        )
    if len(asked.models) > 1:
        raise click.UsageError(
            "Embeddings of several models are compared through a distiller; give --distiller, or "
            "one -m."
        )
    if known:
        block = _block(known[0], asked)
        width = known[0].origin.blocks[block]
    else:
        ((block, width),) = _origin_of(_embedder_of_one("", None, asked)).blocks.items()

    def convert(source: Source) -> Callable[[NDArray], NDArray]:
        columns = _columns(source, [block])
        return lambda rows: rows[:, columns]

    return _Space([block] if block else [], width, [block], convert)


def _block(source: Source, asked: Asked) -> str:
    """The model of embeddings, with its layer, that is asked for, or the largest."""
    found = list(source.origin.blocks)
    if asked.models:
        model, _ = _last_of(asked.models)
        found = [block for block in found if model_and_layer(block, [model])[0] == model]
        if not found:
            raise ValueError(
                f"{source.where} has embeddings {source.origin.spelled()}, and none by {model}; "
                "name another model by -m, or embed with it."
            )
    if {"layer", "pooling"} & set(asked.given):
        wanted = _origin_of(_embedder_of_one(found[-1], None, asked)).blocks
        found = [block for block in found if block in wanted] or found
    return found[-1]


def _columns(source: Source, blocks: Sequence[str]) -> NDArray[np.int64]:
    """Columns of some models, in their order."""
    has = source.origin.blocks
    if missing := [block for block in blocks if block not in has]:
        raise ValueError(
            f"{source.where} has embeddings {source.origin.spelled()}, and none by "
            f"{', '.join(missing)}; embed with the same chain."
        )
    at = dict(zip(has, columns_of(has.values()), strict=True))
    return np.concatenate([np.arange(at[block].start, at[block].stop) for block in blocks])


def _last_of(models: Sequence[str]) -> tuple[str, Any]:
    """Name and source of the largest of the models that the command line names."""
    return list(sources(chain_of(models)).items())[-1]


def _embedder(
    space: _Space, fitted: ReverseDistiller | None, like: Origin | None, asked: Asked
) -> BaseEmbedder:
    """Make the embedder of sequences, which does as others were embedded."""
    if space.plain == [""]:
        raise click.UsageError(
            "The embeddings do not name their model, by which sequences have to be embedded; name "
            "it by -m."
        )
    if fitted is None:
        return _embedder_of_one(space.plain[0], like, asked)
    return embedder_of(space.plain, fitted.model_names_, asked.models, _settings(like, asked))


def _embedder_of_one(block: str, like: Origin | None, asked: Asked) -> BaseEmbedder:
    """Make the embedder of one model, with its layer unless another is given."""
    name, entry = _last_of(asked.models or [_DEFAULT]) if asked.models or not block else ("", None)
    model, layer = model_and_layer(block, [name] if name else [])
    settings = _settings(like, asked)
    if block and "layer" not in asked.given:
        settings["layer"] = layer
    if entry is None and known_model(model) is None:
        raise click.UsageError(
            f"The model {model!r} is not known by its name; give its file or folder by -m."
        )
    return make_embedder([entry or model], settings)


def _settings(like: Origin | None, asked: Asked) -> dict[str, Any]:
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
