"""Files that are read and written: checked before the work, standard input and output included."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click

from ._endings import INPUT, OUTPUT, failing, failure

STDIO = Path("-")
_SQLITE = b"SQLite format 3\0"
_STANDARD_INPUT = (STDIO, Path("/dev/stdin"), Path("/dev/fd/0"))


def checked_path(check: Callable[[Any], Any], *, dash: bool = False) -> dict[str, Any]:
    """Settings of a parameter for a path, or several, which is checked before the work.

    Parameters
    ----------
    check : callable
        Returns the path, or raises a ClickException.
    dash : bool, default=False
        Whether it may be ``-``, standard input or output.
    """

    def callback(_context: click.Context, _parameter: click.Parameter, path: Any) -> Any:
        return None if path is None else check(path)

    return {"type": click.Path(path_type=Path, allow_dash=dash), "callback": callback}


def readable(value: Any) -> Any:
    """Refuse an input, or one of several, that is missing or may not be read."""
    for path in value if isinstance(value, tuple) else [value]:
        name = repr(str(path))
        if not path.exists():
            raise failure(f"There is no file or folder {name}; check the path.", INPUT)
        if not os.access(path, os.R_OK):
            raise failure(f"{name} may not be read by this user; change its permissions.", INPUT)
    return value


def writable(path: Path) -> Path:
    """Refuse an output that cannot be written."""
    if path == STDIO:
        return path
    folder, name = path.absolute().parent, repr(str(path))
    if not folder.is_dir():
        problem = f"There is no folder {str(folder)!r}; make it first."
    elif path.is_dir():
        problem = f"{name} is a folder; name a file."
    elif path.exists() and not path.is_file():
        problem = f"{name} is not a file; use - for standard output."
    elif not os.access(folder, os.W_OK):
        problem = f"The folder {str(folder)!r} is not writable; choose another."
    # replacing a file needs only a writable folder; root may write anything
    elif path.exists() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK)):
        problem = f"The file {name} is read-only; choose another."
    else:
        return path
    raise failure(problem, OUTPUT)


def file_only(path: Path) -> Path:
    """Refuse an output that cannot be written, or is standard output."""
    if path == STDIO:
        raise click.BadParameter("'-' is standard output, which is for text; name a file.")
    return writable(path)


def folder_only(path: Path) -> Path:
    """Refuse a folder for outputs that cannot be made or written to."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise failure(f"{str(there)!r} is a file; name a folder.", OUTPUT)
    if not os.access(there, os.W_OK):
        raise failure(f"The folder {str(there)!r} is not writable; choose another.", OUTPUT)
    return path


def store_only(path: Path) -> Path:
    """Refuse a store that cannot be written, or another kind of file."""
    if file_only(path).is_file() and path.stat().st_size:
        with failing(INPUT), path.open("rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                raise failure(
                    f"{str(path)!r} is not a SQLite file; choose another path for the store.",
                    OUTPUT,
                )
    return path


def refuse_input(output: Path | None, *inputs: Path | None) -> None:
    """Refuse to write over what is read."""
    if output is None or output == STDIO or not output.exists():
        return
    for path in inputs:
        if path is not None and path.exists() and os.path.samefile(output, path):
            raise click.UsageError(
                f"{str(output)!r} is read, and would be written over; name another file (-o)."
            )


@contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """Copy a pipe or standard input to a file, which can be read twice; files stay where they are.

    Errors that name the copy are changed to name the input.
    """
    if path != STDIO and (path.is_file() or path.is_dir() or not path.exists()):
        yield path
        return
    # the suffix may say the format
    with tempfile.NamedTemporaryFile(prefix="revdist-", suffix="".join(path.suffixes)) as copy:
        with failing(INPUT), _stream(path) as stream:
            shutil.copyfileobj(stream, copy)
            copy.flush()
        try:
            yield Path(copy.name)
        except click.ClickException as error:
            name = "standard input" if path in _STANDARD_INPUT else repr(str(path))
            message = error.message.replace(repr(copy.name), name)
            error.message = message[:1].upper() + message[1:]
            raise


@contextmanager
def local_output(path: Path) -> Iterator[Path]:
    """Give a file for what goes to standard output, and copy it there at the end."""
    if path != STDIO:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="revdist-") as folder:
        file = Path(folder, "output")
        yield file
        with failing(OUTPUT):
            with open(file, "rb") as content:
                shutil.copyfileobj(content, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _stream(path):
    return nullcontext(sys.stdin.buffer) if path == STDIO else path.open("rb")
