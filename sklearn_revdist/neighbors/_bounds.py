"""Bounds: products in single precision that tell which rows are too far away, and never err.

Points are centred, and rotated so that a few coordinates, their head `h`, hold most of the
variance; what is left of a point has the length `r`. By the inequality of Cauchy and Schwarz

    |x - y|^2  >=  |x|^2 + |y|^2 - 2 (h_x . h_y + r_x r_y),

so that one product of narrow matrices bounds all distances from below. A product of w terms in
precision u is off by at most w u / (1 - w u) times the sum of their magnitudes, in whatever order
they are added [1]_, and that sum is at most the mean of both squared lengths. So squared lengths
are taken to be shorter than they are, by twice that share and a little.

There are stages: short heads first, then longer ones, then whole rows, each for the queries that
those before it leave too many rows to.

.. [1] Higham, N. J. (2002). Accuracy and Stability of Numerical Algorithms. SIAM, section 3.1.
"""

from collections.abc import Callable
from itertools import pairwise
from math import frexp
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..matrix._finite import check_finite
from ._space import Space

# Numbers of the rows that are prepared at a time.
_CHUNK_SIZE = 2**18
# With fewer rows or columns, heads would cost more than they save.
_FEW_ROWS, _FEW_COLUMNS = 2**13, 64
# Columns of a product of long heads: a fifth of all, within these bounds. Short ones have half.
NARROWEST, _WIDEST, _SHARE = 32, 256, 5
# Beyond so many times the spread, products might overflow.
_FAR = 1e15
# Covers directions that are not quite orthonormal, and products too small for single precision.
_SLACK, _TINY = 1e-11, 1e-29


def nothing() -> None:
    """Do nothing."""


