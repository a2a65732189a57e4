"""SiteMean: what the training set says of the positions at which a variant is mutated."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..sequences._tokens import RESIDUES, encode_reference
from ..sequences._transformer import SequenceTransformer
from ..utils._compat import Interval, StrOptions, _fit_context
from ..utils._group_folds import group_folds
from ._aligned import aligned


class SiteMean(SequenceTransformer):
    """Predict a variant by the mean target of each position at which it is mutated.

    The effect of a position is the mean target of training variants that are mutated there, less
    the mean of all, shrunk towards zero; a variant has the mean of all and the effects of its
    positions. On random folds of scans of single substitutions it scores as a one-hot encoding
    does; it knows nothing of positions that are not in the training set.

    As in scikit-learn's :class:`~sklearn.preprocessing.TargetEncoder`, ``fit_transform`` is not
    ``fit`` and ``transform``: a training row has the value that the other folds give it, so that
    what is fitted next does not see its own target.

    Parameters
    ----------
    reference : str, default=None
        The wild type. None takes the most frequent residue of each position.

    smooth : float, default=1.0
        Number of rows with the mean of all that each position is given besides its own.

    cv : int, default=5
        Number of folds of ``fit_transform``; rows of equal sequences, or of one group, are in the
        same fold.

    unknown : {"error", "mask", "X", "keep"}, default="error"
        How to treat the ambiguous residues ``X B Z U O J``, and ``*`` inside a sequence, as
        :class:`ESMEmbedder` does.

    random_state : int, default=0
        Seed of the folds.

    Attributes
    ----------
    mean_ : float
        Mean target.

    effects_ : ndarray of shape (n_residues,), float64
        Effect of a mutation at each position; 0 where no training variant is mutated.

    See Also
    --------
    SequenceOneHotEncoder : An effect for each residue of each position.

    Examples
    --------
    >>> from sklearn_revdist import SiteMean
    >>> variants = ["MKTA", "MKTG", "MKTC", "MRTA"]
    >>> site_mean = SiteMean(reference="MKTA", smooth=0).fit(variants, [1.0, 0.0, 0.0, 1.0])
    >>> site_mean.effects_
    array([ 0. ,  0.5,  0. , -0.5])
    >>> site_mean.transform(["MKTW", "MRTW", "MKWA"]).ravel()
    array([0. , 0.5, 0.5])
    """

    _parameter_constraints: dict = {
        "reference": [str, None],
        "smooth": [Interval(Real, 0, None, closed="left")],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "unknown": [StrOptions(set(RESIDUES))],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        reference: str | None = None,
        *,
        smooth: float = 1.0,
        cv: int = 5,
        unknown: str = "error",
        random_state: int = 0,
    ):
        self.reference = reference
        self.smooth = smooth
        self.cv = cv
        self.unknown = unknown
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.target_tags.required = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> Self:
        """Compute the effect of each position.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Variants of one length.

        y : array-like of shape (n_sequences,)
            Measurements.

        Returns
        -------
        self : SiteMean
            The fitted transformer.

        Raises
        ------
        TypeError
            If `X` is not an array-like of strings.
        ValueError
            If a record is not a protein or of another length, or `y` is not one finite number for
            each.
        """
        return self._fit(*self._check(X, y))

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any, groups: Any = None) -> NDArray[np.float64]:
        """Fit, and predict each row by the other folds.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Variants of one length.

        y : array-like of shape (n_sequences,)
            Measurements.

        groups : array-like of shape (n_sequences,), default=None
            Rows that stay in the same fold; None is those of equal sequences.

        Returns
        -------
        predicted : ndarray of shape (n_sequences, 1), float64

        Raises
        ------
        TypeError, ValueError
            As :meth:`fit` does. If there are fewer groups than folds.
        """
        tokens, y = self._check(X, y)
        if groups is None:
            _, groups = np.unique(tokens, axis=0, return_inverse=True)
        groups = np.asarray(groups)
        if groups.shape != y.shape:
            raise ValueError(
                f"groups is of shape {groups.shape}, but there are {len(y)} variants; give one "
                "group for each."
            )
        predicted = np.empty((len(y), 1))
        for train, test in group_folds(groups, self.cv, self.random_state, "variants"):
            predicted[test] = self._fit(tokens[train], y[train])._predict(tokens[test])
        self._fit(tokens, y)
        return predicted

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Predict variants.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Variants of the length of those of the fit.

        Returns
        -------
        predicted : ndarray of shape (n_sequences, 1), float64

        Raises
        ------
        TypeError
            If `X` is not an array-like of strings.
        ValueError
            If a record is not a protein, or of another length than those of the fit.
        """
        check_is_fitted(self)
        return self._predict(aligned(X, self.unknown, len(self.effects_)))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the output's column.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of shape (1,), object
            ``site_mean``.
        """
        return np.array(["site_mean"], dtype=object)

    def _check(self, X: Any, y: Any) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        wild_type = n_residues = None
        if self.reference is not None:
            wild_type = encode_reference(self.reference, self.unknown)
            n_residues = len(wild_type)
        tokens = aligned(X, self.unknown, n_residues, "the wild type (`reference`) has")
        y = column_or_1d(y, dtype=np.float64, warn=True)
        check_consistent_length(tokens, y)
        if not np.isfinite(y).all():
            row = int(np.flatnonzero(~np.isfinite(y))[0])
            raise ValueError(
                f"y has {y[row]} in row {row} (counting from 0); drop the row, or correct it."
            )
        if wild_type is None:
            counts = np.apply_along_axis(np.bincount, 0, tokens, minlength=256)
            wild_type = counts.argmax(axis=0).astype(np.uint8)
        self._wild_type = wild_type
        return tokens, y

    def _fit(self, tokens: NDArray[np.uint8], y: NDArray[np.float64]) -> Self:
        mutated = (tokens != self._wild_type).astype(np.float64)
        self.mean_ = float(y.mean())
        weight = mutated.sum(axis=0) + self.smooth
        sums = mutated.T @ (y - self.mean_)
        self.effects_ = np.divide(sums, weight, out=np.zeros(len(weight)), where=weight > 0)
        return self

    def _predict(self, tokens: NDArray[np.uint8]) -> NDArray[np.float64]:
        return (self.mean_ + (tokens != self._wild_type) @ self.effects_)[:, np.newaxis]
