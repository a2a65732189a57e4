"""Databases: embeddings whose sequences have names, and how they were made, from any file.

A database is opened, which finds its columns and its origin, and then read once: the columns that
are to be compared go to a file that is mapped into memory, so that it may be larger than that.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..embedding._store import EmbeddingStore
from ..neighbors._sources import ParquetRows
from ..tables._columns import columns_to_compare
from ..tables._files import writing
from ..tables._table import Batch, Table, batch_rows, import_parquet, reading_as
from ..utils._models import known_model
from ._console import progress
from ._embedding_inputs import is_store, is_text, open_embeddings
from ._endings import INPUT, OUTPUT, failing
from ._origins import Origin, blocks_in
from ._sequence_inputs import Sequences

# Numbers of the queries that are searched together, 64 MB in single precision.
_QUERIES_SIZE = 2**24


class Source(NamedTuple):
    """Embeddings that have been opened, but not read.

    Attributes
    ----------
    where : str
        The file, for messages.
    origin : Origin
    table : Table
        Rows with the labels ``name`` and ``length``, unless there are `records`.
    records : callable, default=None
        Returns names, rows and lengths of the records, if several may share a row; None is a
        record for each row, in order.
    is_text : bool, default=False
        Whether numbers are text, and so in double precision without being it.
    """

    where: str
    origin: Origin
    table: Table
    records: Callable[[], tuple[list[str], NDArray, NDArray]] | None = None
    is_text: bool = False

    def read(
        self,
        n_columns: int,
        convert: Callable[[NDArray], NDArray],
        folder: Path,
        *,
        quiet: bool = True,
    ) -> "Database":
        """Read all rows, once.

        Parameters
        ----------
        n_columns : int
            Number of columns that are wanted.
        convert : callable
            Makes them of some rows.
        folder : Path
            Where a file of them is put, which the rows of the database are mapped from.
        quiet : bool, default=True
            Whether to show no progress.

        Returns
        -------
        database : Database

        Raises
        ------
        ClickException
            If a row cannot be read, or the file not be written, or no sequence has a name.
        """
        names: list[str] = []
        lengths: list[NDArray] = []
        path = folder / f"{len(list(folder.iterdir()))}.npy"
        with progress(self.table.n_rows, quiet) as bar, failing(INPUT):
            batches = self.table.batches()
            with failing(OUTPUT), writing(path, [""] * n_columns, "npy") as write:
                while True:
                    with failing(INPUT):
                        if (batch := next(batches, None)) is None:
                            break
                        rows = batch.rows.astype(np.float32) if self.is_text else batch.rows
                        rows = convert(rows)
                    write({}, rows)
                    if not self.records:
                        labels = batch.labels["name"]
                        names += ["" if name is None else str(name) for name in labels]
                        lengths.append(batch.labels["length"])
                    bar.update(len(rows))
            rows = np.load(path, mmap_mode="r")
            if self.records:
                names, of_row, known = self.records()
            else:
                of_row, known = np.arange(len(rows)), np.concatenate(lengths)
            check_named(names, self.where)
        return Database(rows, names, known, of_row, self.origin)


class Database(NamedTuple):
    """Embeddings that can be searched, or whose neighbours can be asked for.

    Attributes
    ----------
    rows : memmap of shape (n_rows, n_columns), float32 or float64
    names : list of str
        Of each record; they may repeat.
    lengths : ndarray of shape (n_records,), int64
        Numbers of residues, -1 where they are not known.
    of_row : ndarray of shape (n_records,), int64
        Row of each record; records of the same sequence may share one.
    origin : Origin
    """

    rows: NDArray
    names: list[str]
    lengths: NDArray[np.int64]
    of_row: NDArray[np.int64]
    origin: Origin

    def parts(self) -> Iterator[tuple[slice, NDArray]]:
        """Yield which records are searched for together, and their rows."""
        step = max(1, _QUERIES_SIZE // self.rows.shape[1])
        for first in range(0, len(self.names), step):
            part = slice(first, first + step)
            yield part, self.rows[self.of_row[part]]


def open_database(
    path: Path, input_format: str | None = None, name_column: str | None = None
) -> Source:
    """Open embeddings of named sequences.

    Parameters
    ----------
    path : Path
        A folder of :func:`embed_to_parquet`, a store, whose sequences are their own names, or a
        table of embeddings with the names in a column.
    input_format, name_column : str, default=None
        Format of a table, and its column of names; None are those that it says, and "name".

    Returns
    -------
    source : Source
        Nothing but the names of columns and what is known of their origin has been read.

    Raises
    ------
    ClickException
        If there is no such file, it is damaged, incomplete or holds no embeddings, or does not
        name its sequences.
    """
    if path.is_dir():
        with failing(INPUT):
            return _open_folder(path)
    where = repr(str(path))
    table = open_embeddings(path, input_format, lambda found: columns_to_compare(found, where))
    with failing(INPUT):
        origin = Origin(blocks_in(table.columns, table.n_columns))
        if is_store(path, input_format):
            origin = _origin_of_store(path, origin.blocks)
        return Source(
            where, origin, _named(table, name_column, where), None, is_text(path, input_format)
        )


def check_named(names: Iterable[str], where: str) -> None:
    """Refuse sequences of which none has a name."""
    if not any(names):
        raise ValueError(
            f"The sequences of {where} have no names, which say what was found; write them as "
            "FASTA, or to a table with a column of names (name, or --name-column)."
        )


def embedded_source(where: str, sequences: Sequences, table: Table, origin: Origin) -> Source:
    """Take sequences, which a table embeds as it is read, for a database.

    Parameters
    ----------
    where : str
        The file, for messages.
    sequences : Sequences
    table : Table
        Their embeddings, in the same order.
    origin : Origin
        Of its embedder.

    Raises
    ------
    ValueError
        If no sequence has a name.
    """
    check_named((name for name, _ in sequences.read()), where)

    def batches() -> Iterator[Batch]:
        first = 0
        for labels, rows in table.batches():
            lengths = sequences.lengths[first : first + len(rows)]
            yield Batch({"name": labels["name"], "length": lengths}, rows)
            first += len(rows)

    return Source(where, origin, table._replace(batches=batches))


def _open_folder(folder: Path) -> Source:
    rows = ParquetRows.of(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    try:
        origin = Origin.of_settings(manifest, manifest["columns"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{str(folder / 'manifest.json')!r} does not say how its sequences were embedded "
            f"({error!r}); embed once more."
        ) from error

    def batches() -> Iterator[Batch]:
        for part in rows.blocks(batch_rows(rows.n_columns)):
            yield Batch({}, part)

    def records() -> tuple[list[str], NDArray, NDArray]:
        path = folder / "records.parquet"
        with reading_as("Parquet", path):
            table = import_parquet().read_table(path)
        known = {name: table[name].to_numpy() for name in table.column_names}
        of_row, names = known.get("row", np.empty(0)), known.get("name", np.empty(0))
        are_all = np.array_equal(np.unique(of_row), np.arange(rows.n_rows))
        if not are_all or len(names) < len(of_row) or None in names:
            raise ValueError(
                f"{str(path)!r} does not name the {rows.n_rows} sequences of the folder; call "
                "embed_to_parquet again, without this file."
            )
        # earlier versions did not write lengths
        return names.tolist(), of_row, known.get("length", np.full(len(names), -1))

    table = Table(rows.n_rows, rows.names, rows.n_columns, batches)
    return Source(repr(str(folder)), origin, table, records)


def _origin_of_store(path: Path, blocks: dict[str, int]) -> Origin:
    with EmbeddingStore(path) as store:
        groups = store._groups()
    pooling, dtypes = groups["pooling"].unique(), groups["dtype"].unique()
    weights = dict(zip(groups["block"], groups["weights"], strict=True))
    published = groups["block"][[known_model(model) is not None for model in groups["model"]]]
    return Origin(
        blocks,
        {block: None if block in set(published) else sha for block, sha in weights.items()},
        tuple(pooling) if len(pooling) == 1 else None,
        dtypes[0] if len(dtypes) == 1 else None,
    )


def _named(table: Table, name_column: str | None, where: str) -> Table:
    """The table with names and lengths for labels."""
    labels = next(table.batches()).labels
    column = name_column or next((c for c in ("name", "sequence") if c in labels), None)
    if column not in labels:
        asked = "names of its sequences" if column is None else f"column {column!r}"
        raise ValueError(
            f"{where} has no {asked}; embed once more, to a file that holds names (Parquet, CSV or "
            "HDF5), or name their column (--name-column)."
        )

    def batches() -> Iterator[Batch]:
        for labels, rows in table.batches():
            texts = labels.get("sequence", [None] * len(rows))
            lengths = np.array([len(text) if isinstance(text, str) else -1 for text in texts])
            yield Batch({"name": labels[column], "length": lengths}, rows)

    return table._replace(batches=batches)
