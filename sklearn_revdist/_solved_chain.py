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


def warn_of_zero_columns(
    n_zero: NDArray[np.integer],
    model_names: Sequence[str],
    columns: str,
    remedy: str,
    few_rows: str = "",
) -> None:
    """Say which columns are zero for want of rows, and where rows are few.

    Parameters
    ----------
    n_zero : ndarray of shape (n_models - 1,)
        Number of zero columns of each model after the first.
    model_names : sequence of str
        Names of the models.
    columns : str
        What the columns are, and the rank of what they lie beyond.
    remedy : str
        What helps.
    few_rows : str, default=""
        What is said of few rows.
    """
    models = [f"{n} of {name}" for n, name in zip(n_zero, model_names[1:], strict=True) if n]
    zeros = f"{n_zero.sum()} {columns} and are zero ({', '.join(models)})" if models else ""
    if said := ", and ".join(filter(None, (few_rows, zeros))):
        warnings.warn(f"{said}; {remedy}.", UserWarning, stacklevel=5)


def warn_of_lost_orthogonality(
    amplifications: NDArray[np.float64], model_names: Sequence[str]
) -> None:
    """Say where rounding breaks what least squares promises.

    Parameters
    ----------
    amplifications : ndarray of shape (n_models - 1,)
        For each model after the first, how much its new columns amplify rounding.
    model_names : sequence of str
        Names of the models.
    """
    before = np.maximum.accumulate(np.r_[1.0, amplifications[:-1]])
    rounding = np.finfo(np.float64).eps * before * amplifications
    if (rounding > _ORTHOGONAL).any():
        level = int(np.argmax(rounding))
        warnings.warn(
            f"The new columns of {model_names[level + 1]} are so small against what "
            "they are the difference of that their correlation with the prefix may reach "
            f'{rounding[level]:.0e}; ask for fewer with `n_new`, or use regressor="ridge".',
            UserWarning,
            stacklevel=5,
        )
