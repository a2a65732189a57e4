"""Solved chains: what all kinds of them share, and what is said of a doubtful one."""

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

# What the kinds of chains know of themselves; the fitted attributes of an estimator have the same
# names with an underscore at the end.
ATTRIBUTES = (
    *("prefix_lengths", "mean", "components", "offset", "reconstruction", "regressors"),
    *("r2", "explained_variance_ratio", "ranks", "conditions", "alphas"),
    *("n_prefix_components", "amplifications"),
)

# What least squares promises of |corr(prefix, new column)|.
_ORTHOGONAL = 1e-10


class SolvedChain:
    """What maps the concatenated embeddings of a chain of models, level by level.

    A pickle holds the levels; what follows from them is computed anew where it is asked for.

    Parameters
    ----------
    dims : sequence of int
        Widths of the models.
    mean : ndarray of shape (sum(dims),)
        Mean of the columns.
    levels : sequence of object
        What each model after the first adds.
    """

    def __init__(self, dims: Sequence[int], mean: NDArray, levels: Sequence[Any]):
        self.dims, self.mean, self.levels = tuple(dims), mean, list(levels)

    def __reduce__(self):
        return type(self), (self.dims, self.mean, self.levels)

    def truncate(self, n_models: int) -> Self:
        """The chain of the first models."""
        dims = self.dims[:n_models]
        return type(self)(dims, self.mean[: sum(dims)], self.levels[: n_models - 1])


def of_levels(field: str, dtype: type | None = None) -> cached_property:
    """What a chain's levels have under a name, as an array."""
    return cached_property(
        lambda chain: np.array([getattr(level, field) for level in chain.levels], dtype=dtype)
    )


def warn_of_few_rows(chain: Any, model_names: Sequence[str], weight: float) -> None:
    """Say where rows are fewer than columns, and which new columns are zero for want of rows.

    Parameters
    ----------
    chain : AffineChain or RowChain
    model_names : sequence of str
        Names of the models.
    weight : float
        Number of rows, or the sum of their weights.
    """
    n_columns, few = len(chain.mean), ""
    remedy = "fit on more rows, or ask for fewer with `n_new`"
    if weight < n_columns and chain.levels:
        few = f"The chain is fitted on {weight:g} rows, fewer than its {n_columns} columns"
        remedy = (
            "fit on residues of natural proteins (fit_residues), or take a distiller that was "
            "(from_pretrained), and freeze it"
        )
    zero = "new columns lie beyond the numerical rank of the residual that the rows support"
    n_zero = (np.diff(chain.prefix_lengths) - chain.ranks).clip(0)
    _warn_of_zeros(few, n_zero, model_names, zero, remedy)


def warn_of_zero_components(n_zero: NDArray[np.integer], model_names: Sequence[str]) -> None:
    """Say which principal components of the naive steps are zero.

    Parameters
    ----------
    n_zero : ndarray of shape (n_models - 1,)
        Number of zero columns of each model after the first.
    model_names : sequence of str
        Names of the models.
    """
    zero = "principal components lie beyond the numerical rank of the rows"
    _warn_of_zeros("", n_zero, model_names, zero, "fit on more rows")


def _warn_of_zeros(few, n_zero, model_names, zero, remedy):
    models = [f"{n} of {name}" for n, name in zip(n_zero, model_names[1:], strict=True) if n]
    zeros = f"{n_zero.sum()} {zero} and are zero ({', '.join(models)})" if models else ""
    if said := ", and ".join(filter(None, (few, zeros))):
        warnings.warn(f"{said}; {remedy}.", UserWarning, stacklevel=6)


def warn_of_lost_orthogonality(chain: Any, model_names: Sequence[str]) -> None:
    """Say where rounding breaks what least squares promises.

    Parameters
    ----------
    chain : AffineChain
    model_names : sequence of str
        Names of the models.
    """
    before = np.maximum.accumulate(np.r_[1.0, chain.amplifications[:-1]])
    rounding = np.finfo(np.float64).eps * before * chain.amplifications
    if (rounding > _ORTHOGONAL).any():
        level = int(np.argmax(rounding))
        warnings.warn(
            f"The new columns of {model_names[level + 1]} are so small against what "
            "they are the difference of that their correlation with the prefix may reach "
            f'{rounding[level]:.0e}; ask for fewer with `n_new`, or use regressor="ridge".',
            UserWarning,
            stacklevel=5,
        )
