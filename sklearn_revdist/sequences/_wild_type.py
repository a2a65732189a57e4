"""Undo the substitutions of variants, and find the numbering in which this works."""

import re
from collections import Counter
from collections.abc import Sequence

from ._mutants import Substitution

_MOST_VARIANTS = 1000
_MOST_NUMBERINGS = 10

Mutant = tuple[Substitution, ...]


def undo(mutant: Mutant, sequence: str, first_position: int) -> str | None:
    """Return a sequence without its substitutions, or None if it does not have them.

    Parameters
    ----------
    mutant : tuple of Substitution
    sequence : str
        Sequence of the variant.
    first_position : int
        Number of its first residue in the numbering of the mutant.
    """
    undone = sequence
    for old, position, new in mutant:
        i = position - first_position
        if not 0 <= i < len(sequence) or sequence[i] != new:
            return None
        undone = undone[:i] + old + undone[i + 1 :]
    return undone if len({each.position for each in mutant}) == len(mutant) else None


def find_first_position(variants: Sequence[tuple[Mutant, str]]) -> int | None:
    """Find the number of the first residue with which most variants fit.

    At most 1,000 variants, evenly spaced, vote for all numberings in which they have the letters
    that they should have. The winner leads most variants back to the same sequence.

    Parameters
    ----------
    variants : sequence of (tuple of Substitution, str)
        Substitutions, at least one each, and sequences.

    Returns
    -------
    first_position : int or None
        None unless more than half of the variants, and at least two, agree on a single one.
    """
    variants = variants[:: -(-len(variants) // _MOST_VARIANTS) or 1]
    votes: Counter[int] = Counter()
    for mutant, sequence in variants:
        _, position, new = mutant[0]
        places = (match.start() for match in re.finditer(re.escape(new), sequence))
        votes.update(
            position - i for i in places if undo(mutant, sequence, position - i) is not None
        )
    support = {}
    for first, _ in votes.most_common(_MOST_NUMBERINGS):
        undone = Counter(undo(*variant, first) for variant in variants)
        del undone[None]
        support[first] = max(undone.values())
    best = max(support.values(), default=0)
    winners = [first for first, n in support.items() if n == best]
    return winners[0] if best >= 2 and 2 * best > len(variants) and len(winners) == 1 else None


def find_numbering(mutants: Sequence[Mutant], wild_type: str) -> int | None:
    """Find the number of the first residue of a wild type with which most substitutions fit it.

    Parameters
    ----------
    mutants : sequence of tuple of Substitution
    wild_type : str

    Returns
    -------
    first_position : int or None
        None unless most of the residues that are replaced, and at least two, agree on one alone.
    """
    replaced = {(old, position) for mutant in mutants for old, position, _ in mutant}
    votes = Counter(
        position - i
        for old, position in replaced
        for i, residue in enumerate(wild_type)
        if residue == old
    )
    (first, n), (_, n_next) = [*votes.most_common(2), (None, 0), (None, 0)][:2]
    return first if n >= 2 and 2 * n > len(replaced) and n > n_next else None


def misfit(mutant: Mutant, sequence: str, wild_type: str, first_position: int) -> str:
    """Say what does not fit in a variant, as the end of a sentence.

    Parameters
    ----------
    mutant : tuple of Substitution
        Empty for the wild type.
    sequence : str
        Sequence to which it should lead.
    wild_type : str
        Sequence from which it should start; unused if letters of `sequence` do not fit.
    first_position : int
        Number of the first residue.
    """
    leads = "does not lead to its mutated_sequence"
    last = first_position + len(sequence) - 1
    before: dict[int, str] = {}  # letters that are replaced, by position
    for old, position, new in mutant:
        if not first_position <= position <= last:
            return f"{leads}, which has the positions {first_position} to {last}, not {position}"
        if position in before:
            return f"{leads}: it changes position {position} twice"
        before[position] = old
        found = sequence[position - first_position]
        if found != new:
            return f"{leads}, which has {found} at position {position}"
    if len(sequence) != len(wild_type):
        return (
            f"{leads}, which has {len(sequence)} residues, where the wild type has {len(wild_type)}"
        )
    position, found, expected = next(
        (position, a, b)
        for position, (a, b) in enumerate(zip(sequence, wild_type, strict=True), first_position)
        if before.get(position, a) != b
    )
    if position in before:
        return (
            "does not start from the wild type of most variants, which has "
            f"{expected} at position {position}"
        )
    return (
        f"{leads}, which has {found} at position {position}, where the wild type of most variants "
        f"has {expected}"
    )
