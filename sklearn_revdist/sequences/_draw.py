"""Natural proteins drawn at random from any number of records, in memory for those drawn."""

import hashlib
import heapq
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ._tokens import AMINO_ACIDS, GAPS, drop_stop

# As long as ESM-2 was trained on; longer proteins are left out of the draw.
LONGEST = 1022

_STANDARD = re.compile(f"[{AMINO_ACIDS}]+")


class Draw(NamedTuple):
    """Proteins drawn from records.

    Attributes
    ----------
    proteins : list of str
        Each once, in an order that depends on the seed alone; fewer ones are the first of these.
    n_records : int
        How many records there were.
    left_out : dict of str to int
        How many of them could not be drawn, by reason.
    n_stops : int
        How many ended in ``*``, which was dropped.
    """

    proteins: list[str]
    n_records: int
    left_out: dict[str, int]
    n_stops: int

    def __str__(self):
        """Say how many were drawn, and all that was left out."""
        counts = [f"{n} {reason}" for reason, n in self.left_out.items()]
        told = f"{len(self.proteins)} proteins drawn from {self.n_records} records"
        if counts:
            told += f", without {', '.join(counts)}"
        return told + (f"; a final * was dropped from {self.n_stops}" if self.n_stops else "")


def draw_proteins(
    sequences: Iterable[str], n_proteins: int, seed: int = 0, *, longest: int = LONGEST
) -> Draw:
    """Draw distinct proteins at random, in memory for those drawn alone.

    A protein is drawn if its SHA-256, with the seed before it, is among the smallest: a uniform
    draw without replacement, whatever the order of the records is.

    Parameters
    ----------
    sequences : iterable of str
        Records of which any may be no protein.
    n_proteins : int
        How many to draw; all where there are not more.
    seed : int, default=0
        Of the draw.
    longest : int, default=1022
        Most residues that a protein may have.

    Returns
    -------
    draw : Draw
        Of proteins of at most so many residues, all of them among the 20 standard ones. Repeats
        are counted of the proteins that are drawn; what is not drawn is not remembered.

    Raises
    ------
    ValueError
        If there is no such protein.
    """
    left_out: Counter[str] = Counter()
    n_records = n_stops = 0
    times: dict[int, int] = {}  # that each protein drawn so far has occurred
    drawn: list[tuple[int, str]] = []  # a heap, the largest digest first
    for record in sequences:
        n_records += 1
        text = record.strip().upper()
        sequence = drop_stop(text)
        n_stops += sequence != text
        if reason := _why_left_out(sequence, longest):
            left_out[reason] += 1
            continue
        digest = int.from_bytes(hashlib.sha256(f"{seed}:{sequence}".encode()).digest(), "big")
        if digest in times:
            times[digest] += 1
        elif len(drawn) < n_proteins:
            times[digest] = 1
            heapq.heappush(drawn, (-digest, sequence))
        elif -digest > drawn[0][0]:
            times[digest] = 1
            del times[-heapq.heapreplace(drawn, (-digest, sequence))[0]]
    counts = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
    if not drawn:
        raise ValueError(
            f"None of the {n_records} proteins to fit on has at most {longest} residues and "
            f"standard ones alone ({counts or 'there are none'}); give other files."
        )
    if repeats := sum(times.values()) - len(times):
        left_out["that repeat one of these"] = repeats
    proteins = [sequence for _, sequence in sorted(drawn, reverse=True)]
    return Draw(proteins, n_records, dict(left_out), n_stops)


def _why_left_out(sequence: str, longest: int) -> str | None:
    if not sequence:
        return "without residues"
    if any(gap in sequence for gap in GAPS):
        return "with gaps"
    if not _STANDARD.fullmatch(sequence):
        return "with other letters than the 20 standard ones"
    if len(sequence) > longest:
        return f"of more than {longest} residues"
    return None
