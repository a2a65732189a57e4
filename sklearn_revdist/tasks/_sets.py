"""Find out from names and headers whether rows are for training, validation or testing."""

from collections.abc import Sequence

from ..sequences._fasta import header_values
from ._task import SETS

_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def as_sets(names: Sequence[str | None]) -> list[str | None] | None:
    """Find the set of each row.

    Parameters
    ----------
    names : sequence of str or None
        As in the file, in upper or lower case; None for a row without one.

    Returns
    -------
    sets : list of {"train", "validation", "test", None}, or None
        None for a row in no known set; None instead of a list if no row has a set.
    """
    if all(name is None for name in names):
        return None
    return [_NAMES.get((name or "").strip().casefold()) for name in names]


def wrong_set(name: str | None) -> tuple[str, str]:
    """Say what is wrong with an unknown set, and the reason to count such rows by."""
    known = f"{', '.join(SETS[:-1])} or {SETS[-1]}"
    if not (name or "").strip():
        return f"the row is in no set, unlike others (give every row {known})", "no set"
    return f"the row is in the set {name!r}, which is not {known}", "an unknown set"


def set_in_header(header: str) -> str | None:
    """Read the set from a FASTA header such as FLIP's ``SET=train VALIDATION=True``.

    None if it has none; contradictions give a name that is not a set.
    """
    named = ", ".join(header_values(header, "SET")) or None
    values = [value.casefold() for value in header_values(header, "VALIDATION")]
    if "true" not in values:
        return named
    if len(values) > 1 or _NAMES.get((named or "train").casefold()) not in SETS[:2]:
        return f"{named}, VALIDATION={', '.join(values)}"
    return "validation"
