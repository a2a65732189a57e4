"""Parts of long work: numbered files in a folder, so that a stopped run can go on.

The name of a part holds the fingerprint of its work, so that parts of other work are never used. A
part appears when it is complete.
"""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._files import replaced

_DAMAGED = OSError, ValueError, EOFError, zipfile.BadZipFile


class Parts(NamedTuple):
    """Parts of one piece of work.

    Attributes
    ----------
    folder : Path
        Made when :meth:`write` needs it.
    fingerprint : str
        Changes with all that the parts depend on.
    suffix : str, default=".npz"
    """

    folder: Path
    fingerprint: str
    suffix: str = ".npz"

    def path(self, number: int) -> Path:
        """Path of a part."""
        return self.folder / f"part-{number:06d}-{self.fingerprint}{self.suffix}"

    def numbers(self) -> list[int]:
        """Numbers of the parts that are there, in ascending order."""
        # listed once, since a network file system may remember that a file was missing
        found = self.folder.glob(f"part-*-{self.fingerprint}{self.suffix}")
        return sorted(int(path.name.split("-")[1]) for path in found)

    def write(self, number: int, **arrays: Any) -> None:
        """Write arrays as a part, in one step."""
        self.folder.mkdir(exist_ok=True)
        with replaced(self.path(number)) as path, open(path, "wb") as file:
            np.savez(file, **arrays)

    def read(self, number: int) -> dict[str, NDArray] | None:
        """Read the arrays of a part; None where it is missing or damaged."""
        try:
            with open(self.path(number), "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except _DAMAGED:
            return None

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove some parts."""
        for number in numbers:
            self.path(number).unlink(missing_ok=True)

    def remove_partial(self) -> None:
        """Remove what processes that died were writing."""
        for path in self.folder.glob("part-*.partial"):
            path.unlink()
