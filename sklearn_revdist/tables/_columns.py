"""Choose the columns of a file that are its embedding by their names, and put them in order.

Other columns of numbers are labels.
"""

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from ..utils._models import DEMO, ESM2, model_and_layer

_KNOWN = {model.name: model for model in ESM2 + DEMO}
_FULL = {model.short: model.name for model in ESM2 + DEMO}
# `8M_0`, `0`, and an entry of a list, which the Parquet reader calls `8M[0]`.
# ColumnTransformer and FeatureUnion put "<step>__" in front.
NUMBERED = re.compile(r"(?:(?:.*__)?(?P<model>.+)_)?(?P<number>\d+)")
_LISTED = re.compile(r"(?P<model>.+)\[(?P<number>\d+)\]")


class Choice(NamedTuple):
    """Columns of a file in the order of the embedding, and their names; None if meaningless."""

    columns: list[str]
    names: list[str] | None


def columns_to_fit(columns: Sequence[str], where: str, dims: Sequence[int] | None = None) -> Choice:
    """Choose the columns that a distiller is fitted on.

    Take those of known models, in the order of the chain; or else all that are numbered without a
    gap, `<model>_0` to `<model>_<n - 1>`; or else all.

    Parameters
    ----------
    columns : sequence of str
        Columns of numbers, in the order of the file.
    where : str
        The file, for messages.
    dims : sequence of int, default=None
        Widths of the models, if the user gives them.

    Returns
    -------
    choice : Choice

    Raises
    ------
    ValueError
        If the names leave open which columns are the embedding.
    """
    check_once(columns, where)
    numbered = _numbered(columns, where)
    runs = {model: found for model, found in numbered.items() if _is_complete(found)}
    nested = next((model for model in runs if model.endswith("_residual")), None)
    if nested is not None:
        raise ValueError(
            f"{where} holds a nested embedding, of which {runs[nested][0]!r} is a column; give the "
            "embeddings that it was made from."
        )
    known = [model for model in _KNOWN if model in numbered]
    for model in known:
        _check_width(numbered[model], model, _KNOWN[model].width, where)
    if known:
        return _known_columns(columns, known, runs, where, dims)
    listed = {match["model"] for column in columns if (match := _LISTED.fullmatch(column))}
    if listed and len(runs) > 1:
        widths = ", ".join(f"{model!r} ({len(found)})" for model, found in runs.items())
        raise ValueError(
            f"{where} has several embeddings, {widths}; keep one, or name each by its model, as "
            f"{ESM2[0].name!r}."
        )
    if len(runs) == 1:
        ((model, found),) = runs.items()
        in_order = [found[number] for number in sorted(found)]
        return Choice(in_order, None if model in ("", *listed) else in_order)
    several = sum(map(len, numbered.values())) > 1
    taken = runs or (numbered if several else {"": dict(enumerate(columns))})
    return _in_order_of_file(columns, taken.values())


def columns_to_transform(
    columns: Sequence[str], where: str, chains: Iterable[tuple[Sequence[str], Sequence[int]]]
) -> Choice:
    """Choose the columns that a fitted distiller takes.

    Parameters
    ----------
    columns : sequence of str
        Columns of numbers, in the order of the file.
    where : str
        The file, for messages.
    chains : iterable of tuple
        Names and widths of the models of each suitable chain, the best first.

    Returns
    -------
    choice : Choice
        Columns of the first chain that is complete. If no column has the name of a model, those
        that :func:`columns_to_fit` takes.

    Raises
    ------
    ValueError
        If some columns are missing, or the names leave open which are the embedding.
    """
    check_once(columns, where)
    numbered = _numbered(columns, where)
    for models, dims in chains:
        if all(model in numbered for model in models):
            for model, width in zip(models, dims, strict=True):
                _check_width(numbered[model], model, width, where)
            return _in_order(numbered, models)
    missing = [model for model in models if model not in numbered]
    if len(missing) < len(models):
        raise ValueError(
            f"{where} has no columns of {', '.join(missing)}, which the distiller was fitted on; "
            "embed with the same chain."
        )
    return columns_to_fit(columns, where, dims)


