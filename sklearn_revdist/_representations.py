"""Representations: what a probe is given at each size, as linear maps of one wide matrix."""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg
from sklearn.base import clone

from ._moments import Moments
from ._naive_steps import compose, solve_steps
from ._reverse_distiller import ReverseDistiller

REPRESENTATIONS = (
    "plain",
    "distilled",
    "jump",
    "naive",
    "concat_pca",
    "largest_pca",
    "largest_first",
    "concat",
)


FITTED_ON = ("natural", "fold")


class Representation(NamedTuple):
    """Columns that a probe is given, and what they are called.

    Attributes
    ----------
    model : str
        The model of whose size it is.
    name : str
        One of ``REPRESENTATIONS``.
    fitted_on : {"", "natural", "fold"}
        What its map was fitted on: nothing, the distiller's own data, or the training fold.
    columns : ndarray of shape (n_rows, n_columns)
        The representation of all rows.
    """

    model: str
    name: str
    fitted_on: str
    columns: NDArray


def fixed_representations(
    distiller: ReverseDistiller, X: NDArray, wanted: tuple[str, ...], natural: bool = True
) -> Iterator[Representation]:
    """Representations that no training fold changes.

    Parameters
    ----------
    distiller : ReverseDistiller
        A fitted distiller. Where it has `moments_`, the rivals are fitted on them too.
    X : ndarray of shape (n_rows, n_features)
        Concatenated embeddings.
    wanted : tuple of str
        Names of representations.
    natural : bool, default=True
        Whether to give those that are fitted on the distiller's data.

    Yields
    ------
    representation : Representation
        By model, from small to large.
    """
    own, last = _own_columns(distiller), distiller.model_names_[-1]
    nested = _transform(distiller, X) if natural and "distilled" in wanted else None
    moments = vars(distiller).get("moments_") if natural else None
    for level, (model, length) in enumerate(_sizes(distiller)):
        if "plain" in wanted:
            yield Representation(model, "plain", "", X[:, own[level]])
        if nested is not None:
            yield Representation(model, "distilled", "natural", nested[:, :length])
        if "concat" in wanted and level:
            yield Representation(model, "concat", "", X[:, : own[level].stop])
        if "largest_first" in wanted and model != last:
            yield Representation(model, "largest_first", "", X[:, own[-1]][:, :length])
        if moments is not None:
            yield from _rivals(distiller, level, moments, "natural", X, wanted)


def fold_representations(
    distiller: ReverseDistiller, X: NDArray, train: NDArray, wanted: tuple[str, ...]
) -> Iterator[Representation]:
    """Representations whose maps are fitted on the rows of a training fold.

    Parameters
    ----------
    distiller : ReverseDistiller
        A fitted distiller, of which a copy is fitted on the fold.
    X : ndarray of shape (n_rows, n_features)
        Concatenated embeddings.
    train : ndarray of int
        Rows of the training fold.
    wanted : tuple of str
        Names of representations.

    Yields
    ------
    representation : Representation
        By model, from small to large.
    """
    moments = Moments.of(X[train])
    if "distilled" in wanted and len(distiller.dims_) > 1:
        fitted = clone(distiller).set_params(
            dims=distiller.dims_.tolist(), n_components=None, memory=None
        )
        nested = fitted.fit(X[train]).transform(X)
    for level, (model, length) in enumerate(_sizes(distiller)):
        if "distilled" in wanted and level:
            yield Representation(model, "distilled", "fold", nested[:, :length])
        yield from _rivals(distiller, level, moments, "fold", X, wanted)


def _rivals(distiller, level, moments, fitted_on, X, wanted):
    """The maps that moments determine, beside the distiller's own."""
    own = _own_columns(distiller)
    model, length = list(_sizes(distiller))[level]
    is_last = level == len(own) - 1
    if "concat_pca" in wanted:
        columns = slice(0, own[level].stop)
        yield Representation(
            model, "concat_pca", fitted_on, _components(moments, columns, length, X)
        )
    if "largest_pca" in wanted and not is_last:
        yield Representation(
            model, "largest_pca", fitted_on, _components(moments, own[-1], length, X)
        )
    if "naive" in wanted and level:
        stop = own[level].stop
        steps = solve_steps(moments.leading(stop), distiller.dims_[: level + 1].tolist())
        mean, components, _ = compose(steps)
        columns = (X[:, :stop] - mean) @ components[:length].T
        yield Representation(model, "naive", fitted_on, columns)
    if fitted_on == "natural" and "jump" in wanted and level > 1:
        yield Representation(model, "jump", fitted_on, _jump(distiller, level, moments, X))


def _jump(distiller, level, moments, X):
    """From the smallest model to this one, without those in between."""
    own = _own_columns(distiller)
    columns = np.r_[own[0], own[level]]
    dims = distiller.dims_[[0, level]].tolist()
    length = int(distiller.prefix_lengths_[level])
    jump = clone(distiller).set_params(
        dims=dims, n_new=[min(length - dims[0], dims[1])], n_components=None, memory=None
    )
    return jump.fit_moments(_select(moments, columns)).transform(X[:, columns])


def _components(moments, columns, n_components, X):
    """Principal components of some columns, at most as many as there are directions."""
    mean = moments.mean[columns]
    if moments.root is not None:
        root = moments.root[:, columns]
        directions = linalg.svd(root, full_matrices=False)[2].T
    else:
        size = mean.size
        directions = linalg.eigh(
            moments.scatter[columns, columns],
            subset_by_index=(max(0, size - n_components), size - 1),
        )[1][:, ::-1]
    return (X[:, columns] - mean) @ directions[:, :n_components]


def _select(moments, columns):
    """Moments of some columns alone."""
    mean = moments.mean[columns]
    if moments.root is not None:
        return Moments(moments.weight, mean, root=moments.root[:, columns])
    return Moments(moments.weight, mean, scatter=moments.scatter[np.ix_(columns, columns)])


def _transform(distiller, X):
    names = getattr(distiller, "feature_names_in_", None)
    if names is not None:
        X = pd.DataFrame(X, columns=names)
    # A shallow copy, so that the caller's `n_components` stays.
    return np.asarray(copy.copy(distiller).set_params(n_components=None).transform(X))


def _sizes(distiller):
    return zip(distiller.model_names_, distiller.prefix_lengths_.tolist(), strict=True)


def _own_columns(distiller):
    """Columns of each model in the wide matrix."""
    stops = np.cumsum(distiller.dims_).tolist()
    widths = distiller.dims_.tolist()
    return [slice(stop - width, stop) for stop, width in zip(stops, widths, strict=True)]
