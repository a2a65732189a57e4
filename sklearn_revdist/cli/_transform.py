"""Command `revdist transform`: embeddings or sequences to nested embeddings, from file to file."""

import time
from functools import partial
from pathlib import Path

import click

from ..distillation._reverse_distiller import ReverseDistiller
from ..tables._columns import columns_to_transform
from ..tables._table import Table
from ._distillers import embedder_of, prefix_of, read_distiller
from ._embedding_inputs import holds_sequences, keep_labels, open_embeddings, rows_of
from ._endings import INPUT, as_usage, failing
from ._layer_options import refuse_pooling
from ._model_options import FAMILIES, models_option, prefix_option
from ._options import output_option, report_options, sequence_options, table_options
from ._outputs import check_keep, finishing, refuse_clashes, refuse_json, report, write_table
from ._paths import local_copy, refuse_input
from ._sequence_inputs import embedded


@click.command()
@click.argument("distiller")
@click.argument("input", type=click.Path(path_type=Path, allow_dash=True))
@output_option("A .parquet, .csv, .csv.gz, .h5 or .npy file")
@prefix_option("Number of columns, or the model that they end with, such as 35M; default: all.")
@click.option("--residues", is_flag=True, help="For sequences: write one row per residue.")
@models_option(
    "For sequences: the models that the distiller was fitted on and that are not known by name, "
    f"each {FAMILIES}."
)
@table_options
@sequence_options
@report_options("about what was done")
def transform_command(
    distiller,
    input,
    output,
    n_components,
    residues,
    models,
    output_format,
    as_json,
    quiet,
    reading,
    settings,
):
    """Nest embeddings with DISTILLER.

    DISTILLER is a file that `revdist fit` wrote, a folder of published weights, or demo. INPUT is
    embeddings (a Parquet, CSV, HDF5, npy or npz file, or a store) or sequences, in any form that
    `revdist embed` takes. Sequences are embedded with those models of the distiller that
    --n-components needs.

    The output has one row per row of INPUT, or per sequence, in the same order. Columns of
    embeddings are found by their names, in any order. All other columns are labels, which are
    copied; with --keep only the name and those that it names. Of a table of sequences, the name
    and what --keep names are copied. In HDF5 or npz with an array for each protein, its name
    labels the rows. INPUT is read in batches, so that it may be larger than memory.

    \b
      revdist transform distiller.safetensors embeddings.parquet -o nested.parquet
      revdist transform distiller.safetensors proteins.fasta -n 150M -o nested.h5
      revdist transform distiller.safetensors proteins.csv --keep all -o nested.csv
      revdist transform demo proteins.fasta -o - --output-format npy > nested.npy
    """  # noqa: D301
    start = time.monotonic()
    refuse_json(output, "embeddings", as_json)
    refuse_input(output, input, Path(distiller))
    check_keep(reading["keep"], output, output_format)
    with failing(INPUT):
        fitted = read_distiller(distiller)
    n_columns, prefix = as_usage(prefix_of, fitted, n_components)
    input_format, hidden = reading["input_format"], quiet
    with local_copy(input) as path, finishing(output) as (target, kept):
        names = fitted.get_feature_names_out().tolist()
        sequence_column = reading["sequence_column"]
        if holds_sequences(path, input_format, sequence_column, fitted.model_names_):
            if residues:
                refuse_pooling(settings)
            embedder = embedder_of(
                prefix.model_names_, fitted.model_names_, models, settings, residues=residues
            )
            how = {"residues": residues, "nested": names, "quiet": quiet}
            checked, table = embedded(path, reading, embedder, kept, **how)
            hidden = hidden or checked.shows_progress(residues)
        elif models or residues:
            raise click.UsageError(
                f"{str(input)!r} holds embeddings; -m and --residues are for sequences."
            )
        else:
            chains = [(c.model_names_, c.dims_.tolist()) for c in (fitted, prefix)]
            choose = partial(columns_to_transform, where=repr(str(input)), chains=chains)
            table = open_embeddings(path, input_format, choose)
            table, labels = keep_labels(table, reading["keep"], repr(str(input)))
            refuse_clashes(labels, names)
        # embeddings of the models that are needed are enough
        chain = prefix if table.n_columns == prefix.n_features_in_ else fitted
        chain.set_params(n_components=n_columns)
        n_rows = write_table(_nested(table, chain), target, output_format, hidden)
    done = {
        "n_rows": n_rows,
        "n_components": n_columns,
        "models": chain.model_names_,
        "seconds": round(time.monotonic() - start, 3),
    }
    models = " + ".join(chain.model_names_)
    report(output, done, f"{output}: {n_rows} rows of {n_columns} columns, {models}", as_json)


def _nested(table: Table, chain: ReverseDistiller) -> Table:
    """Table of the nested embeddings of a table's rows, with the same labels."""

    def batches():
        with failing(INPUT):
            for batch in table.batches():
                yield batch._replace(rows=chain.transform(rows_of(batch, table.columns)))

    names = chain.get_feature_names_out().tolist()
    return Table(table.n_rows, names, len(names), batches, table.types)
