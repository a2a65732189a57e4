"""Carried residuals: what the new columns so far leave of the models, for later levels to keep.

With D(i) the residual of model i given the prefix and V(i) the directions of its level,

    R(i) = [ E(i-1), D(i) ]           joint residual of the models up to i
    E(i) = R(i) - R(i) V(i) V(i)'     carried to the next level

Directions of later levels lie in the rows of E(i), so they are orthogonal to those before. Hence a
reconstruction is improved by later levels, but nothing that a level keeps of it is changed.
"""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ._regressors import Fit
from ._spaces import FeatureSpace, SampleSpace


class Carried(NamedTuple):
    """What the levels so far leave of the models after the first.

    Attributes
    ----------
    space : SampleSpace or FeatureSpace
        The columns that are left, E.
    to_left : ndarray of shape (n_columns, n_carried)
        Maps the centred columns of the models so far to E.
    condition : float
        Largest condition number of their prefixes, which bounds the rounding of E.
    before : ndarray of shape (n_carried, n_before)
        Directions of the levels so far, along which E vanishes.
    """

    space: Any
    to_left: NDArray[np.float64]
    condition: float
    before: NDArray[np.float64]

    @classmethod
    def nothing(cls, space: SampleSpace | FeatureSpace) -> Self:
        """Carry no columns, as to the first level and wherever residuals are not joint."""
        return cls(space.leading(0), np.zeros((0, 0)), 1.0, np.zeros((0, 0)))

    @property
    def n_carried(self) -> int:
        """Number of columns that are carried."""
        return self.to_left.shape[1]

    def joint_residual(
        self, space: SampleSpace | FeatureSpace, prefix: Any, own: slice, fit: Fit
    ) -> Any:
        """Put E beside the residual of a model's own columns.

        Parameters
        ----------
        space : SampleSpace or FeatureSpace
            Columns of all models.
        prefix : ndarray or Products
            Nested columns before the model, beside its own.
        own : slice
            The model's columns.
        fit : Fit
            Their regression on the prefix.

        Returns
        -------
        residual : SampleSpace or FeatureSpace
            R.
        """
        return space.joint_residual(self.space, self.to_left, prefix, own, fit)

    def after(
        self,
        residual: SampleSpace | FeatureSpace,
        factor: NDArray[np.float64],
        directions: NDArray[np.float64],
        components: NDArray[np.float64],
        to_own: NDArray[np.float64],
    ) -> Self:
        """Carry what the new columns of a level leave.

        Parameters
        ----------
        residual : SampleSpace or FeatureSpace
            R.
        factor : ndarray of shape (n_carried + width, rank)
            Its factor F.
        directions : ndarray of shape (n_new, n_carried + width)
            V', of orthonormal or zero rows.
        components : ndarray of shape (n_new, n_columns)
            Maps the centred columns of the models up to the level's to its new columns.
        to_own : ndarray of shape (n_columns, width)
            Maps them to the residual of the model's own columns.

        Returns
        -------
        carried : Carried
            With as many columns as R has.
        """
        to_residual = np.zeros((len(to_own), directions.shape[1]))
        to_residual[: len(self.to_left), : self.n_carried] = self.to_left
        to_residual[:, self.n_carried :] = to_own
        to_residual -= components.T @ directions
        left, before = residual.without(directions.T, factor), beside(self.before, directions.T)
        return type(self)(left, to_residual, self.condition, before)


def remove_rounding(directions: NDArray[np.float64], before: NDArray[np.float64]) -> None:
    """Make directions exactly orthogonal to those of the levels before, in place.

    They are but for rounding, which is relative to the largest column of R and to the smallest
    variance. A nested column however is a sum over whole residuals of models, of which E may be a
    tiny part, and would repeat what is kept already.

    Parameters
    ----------
    directions : ndarray of shape (n_carried + width, n_new)
        Principal directions of R.
    before : ndarray of shape (n_carried, n_before)
        Directions of the levels before.
    """
    of_carried = directions[: len(before)]
    of_carried -= before @ (before.T @ of_carried)


def beside(before: NDArray[np.float64], directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the directions of a level beside those of the levels before, which have fewer rows."""
    padded = np.zeros((len(directions), before.shape[1]))
    padded[: len(before)] = before
    return np.hstack([padded, directions])
