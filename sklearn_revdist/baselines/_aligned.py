"""Aligned variants: sequences of one length, as a table of residues by position."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sequences._tokens import encode_sequences


def aligned(
    X: Any, unknown: str, n_residues: int | None = None, others: str = "those of the fit had"
) -> NDArray[np.uint8]:
    """Encode sequences of one length.

    Parameters
    ----------
    X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
    unknown : {"error", "mask", "X", "keep"}
    n_residues : int, default=None
        Their length; None is that of the first.
    others : str
        What has that length, for the message.

    Returns
    -------
    tokens : ndarray of shape (n_sequences, n_residues), uint8

    Raises
    ------
    TypeError
        If `X` is not an array-like of strings.
    ValueError
        If a record is not a protein, or of another length; the message names it.
    """
    tokens = encode_sequences(X, unknown)
    if n_residues is None:
        n_residues, others = len(tokens[0]), "record 0 has"
    for record, sequence in enumerate(tokens):
        if len(sequence) != n_residues:
            raise ValueError(
                f"Record {record} (counting from 0) has {len(sequence)} residues, but {others} "
                f"{n_residues}; residues are compared by position, so give variants of one length."
            )
    return np.stack(tokens)
