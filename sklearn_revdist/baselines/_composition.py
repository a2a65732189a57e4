"""KmerComposition: how often each amino acid, or word of k, occurs in a sequence."""

from itertools import product
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..sequences._tokens import AMINO_ACIDS, RESIDUES, TOKENS, Encoder, encode_sequences
from ..sequences._transformer import SequenceTransformer
from ..utils._compat import Interval, StrOptions, _fit_context

_NUMBER = np.full(len(TOKENS), -1)
_NUMBER[[TOKENS.index(letter) for letter in AMINO_ACIDS]] = np.arange(len(AMINO_ACIDS))


class KmerComposition(SequenceTransformer):
    """Encode sequences of any length by the frequencies of their k-mers.

    With ``k=1`` the composition: the fraction of each of the twenty amino acids. The simplest
    baseline for unrelated proteins.

    Parameters
    ----------
    k : int, default=1
        Length of the words, at most 3, of which there are 8,000.

    unknown : {"error", "mask", "X", "keep"}, default="error"
        How to treat the ambiguous residues ``X B Z U O J``, and ``*`` inside a sequence, as
        :class:`ESMEmbedder` does; words that contain one are not counted.

    See Also
    --------
    SequenceOneHotEncoder : For variants of one length.

    Examples
    --------
    >>> from sklearn_revdist import KmerComposition
    >>> composition = KmerComposition()
    >>> columns = composition.transform(["AACD", "W"])
    >>> columns[:, :3]
    array([[0.5 , 0.25, 0.25],
           [0.  , 0.  , 0.  ]])
    >>> composition.get_feature_names_out()[:3].tolist()
    ['kmer_A', 'kmer_C', 'kmer_D']
    """

    _parameter_constraints: dict = {
        "k": [Interval(Integral, 1, 3, closed="both")],
        "unknown": [StrOptions(set(RESIDUES))],
    }

    def __init__(self, k: int = 1, *, unknown: str = "error"):
        self.k = k
        self.unknown = unknown

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check parameters and sequences; nothing is learnt.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Protein sequences.

        y : None
            Ignored.

        Returns
        -------
        self : KmerComposition
            The transformer itself.
        """
        Encoder(self.unknown).encode(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Count the k-mers of sequences.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Protein sequences.

        Returns
        -------
        frequencies : ndarray of shape (n_sequences, 20 ** k), float64
            They add up to 1 in each row, or are all 0 where there is no word.

        Raises
        ------
        TypeError
            If `X` is not an array-like of strings.
        ValueError
            If a parameter is not valid, or a record is not a protein; the message names it.
        """
        self._validate_params()
        tokens = encode_sequences(X, self.unknown)
        n_words = len(AMINO_ACIDS) ** self.k
        counts = np.stack([np.bincount(self._words(t), minlength=n_words) for t in tokens])
        return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the output's columns by their words.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of shape (20 ** k,), object
            Such as ``kmer_AC``.
        """
        self._validate_params()
        words = product(AMINO_ACIDS, repeat=self.k)
        return np.array([f"kmer_{''.join(word)}" for word in words], dtype=object)

    def _words(self, tokens: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Numbers of the words of a sequence that have no other letters."""
        if len(tokens) < self.k:
            return np.empty(0, dtype=np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(_NUMBER[tokens], self.k)
        windows = windows[(windows >= 0).all(axis=1)]
        return windows @ len(AMINO_ACIDS) ** np.arange(self.k)[::-1]
