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
    rows: Sequence[tuple[str, int, str | None, str]],
    first_position: int,
) -> None:
    """Refuse residues that match their sequences only if numbering starts elsewhere.

    Parameters
    ----------
    path : str or path-like
        The file, for messages.
    rows : sequence of (str, int, str or None, str)
        Place in the file, position, letter if it is known, and the sequence of the protein.
    first_position : int
        Number of a sequence's first residue.

    Raises
    ------
    ValueError
        If another `first_position` fits nearly all letters, and this one does not fit most; or if
        letters are not known and a position is 0 although the first one is 1.
    """
    if all(letter is None for _, _, letter, _ in rows):
        for place, position, _, _ in rows:
            if position == 0 and first_position == 1:
                raise ValueError(
                    f"{place}: position 0 says that positions are counted from 0; set "
                    "first_position=0, or name the column of letters (residue) to check them."
                )
        return
    if len(rows) < _FEWEST or _share(rows, first_position) > _MOST:
        return
    starts: Counter[int] = Counter()
    for _, position, letter, sequence in rows[:: -(-len(rows) // _SEARCHED)]:
        starts.update(position - i for i, other in enumerate(sequence) if other == letter)
    candidates = [0, 1, *(start for start, _ in starts.most_common(1))]
    start = max(candidates, key=lambda start: _share(rows, start))
    share = _share(rows, start)
    if share < _NEARLY_ALL:
        return
    where = "positions are counted from 0" if start == 0 else f"numbering starts at {start}"
    raise ValueError(
        f"{str(path)!r}: {share:.0%} of {len(rows)} residues match their sequences if {where}, "
        f"{_share(rows, first_position):.0%} if at {first_position}; set first_position={start}."
    )


def _share(rows, start):
    fits = sum(
        sequence[position - start : position - start + 1] == letter
        for _, position, letter, sequence in rows
        if position >= start
    )
    return fits / len(rows)
