"""Command `revdist fit`: sequences or embeddings in a file to a fitted distiller in a file."""

import contextlib
import json
import time
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import click

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._embedder import ESMEmbedder
from ..matrix._layout import blocks_of_names, find_blocks, names_of_blocks
from ..matrix._moments import Moments
from ..matrix._prefixes import new_columns
from ..matrix._residue_moments import read_moments, write_moments
from ..sequences._draw import LONGEST, draw_proteins
from ..sequences._records import in_parts
from ..tables._columns import Choice, columns_to_fit
from ..utils._fingerprint import fingerprint
from ._console import (
    INPUT,
    OUTPUT,
    STDIO,
    as_usage,
    embedding,
    failing,
    local_copy,
    local_output,
    progress,
    say,
)
from ._embedding_inputs import holds_sequences, is_store, open_embeddings
from ._info import described, report_of
from ._options import (
    CHECKPOINTS,
    json_option,
    output_option,
    quiet_option,
    sequence_options,
)
from ._sequence_inputs import (
    RESIDUES,
    Kept,
    Records,
    Sequences,
    chain_of,
    checked_sequences,
    make_embedder,
    told_once,
)

# Moments of a long chain take hundreds of megabytes, so they are not kept after every part.
KEEP_SECONDS = 60.0

_DAMAGED = OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile


def _widths(_context, _parameter, text: str | None) -> list[int] | None:
    """Whole numbers separated by commas."""
    if text is None:
        return None
    try:
        return [int(width) for width in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of numbers; write, say, 320,480.") from None


def _new(context, parameter, text: str | None) -> list[int] | str | None:
    return text if text == "all" else _widths(context, parameter, text)


@click.command()
@click.argument("input", type=click.Path(path_type=Path, allow_dash=True))
@output_option("The distiller, by custom a .safetensors file")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help=f"Of sequences: the chain up to this model (default: 650M), or {CHECKPOINTS}; given "
    "several times, exactly these.",
)
@click.option(
    "--sequences",
    "n_sequences",
    type=click.IntRange(min=1),
    help="Of sequences: how many distinct proteins to draw, of at most 1022 residues and with "
    "the 20 standard letters alone; default: all records.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.option(
    "--regressor",
    type=click.Choice(["ridge", "ols", "pcr"]),
    default="ridge",
    show_default=True,
    help="What predicts each model from the smaller ones.",
)
@click.option(
    "--n-new",
    callback=_new,
    help='Columns that each model adds, as in 160,160, or "all"; default: by how much it is wider.',
)
@click.option(
    "--dims",
    callback=_widths,
    help="Of embeddings: widths of the models, where neither names nor the number of columns say "
    "them, as in 320,480.",
)
@sequence_options
@json_option("about the distiller")
@quiet_option
def fit(
    input,
    output,
    models,
    n_sequences,
    seed,
    regressor,
    n_new,
    dims,
    input_format,
    sequence_column,
    remove_gaps,
    keep_stop,
    as_json,
    quiet,
    **settings,
):
    """Fit a distiller on INPUT.

    INPUT is either sequences, in any form that `revdist embed` takes, whose residues are embedded
    and fitted on, or embeddings: a Parquet, HDF5, npy or npz file, or a store. A Parquet file that
    has columns of embeddings counts as embeddings. Fit on natural proteins, a thousand or so of
    them, not on the few that are to be predicted. With --sequences, proteins are drawn that do not
    depend on the order of the records; records that cannot be drawn are left out and counted.
    Without it every record is used.

    INPUT is read a batch at a time and once, so that it may be larger than memory. What sequences
    have added is kept beside the output until that is complete, so that the same command goes on
    after an interruption.

    \b
      revdist fit uniref50.fasta -m 650M --sequences 1000 -o distiller.safetensors
      revdist fit residues.parquet --regressor ols -o distiller.safetensors
      revdist fit residues.npy --dims 320,480 -o distiller.safetensors
    """  # noqa: D301
    if as_json and output == STDIO:
        raise click.UsageError("Standard output takes the distiller; leave out --json.")
    distiller = ReverseDistiller(dims=dims, regressor=regressor, n_new=n_new)
    kept = Kept.beside(output)
    with local_copy(input) as path, local_output(output) as target:
        if holds_sequences(path, input_format, sequence_column):
            if dims:
                raise click.UsageError("--dims is for embeddings; the models say their widths.")
            embedder = make_embedder(chain_of(models or ("650M",)), settings)
            with embedding():
                names = embedder.get_feature_names_out().tolist()
            as_usage(new_columns, blocks_of_names(names), n_new)
            records = Records(
                path, input_format, sequence_column, remove_gaps=remove_gaps, keep_stop=keep_stop
            )
            if n_sequences is None:
                checked = checked_sequences(
                    records, embedder, ", or draw proteins without such letters by --sequences"
                )
            else:
                checked = _drawn(records, embedder, n_sequences, seed)
            columns, moments = _of_sequences(checked, embedder, kept.folder, quiet)
        else:
            if models or n_sequences:
                raise click.UsageError(
                    f"{str(input)!r} holds embeddings; --model and --sequences are for sequences."
                )
            columns, moments = _of_embeddings(path, input_format, dims, n_new, quiet)
        with failing(INPUT):
            distiller.fit_moments(moments, columns)
        with failing(OUTPUT):
            distiller.save_pretrained(target)
        report = report_of(target)
    kept.remove()
    if as_json:
        click.echo(json.dumps({"output": str(output), **report}, indent=2))
    else:
        say(f"{output}: {described(report)}")


