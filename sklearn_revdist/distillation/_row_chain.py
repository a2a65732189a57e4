"""The chain with any regressor: fitted on rows, level by level, and applied to rows.

A regressor that is not a filter on the prefix's spectrum needs the rows themselves, and its map
need not be affine. The prefix still is the smaller models' embedding, bit for bit. Where residuals
are joint, a level reduces those of its own and of all smaller models but the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from ..matrix._moments import Moments
from ..matrix._torch import as_array
from ._chain import beside, remove_rounding
from ._regressors import EPS
from ._solved_chain import SolvedChain, array_of_levels
from ._spaces import principal_directions, space_of


@dataclass(frozen=True, eq=False)
class RowLevel:
    """One model's share of the chain.

    Attributes
    ----------
    regressor : estimator
        Predicts this model's embedding from the prefix.
    residual_mean : ndarray of shape (width,)
        Mean of the residual.
    basis : ndarray of shape (n_reduced, n_new)
        Orthonormal directions of the new columns in the residuals of the models that the level
        reduces, this one last; those beyond the rank are exactly zero.
    r2 : float
        Training R2: share of this model's variance that is predicted on the rows of the fit.
    explained_variance_ratio : float
        Share of the variance of the residual, of the joint one where it is, that the new columns
        keep.
    rank : int
        Numerical rank of that residual.
    """

    regressor: Any
    residual_mean: NDArray[np.float64]
    basis: NDArray[np.float64]
    r2: float
    explained_variance_ratio: float
    rank: int


class RowChain(SolvedChain):
    """A chain whose levels hold fitted regressors.

    Parameters
    ----------
    dims : sequence of int
        Widths of the models.
    mean : ndarray of shape (sum(dims),)
        Mean of the columns; new columns have mean zero.
    levels : sequence of RowLevel
        One for each model after the first.
    """

    levels: list[RowLevel]

    r2 = array_of_levels("r2")
    ranks = array_of_levels("rank", int)

    @cached_property
    def prefix_lengths(self) -> NDArray[np.int64]:
        """Number of nested columns up to and including each model."""
        return np.cumsum([self.dims[0], *(level.basis.shape[1] for level in self.levels)])

    @property
    def regressors(self) -> list[Any]:
        """The fitted regressor of each level."""
        return [level.regressor for level in self.levels]

    @property
    def essentials(self) -> list[tuple]:
        """What, with the mean, determines what `transform` and its inverse return."""
        return [(level.regressor, level.residual_mean, level.basis) for level in self.levels]

    def transform(self, X: Any, n_components: int) -> NDArray:
        """Map embeddings to nested columns, an ndarray; as :meth:`AffineChain.transform`."""
        X = as_array(X)
        prefix, residuals = X[:, : self.dims[0]], np.zeros((len(X), 0))
        for (start, stop), level in zip(pairwise(accumulate(self.dims)), self.levels, strict=True):
            if prefix.shape[1] >= n_components:
                break
            own = X[:, start:stop] - _predict(level.regressor, prefix) - level.residual_mean
            residuals = np.hstack([residuals, own])
            new = residuals[:, -len(level.basis) :] @ level.basis
            prefix = np.hstack([prefix, new.astype(X.dtype)])
        return prefix[:, :n_components].copy()

    def inverse_transform(self, A: Any) -> NDArray:
        """Reconstruct all embeddings, an ndarray; as :meth:`AffineChain.inverse_transform`."""
        A, first = as_array(A), self.dims[0]
        nested = np.zeros((len(A), self.prefix_lengths[-1]), A.dtype)
        nested[:, :first] = self.mean[:first]
        nested[:, : A.shape[1]] = A
        H = np.zeros((len(A), len(self.mean)))
        H[:, :first] = nested[:, :first]
        ends = zip(pairwise(accumulate(self.dims)), pairwise(self.prefix_lengths), strict=True)
        for ((own, stop), (start, end)), level in zip(ends, self.levels, strict=True):
            H[:, own:stop] += _predict(level.regressor, nested[:, :start]) + level.residual_mean
            H[:, stop - len(level.basis) : stop] += nested[:, start:end] @ level.basis.T
        return H.astype(A.dtype)


def fit_rows(
    X: NDArray,
    sample_weight: NDArray[np.float64] | None,
    dims: Sequence[int],
    n_new: Sequence[int],
    regressor: Any,
    residual: str = "model",
) -> RowChain:
    """Fit a chain on rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64 or float32
        Concatenated embeddings.
    sample_weight : ndarray of shape (n_samples,), or None
        Weights of the rows, which are passed to the regressor.
    dims : sequence of int
        Widths of the blocks.
    n_new : sequence of int
        Number of columns that each model after the first adds.
    regressor : estimator
        A clone is fitted for each level, to all columns of a model at once.
    residual : {"model", "joint"}, default="model"
        What new columns are principal components of.

    Returns
    -------
    chain : RowChain

    Raises
    ------
    TypeError
        If `regressor` is a class.
    ValueError
        If there are weights, and the regressor does not take them.
    """
    if isinstance(regressor, type):
        name = regressor.__name__
        raise TypeError(f"regressor={name} is a class; give an estimator, as in {name}().")
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    if weights and not has_fit_parameter(regressor, "sample_weight"):
        raise ValueError(
            f"{type(regressor).__name__} does not take sample_weight; leave the weights out, or "
            "choose a regressor that takes them."
        )
    levels: list[RowLevel] = []
    prefix = X[:, : dims[0]]
    # What is left of smaller models, and directions in which nothing is.
    left, before = np.zeros((len(X), 0)), np.zeros((0, 0))
    scale = np.zeros(0)
    for (start, stop), n_columns in zip(pairwise(accumulate(dims)), n_new, strict=True):
        own = X[:, start:stop]
        fitted = clone(regressor).fit(prefix, own, **weights)
        rows = np.hstack([left, own - _predict(fitted, prefix)])
        scale = np.hstack([scale, Moments.of(own, sample_weight).scale()])
        of_rows = scale[-rows.shape[1] :]
        level, rows = _reduce(fitted, rows, before, sample_weight, of_rows, n_columns)
        levels.append(level)
        new = rows @ level.basis
        if residual == "joint":
            left, before = rows - new @ level.basis.T, beside(before, level.basis)
        prefix = np.hstack([prefix, new.astype(X.dtype)])
    return RowChain(dims, np.average(X, axis=0, weights=sample_weight), levels)


def _reduce(regressor, rows, before, sample_weight, scale, n_new):
    """Return a level, and the centred residuals that it reduces."""
    left = Moments.of(rows, sample_weight)
    factor = space_of(left).factor(scale, 8 * rows.shape[1] * EPS)
    directions, _, share = principal_directions(factor, n_new)
    remove_rounding(directions, before)
    basis = np.zeros((rows.shape[1], n_new))
    basis[:, : directions.shape[1]] = directions
    power, own = float(np.sum(factor[len(before) :] ** 2)), scale[len(before) :]
    level = RowLevel(
        regressor=regressor,
        residual_mean=left.mean[len(before) :],
        basis=basis,
        r2=1 - power / float(own @ own) if own.any() else 0.0,
        explained_variance_ratio=share,
        rank=factor.shape[1],
    )
    return level, rows - left.mean


def _predict(regressor, prefix):
    """Predict a float64 matrix, also for a model that is one column wide."""
    return np.asarray(regressor.predict(prefix), dtype=np.float64).reshape(len(prefix), -1)
