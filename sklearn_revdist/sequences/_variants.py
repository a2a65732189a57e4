"""Variants of a protein: from the names of mutants to sequences, and back."""

import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb
from numbers import Integral

from ..utils._compat import Interval, StrOptions, validate_params
from ._mutants import INDEL, LETTERS, Substitution, parse_mutant
from ._tokens import AMINO_ACIDS

_MOST_VARIANTS = 10_000_000
_NAMES = {letter: name.capitalize() for name, letter in LETTERS.items() if len(name) == 3}

# "p.Lys23_Val25delinsArgSer", "K23del", "p.(Lys23dup)", "p.Lys23_Leu24insGln"
_RESIDUE = r"([a-z]{3}|[a-z])(\d{1,9})"
_CHANGE = re.compile(
    rf"(?:p\.)?\(?{_RESIDUE}(?:_{_RESIDUE})?(delins|del|ins|dup)([a-z]*)\)?",
    re.ASCII | re.IGNORECASE,
)

_PARAMETERS: dict = {
    "reference": [str],
    "mutants": ["array-like"],
    "sequences": ["array-like"],
    "positions": ["array-like", None],
    "first_position": [Interval(Integral, None, None, closed="neither")],
    "notation": [StrOptions({"proteingym", "hgvs"})],
    "n_substitutions": [Interval(Integral, 1, None, closed="left")],
}


def _checked(*names: str):
    return validate_params({name: _PARAMETERS[name] for name in names})


@_checked("reference", "mutants", "first_position")
def mutate(reference: str, mutants: Iterable[str], *, first_position: int = 1) -> list[str]:
    """Make the sequences of mutants.

    Parameters
    ----------
    reference : str
        The wild type.
    mutants : iterable of str
        Substitutions, such as ``A24G``, ``A24G:L30K`` (also with ``; / , + _`` or blanks between),
        ``p.Ala24Gly``, ``p.[Ala24Gly;Leu30Lys]``; the wild type, such as ``WT`` or ``p.=``; or one
        deletion, insertion or duplication in HGVS's notation [1]_, such as ``p.Lys23_Val25del``,
        ``p.Lys23_Leu24insArgSer``, ``p.Lys23delinsArg`` or ``K23dup``.
    first_position : int, default=1
        Number of the first residue of `reference` in the numbering of the mutants.

    Returns
    -------
    sequences : list of str
        In the order of `mutants`.

    Raises
    ------
    ValueError
        If a mutant cannot be read or does not fit `reference`; the message names it.

    References
    ----------
    .. [1] den Dunnen, J. T. et al. (2016). HGVS recommendations for the description of sequence
       variants: 2016 update. Human Mutation 37, 564-569.

    Examples
    --------
    >>> from sklearn_revdist import mutate
    >>> mutate("MKTAY", ["K2R", "p.[Lys2Arg;Ala4Gly]", "WT", "p.Lys2_Thr3del", "T3dup"])
    ['MRTAY', 'MRTGY', 'MKTAY', 'MAY', 'MKTTAY']
    """
    reference = reference.strip().upper()
    mutated = []
    for i, text in enumerate(mutants):
        where = f"mutants[{i}]={text!r}"
        _check_text(text, where)
        mutated.append(mutated_sequence(reference, text, where, first_position))
    return mutated


