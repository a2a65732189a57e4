"""Read named sequences, one by one, from FASTA files, tables of text or Parquet."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ._fasta import iter_fasta
from ._packed import plain_suffix
from ._table_rows import parquet_rows, parquet_schema
from ._text_tables import FORMATS as TABLES
from ._text_tables import check_columns, open_rows, recognise

FORMATS = {
    **dict.fromkeys((".fasta", ".fa", ".faa", ".fas", ".fna", ".pep"), "fasta"),
    **TABLES,
    ".parquet": "parquet",
}

_STRINGS = ("string", "large_string", "string_view")


def format_of_records(
    path: Path, name: str | None = None, sequence_column: str | None = None
) -> str:
    """Find the format of a file of sequences.

    Parameters
    ----------
    path : Path
    name : {"fasta", "csv", "tsv", "parquet"}, default=None
        The format, if it is known.
    sequence_column : str, default=None
        Column by which a table is recognised; None is "sequence".

    Returns
    -------
    name : {"fasta", "csv", "tsv", "parquet"}
        `name`, or the format of the suffix or, failing that, of the first line.
    """
    known = name or FORMATS.get(plain_suffix(path))
    if known or not path.is_file():
        return known or "fasta"
    column = sequence_column or "sequence"
    found = recognise(path, column)
    if found is None:
        raise ValueError(
            f"{str(path)!r} begins neither with '>', as FASTA does, nor with a header that has the "
            f"column {column!r}; give its format (--input-format csv, say) and the column of the "
            "sequences (--sequence-column)."
        )
    return found


def read_records(
    path: Path,
    name: str | None = None,
    *,
    sequence_column: str | None = None,
    name_column: str | None = None,
) -> Iterator[tuple[str, str]]:
    """Read names and sequences from a file.

    Parameters
    ----------
    path : Path
        FASTA or a table of text, plain or compressed, an Excel workbook, or Parquet.
    name : {"fasta", "csv", "tsv", "parquet"}, default=None
        Format of the file; None goes by its suffix or its first line.
    sequence_column : str, default=None
        Column of a table that holds the sequences; None is "sequence".
    name_column : str, default=None
        Column of a table that holds the names; None takes "name" or, from a Parquet table
        without it, an unnamed index. Otherwise names are empty.

    Yields
    ------
    name : str
        Any text; names may repeat.
    sequence : str
        Not checked, except that a cell of a text table has no blank inside.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or it may not be read.
    ImportError
        If its format needs a package that is not installed.
    ValueError
        If the file is not of its format, is damaged, or has no records.
    """
    for _, label, sequence in _placed(path, name, sequence_column, name_column):
        yield label, sequence


def place_of(
    index: int,
    path: Path,
    name: str | None = None,
    *,
    sequence_column: str | None = None,
    name_column: str | None = None,
) -> str:
    """Find the file and line of a record of a table; "" in a format without lines.

    Parameters
    ----------
    index : int
        Number of the record, counted from 0.
    path, name, sequence_column, name_column
        As for :func:`read_records`.
    """
    if format_of_records(path, name, sequence_column) not in ("csv", "tsv"):
        return ""
    records = _placed(path, name, sequence_column, name_column)
    return next((place for i, (place, *_) in enumerate(records) if i == index), "")


def in_parts(
    records: Iterable[tuple[str, str]], n_residues: int
) -> Iterator[tuple[int, list[str], list[str]]]:
    """Group consecutive records until each part, except the last, has enough residues.

    Yields
    ------
    first : int
        Number of the first record.
    names, sequences : list of str
    """
    first = 0
    names: list[str] = []
    sequences: list[str] = []
    size = 0
    for name, sequence in records:
        names.append(name)
        sequences.append(sequence)
        size += len(sequence)
        if size >= n_residues:
            yield first, names, sequences
            first += len(names)
            names, sequences, size = [], [], 0
    if names:
        yield first, names, sequences


def _placed(path, name, sequence_column, name_column):
    """Yield place, name and sequence of each record."""
    found = format_of_records(path, name, sequence_column)
    if found == "fasta":
        yield from (("", *record) for record in iter_fasta(path))
        return
    sequence_column = sequence_column or "sequence"
    rename = f"or rename it {sequence_column!r}"
    needed = {
        sequence_column: f"name the one that holds the sequences (--sequence-column), {rename}"
    }
    if name_column is not None:
        needed.setdefault(name_column, "name the one that holds the names (--name-column)")
    if found == "parquet":
        records = _parquet(path, sequence_column, name_column, needed)
    else:
        records = _text(path, sequence_column, name_column, needed, found)
    first = next(records, None)
    if first is None:
        raise ValueError(f"{str(path)!r} has no records; check that it is complete.")
    yield first
    yield from records


def _text(path, sequence_column, name_column, needed, found):
    label = name_column or "name"
    with open_rows(path, needed, wanted=(label,), name=found) as table:
        labels = [label] if label in table.columns else []
        for number, (sequence, *names) in table.cells([sequence_column, *labels]):
            if len(sequence.split()) > 1:
                raise ValueError(_blank(table.place(number), sequence))
            yield table.place(number), "".join(names), sequence


def _blank(place, sequence):
    at, blank = next((i, letter) for i, letter in enumerate(sequence) if letter.isspace())
    what = "a line break" if blank in "\r\n" else f"whitespace ({blank!r})"
    return f"{place}: the sequence has {what} after position {at}; remove it."


def _parquet(path, sequence_column, name_column, needed):
    names, types = parquet_schema(path)
    index = [name for name in types if name not in names]
    label = name_column or ("name" if "name" in names else None)
    if index:
        reset = "; its index has no name, so if that holds them, write frame.reset_index()"
        needed = {column: remedy + reset for column, remedy in needed.items()}
    check_columns(names, needed, [label] if label else [], path, repr(str(path)))
    label = label or (index[0] if len(index) == 1 else None)
    wanted = [sequence_column, *({label} - {None, sequence_column})]
    for column in wanted:
        kind = _plain_type(types[column])
        if "binary" in kind or (column == sequence_column and kind not in (*_STRINGS, "null")):
            raise ValueError(
                f"The column {column!r} of {str(path)!r} holds {kind}, which is not text; convert "
                "it to strings."
            )
    for row in parquet_rows(path, wanted):
        yield "", row[wanted.index(label)] if label else "", row[0]


def _plain_type(kind):
    """Name of an Arrow type; of a dictionary, that of its values."""
    return str(getattr(kind, "value_type", kind) if str(kind).startswith("dictionary") else kind)
