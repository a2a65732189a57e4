"""What all commands share: exit codes, input and output, and messages."""

import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ._words import in_words, short_names

INPUT, OUTPUT, MISSING, INTERRUPTED, TERMINATED = 3, 4, 5, 130, 143

EXIT_CODES = """\b
Exit codes:
  0    done
  1    failed in another way than these
  2    the command line is wrong: an unknown option, model, device or format
  3    the input is missing, damaged or not valid
  4    the output cannot be written
  5    weights of a model, or an optional package, are missing
  130  interrupted (Ctrl-C); run the same command to go on from there
  143  terminated (SIGTERM); likewise
"""

NO_PICTURE = 'No picture without matplotlib; for one, run `pip install "sklearn-revdist[plot]"`.'

STDIO = Path("-")
_SQLITE = b"SQLite format 3\0"
_STANDARD_INPUT = (STDIO, Path("/dev/stdin"), Path("/dev/fd/0"))


class Commands(click.Group):
    """Commands that fail with one sentence and an exit code, and are imported when they run.

    Parameters
    ----------
    lines : mapping of str to str
        For each command, in the order of the help, its line in the help. The command `x` is
        `x_command` in the module `_x`.
    """

    def __init__(self, *arguments: Any, lines: Mapping[str, str] = {}, **keywords: Any):
        super().__init__(*arguments, **keywords)
        self.lines = lines

    def list_commands(self, ctx):
        """List the commands, in the order of the help."""
        return [*self.lines, *super().list_commands(ctx)]

    def get_command(self, ctx, cmd_name):
        """Import a command."""
        if cmd_name not in self.lines:
            return super().get_command(ctx, cmd_name)
        return getattr(import_module(f"._{cmd_name}", __package__), f"{cmd_name}_command")

    def resolve_command(self, ctx, args):
        """Find the command that is named, or else the ones that may be meant."""
        name = args[0].lower()
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            meant = get_close_matches(name, [*self.list_commands(ctx), "--help"])
            ctx.fail(f"No such command {args[0]!r}.{did_you_mean(meant)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx, incomplete):
        """Complete the name of a command without importing any, or that of an option."""
        own = {name: command.get_short_help_str() for name, command in self.commands.items()}
        names = [
            CompletionItem(name, help=line)
            for name, line in {**self.lines, **own}.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx, formatter):
        """Write the line of each command, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.lines.items()])

    def invoke(self, ctx):
        """Run a command; interruptions and warnings are one line each."""
        previous = signal.signal(signal.SIGTERM, _terminate)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except click.ClickException as error:
            error.message = short_names(error.message)
            raise
        except KeyboardInterrupt:
            say("Interrupted; run the same command to go on.")
            sys.exit(INTERRUPTED)
        finally:
            signal.signal(signal.SIGTERM, previous)


def did_you_mean(names: Sequence[str]) -> str:
    """Ask whether one of some names is meant, or nothing if there are none."""
    return f" Did you mean {' or '.join(names)}?" if names else ""


def failing(code: int) -> AbstractContextManager[None]:
    """End the command with an exit code and one sentence if the block fails.

    A missing package has a code of its own.
    """
    return _ending({ImportError: MISSING, OSError: code, ValueError: code, TypeError: code})


def embedding() -> AbstractContextManager[None]:
    """End the command with the right exit code if embedding sequences fails."""
    weights = {FileNotFoundError: MISSING, ImportError: MISSING}
    # other errors of files are the store's: disk full, locked
    return _ending(weights | {OSError: OUTPUT, ValueError: INPUT, TypeError: INPUT, MemoryError: 1})


def as_usage(function: Callable, *arguments: Any) -> Any:
    """Call a function on values from the command line; its errors are errors of usage."""
    try:
        return function(*arguments)
    except (ValueError, TypeError) as error:
        raise click.UsageError(in_words(str(error))) from error


def progress(total: int, quiet: bool, unit: str = "row") -> Any:
    """Show a progress bar on standard error."""
    from ..utils._progress import ProgressBar

    return ProgressBar(total=total, unit=unit, disable=quiet)


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


def writable(
    _context: click.Context | None, _parameter: click.Parameter | None, path: Path | None
) -> Path | None:
    """Refuse an output that cannot be written, before the work."""
    if path is None or path == STDIO:
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


def file_only(
    context: click.Context | None, parameter: click.Parameter | None, path: Path | None
) -> Any:
    """Refuse an output that cannot be written, or is standard output, before the work."""
    if path == STDIO:
        raise click.BadParameter("'-' is standard output, which is for text; name a file.")
    return writable(context, parameter, path)


def folder_only(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Any:
    """Refuse a folder for outputs that cannot be made or written to, before the work."""
    if path is None:
        return path
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise failure(f"{str(there)!r} is a file; name a folder.", OUTPUT)
    if not os.access(there, os.W_OK):
        raise failure(f"The folder {str(there)!r} is not writable; choose another.", OUTPUT)
    return path


def store_only(
    context: click.Context | None, parameter: click.Parameter | None, path: Path | None
) -> Any:
    """Refuse a store that cannot be written, or another kind of file, before the work."""
    path = file_only(context, parameter, path)
    if path is not None and path.is_file() and path.stat().st_size:
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


def readable(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """Refuse an input, or one of several, that is missing or may not be read."""
    for path in value if isinstance(value, tuple) else filter(None, [value]):
        name = repr(str(path))
        if not path.exists():
            raise failure(f"There is no file or folder {name}; check the path.", INPUT)
        if not os.access(path, os.R_OK):
            raise failure(f"{name} may not be read by this user; change its permissions.", INPUT)
    return value


def say(message: str) -> None:
    """Write to standard error; standard output is for results."""
    click.echo(short_names(message), err=True)


def note(message: str) -> None:
    """Say what was done, unless the command is to be quiet."""
    context = click.get_current_context(silent=True)
    if context is None or not context.params.get("quiet"):
        say(message)


def print_table(lines: Sequence[Sequence[str]], n_left: int) -> None:
    """Print lines of cells, with the first columns aligned to the left and others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    align = [str.ljust] * n_left + [str.rjust] * (len(widths) - n_left)
    for line in lines:
        cells = (put(cell, width) for put, cell, width in zip(align, line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _stream(path):
    return nullcontext(sys.stdin.buffer) if path == STDIO else path.open("rb")


def failure(error: Exception | str, code: int) -> click.ClickException:
    """Make the exception that ends the command with a sentence and an exit code."""
    exception = click.ClickException(in_words(str(error)))
    exception.exit_code = code
    return exception


@contextmanager
def _ending(codes):
    """End the command with the code of the first class that an error belongs to."""
    try:
        yield
    except tuple(codes) as error:
        code = next(code for kind, code in codes.items() if isinstance(error, kind))
        raise failure(error, code) from error


def _show_warning(message, *_):
    say(f"Warning: {in_words(str(message))}")


def _terminate(_number, _frame):
    say("Terminated; run the same command to go on.")
    sys.exit(TERMINATED)
