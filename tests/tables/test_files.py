"""Tables of embeddings: what is written is read, in bounded memory, and damage is noticed."""

import os
import sys
from functools import partial

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sklearn_revdist.tables import _table
from sklearn_revdist.tables._files import check_holds_no_code, format_of, open_table, writing

SUFFIXES = [".npy", ".h5", ".parquet"]  # those that are written
READ = [*SUFFIXES, ".npz"]
COLUMNS = [f"model_{j}" for j in range(5)]


def labels_of(rows):
    """Labels of all kinds that commands write."""
    return {
        "name": np.array([f"../{i % 4}\tä" for i in range(len(rows))], dtype=object),
        "record": np.arange(len(rows)),
        "fitness": np.arange(len(rows)) / 3,
    }


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_is_written_is_read(tmp_path, rng, suffix, dtype, read, write):
    rows = rng.normal(size=(23, 5)).astype(dtype)
    expected = labels_of(rows)
    path = write(tmp_path / f"x{suffix}", rows, expected)
    table = open_table(path)
    assert (table.n_rows, table.n_columns) == (23, 5)
    assert max(len(batch.rows) for batch in table.batches()) == 3
    for _ in range(2):  # from the beginning each time
        labels, found = read(path)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, rows)
    if suffix != ".npy":
        assert table.columns == COLUMNS
        assert set(labels) == set(expected)
        for key, label in expected.items():
            np.testing.assert_array_equal(labels[key], label)
            assert labels[key].dtype == label.dtype
    assert os.listdir(tmp_path) == [path.name]


def test_others_read_the_files(tmp_path, rng, write):
    rows = rng.normal(size=(23, 5)).astype(np.float32)
    labels = labels_of(rows)
    np.testing.assert_array_equal(np.load(write(tmp_path / "x.npy", rows, labels)), rows)
    with h5py.File(write(tmp_path / "x.h5", rows, labels)) as file:
        np.testing.assert_array_equal(file["embeddings"], rows)
        assert file["columns"].asstr()[:].tolist() == COLUMNS
        assert file["name"].asstr()[:].tolist() == labels["name"].tolist()
    frame = pd.read_parquet(write(tmp_path / "x.parquet", rows, labels))
    assert list(frame.columns) == [*labels, *COLUMNS]
    np.testing.assert_array_equal(frame[COLUMNS], rows)
    assert frame["name"].tolist() == labels["name"].tolist()


@pytest.mark.usefixtures("three_rows_per_batch")
def test_files_of_others_are_read(tmp_path, rng, read):
    rows = rng.normal(size=(23, 5))
    np.save(tmp_path / "columns_first.npy", np.asfortranarray(rows))
    np.testing.assert_array_equal(read(tmp_path / "columns_first.npy").rows, rows)
    np.save(tmp_path / "whole.npy", (100 * rows).astype(int))
    np.testing.assert_array_equal(read(tmp_path / "whole.npy").rows, (100 * rows).astype(int))

    with h5py.File(tmp_path / "any.hdf5", "w") as file:
        file.create_dataset("vectors", data=rows, compression="gzip")
        file["attributes"] = np.arange(23)
        file["single"] = 3.0
        file.create_group("more")
    table = open_table(tmp_path / "any.hdf5")
    assert table.columns is None
    found = read(tmp_path / "any.hdf5")
    assert list(found.labels) == ["attributes"]
    np.testing.assert_array_equal(found.rows, rows)

    frame = pd.DataFrame(rows, columns=list("abcde"), index=[f"s{i}" for i in range(23)])
    frame.to_parquet(tmp_path / "frame.parquet", row_group_size=7)
    assert open_table(tmp_path / "frame.parquet").columns == list("abcde")
    found = read(tmp_path / "frame.parquet")
    np.testing.assert_array_equal(found.rows, rows)
    assert found.labels["name"].tolist() == frame.index.tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_is_that_of_batches(tmp_path, monkeypatch, suffix, peak_memory):
    monkeypatch.setattr(_table, "_BATCH_SIZE", 2**18)
    path, rows = tmp_path / f"x{suffix}", np.ones((2**13, 16), dtype=np.float32)

    def write_and_read(n_parts):
        with writing(path, [f"model_{j}" for j in range(16)]) as append:
            for _ in range(n_parts):
                append({}, rows)
        for batch in open_table(path).batches():
            assert batch.rows.size <= 2**18

    few, many = (peak_memory(partial(write_and_read, n_parts)) for n_parts in (4, 32))
    assert many - few < (32 - 4) * rows.nbytes / 4


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_after_an_error_the_old_file_is_there_alone(tmp_path, suffix, error):
    path = tmp_path / f"x{suffix}"
    path.write_text("old")

    def interrupted():
        with writing(path, COLUMNS) as append:
            append({}, np.ones((23, 5)))
            raise error("of torch, say")

    with pytest.raises(error, match="of torch, say"):
        interrupted()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_an_error_of_the_system_and_leaves_the_old_file(
    tmp_path, suffix, limited_files
):
    path = tmp_path / f"x{suffix}"
    path.write_text("old")

    def write_much():
        with writing(path, [f"model_{j}" for j in range(64)]) as append:
            rows = np.random.default_rng(0).normal(size=(2**14, 64))
            for _ in range(20):
                append({}, rows)

    with limited_files(2**22), pytest.raises(OSError, match="File too large"):
        write_much()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


