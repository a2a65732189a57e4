"""Published outputs of ESM-2, and how far ours may differ from them."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..utils._files import bundled

FILE = bundled("esm2_published_outputs.safetensors")

# The outputs were computed in bfloat16. With random weights and 6 to 36 layers, such outputs differ
# from float32 by up to 0.7 rounding units of the largest value and 0.02 of the spread; ours in
# bfloat16 by up to 5.2 and 0.06.
_ROUNDINGS = 8 * 2.0**-7
_SHARE_OF_SPREAD = 0.1


class PublishedOutputs(NamedTuple):
    """Outputs of one model.

    Attributes
    ----------
    sequences : list of str
    positions : list of list of int
        For each sequence the positions of the residues whose rows are kept, counted from 1.
    rows : ndarray of shape (n_positions, width)
        Representations of these residues, sequence after sequence.
    means : ndarray of shape (n_sequences, width)
        Means over all residues of each sequence.
    """

    sequences: list[str]
    positions: list[list[int]]
    rows: NDArray
    means: NDArray

    def compare(self, rows: Sequence[NDArray]) -> "Comparison":
        """Compare residue rows of the sequences with the published outputs."""
        kept = [r[np.array(at) - 1] for r, at in zip(rows, self.positions, strict=True)]
        found = np.concatenate([*kept, [r.mean(0, dtype=np.float64) for r in rows]])
        published = np.concatenate([self.rows, self.means]).astype(np.float64)
        error = np.abs(found - published)
        spread = np.sqrt(np.mean((self.rows - self.rows.mean(0, dtype=np.float64)) ** 2))
        return Comparison(
            difference=float(error.max()),
            allowed=float(_ROUNDINGS * np.abs(published).max()),
            share_of_spread=float(np.sqrt(np.mean(error**2)) / spread),
            where=self._places()[int(error.max(axis=1).argmax())],
        )

    def _places(self) -> list[str]:
        places = [
            f"residue {position} of sequence {i}"
            for i, positions in enumerate(self.positions, 1)
            for position in positions
        ]
        return places + [f"the mean of sequence {i}" for i in range(1, len(self.sequences) + 1)]


class Comparison(NamedTuple):
    """Difference from published outputs, and what rounding to bfloat16 allows.

    Attributes
    ----------
    difference, allowed : float
        The largest difference, and eight rounding units of bfloat16 at the largest value.
    share_of_spread : float
        Root mean square of the differences, over that of the rows about their mean.
    where : str
        The residue or mean with the largest difference.
    """

    difference: float
    allowed: float
    share_of_spread: float
    where: str

    @property
    def holds(self) -> bool:
        """Whether rounding to bfloat16 can explain the difference."""
        return self.difference <= self.allowed and self.share_of_spread <= _SHARE_OF_SPREAD


def published_outputs(name: str) -> PublishedOutputs | None:
    """Return the published outputs of the model of that name, or None."""
    from safetensors import safe_open

    with safe_open(FILE, "numpy") as file:
        if f"{name}/rows" not in file.keys():  # noqa: SIM118 (`in file` raises)
            return None
        described = json.loads(file.metadata()["description"])
        return PublishedOutputs(
            sequences=described["sequences"],
            positions=described["positions"],
            rows=file.get_tensor(f"{name}/rows").astype(np.float32),
            means=file.get_tensor(f"{name}/means").astype(np.float32),
        )
