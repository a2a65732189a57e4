"""Prefix ridge: the ridge regressions on all prefixes of the columns, from one factorisation.

With centred rows X and X'X + alpha I = L L', the factor of the first k columns is the leading
block of L, and forward substitution nests likewise. With z = L^-1 X'Y, the regression on the
first k columns predicts for a row x the sum of the first k terms (L^-1 x)_j z_j.

Two ways lead to L and z:

by columns   the Cholesky factor of X'X + alpha I, whose rounding grows with its condition;
by rows      the columns, block by block, as observations that a root of S = I learns from: a
             block B has L_BB L_BB' = alpha I + B'SB and Q = SB L_BB'^-1, a later block C has
             C'Q in the same columns of L, and S - QQ' takes the place of S. An orthogonal
             transformation of the root does it (the array form of the Kalman filter), so that
             rounding grows with the square root of the condition only, and nothing larger than
             rows x rows and rows x columns is made.

The second serves few rows, and ill-conditioned columns after a QR decomposition has replaced
many rows by as many as there are columns.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache, cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

# SciPy's BLAS throughout: NumPy may bring another, and the waiting threads of two pools that
# are used in turn slow each other down, tenfold on blocks as small as these.
from scipy.linalg import blas, lapack
from threadpoolctl import ThreadpoolController

from ._moments import Moments

_EPS = np.finfo(np.float64).eps
# With fewer rows than this share of the columns, the way by rows is the faster one (measured).
_FEW_ROWS = 1 / 4
# Largest ratio of a column's sum of squares to what is new in it for which the Cholesky factor
# is taken: predictions then keep nine digits.
_LARGEST_RATIO = 1e6
# With fewer rows than this, products of rows and a block are too small to share among threads.
_MANY_ROWS = 1000
# Columns of a block by rows, and reflectors applied at once.
_BLOCK, _REFLECTORS = 64, 32
# Predictions are handed out so many at a time, which stay in the cache.
_CHUNK_SIZE = 2**17


class Factor(Protocol):
    """L and z of one penalty."""

    z: NDArray[np.float64]
    rounding: float

    def whiten(self, X: NDArray) -> NDArray:
        """The rows L^-1 x of prepared rows x."""

    def solve_transposed(self, z: NDArray) -> NDArray:
        """The columns L'^-1 z of columns z."""


class Training:
    """Training rows, centred, and what all penalties share of them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The columns, finite.
    Y : ndarray of shape (n_samples, n_targets)
        The targets, finite.
    sample_weight : ndarray of shape (n_samples,) or None
        Non-negative weights, not all zero.
    scale : bool
        Whether penalties are those of columns of unit variance.

    Attributes
    ----------
    Y, sample_weight : ndarray of shape (n_samples, n_targets), ndarray or None
        As given.
    mean, target_mean : ndarray of shape (n_features,), (n_targets,)
        Weighted means.
    weight : float
        Number of rows, or the sum of their weights.
    scale : ndarray of shape (n_features,)
        Weighted standard deviations, 1 for columns that are constant; or ones.
    """

    def __init__(self, X, Y, sample_weight, *, scale):
        self._rows, self.sample_weight, self.Y = np.column_stack([X, Y]), sample_weight, Y
        self._n_features = X.shape[1]
        self._moments = Moments.of(self._rows, sample_weight)
        self.mean, self.target_mean = np.split(self._moments.mean, [self._n_features])
        self.weight, self.scale = self._moments.weight, np.ones(self._n_features)
        if scale:
            spread = self._moments.scale()[: self._n_features] / np.sqrt(self.weight)
            self.scale = np.where(spread > 0, spread, 1.0)

    def prepared(self, X: NDArray) -> NDArray:
        """Rows as regressions see them: centred and scaled, columns first."""
        return np.asfortranarray((X - self.mean) / self.scale)

    @cached_property
    def prepared_rows(self) -> NDArray:
        """The training rows themselves."""
        return self.prepared(self._rows[:, : self._n_features])

    def ridges(self, alpha: float) -> "PrefixRidges":
        """The regressions on all prefixes, with one penalty.

        Parameters
        ----------
        alpha : float
            Penalty, positive, as in :class:`sklearn.linear_model.Ridge`.

        Returns
        -------
        ridges : PrefixRidges
        """
        root = self._moments.root
        factor = None
        if root is None or len(root) >= _FEW_ROWS * self._n_features:
            factor = _by_columns(self._scatter, self._n_features, alpha)
        if factor is None:
            factor = _RowFactor(self._root, self._n_features, alpha)
        return PrefixRidges(self, factor)

    @cached_property
    def _scatter(self):
        """X and Y's joint matrix of products, its lower triangle, columns first."""
        if self._moments.root is not None:
            return blas.dsyrk(1.0, self._root.T, lower=1)
        inverse = self._inverse_scale
        scatter = self._moments.scatter * inverse
        scatter *= inverse[:, np.newaxis]
        return scatter.T  # symmetric, its columns lie together

    @cached_property
    def _root(self):
        """At most as many rows as columns with the same products, columns first."""
        if self._moments.root is not None:
            return np.asfortranarray(self._moments.root * self._inverse_scale)
        rows = (self._rows - self._moments.mean) * self._inverse_scale
        if self.sample_weight is not None:
            rows *= np.sqrt(self.sample_weight)[:, np.newaxis]
        return linalg.qr(rows, mode="r", overwrite_a=True, check_finite=False)[0][: rows.shape[1]]

    @property
    def _inverse_scale(self):
        """Of columns and targets."""
        return np.concatenate([1 / self.scale, np.ones(self.Y.shape[1])])


