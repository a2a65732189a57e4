"""The chain: from the moments of [H1 | H2 | ...] to nested, orthogonal columns.

Level by level, the next model's embedding is regressed on the columns accumulated so far, and
the principal directions of what is left become the new columns (Catrina et al., 2026,
Algorithm 3). Every regressor here is a filter on the spectrum of the prefix:

    ols     f(s) = 1 / s          on the numerical rank
    ridge   f(s) = 1 / (s + alpha)
    pcr     f(s) = 1 / s          on the leading components

A level is computed from the moments of its own and the smaller models' columns alone, so a
longer chain repeats a shorter one bit for bit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ._moments import Moments

_EPS = np.finfo(np.float64).eps

# Penalties to choose from, times the number of rows: ten a decade.
_RELATIVE_ALPHAS = np.geomspace(1e-9, 1e3, 121)


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
        Numerical rank of the residual; at most `rank` new columns are not zero.
    condition : float
        Condition number of the prefix with unit-variance columns, on its numerical rank.
    alpha : float
        Penalty of the regression on unit-variance columns; zero unless it is a ridge.
    n_prefix_components : int
        Number of principal components of the prefix that the regression uses.
    """

    components: NDArray[np.float64]
    coef: NDArray[np.float64]
    r2: float
    explained_variance_ratio: float
    rank: int
    condition: float
    alpha: float
    n_prefix_components: int


