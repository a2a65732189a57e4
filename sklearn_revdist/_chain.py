"""The chain: from the moments of [H1 | H2 | ...] to nested, orthogonal columns.

Level by level, the next model's embedding is regressed on the columns accumulated so far, and
the principal directions of what is left become the new columns (Catrina et al., 2026,
Algorithm 3). A level is computed from the moments of its own and the smaller models' columns
alone, so a longer chain repeats a shorter one bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ._moments import Moments
from ._regressors import EPS, Spectrum, regress

# New columns of a ridge, as a share of the degrees of freedom that the regression leaves. Beyond
# it the principal directions of few rows are those in which just these rows vary little: other
# rows vary more there, and a scaler would blow them up (measured; docs/design.rst).
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
    r2 : float
        Share of this model's variance that the prefix predicts.
    explained_variance_ratio : float
        Share of the residual's variance that the new columns keep.
    rank : int
        Numerical rank of the residual, or, with ridge, what few rows support of it; at most
        `rank` new columns are not zero.
    condition : float
        Condition number of the prefix, on its numerical rank; with columns of unit variance
        for least squares.
    alpha : float
        Penalty of the regression; zero unless it is a ridge.
    n_prefix_components : int
        Number of principal components of the prefix that the regression uses.
    amplification : float
        How many times larger than a new column the terms are that it is the sum of, for the
        column where they cancel most.
    """

    components: NDArray[np.float64]
    coef: NDArray[np.float64]
    r2: float
    explained_variance_ratio: float
    rank: int
    condition: float
    alpha: float
    n_prefix_components: int
    amplification: float


def solve_chain(
    moments: Moments,
    dims: Sequence[int],
    n_new: Sequence[int],
    *,
    regressor: str,
    alpha: float | None = None,
    rank: int | None = None,
) -> list[Level]:
    """All levels above the first, whose columns are the first model's own.

    Parameters
    ----------
    moments : Moments
        Moments of the concatenated embeddings, one block of columns a model.
    dims : sequence of int
        Widths of the blocks.
    n_new : sequence of int
        Number of columns that each model after the first adds.
    regressor : {"ols", "ridge", "pcr"}
        The regression of a model's embedding on the prefix.
    alpha : float, default=None
        Ridge penalty; None takes the minimum of generalised cross-validation, per level.
    rank : int, default=None
        Number of components of the pcr; None takes Johnstone's threshold, per level.

    Returns
    -------
    levels : list of Level
    """
    side = (_RowSide if moments.root is not None else _ColumnSide)(moments, dims[0])
    regression = {"regressor": regressor, "alpha": alpha, "rank": rank}
    levels: list[Level] = []
    to_prefix = np.eye(dims[0])
    for width, n_columns in zip(dims[1:], n_new, strict=True):
        if levels:
            side.add_columns(levels[-1].components)
            to_prefix = extend(to_prefix, levels[-1].components)
        side.show_model(width)
        levels.append(_solve_level(side, to_prefix, moments.weight, n_columns, regression))
    return levels


def extend(to_prefix: NDArray, components: NDArray) -> NDArray:
    """The map from centred columns to the prefix, one level longer."""
    padding = np.zeros((len(to_prefix), components.shape[1] - to_prefix.shape[1]))
    return np.vstack([np.hstack([to_prefix, padding]), components])


