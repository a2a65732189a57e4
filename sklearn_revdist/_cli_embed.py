"""Command `revdist embed`: sequences in a file to embeddings in a file."""

import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import click
import numpy as np

from ._blocks import blocks_of_names
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
    writable,
)
from ._embedder import ESMEmbedder
from ._files import replaced
from ._models import resolve_chain
from ._records import in_parts, read_records
from ._sequences import encode_sequences
from ._store import EmbeddingStore
from ._tables import STORES, format_of, writing

# Residues embedded and written at a time: where a sequence is a row, and where a residue is.
_SEQUENCES, _RESIDUES = 2**16, 2**13


def sequence_options(command: Callable) -> Callable:
    """Options of commands that read sequences and embed them."""
    for option in reversed(
        [
            click.option(
                "--input-format",
                type=click.Choice(["fasta", "csv", "tsv", "parquet", "hdf5", "npy"]),
                help="Format of the input, where its suffix does not say it.",
            ),
            click.option(
                "--sequence-column",
                default="sequence",
                show_default=True,
                help="Column of a table that holds the sequences.",
            ),
            click.option("--device", help="Device of torch, as in cuda:1; default: the best."),
            click.option(
                "--dtype",
                type=click.Choice(["auto", "float32", "float16", "bfloat16"]),
                default="auto",
                show_default=True,
                help="Precision of the computation.",
            ),
            click.option(
                "--batch-tokens",
                type=click.IntRange(min=1),
                help="Residues embedded at a time, which bounds memory.",
            ),
            click.option(
                "--max-length",
                type=click.IntRange(min=1),
                help="Residues beyond which --long applies; default: any length is embedded whole.",
            ),
            click.option(
                "--long",
                type=click.Choice(["window", "truncate", "error"]),
                default="window",
                show_default=True,
                help="What becomes of longer sequences.",
            ),
            click.option(
                "--unknown",
                type=click.Choice(["error", "mask", "X"]),
                default="error",
                show_default=True,
                help="What becomes of ambiguous residues (X B Z U O J * - .).",
            ),
        ]
    ):
        command = option(command)
    return command


@click.command()
@click.argument("sequences", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    required=True,
    callback=writable,
    help="A .parquet, .h5 or .npy file, a store (.sqlite), or - for standard output.",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    default=["650M"],
    show_default=True,
    help="The chain up to this model; given several times, exactly these models or .pt files.",
)
@click.option("--residues", is_flag=True, help="A row for each residue, not for each sequence.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A store to take embeddings from and to keep new ones in.",
)
@click.option(
    "--output-format",
    type=click.Choice(["parquet", "hdf5", "npy"]),
    help="Format of the output, where its suffix does not say it.",
)
@click.option(
    "--name-column", help='Column of a table with the names; default: "name", if there is one.'
)
@sequence_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object about what was done.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def embed(
    sequences,
    output,
    models,
    residues,
    store,
    output_format,
    name_column,
    input_format,
    sequence_column,
    as_json,
    quiet,
    **settings,
):
    r"""Embed SEQUENCES with every model of a chain.

    SEQUENCES is a FASTA file (also compressed with gzip), a CSV, TSV or Parquet table with a
    column of sequences, or - for standard input. All of it is checked before any of it is
    embedded.

    The output has a row for each sequence, in the order of the input, duplicates included, or
    with --residues for each residue. Parquet and HDF5 also hold the names of the sequences and of
    the columns, and with --residues the number of the record and the position in it, counted
    from 0 and from 1. npy holds the numbers alone.

    What is embedded is kept beside the output until that is complete, so that the same command
    goes on after an interruption.

    \b
    revdist embed proteins.fasta -o proteins.parquet
    revdist embed proteins.csv --sequence-column seq -m 8M -m 650M -o proteins.h5
    zcat proteins.fasta.gz | revdist embed - -m demo -o - --output-format npy > proteins.npy
    """
    start = time.monotonic()
    to_store = output_format is None and output.suffix.lower() in STORES
    if (store and to_store) or (residues and (store or to_store)):
        raise click.UsageError("A store holds one row a sequence; give one, and no --residues.")
    if as_json and output == STDIO:
        raise click.UsageError("Standard output takes the embeddings; leave out --json.")
    if not to_store:
        as_usage(format_of, output, output_format)
    embedder = make_embedder(models, settings)
    with embedding():
        columns = embedder.get_feature_names_out()
    kept = Kept.beside(output)
    with local_copy(sequences) as path, local_output(output) as target:

        def records():
            return read_records(
                path, input_format, sequence_column=sequence_column, name_column=name_column
            )

        with failing(INPUT):
            n_sequences, n_residues = check(records(), embedder)
        if residues:
            embed_part = partial(_residues, embedder, kept)
        else:
            embedder.set_params(store=target if to_store else store or kept.store)
            embed_part = partial(_means, embedder)
        table = _no_table() if to_store else writing(target, columns, output_format)
        n_rows = 0
        with failing(OUTPUT), progress(n_sequences, quiet) as bar, table as write:
            if embedder.store:
                EmbeddingStore.create(embedder.store, exist_ok=True).close()
            for first, names, part in in_parts(records(), _RESIDUES if residues else _SEQUENCES):
                with embedding():
                    labels, rows = embed_part(first, names, part)
                write(labels, rows)
                n_rows += len(rows)
                bar.update(len(part))
    kept.remove()
    report = {
        "output": str(output),
        "n_sequences": n_sequences,
        "n_residues": n_residues,
        "n_rows": n_rows,
        "columns": widths(columns),
        "seconds": round(time.monotonic() - start, 3),
    }
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        models = " + ".join(f"{name} ({width})" for name, width in report["columns"].items())
        say(f"{output}: {n_rows} rows of {models}, from {n_sequences} sequences")


