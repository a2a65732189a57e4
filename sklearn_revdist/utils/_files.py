"""Find files, and write files that appear when they are complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path


def local_path(path: str | os.PathLike) -> Path:
    """Expand ~ to the user's home folder, as in a shell."""
    return Path(os.path.expanduser(path))


def bundled(name: str) -> Path:
    """Path of a file that comes with the package."""
    return Path(str(resources.files("sklearn_revdist") / "bundled" / name))


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a path to write to, which is renamed to `path` at the end.

    Whoever reads `path` sees the old file or the new one, never half of one. On an error the old
    file stays as it was. If `path` is a link, its target is replaced.

    Raises
    ------
    OSError
        If `path` is not a file but a folder, a device or a pipe.
    FileNotFoundError
        If there is no such folder.
    ValueError
        If no file can have this name.
    """
    if "\0" in str(path):
        raise ValueError(f"The path {str(path)!r} holds a NUL character; give another.")
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r}; make it first.")
    if path.exists() and not path.is_file():
        raise OSError(f"{str(path)!r} is not a file and cannot be replaced; give another path.")
    # random, since process numbers may repeat on another machine
    partial = path.with_name(f"{path.name}.{os.urandom(6).hex()}.partial")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
