"""How commands end: exit codes, and one sentence for what went wrong."""

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import click

from ._words import in_words

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