def columns_to_compare(columns: Sequence[str], where: str) -> Choice:
    """Choose the columns of all embeddings in a file, those of the largest model last.

    Parameters
    ----------
    columns : sequence of str
        Columns of numbers, in the order of the file.
    where : str
        The file, for messages.

    Returns
    -------
    choice : Choice
        Columns of a nested embedding alone, if there is one. Else those of every model, numbered
        without a gap, known models in the order of their chains after others by their widths. If
        there are none, as :func:`columns_to_fit`.

    Raises
    ------
    ValueError
        If the names leave open which columns are the embedding.
    """
    check_once(columns, where)
    numbered = _numbered(columns, where)
    runs = {model: found for model, found in numbered.items() if _is_complete(found)}
    for model in numbered:
        if model in _KNOWN and model not in runs:
            _check_width(numbered[model], model, _KNOWN[model].width, where)
    place = {model: i for i, model in enumerate(_KNOWN)}

    def size(model: str) -> tuple[int, int]:
        name, _ = model_and_layer(model.removesuffix("_residual"))
        return place.get(name, -1), len(runs[model]) if name not in place else 0

    new = [model for model in runs if model.endswith("_residual")]
    if new:
        # of other embeddings those that a nested one may begin with
        others = [model for model in runs if model and model not in new]
        before = list(runs)[: list(runs).index(new[0])]
        first = [model for model in others if model_and_layer(model)[0] in _KNOWN]
        first = first or [model for model in before if model in others][-1:]
        if len(first) != 1:
            raise ValueError(
                f"{where} has nested embeddings {', '.join(new)}, and "
                f"{', '.join(first) or 'none'} before them where there should be one; keep the "
                "columns of the nested embedding alone."
            )
        known = all(size(model)[0] >= 0 for model in new)
        return _in_order(runs, [*first, *(sorted(new, key=size) if known else new)])
    if set(runs) <= {""}:
        return columns_to_fit(columns, where)
    return _in_order(runs, sorted(filter(None, runs), key=size))


def complete_widths(columns: Sequence[str], where: str) -> dict[str, int]:
    """Number of columns of each model, if they are numbered from 0 or 1 without a gap."""
    numbered = _numbered(columns, where)
    return {model: len(found) for model, found in numbered.items() if _is_complete(found)}


def _known_columns(columns, known, runs, where, dims):
    """Columns of known models, unless others could belong to the same chain."""
    others = [model for model in runs if model not in known]
    widths = {model: len(runs[model]) for model in (*known, *others)}
    if dims is not None and sum(dims) == sum(widths.values()):
        return _in_order_of_file(columns, [runs[model] for model in widths])
    narrowest = min(widths[model] for model in known)
    if (dims is not None and list(dims) == [widths[model] for model in known]) or not any(
        widths[model] >= narrowest for model in others
    ):
        return _in_order(runs, known)
    spelled = ", ".join(f"{model} ({width})" for model, width in widths.items())
    raise ValueError(
        f"{where} has embeddings of known models and of others, {spelled}; give the widths of "
        "those that form the chain with --dims, or leave the others out of the file."
    )


def _numbered(columns, where):
    """For each model that column names contain, its columns by number."""
    found: dict[str, dict[int, str]] = {}
    for column in columns:
        match = _LISTED.fullmatch(column) or NUMBERED.fullmatch(column)
        if match:
            model = match["model"] or ""
            numbers = found.setdefault(_FULL.get(model, model), {})
            number = int(match["number"])
            if number in numbers:
                raise ValueError(
                    f"{where} has two columns for number {number} of {model!r}, "
                    f"{numbers[number]!r} and {column!r}; keep one."
                )
            numbers[number] = column
    return found


def _is_complete(found):
    """Whether there are two or more numbers, counted from 0 or 1 without a gap."""
    first = min(found)
    return len(found) > 1 and first in (0, 1) and max(found) - first == len(found) - 1


def _in_order_of_file(columns, numbered):
    taken = {column for found in numbered for column in found.values()}
    kept = [column for column in columns if column in taken]
    return Choice(kept, kept)


def _in_order(numbered, models):
    columns = [numbered[model][i] for model in models for i in sorted(numbered[model])]
    names = [f"{model}_{i}" for model in models for i in range(len(numbered[model]))]
    return Choice(columns, names)


def _check_width(found, model, width, where):
    if len(found) != width or not (_is_complete(found) or width == 1):
        gap = next((i for i in range(min(min(found), 1), max(found)) if i not in found), None)
        which = "" if gap is None else f", without number {gap}"
        raise ValueError(
            f"{where} has {len(found)} columns of {model}{which}, but {width} are expected; write "
            "its whole embedding."
        )


def check_once(columns: Iterable[Hashable], where: str) -> None:
    """Refuse two columns of one name."""
    seen: set[Hashable] = set()
    for column in columns:
        if column in seen:
            raise ValueError(f"{where} has two columns named {column!r}; keep one, or rename it.")
        seen.add(column)