def principal_directions(
    factor: NDArray[np.float64], n_directions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Leading left singular vectors, their largest entries positive, and squared values.

    The factor, not the scatter, is decomposed: it keeps the digits of columns whose scale is
    up to a million times smaller than the largest one's.
    """
    if not factor.size:
        return np.zeros((len(factor), 0)), np.zeros(0)
    directions, singular, _ = np.linalg.svd(factor, full_matrices=False)
    directions = directions[:, :n_directions]
    largest = np.abs(directions).argmax(axis=0)
    signs = np.sign(directions[largest, np.arange(directions.shape[1])])
    return directions * signs, singular[:n_directions] ** 2


def scatter_factor(
    scatter: NDArray[np.float64], scale: NDArray[np.float64], tolerance: float
) -> NDArray[np.float64]:
    """Factor F of shape (width, rank) with F F' the scatter, on its numerical rank.

    The rank is decided on columns divided by their `scale`, by a Cholesky factorisation with
    pivoting.
    """
    inverse = _inverse_scale(scale)
    scaled = scatter * inverse
    scaled *= inverse[:, np.newaxis]
    if scaled.diagonal().max() <= tolerance:
        return np.zeros((len(scaled), 0))
    lower, pivots, rank, _ = linalg.lapack.dpstrf(scaled, tol=tolerance, lower=1)
    return _unpivoted(np.tril(lower)[:, :rank], pivots - 1, scale)


def root_factor(
    root: NDArray[np.float64], scale: NDArray[np.float64], tolerance: float
) -> NDArray[np.float64]:
    """The same from a root of the scatter, by a QR factorisation with pivoting."""
    upper, pivots = linalg.qr(root * _inverse_scale(scale), mode="r", pivoting=True)
    upper = upper[: min(root.shape)]
    rank = int(np.sum(np.diag(upper) ** 2 > tolerance))
    return _unpivoted(upper[:rank].T, pivots, scale)


def _solve_level(side, to_prefix, weight, n_new, regression):
    """Regress the model shown on the prefix, then reduce the residual."""
    start = to_prefix.shape[1]
    width = len(side.own_scale)
    spectrum = side.spectrum(scaled=regression["regressor"] == "ols")
    total = float(side.own_scale @ side.own_scale)
    fit = regress(spectrum, total, weight, **regression)
    factor = side.residual_factor(fit, tolerance=8 * width * EPS * spectrum.condition)
    rank, left = factor.shape[1], float(np.sum(factor**2))
    if regression["regressor"] == "ridge":
        rank = min(rank, max(0, int(_MOST_NEW * (weight - fit.spent))))
    basis, variances = principal_directions(factor, min(n_new, rank))

    components = np.zeros((n_new, start + width))
    n_kept = basis.shape[1]
    components[:n_kept, :start] = -(fit.coef @ basis).T @ to_prefix
    components[:n_kept, start:] = basis.T
    terms = np.linalg.norm(components[:n_kept] * side.scale, axis=1)
    return Level(
        components=components,
        coef=fit.coef,
        r2=1 - left / total if total > 0 else 0.0,
        explained_variance_ratio=min(1.0, float(variances.sum()) / left) if left > 0 else 1.0,
        rank=rank,
        condition=spectrum.condition,
        alpha=fit.alpha,
        n_prefix_components=fit.n_components,
        amplification=float(np.max(terms / np.sqrt(variances), initial=1.0)),
    )


# The two sides below walk along the chain and answer the same questions, one from the scatter and
# one from its root: how large are the columns seen so far, what is the prefix's spectrum against
# the model shown, and what is a factor of the residual's scatter. Each product is formed once,
# and of one shape whatever the length of the chain, so that a shorter one gives the same bits.


class _ColumnSide:
    """Many rows: products of columns, as the scatter holds them."""

    def __init__(self, moments, first):
        varies = moments.scale() > 0
        if varies.all():
            self.scatter = moments.scatter
        else:
            self.scatter = moments.scatter * varies * varies[:, np.newaxis]
        self.scales = np.sqrt(self.scatter.diagonal())
        self.first = self.start = self.stop = first
        self.components = []
        self.prefix = self.scatter[:first, :first]
        self.products = self.prefix  # of the prefix with all columns seen so far

    def show_model(self, width):
        self.start, self.stop = self.stop, self.stop + width
        own = slice(self.start, self.stop)
        levels = (c @ self.scatter[: c.shape[1], own] for c in self.components)
        cross = np.vstack([self.scatter[: self.first, own], *levels])
        self.products = np.hstack([self.products, cross])
        self.own = self.scatter[own, own]
        self.scale, self.own_scale = self.scales[: self.stop], self.scales[own]

    def spectrum(self, *, scaled):
        inverse = _inverse_scale(np.sqrt(self.prefix.diagonal().clip(0)), scaled)
        matrix = self.prefix * inverse
        matrix *= inverse[:, np.newaxis]
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        vectors = inverse[:, np.newaxis] * vectors[:, ::-1]
        return Spectrum(values[::-1].clip(0), vectors, vectors.T @ self.products[:, self.start :])

    def residual_factor(self, fit, tolerance):
        residual = self.own - fit.explained.T @ fit.explained
        return scatter_factor(residual, self.own_scale, tolerance)

    def add_columns(self, components):
        products = components @ self.scatter[: self.stop, : self.stop]
        cross, corner = self.products @ components.T, products @ components.T
        self.prefix = np.block([[self.prefix, cross], [cross.T, corner]])
        self.products = np.vstack([self.products, products])
        self.components.append(components)


class _RowSide:
    """Few rows: the rows themselves, so that no matrix is larger than they are."""

    def __init__(self, moments, first):
        self.root = moments.root * (moments.scale() > 0)
        self.scales = np.linalg.norm(self.root, axis=0)
        self.stop = first
        self.prefix = self.root[:, :first]

    def show_model(self, width):
        own = slice(self.stop, self.stop + width)
        self.stop += width
        self.own = self.root[:, own]
        self.scale, self.own_scale = self.scales[: self.stop], self.scales[own]

    def spectrum(self, *, scaled):
        inverse = _inverse_scale(np.linalg.norm(self.prefix, axis=0), scaled)
        left, singular, right = np.linalg.svd(self.prefix * inverse, full_matrices=False)
        cross = singular[:, np.newaxis] * (left.T @ self.own)
        return Spectrum(singular**2, inverse[:, np.newaxis] * right.T, cross)

    def residual_factor(self, fit, tolerance):
        return root_factor(self.own - self.prefix @ fit.coef, self.own_scale, tolerance)

    def add_columns(self, components):
        self.prefix = np.hstack([self.prefix, self.root[:, : self.stop] @ components.T])


def _inverse_scale(scale, scaled=True):
    """Factors to unit variance, zero for constant columns; ones where scales are to stay."""
    if not scaled:
        return np.ones_like(scale)
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def _unpivoted(factor, pivots, scale):
    """Rows of a pivoted factor in their old order and their old scale."""
    rows = np.empty_like(factor)
    rows[pivots] = factor
    rows *= scale[:, np.newaxis]
    return rows