@_checked("reference", "sequences", "first_position", "notation")
def mutants_of(
    reference: str,
    sequences: Iterable[str],
    *,
    first_position: int = 1,
    notation: str = "proteingym",
) -> list[str]:
    """Name the substitutions by which sequences differ from a wild type.

    Parameters
    ----------
    reference : str
        The wild type.
    sequences : iterable of str
        Of the same length.
    first_position : int, default=1
        Number of the first residue.
    notation : {"proteingym", "hgvs"}, default="proteingym"
        ``A24G:L30K`` and ``WT``, or ``p.[Ala24Gly;Leu30Lys]`` and ``p.=``.

    Returns
    -------
    mutants : list of str

    Raises
    ------
    ValueError
        If a sequence has another length; the message names its number.

    Examples
    --------
    >>> from sklearn_revdist import mutants_of
    >>> mutants_of("MKTAY", ["MRTGY", "MKTAY"])
    ['K2R:A4G', 'WT']
    >>> mutants_of("MKTAY", ["MRTGY", "MKTAW"], notation="hgvs")
    ['p.[Lys2Arg;Ala4Gly]', 'p.Tyr5Trp']
    """
    reference = reference.strip().upper()
    named = []
    for i, sequence in enumerate(sequences):
        _check_text(sequence, f"sequences[{i}]={sequence!r}")
        sequence = sequence.strip().upper()
        if len(sequence) != len(reference):
            raise ValueError(
                f"sequences[{i}] has {len(sequence)} residues, but the wild type has "
                f"{len(reference)}; only substitutions can be named."
            )
        pairs = enumerate(zip(reference, sequence, strict=True), first_position)
        named.append(_named([Substitution(a, n, b) for n, (a, b) in pairs if a != b], notation))
    return named


@_checked("reference", "positions", "first_position")
def single_substitutions(
    reference: str, positions: Sequence[int] | None = None, *, first_position: int = 1
) -> list[str]:
    """List all single substitutions by the 20 amino acids.

    Parameters
    ----------
    reference : str
        The wild type, of n residues.
    positions : array-like of int, default=None
        Where; None is everywhere.
    first_position : int, default=1
        Number of the first residue.

    Returns
    -------
    mutants : list of str
        19 for each position, by position and then by letter, as :func:`mutate` takes them.

    Raises
    ------
    ValueError
        If a position is outside of `reference`.

    Examples
    --------
    >>> from sklearn_revdist import single_substitutions
    >>> mutants = single_substitutions("MKTAY")
    >>> len(mutants), mutants[:3]
    (95, ['M1A', 'M1C', 'M1D'])
    """
    reference = reference.strip().upper()
    last = first_position + len(reference) - 1
    chosen = range(first_position, last + 1) if positions is None else positions
    for position in chosen:
        if not isinstance(position, Integral) or not first_position <= position <= last:
            raise ValueError(
                f"positions has {position!r}, but the wild type has the positions "
                f"{first_position} to {last}; leave it out, or set `first_position`."
            )
    return [
        f"{old}{position}{new}"
        for position in chosen
        for old in [reference[position - first_position]]
        for new in AMINO_ACIDS
        if new != old
    ]


@_checked("mutants", "n_substitutions")
def combine_mutants(mutants: Sequence[str], n_substitutions: int = 2) -> list[str]:
    """Combine single substitutions at different positions.

    Parameters
    ----------
    mutants : array-like of str
        Single substitutions, as :func:`single_substitutions` lists them.
    n_substitutions : int, default=2
        How many each combination has.

    Returns
    -------
    combined : list of str
        Such as ``A24G:L30K``, by position.

    Raises
    ------
    ValueError
        If a mutant is not a single substitution, or there are more than ten million combinations.

    Examples
    --------
    >>> from sklearn_revdist import combine_mutants
    >>> combine_mutants(["K2R", "K2A", "A4G"])
    ['K2R:A4G', 'K2A:A4G']
    """
    singles: list[Substitution] = []
    for i, text in enumerate(mutants):
        _check_text(text, f"mutants[{i}]={text!r}")
        parsed = parse_mutant(text)
        if isinstance(parsed, str) or len(parsed) != 1:
            raise ValueError(
                f"mutants[{i}]={text!r} is not a single substitution; give those to be combined, "
                "such as 'A24G'."
            )
        singles += parsed
    singles.sort(key=lambda each: each.position)
    if comb(len(singles), n_substitutions) > _MOST_VARIANTS:
        raise ValueError(
            f"{len(singles)} substitutions have {comb(len(singles), n_substitutions):,} "
            f"combinations of {n_substitutions}; choose the best of them first."
        )
    return [
        _named(chosen, "proteingym")
        for chosen in combinations(singles, n_substitutions)
        if len({each.position for each in chosen}) == n_substitutions
    ]


