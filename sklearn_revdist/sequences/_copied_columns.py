"""Columns of a table that are copied beside what is computed of its sequences."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..tables._parquet import label_of, parquet_batches
from ._table_rows import open_table_rows, parquet_schema
from ._text_tables import check_columns

_REMEDY = "name others to keep (--keep)"
_BATCH = 2**14  # rows of text read at a time


class CopiedColumns(NamedTuple):
    """Columns of a table, read some rows at a time.

    Attributes
    ----------
    types : dict of str to pyarrow.DataType or None
        By name, in order; None stands for text.
    batches : callable
        Reads from the beginning and yields consecutive rows, as arrays by name.
    """

    types: dict[str, Any]
    batches: Callable[[], Iterator[dict[str, NDArray]]]

    @classmethod
    def of(
        cls,
        path: Path,
        name: str,
        columns: Sequence[str] | None,
        *,
        sequence_column: str = "sequence",
        leave_out: Collection[str] = (),
    ) -> Self:
        """Find columns in a table of records.

        Parameters
        ----------
        path : Path
        name : {"csv", "tsv", "parquet"}
            Format of the file.
        columns : sequence of str or None
            Names; None takes all columns that have a name of their own.
        sequence_column : str, default="sequence"
            Column by which the separator of a table of text is recognised.
        leave_out : collection of str, default=()
            Columns that the output has anyway.

        Raises
        ------
        ValueError
            If the table has no such column, or two of one name.
        """
        how = {"wanted": columns or (), "name": name}
        with open_table_rows(path, {sequence_column: _REMEDY}, **how) as table:
            found = table.columns
            check_columns(found, dict.fromkeys(columns or (), _REMEDY), (), path, "")
        asked = dict.fromkeys(found if columns is None else columns)
        asked = [column for column in asked if column not in leave_out]
        if name == "parquet":
            types = parquet_schema(path)[1]

            def batches():
                for part in parquet_batches(path, _BATCH, asked):
                    yield {column: label_of(part.column(column)) for column in asked}

            return cls({column: types[column] for column in asked}, batches)

        def batches_of_text():
            with open_table_rows(path, {sequence_column: _REMEDY}, **how) as table:
                rows = (cells for _, cells in table.cells(asked))
                while part := list(islice(rows, _BATCH)):
                    yield dict(zip(asked, np.array(part, dtype=object).T, strict=True))

        return cls(dict.fromkeys(asked), batches_of_text)

    def reader(self) -> Callable[[int], dict[str, NDArray]]:
        """Return a function that reads the next rows, as many as it is asked for."""
        batches = self.batches()
        waiting = {column: np.empty(0, dtype=object) for column in self.types}
        n_waiting = 0

        def take(n_rows):
            nonlocal waiting, n_waiting
            while n_waiting < n_rows and self.types:
                batch = next(batches)
                waiting = {
                    column: np.concatenate([rest, batch[column]]) if len(rest) else batch[column]
                    for column, rest in waiting.items()
                }
                n_waiting = len(next(iter(waiting.values())))
            taken = {column: rest[:n_rows] for column, rest in waiting.items()}
            waiting = {column: rest[n_rows:] for column, rest in waiting.items()}
            n_waiting -= min(n_rows, n_waiting)
            return taken

        return take


NO_COLUMNS = CopiedColumns({}, lambda: iter(()))
