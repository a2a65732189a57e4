"""Solve the chain that a regressor needs, from rows or from their moments."""

from collections.abc import Sequence
from typing import Any

from sklearn.utils.validation import check_memory

from ..matrix._dask import is_dask
from ..matrix._moments import Moments
from ..matrix._torch import as_array
from ._affine_chain import AffineChain
from ._chain import solve_chain
from ._row_chain import RowChain, fit_rows


def check_solvable_from_moments(regressor: Any) -> None:
    """Refuse an estimator, which needs the rows themselves."""
    if not isinstance(regressor, str):
        raise ValueError(
            f"regressor={type(regressor).__name__}(...) needs all rows at once, not "
            'moments; call fit with an array, or use "ols", "ridge" or "pcr".'
        )


def solve(
    X: Any,
    sample_weight: Any,
    dims: Sequence[int],
    n_new: Sequence[int],
    regressor: Any,
    alpha: float | None,
    rank: int | None,
    residual: str = "model",
    memory: Any = None,
) -> tuple[AffineChain | RowChain, float, Moments | None]:
    """Solve a chain.

    Parameters
    ----------
    X : ndarray, Tensor or dask Array of shape (n_samples, n_features), or Moments
        Concatenated embeddings.
    sample_weight : array-like of shape (n_samples,), or None
        Weights of the rows.
    dims : sequence of int
        Widths of the blocks.
    n_new : sequence of int
        Number of columns that each model after the first adds.
    regressor : {"ols", "ridge", "pcr"} or estimator
        The regression of an embedding on the prefix.
    alpha : float or None
        Penalty of the ridge.
    rank : int or None
        Number of components of the pcr.
    residual : {"model", "joint"}, default="model"
        What new columns are principal components of.
    memory : str or object with the joblib.Memory interface, default=None
        Cache of solved chains.

    Returns
    -------
    chain : AffineChain or RowChain
    weight : float
        Number of rows, or the sum of their weights.
    moments : Moments or None
        Moments of the rows, if the chain is solved from them.
    """
    cache = check_memory(memory).cache
    if is_dask(X) or isinstance(X, Moments):
        check_solvable_from_moments(regressor)
    if is_dask(X):
        # Joblib can hash moments, but not every dask graph.
        X, sample_weight = Moments.of(X, sample_weight), None
    if isinstance(regressor, str):
        settings = regressor, alpha, rank, residual
        chain, moments = cache(_fit_affine)(X, sample_weight, dims, n_new, *settings)
        return chain, moments.weight, moments
    chain = cache(fit_rows)(as_array(X), sample_weight, dims, n_new, regressor, residual)
    return chain, len(X) if sample_weight is None else sample_weight.sum(), None


def _fit_affine(X, sample_weight, dims, n_new, regressor, alpha, rank, residual):
    """Return chain and moments; a function of plain values, so that joblib can cache it."""
    moments = X if isinstance(X, Moments) else Moments.of(X, sample_weight)
    regression = {"regressor": regressor, "alpha": alpha, "rank": rank}
    levels = solve_chain(moments, dims, n_new, **regression, residual=residual)
    return AffineChain(dims, moments.mean, levels), moments
