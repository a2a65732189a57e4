"""Find out which residue of its protein a number in a table stands for."""

import os
import re
from collections import Counter
from collections.abc import Sequence

_WHOLE = re.compile(r"([+-]?[0-9]{1,9})(?:\.0*)?")
_NEARLY_ALL, _MOST = 0.9, 0.5
_FEWEST = 3  # fewer residues may fit by chance
_SEARCHED = 500


def as_position(cell: str) -> int | None:
    """Read a whole number, such as 3 or 3.0; None if a cell is not one."""
    whole = _WHOLE.fullmatch(cell.strip())
    return int(whole[1]) if whole else None


def check_first_position(
    path: str | os.PathLike,
    rows: Sequence[tuple[int, str, str]],
    first_position: int,
) -> None:
    """Refuse residues that match their sequences only if numbering starts elsewhere.

    Parameters
    ----------
    path : str or path-like
        The file, for messages.
    rows : sequence of (int, str, str)
        Position, letter, and the sequence of the protein.
    first_position : int
        Number of a sequence's first residue.

    Raises
    ------
    ValueError
        If another `first_position` fits nearly all rows, and this one does not fit most.
    """
    if len(rows) < _FEWEST or _share(rows, first_position) > _MOST:
        return
    starts: Counter[int] = Counter()
    for position, letter, sequence in rows[:: -(-len(rows) // _SEARCHED)]:
        starts.update(position - i for i, other in enumerate(sequence) if other == letter)
    candidates = [0, 1, *(start for start, _ in starts.most_common(1))]
    start = max(candidates, key=lambda start: _share(rows, start))
    share = _share(rows, start)
    if share < _NEARLY_ALL:
        return
    where = {0: "positions are counted from 0"}.get(start, f"numbering starts at {start}")
    raise ValueError(
        f"{str(path)!r}: {share:.0%} of {len(rows)} residues match their sequences if {where}, "
        f"{_share(rows, first_position):.0%} if at {first_position}; set first_position={start}."
    )


def _share(rows, start):
    fits = sum(sequence[p - start : p - start + 1] == a for p, a, sequence in rows if p >= start)
    return fits / len(rows)
