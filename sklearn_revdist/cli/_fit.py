"""Command `revdist fit`: sequences or embeddings in a file to a fitted distiller in a file."""

import warnings
from pathlib import Path

import click

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ..matrix._layout import blocks_of_names, find_blocks, names_of_blocks
from ..matrix._moments import Moments
from ..matrix._prefixes import new_columns
from ..matrix._residue_moments import residue_columns, sum_residues
from ..sequences._draw import LONGEST, draw_proteins
from ..sequences._records import in_parts
from ..tables._columns import Choice, columns_to_fit
from ..utils._fingerprint import fingerprint
from ..utils._parts import Parts
from ._chains import chain_of, make_embedder
from ._console import note, progress, say
from ._embedding_inputs import holds_sequences, is_store, open_embeddings
from ._endings import INPUT, OUTPUT, as_usage, embedding, failing
from ._info import described, report_of
from ._layer_options import refuse_pooling
from ._model_options import FAMILIES, models_option, regressor_option
from ._options import output_option, report_options, sequence_options
from ._outputs import finishing, refuse_json, report
from ._paths import local_copy, refuse_input
from ._sequence_inputs import (
    RESIDUES,
    Records,
    Sequences,
    checked_sequences,
    long_sequences_unmentioned,
)
from ._weights import fetch_weights
from ._words import in_words


def _widths(_context, _parameter, text: str | None) -> list[int] | None:
    """Read whole numbers separated by commas."""
    try:
        return None if text is None else [int(width) for width in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a list of numbers; write, say, 320,480."
        ) from None


def _new(context, parameter, text: str | None) -> list[int] | str | None:
    return text if text == "all" else _widths(context, parameter, text)


@click.command()
@click.argument("input", type=click.Path(path_type=Path, allow_dash=True))
@output_option("The distiller, usually a .safetensors file")
@models_option(
    f"For sequences: the chain up to this model (default: 650M), or {FAMILIES}; given several "
    "times, exactly those models."
)
@click.option(
    "--sequences",
    "n_sequences",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="For sequences: how many distinct proteins to draw, of at most 1022 residues and with "
    "only the 20 standard letters; default: all records.",
)
@click.option("--seed", default=0, help="Seed of the draw.")
@regressor_option
@click.option(
    "--residual",
    type=click.Choice(["model", "joint"]),
    default="model",
    help="What new columns are the principal components of: what the columns so far leave of their "
    "own model, or of all models up to it.",
)
@click.option(
    "--n-new",
    callback=_new,
    help='Columns that each model adds, such as 160,160, or "all"; default: as many as it is '
    "wider than the one before.",
)
@click.option(
    "--dims",
    callback=_widths,
    help="For embeddings: widths of the models, such as 320,480, if neither the names nor the "
    "number of the columns tell them.",
)
@sequence_options
@report_options("about the distiller")
def fit_command(
    input,
    output,
    models,
    n_sequences,
    seed,
    regressor,
    residual,
    n_new,
    dims,
    as_json,
    quiet,
    reading,
    settings,
):
    """Fit a distiller on INPUT.

    INPUT is sequences, in any form that `revdist embed` takes, or embeddings: a Parquet, HDF5, npy
    or npz file, or a store. The residues of sequences are embedded and fitted on. A Parquet file
    with columns of embeddings counts as embeddings. Fit on natural proteins, a thousand or so, not
    on the few to be predicted. With --sequences, proteins are drawn at random: the same ones in
    whatever order the records are. Records that cannot be drawn are left out and counted. Without
    --sequences every record is used.

    INPUT is read in batches, so that it may be larger than memory. For sequences, the sums so far
    are kept beside the output until it is complete, so that the same command goes on after an
    interruption.

    \b
      revdist fit uniref50.fasta -m 650M --sequences 1000 -o distiller.safetensors
      revdist fit residues.parquet --regressor ols -o distiller.safetensors
      revdist fit residues.npy --dims 320,480 -o distiller.safetensors
    """  # noqa: D301
    refuse_pooling(settings)
    refuse_json(output, "distiller", as_json)
    refuse_input(output, input)
    distiller = ReverseDistiller(dims=dims, regressor=regressor, n_new=n_new, residual=residual)
    input_format = reading["input_format"]
    with local_copy(input) as path, finishing(output) as (target, kept):
        if holds_sequences(path, input_format, reading["sequence_column"]):
            if dims:
                raise click.UsageError("--dims is for embeddings; the models say their widths.")
            embedder = make_embedder(chain_of(models or ("650M",)), settings)
            with embedding():
                columns = residue_columns(embedder)
            as_usage(new_columns, blocks_of_names(columns), n_new, residual)
            records = Records(path, **reading)
            if n_sequences is None:
                checked = checked_sequences(
                    records, embedder, ", or draw proteins without such letters by --sequences"
                )
            else:
                checked = _drawn(records, embedder, n_sequences, seed)
            fetch_weights(embedder, quiet=quiet)
            moments = _of_sequences(checked, embedder, kept.folder, quiet)
            fit = distiller._fit_residue_moments
        else:
            if models or n_sequences:
                raise click.UsageError(
                    f"{str(input)!r} holds embeddings; -m and --sequences are for sequences."
                )
            columns, moments = _of_embeddings(path, input_format, distiller, quiet)
            fit = distiller.fit_moments
        with failing(INPUT):
            fit(moments, columns)
        with failing(OUTPUT):
            distiller.save_pretrained(target)
        content = report_of(target)
    report(output, content, f"{output}: {described(content)}", as_json)


