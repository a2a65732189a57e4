"""Blocks: which columns of a wide matrix belong to which model.

Widths given by the user come first, then the embedder's column names, then the widths of the
known models, whose sums are all distinct.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from numbers import Integral
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from ..tables._columns import NUMBERED, check_once
from ..utils._messages import warn_user
from ..utils._models import blocks_of_width, is_chain


class Blocks(NamedTuple):
    """Names and widths of the models' blocks of columns, in the order of the columns."""

    names: tuple[str, ...]
    dims: tuple[int, ...]


def find_blocks(
    dims: Sequence[int] | Mapping[str, int] | None,
    feature_names: Sequence[str] | None,
    n_features: int,
) -> Blocks:
    """Find the blocks that `n_features` columns form.

    Parameters
    ----------
    dims : sequence of int, mapping of str to int, or None
        Widths of the blocks, if the user gives them, or names and widths.
    feature_names : sequence of str or None
        Names of the columns; `<model>_<column>`, numbered from 0, is recognised.
    n_features : int
        Number of columns.

    Returns
    -------
    blocks : Blocks
        One block of all columns, with a warning, if nothing is known about them. Another warning
        is given if blocks are only inferred from the sum of their widths and do not begin with
        the smallest model of a family, as those of ESMEmbedder in a pipeline do.

    Raises
    ------
    ValueError
        If `dims` are not positive, do not add up to `n_features` or contradict the names of the
        columns; if columns of models are out of order; or if two columns or blocks have one name.
    """
    named, models = None, blocks_of_width(n_features)
    known = models and Blocks(tuple(m.name for m in models), tuple(m.width for m in models))
    if feature_names is not None:
        check_once(feature_names, "X")
        check_numbers_in_order(feature_names)
        named = blocks_of_names(feature_names)
        if named is None:
            check_order(feature_names)
    if dims is None:
        blocks = named or known or Blocks(("block0",), (n_features,))
        doubt = None
        if named is known is None:
            doubt = (
                "are neither named by an embedder nor as wide as a known chain of models, so they "
                "are taken as one block and returned as they are; give `dims`, as the embedder's "
                "model_widths() returns them, or named columns"
            )
        elif named is None and not is_chain(blocks.names):
            doubt = (
                f"have no names of models and are taken as {_spelled(blocks)}, whose widths add up "
                "to as many; if they are of other models, the result is wrong; say their widths "
                "with `dims`"
            )
        if doubt:
            warn_user(f"The {n_features} columns of X {doubt}.")
    else:
        given = tuple(dims) if isinstance(dims, Mapping) else None
        if given is not None and not all(isinstance(name, str) for name in given):
            raise ValueError(f"dims={dims} has a key that is not a name; give names of models.")
        dims = tuple(whole_numbers(dims.values() if given else dims, "dims"))
        if min(dims, default=1) < 1:
            raise ValueError(f"dims={list(dims)} hold a width below 1; give positive ones.")
        if sum(dims) != n_features:
            raise ValueError(
                f"dims={list(dims)} add up to {sum(dims)} columns, but X has {n_features}; give "
                "the width of each model's embedding in the order of the columns."
            )
        differ = named is not None and (named.dims != dims or given not in (None, named.names))
        if named is not None and len(named.dims) > 1 and differ:
            said = dict(zip(given, dims, strict=True)) if given else list(dims)
            raise ValueError(
                f"dims={said} contradict the names of the columns, which say "
                f"{_spelled(named)}; leave out `dims` or correct the order of the columns."
            )
        names = given or next((b.names for b in (named, known) if b and b.dims == dims), None)
        blocks = Blocks(names or tuple(f"block{i}" for i in range(len(dims))), dims)
    if len(set(blocks.names)) < len(blocks.names):
        raise ValueError(
            f"The columns of X are of {_spelled(blocks)}: a model occurs twice; keep one of its "
            "blocks."
        )
    return blocks


def column_names(names: Any, n_features: int, parameter: str = "feature_names") -> list[str] | None:
    """Names of columns as a list, or None; refuse anything else."""
    if names is None:
        return None
    names = np.asarray(names, dtype=object)
    if names.shape != (n_features,) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"{parameter} are not {n_features} strings; give one name per column, or None."
        )
    return names.tolist()


def whole_numbers(values: Sequence[int], parameter: str) -> list[int]:
    """The values as int; an error names the first that is not a whole number."""
    for i, value in enumerate(values):
        if not isinstance(value, Integral):
            raise ValueError(
                f"{parameter}[{i}]={value!r} is not a whole number; give numbers of columns."
            )
    return [int(value) for value in values]


def blocks_of_names(feature_names: Sequence[str]) -> Blocks | None:
    """Blocks of columns that are all named `<model>_<column>` with columns from 0, or None."""
    names, dims = [], []
    for model, columns in groupby(_models_and_numbers(feature_names), key=itemgetter(0)):
        numbers = [number for _, number in columns]
        if numbers != list(range(len(numbers))):
            return None
        names.append(model)
        dims.append(len(numbers))
    return Blocks(tuple(names), tuple(dims)) if names else None


def _models_and_numbers(feature_names):
    """Model and number of each column; nothing unless all are named `<model>_<column>`."""
    found = [match.groups() for name in feature_names if (match := NUMBERED.fullmatch(name))]
    if len(found) < len(feature_names) or any(model is None for model, _ in found):
        return []
    return [(model, int(number)) for model, number in found]


def names_of_blocks(blocks: Blocks) -> list[str]:
    """Names of the columns of blocks, as ESMEmbedder gives them."""
    return [f"{name}_{i}" for name, width in zip(*blocks, strict=True) for i in range(width)]


def check_numbers_in_order(feature_names: Sequence[Any]) -> None:
    """Refuse columns that have numbers for names and are out of order, as if sorted as text."""
    if not all(isinstance(name, Integral) or str(name).isdecimal() for name in feature_names):
        return
    numbers = [int(name) for name in feature_names]
    in_order, n_columns = sorted(numbers), len(numbers)
    if numbers != in_order and in_order in ([*range(n_columns)], [*range(1, n_columns + 1)]):
        at = next(i for i, number in enumerate(numbers) if number != in_order[i])
        raise ValueError(
            f"The columns of X are numbered, but not in order: {in_order[at]} is expected where "
            f"{numbers[at]} stands; put them in order, as in X[sorted(X.columns, key=int)]."
        )


def check_order(feature_names):
    """Refuse the columns of models in another order than the models', as after sorting."""
    columns: dict[str, list[int]] = {}
    for model, number in _models_and_numbers(feature_names):
        columns.setdefault(model, []).append(number)
    for model, numbers in columns.items():
        if sorted(numbers) != list(range(len(numbers))):
            return  # numbers of something else
        wrong = next((i for i, number in enumerate(numbers) if i != number), None)
        if wrong is not None:
            raise ValueError(
                f"The columns of {model} in X are not in order: {model}_{wrong} is expected where "
                f"{model}_{numbers[wrong]} stands; put them in the order of the embedder's "
                "get_feature_names_out()."
            )
    if columns:
        raise ValueError(
            f"The columns of {', '.join(columns)} are mixed in X; put them in the order of the "
            "embedder's get_feature_names_out(), one model after the other."
        )


def _spelled(blocks):
    return ", ".join(f"{name} ({width})" for name, width in zip(*blocks, strict=True))
