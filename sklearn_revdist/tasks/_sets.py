"""Sets: which rows are to be learnt from and which to be tested on, as files say it."""

from collections.abc import Sequence

from ._headers import header_values

SETS = ("train", "validation", "test")

_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def as_sets(names: Sequence[str | None]) -> list[str | None] | None:
    """Set of each row.

    Parameters
    ----------
    names : sequence of str or None
        As the file has them, in any capitals; None for a row of which nothing is said.

    Returns
    -------
    sets : list of {"train", "validation", "test", None}, or None
        None for a row in no known set; None altogether where nothing is said of any row.
    """
    if all(name is None for name in names):
        return None
    return [_NAMES.get((name or "").strip().casefold()) for name in names]


def wrong_set(name: str | None) -> tuple[str, str]:
    """What is wrong with a set that is not known, and the reason by which such rows count."""
    known = f"{', '.join(SETS[:-1])} or {SETS[-1]}"
    if not (name or "").strip():
        return f"the row is in no set, unlike others (give every row {known})", "no set"
    return f"the row is in the set {name!r}, which is not {known}", "an unknown set"


def set_in_header(header: str) -> str | None:
    """Set of a FASTA record as FLIP has it, ``SET=train VALIDATION=True``; None without one.

    What contradicts itself becomes a name that no set has.
    """
    named = ", ".join(header_values(header, "SET")) or None
    values = [value.casefold() for value in header_values(header, "VALIDATION")]
    if "true" not in values:
        return named
    if len(values) > 1 or _NAMES.get((named or "train").casefold()) not in SETS[:2]:
        return f"{named}, VALIDATION={', '.join(values)}"
    return "validation"
