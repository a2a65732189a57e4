"""What commands that take sequences share: their checks, and what is kept of their work.

Sequences that are embedded are a table of rows like any other, whose batches are computed, and
kept beside the output until that is complete.
"""

import os
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

from ..embedding._embedder import ESMEmbedder
from ..embedding._store import EmbeddingStore
from ..matrix._layout import blocks_of_names
from ..sequences._records import format_of_records, in_parts, place_of, read_records
from ..sequences._tokens import AMBIGUOUS, GAPS, STOP, Encoder, WrongLetter, remove_gaps
from ..tables._table import Batch, Table
from ..utils._files import replaced
from ..utils._fingerprint import fingerprint
from ..utils._models import known_model, resolve_chain
from ._console import INPUT, OUTPUT, STDIO, as_usage, embedding, failing, say

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


class Records:
    """Records of a file as a command is to take them, names and sequences, read at each call.

    Parameters
    ----------
    path, input_format, sequence_column, name_column
        As :func:`read_records` takes them.
    remove_gaps : bool, default=False
        Whether gaps are removed; the first time that all is read, it is said of how many.
    keep_stop : bool, default=False
        Whether a ``*`` at the end of a sequence is an error.
    """

    def __init__(
        self,
        path: Path,
        input_format: str | None,
        sequence_column: str | None = None,
        name_column: str | None = None,
        *,
        remove_gaps: bool = False,
        keep_stop: bool = False,
    ):
        with failing(INPUT):
            found = format_of_records(path, input_format, sequence_column)
        for option, column in (("sequence", sequence_column), ("name", name_column)):
            if found == "fasta" and column is not None:
                raise click.UsageError(
                    f"--{option}-column is for tables, and {str(path)!r} is read as FASTA; leave "
                    "it out, or name the format (--input-format)."
                )
        columns = {"sequence_column": sequence_column, "name_column": name_column}
        self._read = partial(read_records, path, found, **columns)
        self.place = partial(place_of, path=path, name=found, **columns)
        self._without_gaps = remove_gaps
        self._keep_stop = keep_stop
        self._said = not remove_gaps

    def __call__(self) -> Iterator[tuple[str, str]]:
        n_records = n_with_gaps = n_gaps = 0
        for name, sequence in self._read():
            if self._without_gaps and any(gap in sequence for gap in GAPS):
                length = len(sequence)
                sequence = remove_gaps(sequence)
                n_with_gaps, n_gaps = n_with_gaps + 1, n_gaps + length - len(sequence)
            if self._keep_stop and sequence.rstrip().endswith(STOP):
                raise ValueError(
                    f"Record {n_records} (counting from 0) ends in '*', a stop codon; remove it, "
                    "or leave out --keep-stop."
                )
            n_records += 1
            yield name, sequence
        if not self._said:
            say(f"Removed {n_gaps} gaps from {n_with_gaps} of {n_records} sequences")
            self._said = True


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
    def checked(cls, read: Callable, embedder: ESMEmbedder, instead: str = "") -> Self:
        """Sequences of which an embedder can embed every one.

        Parameters
        ----------
        read : callable
        embedder : ESMEmbedder
        instead : str, default=""
            What else to do about a letter that is no residue.
        """
        n_sequences = n_residues = n_long = 0
        limit = embedder.max_length or float("inf")
        encoder = Encoder(embedder.unknown)
        for first, _, part in in_parts(read(), _SEQUENCES):
            try:
                lengths = [len(tokens) for tokens in encoder.encode(part)]
            except WrongLetter as error:
                raise ValueError(f"{error.what}; {_remedy(error)}{instead}.") from error
            if max(lengths) > limit and embedder.long == "error":
                index = next(i for i, length in enumerate(lengths) if length > limit)
                raise ValueError(
                    f"Record {first + index} (counting from 0) has {lengths[index]} residues, more "
                    f"than --max-length {limit}; shorten it, or choose another --long."
                )
            cut = lengths if embedder.long == "window" else np.minimum(lengths, limit)
            n_sequences, n_residues = n_sequences + len(part), n_residues + int(sum(cut))
            n_long += sum(length > limit for length in lengths)
        for note in encoder.notes():
            say(f"Warning: {note}")
        if n_long and embedder.long == "truncate":
            say(
                f"Warning: {n_long} of {n_sequences} sequences exceed {limit} residues; what is "
                "beyond is ignored."
            )
        return cls(read, n_sequences, n_residues)


def chain_of(models: Sequence[str], *, alone: bool = False) -> str | list[str | Path]:
    """The chain that models on the command line are, or the usage error that says what is wrong.

    Parameters
    ----------
    models : sequence of str
        Names of models, or paths of checkpoints. One name is the chain up to that model.
    alone : bool, default=False
        Whether one name is that model.
    """
    entries = [_entry(model) for model in models]
    chain = entries[0] if entries == list(models[:1]) and not alone else entries
    as_usage(resolve_chain, chain)
    return chain


def make_embedder(chain: str | list[str | Path], settings: dict[str, Any]) -> ESMEmbedder:
    """Embedder of a chain, with the settings that are given."""
    given = {name: value for name, value in settings.items() if value is not None}
    return ESMEmbedder(chain, **given)


def checked_sequences(records: Records, embedder: ESMEmbedder, instead: str = "") -> Sequences:
    """Sequences of a file, all of them checked."""
    with failing(INPUT), _placing(records.place):
        return Sequences.checked(records, embedder, instead)


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


def _entry(model: str) -> str | Path:
    """A name as it is; the path of a checkpoint, where there is no such name."""
    if model == "demo" or known_model(model):
        return model
    if os.path.exists(model) or os.sep in model or "/" in model or model.endswith(".pt"):
        return Path(model)
    raise click.UsageError(
        f"{model!r} names no known model, and there is no such file or folder; `revdist models` "
        "lists the names."
    )


def _remedy(error: WrongLetter) -> str:
    """What to do about a letter on the command line."""
    if error.letter in GAPS:
        return "remove gaps by --remove-gaps"
    if error.letter.upper() in AMBIGUOUS:
        return "replace it, or choose another --unknown"
    return error.remedy


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
