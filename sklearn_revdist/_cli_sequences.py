"""What commands that take sequences share: their checks, and what is kept of their work.

Sequences that are embedded are a table of rows like any other, whose batches are computed, and
kept beside the output until that is complete.
"""

import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import click
import numpy as np

from ._blocks import blocks_of_names
from ._console import INPUT, OUTPUT, STDIO, as_usage, embedding, failing, say
from ._embedder import ESMEmbedder
from ._files import replaced
from ._fingerprint import fingerprint
from ._models import resolve_chain
from ._records import format_of_records, in_parts, place_of, read_records
from ._sequences import encode_sequences
from ._store import EmbeddingStore
from ._tables import Batch, Table

# Residues embedded and written at a time: where a sequence is a row, and where a residue is.
_SEQUENCES, RESIDUES = 2**16, 2**13


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


class Sequences(NamedTuple):
    """Sequences in a file, which may be read many times.

    Attributes
    ----------
    read : callable
        Gives the records, names and sequences, from the first one on.
    n_sequences, n_residues : int
    """

    read: Callable[[], Iterable[tuple[str, str]]]
    n_sequences: int
    n_residues: int

    @classmethod
    def checked(cls, read: Callable, embedder: ESMEmbedder) -> Self:
        """Sequences of which an embedder can embed every one."""
        n_sequences = n_residues = n_long = 0
        limit = embedder.max_length or float("inf")
        for first, _, part in in_parts(read(), _SEQUENCES):
            lengths = [len(t) for t in encode_sequences(part, embedder.unknown, first=first)]
            if max(lengths) > limit and embedder.long == "error":
                index = next(i for i, length in enumerate(lengths) if length > limit)
                raise ValueError(
                    f"Record {first + index} (counting from 0) has {lengths[index]} residues, more "
                    f"than --max-length {limit}; shorten it, or choose another --long."
                )
            cut = lengths if embedder.long == "window" else np.minimum(lengths, limit)
            n_sequences, n_residues = n_sequences + len(part), n_residues + int(sum(cut))
            n_long += sum(length > limit for length in lengths)
        if n_long and embedder.long == "truncate":
            say(
                f"Warning: {n_long} of {n_sequences} sequences exceed {limit} residues; what is "
                "beyond is ignored."
            )
        return cls(read, n_sequences, n_residues)


def make_embedder(models: Sequence[str], settings: dict[str, Any]) -> ESMEmbedder:
    """Embedder of a chain, or the usage error that says what is wrong with it."""
    chain = models[0] if len(models) == 1 and not models[0].endswith(".pt") else list(models)
    as_usage(resolve_chain, chain)
    given = {name: value for name, value in settings.items() if value is not None}
    return ESMEmbedder(chain, **given)


def checked_sequences(
    path: Path,
    embedder: ESMEmbedder,
    input_format: str | None,
    sequence_column: str | None,
    name_column: str | None = None,
) -> Sequences:
    """Sequences of a file, all of them checked."""
    with failing(INPUT):
        found = format_of_records(path, input_format, sequence_column)
    for option, column in (("sequence", sequence_column), ("name", name_column)):
        if found == "fasta" and column is not None:
            raise click.UsageError(
                f"--{option}-column is for tables, and {str(path)!r} is read as FASTA; leave it "
                "out, or name the format (--input-format)."
            )
    source = path, found
    columns = {"sequence_column": sequence_column, "name_column": name_column}
    with failing(INPUT), _placing(lambda index: place_of(index, *source, **columns)):
        return Sequences.checked(partial(read_records, *source, **columns), embedder)


@contextmanager
def _placing(place: Callable[[int], str]) -> Iterator[None]:
    """Say beside the number of a record where in the file it is."""
    try:
        yield
    except ValueError as error:
        number = re.match(r"Record (\d+) ", str(error))
        where = place(int(number[1])) if number else ""
        if not where:
            raise
        raise ValueError(f"{where}: {error}") from error


def embedded(sequences: Sequences, embedder: ESMEmbedder, kept: Kept, *, residues: bool) -> Table:
    """The embeddings of sequences, as a table that computes its batches.

    Where the embedder has no store, it is given the one that is kept beside the output.
    """
    with embedding():
        columns = embedder.get_feature_names_out().tolist()
    if not residues and not embedder.store:
        embedder.set_params(store=kept.store)

    def batches() -> Iterator[Batch]:
        if embedder.store and not residues:
            with failing(OUTPUT):
                EmbeddingStore.create(embedder.store, exist_ok=True).close()
        for first, names, part in in_parts(sequences.read(), RESIDUES if residues else _SEQUENCES):
            with embedding():
                if residues:
                    yield _residues(embedder, kept, first, names, part)
                else:
                    yield Batch({"name": np.array(names, dtype=object)}, _means(embedder, part))

    n_rows = sequences.n_residues if residues else sequences.n_sequences
    return Table(n_rows, columns, len(columns), batches)


def widths(columns: Sequence[str]) -> dict[str, int]:
    """How many columns are which model's."""
    return dict(zip(*blocks_of_names(columns), strict=True))


@contextmanager
def told_once() -> Iterator[None]:
    """Without the embedder's warning of long sequences in each part, which the check has given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _means(embedder, sequences):
    with told_once():
        return embedder.transform(sequences)


def _residues(embedder, kept, first, names, sequences):
    """Rows of residues, from the folder of parts where they are in it."""
    path = kept.folder and kept.folder / f"{fingerprint(embedder, sequences)[:32]}.npz"
    if path is None or not path.exists():
        with told_once():
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
    return Batch(labels, rows)
