"""HDF5 files: reading those of other programs too, and writing so that a full disk is an error."""

import io
from contextlib import contextmanager

import numpy as np

from ._named_arrays import Array, table_of_arrays
from ._table import import_h5py, reading_as


def open_hdf5(path):
    """Open a file with one matrix and its labels, or with one data set per protein.

    The data sets may be in one group, or each in its own group.
    """
    h5py = import_h5py()
    with reading_as("HDF5", path), h5py.File(path) as file:
        groups = {key: value for key, value in file.items() if isinstance(value, h5py.Group)}
        pandas = [key for key, group in groups.items() if "pandas_type" in group.attrs]
        arrays = {} if pandas else _arrays(h5py, file)
    if pandas:
        raise ValueError(
            f"{str(path)!r} holds {pandas[0]!r} in the format of pandas.to_hdf; write it with "
            "to_parquet."
        )
    groups = {key.rpartition("/")[0] for key in arrays}
    inside = f"{groups.pop()}/" if len(groups) == 1 and groups != {""} else ""
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
    """Data sets at most one level deep, by key; the only one of a group has the group's name."""
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
    # beside a matrix, groups hold something else
    alone = any(len(array.shape) == 2 for array in outside.values())
    return outside if alone else {**outside, **inside}


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

    def append(key, values):
        if key not in file:
            shape, dtype = values.shape[1:], text if values.dtype.kind == "O" else values.dtype
            file.create_dataset(key, (0, *shape), dtype, maxshape=(None, *shape), chunks=True)
        dataset = file[key]
        dataset.resize(len(dataset) + len(values), axis=0)
        dataset[len(dataset) - len(values) :] = values

    def write(batch):
        for key, label in batch.labels.items():
            append(key, _checked_label(key, label, file.get(key, label).dtype.kind))
        append("embeddings", batch.rows)
        disk.check()

    with _Disk(path, "w+b") as disk:
        with h5py.File(disk, "w") as file:
            file.create_dataset("columns", data=columns, dtype=text)
            yield write
        disk.check()


def _checked_label(key, label, kind):
    """Numbers as they are, where the first rows had numbers; anything else as strings."""

    def refuse(what, remedy):
        raise ValueError(f"The label {key!r} {what}; write Parquet, or {remedy}.")

    if key in ("columns", "embeddings"):
        refuse("has the name of a data set that HDF5 files hold beside labels", "rename it")
    if label.dtype.kind == "O" and any(isinstance(value, np.ndarray | list) for value in label):
        refuse("holds lists, which HDF5 cannot represent", "leave the label out")
    if kind in "biuf":
        if label.dtype.kind not in "biuf":
            refuse("has gaps between numbers, which HDF5 cannot represent", "leave the label out")
        return label
    texts = ["" if value is None else str(value) for value in label]
    nul = next((value for value in texts if "\0" in value), None)
    if nul is not None:
        refuse(f"has the value {nul!r}, whose NUL character HDF5 cannot hold", "remove it")
    return np.array(texts, dtype=object)


class _Disk(io.FileIO):
    """A file that keeps the first error of writing until `check`.

    HDF5 ends the process if a full disk keeps a file from being closed. So nothing is written
    after the first error, and closing succeeds.
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
