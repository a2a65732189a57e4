"""Read mutants from the notations in use, one or several substitutions each."""

import re
from functools import lru_cache
from typing import NamedTuple

from ._tokens import AMINO_ACIDS

# What a string is that is not a list of substitutions.
STOP = "a stop"
INDEL = "an insertion or a deletion"
WHOLE_SEQUENCE = "a whole sequence"
UNREADABLE = "an unknown notation of substitutions"

_SHORTEST_SEQUENCE = 20  # fewer letters may be a word
_LONGEST_SUBSTITUTION = 30
_CACHED = 2**15  # all single substitutions of 1,700 residues

_NAMES = (
    *("ALA:A", "ARG:R", "ASN:N", "ASP:D", "CYS:C", "GLN:Q", "GLU:E", "GLY:G", "HIS:H", "ILE:I"),
    *("LEU:L", "LYS:K", "MET:M", "PHE:F", "PRO:P", "SER:S", "THR:T", "TRP:W", "TYR:Y", "VAL:V"),
    *("ASX:B", "GLX:Z", "XLE:J", "SEC:U", "PYL:O", "XAA:X"),
)
LETTERS = {name: each[-1] for each in _NAMES for name in each.split(":")}

_FLAGS = re.ASCII | re.IGNORECASE
_SEPARATOR = re.compile(r"\s*[:;/,+_]\s*|\s+")
_SUBSTITUTION = re.compile(
    r"\(?(?:p\.)?\(?([a-z]{3}|[a-z])([0-9]{1,9})([a-z]{3}|[a-z]|=)\)?", _FLAGS
)
# "p.[Ala123Thr;Gly5Ser]", "NP_000537.3:p.Ala123Thr"
_BRACKETS = re.compile(r"(?:p\.)?\[([^][]*)\]", _FLAGS)
_REFERENCE = re.compile(r"\A(?:[a-z]{2}_)?[a-z0-9]*[0-9](?:\.[0-9]+)?:(?=p\.)", _FLAGS)
_WILD_TYPE = re.compile(r"_?wt|_sy|wild[\s_-]?type|(?:p\.)?\(?=\)?", _FLAGS)
_INDEL = re.compile(
    r"(?=.*[0-9]).*(?:del|ins|dup|fs|ext|[0-9]-(?![0-9a-z])|(?<![0-9a-z*])-[0-9])", _FLAGS
)
_STOP = re.compile(r"[0-9](?:\*|ter|stop)|(?:\*|ter|stop)[0-9]", _FLAGS)
_SEQUENCE = re.compile(rf"[{AMINO_ACIDS}X*-]{{{_SHORTEST_SEQUENCE},}}", _FLAGS)


class Substitution(NamedTuple):
    """One residue in place of another; the same one where it is synonymous.

    Parameters
    ----------
    old, new : str
        Letters of the residues, capital.
    position : int
        As written, in any numbering.
    """

    old: str
    position: int
    new: str


def parse_mutant(text: str) -> tuple[Substitution, ...] | str:
    """Read the notation of a mutant.

    Parameters
    ----------
    text : str
        Such as ``A24G``, ``A24G:K31R`` (also with ``; / , + _`` or blanks between), ``Ala24Gly``,
        ``p.Ala24Gly``, ``p.(Ala24Gly)``, ``p.[Ala24Gly;Lys31Arg]`` or ``p.Ala24=``; for the wild
        type ``WT``, ``wild-type``, ``_wt``, ``=`` or ``p.=``. Upper and lower case are equal.

    Returns
    -------
    mutant : tuple of Substitution, or str
        Empty for the wild type. For anything else a string that says what it is: `STOP`,
        `INDEL`, `WHOLE_SEQUENCE` or `UNREADABLE`.
    """
    text = _REFERENCE.sub("", text.strip(), count=1)
    if brackets := _BRACKETS.fullmatch(text):
        text = brackets[1].strip()
    parts = _SEPARATOR.split(text)
    if max(map(len, parts)) <= _LONGEST_SUBSTITUTION:
        mutant = tuple(map(_substitution, parts))
        if None not in mutant:
            return mutant
    if _WILD_TYPE.fullmatch(text):
        return ()
    if _SEQUENCE.fullmatch(text):
        return WHOLE_SEQUENCE
    if _INDEL.match(text):
        return INDEL
    return STOP if _STOP.search(text) else UNREADABLE


@lru_cache(maxsize=_CACHED)
def _substitution(text):
    match = _SUBSTITUTION.fullmatch(text)
    if match is None:
        return None
    old = LETTERS.get(match[1].upper())
    new = old if match[3] == "=" else LETTERS.get(match[3].upper())
    return Substitution(old, int(match[2]), new) if old and new else None
