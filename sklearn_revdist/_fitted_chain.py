"""A solved chain as the fitted attributes of a distiller, and the levels and maps they hold.

What is doubtful about a chain is told here, too, from the same attributes.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._affine_map import LevelMap, assemble
from ._chain import Level
from ._row_chain import RowLevel

# What is known of each level, by the name of the attribute that holds it for all of them.
_OF_ROW_LEVELS = {
    "r2_": "r2",
    "explained_variance_ratio_": "explained_variance_ratio",
    "ranks_": "rank",
}
_OF_LEVELS = _OF_ROW_LEVELS | {
    "conditions_": "condition",
    "alphas_": "alpha",
    "n_prefix_components_": "n_prefix_components",
    "amplifications_": "amplification",
}
_COUNTS = {"ranks_", "n_prefix_components_"}  # integers also where there are no levels

# What solving the chain gives; after partial_fit it is solved when one of them is asked for.
SOLVED = {
    *("prefix_lengths_", "mean_", "components_", "offset_", "reconstruction_", "_from_prefix"),
    *_OF_LEVELS,
}

# What a fit sets beside the attributes that end in an underscore.
PRIVATE = {"_from_prefix", "_row_levels"}

# What least squares promises of |corr(prefix, new column)|.
_ORTHOGONAL = 1e-10


def affine_attributes(
    dims: Sequence[int], mean: NDArray[np.float64], levels: Sequence[Level]
) -> dict[str, Any]:
    """What a distiller is given by a chain that is an affine map.

    Parameters
    ----------
    dims : sequence of int
        Widths of the models.
    mean : ndarray of shape (sum(dims),)
        Mean of the columns.
    levels : sequence of Level
        Those of the models after the first.

    Returns
    -------
    attributes : dict of str to object
        All that `SOLVED` names.
    """
    lengths, components, reconstruction = assemble(dims, levels)
    return {
        "prefix_lengths_": lengths,
        "components_": components,
        "reconstruction_": reconstruction,
        "mean_": mean,
        "offset_": np.concatenate([mean[: dims[0]], np.zeros(lengths[-1] - dims[0])]),
        "_from_prefix": [
            level.coef @ level.components[:, -level.coef.shape[1] :].T for level in levels
        ],
        **_known(_OF_LEVELS, levels),
    }


def row_attributes(
    dims: Sequence[int], mean: NDArray[np.float64], levels: Sequence[RowLevel]
) -> dict[str, Any]:
    """What a distiller is given by a chain with any regressor; see `affine_attributes`."""
    return {
        "prefix_lengths_": np.cumsum([dims[0], *(level.basis.shape[1] for level in levels)]),
        "mean_": mean,
        "regressors_": [level.regressor for level in levels],
        **_known(_OF_ROW_LEVELS, levels),
        "_row_levels": levels,
    }


def levels_of(distiller: Any) -> list[Level]:
    """The levels that a distiller's attributes hold."""
    return [
        Level(
            components=distiller.components_[new, : own.stop],
            coef=distiller.reconstruction_[: new.start, own],
            **{field: getattr(distiller, name)[i] for name, field in _OF_LEVELS.items()},
        )
        for i, (new, own) in enumerate(_places(distiller))
    ]


def level_maps(distiller: Any) -> list[LevelMap]:
    """What a distiller applies to rows, level by level."""
    return [
        LevelMap(
            from_own=distiller.components_[new, own].T,
            from_prefix=distiller._from_prefix[i],
            from_all=distiller.components_[new, : own.stop].T,
            amplification=distiller.amplifications_[i],
        )
        for i, (new, own) in enumerate(_places(distiller))
    ]


def warn_of_few_rows(distiller: Any, weight: float) -> None:
    """Say which new columns are zero for want of rows, and where rows are fewer than columns.

    Parameters
    ----------
    distiller : ReverseDistiller
    weight : float
        Number of rows, or the sum of their weights.
    """
    n_columns = distiller.n_features_in_
    few = weight < n_columns and len(distiller.model_names_) > 1
    n_zero = (np.diff(distiller.prefix_lengths_) - distiller.ranks_).clip(0)
    if not few and not n_zero.any():
        return
    told = []
    if few:
        told.append(f"The chain is fitted on {weight:g} rows, fewer than its {n_columns} columns")
    if n_zero.any():
        names = distiller.model_names_[1:]
        models = ", ".join(f"{n} of {name}" for n, name in zip(n_zero, names, strict=True) if n)
        told.append(
            f"{n_zero.sum()} new columns lie beyond the numerical rank of the residual that the "
            f"rows support and are zero ({models})"
        )
    remedy = "fit on more rows, or ask for fewer with `n_new`"
    if few:
        remedy = (
            "fit on residues of natural proteins (fit_residues), or take a distiller that was "
            "(from_pretrained), and freeze it"
        )
    warnings.warn(f"{', and '.join(told)}; {remedy}.", UserWarning, stacklevel=5)


def warn_of_lost_orthogonality(distiller: Any) -> None:
    """Say where rounding breaks what least squares promises."""
    before = np.maximum.accumulate(np.r_[1.0, distiller.amplifications_[:-1]])
    rounding = np.finfo(np.float64).eps * before * distiller.amplifications_
    if distiller.regressor == "ols" and (rounding > _ORTHOGONAL).any():
        level = int(np.argmax(rounding))
        warnings.warn(
            f"The new columns of {distiller.model_names_[level + 1]} are so small against what "
            "they are the difference of that their correlation with the prefix may reach "
            f'{rounding[level]:.0e}; ask for fewer with `n_new`, or use regressor="ridge".',
            UserWarning,
            stacklevel=5,
        )


def _known(fields, levels):
    return {
        name: np.array(
            [getattr(level, field) for level in levels], dtype=int if name in _COUNTS else None
        )
        for name, field in fields.items()
    }


def _places(distiller):
    """Of each level, where its new columns are, and its own model's."""
    lengths, stops = distiller.prefix_lengths_, np.cumsum(distiller.dims_)
    return [
        (slice(lengths[i], lengths[i + 1]), slice(stops[i], stops[i + 1]))
        for i in range(len(lengths) - 1)
    ]
