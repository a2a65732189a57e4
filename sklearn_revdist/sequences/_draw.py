"""Draw natural proteins at random from any number of records, holding only those drawn."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ._tokens import AMINO_ACIDS, GAPS, drop_stop

# The longest sequences that ESM-2 was trained on; longer proteins are left out of the draw.
LONGEST = 1022


class Draw(NamedTuple):
    """Proteins drawn from records.

    Attributes
    ----------
    proteins : list of str
        Each once, in an order that depends only on the seed; a smaller draw gives the first ones.
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
        """Count what was drawn and what was left out."""
        counts = [f"{n} {reason}" for reason, n in self.left_out.items()]
        without = f", without {', '.join(counts)}" if counts else ""
        stops = f"; a final * was dropped from {self.n_stops}" if self.n_stops else ""
        return f"{len(self.proteins)} proteins drawn from {self.n_records} records{without}{stops}"


def draw_proteins(
    sequences: Iterable[str], n_proteins: int, seed: int = 0, *, longest: int = LONGEST
) -> Draw:
    """Draw distinct proteins at random, holding only those drawn in memory.

    The proteins with the smallest SHA-256 digests of seed and sequence are drawn: a uniform draw
    without replacement that does not depend on the order of the records.

    Parameters
    ----------
    sequences : iterable of str
        Records, of which some may not be proteins.
    n_proteins : int
        How many to draw; all if there are fewer.
    seed : int, default=0
        Seed of the draw.
    longest : int, default=1022
        Most residues that a protein may have.

    Returns
    -------
    draw : Draw
        Proteins of at most `longest` residues, all of them among the 20 standard ones. Repeats
        are counted only of the proteins that are drawn, since others are not remembered.

    Raises
    ------
    ValueError
        If there are no such proteins.
    """
    left_out: Counter[str] = Counter()
    n_records = n_stops = 0
    times: dict[int, int] = {}  # how often each protein drawn so far has occurred
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
            f"None of the {n_records} proteins to fit on has at most {longest} residues, all "
            f"standard ({counts or 'there are none'}); give other files."
        )
    if repeats := sum(times.values()) - len(times):
        left_out["that repeat one of these"] = repeats
    proteins = [sequence for _, sequence in sorted(drawn, reverse=True)]
    return Draw(proteins, n_records, dict(left_out), n_stops)


def _why_left_out(sequence: str, longest: int) -> str | None:
    if not sequence:
        return "without residues"
    other = set(sequence) - set(AMINO_ACIDS)
    if other:
        if other & set(GAPS):
            return "with gaps"
        return "with other letters than the 20 standard ones"
    if len(sequence) > longest:
        return f"of more than {longest} residues"
    return None
