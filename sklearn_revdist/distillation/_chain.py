"""The chain: from the moments of [H1 | H2 | ...] to nested, orthogonal columns.

Level by level, the next model's embedding is regressed on the columns accumulated so far, and
the principal directions of the residual become the new columns (Catrina et al., 2026,
Algorithm 3). With joint residuals, what these directions leave is carried to the next level, whose
directions are those of all that the columns so far leave of any model:

    D(i) = H(i) - A(i-1) W(i)              residual of model i
    R(i) = [ E(i-1), D(i) ]                E = nothing, unless residuals are joint
    A(i) = [ A(i-1), R(i) V(i) ]           V(i): leading principal directions of R(i)
    E(i) = R(i) - R(i) V(i) V(i)'          carried to the next level

Directions of later levels lie in the rows of E(i), so they are orthogonal to those before. Hence a
reconstruction is improved by later levels, but nothing that a level keeps of it is changed.

A level is computed from the moments of its own and the smaller models' columns alone, so a longer
chain repeats a shorter one bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..matrix._moments import Moments
from ._regressors import EPS, regress
from ._spaces import principal_directions, varying_space

# Largest number of new columns of a ridge, as a share of the degrees of freedom that the
# regression leaves. Further principal directions of few rows are those in which just these rows
# vary little: other rows vary more there, and a scaler would amplify them (measured;
# docs/design.rst).
_MOST_NEW = 0.15


@dataclass(frozen=True, eq=False)
class Level:
    """One model's share of the chain.

    Attributes
    ----------
    components : ndarray of shape (n_new, n_columns)
        Maps the centred columns of all models up to this one to this level's new columns;
        rows beyond the numerical rank of the residual are exactly zero.
    coef : ndarray of shape (n_prefix, width)
        Predicts this model's centred embedding from the centred prefix.
    carried : ndarray of shape (n_new, n_carried)
        Directions of the new columns in the residuals of the smaller models after the first,
        which are carried from the levels before; none unless residuals are joint.
    r2 : float
        Training R2: share of this model's variance that the prefix predicts.
    explained_variance_ratio : float
        Share of the variance of the residual, of the joint one where it is, that the new columns
        keep.
    rank : int
        Numerical rank of that residual; with ridge, at most the number of new columns that few
        rows support. At most `rank` new columns are not zero.
    condition : float
        Condition number of the prefix on its numerical rank; for least squares that of columns
        of unit variance.
    alpha : float
        Penalty of the regression; zero unless it is a ridge.
    n_prefix_components : int
        Number of principal components of the prefix that the regression uses.
    amplification : float
        Norm of the terms that a new column is the sum of, divided by the norm of the column;
        the largest over the new columns.
    """

    components: NDArray[np.float64]
    coef: NDArray[np.float64]
    carried: NDArray[np.float64]
    r2: float
    explained_variance_ratio: float
    rank: int
    condition: float
    alpha: float
    n_prefix_components: int
    amplification: float

    @property
    def directions(self) -> NDArray[np.float64]:
        """Directions of the new columns in all residuals that they reduce, as rows."""
        # Those in the model's own residual are the last block of the map.
        return np.hstack([self.carried, self.components[:, -self.coef.shape[1] :]])


class Carried(NamedTuple):
    """What the levels so far leave of the models after the first.

    Attributes
    ----------
    space : SampleSpace or FeatureSpace
        The columns that are left, E; none for the first level and unless residuals are joint.
    to_left : ndarray of shape (n_columns, n_carried)
        Maps the centred columns of the models so far to E.
    condition : float
        Largest condition number of their prefixes, which bounds the rounding of E.
    before : ndarray of shape (n_carried, n_before)
        Directions of the levels so far, along which E vanishes.
    """

    space: Any
    to_left: NDArray[np.float64]
    condition: float
    before: NDArray[np.float64]


def solve_chain(
    moments: Moments,
    dims: Sequence[int],
    n_new: Sequence[int],
    *,
    regressor: str,
    alpha: float | None = None,
    rank: int | None = None,
    residual: str = "model",
) -> list[Level]:
    """Solve all levels after the first, whose columns are the first model's own.

    Parameters
    ----------
    moments : Moments
        Moments of the concatenated embeddings, one block of columns per model.
    dims : sequence of int
        Widths of the blocks.
    n_new : sequence of int
        Number of columns that each model after the first adds.
    regressor : {"ols", "ridge", "pcr"}
        The regression of a model's embedding on the prefix.
    alpha : float, default=None
        Ridge penalty; None minimises generalised cross-validation at each level.
    rank : int, default=None
        Number of components of the pcr; None applies Johnstone's threshold at each level.
    residual : {"model", "joint"}, default="model"
        What new columns are principal components of.

    Returns
    -------
    levels : list of Level
    """
    space = varying_space(moments)
    regression = {"regressor": regressor, "alpha": alpha, "rank": rank}
    levels: list[Level] = []
    prefix, to_prefix = space.prefix(dims[0]), np.eye(dims[0])
    carried = Carried(space.leading(0), np.zeros((0, 0)), 1.0, np.zeros((0, 0)))
    for (start, stop), n_columns in zip(pairwise(accumulate(dims)), n_new, strict=True):
        if levels:
            prefix = space.extended(prefix, levels[-1].components)
            to_prefix = extend(to_prefix, levels[-1].components)
        own = slice(start, stop)
        prefix = space.beside(prefix, own)
        level, *reduced = _solve_level(
            space, prefix, to_prefix, carried, own, moments.weight, n_columns, regression
        )
        levels.append(level)
        if residual == "joint" and len(levels) < len(n_new):
            carried = carry(carried, level, to_prefix, *reduced)
    return levels


def extend(to_prefix: NDArray, components: NDArray) -> NDArray:
    """Extend the map from centred columns to the prefix by one level."""
    padding = np.zeros((len(to_prefix), components.shape[1] - to_prefix.shape[1]))
    return np.vstack([np.hstack([to_prefix, padding]), components])


def _solve_level(space, prefix, to_prefix, carried, own, weight, n_new, regression):
    """Regress a model's own columns on the prefix, then reduce the residual.

    Returns the level, its residual, a factor of that, and the largest condition number so far.
    """
    start, width = to_prefix.shape[1], own.stop - own.start
    own_scale = space.scale[own]
    total = float(own_scale @ own_scale)
    spectrum = space.spectrum(prefix, own, scaled=regression["regressor"] == "ols")
    fit = regress(spectrum, total, weight, **regression)
    condition = max(carried.condition, spectrum.condition)
    residual = space.joint_residual(carried, prefix, own, fit)
    n_carried = carried.to_left.shape[1]
    scale = space.scale[start - n_carried : own.stop]
    factor = residual.factor(scale, 8 * len(scale) * EPS * condition)
    rank, left = factor.shape[1], float(np.sum(factor[n_carried:] ** 2))
    if regression["regressor"] == "ridge":
        rank = min(rank, max(0, int(_MOST_NEW * (weight - fit.spent))))
    directions, variances, share = principal_directions(factor, min(n_new, rank))
    remove_rounding(directions, carried.before)

    n_kept = directions.shape[1]
    of_carried, basis = np.zeros((n_new, n_carried)), directions[n_carried:]
    of_carried[:n_kept] = directions[:n_carried].T
    components = np.zeros((n_new, start + width))
    components[:n_kept, :start] = -(fit.coef @ basis).T @ to_prefix
    components[:, : len(carried.to_left)] += of_carried @ carried.to_left.T
    components[:n_kept, start:] = basis.T
    terms = np.linalg.norm(components[:n_kept] * space.scale[: own.stop], axis=1)
    level = Level(
        components=components,
        coef=fit.coef,
        carried=of_carried,
        r2=1 - left / total if total > 0 else 0.0,
        explained_variance_ratio=share,
        rank=rank,
        condition=spectrum.condition,
        alpha=fit.alpha,
        n_prefix_components=fit.n_components,
        amplification=float(np.max(terms / np.sqrt(variances), initial=1.0)),
    )
    return level, residual, factor, condition


def carry(
    carried: Carried,
    level: Level,
    to_prefix: NDArray[np.float64],
    residual: Any,
    factor: NDArray[np.float64],
    condition: float,
) -> Carried:
    """Carry what the new columns of a level leave.

    Parameters
    ----------
    carried : Carried
        What was carried to the level.
    level : Level
    to_prefix : ndarray of shape (n_prefix, n_columns of the models before)
        Maps their centred columns to the prefix.
    residual : SampleSpace or FeatureSpace
        R, of which as many columns are carried.
    factor : ndarray of shape (n_carried + width, rank)
        Its factor F.
    condition : float
        Largest condition number of the prefixes so far.

    Returns
    -------
    carried : Carried
    """
    directions, n_carried = level.directions, carried.to_left.shape[1]
    # The map of the centred columns to R, then to what is left of it.
    to_left = np.zeros((level.components.shape[1], directions.shape[1]))
    to_left[: len(carried.to_left), :n_carried] = carried.to_left
    to_left[: to_prefix.shape[1], n_carried:] = -to_prefix.T @ level.coef
    to_left[to_prefix.shape[1] :, n_carried:] = np.eye(level.coef.shape[1])
    to_left -= level.components.T @ directions
    before = beside(carried.before, directions.T)
    return Carried(residual.without(directions.T, factor), to_left, condition, before)


def remove_rounding(directions: NDArray[np.float64], before: NDArray[np.float64]) -> None:
    """Make directions exactly orthogonal to those of the levels before, in place.

    They are but for rounding, which is relative to the largest column of R and to the smallest
    variance. A nested column however is a sum over whole residuals of models, of which E may be a
    tiny part, and would repeat what is kept already.

    Parameters
    ----------
    directions : ndarray of shape (n_carried + width, n_new)
        Principal directions of R.
    before : ndarray of shape (n_carried, n_before)
        Directions of the levels before.
    """
    of_carried = directions[: len(before)]
    of_carried -= before @ (before.T @ of_carried)


def beside(before: NDArray[np.float64], directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the directions of a level beside those of the levels before, which have fewer rows."""
    padded = np.zeros((len(directions), before.shape[1]))
    padded[: len(before)] = before
    return np.hstack([padded, directions])
