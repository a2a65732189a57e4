"""Naive steps: principal components of the columns so far and the next model's embedding.

    A1 = H1
    Ai = the leading principal components of [ A(i-1), Hi ], as many as Hi has columns

Each step is affine, so the chain of them is one map of the concatenated embeddings.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..matrix._moments import Moments
from ..matrix._torch import dtype_of, empty_like, like
from ._regressors import EPS
from ._solved_chain import SolvedChain
from ._spaces import principal_directions, varying_space


class Step(NamedTuple):
    """Reduction of the accumulated columns and one more model's embedding.

    Attributes
    ----------
    prefix_mean : ndarray of shape (n_prefix,)
        Centre of the accumulated columns.
    basis : ndarray of shape (width, n_prefix + width)
        Principal directions of both; those beyond the numerical rank are exactly zero.
    explained_variance_ratio : float
        Share of the variance of both that the directions keep.
    """

    prefix_mean: NDArray[np.float64]
    basis: NDArray[np.float64]
    explained_variance_ratio: float


class NaiveSteps(SolvedChain):
    """The chain of all steps.

    Parameters
    ----------
    dims : sequence of int
        Widths of the models.
    mean : ndarray of shape (sum(dims),)
        Centre of the models' columns.
    levels : sequence of Step
        One for each model after the first.
    """

    levels: list[Step]

    @cached_property
    def components(self) -> NDArray[np.float64]:
        """Map of centred columns to the reduced embedding of the last model."""
        components = np.eye(self.dims[0])
        for step in self.levels:
            components = _extend(components, step.basis)
        return components

    @cached_property
    def offset(self) -> NDArray[np.float64]:
        """The reduced embedding is ``(X - mean) @ components.T + offset``."""
        offset = self.mean[: self.dims[0]]
        for step in self.levels:
            offset = step.basis[:, : len(offset)] @ (offset - step.prefix_mean)
        return offset

    def transform(self, X: Any) -> Any:
        """Reduce embeddings; those of a single model are returned unchanged.

        Parameters
        ----------
        X : ndarray or Tensor of shape (n_samples, n_features), float64 or float32
            Concatenated embeddings.

        Returns
        -------
        A : ndarray or Tensor of shape (n_samples, dims[-1]), dtype of X
        """
        if not self.levels:
            A = empty_like(X, *X.shape)
            A[:] = X
            return A
        # The offset corrects the rounding of the mean to the precision of X.
        mean = self.mean.astype(dtype_of(X))
        offset = self.offset + self.components @ (mean - self.mean)
        return (X - like(mean, X)) @ like(self.components, X).T + like(offset, X)


def solve_steps(moments: Moments, dims: Sequence[int]) -> NaiveSteps:
    """Compute all steps of a chain.

    Parameters
    ----------
    moments : Moments
        Moments of the concatenated embeddings, one block of columns per model.
    dims : sequence of int
        Widths of the blocks.

    Returns
    -------
    steps : NaiveSteps
        The steps of a shorter chain are the first ones of a longer chain.
    """
    space = varying_space(moments)
    steps: list[Step] = []
    to_prefix, prefix_mean = np.eye(dims[0]), moments.mean[: dims[0]]
    for start, stop in pairwise(accumulate(dims)):
        own, width = slice(start, stop), stop - start
        # A sum that is small against its terms is nothing but rounding.
        terms = np.linalg.norm(to_prefix * space.scale[:start], axis=1)
        both = np.concatenate([terms, space.scale[own]])
        factor = space.joined(to_prefix, own).factor(both, 8 * len(both) * EPS)
        directions, _, share = principal_directions(factor, width)
        basis = np.zeros((width, len(both)))
        basis[: directions.shape[1]] = directions.T
        steps.append(Step(prefix_mean, basis, share))
        to_prefix, prefix_mean = _extend(to_prefix, basis), np.zeros(width)
    return NaiveSteps(dims, moments.mean, steps)


def _extend(to_prefix, basis):
    """Extend the map from centred columns to the accumulated ones by one step."""
    n_prefix = len(to_prefix)
    return np.hstack([basis[:, :n_prefix] @ to_prefix, basis[:, n_prefix:]])
