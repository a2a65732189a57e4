"""Naive steps: principal components of what has been accumulated and the next model's embedding.

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
from ._solved_chain import SolvedChain, of_levels
from ._spaces import principal_directions, varying_space


class Step(NamedTuple):
    """What one model after the first adds to the chain.

    Attributes
    ----------
    prefix_mean : ndarray of shape (n_prefix,)
        Where the accumulated columns are centred.
    basis : ndarray of shape (width, n_prefix + width)
        Principal directions of both; beyond the numerical rank exactly zero.
    explained_variance_ratio : float
        Share of the variance of both that they keep.
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
        Where the models' columns are centred.
    levels : sequence of Step
        Those of the models after the first.
    """

    levels: list[Step]

    explained_variance_ratio = of_levels("explained_variance_ratio")

    @cached_property
    def components(self) -> NDArray[np.float64]:
        """Centred columns to the last model's reduced ones."""
        components = np.eye(self.dims[0])
        for step in self.levels:
            components = _extend(components, step.basis)
        return components

    @cached_property
    def offset(self) -> NDArray[np.float64]:
        """The last model's columns are ``(X - mean) @ components.T + offset``."""
        offset = self.mean[: self.dims[0]]
        for step in self.levels:
            offset = step.basis[:, : len(offset)] @ (offset - step.prefix_mean)
        return offset

    @property
    def n_zero(self) -> NDArray[np.int64]:
        """Number of columns of each step that are zero."""
        return np.array([(~step.basis.any(axis=1)).sum() for step in self.levels], dtype=int)

    def transform(self, X: Any) -> Any:
        """The last model's reduced embedding of rows; of one model its columns as they are.

        Parameters
        ----------
        X : ndarray or Tensor of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings.

        Returns
        -------
        A : as X, of shape (n_samples, dims[-1])
        """
        if not self.levels:
            A = empty_like(X, *X.shape)
            A[:] = X
            return A
        # What the precision of X takes off the mean comes back with the offset.
        mean = self.mean.astype(dtype_of(X))
        offset = self.offset + self.components @ (mean - self.mean)
        return (X - like(mean, X)) @ like(self.components, X).T + like(offset, X)


def solve_steps(moments: Moments, dims: Sequence[int]) -> NaiveSteps:
    """All steps of a chain.

    Parameters
    ----------
    moments : Moments
        Moments of the concatenated embeddings, one block of columns a model.
    dims : sequence of int
        Widths of the blocks.

    Returns
    -------
    steps : NaiveSteps
        Those of a shorter chain are the first of a longer one's.
    """
    space = varying_space(moments)
    steps: list[Step] = []
    to_prefix, prefix_mean = np.eye(dims[0]), moments.mean[: dims[0]]
    for start, stop in pairwise(accumulate(dims)):
        own, width = slice(start, stop), stop - start
        # Of sums whose terms cancel, what is left is rounding where it is small against them.
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
    """The map from centred columns to the accumulated ones, one step longer."""
    n_prefix = len(to_prefix)
    return np.hstack([basis[:, :n_prefix] @ to_prefix, basis[:, n_prefix:]])