class Block(NamedTuple):
    """Consecutive training rows, with what their bounds need.

    Attributes
    ----------
    first : int
        Number of the first row.
    rows : ndarray of shape (n_rows, n_features)
    heads : ndarray of shape (n_rows, 1 + n_heads + n_coordinates), float32, or None
        Half the squared length, the length of the rest for each length of head, and the longest
        head.
    halves : ndarray of shape (n_rows,)
        Half the squared length, for products of whole rows.
    far : ndarray of int
        Rows that are too far away for bounds.
    release : callable
        Called when rows have been read.
    """

    first: int
    rows: NDArray
    heads: NDArray[np.float32] | None
    halves: NDArray
    far: NDArray[np.int64]
    release: Callable[[], None]

    def parts(self, n_parts: int) -> list["Block"]:
        """Parts of about equally many rows."""
        ends = (np.arange(n_parts + 1) * len(self.rows) // n_parts).tolist()
        parts = []
        for start, stop in pairwise(ends):
            rows, halves = self.rows[start:stop], self.halves[start:stop]
            heads = None if self.heads is None else self.heads[start:stop]
            far = self.far[(self.far >= start) & (self.far < stop)] - start
            parts.append(Block(self.first + start, rows, heads, halves, far, self.release))
        return parts


class Queries(NamedTuple):
    """Rows whose neighbours are asked for.

    Attributes
    ----------
    rows : ndarray of shape (n_queries, n_features)
    own : ndarray of shape (n_queries,), int64
        Numbers, or groups, of the training rows that they are; -1 for others.
    points : ndarray of shape (n_queries, n_columns), float64
    heads : ndarray of shape (n_queries, 1 + n_heads + n_coordinates), float32
        As those of rows, with -1 in place of half the squared length.
    squares : ndarray of shape (n_queries,), float64
        Squared length of the centred point; minus infinity if it is too far away for bounds.
    """

    rows: NDArray
    own: NDArray[np.int64]
    points: NDArray[np.float64]
    heads: NDArray[np.float32]
    squares: NDArray[np.float64]


class Frame(NamedTuple):
    """Coordinates in which bounds are computed.

    Attributes
    ----------
    space : Space
    centre : ndarray of shape (n_columns,), float64
        Subtracted from points.
    unit : float
        Factor of points, a power of two, after which their lengths are about 1.
    basis : ndarray of shape (n_columns, n_coordinates), float64
        Orthonormal directions of the longest heads.
    lengths : tuple of int
        Numbers of coordinates in the heads of each stage but the last, increasing.
    plain : dtype or None
        That of rows if they are multiplied as they are, neither centred nor copied.
    """

    space: Space
    centre: NDArray[np.float64]
    unit: float
    basis: NDArray[np.float64]
    lengths: tuple[int, ...]
    plain: np.dtype | None

    @classmethod
    def of(cls, sample: NDArray, space: Space, n_rows: int, widest: int | None = None) -> Self:
        """Choose the coordinates for so many rows, given a sample of them.

        Parameters
        ----------
        sample : ndarray of shape (n_sampled, n_features)
        space : Space
        n_rows : int
        widest : int, default=None
            Most columns in a product of heads, at least `NARROWEST`.

        Returns
        -------
        frame : Frame
        """
        n_columns, points = space.n_columns, space.points(sample)
        points = points[np.isfinite(_squares(points))]  # others are refused when they are prepared
        if len(points) == 0:
            points = np.zeros((1, n_columns))
        centre = points.mean(axis=0)
        points -= centre
        spread = float(np.sqrt(_squares(points).mean()))
        unit = 2.0 ** min(-frexp(spread)[1], 1000) if spread > 0 else 1.0
        lengths: tuple[int, ...] = ()
        if n_rows >= _FEW_ROWS and n_columns >= _FEW_COLUMNS:
            width = min(max(n_columns // _SHARE, NARROWEST), _WIDEST, widest or _WIDEST)
            width -= width % NARROWEST
            widths = [width] if width < 2 * NARROWEST else [width // 2, width]
            lengths = tuple(width - 1 - len(widths) for width in widths)
        basis = _principal_directions(points * unit, max(lengths, default=0))
        plain = None
        if space.scale is None and not space.is_cosine and 2.0**-40 < unit < 2.0**40:
            offset = np.square(unit * centre).sum() * _shortening(n_columns + 1, sample.dtype)
            suits = sample.dtype in (np.float32, np.float64) and offset < 1e-3
            plain = sample.dtype if suits else None
        return cls(space, centre, unit, basis, lengths, plain)

    @property
    def dtype(self) -> np.dtype:
        """That of products of whole rows."""
        return np.dtype(np.float32) if self.plain is None else self.plain

    def prepare(
        self,
        rows: NDArray,
        first: int,
        *,
        heads: bool = True,
        run: Callable = map,
        release: Callable[[], None] = nothing,
    ) -> Block:
        """Compute what the bounds of rows need.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
        first : int
            Number of the first.
        heads : bool, default=True
            Whether there are to be heads, if the frame has any.
        run : callable, default=map
            Like `map`; may use threads.
        release : callable, default=nothing
            Called now and then, when rows have been read.

        Returns
        -------
        block : Block

        Raises
        ------
        ValueError
            If a row is not finite, its squares overflow, or it has no direction though the metric
            needs one.
        """
        width = 1 + len(self.lengths) + self.basis.shape[1]
        prepared = np.empty((len(rows), width), np.float32) if heads and self.lengths else None
        halves, is_far = np.empty(len(rows), self.dtype), np.empty(len(rows), bool)
        step = max(1, _CHUNK_SIZE // self.space.n_columns)

        def prepare_part(start):
            part = slice(start, start + step)
            points = self.space.points(rows[part])
            whole = self._plain_squares(points)
            points, squares, is_far[part] = self._coordinates(points, rows[part], first + start)
            whole = squares if whole is None else np.where(is_far[part], 0, whole)
            halves[part] = self._half(whole, len(self.lengths))
            if prepared is not None:
                prepared[part, 0] = self._half(squares, 0)
                prepared[part, 1:] = self._heads(points, squares)
            release()

        list(run(prepare_part, range(0, len(rows), step)))
        return Block(first, rows, prepared, halves, np.flatnonzero(is_far), release)

    def queries(self, rows: NDArray, own: NDArray[np.int64], first: int) -> Queries:
        """Compute what the bounds of queries need; `first` is the number of the first, for errors.

        Raises
        ------
        ValueError
            As for :meth:`prepare`.
        """
        points = self.space.points(rows)
        coordinates, squares, is_far = self._coordinates(points.copy(), rows, first)
        heads = np.full((len(rows), 1 + len(self.lengths) + self.basis.shape[1]), -1, np.float32)
        heads[:, 1:] = self._heads(coordinates, squares)
        squares[is_far] = -np.inf
        return Queries(rows, own, points, heads, squares)

    def leading(self, rows: NDArray, heads: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Coordinates of the longest heads, or all if there are none."""
        if heads is None or not self.lengths:
            return self._single(self.space.points(rows))
        return np.ascontiguousarray(heads[:, 1 + len(self.lengths) :])

    def products(self, queries: Queries, stage: int, block: Block, out: NDArray) -> None:
        """Bounds of the scalar products, less half the squared lengths of the rows.

        Parameters
        ----------
        queries : Queries
        stage : int
            Index into `lengths`, or its length for products of whole rows.
        block : Block
        out : ndarray of shape (n_rows, n_queries), float32 or `dtype`
        """
        with np.errstate(over="ignore", invalid="ignore"):
            if stage < len(self.lengths):
                # BLAS is faster with the many rows on the left
                right = queries.heads[:, : self.width(stage)].copy()
                right[:, [1 + i for i in range(len(self.lengths)) if i != stage]] = 0
                np.matmul(block.heads[:, : self.width(stage)], right.T, out=out)
            else:
                self._whole_products(queries, block, out)
        out[block.far] = np.inf

    def width(self, stage: int) -> int:
        """Number of columns in the products of a stage."""
        if stage < len(self.lengths):
            return 1 + len(self.lengths) + self.lengths[stage]
        return self.space.n_columns

    def thresholds(
        self, queries: Queries, distances: NDArray[np.float64] | float, stage: int
    ) -> NDArray:
        """Products of a stage below which a row is farther away than a distance."""
        squares = queries.squares
        if stage == len(self.lengths) and self.plain is not None:
            squares = np.where(np.isneginf(squares), squares, self._plain_squares(queries.points))
        with np.errstate(over="ignore"):
            reach = self.space.squared(distances, self.unit)
            # rounding of the distances, and squares that are too small for double precision
            reach = reach * (1 + (self.space.n_columns + 8) * 2.0**-50)
            reach = reach + np.square(self.unit * 2.0**-530 * self.space.n_columns)
            half = self._half(squares, stage)
            dtype = np.dtype(np.float32) if stage < len(self.lengths) else self.dtype
            least = (half - reach / 2 - _TINY).astype(dtype)
        # excluded pairs are at minus infinity, and stay excluded
        return np.maximum(np.nextafter(least, dtype.type(-np.inf)), np.finfo(dtype).min)

    def _whole_products(self, queries, block, out):
        right, n_columns = queries.points.copy(), self.space.n_columns
        if self.plain is not None:
            right *= self.unit**2
            right[np.isneginf(queries.squares)] = 0
            np.matmul(block.rows[:, :n_columns], right.astype(self.dtype).T, out=out)
        else:
            right = self._single(right)
            step = max(1, _CHUNK_SIZE // n_columns)
            for start in range(0, len(block.rows), step):
                part = slice(start, start + step)
                left = self._single(self.space.points(block.rows[part]))
                np.matmul(left, right.T, out=out[part])
        out -= block.halves[:, None]

    def _shortening(self, stage):
        if stage < len(self.lengths):
            return _shortening(self.width(len(self.lengths) - 1), np.float32)
        return _shortening(self.space.n_columns + 1, self.dtype)

    def _half(self, squares, stage):
        return 0.5 * (1 - self._shortening(stage)) * squares

    def _plain_squares(self, points):
        """Squared lengths of points that are not centred, if their products are taken."""
        return None if self.plain is None else self.unit**2 * _squares(points)

    def _coordinates(self, points, rows, first):
        """Centre points, in place; their squared lengths, and which are too far away, at zero."""
        with np.errstate(over="ignore", invalid="ignore"):
            points -= self.centre
            points *= self.unit
            squares = _squares(points)
        _check(squares, rows, first, self.space)
        is_far = squares > _FAR**2
        points[is_far] = 0
        squares[is_far] = 0
        return points, squares, is_far

    def _heads(self, points, squares):
        """Lengths of the rests, rounded up, and heads."""
        heads = points @ self.basis
        known = np.square(heads).cumsum(axis=1)[:, np.array(self.lengths, np.int64) - 1]
        rests = np.maximum(squares[:, None] - known, 0) + _SLACK / 4 * squares[:, None]
        return np.hstack([np.sqrt(rests) * (1 + 2.0**-22), heads])

    def _single(self, points):
        """Centred points in single precision, at zero if they are too far away."""
        points -= self.centre
        points *= self.unit
        points[_squares(points) > _FAR**2] = 0
        return points.astype(np.float32)


def _squares(points):
    return np.einsum("ij,ij->i", points, points)


def _shortening(width, dtype):
    """Share by which squared lengths are shortened for products of so many terms."""
    u = np.finfo(dtype).eps / 2
    return 2 * width * u / (1 - width * u) + 32 * u + 4 * width * 2.0**-53 + _SLACK


def _principal_directions(points: NDArray[np.float64], n_head: int) -> NDArray[np.float64]:
    """Orthonormal directions that hold most of the variance, by subspace iteration."""
    points = points.astype(np.float32)
    basis = np.random.default_rng(0).standard_normal((points.shape[1], n_head), np.float32)
    for _ in range(3):
        basis, _ = np.linalg.qr(points.T @ (points @ basis))
    basis, _ = np.linalg.qr(basis.astype(np.float64))
    heads = points @ basis
    _, turn = np.linalg.eigh(heads.T @ heads)
    return basis @ turn[:, ::-1]


def _check(squares, rows, first, space):
    wrong = ~np.isfinite(squares)
    if not wrong.any():
        return
    at = int(np.argmax(wrong))
    row = rows[at, : space.n_columns]
    check_finite(row[np.newaxis], lambda _: f"row {first + at}")
    if space.is_cosine and not row.any():
        what = "a row of zeros, which has no direction"
    else:
        what = "numbers whose squares overflow"
    raise ValueError(f"X holds {what}, in row {first + at} (counting from 0); drop such rows.")