def solve_chain(
    moments: Moments,
    dims: list[int],
    n_new: list[int],
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
    dims : list of int
        Widths of the blocks.
    n_new : list of int
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
    varies = moments.scale() > 0
    moments = Moments(moments.weight, moments.mean, moments.scatter * varies * varies[:, None])
    levels: list[Level] = []
    to_prefix = np.eye(dims[0])
    stop = dims[0]
    for width, n_columns in zip(dims[1:], n_new, strict=True):
        stop += width
        level = _solve_level(moments.leading(stop), to_prefix, n_columns, regressor, alpha, rank)
        levels.append(level)
        padding = np.zeros((len(to_prefix), width))
        to_prefix = np.vstack([np.hstack([to_prefix, padding]), level.components])
    return levels


def _solve_level(moments, to_prefix, n_new, regressor, alpha, rank):
    """Regress the last block of columns on the prefix, then reduce the residual."""
    start = to_prefix.shape[1]
    width = moments.mean.size - start
    to_own = to_prefix @ moments.scatter[:start]
    prefix_scatter = to_own[:, :start] @ to_prefix.T
    cross_scatter = to_own[:, start:]
    own_scatter = moments.scatter[start:, start:]

    spectrum = _Spectrum.of(prefix_scatter, cross_scatter, scaled=regressor != "pcr")

    if regressor == "ols":
        alpha, n_components = 0.0, spectrum.rank
    elif regressor == "ridge":
        n_components = spectrum.rank
        if alpha is None:
            alpha = _generalised_cross_validation(spectrum, own_scatter, moments.weight)
    else:
        alpha, n_components = 0.0, rank
        if rank is None:
            n_components = _johnstone_rank(spectrum.values, moments.weight)
        n_components = min(n_components, spectrum.rank)
    filters = np.zeros_like(spectrum.values)
    filters[:n_components] = 1 / (spectrum.values[:n_components] + alpha)
    coef = spectrum.coef(filters)

    # H'H - H'A W - W'A'H + W'A'A W, in the coordinates where A'A is diagonal.
    explained = spectrum.cross * np.sqrt(filters * (2 - filters * spectrum.values))[:, np.newaxis]
    residual_scatter = own_scatter - explained.T @ explained
    basis, variances, residual_rank = _principal_directions(
        residual_scatter,
        np.sqrt(np.diag(own_scatter)),
        n_new,
        tolerance=8 * width * _EPS * spectrum.condition,
    )

    components = np.zeros((n_new, start + width))
    n_kept = basis.shape[1]
    components[:n_kept, :start] = -(coef @ basis).T @ to_prefix
    components[:n_kept, start:] = basis.T
    total, left = np.trace(own_scatter), np.trace(residual_scatter)
    return Level(
        components=components,
        coef=coef,
        r2=1 - left / total if total > 0 else 0.0,
        explained_variance_ratio=min(1.0, variances.sum() / left) if residual_rank else 1.0,
        rank=residual_rank,
        condition=spectrum.condition,
        alpha=alpha,
        n_prefix_components=n_components,
    )


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """The prefix's scatter in its principal axes, with the cross scatter there.

    values : (n_prefix,) descending; vectors : (n_prefix, n_prefix), scaling included;
    cross : (n_prefix, width); rank and condition of the scaled prefix.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    cross: NDArray[np.float64]
    rank: int
    condition: float

    @classmethod
    def of(cls, prefix_scatter, cross_scatter, *, scaled):
        """Principal axes of unit-variance columns, or of the columns as they are."""
        scale = np.sqrt(np.diag(prefix_scatter).clip(0)) if scaled else np.ones(len(prefix_scatter))
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        matrix = prefix_scatter * inverse * inverse[:, np.newaxis]
        values, vectors = linalg.eigh((matrix + matrix.T) / 2)
        values, vectors = values[::-1].clip(0), vectors[:, ::-1]
        rank = int(np.sum(values > 4 * len(values) * _EPS * values[0]))
        condition = float(np.sqrt(values[0] / values[rank - 1])) if rank else 1.0
        vectors = inverse[:, np.newaxis] * vectors
        return cls(values, vectors, vectors.T @ cross_scatter, rank, condition)

    def coef(self, filters):
        """Regression coefficients of the filtered spectrum."""
        return self.vectors @ (filters[:, np.newaxis] * self.cross)


def _generalised_cross_validation(spectrum, own_scatter, weight):
    """Penalty that minimises (RSS / n) / (1 - degrees of freedom / n)^2.

    Golub, Heath and Wahba (1979), Technometrics 21:215; one penalty for all columns of the
    block, the intercept counted as a degree of freedom. The criterion is flat at its minimum:
    a grid makes the choice the same bits for moments that differ by rounding.
    """
    if not spectrum.rank:
        return weight
    values = spectrum.values[: spectrum.rank]
    power = np.einsum("ij,ij->i", spectrum.cross, spectrum.cross)[: spectrum.rank]
    total = np.trace(own_scatter)
    alphas = weight * _RELATIVE_ALPHAS
    shrunk = 1 / (values + alphas[:, np.newaxis])
    rss = total - (shrunk * (2 - shrunk * values)) @ power
    free = 1 - (1 + shrunk @ values) / weight
    return float(alphas[np.argmin(rss.clip(_EPS * total) / free.clip(_EPS) ** 2)])


def _johnstone_rank(values, weight):
    """Number of components above the noise edge of random-matrix theory.

    Johnstone (2001), Annals of Statistics 29:295: the largest eigenvalue of pure noise of
    variance v tends to v (1 + sqrt(p / n))^2. As in the published method, the noise level is
    the median of the eigenvalues that lie below that edge for v = the mean eigenvalue, and
    where nothing stands out the components that hold 95 % of the variance are kept.
    """
    eigenvalues = values / (weight - 1)
    edge = (1 + np.sqrt(len(values) / weight)) ** 2
    if not eigenvalues.any():
        return 0
    noise = eigenvalues[eigenvalues < edge * eigenvalues.mean()]
    n_components = int(np.sum(eigenvalues > edge * np.median(noise)))
    if n_components == 0:
        share = np.cumsum(eigenvalues) / eigenvalues.sum()
        n_components = int(np.searchsorted(share, 0.95)) + 1
    return n_components


def _principal_directions(scatter, scale, n_directions, tolerance):
    """Leading principal directions of a scatter, on its numerical rank.

    The rank is decided on columns scaled to unit variance; a Cholesky factor with pivoting
    carries the answer back to the columns as they are, however different their scales.

    Returns
    -------
    directions : ndarray of shape (width, min(n_directions, rank)), signs fixed
    variances : ndarray of the directions' sums of squares, descending
    rank : int
    """
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    matrix = scatter * inverse * inverse[:, np.newaxis]
    if matrix.diagonal().max() <= tolerance:
        return np.zeros((len(scatter), 0)), np.zeros(0), 0
    factor, pivots, rank, _ = linalg.lapack.dpstrf(matrix, tol=tolerance, lower=1)
    factor = np.tril(factor)[:, :rank]
    rows = np.empty_like(factor)
    rows[pivots - 1] = factor
    directions, singular, _ = linalg.svd(
        rows * scale[:, np.newaxis], full_matrices=False, check_finite=False
    )
    directions = directions[:, :n_directions]
    largest = np.argmax(np.abs(directions), axis=0)
    directions = directions * np.sign(directions[largest, np.arange(directions.shape[1])])
    return directions, singular[:n_directions] ** 2, rank
