"""Records: named sequences from FASTA, CSV or Parquet, one after the other."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from ._fasta import iter_fasta
from ._tables import import_parquet, reading_as
from ._text_files import open_text

FORMATS = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}


def read_records(
    path: Path,
    name: str | None = None,
    *,
    sequence_column: str = "sequence",
    name_column: str | None = None,
) -> Iterator[tuple[str, str]]:
    """Names and sequences of a file.

    Parameters
    ----------
    path : Path
        A FASTA file, unless its suffix, before ``.gz``, is another format's.
    name : {"fasta", "csv", "tsv", "parquet"}, default=None
        Format of the file, where its suffix does not say it.
    sequence_column : str, default="sequence"
        Column of a table that holds the sequences.
    name_column : str, default=None
        Column of a table that holds the names; None takes "name" where there is one, and else
        leaves them empty.

    Yields
    ------
    name : str
        Any text; names may repeat.
    sequence : str
        Not checked.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not of its format, is damaged, or has no records.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}; check the path.")
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    name = name or FORMATS.get(suffixes[-1] if suffixes else "", "fasta")
    if name == "fasta":
        yield from iter_fasta(path)
        return
    readers = {"csv": _csv, "tsv": _tsv, "parquet": _parquet}
    empty = True
    for table in readers[name](path):
        for column, what in ((sequence_column, "sequences"), (name_column, "names")):
            if column is not None and column not in table:
                raise ValueError(_no_column(path, column, what, table.columns))
        # a gap in a table is an empty record, which is an error that says where it is
        sequences = _texts(table[sequence_column])
        label = name_column or "name"
        names = _texts(table[label]) if label in table else [""] * len(sequences)
        yield from zip(names, sequences, strict=True)
        empty = empty and not sequences
    if empty:
        raise ValueError(f"{str(path)!r} has no records; check that it is complete.")


def in_parts(
    records: Iterable[tuple[str, str]], n_residues: int
) -> Iterator[tuple[int, list[str], list[str]]]:
    """Consecutive records that have together at least so many residues, but for the last part.

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


def _csv(path, separator=","):
    with reading_as("CSV", path), open_text(path, newline="", may_hold_nul=False) as file:
        # "NA" is a protein and a name, not a gap
        yield from pd.read_csv(
            file, sep=separator, dtype=str, keep_default_na=False, chunksize=2**14
        )


def _tsv(path):
    return _csv(path, "\t")


def _parquet(path):
    parquet = import_parquet()
    with reading_as("Parquet", path), parquet.ParquetFile(path) as file:
        for part in file.iter_batches(2**14):
            yield part.to_pandas()


def _texts(column):
    return column.astype(object).where(column.notna(), "").astype(str).tolist()


def _no_column(path, column, what, columns):
    said = f"{str(path)!r} has no column {column!r} but {_some(columns)}; "
    other = [separator for separator in (";", "\t", ",", "|") if separator in str(columns[0])]
    if len(columns) == 1 and other:
        return said + (
            f"if {other[0]!r} separates its columns, write it with commas (csv) or tabs (tsv), and "
            "name the format (--input-format) where the suffix does not."
        )
    return said + (
        f"name the one that holds the {what} (--{what[:-1]}-column), or rename it {column!r}."
    )


def _some(columns):
    listed = [repr(str(name)) for name in columns]
    return ", ".join(listed[:5]) + (", ..." if len(listed) > 5 else "")
