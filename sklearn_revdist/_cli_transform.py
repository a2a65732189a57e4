"""Command `revdist transform`: embeddings or sequences in a file to nested embeddings in a file."""

import json
import time
from pathlib import Path

import click

from ._cli_options import (
    json_option,
    output_option,
    quiet_option,
    sequence_options,
    table_options,
)
from ._cli_sequences import (
    Kept,
    checked_sequences,
    embedded,
    make_embedder,
)
from ._cli_tables import holds_sequences, open_embeddings, rows_of
from ._console import (
    INPUT,
    OUTPUT,
    STDIO,
    as_usage,
    failing,
    local_copy,
    local_output,
    progress,
    say,
)
from ._models import resolve_chain
from ._reverse_distiller import ReverseDistiller
from ._tables import format_of, writing


@click.command()
@click.argument("distiller")
@click.argument("input", type=click.Path(path_type=Path, allow_dash=True))
@output_option("A .parquet, .h5 or .npy file")
@click.option(
    "-n",
    "--n-components",
    help="Number of columns, or the model that they end with, as in 35M; default: all.",
)
@click.option("--residues", is_flag=True, help="Of sequences: a row for each residue.")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="Of sequences: models or .pt files, where the distiller does not name known ones.",
)
@table_options
@sequence_options
@json_option("about what was done")
@quiet_option
def transform(
    distiller,
    input,
    output,
    n_components,
    residues,
    models,
    output_format,
    name_column,
    input_format,
    sequence_column,
    as_json,
    quiet,
    **settings,
):
    """Nest embeddings with DISTILLER.

    DISTILLER is a file that `revdist fit` wrote, a folder of published weights, or demo. INPUT is
    embeddings (a Parquet, HDF5 or npy file, or a store) or sequences, in any form that `revdist
    embed` takes, which are embedded by the distiller's models, and by none that --n-components
    does not need.

    The output has a row for each row of INPUT, or each sequence, in the same order, with whatever
    labels INPUT has. INPUT is read a batch at a time, so that it may be larger than memory.

    \b
      revdist transform distiller.safetensors embeddings.parquet -o nested.parquet
      revdist transform distiller.safetensors proteins.fasta -n 150M -o nested.h5
      revdist transform demo proteins.fasta -o - --output-format npy > nested.npy
    """  # noqa: D301
    start = time.monotonic()
    if as_json and output == STDIO:
        raise click.UsageError("Standard output takes the embeddings; leave out --json.")
    as_usage(format_of, output, output_format)
    with failing(INPUT):
        fitted = ReverseDistiller.from_pretrained(distiller)
    n_columns, prefix = as_usage(_prefix, fitted, n_components)
    kept = Kept.beside(output)
    with local_copy(input) as path, local_output(output) as target:
        if holds_sequences(path, input_format, sequence_column):
            embedder = _embedder_of(prefix, models, settings)
            checked = checked_sequences(path, embedder, input_format, sequence_column, name_column)
            table = embedded(checked, embedder, kept, residues=residues)
        elif models or residues:
            raise click.UsageError(
                f"{str(input)!r} holds embeddings; --model and --residues are for sequences."
            )
        else:
            table = open_embeddings(path, input_format)
        # embeddings of the models that are needed are enough
        chain = prefix if table.n_columns == prefix.n_features_in_ else fitted
        chain.set_params(n_components=n_columns)
        names = chain.get_feature_names_out().tolist()
        n_rows = 0
        with (
            failing(OUTPUT),
            progress(table.n_rows, quiet) as bar,
            writing(target, names, output_format) as write,
        ):
            batches = iter(table.batches())
            while True:
                with failing(INPUT):
                    batch = next(batches, None)
                    if batch is None:
                        break
                    nested = chain.transform(rows_of(batch, table.columns))
                write(batch.labels, nested)
                n_rows += len(nested)
                bar.update(len(nested))
    kept.remove()
    report = {
        "output": str(output),
        "n_rows": n_rows,
        "n_components": len(names),
        "models": chain.model_names_,
        "seconds": round(time.monotonic() - start, 3),
    }
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        say(f"{output}: {n_rows} rows of {len(names)} columns, {' + '.join(report['models'])}")


def _prefix(
    distiller: ReverseDistiller, n_components: str | None
) -> tuple[int | str | None, ReverseDistiller]:
    """Number of columns or model as asked for, and the distiller up to the models they need."""
    if n_components is not None:
        asked = int(n_components) if n_components.isdecimal() else n_components
        distiller.set_params(n_components=asked)
    n_columns = len(distiller.get_feature_names_out())
    needed = int((distiller.prefix_lengths_ < n_columns).sum())
    return n_columns, distiller.truncate(distiller.model_names_[needed])


def _embedder_of(distiller, models, settings):
    """Embedder of the distiller's models."""
    names = list(models or distiller.model_names_)
    if not models:
        try:
            resolve_chain(names)
        except ValueError:
            raise click.UsageError(
                f"The distiller was fitted on {', '.join(names)}, which are no known models; give "
                "a --model for each."
            ) from None
    return make_embedder(names, settings)