def test_the_format_is_the_suffix_or_what_is_said(tmp_path, rng, read):
    for path, name in [("x.NPY", "npy"), ("x.hdf5", "hdf5"), ("a.b/x.parquet", "parquet")]:
        assert format_of(tmp_path / path) == name
    assert format_of(tmp_path / "x.npy", "hdf5") == "hdf5"
    with pytest.raises(ValueError, match=r"x\.txt' ends in none of \.parquet, \.h5, \.hdf5, \.npy"):
        format_of(tmp_path / "x.txt")
    rows = rng.normal(size=(3, 5))
    np.save(tmp_path / "x.npy", rows)
    (tmp_path / "x.npy").rename(tmp_path / "x")
    np.testing.assert_array_equal(read(tmp_path / "x", "npy").rows, rows)


@pytest.mark.parametrize("suffix", READ)
@pytest.mark.parametrize("content", [b"", b"MKTAYIAKQR" * 99, bytes(range(256)) * 9])
def test_files_of_something_else_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    name = {".h5": "HDF5", ".parquet": "Parquet"}.get(suffix, suffix[1:])
    with pytest.raises(ValueError, match=rf"x\{suffix}' cannot be read as {name} \(.*\); check"):
        open_table(path)


@pytest.mark.parametrize("suffix", READ)
def test_truncated_files_are_refused(tmp_path, rng, suffix, read, write):
    path = tmp_path / f"x{suffix}"
    if suffix == ".npz":
        np.savez(path, rng.normal(size=(999, 5)))
    else:
        write(path, rng.normal(size=(999, 5)), {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be read as"):
        read(path)


def test_files_without_embeddings_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        open_table(tmp_path / "x.npy")
    pd.DataFrame({"name": ["a"], "record": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="has no embeddings"):
        open_table(tmp_path / "x.parquet")
    (tmp_path / "x.pt").touch()
    with pytest.raises(ValueError, match=r"ends in none of .*\.npz"):
        open_table(tmp_path / "x.pt")


@pytest.mark.parametrize("suffix", [".pt", ".PTH", ".pkl", ".pickle"])
def test_files_of_objects_are_refused_and_how_to_convert_them_is_said(tmp_path, suffix):
    with pytest.raises(ValueError, match=r"may run code .* npy, as in numpy\.save\(\"x\.npy\", "):
        check_holds_no_code(tmp_path / f"x{suffix}")
    check_holds_no_code(tmp_path / "x.npy")


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize("suffix", [".h5", ".npz", ".parquet"])
def test_columns_are_put_in_order_by_name_and_others_are_labels(tmp_path, rng, suffix, read, write):
    names = ["x_3", "score", "x_0", "x_2", "x_1"]
    rows, path = rng.normal(size=(7, 5)), tmp_path / f"x{suffix}"
    if suffix == ".npz":
        np.savez(path, embeddings=rows, columns=names)
    else:
        write(path, rows, {}, sizes=(), columns=names)
    assert open_table(path).columns == ["x_0", "x_1", "x_2", "x_3"]
    found = read(path)
    np.testing.assert_array_equal(found.rows, rows[:, [2, 4, 3, 0]])
    np.testing.assert_array_equal(found.labels["score"], rows[:, 1])


def test_two_columns_of_one_name_are_refused(tmp_path):
    ones = np.ones(3)
    for names in (["a", "b", "a"], ["name", "a_0", "name"]):
        parquet.write_table(pa.table([ones, ones, ones], names), tmp_path / "x.parquet")
        with pytest.raises(ValueError, match=f"has two columns named '{names[0]}'; keep one, or"):
            open_table(tmp_path / "x.parquet")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["embeddings"], file["columns"] = np.ones((2, 3)), ["a", "b", "a"]
    with pytest.raises(ValueError, match="has two columns named 'a'; keep one, or"):
        open_table(tmp_path / "x.h5")


def test_other_errors_of_h5py_and_pyarrow_are_refusals_too(tmp_path, read):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["P1"], file["P2"] = np.ones(5), h5py.SoftLink("/nowhere")
    with pytest.raises(ValueError, match=r"cannot be read as HDF5 \('P2' leads nowhere\)"):
        open_table(tmp_path / "x.h5")
    text = pa.array([b"\xff\xfe"]).view(pa.string())
    parquet.write_table(pa.table({"name": text, "x": [1.0]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        read(tmp_path / "x.parquet")


@pytest.mark.parametrize(("suffix", "package"), [(".h5", "h5py"), (".parquet", "pyarrow")])
def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch, suffix, package):
    path = tmp_path / f"x{suffix}"
    path.write_text("x")
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.parquet", None)
    message = rf'need {package}, which is not installed; run `pip install "sklearn-revdist\[io\]"'
    with pytest.raises(ImportError, match=message):
        open_table(path)
    with pytest.raises(ImportError, match=message), writing(path, COLUMNS):
        pass
    assert path.read_text() == "x"
