"""Command `revdist embed`: sequences in a file to embeddings in a file."""

import time
from pathlib import Path

import click

from ..matrix._layout import blocks_of_names
from ..tables._files import STORES
from ._chains import chain_of, make_embedder
from ._layer_options import refuse_pooling
from ._model_options import chain_option, store_option
from ._options import output_option, report_options, sequence_options, table_options
from ._outputs import check_keep, finishing, refuse_json, report, write_table
from ._paths import local_copy, refuse_input, store_only
from ._sequence_inputs import embedded


@click.command()
@click.argument("sequences", type=click.Path(path_type=Path, allow_dash=True))
@output_option("A .parquet, .csv, .csv.gz, .h5 or .npy file, a store (.sqlite)")
@chain_option()
@click.option("--residues", is_flag=True, help="Write one row per residue, not per sequence.")
@store_option("A store (.sqlite) to take embeddings from and to keep new ones in.")
@table_options
@sequence_options
@report_options("about what was done")
def embed_command(
    sequences,
    output,
    models,
    alone,
    residues,
    store,
    output_format,
    as_json,
    quiet,
    reading,
    settings,
):
    """Embed SEQUENCES with every model of a chain.

    SEQUENCES is a FASTA file, a CSV, TSV, Excel (.xlsx) or Parquet table with a column of
    sequences, a pipe, or - for standard input. Text may be compressed: gzip, bzip2, xz, zstd, zip.
    Everything is checked before anything is embedded.

    The output has one row per sequence, in the order of the input, duplicates included; or, with
    --residues, one row per residue. Parquet, CSV and HDF5 also hold the names of the sequences and
    of the columns and, with --residues, the number of the record, counted from 0, and the position
    in it, counted from 1. npy holds only the numbers. Parquet and CSV have columns of the input
    that --keep names, too, between the names and the numbers.

    Embeddings are kept beside the output until it is complete, so that the same command goes on
    after an interruption.

    \b
      revdist embed proteins.fasta -o proteins.parquet
      revdist embed proteins.csv --sequence-column seq -m 8M -m 650M -o proteins.h5
      revdist embed proteins.csv --keep plate --keep fitness -o proteins.csv.gz
      revdist embed proteins.fasta -m 650M --alone -o plain.npy
      revdist embed family.a3m --remove-gaps -m ./my_model -o family.parquet
      zcat proteins.fasta.gz | revdist embed - -m demo -o - --output-format npy > proteins.npy
    """  # noqa: D301
    start = time.monotonic()
    to_store = output_format is None and output.suffix.lower() in STORES
    if (store and to_store) or (residues and (store or to_store)):
        raise click.UsageError(
            "A store holds one row per sequence; give one store, without --residues."
        )
    if residues:
        refuse_pooling(settings)
    refuse_json(output, "embeddings", as_json)
    refuse_input(output, sequences)
    if to_store:
        store_only(output)
    else:
        check_keep(reading["keep"], output, output_format)
    if to_store and reading["keep"]:
        raise click.UsageError("A store holds no columns of a table; leave out --keep.")
    embedder = make_embedder(chain_of(models, alone=alone), settings)
    with local_copy(sequences) as path, finishing(output) as (target, kept):
        embedder.set_params(store=target if to_store else store)
        checked, table = embedded(path, reading, embedder, kept, residues=residues, quiet=quiet)
        # a store is filled by the embedder
        hidden = quiet or checked.shows_progress(residues)
        n_rows = write_table(table, None if to_store else target, output_format, hidden)
    widths = dict(zip(*blocks_of_names(table.columns), strict=True))
    done = {
        "n_sequences": checked.n_sequences,
        "n_residues": checked.n_residues,
        "n_rows": n_rows,
        "columns": widths,
        "seconds": round(time.monotonic() - start, 3),
    }
    models = " + ".join(f"{model} ({width})" for model, width in widths.items())
    line = f"{output}: {n_rows} rows of {models}, from {checked.n_sequences} sequences"
    report(output, done, line, as_json)
