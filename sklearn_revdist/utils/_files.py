"""Paths as they are given, and files that appear under their name when they are complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def local_path(path: str | os.PathLike) -> Path:
    """A path that is given in Python; ~ is the user's own folder, as in a shell."""
    return Path(os.path.expanduser(path))


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Path to write to in place of `path`, which it becomes in one step at the end.

    Whoever reads `path` sees the old file or the new one, never half of one. On an error the old
    file stays as it was. Where `path` is a link, what it leads to is replaced.

    Raises
    ------
    OSError
        If there is something at `path` that is no file: a folder, a device, a pipe.
    FileNotFoundError
        If there is no such folder.
    ValueError
        If no file can have this name.
    """
    if "\0" in str(path):
        raise ValueError(
            f"The path {str(path)!r} holds a NUL, as no name of a file may; name another."
        )
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r}; make it first.")
    if path.exists() and not path.is_file():
        raise OSError(f"{str(path)!r} is no file and cannot be replaced by one; name another.")
    # A name of its own: a number of a process may be that of one on another machine, too.
    partial = path.with_name(f"{path.name}.{os.urandom(6).hex()}.partial")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
