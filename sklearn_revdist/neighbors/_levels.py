"""Levels: which columns each model adds to a nested embedding, and how much they count."""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..matrix._layout import check_order
from ..matrix._prefixes import model_prefixes
from ..utils._messages import warn_user
from ..utils._models import DEMO, ESM2
from ._sources import Rows, evenly

# Rows from which variances are computed.
_N_SAMPLED = 2**14


def find_levels(
    prefixes: Any, names: Sequence[str] | None, n_features: int, *, needed: bool
) -> dict[str, int]:
    """Find the levels of a nested embedding.

    Parameters
    ----------
    prefixes : sequence of int or None
        Where levels end, if the user says so.
    names : sequence of str or None
        Names of the columns.
    n_features : int
        Number of columns.
    needed : bool
        Whether anything depends on the levels; if they are not known for sure, a warning is raised.

    Returns
    -------
    levels : dict of str to int
        Number of columns up to and including each model, by its name; ``"level0"`` and so on if
        models are not known.

    Raises
    ------
    ValueError
        If `prefixes` do not increase up to the number of columns, or columns are out of order.
    """
    found = model_prefixes(names) or {}
    if prefixes is not None:
        ends = _checked(prefixes, n_features)
        is_known = list(found.values()) == ends
        return found if is_known else {f"level{i}": end for i, end in enumerate(ends)}
    if found:
        return found
    if names is not None:
        check_order(names)
    models = next(
        (f[: f.index(m) + 1] for f in (ESM2, DEMO) for m in f if m.width == n_features), ()
    )
    if needed:
        taken = (
            f"are taken as levels that end at {', '.join(str(m.width) for m in models)}"
            if len(models) > 1
            else "are taken as one level"
        )
        warn_user(
            f"The {n_features} columns of X are not named by ReverseDistiller and {taken}; say "
            "with `prefixes` where levels end."
        )
    return {model.name: model.width for model in models} or {"level0": n_features}


def scale_of_columns(
    level_scale: Any, ends: Sequence[int], rows: Rows
) -> NDArray[np.float64] | None:
    """Compute the factor of each column.

    Parameters
    ----------
    level_scale : "unit", sequence of float or None
        Each level's factor; "unit" is that of levels with a total variance of 1.
    ends : sequence of int
        Number of columns up to and including each level.
    rows : Rows

    Returns
    -------
    scale : ndarray of shape (n_features,), or None

    Raises
    ------
    ValueError
        If there is not one positive factor for each level.
    """
    if level_scale is None:
        return None
    widths = np.diff(ends, prepend=0)
    if isinstance(level_scale, str):
        sample = np.ascontiguousarray(rows.sample(evenly(rows.n_rows, _N_SAMPLED)))
        parts = pairwise([0, *ends])
        variances = [sample[:, a:b].astype(np.float64).var(axis=0).sum() for a, b in parts]
        return np.repeat([v**-0.5 if v > 0 else 1.0 for v in variances], widths)
    try:
        factors = np.asarray(level_scale, dtype=np.float64)
    except (TypeError, ValueError):
        factors = np.full(0, np.nan)
    if factors.shape != widths.shape or not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError(
            f"level_scale={level_scale!r} is not one positive number for each of the "
            f"{len(widths)} levels, which end at {list(ends)}; give as many."
        )
    return np.repeat(factors, widths)


def _checked(prefixes, n_features):
    ends = list(prefixes)
    for i, (before, end) in enumerate(pairwise([0, *ends])):
        if not isinstance(end, Integral) or not before < end <= n_features:
            raise ValueError(
                f"prefixes[{i}]={end!r} is not an integer from {before + 1} to {n_features}; give "
                "increasing numbers of columns."
            )
    if not ends or ends[-1] != n_features:
        raise ValueError(
            f"prefixes={ends} do not end at {n_features}, the number of columns of X; add it."
        )
    return [int(end) for end in ends]