def _check_text(text, where):
    if not isinstance(text, str):
        raise TypeError(f"{where} is not a string; change its type.")


def mutated_sequence(reference: str, text: str, where: str, first_position: int) -> str:
    """Make the sequence of one mutant of a reference in upper case; see :func:`mutate`.

    `where` is what an error calls the mutant.
    """
    parsed = parse_mutant(text)
    if parsed == INDEL and (change := _CHANGE.fullmatch(text.strip())):
        return _changed(reference, change, where, first_position)
    if isinstance(parsed, str):
        raise ValueError(f"{where} is {parsed}; give substitutions, such as 'A24G:L30K'.")
    return substituted(reference, parsed, where, first_position)


def substituted(
    reference: str, substitutions: Iterable[Substitution], where: str, first_position: int
) -> str:
    """Exchange residues of a reference in upper case; `where` is what an error calls the mutant."""
    residues = list(reference)
    for old, position, new in substitutions:
        at = _index(reference, old, position, where, first_position)
        if residues[at] != reference[at]:
            raise ValueError(f"{where} changes position {position} twice; remove one change.")
        residues[at] = new
    return "".join(residues)


def _changed(reference: str, change: re.Match, where: str, first_position: int) -> str:
    """Apply a deletion, an insertion or a duplication."""
    first, number, last, last_number, kind, letters = change.groups()
    start = _index(reference, _letter(first), int(number), where, first_position)
    stop = start
    if last:
        stop = _index(reference, _letter(last), int(last_number), where, first_position)
    kind = kind.lower()
    new = _residues(letters)
    needs_new = kind in ("ins", "delins")
    if bool(new) != needs_new or stop < start or (kind == "ins" and stop != start + 1):
        raise ValueError(f"{where} is not complete; write it as in 'p.Lys23_Leu24insArg'.")
    before, chosen, after = reference[:start], reference[start : stop + 1], reference[stop + 1 :]
    match kind:
        case "dup":
            return before + chosen + chosen + after
        case "ins":
            return before + chosen[0] + new + chosen[1] + after
    return before + new + after


def _index(reference: str, old: str | None, position: int, where: str, first_position: int) -> int:
    """Index of a residue that is where a mutant says."""
    last = first_position + len(reference) - 1
    if not first_position <= position <= last:
        raise ValueError(
            f"{where} has position {position}, but the wild type has the positions "
            f"{first_position} to {last}; check the numbering (`first_position`) and the wild type "
            "(`reference`)."
        )
    found = reference[position - first_position]
    if found != old:
        raise ValueError(
            f"{where} has {old} at position {position}, where the wild type has {found}; check "
            "the numbering (`first_position`) and the wild type (`reference`)."
        )
    return position - first_position


def _letter(name: str) -> str | None:
    return LETTERS.get(name.upper())


def _residues(text: str) -> str:
    """Letters of residues that are written by three letters each, or by one."""
    names = [text[i : i + 3] for i in range(0, len(text), 3)]
    by_three = [_letter(name) if len(name) == 3 else None for name in names]
    return "".join(by_three) if None not in by_three else text.upper()


def _named(substitutions: Sequence[Substitution], notation: str) -> str:
    if notation == "proteingym":
        return ":".join(f"{old}{n}{new}" for old, n, new in substitutions) or "WT"
    parts = [f"{_NAMES.get(a, 'Xaa')}{n}{_NAMES.get(b, 'Xaa')}" for a, n, b in substitutions]
    return f"p.[{';'.join(parts)}]" if len(parts) > 1 else f"p.{parts[0] if parts else '='}"
