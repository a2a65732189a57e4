"""One wild type: what the variants of a scan become when their substitutions are undone."""

import re
from collections import Counter
from collections.abc import Sequence

from ._mutants import Substitution

_MOST_LOOKED_AT = 1000  # variants
_MOST_TRIED = 10  # numberings

Mutant = tuple[Substitution, ...]


def undo(mutant: Mutant, sequence: str, first_position: int) -> str | None:
    """The sequence without its substitutions, None where it does not have them.

    Parameters
    ----------
    mutant : tuple of Substitution
    sequence : str
        Of the variant.
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
    """The number of the first residue with which most variants fit.

    At most 1,000 variants, evenly drawn, are looked at. Each votes for all numberings in which
    it has the letters that it should have; the winner is the one that leads most back to the
    same sequence.

    Parameters
    ----------
    variants : sequence of (tuple of Substitution, str)
        Substitutions, at least one each, and sequences.

    Returns
    -------
    first_position : int or None
        None unless more than half of the variants, and two, agree on one alone.
    """
    variants = variants[:: -(-len(variants) // _MOST_LOOKED_AT) or 1]
    votes: Counter[int] = Counter()
    for mutant, sequence in variants:
        _, position, new = mutant[0]
        places = (match.start() for match in re.finditer(re.escape(new), sequence))
        votes.update(
            position - i for i in places if undo(mutant, sequence, position - i) is not None
        )
    support = {}
    for first, _ in votes.most_common(_MOST_TRIED):
        undone = Counter(undo(*variant, first) for variant in variants)
        del undone[None]
        support[first] = max(undone.values())
    best = max(support.values(), default=0)
    winners = [first for first, n in support.items() if n == best]
    return winners[0] if best >= 2 and 2 * best > len(variants) and len(winners) == 1 else None


def misfit(mutant: Mutant, sequence: str, wild_type: str, first_position: int) -> str:
    """What of a variant does not fit, as the end of a sentence.

    Parameters
    ----------
    mutant : tuple of Substitution
        Empty for the wild type.
    sequence : str
        What it should lead to.
    wild_type : str
        What it should start from; not looked at where letters of the sequence do not fit.
    first_position : int
        Number of the first residue.
    """
    last = first_position + len(sequence) - 1
    for i, (_, position, new) in enumerate(mutant):
        if not first_position <= position <= last:
            return (
                "does not lead to its mutated_sequence, which has the positions "
                f"{first_position} to {last}, not {position}"
            )
        if position in [earlier.position for earlier in mutant[:i]]:
            return f"does not lead to its mutated_sequence: it changes position {position} twice"
        found = sequence[position - first_position]
        if found != new:
            return (
                f"does not lead to its mutated_sequence, which has {found} at position {position}"
            )
    if len(sequence) != len(wild_type):
        return (
            f"does not lead to its mutated_sequence, which has {len(sequence)} residues, where "
            f"the wild type has {len(wild_type)}"
        )
    for old, position, _ in mutant:
        expected = wild_type[position - first_position]
        if old != expected:
            return (
                "does not start from the wild type of most variants, which has "
                f"{expected} at position {position}"
            )
    changed = {position - first_position for _, position, _ in mutant}
    i = next(
        i
        for i, (a, b) in enumerate(zip(sequence, wild_type, strict=True))
        if a != b and i not in changed
    )
    return (
        f"does not lead to its mutated_sequence, which has {sequence[i]} at position "
        f"{i + first_position}, where the wild type of most variants has {wild_type[i]}"
    )