def _of_embeddings(path, input_format, distiller, quiet):
    """Names of the columns, and moments of all rows."""

    def choose(columns):
        if is_store(path, input_format):
            return Choice(list(columns), list(columns))
        choice = columns_to_fit(columns, repr(str(path)), distiller.dims)
        taken = set(choice.columns)
        others = [column for column in columns if column not in taken]
        if others:
            some = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
            say(f"Warning: {len(others)} columns of numbers are left out: {some}.")
        return choice

    table = open_embeddings(path, input_format, choose)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        blocks = as_usage(find_blocks, distiller.dims, table.columns, table.n_columns)
    if distiller.dims is None and blocks.names == ("block0",):
        raise click.UsageError(
            f"The {table.n_columns} columns are neither named as `revdist embed` names them nor as "
            "many as a known chain has; say the widths of the models with --dims."
        )
    for warning in caught:
        say(f"Warning: {in_words(str(warning.message))}")
    as_usage(new_columns, blocks, distiller.n_new, distiller.residual)
    moments = Moments.zeros(table.n_columns)
    with failing(INPUT), progress(table.n_rows, quiet) as bar:
        for batch in table.batches():
            moments += Moments.of(batch.rows)
            bar.update(len(batch.rows))
    return names_of_blocks(blocks), moments


def _of_sequences(
    sequences: Sequences, embedder: BaseEmbedder, folder: Path | None, quiet: bool
) -> Moments:
    """Moments of all residues, kept in a folder as they grow."""

    def parts():
        return (part for _, _, part in in_parts(sequences.read(), RESIDUES))

    with (
        embedding(),
        long_sequences_unmentioned(),
        progress(sequences.n_residues, quiet, "residue") as bar,
    ):
        kept = folder and Parts(folder, fingerprint(embedder, parts())[:32])
        return sum_residues(parts(), embedder, kept, bar.update)


def _drawn(records: Records, embedder: BaseEmbedder, n_sequences: int, seed: int) -> Sequences:
    """Draw proteins from all records; records that cannot be drawn are not errors."""
    limit = embedder.max_length if embedder.long == "error" else None
    with failing(INPUT):
        draw = draw_proteins(
            (sequence for _, sequence in records()),
            n_sequences,
            seed,
            longest=min(LONGEST, limit or LONGEST),
        )
    n_drawn = len(draw.proteins)
    note(str(draw))
    if n_drawn < n_sequences:
        say(f"Warning: there are only {n_drawn} such proteins; all of them are taken.")
    return Sequences.checked(lambda: [("", protein) for protein in draw.proteins], embedder)
