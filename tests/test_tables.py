"""Tables of embeddings: what is written is read, in bounded memory, and damage is noticed."""

import os
import sys
import tracemalloc

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sklearn_revdist import _tables
from sklearn_revdist._table_files import format_of, open_table, writing
from sklearn_revdist._tables import Batch, reading_as

SUFFIXES = [".npy", ".h5", ".parquet"]
LABELLED = SUFFIXES[1:]
COLUMNS = [f"model_{j}" for j in range(5)]


@pytest.fixture
def _three_rows_a_batch(monkeypatch):
    monkeypatch.setattr(_tables, "_BATCH_SIZE", 3 * len(COLUMNS))


def labels_of(rows):
    """Labels of all kinds that commands write."""
    return {
        "name": np.array([f"../{i % 4}\tä" for i in range(len(rows))], dtype=object),
        "record": np.arange(len(rows)),
        "fitness": np.arange(len(rows)) / 3,
    }


def write(path, rows, labels=None, sizes=(1, 2, 0, 7), columns=COLUMNS):
    labels = labels_of(rows) if labels is None else labels
    with writing(path, columns) as append:
        start = 0
        for size in [*sizes, len(rows) - sum(sizes)]:
            part = slice(start, start + size)
            append({key: label[part] for key, label in labels.items()}, rows[part])
            start += size
    return path


def read(path, name=None):
    batches = list(open_table(path, name).batches())
    keys = batches[0].labels
    labels = {key: np.concatenate([batch.labels[key] for batch in batches]) for key in keys}
    return Batch(labels, np.concatenate([batch.rows for batch in batches]))


@pytest.mark.usefixtures("_three_rows_a_batch")
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_is_written_is_read(tmp_path, rng, suffix, dtype):
    rows = rng.normal(size=(23, 5)).astype(dtype)
    path = write(tmp_path / f"x{suffix}", rows)
    table = open_table(path)
    assert (table.n_rows, table.n_columns) == (23, 5)
    assert max(len(batch.rows) for batch in table.batches()) == 3
    for _ in range(2):  # from the beginning each time
        labels, found = read(path)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, rows)
    if suffix in LABELLED:
        assert table.columns == COLUMNS
        expected = labels_of(rows)
        assert list(labels) == list(expected) if suffix == ".parquet" else set(expected)
        for key, label in expected.items():
            np.testing.assert_array_equal(labels[key], label)
            assert labels[key].dtype == label.dtype
    assert os.listdir(tmp_path) == [path.name]


def test_others_read_the_files(tmp_path, rng):
    rows = rng.normal(size=(23, 5)).astype(np.float32)
    labels = labels_of(rows)
    np.testing.assert_array_equal(np.load(write(tmp_path / "x.npy", rows)), rows)
    with h5py.File(write(tmp_path / "x.h5", rows)) as file:
        np.testing.assert_array_equal(file["embeddings"], rows)
        assert file["columns"].asstr()[:].tolist() == COLUMNS
        assert file["name"].asstr()[:].tolist() == labels["name"].tolist()
    frame = pd.read_parquet(write(tmp_path / "x.parquet", rows))
    assert list(frame.columns) == [*labels, *COLUMNS]
    np.testing.assert_array_equal(frame[COLUMNS], rows)
    assert frame["name"].tolist() == labels["name"].tolist()


@pytest.mark.usefixtures("_three_rows_a_batch")
def test_files_of_others_are_read(tmp_path, rng):
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
    assert found.labels["__index_level_0__"].tolist() == frame.index.tolist()


def test_numbered_columns_are_the_embedding_where_there_are_some(tmp_path, rng):
    frame = pd.DataFrame(rng.normal(size=(9, 5)), columns=COLUMNS)
    frame.insert(2, "fitness", np.arange(9.0))
    frame.to_parquet(tmp_path / "x.parquet")
    table = open_table(tmp_path / "x.parquet")
    assert table.columns == COLUMNS
    assert read(tmp_path / "x.parquet").labels["fitness"].tolist() == list(range(9))


@pytest.mark.usefixtures("_three_rows_a_batch")
def test_labels_keep_their_type_and_their_gaps(tmp_path, rng):
    rows = rng.normal(size=(9, 5))
    labels = {
        "count": pa.array([1, 2, 3, None, 5, 6, None, None, None], pa.int32()),
        "name": pa.array([None, None, None, "a", None, "b", "c", "d", "e"]),
        "kept": pa.array([None, True, False] * 3),
        "day": pa.array([None, *range(8)], pa.date32()),
        "none": pa.nulls(9),
    }
    numbers = dict(zip(COLUMNS, rows.T, strict=True))
    parquet.write_table(pa.table({**labels, **numbers}), tmp_path / "x.parquet")
    with writing(tmp_path / "y.parquet", COLUMNS) as append:
        for batch in open_table(tmp_path / "x.parquet").batches():
            append(*batch)
    found = parquet.read_table(tmp_path / "y.parquet")
    for key, label in labels.items():
        assert found[key].to_pylist() == label.to_pylist()