def _of_embeddings(path, input_format, dims, n_new, quiet):
    """Names of the columns, and moments of all rows."""

    def choose(columns):
        if is_store(path, input_format):
            return Choice(list(columns), list(columns))
        choice = columns_to_fit(columns, repr(str(path)), dims)
        taken = set(choice.columns)
        others = [column for column in columns if column not in taken]
        if others:
            some = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
            say(f"Warning: {len(others)} columns of numbers are left out: {some}.")
        return choice

    table = open_embeddings(path, input_format, choose)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        blocks = as_usage(find_blocks, dims, table.columns, table.n_columns)
    if dims is None and blocks.names == ("block0",):
        raise click.UsageError(
            f"The {table.n_columns} columns are neither named as `revdist embed` names them nor as "
            "many as a known chain has; say the widths of the models with --dims."
        )
    for warning in caught:
        say("Warning: " + str(warning.message).replace("`dims`", "--dims"))
    as_usage(new_columns, blocks, n_new)
    moments = Moments.zeros(table.n_columns)
    with failing(INPUT), progress(table.n_rows, quiet) as bar:
        for batch in table.batches():
            moments += Moments.of(batch.rows)
            bar.update(len(batch.rows))
    return names_of_blocks(blocks), moments


class _Sum(NamedTuple):
    """Moments of the first parts of some sequences."""

    n_parts: int
    moments: Moments

    @property
    def n_residues(self) -> int:
        return round(self.moments.weight)


def _of_sequences(sequences: Sequences, embedder: ESMEmbedder, folder: Path | None, quiet: bool):
    """Names of the columns, and moments of all residues, kept in a folder as they grow."""
    with embedding():
        columns = embedder.get_feature_names_out().tolist()
        digest = _digest(sequences, embedder)
    total = _kept(folder, digest) or _Sum(0, Moments.zeros(len(columns)))
    with failing(OUTPUT), progress(sequences.n_residues, quiet, "residue") as bar:
        bar.update(total.n_residues)
        kept_at = time.monotonic()
        try:
            for number, (_, _, part) in enumerate(in_parts(sequences.read(), RESIDUES), start=1):
                if number <= total.n_parts:
                    continue
                moments = total.moments
                with embedding(), told_once():
                    for rows, _ in embedder.iter_residues(part):
                        moments += Moments.of(rows)
                total = _Sum(number, moments)
                bar.update(total.n_residues - bar.n)
                if time.monotonic() - kept_at > KEEP_SECONDS:
                    _keep(folder, digest, total)
                    kept_at = time.monotonic()
        except (KeyboardInterrupt, SystemExit):
            _keep(folder, digest, total)
            raise
    return columns, total.moments


def _keep(folder: Path | None, digest: str, total: _Sum) -> None:
    """Write moments under a name that says of what they are, then remove those before."""
    if folder is None or total.n_parts == 0:
        return
    folder.mkdir(exist_ok=True)
    before = set(folder.glob("*.npz"))
    path = folder / f"{digest}-{total.n_parts}.npz"
    write_moments(total.moments, path)
    for old in before - {path}:
        old.unlink()


def _kept(folder: Path | None, digest: str) -> _Sum | None:
    """What was kept of the same fit; what is damaged is of no use."""
    found = None
    for path in folder.glob(f"{digest}-*.npz") if folder else ():
        n_parts = int(path.stem.partition("-")[2])
        with contextlib.suppress(*_DAMAGED):
            if found is None or n_parts > found.n_parts:
                found = _Sum(n_parts, read_moments(path))
    return found


def _digest(sequences: Sequences, embedder: ESMEmbedder) -> str:
    """What the moments of sequences depend on."""
    return fingerprint(RESIDUES, embedder, (sequence for _, sequence in sequences.read()))[:32]


def _drawn(records: Records, embedder: ESMEmbedder, n_sequences: int, seed: int) -> Sequences:
    """So many proteins, drawn from all records; nothing in these is an error."""
    limit = embedder.max_length if embedder.long == "error" else None
    with failing(INPUT):
        draw = draw_proteins(
            (sequence for _, sequence in records()),
            n_sequences,
            seed,
            longest=min(LONGEST, limit or LONGEST),
        )
    n_drawn = len(draw.proteins)
    say(str(draw))
    if n_drawn < n_sequences:
        say(f"Warning: there are only {n_drawn} such proteins; all of them are taken.")
    return Sequences.checked(lambda: [("", protein) for protein in draw.proteins], embedder)
