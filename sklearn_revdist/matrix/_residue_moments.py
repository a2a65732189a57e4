"""Moments of the residues of proteins: summed a block of rows at a time, and kept in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_array

from ..utils._files import replaced
from ._moments import Moments


def check_embedder(embedder: Any) -> None:
    """Refuse what embeds no residues."""
    if isinstance(embedder, type) or not hasattr(embedder, "iter_residues"):
        raise TypeError(
            f"embedder must be an ESMEmbedder, but it is {embedder!r}; give one, as in "
            "ESMEmbedder('650M')."
        )


def sum_residues(sequences: Sequence[str], embedder: Any) -> Moments:
    """Moments of the residues of proteins, a block of rows at a time.

    Parameters
    ----------
    sequences : sequence of str
    embedder : ESMEmbedder

    Returns
    -------
    moments : Moments
    """
    moments = Moments.zeros(len(embedder.get_feature_names_out()))
    for rows, _ in embedder.iter_residues(sequences):
        moments += Moments.of(check_array(rows, dtype=[np.float64, np.float32]))
    return moments


def write_moments(moments: Moments, path: Path) -> None:
    """Write moments to a file of NumPy's, in one step."""
    arrays = {name: value for name, value in vars(moments).items() if value is not None}
    with replaced(path) as part, open(part, "wb") as file:
        np.savez(file, **arrays)


def read_moments(path: Path) -> Moments:
    """Read the moments that :func:`write_moments` wrote; nothing in the file is executed."""
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    return Moments(float(arrays.pop("weight")), **arrays)
