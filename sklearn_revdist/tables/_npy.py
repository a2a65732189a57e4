"""Files of NumPy: npy, read by mapping and written, and npz, read an array at a time."""

import zipfile
import zlib
from contextlib import contextmanager
from math import prod

import numpy as np

from ._named_arrays import Array, table_of_arrays
from ._table import Batch, Table, reading_as, slices


def open_npy(path):
    """Open a file of one matrix."""

    def mapped():
        # without pickle: a file may hold objects whose reading executes code
        return np.load(path, mmap_mode="r", allow_pickle=False)

    with reading_as("npy", path):
        shape, dtype = (matrix := mapped()).shape, matrix.dtype
    if len(shape) != 2 or dtype.kind not in "fiu":
        raise ValueError(
            f"{str(path)!r} holds an array of shape {shape} and type {dtype}; give a matrix of "
            "numbers with a row for each embedding."
        )

    def batches():
        for rows in slices(*shape):
            # mapped anew each time, so that what was read does not stay in memory
            yield Batch({}, np.array(mapped()[rows]))

    return Table(shape[0], None, shape[1], batches)


def open_npz(path):
    """Open a file of one matrix and its labels, or of an array for each protein."""
    with reading_as("npz", path), _unzipped(path) as archive:
        arrays = {}
        for member in archive.namelist():
            shape, _, dtype = _header(archive, member)
            key = member.removesuffix(".npy")
            arrays[key] = Array(shape, "T" if dtype.kind in "SU" else dtype.kind, key)

    @contextmanager
    def reading():
        with reading_as("npz", path), _unzipped(path) as archive:
            streams = {}
            yield lambda key, rows=None: _read(archive, f"{key}.npy", rows, streams)

    return table_of_arrays(arrays, reading, repr(str(path)))


@contextmanager
def _unzipped(path):
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise ValueError(str(error)) from error


def _header(archive, member):
    with archive.open(member) as file:
        shape, fortran_order, dtype = _read_header(file)
    if prod(shape) * dtype.itemsize > archive.getinfo(member).file_size:
        raise ValueError(f"{member!r} is shorter than it says")
    return shape, fortran_order, dtype


def _read_header(file):
    """Shape, order and type of an array, whose numbers come next."""
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if reader is None:
        raise ValueError(f"it is of version {version} of the format")
    return reader(file)


def _read(archive, member, rows, streams):
    """An array, or its next rows: those of a batch come one after the other."""
    if rows is None:
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    if member not in streams:
        file = archive.open(member)
        shape, fortran_order, dtype = _read_header(file)
        if fortran_order:  # rows are spread over the file
            with archive.open(member) as whole:
                streams[member] = np.lib.format.read_array(whole, allow_pickle=False)
        else:
            streams[member] = file, shape, dtype
    stream = streams[member]
    if isinstance(stream, np.ndarray):
        return stream[rows]
    file, shape, dtype = stream
    shape = rows.stop - rows.start, *shape[1:]
    content = file.read(prod(shape) * dtype.itemsize)
    return np.frombuffer(content, dtype, prod(shape)).reshape(shape)


@contextmanager
def npy_writer(path, columns):
    """Write rows behind each other; labels are left out."""
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
