"""Arrays by name, in HDF5 and npz: one per protein, or a matrix with labels."""

from functools import partial

import h5py
import numpy as np
import pytest

from sklearn_revdist.tables import _table
from sklearn_revdist.tables._files import open_table

ARRAYS = [("x.h5", ""), ("x.h5", "embeddings/"), ("x.npz", "")]


class _Executed:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def save_arrays(path, arrays, group=""):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
        return
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file[f"{group}{key}"] = array


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize(("file", "group"), ARRAYS)
@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8"])
def test_a_vector_for_each_protein(tmp_path, rng, file, group, dtype, read):
    rows = rng.normal(size=(7, 5)).astype(dtype)
    save_arrays(tmp_path / file, {f"P{i}": row for i, row in enumerate(rows)}, group)
    table = open_table(tmp_path / file)
    assert (table.n_rows, table.columns, table.n_columns) == (7, None, 5)
    assert [len(batch.rows) for batch in table.batches()] == [3, 3, 1]
    found = read(tmp_path / file)
    np.testing.assert_array_equal(found.rows, rows)
    assert found.labels["name"].tolist() == [f"P{i}" for i in range(7)]
    assert list(found.labels) == ["name"]


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize(("file", "group"), ARRAYS)
def test_a_matrix_of_residues_for_each_protein(tmp_path, rng, file, group, read):
    lengths = [2, 4, 1]
    parts = {f"P{i}": rng.normal(size=(n, 5)) for i, n in enumerate(lengths)}
    save_arrays(tmp_path / file, parts, group)
    assert open_table(tmp_path / file).n_rows == 7
    labels, rows = read(tmp_path / file)
    np.testing.assert_array_equal(rows, np.concatenate(list(parts.values())))
    assert labels["name"].tolist() == ["P0"] * 2 + ["P1"] * 4 + ["P2"]
    assert labels["record"].tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert labels["position"].tolist() == [1, 2, 1, 2, 3, 4, 1]


def test_proteins_in_groups_of_their_own_and_with_names_beside(tmp_path, rng, read):
    rows = rng.normal(size=(2, 5))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["P1/mean"], file["P2/mean"] = rows
    assert read(tmp_path / "x.h5").labels["name"].tolist() == ["P1", "P2"]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for key, name, row in zip("01", ["sp|P1", "a/b"], rows, strict=True):
            file[key] = row
            file[key].attrs["original_id"] = name
    labels, found = read(tmp_path / "x.h5")
    assert labels["name"].tolist() == ["sp|P1", "a/b"]
    np.testing.assert_array_equal(found, rows)


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_in_npz_with_labels(tmp_path, rng, order, read):
    rows, names = rng.normal(size=(7, 5)), [f"P{i}" for i in range(7)]
    np.savez_compressed(tmp_path / "x.npz", H=np.asarray(rows, order=order), name=names, scale=3.0)
    found = read(tmp_path / "x.npz")
    np.testing.assert_array_equal(found.rows, rows)
    assert found.labels["name"].tolist() == names
    assert max(len(batch.rows) for batch in open_table(tmp_path / "x.npz").batches()) == 3


@pytest.mark.parametrize("file", ["x.h5", "x.npz"])
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"P1": np.ones(5), "P2": np.ones(4)}, "has 4 numbers for 'P2' where 'P1' has 5; embed"),
        ({"P1": np.ones((3, 5)), "P2": np.ones((2, 4))}, "has 4 numbers for 'P2' where 'P1' has 5"),
        ({"a": np.arange(5)}, "has neither a matrix of numbers nor one vector per protein"),
        (
            {"a": np.ones((3, 5)), "b": np.ones((2, 5)), "c": np.ones(3)},
            "has 2 matrices of numbers, 'a' among them, and 'c', which belongs to no protein",
        ),
        ({"a": np.ones(3), "b": np.arange(3)}, "has 1 vectors of numbers, 'a' among them, and 'b'"),
        (
            {"a": np.ones((3, 5)), "columns": np.array([b"x", b"y"])},
            r"has a matrix of 5 columns, but 'columns' is of shape \(2,\); give one name per",
        ),
    ],
)
def test_arrays_that_are_not_embeddings_are_refused(tmp_path, file, arrays, message):
    save_arrays(tmp_path / file, arrays)
    with pytest.raises(ValueError, match=message):
        open_table(tmp_path / file)


def test_no_object_is_read_from_npz(tmp_path):
    rows = np.ones((2, 5))
    np.savez(tmp_path / "x.npz", H=rows, name=np.array([_Executed(), "b"], dtype=object))
    with pytest.raises(ValueError, match="has Python objects in 'name', which are not read"):
        open_table(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", H=np.array([[_Executed()]], dtype=object))
    with pytest.raises(ValueError, match="has neither a matrix of numbers"):
        open_table(tmp_path / "x.npz")


@pytest.mark.parametrize("suffix", [".h5", ".npz"])
def test_memory_of_many_proteins_is_that_of_batches(tmp_path, monkeypatch, suffix, peak_memory):
    monkeypatch.setattr(_table, "_BATCH_SIZE", 2**14)

    def read_all(path):
        for batch in open_table(path).batches():
            assert batch.rows.size <= 2**14 + 64 * 64

    peaks = []
    for n_proteins in (50, 400):
        path = tmp_path / f"{n_proteins}{suffix}"
        save_arrays(path, {f"P{i:04}": np.full((64, 64), i, "f4") for i in range(n_proteins)})
        peaks.append(peak_memory(partial(read_all, path)))
    assert peaks[1] - peaks[0] < (400 - 50) * 64 * 64 * 4 / 4
