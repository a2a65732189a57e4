"""What commands that take sequences share: reading and checking them, and their embeddings.

Embedded sequences are a table like any other. Its batches are computed, and kept beside the output
until that is complete.
"""

import re
import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

import click
import numpy as np
from numpy.typing import NDArray

from ..embedding._base import BaseEmbedder
from ..embedding._pooling import resolve_poolings
from ..embedding._store import EmbeddingStore
from ..sequences._copied_columns import NO_COLUMNS, CopiedColumns
from ..sequences._records import format_of_records, in_parts, place_of, read_records
from ..sequences._tokens import AMBIGUOUS, GAPS, STOP, Encoder, WrongLetter, remove_gaps
from ..tables._table import Batch, Table
from ..utils._fingerprint import fingerprint
from ..utils._parts import Parts
from ._chains import embedding_columns
from ._console import note, say
from ._endings import INPUT, OUTPUT, as_usage, embedding, failing
from ._outputs import Kept, refuse_clashes
from ._weights import fetch_weights

# Residues embedded and written at a time: where a sequence is a row, and where a residue is.
_SEQUENCES, RESIDUES = 2**16, 2**13


class Records:
    """Names and sequences in a file, read at each call.

    Parameters
    ----------
    path, input_format, sequence_column, name_column
        As :func:`read_records` takes them.
    keep : sequence of str, default=()
        Columns to copy beside what is computed, or "all".
    remove_gaps : bool, default=False
        Whether gaps are removed; the first time that the file is read, they are counted on
        standard error.
    keep_stop : bool, default=False
        Whether a ``*`` at the end of a sequence is an error.

    Attributes
    ----------
    copied : CopiedColumns
    """

    def __init__(
        self,
        path: Path,
        input_format: str | None,
        sequence_column: str | None = None,
        name_column: str | None = None,
        *,
        keep: Sequence[str] = (),
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
        self.copied = copied_columns(path, found, keep, **columns)
        self._read = partial(read_records, path, found, **columns)
        self.place = partial(place_in, path, found, **columns)
        self._remove_gaps = self._count_gaps = remove_gaps
        self._keep_stop = keep_stop

    def __call__(self) -> Iterator[tuple[str, str]]:
        n_records = n_with_gaps = n_gaps = 0
        for name, sequence in self._read():
            if self._remove_gaps:
                length = len(sequence)
                sequence = remove_gaps(sequence)
                n_gaps += length - len(sequence)
                n_with_gaps += length > len(sequence)
            if self._keep_stop and sequence.rstrip().endswith(STOP):
                raise ValueError(
                    f"Record {n_records} (counting from 0) ends in '*', a stop codon; remove it, "
                    "or leave out --keep-stop."
                )
            n_records += 1
            yield name, sequence
        if self._count_gaps:
            note(f"Removed {n_gaps} gaps from {n_with_gaps} of {n_records} sequences")
            self._count_gaps = False


def copied_columns(
    path: Path,
    found: str,
    keep: Sequence[str],
    sequence_column: str | None = None,
    name_column: str | None = None,
    own: Sequence[str] = (),
) -> CopiedColumns:
    """Find the columns of a table that --keep names; the output has `own` ones anyway.

    Parameters
    ----------
    path : Path
    found : str
        Format of the file.
    keep : sequence of str
        Names, or "all".
    sequence_column, name_column
        As :func:`read_records` takes them.
    own : sequence of str, default=()
        Columns that the output has with the same content, beside the name.
    """
    if not keep:
        return NO_COLUMNS
    if found == "fasta":
        raise click.UsageError(
            f"--keep copies columns of a table, and {str(path)!r} is read as FASTA; leave it out, "
            "or write names, sequences and what is to be kept to a table (.csv)."
        )
    with failing(INPUT):
        return CopiedColumns.of(
            path,
            found,
            None if "all" in keep else keep,
            sequence_column=sequence_column or "sequence",
            leave_out=(*own, *(["name"] if name_column in (None, "name") else [])),
        )


class Sequences(NamedTuple):
    """Sequences that can be read many times.

    Attributes
    ----------
    read : callable
        Returns an iterable of names and sequences.
    lengths : ndarray of shape (n_sequences,), int64
        Numbers of residues.
    n_residues : int
        How many of them are embedded, in all.
    """

    read: Callable[[], Iterable[tuple[str, str]]]
    lengths: NDArray[np.int64]
    n_residues: int

    @property
    def n_sequences(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    def shows_progress(self, residues: bool) -> bool:
        """Whether the embedder's own bar shows all progress, since all are embedded at a time."""
        return not residues and self.n_residues <= _SEQUENCES

    @classmethod
    def checked(cls, read: Callable, embedder: BaseEmbedder, instead: str = "") -> Self:
        """Check that an embedder can embed every sequence.

        Parameters
        ----------
        read : callable
        embedder : BaseEmbedder
        instead : str, default=""
            What else to do about a letter that is not a residue, for the message.
        """
        all_lengths, n_residues, n_long = array("q"), 0, 0
        limit = embedder.max_length or float("inf")
        encoder, check = Encoder(embedder.unknown), embedder._checker()
        for first, _, part in in_parts(read(), _SEQUENCES):
            try:
                encoded = encoder.encode(part)
            except WrongLetter as error:
                raise ValueError(f"{error.what}; {_remedy(error)}{instead}.") from error
            check(encoded, first)
            lengths = list(map(len, encoded))
            n_too_long = sum(length > limit for length in lengths)
            if n_too_long and embedder.long == "error":
                index = next(i for i, length in enumerate(lengths) if length > limit)
                raise ValueError(
                    f"Record {first + index} (counting from 0) has {lengths[index]} residues, more "
                    f"than --max-length {limit}; shorten it, or choose another --long."
                )
            cut = lengths if embedder.long == "window" else np.minimum(lengths, limit)
            all_lengths.extend(lengths)
            n_residues += int(sum(cut))
            n_long += n_too_long
        for dropped in encoder.notes():
            say(f"Warning: {dropped}")
        if n_long and embedder.long == "truncate":
            say(
                f"Warning: {n_long} of {len(all_lengths)} sequences exceed {limit} residues; the "
                "rest of them is ignored."
            )
        return cls(read, np.array(all_lengths), n_residues)


def checked_sequences(records: Records, embedder: BaseEmbedder, instead: str = "") -> Sequences:
    """Check the sequences of a file; errors say where in the file the record is."""
    as_usage(resolve_poolings, embedder.pooling, embedder.reference, embedder.unknown)
    with failing(INPUT), placing(records.place):
        return Sequences.checked(records, embedder, instead)


def place_in(path: Path, found: str, index: int, **columns: str | None) -> str:
    """Say where a record of a file is: its line or, in a format without lines, its name."""
    if place := place_of(index, path, found, **columns):
        return place
    name, _ = next(islice(read_records(path, found, **columns), index, None))
    return f"{str(path)!r}, record {name!r}"


@contextmanager
def placing(place: Callable[[int], str]) -> Iterator[None]:
    """Say where in a file the record, or the mutant, is that an error is about."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        number = re.match(r"(?:Record |mutants\[)(\d+)", text)
        if not number:
            raise
        text = re.sub(r"^mutants\[\d+\]=", "the mutant ", text)
        raise ValueError(f"{place(int(number[1]))}: {text}") from error


def embedded(
    path: Path,
    reading: dict[str, Any],
    embedder: BaseEmbedder,
    kept: Kept,
    *,
    residues: bool = False,
    nested: Sequence[str] | None = None,
    quiet: bool,
) -> tuple[Sequences, Table]:
    """Check the sequences of a file, and make a table that embeds them as it is read.

    All weights are there then. An embedder without a store gets the one beside the output.

    Parameters
    ----------
    path : Path
    reading : dict
        Other parameters of :class:`Records`.
    embedder : BaseEmbedder
    kept : Kept
        Where unfinished embeddings are kept.
    residues : bool, default=False
        Whether rows are residues.
    nested : sequence of str, default=None
        Columns that the output has in place of those of the embedder.
    quiet : bool
        Whether to show no progress.
    """
    records = Records(path, **reading)
    copied, columns = records.copied, embedding_columns(embedder, residues)
    labels = ["name", "record", "position"] if residues else ["name"]
    refuse_clashes(copied.types, [*labels, *(nested or columns)])
    sequences = checked_sequences(records, embedder)
    fetch_weights(embedder, quiet=quiet)
    if not residues:
        embedder.set_params(store=embedder.store or kept.store, verbose=not quiet)

    def batches() -> Iterator[Batch]:
        if embedder.store and not residues:
            with failing(OUTPUT):
                EmbeddingStore.create(embedder.store, exist_ok=True).close()
        parts = in_parts(sequences.read(), RESIDUES if residues else _SEQUENCES)
        copy = copied.reader()
        for first, names, part in parts:
            with failing(INPUT):
                labels = {"name": np.array(names, dtype=object), **copy(len(names))}
            with embedding(), long_sequences_unmentioned():
                if residues:
                    batch = _residues(embedder, kept, first, labels, part)
                else:
                    batch = Batch(labels, embedder.transform(part))
            yield batch

    n_rows = sequences.n_residues if residues else sequences.n_sequences
    return sequences, Table(n_rows, columns, len(columns), batches, copied.types)


@contextmanager
def long_sequences_unmentioned() -> Iterator[None]:
    """Ignore the embedder's warnings of long sequences, which the check has counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _remedy(error: WrongLetter) -> str:
    """Say what to do about a letter, in options of the command line."""
    if error.letter in GAPS:
        return "remove gaps by --remove-gaps"
    if error.letter.upper() in AMBIGUOUS:
        return "replace it, or give --unknown X (any residue), mask or keep"
    return error.remedy


def _residues(embedder, kept, first, labels, sequences):
    """Rows of residues, from the folder of parts if they are there."""
    parts = kept.folder and Parts(kept.folder, fingerprint(embedder, sequences)[:32])
    part = parts and parts.read(first)
    if not part:
        blocks, index = zip(*embedder.iter_residues(sequences), strict=True)
        part = {"rows": np.concatenate(blocks), "index": np.concatenate(index)}
        if parts:
            parts.write(first, **part)
    index = part["index"]
    name, *copied = [(column, label[index]) for column, label in labels.items()]
    position = np.arange(len(index)) - np.searchsorted(index, index) + 1
    where = {"record": first + index, "position": position}
    return Batch(dict([name, *where.items(), *copied]), part["rows"])
