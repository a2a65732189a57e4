"""Sample space and feature space: what a chain computes from moments, by rows or by products.

Moments keep few rows R themselves, and of many rows the products S = R'R. Each quantity is computed
in the space in which the moments are kept, so that no array is larger than necessary. With T the
map from centred columns to a prefix, H the columns of a model, and W the weights of a regression:

    quantity                 sample space             feature space
    ---------------------    ---------------------    ---------------------------
    F with F F' = S          QR of R with pivoting    Cholesky of S with pivoting
    principal axes           SVD of R                 eigenvectors of S
    prefix                   P = R T'                 G = T S T' and T S
    its spectrum             SVD of P                 eigenvectors of G
    residual of weights W    R_H - P W                S_HH - S_HT W - W'S_TH + W'G W
    E = X M beside it        [ E, R_H - P W ]         M'(S_XH - S_XT W) beside the above
    F without directions V   R - R V V'               K K' with K = F - V V'F
"""

from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ..matrix._moments import Moments
from ._regressors import EPS, Fit, Spectrum


class SampleSpace:
    """Columns as their centred rows, times the roots of the weights.

    Parameters
    ----------
    root : ndarray of shape (n_rows, n_columns)
        R.
    """

    def __init__(self, root: NDArray[np.float64]):
        self.root = root

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """Norms of the columns."""
        return np.linalg.norm(self.root, axis=0)

    def without_constants(self, varies: NDArray[np.bool_]) -> Self:
        """Set columns that do not vary to exact zeros."""
        return type(self)(self.root * varies)

    def leading(self, n_columns: int) -> Self:
        """Take the first columns alone."""
        return type(self)(self.root[:, :n_columns])

    def joined(self, to_prefix: NDArray[np.float64], own: slice) -> Self:
        """Join the prefix that a map makes of the first columns with some other columns."""
        prefix = self.root[:, : to_prefix.shape[1]] @ to_prefix.T
        return type(self)(np.hstack([prefix, self.root[:, own]]))

    def factor(self, scale: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
        """F of shape (n_columns, rank), of the rank of the columns divided by `scale`."""
        upper, pivots = linalg.qr(self.root * inverse_scale(scale), mode="r", pivoting=True)
        upper = upper[: min(self.root.shape)]
        rank = int(np.sum(np.diag(upper) ** 2 > tolerance))
        return _unpivoted(upper[:rank].T, pivots, scale)

    def axes(self, n_axes: int) -> NDArray[np.float64]:
        """Principal axes as columns, at most as many as directions that vary."""
        _, spread, directions = linalg.svd(self.root, full_matrices=False)
        return directions.T[:, : _n_varying(spread, n_axes, max(self.root.shape))]

    def prefix(self, n_columns: int) -> NDArray[np.float64]:
        """P of the first columns."""
        return self.root[:, :n_columns]

    def beside(self, prefix: NDArray[np.float64], own: slice) -> NDArray[np.float64]:
        """Add the next model's columns, which the rows hold already."""
        return prefix

    def spectrum(self, prefix: NDArray[np.float64], own: slice, *, scaled: bool) -> Spectrum:
        """P D = U s V', D to unit variance where `scaled`; products s U'H of the axes with H."""
        inverse = inverse_scale(np.linalg.norm(prefix, axis=0), scaled)
        left, singular, right = np.linalg.svd(prefix * inverse, full_matrices=False)
        cross = singular[:, np.newaxis] * (left.T @ self.root[:, own])
        return Spectrum(singular**2, inverse[:, np.newaxis] * right.T, cross)

    def joint_residual(self, carried: Any, prefix: NDArray, own: slice, fit: Fit) -> Self:
        """Put what is left of other models, a :class:`Carried`, beside H - P W."""
        residual = self.root[:, own] - prefix @ fit.coef
        return type(self)(np.hstack([carried.space.root, residual]))

    def without(self, directions: NDArray[np.float64], factor: NDArray[np.float64]) -> Self:
        """Remove orthonormal directions from the rows."""
        return type(self)(self.root - self.root @ directions @ directions.T)

    def extended(
        self, prefix: NDArray[np.float64], components: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Extend the prefix by new columns, given as maps of all columns so far."""
        return np.hstack([prefix, self.root[:, : components.shape[1]] @ components.T])


class Products(NamedTuple):
    """A prefix in feature space.

    Each product is formed once, and of one shape whatever the length of the chain, so that a
    shorter chain gives the same bits.

    Attributes
    ----------
    gram : ndarray of shape (n_prefix, n_prefix)
        G.
    with_all : ndarray of shape (n_prefix, n_columns)
        T S, for the columns of the models so far.
    added : tuple of ndarray of shape (n_new, n_columns)
        The rows of T that new columns added.
    """

    gram: NDArray[np.float64]
    with_all: NDArray[np.float64]
    added: tuple[NDArray[np.float64], ...] = ()


class FeatureSpace:
    """Columns as their products.

    Parameters
    ----------
    scatter : ndarray of shape (n_columns, n_columns)
        S.
    """

    def __init__(self, scatter: NDArray[np.float64]):
        self.scatter = scatter

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """Norms of the columns."""
        return np.sqrt(self.scatter.diagonal())

    def without_constants(self, varies: NDArray[np.bool_]) -> Self:
        """Set columns that do not vary to exact zeros."""
        if varies.all():
            return self
        return type(self)(self.scatter * varies * varies[:, np.newaxis])

    def leading(self, n_columns: int) -> Self:
        """Take the first columns alone."""
        return type(self)(self.scatter[:n_columns, :n_columns])

    def joined(self, to_prefix: NDArray[np.float64], own: slice) -> Self:
        """Join the prefix that a map makes of the first columns with some other columns."""
        n_columns = to_prefix.shape[1]
        cross = to_prefix @ self.scatter[:n_columns, own]
        corner = to_prefix @ self.scatter[:n_columns, :n_columns] @ to_prefix.T
        return type(self)(np.block([[corner, cross], [cross.T, self.scatter[own, own]]]))

    def factor(self, scale: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
        """F of shape (n_columns, rank), of the rank of the columns divided by `scale`."""
        inverse = inverse_scale(scale)
        scaled = self.scatter * inverse
        scaled *= inverse[:, np.newaxis]
        if scaled.diagonal().max() <= tolerance:
            return np.zeros((len(scaled), 0))
        lower, pivots, rank, _ = linalg.lapack.dpstrf(scaled, tol=tolerance, lower=1)
        return _unpivoted(np.tril(lower)[:, :rank], pivots - 1, scale)

    def axes(self, n_axes: int) -> NDArray[np.float64]:
        """Principal axes as columns, at most as many as directions that vary."""
        size = len(self.scatter)
        largest = max(0, size - n_axes), size - 1
        spread, directions = linalg.eigh(self.scatter, subset_by_index=largest)
        return directions[:, ::-1][:, : _n_varying(spread[::-1], n_axes, size)]

    def prefix(self, n_columns: int) -> Products:
        """Products of the first columns."""
        gram = self.scatter[:n_columns, :n_columns]
        return Products(gram, gram)

    def beside(self, prefix: Products, own: slice) -> Products:
        """Add the products with the next model's columns."""
        first = len(prefix.gram) - sum(map(len, prefix.added))
        added = (rows @ self.scatter[: rows.shape[1], own] for rows in prefix.added)
        cross = np.vstack([self.scatter[:first, own], *added])
        return prefix._replace(with_all=np.hstack([prefix.with_all, cross]))

    def spectrum(self, prefix: Products, own: slice, *, scaled: bool) -> Spectrum:
        """D G D = V s V', D to unit variance where `scaled`; products V'D T S_H of the axes."""
        inverse = inverse_scale(np.sqrt(prefix.gram.diagonal().clip(0)), scaled)
        matrix = prefix.gram * inverse
        matrix *= inverse[:, np.newaxis]
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        vectors = inverse[:, np.newaxis] * vectors[:, ::-1]
        return Spectrum(values[::-1].clip(0), vectors, vectors.T @ prefix.with_all[:, own])

    def joint_residual(self, carried: Any, prefix: Products, own: slice, fit: Fit) -> Self:
        """Put what is left of other models, a :class:`Carried`, beside H - P W."""
        residual = self.scatter[own, own] - fit.explained.T @ fit.explained
        n_columns = len(carried.to_left)
        cross = carried.to_left.T @ self.scatter[:n_columns, own]
        cross -= (prefix.with_all[:, :n_columns] @ carried.to_left).T @ fit.coef
        return type(self)(np.block([[carried.space.scatter, cross], [cross.T, residual]]))

    def without(self, directions: NDArray[np.float64], factor: NDArray[np.float64]) -> Self:
        """Remove orthonormal directions from the rows whose products have the factor F."""
        kept = factor - directions @ (directions.T @ factor)
        return type(self)(kept @ kept.T)

    def extended(self, prefix: Products, components: NDArray[np.float64]) -> Products:
        """Extend the prefix by new columns, given as maps of all columns so far."""
        n_columns = components.shape[1]
        new = components @ self.scatter[:n_columns, :n_columns]
        cross, corner = prefix.with_all @ components.T, new @ components.T
        gram = np.block([[prefix.gram, cross], [cross.T, corner]])
        return Products(gram, np.vstack([prefix.with_all, new]), (*prefix.added, components))


def space_of(moments: Moments) -> SampleSpace | FeatureSpace:
    """Return the space in which moments are kept."""
    if moments.root is not None:
        return SampleSpace(moments.root)
    return FeatureSpace(moments.scatter)  # type: ignore[arg-type]  # one of the two is there


def varying_space(moments: Moments) -> SampleSpace | FeatureSpace:
    """Return the same, with exact zeros for columns that are constant up to rounding."""
    return space_of(moments).without_constants(moments.scale() > 0)


def principal_directions(
    factor: NDArray[np.float64], n_directions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Compute leading left singular vectors, with positive largest entries, and their share.

    Decomposing the factor instead of the scatter keeps the digits of columns whose scale is up to
    a million times smaller than that of the largest.

    Parameters
    ----------
    factor : ndarray of shape (n_columns, rank)
        F.
    n_directions : int
        Number of directions; fewer are returned if the rank is lower.

    Returns
    -------
    directions : ndarray of shape (n_columns, n_directions)
    variances : ndarray of shape (n_directions,)
        Squared singular values.
    share : float
        Their share of all variance; 1 if nothing varies.
    """
    if not factor.size:
        return np.zeros((len(factor), 0)), np.zeros(0), 1.0
    directions, singular, _ = np.linalg.svd(factor, full_matrices=False)
    directions = directions[:, :n_directions]
    largest = np.abs(directions).argmax(axis=0)
    signs = np.sign(directions[largest, np.arange(directions.shape[1])])
    variances, total = singular[:n_directions] ** 2, float(np.sum(factor**2))
    share = min(1.0, float(variances.sum()) / total) if total > 0 else 1.0
    return directions * signs, variances, share


def inverse_scale(scale: NDArray[np.float64], scaled: bool = True) -> NDArray[np.float64]:
    """Return factors to unit variance, zero for constant columns; ones if not `scaled`."""
    if not scaled:
        return np.ones_like(scale)
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def _n_varying(spread, n_axes, size):
    """Count the axes that vary; scaled to unit variance, the others would be rounding."""
    return min(n_axes, int((spread > size * EPS * spread[0]).sum()))


def _unpivoted(factor, pivots, scale):
    """Return the rows of a pivoted factor in their original order and scale."""
    rows = np.empty_like(factor)
    rows[pivots] = factor
    rows *= scale[:, np.newaxis]
    return rows