@pytest.mark.usefixtures("_three_rows_a_batch")
def test_gaps_in_hdf5_are_empty_texts_and_between_numbers_an_error(tmp_path, rng):
    rows, gap = rng.normal(size=(6, 5)), np.array([None, None, None, 1, 2, 3])
    path = write(tmp_path / "x.h5", rows, {"text": gap, "number": np.arange(6)}, sizes=())
    with h5py.File(path) as file:
        assert file["text"].asstr()[:].tolist() == ["", "", "", "1", "2", "3"]

    def write_gaps():
        with writing(path, COLUMNS) as append:
            append({"number": np.arange(3)}, rows[:3])
            append({"number": gap[:3]}, rows[:3])

    with pytest.raises(ValueError, match=r"'number' has gaps .*; write Parquet"):
        write_gaps()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_is_that_of_batches(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(_tables, "_BATCH_SIZE", 2**18)
    path, rows = tmp_path / f"x{suffix}", np.ones((2**13, 16), dtype=np.float32)
    peaks, sizes = [], (4, 32)
    for n_parts in sizes:

        def parts(n_parts=n_parts):
            with writing(path, [f"model_{j}" for j in range(16)]) as append:
                for _ in range(n_parts):
                    append({}, rows)
            for batch in open_table(path).batches():
                assert batch.rows.size <= 2**18

        parts()  # what is imported and cached stays out of it
        tracemalloc.start()
        pa_before = pa.total_allocated_bytes()
        parts()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert pa.total_allocated_bytes() - pa_before < 2**20
    assert peaks[1] - peaks[0] < (sizes[1] - sizes[0]) * rows.nbytes / 4


def test_a_file_appears_when_it_is_complete(tmp_path, rng):
    rows = rng.normal(size=(23, 5))
    for suffix in SUFFIXES:
        path = tmp_path / f"x{suffix}"
        path.write_text("old")

        def interrupted(path=path):
            with writing(path, COLUMNS) as append:
                append({}, rows)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert path.read_text() == "old"
    assert len(os.listdir(tmp_path)) == len(SUFFIXES)


def test_an_error_within_is_not_taken_for_one_of_the_disk(tmp_path):
    def fail():
        with writing(tmp_path / "x.h5", COLUMNS):
            raise RuntimeError("of torch, say")

    with pytest.raises(RuntimeError, match="of torch, say"):
        fail()


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


def test_the_format_is_the_suffix_or_what_is_said(tmp_path, rng):
    for path, name in [("x.NPY", "npy"), ("x.hdf5", "hdf5"), ("a.b/x.parquet", "parquet")]:
        assert format_of(tmp_path / path) == name
    assert format_of(tmp_path / "x.npy", "hdf5") == "hdf5"
    with pytest.raises(ValueError, match=r"x\.txt' ends in none of \.parquet, \.h5, \.hdf5, \.npy"):
        format_of(tmp_path / "x.txt")
    rows = rng.normal(size=(3, 5))
    np.save(tmp_path / "x.npy", rows)
    (tmp_path / "x.npy").rename(tmp_path / "x")
    np.testing.assert_array_equal(read(tmp_path / "x", "npy").rows, rows)


class _Executed:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"MKTAYIAKQR" * 99, bytes(range(256)) * 9])
def test_files_of_something_else_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    name = {".npy": "npy", ".h5": "HDF5", ".parquet": "Parquet"}[suffix]
    with pytest.raises(ValueError, match=rf"x\{suffix}' cannot be read as {name} \(.*\); check"):
        open_table(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_files_are_refused(tmp_path, rng, suffix):
    path = write(tmp_path / f"x{suffix}", rng.normal(size=(999, 5)))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be read as"):
        read(path)


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path):
    for error, expected in [(PermissionError, PermissionError), (OSError, ValueError)]:
        with (
            pytest.raises(expected, match="Not for you"),
            reading_as("npy", tmp_path / "x.npy"),
        ):
            raise error("Not for you.")


def test_files_without_embeddings_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        open_table(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.zeros((0, 5)))
    with pytest.raises(ValueError, match="has no embeddings"):
        open_table(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match=r"holds an array of shape \(2, 3, 4\) and type float64"):
        open_table(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.array([["a", "b"]]))
    with pytest.raises(ValueError, match="give a matrix of numbers"):
        open_table(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.array([[_Executed()]]), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot be read as npy"):
        open_table(tmp_path / "x.npy")
    pd.DataFrame({"name": ["a"], "record": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="has no embeddings"):
        open_table(tmp_path / "x.parquet")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = file["b"] = np.ones((2, 2))
    with pytest.raises(ValueError, match="has 2 matrices of numbers where one is expected"):
        open_table(tmp_path / "x.h5")


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
