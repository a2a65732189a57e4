"""Representations: inputs of a probe at each size, as maps of the concatenated embeddings."""

import copy
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from ..distillation._naive_steps import NaiveSteps, solve_steps
from ..distillation._reverse_distiller import ReverseDistiller
from ..distillation._spaces import space_of
from ..matrix._layout import find_blocks
from ..matrix._moments import Moments, select_columns
from ..matrix._prefixes import new_columns

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

_NOT_FITTED = ("plain", "largest_first", "concat")
# The first level at which a representation differs from others.
_FIRST_LEVEL = {"jump": 2, "naive": 1, "concat": 1}
# At the largest model these are its plain embedding, or a rotation of it.
_NOT_OF_LARGEST = ("largest_pca", "largest_first")


class Sizes(NamedTuple):
    """The models of a chain, from small to large.

    Attributes
    ----------
    models : list of str
        Names.
    dims : list of int
        Widths of the embeddings.
    lengths : list of int
        Widths of the nested embeddings.
    """

    models: list[str]
    dims: list[int]
    lengths: list[int]

    @classmethod
    def of_fitted(cls, distiller: ReverseDistiller) -> Self:
        """Return the sizes of a fitted distiller."""
        columns = distiller.dims_.tolist(), distiller.prefix_lengths_.tolist()
        return cls(list(distiller.model_names_), *columns)

    @classmethod
    def of_unfitted(
        cls, distiller: ReverseDistiller, feature_names: Sequence[str] | None, n_features: int
    ) -> Self:
        """Return the sizes that a distiller will have when fitted on such columns."""
        blocks = find_blocks(distiller.dims, feature_names, n_features)
        n_new = new_columns(blocks, distiller.n_new, distiller.residual)
        lengths = np.cumsum([blocks.dims[0], *n_new]).tolist()
        return cls(list(blocks.names), list(blocks.dims), lengths)

    def own(self, level: int) -> slice:
        """Return the columns of a model in the concatenated embeddings."""
        stop = sum(self.dims[: level + 1])
        return slice(stop - self.dims[level], stop)


class Representation(NamedTuple):
    """Input of a probe.

    Attributes
    ----------
    level : int
        Index in the chain of the model that determines the size.
    name : str
        One of ``REPRESENTATIONS``.
    fitted_on : {"", "natural", "fold"}
        Data of the fit: none, that of the distiller, or the training fold.
    """

    level: int
    name: str
    fitted_on: str


def list_representations(
    n_models: int, names: Collection[str], fitted_on: Collection[str]
) -> list[Representation]:
    """List the representations to score, from the smallest model to the largest.

    Of each model, those of the same data are side by side: of none, natural, of the fold.

    Parameters
    ----------
    n_models : int
        Length of the chain.
    names : collection of str
        Some of ``REPRESENTATIONS``.
    fitted_on : collection of {"natural", "fold"}
        Data that maps are fitted on.

    Returns
    -------
    representations : list of Representation
    """
    listed = []
    for level, data in product(range(n_models), ("", *FITTED_ON)):
        for name in REPRESENTATIONS:
            if name not in names or (name in _NOT_FITTED) != (data == ""):
                continue
            if level < _FIRST_LEVEL.get(name, 0):
                continue
            if name in _NOT_OF_LARGEST and level == n_models - 1:
                continue
            # The distilled embedding of the smallest model is its plain one: list it once.
            again = name == "distilled" and data == "fold" and level == 0
            if (not data or data in fitted_on) and not again:
                listed.append(Representation(level, name, data))
    return listed


class Maps:
    """Representations of the rows of a matrix, by maps fitted on the same data.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float64
        Concatenated embeddings.
    sizes : Sizes
        Sizes of the chain.
    distiller : ReverseDistiller
        Fitted on the data; or, with `rows`, the distiller whose clone is fitted on these.
    moments : Moments, default=None
        Moments of the data, which baselines of a fitted distiller need.
    rows : ndarray of int, default=None
        The data, if it is rows of `X` (a training fold); takes the place of `moments`.
    """

    def __init__(
        self,
        X: NDArray[np.float64],
        sizes: Sizes,
        distiller: ReverseDistiller,
        moments: Moments | None = None,
        rows: NDArray[np.int64] | None = None,
    ):
        self.X, self.sizes, self.distiller = X, sizes, distiller
        self.moments = moments if rows is None else Moments.of(X[rows])
        self.rows = rows

    def columns(self, level: int, name: str) -> NDArray[np.float64]:
        """Compute one representation of all rows.

        Parameters
        ----------
        level : int
            Index in the chain of the model that determines the size.
        name : str
            One of ``REPRESENTATIONS``.

        Returns
        -------
        columns : ndarray of shape (n_rows, n_columns)
            As wide as the nested embedding up to that model, except that there are at most as many
            principal components as directions in which the data vary, and that "concat" is wider.

        Raises
        ------
        ValueError
            If there is no such representation.
        """
        X, own, length = self.X, self.sizes.own, self.sizes.lengths[level]
        match name:
            case "plain":
                return X[:, own(level)]
            case "concat":
                return X[:, : own(level).stop]
            case "largest_first":
                return X[:, own(len(self.sizes.dims) - 1)][:, :length]
            case "distilled":
                return self._nested[:, :length]
            case "jump":
                return self._jump(level)
            case "naive":
                steps = self._naive_steps.truncate(level + 1)
                return (X[:, : own(level).stop] - steps.mean) @ steps.components[:length].T
            case "concat_pca":
                return self._principal_components(slice(0, own(level).stop), length)
            case "largest_pca":
                return self._principal_components(own(len(self.sizes.dims) - 1), length)
        raise ValueError(f"{name!r} is not a representation; give one of {REPRESENTATIONS}.")

    @cached_property
    def _nested(self):
        if self.rows is not None:
            return self._fit_transform(slice(None), self.sizes.dims)
        names = getattr(self.distiller, "feature_names_in_", None)
        X = self.X if names is None else pd.DataFrame(self.X, columns=names)
        # A shallow copy, so that the caller's `n_components` stays.
        whole = copy.copy(self.distiller).set_params(n_components=None)
        return np.asarray(whole.transform(X))

    @cached_property
    def _naive_steps(self) -> NaiveSteps:
        return solve_steps(self.moments, self.sizes.dims)

    def _jump(self, level):
        """Distil the smallest model and this one, without those in between."""
        smallest, width = self.sizes.dims[0], self.sizes.dims[level]
        columns = np.r_[self.sizes.own(0), self.sizes.own(level)]
        n_new = min(self.sizes.lengths[level] - smallest, width)
        return self._fit_transform(columns, [smallest, width], n_new=[n_new])

    def _fit_transform(self, columns, dims, **parameters):
        """Distil all rows by a clone of the distiller fitted on some columns of the data."""
        distiller = clone(self.distiller).set_params(
            dims=dims, n_components=None, memory=None, **parameters
        )
        distiller.set_output(transform="default")
        X = self.X[:, columns]
        if isinstance(distiller.regressor, str):
            distiller.fit_moments(select_columns(self.moments, columns))
        else:
            distiller.fit(X[self.rows])
        return distiller.transform(X)

    def _principal_components(self, columns, n_components):
        """Compute principal components of some columns, at most as many as directions vary."""
        moments = select_columns(self.moments, columns)
        return (self.X[:, columns] - moments.mean) @ space_of(moments).axes(n_components)
