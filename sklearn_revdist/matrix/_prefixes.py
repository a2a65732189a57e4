"""Prefixes: how many columns each model adds, and where it ends in the nested embedding."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from ..utils._models import DEMO, ESM2, model_and_layer
from ._layout import Blocks, blocks_of_names, whole_numbers


def new_columns(
    blocks: Blocks, n_new: Sequence[int] | str | None, residual: str = "model"
) -> list[int]:
    """Return the number of columns that each model after the first adds.

    Parameters
    ----------
    blocks : Blocks
        The chain.
    n_new : sequence of int, "all" or None
        The numbers themselves; the whole width of each model; or, None, the difference of
        its width and the one before.
    residual : {"model", "joint"}, default="model"
        Whether a model may also add columns that the models between the first and it left out.

    Returns
    -------
    n_new : list of int

    Raises
    ------
    ValueError
        If a number is out of range, or widths do not grow where they must.
    """
    names, dims = blocks
    if n_new is None:
        for i in range(1, len(dims)):
            if dims[i] <= dims[i - 1]:
                raise ValueError(
                    f"{names[i]} is {dims[i]} columns wide and follows {names[i - 1]} with "
                    f"{dims[i - 1]}; order the models from small to large, or say with `n_new` "
                    "how many columns each adds."
                )
        return np.diff(dims).tolist()
    if isinstance(n_new, str):
        if n_new != "all":
            raise ValueError(f"n_new={n_new!r} is not known; give 'all' or a list of numbers.")
        return list(dims[1:])
    n_new = whole_numbers(n_new, "n_new")
    if len(n_new) != len(dims) - 1:
        raise ValueError(
            f"n_new has {len(n_new)} entries for a chain of {len(dims)} models; give "
            f"{len(dims) - 1}, one for each model after the first."
        )
    n_left = 0
    for name, width, n in zip(names[1:], dims[1:], n_new, strict=True):
        if not 0 <= n <= n_left + width:
            and_left = f", and {n_left} columns were left out before" if n_left else ""
            raise ValueError(
                f"n_new asks for {n} new columns of {name}, which is {width} wide{and_left}; give "
                f"a number from 0 to {n_left + width}."
            )
        n_left += width - n if residual == "joint" else 0
    return n_new


def prefix_length(
    n_components: int | str | None, model_names: Sequence[str], lengths: NDArray[np.integer]
) -> int:
    """Return the number of columns that `n_components` means: all, a number, or up to a model.

    Parameters
    ----------
    n_components : int, str or None
        Number of columns, or the model to stop at.
    model_names : sequence of str
        The chain's models.
    lengths : ndarray of shape (n_models,)
        Number of columns up to and including each model.

    Returns
    -------
    length : int

    Raises
    ------
    ValueError
        If there are not enough columns, or no such model.
    """
    total = int(lengths[-1])
    if n_components is None:
        return total
    if isinstance(n_components, str):
        return int(lengths[model_index(n_components, model_names, "n_components")])
    if not isinstance(n_components, Integral) or not 1 <= n_components <= total:
        raise ValueError(
            f"n_components={n_components} is not between 1 and {total}, the number of columns of "
            "the nested embedding; choose a shorter prefix."
        )
    return int(n_components)


def nested_names(
    first: Sequence[str], model_names: Sequence[str], lengths: NDArray[np.integer]
) -> list[str]:
    """Return the names of the columns of a nested embedding.

    Parameters
    ----------
    first : sequence of str
        Names of the first model's columns.
    model_names : sequence of str
        The chain's models.
    lengths : ndarray of shape (n_models,)
        Number of columns up to and including each model.

    Returns
    -------
    names : list of str
        New columns are named `<model>_residual_<column>`.
    """
    new = zip(model_names[1:], np.diff(lengths), strict=True)
    return [*first, *(f"{model}_residual_{i}" for model, n in new for i in range(n))]


def check_prefix(n_columns: int, names: Sequence[str] | None, nested: Sequence[str]) -> None:
    """Refuse more columns than the nested embedding has, or its columns in another order.

    Parameters
    ----------
    n_columns : int
        Number of columns.
    names : sequence of str or None
        Their names, if known.
    nested : sequence of str
        Names of the columns of the nested embedding.
    """
    if n_columns > len(nested):
        raise ValueError(
            f"X has {n_columns} columns, but the nested embedding has {len(nested)}; give its "
            "columns or the first of them."
        )
    if names is not None and names != nested[:n_columns] and set(names) <= set(nested):
        raise ValueError(
            "The columns of X are those of the nested embedding, but not its first ones in "
            "their order; put them in the order of get_feature_names_out()."
        )


def model_prefixes(feature_names: Sequence[str] | None) -> dict[str, int] | None:
    """Find where each model ends in a nested embedding, from the names of its columns.

    Parameters
    ----------
    feature_names : sequence of str or None
        Names as :func:`nested_names` gives them.

    Returns
    -------
    prefixes : dict of str to int, or None
        Number of columns up to and including each model; None if the names are not such.
    """
    blocks = None if feature_names is None else blocks_of_names(feature_names)
    if blocks is None:
        return None
    names = [name.removesuffix("_residual") for name in blocks.names]
    return dict(zip(names, np.cumsum(blocks.dims).tolist(), strict=True))


def model_index(model: str, model_names: Sequence[str], parameter: str) -> int:
    """Index of a model in the chain, by its short or its full name, or that with the layer."""
    name = next((known.name for known in ESM2 + DEMO if known.short == model), model)
    models = [model_and_layer(block, [str(name)])[0] for block in model_names]
    if name in models and name not in model_names:
        return models.index(name)
    if name not in model_names:
        raise ValueError(
            f"{parameter}={model!r} is not a model of the chain; choose one of "
            f"{', '.join(model_names)}."
        )
    return list(model_names).index(name)
