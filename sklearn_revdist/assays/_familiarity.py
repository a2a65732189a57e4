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


def familiarity(
    sequences: Sequence[str],
    std: NDArray[np.float64],
    training: Sequence[str],
    wild_type: str | None,
    training_std: NDArray[np.float64],
    first_position: int = 1,
) -> pd.DataFrame:
    """Compare new sequences with those of the training.

    Parameters
    ----------
    sequences : sequence of str
        New ones, of the wild type's length, if there is one.
    std : ndarray of shape (n_sequences,)
        Standard deviation of the prediction of each.
    training : sequence of str
        Those of the training.
    wild_type : str or None
        The wild type, if all have its length.
    training_std : ndarray of shape (n_training,)
        Standard deviation of the prediction of each by a model without it.
    first_position : int, default=1
        Number of the first residue, for notes.

    Returns
    -------
    notes : DataFrame
        One row per sequence. ``substitutions``: number of residues that differ from the wild
        type; ``identity``: share of the residues that the closest training sequence has as
        well (both only with a wild type); ``unlike``: in what the sequence is unlike all of
        the training, empty if in nothing.
    """
    low, high = min(map(len, training)), max(map(len, training))
    lengths = f"{low}" if low == high else f"{low} to {high}"
    notes = [
        [] if low <= len(new) <= high else [f"{len(new)} residues (training: {lengths})"]
        for new in sequences
    ]
    columns = {}
    if wild_type is not None:
        known = _Mutations(wild_type, sorted(set(training)))
        new = _Mutations(wild_type, sequences)
        columns["substitutions"] = new.counts
        columns["identity"] = 1 - known.least_distance(new) / len(wild_type)
        varied, most = np.asarray(known.positions.sum(axis=0)) > 0, int(known.counts.max())
        positions_of = np.split(new.positions.indices, new.positions.indptr[1:-1])
        for row, positions in enumerate(positions_of):
            unvaried = np.sort(positions[~varied[positions]]) + first_position
            if len(unvaried):
                listed = ", ".join(map(str, unvaried[:_LISTED]))
                more = ", ..." if len(unvaried) > _LISTED else ""
                which = f"position{'s' if len(unvaried) > 1 else ''} {listed}{more}"
                notes[row].append(f"{which} never mutated in the training")
            if new.counts[row] > most:
                notes[row].append(f"{new.counts[row]} substitutions (training: at most {most})")
    for row in np.flatnonzero(std > np.nanmax(training_std)):
        notes[row].append("less certain than all of the training")
    return pd.DataFrame({**columns, "unlike": list(map("; ".join, notes))})


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
