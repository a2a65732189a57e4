"""Tables: embeddings in files, read and written a batch of rows at a time.

A row of a table has numbers, the embedding, and labels, which is all else that is known of it: a
name, a position. Parquet and HDF5 hold both, npy the numbers alone.
"""

import contextlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._files import replaced
from ._messages import told

# A batch of this many numbers takes 32 MB in float32.
_BATCH_SIZE = 2**23

FORMATS = {".parquet": "parquet", ".h5": "hdf5", ".hdf5": "hdf5", ".npy": "npy"}
STORES = (".sqlite", ".db")

# As the embedder names its columns.
_NUMBERED = re.compile(r".+_\d+")


class Batch(NamedTuple):
    """Consecutive rows: their labels by name, and their numbers."""

    labels: dict[str, NDArray]
    rows: NDArray


class Table(NamedTuple):
    """Embeddings in a file.

    Attributes
    ----------
    n_rows : int
    columns : list of str or None
        Names of the numbers' columns, where the file tells them.
    n_columns : int
    batches : callable
        Reads the file from its beginning and yields a Batch at a time.
    """

    n_rows: int
    columns: list[str] | None
    n_columns: int
    batches: Callable[[], Iterator[Batch]]


def format_of(path: Path, name: str | None = None) -> str:
    """Format that is named, or that the suffix of the path says."""
    if name is not None:
        return name
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise ValueError(
            f"{str(path)!r} ends in none of {', '.join(FORMATS)}; choose one of them, or name the "
            "format."
        ) from None


