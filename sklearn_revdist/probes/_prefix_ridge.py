"""Prefix ridge: ridge regressions on all prefixes of the columns, from one factorisation.

With centred rows X and X'X + alpha I = L L', the factor of the first k columns is the leading
block of L, and so is that of forward substitution. With z = L^-1 X'Y, the regression on the first
k columns predicts for a row x the sum of the first k terms (L^-1 x)_j z_j.

`SOLVERS` holds two methods to compute L and z:

cholesky  Factorise X'X + alpha I. Rounding grows with its condition number.
filter    Treat the columns, block by block, as observations, with S = I before the first. A block
          B has L_BB L_BB' = alpha I + B'SB and the gain Q = SB L_BB'^-1; a later block C has C'Q
          in the same columns of L, and S - QQ' replaces S. An orthogonal transformation updates a
          root of S, which is the array form of the (square-root) Kalman filter [1]_. Rounding
          grows only with the square root of the condition number, and no array is larger than
          rows x rows or rows x columns.

The filter is used for few rows, and for ill-conditioned columns, after a QR decomposition has
reduced many rows to as many as there are columns.

References
----------
.. [1] Morf, M. and Kailath, T. (1975). Square-root algorithms for least-squares estimation. IEEE
   Transactions on Automatic Control 20(4), 487-497.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

# SciPy's BLAS throughout: NumPy may come with another one, and if two thread pools are used in
# turn, their waiting threads slow each other down, tenfold on blocks as small as these.
from scipy.linalg import blas, lapack
from threadpoolctl import ThreadpoolController

from ..matrix._moments import Moments

_EPS = np.finfo(np.float64).eps
# With fewer rows per column, the filter is faster (measured).
_FEW_ROWS = 1 / 4
# Largest rounding with which the Cholesky factor is used: predictions then have nine digits.
_LARGEST_ROUNDING = 1e6 * _EPS
# With fewer rows, products of rows and a block are too small for several threads.
_MANY_ROWS = 1000
# Columns of a block of the filter, and reflectors applied at once.
_BLOCK, _REFLECTORS = 64, 32
# Number of predictions yielded at a time, so that they stay in the cache.
_CHUNK_SIZE = 2**17


def predictions(X, Y, alphas, prefixes, X_test, *, sample_weight=None, scale=True, solver="auto"):
    """Predict rows by the regressions on all prefixes, for each penalty in turn.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Training rows, finite.
    Y : ndarray of shape (n_samples, n_targets)
        Their targets, finite.
    alphas : sequence of float, of length n_alphas
        Penalties, positive, as in :class:`sklearn.linear_model.Ridge`.
    prefixes : sequence of int, of length n_prefixes
        Numbers of leading columns, increasing.
    X_test : ndarray of shape (n_rows, n_features)
        Rows to predict.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of the training rows, non-negative and not all zero.
    scale : bool, default=True
        Whether penalties are for columns of unit variance.
    solver : "auto" or a name in `SOLVERS`, default="auto"
        "auto" chooses the fastest that is accurate enough.

    Yields
    ------
    rounding : float
        For each penalty, a bound of the rounding of predictions, as a share of the targets. It
        grows as columns become dependent and the penalty small; infinite if the solver failed.
    parts : iterator of (slice, ndarray of shape (n_prefixes of the slice, n_rows, n_targets))
        Slices of `prefixes`, in order and bounded in size, and their predictions.
    """
    training = Training.of(X, Y, sample_weight, scale)
    prepared = training.prepare(X_test)
    for factor in factors(training, alphas, solver):
        terms = factor.whiten(prepared)
        yield factor.rounding, _partial_sums(terms, factor.z, training.target_mean, prefixes)


def left_out_predictions(X, Y, alphas, prefixes, *, sample_weight=None, scale=True, solver="auto"):
    """Predict each training row by the regressions on all other rows, without refitting.

    In the regression on the first k columns, a row x of weight s has the leverage
    h = s (1 / sum of weights + sum of (L^-1 x)_j^2 over j up to k); leaving the row out changes its
    residual e to e / (1 - h) [1]_. This accounts for the change of the means of the other rows; the
    scale of the columns, which is part of the penalty, stays that of all rows.

    Parameters and yields are those of :func:`predictions`, with the training rows as `X_test`.

    References
    ----------
    .. [1] Cook, R. D. and Weisberg, S. (1982). Residuals and Influence in Regression.
       Chapman and Hall, section 2.2.
    """
    training = Training.of(X, Y, sample_weight, scale)
    prepared = training.prepare(X)
    for factor in factors(training, alphas, solver):
        terms = factor.whiten(prepared)
        parts = _partial_sums(terms, factor.z, training.target_mean, prefixes)
        yield factor.rounding, _left_out(parts, terms, Y, prefixes, training)


def coefficients(X, Y, alphas, prefixes, *, sample_weight=None, scale=True, solver="auto"):
    """Compute coefficients and intercepts of the regressions on all prefixes.

    Parameters are those of :func:`predictions`.

    Yields
    ------
    rounding : float
        As for :func:`predictions`.
    linear : iterator of (coef, intercept)
        For each prefix, coefficients for the columns as they are, of shape (n_targets,
        n_features) and zero beyond the prefix, and intercepts of shape (n_targets,).
    """
    training = Training.of(X, Y, sample_weight, scale)
    for factor in factors(training, alphas, solver):
        yield factor.rounding, _coefficients(factor, training, prefixes)


class Factor(NamedTuple):
    """L and z for one penalty.

    Attributes
    ----------
    z : ndarray of shape (n_features, n_targets)
    rounding : float
        As for :func:`predictions`.
    whiten : callable
        From prepared rows x, of shape (n_rows, n_features), to rows L^-1 x. Can be pickled.
    solve_transposed : callable
        From columns z, of shape (n_features, n_columns), to columns L'^-1 z.
    """

    z: NDArray
    rounding: float
    whiten: Callable[[NDArray], NDArray]
    solve_transposed: Callable[[NDArray], NDArray]


class Training(NamedTuple):
    """Training rows [X | Y], their weights and moments, and the centre and scale of columns."""

    rows: NDArray
    sample_weight: NDArray | None
    moments: Moments
    mean: NDArray
    target_mean: NDArray
    scale: NDArray

    @classmethod
    def of(cls, X, Y, sample_weight, scale):
        """Training rows; `scale` is that of :func:`predictions`, or an array, one per column."""
        rows, n_features = np.column_stack([X, Y]), X.shape[1]
        moments = Moments.of(rows, sample_weight)
        spread = np.ones(n_features)
        if np.ndim(scale):
            spread = scale
        elif scale:
            spread = moments.scale()[:n_features] / np.sqrt(moments.weight)
            spread = np.where(spread > 0, spread, 1.0)
        return cls(rows, sample_weight, moments, *np.split(moments.mean, [n_features]), spread)

    def prepare(self, X):
        """Return rows centred and scaled, in Fortran order."""
        return np.asfortranarray((X - self.mean) / self.scale)

    def inverse_scale(self):
        """Return the inverse scales of columns and targets; targets are not scaled."""
        return np.concatenate([1 / self.scale, np.ones(len(self.target_mean))])


def factors(training, alphas, solver):
    """Yield the factor of each penalty."""
    names, n_features = [solver], len(training.mean)
    if solver == "auto":
        few_rows = len(training.rows) < _FEW_ROWS * n_features
        names = ["filter"] if few_rows else ["cholesky", "filter"]
    condensed = {}
    for alpha in alphas:
        for name in names:
            condense, factorise = SOLVERS[name]
            if name not in condensed:
                condensed[name] = condense(training)
            factor = factorise(condensed[name], n_features, alpha)
            if factor.rounding <= _LARGEST_ROUNDING:
                break
        yield factor


def _partial_sums(terms, z, target_mean, prefixes):
    """Yield predictions of whitened rows."""
    # Copied even if there is a single row, since sums are updated in place.
    sums = np.array(np.broadcast_to(target_mean, (len(terms), len(target_mean))), order="F")
    done = 0
    for part in _chunks(prefixes, sums.size):
        predicted = np.empty((part.stop - part.start, *sums.shape))
        for i, length in enumerate(prefixes[part]):
            new = slice(done, length)
            sums = blas.dgemm(1.0, terms[:, new], z[new], 1.0, sums, overwrite_c=1)
            predicted[i] = sums
            done = length
        yield part, predicted


def _left_out(parts, terms, Y, prefixes, training):
    """Yield predictions of whitened training rows, each without its own influence."""
    weights = training.sample_weight
    leverage = np.full(len(Y), 1 / training.moments.weight)
    done = 0
    for part, predicted in parts:
        left = np.empty(predicted.shape[:2])
        for i, length in enumerate(prefixes[part]):
            new = terms[:, done:length]
            leverage += np.einsum("ij,ij->i", new, new)
            left[i] = 1 - (leverage if weights is None else weights * leverage)
            done = length
        # If a row alone determines its prediction, rounding may make this negative.
        np.maximum(left, _EPS, out=left)
        predicted -= Y
        predicted /= left[:, :, np.newaxis]
        predicted += Y
        yield part, predicted


def _coefficients(factor, training, prefixes):
    """Yield coefficients and intercept of each prefix."""
    z = factor.z
    for part in _chunks(prefixes, z.size):
        lengths = np.asarray(prefixes[part])
        # L' coef = z, with z zero beyond the prefix.
        kept = np.arange(len(z))[:, np.newaxis] < lengths
        ends = np.asfortranarray((z[:, :, np.newaxis] * kept[:, np.newaxis]).reshape(len(z), -1))
        coefs = factor.solve_transposed(ends).reshape(len(z), -1, len(lengths))
        for coef in coefs.transpose(2, 1, 0) / training.scale:
            yield coef, training.target_mean - coef @ training.mean


def _chunks(prefixes, size):
    """Yield slices of the prefixes that bound memory, for arrays of `size` per prefix."""
    n_prefixes = max(1, _CHUNK_SIZE // max(1, size))
    for start in range(0, len(prefixes), n_prefixes):
        yield slice(start, min(start + n_prefixes, len(prefixes)))


def _products(training):
    """Return the products of the columns [X | Y], lower triangle, in Fortran order."""
    if training.moments.root is not None:
        return blas.dsyrk(1.0, _root(training).T, lower=1)
    inverse = training.inverse_scale()
    products = training.moments.scatter * inverse
    products *= inverse[:, np.newaxis]
    return products.T  # symmetric, and transposed in Fortran order


def _cholesky(products, n_features, alpha):
    """Factorise products of the columns."""
    lower = products[:n_features, :n_features].copy(order="F")
    squares = np.diagonal(lower) + alpha
    np.fill_diagonal(lower, squares)
    lower, failed = lapack.dpotrf(lower, lower=1, clean=0, overwrite_a=1)
    packed, _ = lapack.dtrttf(lower, uplo="L")  # half the memory, and as fast
    return Factor(
        z=blas.dtrsm(1.0, lower, products[n_features:, :n_features].T, lower=1),
        rounding=np.inf if failed else _EPS * _ratio(squares, lower),
        whiten=partial(_solve_triangle, packed, side="R"),
        solve_transposed=partial(_solve_triangle, packed, side="L"),
    )


def _solve_triangle(packed, rows, side):
    """Solve for rows (side "R") or columns (side "L")."""
    return lapack.dtfsm(1.0, packed, rows, uplo="L", trans="T", side=side)


def _root(training):
    """Return rows with the same products, at most as many as columns, in Fortran order."""
    moments, inverse = training.moments, training.inverse_scale()
    if moments.root is not None:
        return np.asfortranarray(moments.root * inverse)
    rows = (training.rows - moments.mean) * inverse
    if training.sample_weight is not None:
        rows *= np.sqrt(training.sample_weight)[:, np.newaxis]
    return linalg.qr(rows, mode="r", overwrite_a=True, check_finite=False)[0][: rows.shape[1]]


def _filter(rows, n_features, alpha):
    """Factorise rows, block by block of columns.

    A step is where a block is, its columns B, the gain Q, and L_BB'.
    """
    n_rows, columns = len(rows), rows[:, :n_features]
    # The root of S, and the targets in its coordinates.
    root = np.asfortranarray(np.hstack([np.eye(n_rows), rows[:, n_features:]]))
    steps, z = [], []
    with _threads(n_rows):
        for start in range(0, n_features, _BLOCK):
            block = columns[:, start : start + _BLOCK]
            width = block.shape[1]
            seen = blas.dgemm(1.0, root[:, :n_rows], block)
            noise = np.asfortranarray(np.sqrt(alpha) * np.eye(width))
            corner, v, t, _ = lapack.dtpqrt(
                0, min(_REFLECTORS, width), noise, seen, overwrite_a=1, overwrite_b=1
            )
            known = np.zeros((width, root.shape[1]), order="F")
            known, root, _ = lapack.dtpmqrt(
                0, v, t, known, root, trans="T", overwrite_a=1, overwrite_b=1
            )
            gain = np.asfortranarray(known[:, :n_rows].T)
            steps.append((slice(start, start + width), block, gain, corner))
            z.append(known[:, n_rows:].copy())
    squares = np.square(columns).sum(axis=0) + alpha
    return Factor(
        z=np.vstack(z),
        rounding=_EPS * np.sqrt(_ratio(squares, *(corner for *_, corner in steps))),
        whiten=partial(_whiten, steps),
        solve_transposed=partial(_solve_transposed, steps),
    )


def _whiten(steps, X):
    whitened, n_rows = np.empty_like(X), len(steps[0][1])
    explained = np.zeros((len(X), n_rows), order="F")
    with _threads(n_rows):
        for where, columns, gain, corner in steps:
            rest = blas.dgemm(-1.0, explained, columns, 1.0, X[:, where])
            rest = blas.dtrsm(1.0, corner, rest, side=1, overwrite_b=1)
            explained = blas.dgemm(1.0, rest, gain, 1.0, explained, trans_b=1, overwrite_c=1)
            whitened[:, where] = rest
    return whitened


def _solve_transposed(steps, z):
    solved, n_rows = np.empty_like(z), len(steps[0][1])
    predicted = np.zeros((n_rows, z.shape[1]), order="F")
    with _threads(n_rows):
        for where, columns, gain, corner in reversed(steps):
            rest = blas.dgemm(-1.0, gain, predicted, 1.0, z[where], trans_a=1)
            rest = blas.dtrsm(1.0, corner, rest, overwrite_b=1)
            predicted = blas.dgemm(1.0, columns, rest, 1.0, predicted, overwrite_c=1)
            solved[where] = rest
    return solved


# Functions that condense the training rows, once for all penalties, and factorise the result.
SOLVERS = {"cholesky": (_products, _cholesky), "filter": (_root, _filter)}


def _ratio(squares, *triangles):
    """Return the largest ratio of a column's sum of squares to the part that is new in it."""
    new = np.concatenate([np.diagonal(triangle) for triangle in triangles])
    return float(np.max(squares / new**2))


@cache
def _thread_pools():
    return ThreadpoolController()


def _threads(n_rows) -> AbstractContextManager:
    """Limit BLAS to one thread for few rows: on a busy machine, two took ten times longer."""
    if n_rows >= _MANY_ROWS:
        return nullcontext()
    return _thread_pools().limit(limits=1, user_api="blas")
