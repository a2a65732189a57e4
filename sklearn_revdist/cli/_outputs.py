"""What commands that write a file share: rows to the file, and a report when it is complete."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from ..tables._files import writing
from ..tables._table import Table
from ._console import OUTPUT, STDIO, failing, progress, say


def refuse_json(output: Path, content: str, as_json: bool) -> None:
    """Refuse --json where standard output is the file."""
    if as_json and output == STDIO:
        raise click.UsageError(f"Standard output takes the {content}; leave out --json.")


def write_table(table: Table, path: Path | None, output_format: str | None, quiet: bool) -> int:
    """Write a table, or only compute it where there is no path, and return its number of rows."""
    n_rows = 0
    with (
        failing(OUTPUT),
        progress(table.n_rows, quiet) as bar,
        writing(path, table.columns or [], output_format) if path else nullcontext() as write,
    ):
        for batch in table.batches():
            if write:
                write(*batch)
            n_rows += len(batch.rows)
            bar.update(len(batch.rows))
    return n_rows


def report(content: dict[str, Any], line: str, as_json: bool) -> None:
    """Print a JSON object on standard output, or a line on standard error."""
    if as_json:
        click.echo(json.dumps(content, indent=2))
    else:
        say(line)
