"""Residue moments: those of the residues of natural proteins, kept in a file."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_array

from ._files import replaced
from ._moments import Moments
from ._sequences import AMINO_ACIDS, iter_fasta

# As long as ESM-2 was trained on; longer proteins are left out of the draw.
_LONGEST = 1022


def draw_proteins(
    files: Iterable[str | os.PathLike], n_proteins: int, seed: int = 0
) -> tuple[list[str], int]:
    """Proteins of FASTA files, each once, drawn at random.

    Parameters
    ----------
    files : iterable of str or path-like
        FASTA files, plain or compressed with gzip.
    n_proteins : int
        How many to draw; all where there are not more.
    seed : int, default=0
        Of the draw, which does not depend on the order of files and records.

    Returns
    -------
    proteins : list of str
    n_eligible : int
        How many distinct ones of at most 1022 residues, all of them standard, there are.
    """
    standard = set(AMINO_ACIDS)
    found = {sequence.upper() for file in files for _, sequence in iter_fasta(file)}
    eligible = sorted(s for s in found if len(s) <= _LONGEST and standard.issuperset(s))
    if not eligible:
        raise ValueError(
            "None of the proteins to fit on has at most 1022 residues and standard ones alone; "
            "give other files."
        )
    if len(eligible) <= n_proteins:
        return eligible, len(eligible)
    drawn = np.random.default_rng(seed).choice(len(eligible), n_proteins, replace=False)
    return [eligible[i] for i in drawn], len(eligible)


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
