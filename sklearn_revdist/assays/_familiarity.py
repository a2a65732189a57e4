"""Familiarity: in what new sequences are unlike those that a model was trained on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.utils import gen_batches

from ._assay import differences

_BATCH = 2**22  # pairs of sequences compared at a time
_LISTED = 3  # positions in a note


class Familiarity:
    """Compare new sequences with those of the training.

    Parameters
    ----------
    sequences : sequence of str
        Those of the training.
    wild_type : str or None
        The wild type, if all have its length.
    std : ndarray of shape (n_sequences,)
        Standard deviation of the prediction of each by a model without it.
    first_position : int, default=1
        Number of the first residue, for notes.
    """

    def __init__(
        self,
        sequences: Sequence[str],
        wild_type: str | None,
        std: NDArray[np.float64],
        first_position: int = 1,
    ):
        self._wild_type, self._first = wild_type, first_position
        self._lengths = min(map(len, sequences)), max(map(len, sequences))
        self._std = np.nanmax(std)
        if wild_type is not None:
            self._training = _Mutations(wild_type, sorted(set(sequences)))
            self._varied = np.asarray(self._training.positions.sum(axis=0)) > 0

    def compare(self, sequences: Sequence[str], std: NDArray[np.float64]) -> pd.DataFrame:
        """Compare sequences.

        Parameters
        ----------
        sequences : sequence of str
            Of the wild type's length, if there is one.
        std : ndarray of shape (n_sequences,)
            Standard deviation of the prediction of each.

        Returns
        -------
        notes : DataFrame
            One row per sequence. ``substitutions``: number of residues that differ from the wild
            type; ``identity``: share of the residues that the closest training sequence has as
            well (both only with a wild type); ``unlike``: in what the sequence is unlike all of
            the training, empty if in nothing.
        """
        notes = [self._length(len(sequence)) for sequence in sequences]
        columns = {}
        if self._wild_type is not None:
            new = _Mutations(self._wild_type, sequences)
            columns["substitutions"] = new.counts
            columns["identity"] = 1 - self._training.least_distance(new) / len(self._wild_type)
            most = int(self._training.counts.max())
            for row, positions in enumerate(
                np.split(new.positions.indices, new.positions.indptr[1:-1])
            ):
                notes[row] += self._positions(np.sort(positions))
                if new.counts[row] > most:
                    notes[row].append(f"{new.counts[row]} substitutions (training: at most {most})")
        for row in np.flatnonzero(std > self._std):
            notes[row].append("less certain than all of the training")
        return pd.DataFrame({**columns, "unlike": list(map("; ".join, notes))})

    def _length(self, length):
        low, high = self._lengths
        if low <= length <= high:
            return []
        return [f"{length} residues (training: {low if low == high else f'{low} to {high}'})"]

    def _positions(self, positions):
        new = positions[~self._varied[positions]] + self._first
        if not len(new):
            return []
        listed = ", ".join(map(str, new[:_LISTED])) + (", ..." if len(new) > _LISTED else "")
        return [f"position{'s' if len(new) > 1 else ''} {listed} never mutated in the training"]


class _Mutations:
    """Substitutions of sequences, as sparse tables.

    Attributes
    ----------
    counts : ndarray of shape (n_sequences,)
        Number of substitutions.
    positions : csr_array of shape (n_sequences, n_residues)
        1 at each position that is mutated.
    residues : csr_array of shape (n_sequences, 128 * n_residues)
        1 at each position and new residue.
    """

    def __init__(self, wild_type, sequences):
        differ = differences(wild_type, sequences)
        row, position = np.nonzero(differ)
        letters = np.array(list(sequences)).view("U1").reshape(differ.shape).astype("S1")
        code = letters[row, position].view(np.uint8)
        ones = np.ones(len(row), dtype=np.float32)
        shape = differ.shape
        columns = 128 * position + code
        self.counts = differ.sum(axis=1)
        self.positions = csr_array((ones, (row, position)), shape)
        self.residues = csr_array((ones, (row, columns)), (shape[0], 128 * shape[1]))

    def least_distance(self, new):
        """Number of residues in which each new sequence differs from the closest of these.

        Two sequences differ where either is mutated, except where both have the same new residue.
        """
        least = np.empty(len(new.counts))
        for rows in gen_batches(len(new.counts), max(1, _BATCH // len(self.counts))):
            shared = new.positions[rows] @ self.positions.T + new.residues[rows] @ self.residues.T
            differ = new.counts[rows, np.newaxis] + self.counts - shared.toarray()
            least[rows] = differ.min(axis=1)
        return least
