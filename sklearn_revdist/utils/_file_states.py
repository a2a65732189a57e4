"""Remember what was found in a file as long as the file does not change."""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

_RACY_NS = 2_000_000_000  # a file may change again within the resolution of its times

T = TypeVar("T")


class FileState(NamedTuple):
    """What changes whenever a file's content does; users cannot set the time `ctime_ns`."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the state of the file at a path, following links."""
        status = path.stat()
        times = status.st_mtime_ns, status.st_ctime_ns
        return cls(str(path.resolve()), status.st_size, *times, status.st_ino)

    def is_settled(self) -> bool:
        """Whether any later change would change the times."""
        return time.time_ns() - max(self.mtime_ns, self.ctime_ns) > _RACY_NS


_Known = dict[tuple[FileState, ...], T]
_digests: _Known[str] = {}


def found_once(known: _Known[T], files: Sequence[Path], find: Callable[[], T]) -> T:
    """Call `find` once in this process for each state of the files that it reads.

    Parameters
    ----------
    known : dict
        Earlier results, by states.
    files : sequence of Path
        All files that `find` reads.
    find : callable
        Its errors are not remembered, nor its results if a file has only just changed.
    """
    states = tuple(FileState.of(file) for file in files)
    if states in known:
        return known[states]
    settled = all(state.is_settled() for state in states)
    found = find()
    if settled and states == tuple(FileState.of(file) for file in files):
        known[states] = found
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits, computed once for each state of the file."""

    def read():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return found_once(_digests, [path], read)
