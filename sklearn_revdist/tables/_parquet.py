"""Parquet files: the embedding in columns of numbers or of lists; all else are labels."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._columns import Choice, check_once
from ._table import Batch, Table, batch_rows, import_parquet, reading_as

_FLOATS = ("halffloat", "float", "double")
# NumPy's own types of these cannot be joined with gaps.
_TIMES = re.compile(r"(timestamp|date|time|duration)\d*\b.*")
_LISTS = re.compile(r"\w*list<[^:]+: (halffloat|float|double)( not null)?>(\[\d+\])?")
# pandas' name for an index without one
_INDEX = re.compile(r"__index_level_\d+__")
# Larger floats do not represent every whole number.
_EXACT = 2**53


def open_parquet(path: Path, choose: Callable[[Sequence[str]], Choice]) -> Table:
    """Open a file; `choose` takes from its columns of numbers and the entries of its lists."""
    where = repr(str(path))
    with _opened(path) as file:
        n_rows, schema = file.metadata.num_rows, file.schema_arrow
        widths = _list_widths(file, schema)
    check_once(schema.names, where)
    index = _index_columns(schema)
    sources = {}  # each possible column of the embedding: the column of the file that holds it
    for field in schema:
        if field.name in widths:
            sources.update({f"{field.name}[{i}]": field.name for i in range(widths[field.name])})
        elif str(field.type) in _FLOATS and field.name not in index:
            sources[field.name] = field.name
    columns, names = choose(list(sources)) if sources else Choice([], None)
    taken = [sources[column] for column in columns]
    embedding = set(taken)
    labels = [name for name in schema.names if name not in embedding]
    renamed = {name: name for name in labels}
    unnamed = [name for name in index if _INDEX.fullmatch(name) and name in renamed]
    if unnamed and "name" not in renamed:  # an index without a name holds names
        renamed[unnamed[0]] = "name"
    # labels may be larger than the embedding
    step = batch_rows(max(len(columns), sum(widths.get(name, 1) for name in labels)))
    gaps = {name for name in labels if _has_gaps(path, schema, name, renamed)}

    def batches() -> Iterator[Batch]:
        from pyarrow.lib import ArrowException

        start = 0
        for part in parquet_batches(path, step, pre_buffer=False):
            with reading_as("Parquet", path, ArrowException):  # of bytes that are not text
                kept = {renamed[name]: label_of(part[name], name in gaps) for name in labels}
            pieces = [
                _listed(part[source], source, widths[source], where, start, kept.get("name"))
                if source in widths
                else part[source].to_numpy(zero_copy_only=False)[:, np.newaxis]
                for source, _ in groupby(taken)
            ]
            start += len(part)
            yield Batch(kept, np.concatenate(pieces, axis=1))

    types = {renamed[name]: schema.field(name).type for name in labels}
    # floats that are whole numbers are written as such
    types = {name: t for name, t in types.items() if name not in gaps or str(t) not in _FLOATS}
    return Table(n_rows, names, len(columns), batches, types)


def parquet_columns(path: Path) -> tuple[list[str], bool]:
    """Names of all columns of a file, and whether any may be an embedding."""
    with _opened(path) as file:
        schema = file.schema_arrow
    index = _index_columns(schema)
    return list(schema.names), any(
        field.name not in index
        and (str(field.type) in _FLOATS or _LISTS.fullmatch(str(field.type)))
        for field in schema
    )


@contextmanager
def _opened(path, **options):
    with reading_as("Parquet", path), import_parquet().ParquetFile(path, **options) as file:
        yield file


def parquet_batches(
    path: Path, n_rows: int = 2**16, columns: Sequence[str] | None = None, **options: Any
) -> Iterator[Any]:
    """Read some columns of a file, so many rows at a time; options are those of opening it."""
    with _opened(path, **options) as file:
        yield from file.iter_batches(n_rows, columns=columns)


def _list_widths(file, schema):
    """Length of the first list in each column of lists of numbers."""
    lists = [field.name for field in schema if _LISTS.fullmatch(str(field.type))]
    widths = {}
    for name in lists:
        fixed = getattr(schema.field(name).type, "list_size", None)
        widths[name] = fixed or next(
            (
                len(value.as_py())
                for part in file.iter_batches(1024, columns=[name])
                for value in part[0]
                if value.is_valid
            ),
            0,
        )
    return {name: width for name, width in widths.items() if width}


def _index_columns(schema):
    """Names of the columns that are the index of a pandas data frame."""
    described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    found = [name for name in described.get("index_columns", []) if isinstance(name, str)]
    unnamed = [name for name in schema.names if _INDEX.fullmatch(name)]
    return list(dict.fromkeys([*found, *unnamed]))


def _has_gaps(path, schema, name, renamed):
    """Whether a label is of whole numbers with gaps, of which pandas may have made floats."""
    kind = str(schema.field(name).type)
    whole = kind.startswith(("int", "uint"))
    if not whole and not (kind in _FLOATS and renamed[name] == "name"):
        return False
    n_gaps = 0
    for part in parquet_batches(path, columns=[name]):
        values = part[0].drop_null().to_numpy(zero_copy_only=False)
        if not whole and not ((values % 1 == 0) & (np.abs(values) < _EXACT)).all():
            return False
        n_gaps += part[0].null_count
    return n_gaps > 0


def label_of(column: Any, whole: bool = False) -> NDArray:
    """Return a column as an array; gaps are None, or NaN in floats.

    With `whole`, floats are whole numbers.
    """
    is_float = str(column.type) in _FLOATS
    is_time = _TIMES.fullmatch(str(column.type))
    if not whole and (is_float or (column.null_count == 0 and not is_time)):
        return column.to_numpy(zero_copy_only=False)
    values = (column.cast("int64") if is_float else column).to_pylist()
    return np.fromiter(values, dtype=object, count=len(values))


def _listed(column, name, width, where, start, labels):
    """Lists of equal length as a matrix."""
    from pyarrow import compute

    lengths = compute.fill_null(compute.list_value_length(column), -1).to_numpy()
    wrong = lengths != width
    if wrong.any():
        row = int(wrong.argmax())
        name_of_row = "" if labels is None else f" ({labels[row]!r})"
        has = "nothing" if lengths[row] < 0 else f"{lengths[row]} numbers"
        raise ValueError(
            f"{where} has {has} in row {start + row}{name_of_row} of the column {name!r} where "
            f"{width} are expected; embed all sequences with the same models."
        )
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), width)


@contextmanager
def parquet_writer(path, columns, *, types):
    """Write labels and numbers as columns."""
    parquet = import_parquet()
    import pyarrow

    with ExitStack() as stack:
        writers = []

        def write(batch):
            numbers = np.asfortranarray(batch.rows)
            # in labels of floats, NaN stands for a gap
            labels = [
                pyarrow.array(label, types.get(key), from_pandas=label.dtype.kind == "f")
                for key, label in batch.labels.items()
            ]
            arrays = [*labels, *map(pyarrow.array, numbers.T)]
            table = pyarrow.table(arrays, [*batch.labels, *columns])
            if not writers:
                # labels may begin with nothing but gaps
                fields = [
                    field.with_type(pyarrow.string()) if str(field.type) == "null" else field
                    for field in table.schema
                ]
                # embeddings hardly repeat a number, so dictionaries would only cost space
                encoding = {"use_dictionary": [*batch.labels], "write_statistics": False}
                writer = parquet.ParquetWriter(path, pyarrow.schema(fields), **encoding)
                writers.append(stack.enter_context(writer))
            writers[0].write_table(table.cast(writers[0].schema))

        yield write
