"""Command `revdist embed`: sequences in a file to embeddings in a file."""

import json
import time
from contextlib import nullcontext
from pathlib import Path

import click

from ..tables._files import STORES, format_of, writing
from ._console import (
    OUTPUT,
    STDIO,
    as_usage,
    failing,
    local_copy,
    local_output,
    progress,
    say,
)
from ._options import (
    chain_option,
    json_option,
    output_option,
    quiet_option,
    sequence_options,
    table_options,
)
from ._sequence_inputs import (
    Kept,
    Records,
    chain_of,
    checked_sequences,
    embedded,
    make_embedder,
    widths,
)


@click.command()
@click.argument("sequences", type=click.Path(path_type=Path, allow_dash=True))
@output_option("A .parquet, .h5 or .npy file, a store (.sqlite)")
@chain_option()
@click.option("--residues", is_flag=True, help="A row for each residue, not for each sequence.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A store to take embeddings from and to keep new ones in.",
)
@table_options
@sequence_options
@json_option("about what was done")
@quiet_option
def embed(
    sequences,
    output,
    models,
    alone,
    residues,
    store,
    output_format,
    name_column,
    input_format,
    sequence_column,
    remove_gaps,
    keep_stop,
    as_json,
    quiet,
    **settings,
):
    """Embed SEQUENCES with every model of a chain.

    SEQUENCES is a FASTA file, or a CSV, TSV, Excel (.xlsx) or Parquet table with a column of
    sequences, or a pipe, or - for standard input. Text may be compressed: gzip, bzip2, xz, zstd,
    zip. All of it is checked before any of it is embedded.

    The output has a row for each sequence, in the order of the input, duplicates included, or
    with --residues for each residue. Parquet and HDF5 also hold the names of the sequences and of
    the columns, and with --residues the number of the record and the position in it, counted
    from 0 and from 1. npy holds the numbers alone.

    What is embedded is kept beside the output until that is complete, so that the same command
    goes on after an interruption.

    \b
      revdist embed proteins.fasta -o proteins.parquet
      revdist embed proteins.csv --sequence-column seq -m 8M -m 650M -o proteins.h5
      revdist embed proteins.fasta -m 650M --alone -o plain.npy
      revdist embed family.a3m --remove-gaps -m ./my_model -o family.parquet
      zcat proteins.fasta.gz | revdist embed - -m demo -o - --output-format npy > proteins.npy
    """  # noqa: D301
    start = time.monotonic()
    to_store = output_format is None and output.suffix.lower() in STORES
    if (store and to_store) or (residues and (store or to_store)):
        raise click.UsageError("A store holds one row a sequence; give one, and no --residues.")
    if as_json and output == STDIO:
        raise click.UsageError("Standard output takes the embeddings; leave out --json.")
    if not to_store:
        as_usage(format_of, output, output_format)
    embedder = make_embedder(chain_of(models, alone=alone), settings)
    kept = Kept.beside(output)
    with local_copy(sequences) as path, local_output(output) as target:
        embedder.set_params(store=target if to_store else store)
        records = Records(
            path,
            input_format,
            sequence_column,
            name_column,
            remove_gaps=remove_gaps,
            keep_stop=keep_stop,
        )
        checked = checked_sequences(records, embedder)
        table = embedded(checked, embedder, kept, residues=residues)
        n_rows = 0
        with (
            failing(OUTPUT),
            progress(table.n_rows, quiet) as bar,
            # a store is filled by the embedder
            nullcontext() if to_store else writing(target, table.columns, output_format) as write,
        ):
            for batch in table.batches():
                if write:
                    write(*batch)
                n_rows += len(batch.rows)
                bar.update(len(batch.rows))
    kept.remove()
    report = {
        "output": str(output),
        "n_sequences": checked.n_sequences,
        "n_residues": checked.n_residues,
        "n_rows": n_rows,
        "columns": widths(table.columns),
        "seconds": round(time.monotonic() - start, 3),
    }
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        models = " + ".join(f"{name} ({width})" for name, width in report["columns"].items())
        say(f"{output}: {n_rows} rows of {models}, from {checked.n_sequences} sequences")
