"""What commands that write a file share: unfinished work, rows of the file, and a report."""

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, Self

import click

from ..tables._files import format_of, writing
from ..tables._table import Table
from ._console import note, print_json, progress
from ._endings import OUTPUT, as_usage, failing
from ._paths import STDIO, local_output


class Kept(NamedTuple):
    """Where unfinished work is kept beside an output: in a store, or in a folder of parts."""

    store: Path | None
    folder: Path | None

    @classmethod
    def beside(cls, output: Path) -> Self:
        """Keep work beside a file, and none beside standard output."""
        if output == STDIO:
            return cls(None, None)
        name = f"{output.name}.unfinished"
        return cls(output.with_name(f"{name}.sqlite"), output.with_name(name))

    def remove(self) -> None:
        """Remove the work, once the output is complete."""
        if self.store:
            self.store.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def finishing(output: Path) -> Iterator[tuple[Path, Kept]]:
    """Give a file to write to, and a place for unfinished work that is removed at the end."""
    kept = Kept.beside(output)
    with local_output(output) as target:
        yield target, kept
    kept.remove()


def refuse_json(output: Path, content: str, as_json: bool) -> None:
    """Refuse --json where standard output is the file."""
    if as_json and output == STDIO:
        raise click.UsageError(f"Standard output takes the {content}; leave out --json.")


def check_keep(keep: Sequence[str], output: Path, output_format: str | None) -> None:
    """Refuse --keep where the output has no columns for text."""
    if output == STDIO and output_format is None:
        raise click.UsageError("Standard output has no suffix; name the format (--output-format).")
    name = as_usage(format_of, output, output_format)
    if keep and name not in ("parquet", "csv"):
        raise click.UsageError(
            f"--keep copies columns of a table, which {name} has no place for; write .parquet, "
            ".csv or .csv.gz."
        )


def refuse_clashes(copied: Iterable[str], own: Collection[str]) -> None:
    """Refuse to copy a column that has the name of another in the output."""
    if clash := next((column for column in copied if column in own), None):
        raise click.UsageError(
            f"The output has a column {clash!r} of its own, so that the one of the input cannot be "
            "kept; name others by --keep, or rename it."
        )


def write_table(table: Table, path: Path | None, output_format: str | None, quiet: bool) -> int:
    """Write a table, or only compute it where there is no path, and return its number of rows."""
    n_rows = 0
    with (
        failing(OUTPUT),
        progress(table.n_rows, quiet) as bar,
        writing(path, table.columns or [], output_format, types=table.types)
        if path
        else nullcontext() as write,
    ):
        for batch in table.batches():
            if write:
                write(*batch)
            n_rows += len(batch.rows)
            bar.update(len(batch.rows))
    return n_rows


def report(output: Path, content: dict[str, Any], line: str, as_json: bool) -> None:
    """Print a JSON object about an output on standard output, or a line on standard error."""
    if as_json:
        print_json({"output": str(output), **content})
    else:
        note(line)
