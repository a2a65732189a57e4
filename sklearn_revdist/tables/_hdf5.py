"""Files of HDF5: read whoever wrote them, and written so that a full disk is an error."""

import io
from contextlib import contextmanager

import numpy as np

from ._named_arrays import Array, table_of_arrays
from ._table import import_h5py, reading_as


def open_hdf5(path):
    """Open a file of one matrix and its labels, or of a data set for each protein.

    The data sets may be in one group, or each in a group of its own.
    """
    h5py = import_h5py()
    with reading_as("HDF5", path), h5py.File(path) as file:
        groups = [key for key, value in file.items() if isinstance(value, h5py.Group)]
        pandas = next((key for key in groups if "pandas_type" in file[key].attrs), None)
        arrays = {} if pandas else _arrays(h5py, file)
    if pandas is not None:
        raise ValueError(
            f"{str(path)!r} holds {pandas!r} in the format of pandas.to_hdf; write it with "
            "to_parquet."
        )
    inside = _common_group(arrays)
    arrays = {key.removeprefix(inside): array for key, array in arrays.items()}

    @contextmanager
    def reading():
        with reading_as("HDF5", path), h5py.File(path) as file:

            def read(key, rows=()):
                dataset = file[inside + key]
                text = h5py.check_string_dtype(dataset.dtype)
                return dataset.asstr()[rows] if text else dataset[rows]

            yield read

    return table_of_arrays(arrays, reading, repr(str(path)))


def _arrays(h5py, file):
    """Data sets one level deep, by key; one that is alone in a group is named as the group."""
    outside, inside = {}, {}
    for key, value in file.items():
        if isinstance(value, h5py.Dataset):
            outside[key] = _array(h5py, value, key)
        elif isinstance(value, h5py.Group):
            members = {k: v for k, v in value.items() if isinstance(v, h5py.Dataset)}
            for member, dataset in members.items():
                name = key if len(members) == 1 else member
                inside[f"{key}/{member}"] = _array(h5py, dataset, name)
        elif value is None:
            raise ValueError(f"{key!r} leads nowhere")
    # beside a matrix, groups are something else
    alone = any(len(array.shape) == 2 for array in outside.values())
    return outside if alone else {**outside, **inside}


def _common_group(keys):
    """The group, with its slash, that all data sets are in."""
    groups = {key.rpartition("/")[0] for key in keys}
    return f"{groups.pop()}/" if len(groups) == 1 and groups != {""} else ""


def _array(h5py, dataset, name):
    kind = "T" if h5py.check_string_dtype(dataset.dtype) else dataset.dtype.kind
    # bio_embeddings numbers the proteins and keeps their names beside
    name = dataset.attrs.get("original_id", name)
    return Array(dataset.shape or (), "V" if kind == "O" else kind, str(name))


@contextmanager
def hdf5_writer(path, columns):
    """Write rows, labels and names of columns, each to a data set that grows."""
    h5py = import_h5py()
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
            if key in ("columns", "embeddings"):
                raise ValueError(
                    f"A label is named {key!r}, as what is written beside it in HDF5; write "
                    "Parquet, or rename it."
                )
            if label.dtype.kind == "O" and any(isinstance(v, np.ndarray | list) for v in label):
                raise ValueError(
                    f"The label {key!r} holds lists, which HDF5 has no column for; write Parquet, "
                    "or leave the label out."
                )
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
