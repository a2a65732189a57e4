"""Named arrays of one file as a table: a matrix with labels, or one array per protein.

HDF5 and npz hold arrays by name. Other programs write one vector per protein, or one matrix per
protein with one row per residue, under the protein's name.
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
    """Description of an array that has not been read yet.

    Attributes
    ----------
    shape : tuple of int
    kind : str
        As in NumPy's dtypes; "T" for strings.
    name : str
        Name of the protein, if the array is one.
    """

    shape: tuple[int, ...]
    kind: str
    name: str


def table_of_arrays(
    arrays: Mapping[str, Array], reading: Callable[[], AbstractContextManager[Read]], where: str
) -> Table:
    """Make a table of the arrays of a file.

    Parameters
    ----------
    arrays : mapping of str to Array
        By key; proteins are in the order of the rows.
    reading : callable
        Opens the file for ``read(key, rows)``, where `rows` is a slice, or left out.
    where : str
        The file, for messages.

    Returns
    -------
    table : Table
        Of one matrix of numbers: its rows, with arrays of the same length as labels; the array
        of strings ``columns`` names its columns. Of one vector per protein, or several matrices:
        rows labelled with the name; those of residues also with the record and the position.

    Raises
    ------
    ValueError
        If it is neither, or the arrays of proteins are not equally wide.
    """
    matrices = [key for key, a in arrays.items() if len(a.shape) == 2 and a.kind in "fiu"]
    if len(matrices) == 1:
        return _of_matrix(matrices[0], arrays, reading, where)
    vectors = [key for key, a in arrays.items() if len(a.shape) == 1 and a.kind == "f"]
    proteins = matrices or vectors
    if not proteins:
        raise ValueError(
            f"{where} has neither a matrix of numbers nor one vector per protein; check how it was "
            "written."
        )
    of_proteins = {key: arrays[key] for key in proteins}
    other = next((key for key, a in arrays.items() if a.shape and key not in of_proteins), None)
    if other is not None:
        what = "matrices" if matrices else "vectors"
        raise ValueError(
            f"{where} has {len(proteins)} {what} of numbers, {proteins[0]!r} among them, and "
            f"{other!r}, which belongs to no protein; keep one matrix, or the {what} alone."
        )
    return _of_proteins(of_proteins, reading, where)


def _of_matrix(matrix, arrays, reading, where):
    shape, columns = arrays[matrix].shape, None
    labels = [key for key, array in arrays.items() if array.shape == shape[:1]]
    if "columns" in arrays and arrays["columns"].kind == "T":
        if arrays["columns"].shape != shape[1:]:
            raise ValueError(
                f"{where} has a matrix of {shape[1]} columns, but 'columns' is of shape "
                f"{arrays['columns'].shape}; give one name per column."
            )
        labels = [key for key in labels if key != "columns"]
        with reading() as read:
            columns = [str(column) for column in read("columns")]
    unread = next((key for key in labels if arrays[key].kind == "O"), None)
    if unread is not None:
        raise ValueError(
            f"{where} has Python objects in {unread!r}, which are not read because they may run "
            "code; write them as strings or numbers."
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
    keys, names = list(arrays), np.array([array.name for array in arrays.values()], dtype=object)
    of_residues = len(arrays[keys[0]].shape) == 2
    lengths = [array.shape[0] if of_residues else 1 for array in arrays.values()]
    step = batch_rows(width)

    def batches() -> Iterator[Batch]:
        stop = 0
        with reading() as read:
            while stop < len(keys):
                start, size = stop, 0
                while stop < len(keys) and size < step:
                    size, stop = size + lengths[stop], stop + 1
                records, n_rows = np.arange(start, stop), lengths[start:stop]
                labels = {"name": np.repeat(names[start:stop], n_rows)}
                if of_residues:
                    labels["record"] = np.repeat(records, n_rows)
                    labels["position"] = np.concatenate([np.arange(n) + 1 for n in n_rows])
                yield Batch(labels, np.vstack([read(key) for key in keys[start:stop]]))

    return Table(sum(lengths), None, width, batches)
