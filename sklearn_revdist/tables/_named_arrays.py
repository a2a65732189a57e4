"""Named arrays of one file as a table: a matrix with labels, or an array for each protein.

HDF5 and npz hold arrays by name. Other programs write a vector for each protein, or a matrix with
a row for each of its residues, under the protein's name.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._table import Batch, Table, batch_rows, slices

# Reads an array by its key: all of it, or some of its rows.
Read = Callable[..., NDArray]


class Array(NamedTuple):
    """What is known of an array before it is read.

    Attributes
    ----------
    shape : tuple of int
    kind : str
        As NumPy's dtypes have it; "T" for text.
    name : str
        Of the protein, where it is one's.
    """

    shape: tuple[int, ...]
    kind: str
    name: str


def table_of_arrays(
    arrays: Mapping[str, Array], reading: Callable[[], AbstractContextManager[Read]], where: str
) -> Table:
    """The table that the arrays of a file are.

    Parameters
    ----------
    arrays : mapping of str to Array
        By key, in the order of the rows where each is a protein's.
    reading : callable
        Opens the file for ``read(key, rows)``, where `rows` is a slice, or left out.
    where : str
        The file, for messages.

    Returns
    -------
    table : Table
        With one matrix of numbers its rows, and as labels the arrays that are as long; names of
        its columns are an array of text, ``columns``. With a vector for each protein, or several
        matrices, rows labelled with the name, those of residues also with the record and the
        position.

    Raises
    ------
    ValueError
        If it is neither, or the vectors of proteins are not equally wide.
    """
    matrices = [key for key, a in arrays.items() if len(a.shape) == 2 and a.kind in "fiu"]
    if len(matrices) == 1:
        return _of_matrix(matrices[0], arrays, reading, where)
    vectors = [key for key, a in arrays.items() if len(a.shape) == 1 and a.kind == "f"]
    proteins = matrices or vectors
    if not proteins:
        raise ValueError(
            f"{where} has neither a matrix of numbers nor a vector for each protein; check how it "
            "was written."
        )
    of_proteins = {key: arrays[key] for key in proteins}
    other = next((key for key, a in arrays.items() if a.shape and key not in of_proteins), None)
    if other is not None:
        what = "matrices" if matrices else "vectors"
        raise ValueError(
            f"{where} has {len(proteins)} {what} of numbers, {proteins[0]!r} among them, and "
            f"{other!r}, which is none of a protein; keep one matrix, or the {what} alone."
        )
    return _of_proteins(of_proteins, reading, where)


def _of_matrix(matrix, arrays, reading, where):
    shape, columns = arrays[matrix].shape, None
    labels = [key for key, array in arrays.items() if array.shape == shape[:1]]
    if "columns" in arrays and arrays["columns"].kind == "T":
        if arrays["columns"].shape != shape[1:]:
            raise ValueError(
                f"{where} has a matrix of {shape[1]} columns, but 'columns' is of shape "
                f"{arrays['columns'].shape}; give a name for each."
            )
        labels = [key for key in labels if key != "columns"]
        with reading() as read:
            columns = [str(column) for column in read("columns")]
    unread = next((key for key in labels if arrays[key].kind == "O"), None)
    if unread is not None:
        raise ValueError(
            f"{where} has Python objects in {unread!r}, which are not read because they may run "
            "code; write them as text or numbers."
        )

    def batches() -> Iterator[Batch]:
        with reading() as read:
            for rows in slices(*shape):
                yield Batch({key: read(key, rows) for key in labels}, read(matrix, rows))

    return Table(shape[0], columns, shape[1], batches)


def _of_proteins(arrays, reading, where):
    first, width = next((array.name, array.shape[-1]) for array in arrays.values())
    for array in arrays.values():
        if array.shape[-1] != width:
            raise ValueError(
                f"{where} has {array.shape[-1]} numbers for {array.name!r} where {first!r} has "
                f"{width}; embed all with the same models."
            )
    of_residues = len(next(iter(arrays.values())).shape) == 2
    n_rows = sum(array.shape[0] for array in arrays.values()) if of_residues else len(arrays)
    step = batch_rows(width)

    def batches() -> Iterator[Batch]:
        names: list[str] = []
        parts: list[NDArray] = []
        record = size = 0

        def batch():
            lengths = [len(part) for part in parts]
            labels = {"name": np.repeat(np.array(names, dtype=object), lengths)}
            if of_residues:
                labels["record"] = np.repeat(np.arange(record - len(parts), record), lengths)
                labels["position"] = np.concatenate([np.arange(1, n + 1) for n in lengths])
            return Batch(labels, np.concatenate(parts))

        with reading() as read:
            for key, array in arrays.items():
                if size >= step:
                    yield batch()
                    names, parts, size = [], [], 0
                part = np.atleast_2d(read(key))
                names.append(array.name)
                parts.append(part)
                record, size = record + 1, size + len(part)
        if parts:
            yield batch()

    return Table(n_rows, None, width, batches)
