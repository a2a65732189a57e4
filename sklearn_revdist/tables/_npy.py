"""NumPy files: npy, read as a memory map and written, and npz, read one array at a time."""

import zipfile
import zlib
from contextlib import contextmanager
from functools import cache, partial
from math import prod

import numpy as np

from ._named_arrays import Array, table_of_arrays
from ._table import Batch, Table, reading_as, slices


def open_npy(path):
    """Open a file with one matrix."""

    def mapped():
        # without pickle: reading Python objects may execute code
        return np.load(path, mmap_mode="r", allow_pickle=False)

    with reading_as("npy", path):
        shape, dtype = (matrix := mapped()).shape, matrix.dtype
    if len(shape) != 2 or dtype.kind not in "fiu":
        raise ValueError(
            f"{str(path)!r} holds an array of shape {shape} and type {dtype}; give a matrix of "
            "numbers with one row per embedding."
        )

    def batches():
        for rows in slices(*shape):
            # mapped anew for each batch, so that batches do not stay in memory
            yield Batch({}, np.array(mapped()[rows]))

    return Table(shape[0], None, shape[1], batches)


def open_npz(path):
    """Open a file with one matrix and its labels, or with one array per protein."""
    with _opened(path) as archive:
        arrays = {}
        for member in archive.namelist():
            with archive.open(member) as file:
                shape, _, dtype = _read_header(file)
            if prod(shape) * dtype.itemsize > archive.getinfo(member).file_size:
                raise ValueError(f"{member!r} is shorter than it says")
            key = member.removesuffix(".npy")
            arrays[key] = Array(shape, "T" if dtype.kind in "SU" else dtype.kind, key)

    @contextmanager
    def reading():
        with _opened(path) as archive:
            reader_of_rows = cache(partial(_reader_of_rows, archive))

            def read(key, rows=None):
                return _read_whole(archive, key) if rows is None else reader_of_rows(key)(rows)

            yield read

    return table_of_arrays(arrays, reading, repr(str(path)))


@contextmanager
def _opened(path):
    errors = zipfile.BadZipFile, zlib.error
    with reading_as("npz", path, *errors), zipfile.ZipFile(path) as archive:
        yield archive


def _read_header(file):
    """Shape, order and type of an array; its numbers follow."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"it is of version {version} of the format")


def _read_whole(archive, key):
    with archive.open(f"{key}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _reader_of_rows(archive, key):
    """Function that reads slices of an array, one after the other."""
    file = archive.open(f"{key}.npy")
    shape, fortran_order, dtype = _read_header(file)
    if fortran_order:  # rows are spread over the file
        return _read_whole(archive, key).__getitem__

    def read(rows):
        size = rows.stop - rows.start, *shape[1:]
        content = file.read(prod(size) * dtype.itemsize)
        return np.frombuffer(content, dtype, prod(size)).reshape(size)

    return read


@contextmanager
def npy_writer(path, columns):
    """Append rows; labels are left out."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (0, len(columns))}
    with open(path, "wb") as file:
        # NumPy leaves room in the header for the number of rows to grow
        np.lib.format.write_array_header_1_0(file, header)

        def write(batch):
            header["descr"] = batch.rows.dtype.newbyteorder("<").str
            header["shape"] = (header["shape"][0] + len(batch.rows), len(columns))
            file.write(np.ascontiguousarray(batch.rows, header["descr"]).data)

        yield write
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, header)
