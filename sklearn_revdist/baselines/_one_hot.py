"""SequenceOneHotEncoder: a column for each residue that occurs at each position."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from ..sequences._tokens import RESIDUES, TOKENS
from ..sequences._transformer import SequenceTransformer
from ..utils._compat import StrOptions, _fit_context
from ._aligned import aligned

# As codes of letters, so that columns are in alphabetical order; "<" stands for "<mask>".
_CODES = np.array([ord(token[0]) for token in TOKENS], dtype=np.uint8)


class SequenceOneHotEncoder(SequenceTransformer):
    """Encode variants of one length by their residues at the positions that vary.

    The simplest baseline for variants of a protein: a linear model on these columns has an effect
    for each mutation, and adds them up. It knows nothing of mutations, or positions, that are not
    in the training set.

    Parameters
    ----------
    unknown : {"error", "mask", "X", "keep"}, default="error"
        How to treat the ambiguous residues ``X B Z U O J``, and ``*`` inside a sequence, as
        :class:`ESMEmbedder` does.

    sparse_output : bool, default=False
        Whether to return a sparse matrix.

    Attributes
    ----------
    positions_ : ndarray of shape (n_positions,), int64
        Positions at which training sequences differ, counted from 1.

    n_residues_ : int
        Length of the sequences.

    See Also
    --------
    SiteMean : The mean target of each position.
    KmerComposition : For sequences of any length.

    Examples
    --------
    >>> from sklearn_revdist import SequenceOneHotEncoder
    >>> encoder = SequenceOneHotEncoder().fit(["MKTA", "MKTG", "MRTA"])
    >>> encoder.get_feature_names_out().tolist()
    ['site2_K', 'site2_R', 'site4_A', 'site4_G']
    >>> encoder.transform(["MRTG", "MRTW"])  # no training sequence has W
    array([[0., 1., 0., 1.],
           [0., 1., 0., 0.]])
    """

    _parameter_constraints: dict = {
        "unknown": [StrOptions(set(RESIDUES))],
        "sparse_output": ["boolean"],
    }

    def __init__(self, *, unknown: str = "error", sparse_output: bool = False):
        self.unknown = unknown
        self.sparse_output = sparse_output

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the positions that vary, and their residues.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Variants of one length.

        y : None
            Ignored.

        Returns
        -------
        self : SequenceOneHotEncoder
            The fitted encoder.

        Raises
        ------
        TypeError
            If `X` is not an array-like of strings.
        ValueError
            If a record is not a protein or of another length, or all are equal.
        """
        tokens = aligned(X, self.unknown)
        varies = (tokens != tokens[0]).any(axis=0)
        if not varies.any():
            raise ValueError(
                f"All {len(tokens)} sequences are equal, so there is nothing to encode; give "
                "variants that differ."
            )
        self.n_residues_ = tokens.shape[1]
        self.positions_ = np.flatnonzero(varies) + 1
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=self.sparse_output)
        self._encoder = encoder.fit(_CODES[tokens[:, varies]])
        return self

    def transform(self, X: Any) -> NDArray[np.float64] | csr_matrix:
        """Encode variants.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Variants of the length of those of the fit.

        Returns
        -------
        columns : ndarray or csr_matrix of shape (n_sequences, n_features), float64
            1 where a variant has the residue of the column at its position; a residue that no
            training sequence has there is 0 in all columns of the position.

        Raises
        ------
        TypeError
            If `X` is not an array-like of strings.
        ValueError
            If a record is not a protein, or of another length than those of the fit.
        """
        check_is_fitted(self)
        tokens = aligned(X, self.unknown, self.n_residues_)
        return self._encoder.transform(_CODES[tokens[:, self.positions_ - 1]])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the output's columns: the position and the residue.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of shape (n_features,), object
            Such as ``site24_A``.
        """
        check_is_fitted(self)
        each = zip(self.positions_.tolist(), self._encoder.categories_, strict=True)
        names = [f"site{at}_{chr(code)}" for at, codes in each for code in codes]
        return np.array(names, dtype=object)
