"""The affine chain: maps embeddings to nested columns, level by level, and back.

    A = (X - mean) components' + offset        H = (A - offset) reconstruction + mean

Each level takes the columns of the models whose residuals it reduces and the nested columns before
them, so that no block of zeros and no identity is multiplied. These models are its own and, where
residuals are joint, all smaller ones but the first:

    new columns = sum over these models j of (H(j) - A(j-1) W(j)) V(j)

Rows are NumPy arrays or torch tensors on CUDA.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..matrix._torch import default_settings_for, dtype_of, empty_like, like
from ._chain import Level
from ._solved_chain import SolvedChain, array_of_levels

# Number of rows that are mapped at a time, which bounds the memory.
_ROWS = 8192

# Largest relative rounding error of a new column; if it would be larger, the terms of the column
# are summed in float64.
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
        One for each model after the first.
    """

    levels: list[Level]

    r2 = array_of_levels("r2")
    ranks = array_of_levels("rank", int)
    conditions = array_of_levels("condition")
    alphas = array_of_levels("alpha")
    n_prefix_components = array_of_levels("n_prefix_components", int)
    amplifications = array_of_levels("amplification")

    @cached_property
    def prefix_lengths(self) -> NDArray[np.int64]:
        """Number of nested columns up to and including each model."""
        return np.cumsum([self.dims[0], *(len(level.components) for level in self.levels)])

    @cached_property
    def components(self) -> NDArray[np.float64]:
        """Map of centred to nested columns, block lower triangular; its first block is I."""
        components = self._identity_of_first()
        for level, new, own in self._level_columns():
            components[new, : own.stop] = level.components
        return components

    @cached_property
    def reconstruction(self) -> NDArray[np.float64]:
        """Map of centred nested columns back to the columns of all models."""
        reconstruction = self._identity_of_first()
        for level, new, own in self._level_columns():
            reconstruction[: new.start, own] = level.coef
            reconstruction[new, _reduced(level, own)] = level.directions
        return reconstruction

    @cached_property
    def offset(self) -> NDArray[np.float64]:
        """Means of the nested columns."""
        first = self.dims[0]
        return np.concatenate([self.mean[:first], np.zeros(self.prefix_lengths[-1] - first)])

    @property
    def essentials(self) -> list[NDArray[np.float64]]:
        """Arrays that, with the mean, determine what `transform` and its inverse return."""
        return [self.components, self.reconstruction, self.amplifications]

    def transform(self, X: Any, n_components: int) -> Any:
        """Map embeddings to nested columns.

        Parameters
        ----------
        X : ndarray or Tensor of shape (n_samples, n_features), float64 or float32
            Concatenated embeddings.
        n_components : int
            Number of columns to return.

        Returns
        -------
        A : ndarray or Tensor of shape (n_samples, n_components), dtype of X
            The first columns are those of X, bit for bit. No column depends on `n_components`.
        """
        first, n_levels = self.dims[0], int(np.searchsorted(self.prefix_lengths, n_components))
        n_nested, n_columns = self.prefix_lengths[n_levels], sum(self.dims[: n_levels + 1])
        with default_settings_for(X):
            maps = islice(zip(self._level_columns(), self._from_prefix, strict=True), n_levels)
            steps = [(level[1], self._step(X, *level, from_prefix)) for level, from_prefix in maps]
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

    def inverse_transform(self, A: Any) -> Any:
        """Reconstruct the embeddings of all models.

        Parameters
        ----------
        A : ndarray or Tensor of shape (n_samples, n_components), float64 or float32
            All nested columns, or the first of them; the others are taken at their means.

        Returns
        -------
        H : ndarray or Tensor of shape (n_samples, n_features), dtype of A
            The first model's columns are those of A, bit for bit.
        """
        n_components = A.shape[1]
        with default_settings_for(A):
            H = empty_like(A, len(A), len(self.mean))
            maps = self.offset[:n_components], self.reconstruction[:n_components], self.mean
            offset, reconstruction, mean = (like(values, A, exact=True) for values in maps)
            for start in range(0, len(A), _ROWS):
                rows = slice(start, start + _ROWS)
                H[rows] = (A[rows] - offset) @ reconstruction + mean
            first = min(n_components, self.dims[0])
            H[:, :first] = A[:, :first]
        return H

    def _identity_of_first(self):
        """A map that is the identity on the first model's columns and zero elsewhere."""
        matrix = np.zeros((self.prefix_lengths[-1], len(self.mean)))
        np.fill_diagonal(matrix[: self.dims[0]], 1.0)
        return matrix

    def _level_columns(self) -> Iterator[tuple[Level, slice, slice]]:
        """Each level with the slice of its new columns and that of its model's own columns."""
        lengths, stops = self.prefix_lengths.tolist(), np.cumsum(self.dims).tolist()
        for i, level in enumerate(self.levels):
            yield level, slice(lengths[i], lengths[i + 1]), slice(stops[i], stops[i + 1])

    @cached_property
    def _from_prefix(self):
        """For each level, the map of the prefix to what is subtracted from the new columns."""
        prediction, maps = np.zeros((self.prefix_lengths[-1], len(self.mean))), []
        for level, new, own in self._level_columns():
            prediction[: new.start, own] = level.coef
            reduced = prediction[: new.start, _reduced(level, own)]
            maps.append(reduced @ level.directions.T)
        return maps

    def _step(self, X, level, new, own, from_prefix):
        """Return a function of rows, centred rows and nested rows: a level's new columns."""
        dtype = dtype_of(X)
        if np.finfo(dtype).eps * level.amplification > _ROUNDING:
            exact_mean = like(self.mean[: own.stop], X, exact=True)
            from_all = like(level.components.T, X, exact=True)
            return lambda rows, centred, nested: (rows[:, : own.stop] - exact_mean) @ from_all

        first, reduced, from_models = self.dims[0], _reduced(level, own), level.directions.T
        # Rounding the mean shifts all rows alike; the shift is corrected at the end.
        lost = self.mean.astype(dtype) - self.mean
        shift = lost[reduced] @ from_models - lost[:first] @ from_prefix[:first]
        from_models, from_prefix, shift = (
            like(values, X) for values in (from_models, from_prefix, shift)
        )

        def step(rows, centred, nested):
            columns = centred[:, reduced] @ from_models
            columns -= nested[:, : new.start] @ from_prefix
            columns += shift
            return columns

        return step


def _reduced(level, own):
    """Return the columns of the models whose residuals a level reduces."""
    return slice(own.start - level.carried.shape[1], own.stop)
