"""What commands that take embeddings share: recognise them, and read them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..embedding._store import EmbeddingStore
from ..matrix._layout import blocks_of_names
from ..sequences._packed import plain_suffix
from ..sequences._records import FORMATS as RECORDS
from ..sequences._text_embeddings import holds_embeddings, open_text_embeddings
from ..tables._columns import Choice
from ..tables._files import READ, STORES, check_holds_no_code, chosen, format_of, open_table
from ..tables._parquet import parquet_columns
from ..tables._table import Batch, Table
from ._endings import INPUT, as_usage, failing

_TEXT = ("csv", "tsv")


def holds_sequences(
    path: Path,
    input_format: str | None,
    sequence_column: str | None,
    models: Sequence[str] = (),
) -> bool:
    """Whether a file holds sequences; a table does unless it has columns of embeddings.

    Those of `models` are embeddings whatever is beside them.
    """
    if input_format is None:
        with failing(INPUT):
            check_holds_no_code(path)
    sequence_column = sequence_column or "sequence"
    name = _format_of(path, input_format)
    if name not in ("parquet", *_TEXT):
        return name in RECORDS.values()
    with failing(INPUT):
        try:
            if name in _TEXT:
                return not holds_embeddings(path, name, sequence_column, models)
            columns, embedding = parquet_columns(path)
        except (ValueError, FileNotFoundError):
            return True  # so that reading says what is wrong
        if not embedding or sequence_column not in columns:
            return not embedding
        if any(f"{model}_0" in columns for model in models):
            return False
        try:
            table = open_table(path, name)
        except ValueError:  # of several embeddings, say
            return False
        # a measured value beside sequences is a number, but not an embedding
        named = table.columns is None or blocks_of_names(table.columns) is not None
        if table.n_columns == 1 or not named:
            return True
        try:
            next(table.batches())
        except ValueError:  # lists of a number for each residue
            return True
        return False


def _format_of(path: Path, input_format: str | None) -> str:
    known = {**READ, **RECORDS, **dict.fromkeys(STORES, "store")}
    return input_format or known.get(plain_suffix(path), "fasta")


def is_store(path: Path, input_format: str | None) -> bool:
    """Whether a file is a store, which has columns of models only."""
    return input_format is None and path.suffix.lower() in STORES


def is_text(path: Path, input_format: str | None) -> bool:
    """Whether a file is a table of text, whose numbers are read in double precision."""
    return _format_of(path, input_format) in _TEXT


def open_embeddings(
    path: Path, input_format: str | None, choose: Callable[[Sequence[str]], Choice]
) -> Table:
    """Open a file of embeddings or a store; rows are checked as they are read.

    `choose` picks the columns of the embedding.
    """
    with failing(INPUT):
        name = _format_of(path, input_format)
        if is_store(path, input_format):
            table = chosen(_open_store(path), choose)
        elif name in _TEXT:
            table = open_text_embeddings(path, name, choose)
        else:
            as_usage(format_of, path, input_format, READ)
            table = open_table(path, input_format, choose)
    return table._replace(batches=lambda: _checked(table, path))


def keep_labels(table: Table, keep: Sequence[str], where: str) -> tuple[Table, list[str]]:
    """Keep the name and the labels that --keep names, or all of them, and return their names."""
    with failing(INPUT):
        found = list(next(table.batches()).labels)
        if missing := [column for column in keep if column not in (*found, "all")]:
            raise ValueError(
                f"{where} has no column {missing[0]!r} beside its embedding, but "
                f"{', '.join(map(repr, found)) or 'none'}; name others to keep (--keep)."
            )
    if not keep or "all" in keep:
        return table, found
    kept = [column for column in found if column == "name"]
    kept += [column for column in dict.fromkeys(keep) if column not in kept]

    def batches():
        for labels, rows in table.batches():
            yield Batch({column: labels[column] for column in kept}, rows)

    return table._replace(batches=batches), kept


def rows_of(batch: Batch, columns: list[str] | None) -> Any:
    """Rows as an estimator takes them, with the names of the columns if there are any."""
    return batch.rows if columns is None else pd.DataFrame(batch.rows, columns=columns)


def _checked(table: Table, path: Path) -> Iterator[Batch]:
    start = 0
    for labels, rows in table.batches():
        # moments and maps are of single or double precision
        rows = rows.astype(np.result_type(rows.dtype, np.float32), copy=False)
        wrong = ~np.isfinite(rows).all(axis=1)
        if wrong.any():
            row = int(wrong.argmax())
            column = int(np.argmin(np.isfinite(rows[row])))
            name = table.columns[column] if table.columns else column
            raise ValueError(
                f"Row {start + row} (counting from 0) of {str(path)!r} has {rows[row, column]} in "
                f"column {name}; embed its sequence again, or drop it."
            )
        yield Batch(labels, rows)
        start += len(rows)


def _open_store(path: Path) -> Table:
    """Open a store as a table, if every model in it has embedded every sequence."""
    with EmbeddingStore(path) as store:
        table = store.as_table()
        by_way = store.contents().groupby(["model", "layer", "pooling"])
        n_sequences = by_way["n_sequences"].sum()
    if (n_sequences < table.n_rows).any():
        raise ValueError(
            f"The store {str(path)!r} has sequences that not all of its models have embedded; "
            "embed what is missing, or export some of its models with EmbeddingStore.export."
        )

    def batches():
        with EmbeddingStore(path) as store:
            yield from store.as_table().batches()

    return table._replace(batches=batches)
