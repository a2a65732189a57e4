"""Tables of text that hold embeddings: numbered columns are read as numbers, others are labels."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ..tables._columns import NUMBERED, Choice, complete_widths
from ..tables._table import Batch, Table
from ..utils._models import known_model, model_and_layer
from ._text_tables import Unreadable, open_rows

# Columns of a model that is not known by its name; fewer are replicates, say.
_FEWEST = 16
# Cells read at a time, of which each takes far more memory than a number.
_CELLS = 2**18


def holds_embeddings(
    path: Path, name: str, sequence_column: str, models: Collection[str] = ()
) -> bool:
    """Whether a table of text holds embeddings: columns numbered from 0 or 1 for each model.

    Beside a column of sequences, these have to be of known models, or of `models`.
    """
    with open_rows(path, {}, wanted=(sequence_column,), name=name) as table:
        widths = complete_widths(table.columns, repr(str(path)))
        has_sequences = sequence_column in table.columns
    return any(
        model in models
        or known_model(model_and_layer(model)[0]) is not None
        or (width >= _FEWEST and not has_sequences)
        for model, width in widths.items()
    )


def open_text_embeddings(path: Path, name: str, choose: Callable[[Sequence[str]], Choice]) -> Table:
    """Open a table of text with embeddings.

    Parameters
    ----------
    path : Path
    name : {"csv", "tsv"}
    choose : callable
        Returns the columns of the embedding, in order, from all numbered columns; the others are
        labels, whose text stays.

    Returns
    -------
    table : Table
        Of double precision.

    Raises
    ------
    ValueError
        As for :func:`open_rows`; while reading, if a cell of the embedding is not a number.
    """
    with open_rows(path, {}, name=name) as table:
        found = table.columns
        columns, names = choose([column for column in found if NUMBERED.fullmatch(column)])
        n_rows = sum(1 for _ in table.cells(found))
    at = [found.index(column) for column in columns]
    labels = [i for i in range(len(found)) if i not in set(at)]
    step = max(1, _CELLS // len(found))

    def batches() -> Iterator[Batch]:
        with open_rows(path, {}, name=name) as table:
            rows = table.cells(found)
            while numbered := list(islice(rows, step)):
                texts = np.array([row for _, row in numbered], dtype=object)
                try:
                    numbers = texts[:, at].astype(np.float64)
                except ValueError:
                    raise _not_a_number(numbered, found, at, table.place) from None
                yield Batch({found[i]: texts[:, i] for i in labels}, numbers)

    return Table(n_rows, names, len(columns), batches)


def _not_a_number(numbered, found, at, place):
    for number, row in numbered:
        for i in at:
            try:
                float(row[i])
            except ValueError:
                return Unreadable(
                    f"{place(number)}, has {row[i]!r} in column {found[i]!r}, which is not a "
                    "number; embed its sequence again, or drop the row."
                )
    raise AssertionError