class Kept(NamedTuple):
    """Where unfinished work is kept beside an output: a store, or a folder of parts."""

    store: Path | None
    folder: Path | None

    @classmethod
    def beside(cls, output: Path) -> Self:
        """Places beside a file; none beside standard output."""
        if output == STDIO:
            return cls(None, None)
        name = f"{output.name}.unfinished"
        return cls(output.with_name(f"{name}.sqlite"), output.with_name(name))

    def remove(self) -> None:
        """Remove it, once the output is complete."""
        if self.store:
            self.store.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)


def make_embedder(models: Sequence[str], settings: dict[str, Any]) -> ESMEmbedder:
    """Embedder of a chain, or the usage error that says what is wrong with it."""
    chain = models[0] if len(models) == 1 and not models[0].endswith(".pt") else list(models)
    as_usage(resolve_chain, chain)
    given = {name: value for name, value in settings.items() if value is not None}
    return ESMEmbedder(chain, **given)


def check(records: Iterable[tuple[str, str]], embedder: ESMEmbedder) -> tuple[int, int]:
    """Numbers of sequences and of residues, once all are checked."""
    n_sequences = n_residues = n_long = 0
    limit = embedder.max_length or float("inf")
    for first, _, part in in_parts(records, _SEQUENCES):
        lengths = [len(t) for t in encode_sequences(part, embedder.unknown, first=first)]
        if max(lengths) > limit and embedder.long == "error":
            index = next(i for i, length in enumerate(lengths) if length > limit)
            raise ValueError(
                f"Record {first + index} (counting from 0) has {lengths[index]} residues, more "
                f"than --max-length {limit}; shorten it, or choose another --long."
            )
        n_sequences, n_residues = n_sequences + len(part), n_residues + sum(lengths)
        n_long += sum(length > limit for length in lengths)
    if n_long and embedder.long == "truncate":
        say(
            f"Warning: {n_long} of {n_sequences} sequences exceed {limit} residues; what is beyond "
            "is ignored."
        )
    return n_sequences, n_residues


def widths(columns: Sequence[str]) -> dict[str, int]:
    """How many columns are which model's."""
    return dict(zip(*blocks_of_names(columns), strict=True))


def _means(embedder, first, names, sequences):
    with _told_once():
        return {"name": np.array(names, dtype=object)}, embedder.transform(sequences)


def _residues(embedder, kept, first, names, sequences):
    """Rows of residues, from the folder of parts where they are in it."""
    path = kept.folder and kept.folder / f"{_digest(embedder, sequences)}.npz"
    if path is None or not path.exists():
        with _told_once():
            blocks, index = zip(*embedder.iter_residues(sequences), strict=True)
        rows, index = np.concatenate(blocks), np.concatenate(index)
        if path:
            path.parent.mkdir(exist_ok=True)
            with replaced(path) as part, open(part, "wb") as file:
                np.savez(file, rows=rows, index=index)
    else:
        with np.load(path) as part:
            rows, index = part["rows"], part["index"]
    position = np.arange(len(index)) - np.searchsorted(index, index) + 1
    labels = {
        "name": np.array(names, dtype=object)[index],
        "record": first + index,
        "position": position,
    }
    return labels, rows


def _digest(embedder, sequences):
    """A name for what these sequences become: all that it depends on."""
    from ._checkpoints import locate

    weights = [os.stat(locate(entry)) for entry in resolve_chain(embedder.chain)]
    settings = {**embedder.get_params(), "device": None, "batch_tokens": None}
    told = repr(
        (sequences, sorted(settings.items()), [(w.st_mtime_ns, w.st_size) for w in weights])
    )
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()


@contextmanager
def _told_once():
    """Without the embedder's warning of long sequences in each part: `check` has warned of all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def _no_table():
    """Where the store itself is the output."""
    yield lambda labels, rows: None
