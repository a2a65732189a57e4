"""Labels in HDF5, and what HDF5 cannot hold."""

import os

import h5py
import numpy as np
import pytest

from sklearn_revdist.tables._files import open_table


@pytest.mark.usefixtures("three_rows_per_batch")
def test_gaps_in_hdf5_are_empty_strings(tmp_path, rng, write):
    labels = {"text": np.array([None, None, None, 1, 2, 3]), "number": np.arange(6)}
    with h5py.File(write(tmp_path / "x.h5", rng.normal(size=(6, 5)), labels, sizes=())) as file:
        assert file["text"].asstr()[:].tolist() == ["", "", "", "1", "2", "3"]


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize(
    ("key", "label", "message"),
    [
        ("columns", [1, 2, 3], "has the name of a data set .*, or rename it"),
        ("embeddings", [1, 2, 3], "has the name of a data set .*, or rename it"),
        ("list", np.array([[1], 2, 3], object), "holds lists, .*, or leave the label out"),
        ("number", [1, 2, 3, 4, None], "has gaps between numbers, .*, or leave the label out"),
        ("name", ["a", "b\0c", "d"], r"has the value 'b\\x00c', whose NUL .*, or remove it"),
    ],
)
def test_labels_that_hdf5_cannot_hold_are_refused(tmp_path, key, label, message, write):
    with pytest.raises(ValueError, match=f"The label '{key}' {message}"):
        write(tmp_path / "x.h5", np.ones((len(label), 5)), {key: label}, sizes=(3,))
    assert os.listdir(tmp_path) == []


def test_what_pandas_writes_to_hdf5_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["frame/block0_values"] = np.ones((2, 5))
        file["frame"].attrs["pandas_type"] = "frame"
    with pytest.raises(ValueError, match=r"holds 'frame' in the format of pandas\.to_hdf; write"):
        open_table(tmp_path / "x.h5")
