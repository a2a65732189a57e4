"""Naive steps: principal components of what has been accumulated and the next model's embedding.

    A1 = H1
    Ai = the leading principal components of [ A(i-1), Hi ], as many as Hi has columns

Each step is affine, so the chain of them is one map of the concatenated embeddings.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._chain import principal_directions, root_factor, scatter_factor
from ._moments import Moments
from ._regressors import EPS


class Step(NamedTuple):
    """What one model after the first adds to the chain.

    Attributes
    ----------
    prefix_mean : ndarray of shape (n_prefix,)
        Where the accumulated columns are centred.
    own_mean : ndarray of shape (width,)
        Where the model's own columns are centred.
    basis : ndarray of shape (width, n_prefix + width)
        Principal directions of both; beyond the numerical rank exactly zero.
    explained_variance_ratio : float
        Share of the variance of both that they keep.
    """

    prefix_mean: NDArray[np.float64]
    own_mean: NDArray[np.float64]
    basis: NDArray[np.float64]
    explained_variance_ratio: float


def solve_steps(moments: Moments, dims: Sequence[int]) -> list[Step]:
    """All steps of a chain.

    Parameters
    ----------
    moments : Moments
        Moments of the concatenated embeddings, one block of columns a model.
    dims : sequence of int
        Widths of the blocks.

    Returns
    -------
    steps : list of Step
        Those of a shorter chain are the first of a longer one's.
    """
    varies = moments.scale() > 0
    if moments.root is not None:
        root = moments.root * varies
        scale = np.linalg.norm(root, axis=0)
    else:
        scatter = moments.scatter * varies * varies[:, np.newaxis]
        scale = np.sqrt(scatter.diagonal())
    steps: list[Step] = []
    to_prefix, stop = np.eye(dims[0]), dims[0]
    prefix_mean = moments.mean[:stop]
    for width in dims[1:]:
        start, stop = stop, stop + width
        own = slice(start, stop)
        # Of sums whose terms cancel, what is left is rounding where it is small against them.
        both = np.concatenate([np.linalg.norm(to_prefix * scale[:start], axis=1), scale[own]])
        tolerance = 8 * len(both) * EPS
        if moments.root is not None:
            rows = np.hstack([root[:, :start] @ to_prefix.T, root[:, own]])
            factor = root_factor(rows, both, tolerance)
        else:
            cross = to_prefix @ scatter[:start, own]
            corner = to_prefix @ scatter[:start, :start] @ to_prefix.T
            square = np.block([[corner, cross], [cross.T, scatter[own, own]]])
            factor = scatter_factor(square, both, tolerance)
        directions, variances = principal_directions(factor, width)
        basis = np.zeros((width, len(both)))
        basis[: directions.shape[1]] = directions.T
        total = float(np.sum(factor**2))
        ratio = min(1.0, float(variances.sum()) / total) if total > 0 else 1.0
        steps.append(Step(prefix_mean, moments.mean[own], basis, ratio))
        to_prefix = _extend(to_prefix, basis)
        prefix_mean = np.zeros(width)
    return steps


def compose(
    steps: Sequence[Step],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The one map that some steps, at least one, amount to.

    Parameters
    ----------
    steps : sequence of Step

    Returns
    -------
    mean : ndarray of shape (n_features,)
    components : ndarray of shape (n_components, n_features)
    offset : ndarray of shape (n_components,)
        The last model's columns are ``(X - mean) @ components.T + offset``.
    """
    mean = offset = steps[0].prefix_mean
    components = np.eye(len(mean))
    for step in steps:
        offset = step.basis[:, : len(offset)] @ (offset - step.prefix_mean)
        components = _extend(components, step.basis)
        mean = np.concatenate([mean, step.own_mean])
    return mean, components, offset


def _extend(to_prefix, basis):
    """The map from centred columns to the accumulated ones, one step longer."""
    n_prefix = len(to_prefix)
    return np.hstack([basis[:, :n_prefix] @ to_prefix, basis[:, n_prefix:]])