def open_table(path: Path, name: str | None = None) -> Table:
    """Open a file of embeddings.

    Parameters
    ----------
    path : Path
        A Parquet, HDF5 or npy file.
    name : {"parquet", "hdf5", "npy"}, default=None
        Format of the file, where its suffix does not say it.

    Returns
    -------
    table : Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another format, or holds no embeddings.
    ImportError
        If the format needs a package that is not installed; the message names the extra.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}; check the path.")
    opener = {"parquet": _open_parquet, "hdf5": _open_hdf5, "npy": _open_npy}[format_of(path, name)]
    table = opener(path)
    if table.n_rows == 0 or table.n_columns == 0:
        raise ValueError(f"{str(path)!r} has no embeddings; check how it was written.")
    return table


@contextmanager
def writing(
    path: Path, columns: Sequence[str], name: str | None = None
) -> Iterator[Callable[[dict[str, Any], NDArray], None]]:
    """Write a file of embeddings, which appears when it is complete.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Names of the numbers' columns.
    name : {"parquet", "hdf5", "npy"}, default=None
        Format of the file, where its suffix does not say it.

    Yields
    ------
    write : callable
        Takes labels and rows, and writes them behind those before.
    """
    writer = {"parquet": _parquet_writer, "hdf5": _hdf5_writer, "npy": _npy_writer}
    with replaced(path) as partial, writer[format_of(path, name)](partial, list(columns)) as write:
        waiting: list[Batch] = []

        def flush():
            if waiting:
                labels = {
                    key: np.concatenate([batch.labels[key] for batch in waiting])
                    for key in waiting[0].labels
                }
                write(Batch(labels, np.concatenate([batch.rows for batch in waiting])))
                waiting.clear()

        def gather(labels, rows):
            waiting.append(Batch({key: np.asarray(label) for key, label in labels.items()}, rows))
            # Few large pieces make a file that is read faster than many small ones.
            if sum(batch.rows.size for batch in waiting) >= _BATCH_SIZE:
                flush()

        yield gather
        flush()


def batch_rows(n_columns: int) -> int:
    """Number of rows of a batch with so many numbers in each."""
    return max(1, _BATCH_SIZE // max(1, n_columns))


def _label(column):
    """A label as an array; gaps are None, and whole numbers beside them stay whole."""
    if column.null_count == 0:
        return column.to_numpy(zero_copy_only=False)
    label = np.empty(len(column), dtype=object)
    label[:] = column.to_pylist()
    return label


def _slices(shape):
    step = batch_rows(shape[1])
    return [slice(start, start + step) for start in range(0, shape[0], step)]


def _open_npy(path):
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
        for rows in _slices(shape):
            # mapped anew each time, so that what was read does not stay in memory
            yield Batch({}, np.array(mapped()[rows]))

    return Table(shape[0], None, shape[1], batches)


def _open_hdf5(path):
    h5py = _import_h5py()
    with reading_as("HDF5", path), h5py.File(path) as file:
        datasets = {key: value for key, value in file.items() if isinstance(value, h5py.Dataset)}
        matrices = [
            key for key, value in datasets.items() if value.ndim == 2 and value.dtype.kind in "fiu"
        ]
        if len(matrices) != 1:
            raise ValueError(f"it has {len(matrices)} matrices of numbers where one is expected")
        matrix = matrices[0]
        shape = datasets.pop(matrix).shape
        columns = datasets.pop("columns").asstr()[:].tolist() if "columns" in datasets else None
        labels = [key for key, value in datasets.items() if value.shape == shape[:1]]

    def read(dataset, rows):
        return dataset.asstr()[rows] if h5py.check_string_dtype(dataset.dtype) else dataset[rows]

    def batches():
        with reading_as("HDF5", path), h5py.File(path) as file:
            for rows in _slices(shape):
                yield Batch({key: read(file[key], rows) for key in labels}, file[matrix][rows])

    return Table(shape[0], columns, shape[1], batches)


def _open_parquet(path):
    parquet = import_parquet()
    with reading_as("Parquet", path), parquet.ParquetFile(path) as file:
        n_rows, schema = file.metadata.num_rows, file.schema_arrow
    floating = [
        field.name for field in schema if str(field.type) in ("halffloat", "float", "double")
    ]
    # A measured value, say, is a label beside columns that are numbered.
    columns = [name for name in floating if _NUMBERED.fullmatch(name)] or floating
    labels = [name for name in schema.names if name not in set(columns)]

    def batches():
        with reading_as("Parquet", path), parquet.ParquetFile(path, pre_buffer=False) as file:
            for part in file.iter_batches(batch_rows(len(columns))):
                numbers = [part[key].to_numpy(zero_copy_only=False) for key in columns]
                yield Batch({key: _label(part[key]) for key in labels}, np.stack(numbers, axis=1))

    return Table(n_rows, columns, len(columns), batches)


@contextmanager
def _npy_writer(path, columns):
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


@contextmanager
def _hdf5_writer(path, columns):
    h5py = _import_h5py()
    text = h5py.string_dtype()

    def append(key, values, dtype):
        if key not in file:
            shape = values.shape[1:]
            file.create_dataset(key, (0, *shape), dtype, maxshape=(None, *shape), chunks=True)
        dataset = file[key]
        dataset.resize(len(dataset) + len(values), axis=0)
        dataset[len(dataset) - len(values) :] = values

    def write(batch):
        for key, label in batch.labels.items():
            begun = file[key].dtype.kind if key in file else label.dtype.kind
            if begun not in "biuf":
                texts = ["" if value is None else str(value) for value in label]
                nul = next((text for text in texts if "\0" in text), None)
                if nul is not None:
                    raise ValueError(
                        f"The label {key!r} has the text {nul!r}, whose NUL character HDF5 cannot "
                        "hold; write Parquet, or take it out."
                    )
                append(key, np.array(texts, dtype=object), text)
            elif label.dtype.kind in "biuf":
                append(key, label, label.dtype)
            else:
                raise ValueError(
                    f"The label {key!r} has gaps between numbers, which HDF5 has no word for; "
                    "write Parquet, or leave the label out."
                )
        append("embeddings", batch.rows, batch.rows.dtype)
        disk.check()

    with _Disk(path, "w+b") as disk:
        with h5py.File(disk, "w") as file:
            file.create_dataset("columns", data=columns, dtype=text)
            yield write
        disk.check()


class _Disk(io.FileIO):
    """A file that keeps an error of writing until it is asked for.

    HDF5 ends the process where a file cannot be closed because the disk is full. So all that
    comes after the first error is dropped, and closing succeeds.
    """

    error: OSError | None = None

    def write(self, data):
        rest = memoryview(data).cast("B")
        n_bytes = len(rest)
        while len(rest) and self.error is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.error = error
        return n_bytes

    def truncate(self, size=None):
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size

    def check(self):
        if self.error:
            raise self.error


@contextmanager
def _parquet_writer(path, columns):
    parquet = import_parquet()
    import pyarrow

    with contextlib.ExitStack() as stack:
        writers = []

        def write(batch):
            numbers = np.asfortranarray(batch.rows)
            arrays = [*batch.labels.values(), *numbers.T]
            table = pyarrow.table([pyarrow.array(a) for a in arrays], [*batch.labels, *columns])
            if not writers:
                # every float differs: dictionaries of them are of no use
                writer = parquet.ParquetWriter(
                    path,
                    _typed(table.schema),
                    use_dictionary=[*batch.labels],
                    write_statistics=False,
                )
                writers.append(stack.enter_context(writer))
            writers[0].write_table(table.cast(writers[0].schema))

        yield write


def _typed(schema):
    """The schema with text in place of labels that begin with nothing but gaps."""
    import pyarrow

    return pyarrow.schema(
        [
            field.with_type(pyarrow.string()) if pyarrow.types.is_null(field.type) else field
            for field in schema
        ]
    )


@contextmanager
def reading_as(name, path):
    """Say in one sentence that a file is not what it should be."""
    try:
        yield
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(
            f"{str(path)!r} cannot be read as {name} ({told(error)}); check that it is "
            "complete and of that format."
        ) from error


def _import_h5py():
    try:
        import h5py
    except ImportError as error:
        raise ImportError(_needs("HDF5", "h5py")) from error
    return h5py


def import_parquet():
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(_needs("Parquet", "pyarrow")) from error
    return parquet


def _needs(name, package):
    return (
        f"{name} files need {package}, which is not installed; run "
        '`pip install "sklearn-revdist[io]"`.'
    )
