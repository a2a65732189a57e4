"""The affine chain: solved levels as one map of rows, forwards level by level, and back.

    A = (X - mean) components' + offset        H = (A - offset) reconstruction + mean

Each level takes its own model's columns and the nested columns before them, so that no block of
zeros and no identity is multiplied. Rows are arrays, or tensors on CUDA.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..matrix._torch import at_default_settings, dtype_of, empty_like, like
from ._chain import Level
from ._solved_chain import SolvedChain, of_levels

# Rows are mapped this many at a time, so that it needs little memory.
_ROWS = 8192

# Largest share of a new column that rounding of its terms may be; beyond it they are summed in
# float64.
_ROUNDING = 1e-5


class AffineChain(SolvedChain):
    """A chain whose levels are affine.

    Parameters
    ----------
    dims : sequence of int
        Widths of the models.
    mean : ndarray of shape (sum(dims),)
        Mean of the columns.
    levels : sequence of Level
        Those of the models after the first.
    """

    levels: list[Level]

    r2 = of_levels("r2")
    explained_variance_ratio = of_levels("explained_variance_ratio")
    ranks = of_levels("rank", int)
    conditions = of_levels("condition")
    alphas = of_levels("alpha")
    n_prefix_components = of_levels("n_prefix_components", int)
    amplifications = of_levels("amplification")

    @cached_property
    def prefix_lengths(self) -> NDArray[np.int64]:
        """Number of nested columns up to and including each model."""
        return np.cumsum([self.dims[0], *(len(level.components) for level in self.levels)])

    @cached_property
    def components(self) -> NDArray[np.float64]:
        """Centred columns to nested ones; block lower triangular, its first block the identity."""
        components = self._beginning()
        for level, new, own in self._places():
            components[new, : own.stop] = level.components
        return components

    @cached_property
    def reconstruction(self) -> NDArray[np.float64]:
        """Centred nested columns back to those of all models."""
        reconstruction = self._beginning()
        for level, new, own in self._places():
            reconstruction[: new.start, own] = level.coef
            # The residual's orthonormal basis is the map's own last block.
            reconstruction[new, own] = level.components[:, own]
        return reconstruction

    @cached_property
    def offset(self) -> NDArray[np.float64]:
        """Means of the nested columns."""
        first = self.dims[0]
        return np.concatenate([self.mean[:first], np.zeros(self.prefix_lengths[-1] - first)])

    @property
    def essentials(self) -> list[NDArray[np.float64]]:
        """What rows are mapped by, beside the mean: all else follows from these."""
        return [self.components, self.reconstruction, self.amplifications]

    @at_default_settings
    def transform(self, X: Any, n_components: int) -> Any:
        """Nested columns of rows.

        Parameters
        ----------
        X : ndarray or Tensor of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings.
        n_components : int
            Number of columns to return.

        Returns
        -------
        A : as X, of shape (n_samples, n_components)
            The first columns are those of X, bit for bit, and the others do not depend on how
            many are asked for.
        """
        first, n_levels = self.dims[0], int(np.searchsorted(self.prefix_lengths, n_components))
        n_nested, n_columns = self.prefix_lengths[n_levels], sum(self.dims[: n_levels + 1])
        maps = islice(zip(self._places(), self._from_prefix, strict=True), n_levels)
        steps = [(place[1], self._step(X, *place, from_prefix)) for place, from_prefix in maps]
        rounded_mean = like(self.mean[:n_columns], X)
        A = empty_like(X, len(X), n_components)
        A[:, :first] = X[:, : min(first, n_components)]
        for start in range(0, len(X) if steps else 0, _ROWS):
            rows = X[start : start + _ROWS, :n_columns]
            centred = rows - rounded_mean
            nested = empty_like(X, len(rows), n_nested)
            nested[:, :first] = centred[:, :first]
            for new, step in steps:
                nested[:, new] = step(rows, centred, nested)
            A[start : start + _ROWS, first:] = nested[:, first:n_components]
        return A

    @at_default_settings
    def inverse_transform(self, A: Any) -> Any:
        """Embeddings of all models from nested columns.

        Parameters
        ----------
        A : ndarray or Tensor of shape (n_samples, n_components), float64 or float32
            All nested columns, or the first of them; those missing are taken at their means.

        Returns
        -------
        H : as A, of shape (n_samples, n_features)
            The first model's columns are those of A, bit for bit.
        """
        n_components = A.shape[1]
        H = empty_like(A, len(A), len(self.mean))
        maps = self.offset[:n_components], self.reconstruction[:n_components], self.mean
        offset, reconstruction, mean = (like(values, A, exact=True) for values in maps)
        for start in range(0, len(A), _ROWS):
            rows = slice(start, start + _ROWS)
            H[rows] = (A[rows] - offset) @ reconstruction + mean
        first = min(n_components, self.dims[0])
        H[:, :first] = A[:, :first]
        return H

    def _beginning(self):
        """A map of all columns that is the identity on the first model's and zero elsewhere."""
        matrix = np.zeros((self.prefix_lengths[-1], len(self.mean)))
        np.fill_diagonal(matrix[: self.dims[0]], 1.0)
        return matrix

    def _places(self) -> Iterator[tuple[Level, slice, slice]]:
        """Each level, where its new columns are, and where its model's own."""
        lengths, stops = self.prefix_lengths.tolist(), np.cumsum(self.dims).tolist()
        for i, level in enumerate(self.levels):
            yield level, slice(lengths[i], lengths[i + 1]), slice(stops[i], stops[i + 1])

    @cached_property
    def _from_prefix(self):
        """For each level, what is to be subtracted of the centred nested columns before."""
        return [level.coef @ level.components[:, own].T for level, _, own in self._places()]

    def _step(self, X, level, new, own, from_prefix):
        """The function of rows, centred rows and nested ones that gives a level's new columns."""
        dtype = dtype_of(X)
        if np.finfo(dtype).eps * level.amplification > _ROUNDING:
            exact_mean = like(self.mean[: own.stop], X, exact=True)
            from_all = like(level.components.T, X, exact=True)
            return lambda rows, centred, nested: (rows[:, : own.stop] - exact_mean) @ from_all

        first, from_own = self.dims[0], level.components[:, own].T
        # What the mean loses in this precision is the same in all rows: it is put right at the end.
        lost = self.mean.astype(dtype) - self.mean
        shift = lost[own] @ from_own - lost[:first] @ from_prefix[:first]
        from_own, from_prefix, shift = (
            like(values, X) for values in (from_own, from_prefix, shift)
        )

        def step(rows, centred, nested):
            columns = centred[:, own] @ from_own
            columns -= nested[:, : new.start] @ from_prefix
            columns += shift
            return columns

        return step
