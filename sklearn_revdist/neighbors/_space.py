"""Points: rows as the metric sees them, in double precision, and exact distances of pairs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Numbers of the pairs whose distances are computed at a time, so that they stay in the cache.
_CHUNK_SIZE = 2**17


class Space(NamedTuple):
    """A metric on rows.

    Attributes
    ----------
    n_columns : int
        Columns in use, the first ones.
    scale : ndarray of shape (n_columns,), float64, or None
        Factor of each column.
    is_cosine : bool
        Whether distances are 1 minus the cosine, or Euclidean.
    """

    n_columns: int
    scale: NDArray[np.float64] | None = None
    is_cosine: bool = False

    def points(self, rows: NDArray) -> NDArray[np.float64]:
        """Columns in use, scaled, and of unit length for the cosine; a point per row."""
        points = rows[:, : self.n_columns].astype(np.float64, order="C")
        if self.scale is not None:
            points *= self.scale
        if self.is_cosine:
            with np.errstate(over="ignore", invalid="ignore"):  # those who call check the points
                points /= np.sqrt(np.square(points).sum(axis=1, keepdims=True))
        return points

    def distances(
        self, rows: NDArray, of_rows: NDArray, points: NDArray[np.float64], of_points: NDArray
    ) -> NDArray[np.float64]:
        """Distances of pairs, each from the sum of squared differences.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
        of_rows : ndarray of shape (n_pairs,), int
            Which rows.
        points : ndarray of shape (n_points, n_columns)
            Other rows, as :meth:`points` returns them.
        of_points : ndarray of shape (n_pairs,), int
            Which points.

        Returns
        -------
        distances : ndarray of shape (n_pairs,)
            They depend on the two rows alone, bit for bit. The cosine distance is half the squared
            Euclidean one of rows of unit length, so that it is zero for identical rows.
        """
        squares = np.empty(len(of_rows))
        step = max(1, _CHUNK_SIZE // self.n_columns)
        for start in range(0, len(of_rows), step):
            part = slice(start, start + step)
            difference = self.points(rows[of_rows[part]])
            difference -= points[of_points[part]]
            with np.errstate(over="ignore"):
                np.square(difference, out=difference).sum(axis=1, out=squares[part])
        return squares / 2 if self.is_cosine else np.sqrt(squares)

    def squared(self, distances: NDArray[np.float64] | float, unit: float) -> NDArray | float:
        """Squared Euclidean distances of points that are so far apart, in other units."""
        return 2 * unit**2 * distances if self.is_cosine else np.square(unit * distances)
