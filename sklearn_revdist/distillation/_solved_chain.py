"""Solved chains: their common base, and warnings about few rows and lost orthogonality."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..utils._messages import warn_user

# Attributes of the different chains. A fitted estimator has them under the same names with a
# trailing underscore.
ATTRIBUTES = (
    *("prefix_lengths", "mean", "components", "offset", "reconstruction", "regressors"),
    *("r2", "explained_variance_ratio", "ranks", "conditions", "alphas"),
    *("n_prefix_components", "amplifications"),
)

# Largest |corr(prefix, new column)| that least squares promises.
_ORTHOGONAL = 1e-10


def array_of_levels(field: str, dtype: type | None = None) -> cached_property:
    """Return a cached property: a field of all levels, as an array."""
    return cached_property(
        lambda chain: np.array([getattr(level, field) for level in chain.levels], dtype=dtype)
    )


class SolvedChain:
    """Map of the concatenated embeddings of a chain of models, level by level.

    A pickle holds the levels alone; everything that follows from them is computed when needed.

    Parameters
    ----------
    dims : sequence of int
        Widths of the models.
    mean : ndarray of shape (sum(dims),)
        Mean of the columns.
    levels : sequence of object
        One for each model after the first.
    """

    explained_variance_ratio = array_of_levels("explained_variance_ratio")

    def __init__(self, dims: Sequence[int], mean: NDArray, levels: Sequence[Any]):
        self.dims, self.mean, self.levels = tuple(dims), mean, list(levels)

    def __reduce__(self):
        return type(self), (self.dims, self.mean, self.levels)

    def truncate(self, n_models: int) -> Self:
        """Return the chain of the first models."""
        dims = self.dims[:n_models]
        return type(self)(dims, self.mean[: sum(dims)], self.levels[: n_models - 1])


def warn_of_few_rows(chain: Any, model_names: Sequence[str], weight: float) -> None:
    """Warn if rows are fewer than columns, and of new columns that are zero for lack of rows.

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
            "pooled embeddings of few proteins do not determine it, so take a chain that was "
            "fitted on residues of natural proteins (pretrained=), or fit one (fit_residues)"
        )
    zero = "new columns lie beyond the numerical rank of the residual that the rows support"
    n_zero = (np.diff(chain.prefix_lengths) - chain.ranks).clip(0)
    _warn_of_zeros(few, n_zero, model_names, zero, remedy)


def warn_of_zero_components(n_zero: NDArray[np.integer], model_names: Sequence[str]) -> None:
    """Warn of principal components of the naive chain that are zero.

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
    if problem := ", and ".join(filter(None, (few, zeros))):
        warn_user(f"{problem}; {remedy}.")


def warn_of_lost_orthogonality(chain: Any, model_names: Sequence[str]) -> None:
    """Warn if rounding makes new columns of least squares correlate with the prefix.

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
        warn_user(
            f"Rounding may correlate the new columns of {model_names[level + 1]}, small "
            f"differences of large terms, with the prefix by up to {rounding[level]:.0e}; ask for "
            'fewer with `n_new`, or use regressor="ridge".'
        )
