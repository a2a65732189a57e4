"""Spaces: the columns that two sets of embeddings are brought to.

Nested embeddings are compared by a prefix, plain ones by a single model: of several side by side,
each would count by its scale.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._entries import columns_of
from ..matrix._prefixes import model_prefixes, prefix_length
from ..utils._models import model_and_layer
from ._alike_embedders import Asked, embedder_of_one, last_of, origin_of
from ._databases import Source
from ._distillers import prefix_of, read_prefix
from ._endings import as_usage


class Space(NamedTuple):
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


def distilled_space(fitted: ReverseDistiller, asked: Asked) -> Space:
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

    return Space(prefix.model_names_, n_columns, prefix.model_names_, convert)


def nested_space(source: Source, asked: Asked) -> Space:
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
    return Space(models[:n_models], n_columns, [], convert)


def plain_space(known: Sequence[Source], asked: Asked) -> Space:
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
        ((block, width),) = origin_of(embedder_of_one("", None, asked)).blocks.items()

    def convert(source: Source) -> Callable[[NDArray], NDArray]:
        columns = _columns(source, [block])
        return lambda rows: rows[:, columns]

    return Space([block] if block else [], width, [block], convert)


def _block(source: Source, asked: Asked) -> str:
    """The model of embeddings, with its layer, that is asked for, or the largest."""
    found = list(source.origin.blocks)
    if asked.models:
        model, _ = last_of(asked.models)
        found = [block for block in found if model_and_layer(block, [model])[0] == model]
        if not found:
            raise ValueError(
                f"{source.where} has embeddings {source.origin.spelled()}, and none by {model}; "
                "name another model by -m, or embed with it."
            )
    if {"layer", "pooling"} & set(asked.given):
        wanted = origin_of(embedder_of_one(found[-1], None, asked)).blocks
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