class PrefixRidges:
    """Ridge regressions on all prefixes, with one penalty.

    Parameters
    ----------
    training : Training
        What they were fitted on.
    factor : Factor
        L and z.

    Attributes
    ----------
    rounding : float
        How far rounding may move predictions, as a share of the targets' size: it grows as
        columns depend on each other and the penalty vanishes.
    """

    def __init__(self, training, factor):
        self._training, self._factor = training, factor
        self.rounding = factor.rounding

    def predictions(
        self, prepared: NDArray, prefixes: NDArray
    ) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Predictions of the regressions on some prefixes.

        Parameters
        ----------
        prepared : ndarray of shape (n_rows, n_features)
            Rows, from :meth:`Training.prepared`.
        prefixes : ndarray of shape (n_prefixes,)
            Lengths, increasing.

        Yields
        ------
        part : slice
            Of `prefixes`; the parts are in order and bounded in size.
        predicted : ndarray of shape (n_prefixes of the part, n_rows, n_targets)
            Predictions.
        """
        return self._predictions(self._factor.whiten(prepared), prefixes)

    def left_out_predictions(
        self, prefixes: NDArray
    ) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Prediction of each training row by the regressions on all others, without refitting.

        A row x of weight s has the leverage h = s (1 / sum of weights + sum of (L^-1 x)_j^2) on
        the regression on the first columns j, and leaving it out takes its residual e to
        e / (1 - h) [1]_. Means and squares of the others change with it; the scale, which is part
        of the penalty, does not.

        Parameters
        ----------
        prefixes : ndarray of shape (n_prefixes,)
            Lengths, increasing.

        Yields
        ------
        part, predicted
            As :meth:`predictions`, of all training rows.

        References
        ----------
        .. [1] Cook, R. D. and Weisberg, S. (1982). Residuals and Influence in Regression.
           Chapman and Hall, section 2.2.
        """
        training = self._training
        Y, weights = training.Y, training.sample_weight
        terms = self._factor.whiten(training.prepared_rows)
        leverage = np.full(len(Y), 1 / training.weight)
        done = 0
        for part, predicted in self._predictions(terms, prefixes):
            left = np.empty(predicted.shape[:2])
            for i, length in enumerate(prefixes[part]):
                new = terms[:, done:length]
                leverage += np.einsum("ij,ij->i", new, new)
                left[i] = 1 - (leverage if weights is None else weights * leverage)
                done = length
            # Where a row alone decides its prediction, rounding may leave less than nothing.
            np.maximum(left, _EPS, out=left)
            predicted -= Y
            predicted /= left[:, :, np.newaxis]
            predicted += Y
            yield part, predicted

    def _predictions(self, terms, prefixes):
        """Predictions of whitened rows."""
        z, target_mean = self._factor.z, self._training.target_mean
        # A copy also where there is one row, since sums are taken in place.
        sums = np.array(np.broadcast_to(target_mean, (len(terms), len(target_mean))), order="F")
        n_prefixes = max(1, _CHUNK_SIZE // max(1, sums.size))
        done = 0
        for first in range(0, len(prefixes), n_prefixes):
            lengths = prefixes[first : first + n_prefixes]
            part = np.empty((len(lengths), *sums.shape))
            for i, length in enumerate(lengths):
                new = slice(done, length)
                sums = blas.dgemm(1.0, terms[:, new], z[new], 1.0, sums, overwrite_c=1)
                part[i] = sums
                done = length
            yield slice(first, first + len(lengths)), part

    def coefs(self, prefixes: NDArray) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Coefficients and intercepts of the regressions on some prefixes, one by one.

        Parameters
        ----------
        prefixes : ndarray of shape (n_prefixes,)
            Lengths, increasing.

        Yields
        ------
        coef : ndarray of shape (n_targets, n_features)
            Coefficients, zero beyond the prefix.
        intercept : ndarray of shape (n_targets,)
        """
        mean, target_mean = self._training.mean, self._training.target_mean
        scale, z = self._training.scale, self._factor.z
        n_prefixes = max(1, _CHUNK_SIZE // z.size)
        for first in range(0, len(prefixes), n_prefixes):
            lengths = np.asarray(prefixes[first : first + n_prefixes])
            # L' coef = z, where z ends with the prefix.
            kept = np.arange(len(z))[:, np.newaxis] < lengths
            ends = np.asfortranarray(
                (z[:, :, np.newaxis] * kept[:, np.newaxis]).reshape(len(z), -1)
            )
            coefs = self._factor.solve_transposed(ends).reshape(len(z), -1, len(lengths))
            for coef in coefs.transpose(2, 1, 0) / scale:
                yield coef, target_mean - coef @ mean


def _by_columns(scatter, n_features, alpha):
    """The Cholesky factor; None where the columns are too ill-conditioned for it."""
    lower = scatter[:n_features, :n_features].copy(order="F")
    squares = np.diagonal(lower) + alpha
    np.fill_diagonal(lower, squares)
    lower, failed = lapack.dpotrf(lower, lower=1, clean=0, overwrite_a=1)
    if failed:
        return None
    ratio = _ratio(squares, lower)
    if ratio > _LARGEST_RATIO:
        return None
    return _ColumnFactor(lower, scatter[n_features:, :n_features].T, ratio)


def _ratio(squares, *triangles):
    """Largest ratio of a column's sum of squares to what is new in it."""
    new = np.concatenate([np.diagonal(triangle) for triangle in triangles])
    return float(np.max(squares / new**2))


@cache
def _thread_pools():
    return ThreadpoolController()


def _threads(n_rows) -> AbstractContextManager:
    """One thread for few rows: waiting for a second, on a busy machine, took ten times longer."""
    if n_rows >= _MANY_ROWS:
        return nullcontext()
    return _thread_pools().limit(limits=1, user_api="blas")


class _ColumnFactor:
    def __init__(self, lower, cross, ratio):
        self._lower = lower
        self.rounding = _EPS * ratio
        self.z = blas.dtrsm(1.0, lower, cross, lower=1)

    def whiten(self, X):
        return blas.dtrsm(1.0, self._lower, X, side=1, lower=1, trans_a=1)

    def solve_transposed(self, z):
        return blas.dtrsm(1.0, self._lower, z, lower=1, trans_a=1)


class _RowFactor:
    def __init__(self, rows, n_features, alpha):
        self._columns, targets = rows[:, :n_features], rows[:, n_features:]
        self._blocks = [
            slice(start, min(start + _BLOCK, n_features)) for start in range(0, n_features, _BLOCK)
        ]
        self._corners = []
        self._gains = np.empty_like(self._columns)  # Q
        self.z = np.empty((n_features, targets.shape[1]), order="F")
        n_rows = len(rows)
        # The root of S, and the targets seen from there.
        root = np.asfortranarray(np.hstack([np.eye(n_rows), targets]))
        with _threads(n_rows):
            for block in self._blocks:
                width = block.stop - block.start
                seen = blas.dgemm(1.0, root[:, :n_rows], self._columns[:, block])
                noise = np.asfortranarray(np.sqrt(alpha) * np.eye(width))
                upper, v, t, _ = lapack.dtpqrt(
                    0, min(_REFLECTORS, width), noise, seen, overwrite_a=1, overwrite_b=1
                )
                known = np.zeros((width, root.shape[1]), order="F")
                known, root, _ = lapack.dtpmqrt(
                    0, v, t, known, root, trans="T", overwrite_a=1, overwrite_b=1
                )
                self._corners.append(upper)
                self._gains[:, block] = known[:, :n_rows].T
                self.z[block] = known[:, n_rows:]
        squares = np.square(self._columns).sum(axis=0) + alpha
        self.rounding = _EPS * np.sqrt(_ratio(squares, *self._corners))

    def whiten(self, X):
        whitened = np.empty_like(X)
        explained = np.zeros((len(X), len(self._columns)), order="F")
        with _threads(len(self._columns)):
            for block, upper in zip(self._blocks, self._corners, strict=True):
                rest = blas.dgemm(-1.0, explained, self._columns[:, block], 1.0, X[:, block])
                rest = blas.dtrsm(1.0, upper, rest, side=1, overwrite_b=1)
                explained = blas.dgemm(
                    1.0, rest, self._gains[:, block], 1.0, explained, trans_b=1, overwrite_c=1
                )
                whitened[:, block] = rest
        return whitened

    def solve_transposed(self, z):
        solved = np.empty_like(z)
        predicted = np.zeros((len(self._columns), z.shape[1]), order="F")
        with _threads(len(self._columns)):
            for block, upper in zip(reversed(self._blocks), reversed(self._corners), strict=True):
                rest = blas.dgemm(-1.0, self._gains[:, block], predicted, 1.0, z[block], trans_a=1)
                rest = blas.dtrsm(1.0, upper, rest, overwrite_b=1)
                columns = self._columns[:, block]
                predicted = blas.dgemm(1.0, columns, rest, 1.0, predicted, overwrite_c=1)
                solved[block] = rest
        return solved
