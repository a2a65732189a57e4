"""States of files: what was found in a file, known for as long as its state stays the same."""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

_RACY_NS = 2_000_000_000  # a file may change again within the resolution of its times

T = TypeVar("T")


class FileState(NamedTuple):
    """What a change of a file's content changes, too; nobody can set the time `ctime_ns`."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """The state of the file that a path leads to, through links."""
        status = path.stat()
        times = status.st_mtime_ns, status.st_ctime_ns
        return cls(str(path.resolve()), status.st_size, *times, status.st_ino)

    def is_settled(self) -> bool:
        """Whether a change from now on would show in the times."""
        return time.time_ns() - max(self.mtime_ns, self.ctime_ns) > _RACY_NS


_Known = dict[tuple[FileState, ...], T]
_digests: _Known[str] = {}


def found_once(known: _Known[T], files: Sequence[Path], find: Callable[[], T]) -> T:
    """What is found in some files, looked for once in this process for each state of them.

    Parameters
    ----------
    known : dict
        What was found before, by the states.
    files : sequence of Path
        All that `find` reads.
    find : callable
        Not remembered are its errors, and what it says of files that have just changed.
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
    """SHA-256 of a file, in hexadecimal digits, read once for each state of it."""

    def read():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return found_once(_digests, [path], read)
