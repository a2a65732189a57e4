"""What all commands share: that they are imported late, end well, and say what they do."""

import json
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from ._endings import INTERRUPTED, TERMINATED
from ._words import in_words, short_names

NO_PICTURE = 'No picture without matplotlib; for one, run `pip install "sklearn-revdist[plot]"`.'


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


def progress(total: int, quiet: bool, unit: str = "row") -> Any:
    """Show a progress bar on standard error."""
    from ..utils._progress import ProgressBar

    return ProgressBar(total=total, unit=unit, disable=quiet)


def say(message: str) -> None:
    """Write to standard error; standard output is for results."""
    click.echo(short_names(message), err=True)


def note(message: str) -> None:
    """Say what was done, unless the command is to be quiet."""
    context = click.get_current_context(silent=True)
    if context is None or not context.params.get("quiet"):
        say(message)


def print_json(content: Mapping[str, Any]) -> None:
    """Print a JSON object, for programs."""
    click.echo(json.dumps(content, indent=2))


def print_table(lines: Sequence[Sequence[str]], n_left: int) -> None:
    """Print lines of cells, with the first columns aligned to the left and others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    align = [str.ljust] * n_left + [str.rjust] * (len(widths) - n_left)
    for line in lines:
        cells = (put(cell, width) for put, cell, width in zip(align, line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _show_warning(message, *_):
    say(f"Warning: {in_words(str(message))}")


def _terminate(_number, _frame):
    say("Terminated; run the same command to go on.")
    sys.exit(TERMINATED)
