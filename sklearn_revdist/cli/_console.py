"""What all commands share: what their exit codes mean, and how they end."""

import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import click

INPUT, OUTPUT, MISSING, INTERRUPTED, TERMINATED = 3, 4, 5, 130, 143

EXIT_CODES = """\b
Exit codes:
  0    done
  1    failed in another way than these
  2    the command line is wrong: an unknown option, model or format
  3    the input is missing, damaged or not valid
  4    the output cannot be written
  5    weights of a model, or an optional package, are missing
  130  interrupted (Ctrl-C); run the same command to go on from there
  143  terminated (SIGTERM); likewise
"""

STDIO = Path("-")
_STANDARD_INPUT = (STDIO, Path("/dev/stdin"), Path("/dev/fd/0"))


class Commands(click.Group):
    """Commands that end, however they end, with one sentence and a code that means something.

    Parameters
    ----------
    places : mapping of str to tuple of str
        For each command, in the order of the help: the module and the name in it that it is
        imported from when it runs, and the line that the help has for it.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, tuple] = {}, **keywords: Any):
        super().__init__(*arguments, **keywords)
        self.places = places

    def list_commands(self, ctx):
        """Names of the commands, in the order of the help."""
        return [*self.places, *super().list_commands(ctx)]

    def get_command(self, ctx, cmd_name):
        """Import a command."""
        if cmd_name not in self.places:
            return super().get_command(ctx, cmd_name)
        module, name, _ = self.places[cmd_name]
        return getattr(import_module(module, __package__), name)

    def format_commands(self, ctx, formatter):
        """Write the line of each command, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (*_, line) in self.places.items()])

    def invoke(self, ctx):
        """Run a command, with interruptions and warnings as a terminal shows them."""
        previous = signal.signal(signal.SIGTERM, _terminate)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except KeyboardInterrupt:
            say("Interrupted; run the same command to go on.")
            sys.exit(INTERRUPTED)
        finally:
            signal.signal(signal.SIGTERM, previous)


@contextmanager
def failing(code: int) -> Iterator[None]:
    """End the command with this code, and one sentence, where the code within fails.

    What is missing for another reason than the file itself, a package, has its own code.
    """
    try:
        yield
    except ImportError as error:
        raise _failure(error, MISSING) from error
    except (OSError, ValueError, TypeError) as error:
        raise _failure(error, code) from error


@contextmanager
def embedding() -> Iterator[None]:
    """End the command with the code of what went wrong while sequences were embedded."""
    try:
        yield
    except (FileNotFoundError, ImportError) as error:
        raise _failure(error, MISSING) from error
    except OSError as error:  # the store's: disk full, locked
        raise _failure(error, OUTPUT) from error
    except (ValueError, TypeError) as error:
        raise _failure(error, INPUT) from error
    except MemoryError as error:
        raise _failure(error, 1) from error


def as_usage(function: Callable, *arguments: Any) -> Any:
    """What a function makes of values on the command line; its errors are errors of usage."""
    try:
        return function(*arguments)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error


def progress(total: int, quiet: bool, unit: str = "row") -> Any:
    """A bar on standard error."""
    from ..utils._progress import ProgressBar

    return ProgressBar(total=total, unit=unit, disable=quiet)


@contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """The path of an input; of a pipe or standard input the path of a copy, to be read twice.

    Errors that name the copy are made to name the input.
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
    """The path of an output; for standard output that of a file, copied there at the end."""
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


def writable(_context: click.Context, _parameter: click.Parameter, path: Path) -> Path:
    """Refuse an output that could not be written, before the work."""
    if path == STDIO:
        return path
    folder = path.absolute().parent
    if not folder.is_dir():
        raise _failure(f"There is no folder {str(folder)!r}; make it first.", OUTPUT)
    if path.is_dir():
        raise _failure(f"{str(path)!r} is a folder; name a file.", OUTPUT)
    if path.exists() and not path.is_file():
        raise _failure(f"{str(path)!r} is no file; use - for standard output.", OUTPUT)
    if not os.access(folder, os.W_OK):
        raise _failure(f"The folder {str(folder)!r} is not writable; choose another.", OUTPUT)
    # it would be replaced, which asks for no more than the folder; root may write anything
    if path.exists() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK)):
        raise _failure(f"The file {str(path)!r} is read-only; choose another.", OUTPUT)
    return path


def readable(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """Refuse an input, or one of several, that is not there or may not be read."""
    for path in value if isinstance(value, tuple) else (value,):
        if path is None:
            continue
        if not path.exists():
            raise _failure(f"There is no file or folder {str(path)!r}; check the path.", INPUT)
        if not os.access(path, os.R_OK):
            raise _failure(
                f"{str(path)!r} may not be read by this user; change its permissions.", INPUT
            )
    return value


def say(message: str) -> None:
    """Tell a person; standard output stays for results."""
    click.echo(message, err=True)


def _stream(path):
    return nullcontext(sys.stdin.buffer) if path == STDIO else path.open("rb")


def _failure(error, code):
    exception = click.ClickException(str(error))
    exception.exit_code = code
    return exception


def _show_warning(message, *_):
    say(f"Warning: {message}")


def _terminate(_number, _frame):
    say("Terminated; run the same command to go on.")
    sys.exit(TERMINATED)
