"""Command `revdist transform`: embeddings or sequences in a file to nested embeddings in a file."""

import json
import time
from functools import partial
from pathlib import Path

import click

from ..distillation._reverse_distiller import ReverseDistiller
from ..tables._columns import columns_to_transform
from ..tables._files import format_of, writing
from ..utils._models import known_model, model_name, resolve_chain
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
from ._embedding_inputs import holds_sequences, open_embeddings, rows_of
from ._options import (
    CHECKPOINTS,
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
)


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
    help="Of sequences: the models that the distiller was fitted on and that are not known by "
    f"name, each {CHECKPOINTS}.",
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
    remove_gaps,
    keep_stop,
    as_json,
    quiet,
    **settings,
):
    """Nest embeddings with DISTILLER.

    DISTILLER is a file that `revdist fit` wrote, a folder of published weights, or demo. INPUT is
    embeddings (a Parquet, HDF5, npy or npz file, or a store) or sequences, in any form that
    `revdist embed` takes, which are embedded by the distiller's models, and by none that
    --n-components does not need.

    The output has a row for each row of INPUT, or each sequence, in the same order, with whatever
    labels INPUT has. Columns are chosen by their names, in whatever order they are; numbers beside
    them are labels. An array for each protein, in HDF5 or npz, gives rows with its name. INPUT is
    read a batch at a time, so that it may be larger than memory.

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
            embedder = _embedder_of(prefix.model_names_, fitted.model_names_, models, settings)
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
        elif models or residues:
            raise click.UsageError(
                f"{str(input)!r} holds embeddings; --model and --residues are for sequences."
            )
        else:
            chains = [(c.model_names_, c.dims_.tolist()) for c in (fitted, prefix)]
            choose = partial(columns_to_transform, where=repr(str(input)), chains=chains)
            table = open_embeddings(path, input_format, choose)
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


def _embedder_of(names, fitted_on, models, settings):
    """Embedder of the models that are needed, of those that the distiller was fitted on.

    Each is one that is given, or known by its name. Models of other names are taken as they are
    given: the distiller says what it makes of them.
    """
    chain = chain_of(models) if models else []
    given = {model_name(entry): entry for entry in (resolve_chain(chain) if chain else ())}
    if given.keys() - set(fitted_on):
        return make_embedder(chain, settings)
    missing = [name for name in names if name not in given and known_model(name) is None]
    if missing:
        raise click.UsageError(
            f"The distiller was fitted on {', '.join(fitted_on)}; give the file or folder of "
            f"{' and of '.join(missing)} with --model."
        )
    paths = {name: entry for name, entry in given.items() if isinstance(entry, Path)}
    return make_embedder([paths.get(name, name) for name in names], settings)
