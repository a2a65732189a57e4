"""Moments of the residues of proteins, summed part by part, so that a stopped sum can go on."""

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from ..utils._parts import Parts
from ._moments import Moments

# Moments of a long chain take hundreds of megabytes, so they are not kept after every part.
KEEP_SECONDS = 60.0


def check_embedder(embedder: Any) -> None:
    """Refuse an object that cannot embed residues."""
    if isinstance(embedder, type) or not hasattr(embedder, "iter_residues"):
        raise TypeError(
            f"embedder must be an ESMEmbedder, but it is {embedder!r}; give one, as in "
            "ESMEmbedder('650M')."
        )


def residue_columns(embedder: Any) -> list[str]:
    """Names of the columns of an embedder's residues; those of its rows if it has no others."""
    names = getattr(embedder, "residue_feature_names", embedder.get_feature_names_out)
    return list(names())


def sum_residues(
    parts: Iterable[Any],
    embedder: Any,
    kept: Parts | None = None,
    update: Callable[[int], object] = lambda n_residues: None,
) -> Moments:
    """Sum the moments of the residues of proteins, a block of rows at a time.

    Parameters
    ----------
    parts : iterable of array-likes of str
        Proteins; those of one part are embedded together.
    embedder : ESMEmbedder
    kept : Parts, default=None
        Where the sum is kept: every minute, when the function is stopped, and at the end. Parts of
        proteins that are in it already are not embedded again.
    update : callable, default=None
        Called with the number of residues that were added, as of a progress bar.

    Returns
    -------
    moments : Moments
    """
    n_kept, moments = _read(kept) if kept else (0, None)
    if moments is None:
        moments = Moments.zeros(len(residue_columns(embedder)))
    update(int(moments.weight))
    n_summed, kept_at = n_kept, time.monotonic()
    try:
        for part in islice(parts, n_kept, None):
            total = moments
            for rows, _ in embedder.iter_residues(part):
                total += Moments.of(rows)
            n_residues = int(total.weight - moments.weight)
            n_summed, moments = n_summed + 1, total
            update(n_residues)
            if kept and time.monotonic() - kept_at > KEEP_SECONDS:
                _write(kept, n_summed, moments)
                n_kept, kept_at = n_summed, time.monotonic()
    finally:
        if kept and n_summed > n_kept:
            _write(kept, n_summed, moments)
    return moments


def _write(kept: Parts, n_summed: int, moments: Moments) -> None:
    """Write a sum, then remove those before."""
    before = kept.numbers()
    kept.write(n_summed, **{name: a for name, a in vars(moments).items() if a is not None})
    kept.remove(number for number in before if number != n_summed)


def _read(kept: Parts) -> tuple[int, Moments | None]:
    """The longest sum that is there, and of how many parts it is."""
    for number in reversed(kept.numbers()):
        if arrays := kept.read(number):
            return number, Moments(float(arrays.pop("weight")), **arrays)
    return 0, None
