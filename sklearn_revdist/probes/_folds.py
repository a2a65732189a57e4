"""Folds: shuffled if only their number is given, or by position in the protein.

Mutational scans are sorted by position, so that folds of consecutive rows would test predictions
for positions that were never measured. That question has splitters of its own.
"""

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator, KFold, StratifiedKFold, check_cv
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import type_of_target

from ..utils._compat import Interval, validate_params


def shuffled_cv(cv: Any, y: ArrayLike, *, classifier: bool = False) -> Any:
    """Return the splitter for a `cv` parameter of this package.

    Parameters
    ----------
    cv : int, cross-validation splitter or iterable
        An int is a number of folds, shuffled with a fixed seed, and stratified for a classifier;
        anything else as in :func:`sklearn.model_selection.check_cv`.
    y : array-like of shape (n_samples,)
        Targets.
    classifier : bool, default=False
        Whether the targets are classes.

    Returns
    -------
    splitter : cross-validation splitter
    """
    if not isinstance(cv, Integral):
        return check_cv(cv, y, classifier=classifier)
    stratified = classifier and type_of_target(y) in ("binary", "multiclass")
    return (StratifiedKFold if stratified else KFold)(int(cv), shuffle=True, random_state=0)


class _PositionKFold(BaseCrossValidator):
    """Folds that share no position; subclasses assign positions to folds."""

    # Positions are passed as groups, which metadata routing must be asked for.
    __metadata_request__split = {"groups": True}

    @validate_params({"n_splits": [Interval(Integral, 2, None, closed="left")]})
    def __init__(self, n_splits: int = 5):
        self.n_splits = n_splits

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored; present by scikit-learn's convention.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def split(
        self, X: ArrayLike, y: Any = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Generate the training and test rows of every fold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Only its number of rows is used.
        y : object
            Ignored; present by scikit-learn's convention.
        groups : array-like of shape (n_samples,), int
            Position in the protein of the substitution of each row.

        Yields
        ------
        train, test : ndarray of shape (n_train,) and (n_test,), int64
            Increasing indices of rows.

        Raises
        ------
        ValueError
            If positions are missing, are not integers, are not as many as rows, or leave a fold
            without rows.
        """
        positions = self._positions(X, groups)
        fold = self._fold_of(positions)
        filled = np.unique(fold)
        if len(filled) < self.n_splits:
            raise ValueError(
                f"The {len(np.unique(positions))} positions in `groups` fill {len(filled)} of "
                f"{self.n_splits} folds of {type(self).__name__}; set a lower n_splits."
            )
        for i in range(self.n_splits):
            yield np.flatnonzero(fold != i), np.flatnonzero(fold == i)

    def _positions(self, X, groups):
        name = type(self).__name__
        if groups is None:
            raise ValueError(f"{name} splits by position; give the positions as `groups`.")
        positions = np.asarray(groups)
        if positions.ndim != 1 or positions.dtype.kind not in "iu":
            raise ValueError(
                f"`groups` of {name} have the shape {positions.shape} and the type "
                f"{positions.dtype}; give an integer for each row, its position."
            )
        check_consistent_length(X, positions)
        return positions

    @abstractmethod
    def _fold_of(self, positions: NDArray[np.integer]) -> NDArray[np.integer]:
        """Return the index of the fold of each row."""


class ContiguousKFold(_PositionKFold):
    """Folds of neighbouring positions.

    They test predictions for regions in which no variant was measured. The positions that occur
    are divided into `n_splits` stretches of equally many positions, as in ProteinGym's "contiguous"
    scheme [1]_. Pass positions as `groups`.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.

    See Also
    --------
    ModuloKFold : Tests unmeasured positions between measured ones.
    sklearn.model_selection.KFold : With ``shuffle=True``, tests unmeasured variants at positions
        where others were measured.

    References
    ----------
    .. [1] Notin, P. et al. (2023). ProteinGym: large-scale benchmarks for protein fitness
       prediction and design. NeurIPS 36.

    Examples
    --------
    Eight variants at six positions are split into three folds of two positions each:

    >>> import numpy as np
    >>> from sklearn_revdist import ContiguousKFold
    >>> positions = np.array([1, 1, 2, 3, 3, 4, 5, 6])
    >>> for _, test in ContiguousKFold(3).split(positions, groups=positions):
    ...     print(positions[test])
    [1 1 2]
    [3 3 4]
    [5 6]

    Functions of scikit-learn take positions as `groups`:

    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_val_score
    >>> X = np.arange(16.0).reshape(8, 2)
    >>> scores = cross_val_score(Ridge(), X, X[:, 0], groups=positions, cv=ContiguousKFold(2))
    >>> scores.round(2)
    array([0.97, 1.  ])
    """

    def _fold_of(self, positions):
        distinct, place = np.unique(positions, return_inverse=True)
        return (np.arange(len(distinct)) * self.n_splits // len(distinct))[place]


class ModuloKFold(_PositionKFold):
    """Folds of every n-th position.

    They test predictions for positions at which no variant was measured, between positions at
    which some were. The fold of a row is its position modulo `n_splits`, as in ProteinGym's
    "modulo" scheme [1]_. Pass positions as `groups`.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.

    See Also
    --------
    ContiguousKFold : Tests unmeasured regions.

    References
    ----------
    .. [1] Notin, P. et al. (2023). ProteinGym: large-scale benchmarks for protein fitness
       prediction and design. NeurIPS 36.

    Examples
    --------
    Eight variants at six positions are split into three folds of every third position:

    >>> import numpy as np
    >>> from sklearn_revdist import ModuloKFold
    >>> positions = np.array([1, 1, 2, 3, 3, 4, 5, 6])
    >>> for _, test in ModuloKFold(3).split(positions, groups=positions):
    ...     print(positions[test])
    [3 3 6]
    [1 1 4]
    [2 5]
    """

    def _fold_of(self, positions):
        return positions % self.n_splits
