"""Records: named sequences from FASTA, CSV or Parquet, one after the other."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from ._sequences import iter_fasta
from ._tables import import_parquet, reading_as

FORMATS = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}


def read_records(
    path: Path,
    name: str | None = None,
    *,
    sequence_column: str = "sequence",
    name_column: str = "name",
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
    name_column : str, default="name"
        Column of a table that holds the names; without it they are empty.

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
        if sequence_column not in table:
            raise ValueError(
                f"{str(path)!r} has no column {sequence_column!r} but {_some(table.columns)}; name "
                "the one that holds the sequences."
            )
        # a gap in a table is an empty record, which is an error that says where it is
        sequences = table[sequence_column].fillna("").astype(str).tolist()
        names = table[name_column].astype(str).tolist() if name_column in table else None
        yield from zip(names or [""] * len(sequences), sequences, strict=True)
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
    with reading_as("CSV", path):
        # "NA" is a protein and a name, not a gap
        yield from pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, chunksize=2**14
        )


def _tsv(path):
    return _csv(path, "\t")


def _parquet(path):
    parquet = import_parquet()
    with reading_as("Parquet", path), parquet.ParquetFile(path) as file:
        for part in file.iter_batches(2**14):
            yield part.to_pandas()


def _some(columns):
    listed = [repr(str(name)) for name in columns]
    return ", ".join(listed[:5]) + (", ..." if len(listed) > 5 else "")
