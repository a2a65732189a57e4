"""Tables of embeddings: what is written is read, in bounded memory, and damage is noticed."""

import os
import sys
import tracemalloc
from functools import partial

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sklearn_revdist.tables import _table as _tables
from sklearn_revdist.tables._files import check_holds_no_code, format_of, open_table, writing
from sklearn_revdist.tables._table import Batch, reading_as

SUFFIXES = [".npy", ".h5", ".parquet"]  # those that are written
READ = [*SUFFIXES, ".npz"]
LABELLED = SUFFIXES[1:]
COLUMNS = [f"model_{j}" for j in range(5)]


@pytest.fixture
def _three_rows_per_batch(monkeypatch):
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


@pytest.mark.usefixtures("_three_rows_per_batch")
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


@pytest.mark.usefixtures("_three_rows_per_batch")
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
    assert found.labels["name"].tolist() == frame.index.tolist()


def test_numbered_columns_are_the_embedding_where_there_are_some(tmp_path, rng):
    frame = pd.DataFrame(rng.normal(size=(9, 5)), columns=COLUMNS)
    frame.insert(2, "fitness", np.arange(9.0))
    frame.to_parquet(tmp_path / "x.parquet")
    table = open_table(tmp_path / "x.parquet")
    assert table.columns == COLUMNS
    assert read(tmp_path / "x.parquet").labels["fitness"].tolist() == list(range(9))


@pytest.mark.usefixtures("_three_rows_per_batch")
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


@pytest.mark.usefixtures("_three_rows_per_batch")
def test_gaps_in_hdf5_are_empty_strings(tmp_path, rng):
    labels = {"text": np.array([None, None, None, 1, 2, 3]), "number": np.arange(6)}
    with h5py.File(write(tmp_path / "x.h5", rng.normal(size=(6, 5)), labels, sizes=())) as file:
        assert file["text"].asstr()[:].tolist() == ["", "", "", "1", "2", "3"]


@pytest.mark.usefixtures("_three_rows_per_batch")
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
def test_labels_that_hdf5_cannot_hold_are_refused(tmp_path, key, label, message):
    with pytest.raises(ValueError, match=f"The label '{key}' {message}"):
        write(tmp_path / "x.h5", np.ones((len(label), 5)), {key: label}, sizes=(3,))
    assert os.listdir(tmp_path) == []


def peak_memory(function):
    """Largest memory in Python of the second call; what is imported and cached stays out of it."""
    function()
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pa.total_allocated_bytes() - before < 2**20
    return peak


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_is_that_of_batches(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(_tables, "_BATCH_SIZE", 2**18)
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


@pytest.mark.parametrize("suffix", READ)
@pytest.mark.parametrize("content", [b"", b"MKTAYIAKQR" * 99, bytes(range(256)) * 9])
def test_files_of_something_else_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    name = {".h5": "HDF5", ".parquet": "Parquet"}.get(suffix, suffix[1:])
    with pytest.raises(ValueError, match=rf"x\{suffix}' cannot be read as {name} \(.*\); check"):
        open_table(path)


@pytest.mark.parametrize("suffix", READ)
def test_truncated_files_are_refused(tmp_path, rng, suffix):
    path = tmp_path / f"x{suffix}"
    if suffix == ".npz":
        np.savez(path, rng.normal(size=(999, 5)))
    else:
        write(path, rng.normal(size=(999, 5)))
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


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 5)), "has no embeddings"),
        (np.zeros((2, 3, 4)), r"holds an array of shape \(2, 3, 4\) and type float64"),
        (np.array([["a", "b"]]), "give a matrix of numbers"),
        (np.array([[_Executed()]]), "cannot be read as npy"),
    ],
)
def test_arrays_without_embeddings_are_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        open_table(tmp_path / "x.npy")


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


@pytest.mark.usefixtures("_three_rows_per_batch")
@pytest.mark.parametrize("suffix", [".h5", ".npz", ".parquet"])
def test_columns_are_put_in_order_by_name_and_others_are_labels(tmp_path, rng, suffix):
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


# ------------------------------------------------------------------ Parquet of others


@pytest.mark.usefixtures("_three_rows_per_batch")
@pytest.mark.parametrize(
    ("index", "name", "label"),
    [
        (["a", "b", "c", "d"], None, "name"),
        ([0.5, 1.5, 2.5, 3.5], None, "name"),
        ([0.5, 1.5, 2.5, 3.5], "protein", "protein"),
        ([7, 5, 3, 1], None, "name"),
    ],
)
def test_an_index_is_a_label(tmp_path, rng, index, name, label):
    frame = pd.DataFrame(rng.normal(size=(4, 5))).rename(columns=str)
    frame.index = pd.Index(index, name=name)
    frame.to_parquet(tmp_path / "x.parquet")
    table = open_table(tmp_path / "x.parquet")
    assert (table.columns, table.n_columns) == (None, 5)
    found = read(tmp_path / "x.parquet")
    np.testing.assert_array_equal(found.rows, frame)
    assert {key: values.tolist() for key, values in found.labels.items()} == {label: index}
    frame.assign(name=list("wxyz")).to_parquet(tmp_path / "x.parquet")
    found = read(tmp_path / "x.parquet")
    assert found.labels["name"].tolist() == list("wxyz")
    assert found.labels[name or "__index_level_0__"].tolist() == index


@pytest.mark.usefixtures("_three_rows_per_batch")
@pytest.mark.parametrize("target", ["y.parquet", "y.h5"])
@pytest.mark.parametrize("dtype", ["float64", "Int64", "int64"])
def test_whole_numbers_with_gaps_keep_their_digits(tmp_path, rng, target, dtype):
    """pandas makes floats of them; gaps come after batches without any."""
    names = pd.Series([2**53 - 1, 2, 3, 4, None, 6], dtype="Int64")
    if dtype == "int64":
        names = names.fillna(5)
    frame = pd.DataFrame(rng.normal(size=(6, 5)), columns=COLUMNS).assign(name=names.astype(dtype))
    frame["score"] = [1.0, None, 2.0, 3.0, 4.0, 5.0]
    frame.to_parquet(tmp_path / "x.parquet")
    with writing(tmp_path / target, COLUMNS) as append:
        for batch in open_table(tmp_path / "x.parquet").batches():
            append(*batch)
    expected = [2**53 - 1, 2, 3, 4, 5 if dtype == "int64" else None, 6]
    if target == "y.parquet":
        found = parquet.read_table(tmp_path / target)
        assert found["name"].to_pylist() == expected
        assert str(found["name"].type) == "int64"
        assert found["score"].to_pylist() == [1.0, None, 2.0, 3.0, 4.0, 5.0]
    else:
        with h5py.File(tmp_path / target) as file:
            if dtype == "int64":
                assert file["name"][:].tolist() == expected
            else:
                texts = ["" if name is None else str(name) for name in expected]
                assert file["name"].asstr()[:].tolist() == texts
            np.testing.assert_array_equal(file["score"], frame["score"])


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


def listed(rows, kind):
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    return pa.array(list(rows), pa.large_list(pa.float32()) if kind == "large" else None)


@pytest.mark.usefixtures("_three_rows_per_batch")
@pytest.mark.parametrize("kind", ["fixed", "list", "large"])
def test_a_column_of_lists_is_the_embedding(tmp_path, rng, kind):
    rows = rng.normal(size=(7, 5)).astype(np.float32)
    columns = {"name": list("abcdefg"), "vector": listed(rows, kind), "score": np.arange(7.0)}
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    table = open_table(tmp_path / "x.parquet")
    assert (table.columns, table.n_columns, table.n_rows) == (None, 5, 7)
    found = read(tmp_path / "x.parquet")
    assert found.rows.dtype == np.float32
    np.testing.assert_array_equal(found.rows, rows)
    assert found.labels["name"].tolist() == list("abcdefg")
    assert found.labels["score"].tolist() == list(range(7))


@pytest.mark.usefixtures("_three_rows_per_batch")
def test_lists_named_by_their_models_are_a_chain_and_others_are_labels(tmp_path, rng):
    small, large, other = (rng.normal(size=(4, n)) for n in (48, 96, 7))
    columns = {"demo-96": listed(large, "list"), "pooled": listed(other, "fixed")}
    parquet.write_table(
        pa.table(columns | {"esm2_t3_100K_demo": listed(small, "fixed")}), tmp_path / "x.parquet"
    )
    table = open_table(tmp_path / "x.parquet")
    assert table.columns[::48] == [f"{m}_0" for m in ("esm2_t3_100K_demo", "esm2_t4_500K_demo")] + [
        "esm2_t4_500K_demo_48"
    ]
    found = read(tmp_path / "x.parquet")
    np.testing.assert_array_equal(found.rows, np.hstack([small, large]))
    np.testing.assert_array_equal(np.stack(found.labels["pooled"]), other)
    with writing(tmp_path / "y.parquet", table.columns) as append:
        append(*found)
    np.testing.assert_array_equal(read(tmp_path / "y.parquet").rows, found.rows)


@pytest.mark.usefixtures("_three_rows_per_batch")
@pytest.mark.parametrize(
    ("wrong", "has"), [([1.0, 2.0], "2 numbers"), (None, "nothing"), ([], "0 numbers")]
)
def test_a_list_of_another_length_is_named_by_its_protein(tmp_path, wrong, has):
    vectors = [[1.0, 2.0, 3.0]] * 4 + [wrong]
    frame = pa.table({"name": list("abcde"), "vector": pa.array(vectors)})
    parquet.write_table(frame, tmp_path / "x.parquet")
    message = rf"has {has} in row 4 \('e'\) of the column 'vector' where 3 are expected; embed all"
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "x.parquet")


# ------------------------------------------------------------------ arrays by name


def save_arrays(path, arrays, group=""):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
        return
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file[f"{group}{key}"] = array


ARRAYS = [("x.h5", ""), ("x.h5", "embeddings/"), ("x.npz", "")]


@pytest.mark.usefixtures("_three_rows_per_batch")
@pytest.mark.parametrize(("file", "group"), ARRAYS)
@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8"])
def test_a_vector_for_each_protein(tmp_path, rng, file, group, dtype):
    rows = rng.normal(size=(7, 5)).astype(dtype)
    save_arrays(tmp_path / file, {f"P{i}": row for i, row in enumerate(rows)}, group)
    table = open_table(tmp_path / file)
    assert (table.n_rows, table.columns, table.n_columns) == (7, None, 5)
    assert [len(batch.rows) for batch in table.batches()] == [3, 3, 1]
    found = read(tmp_path / file)
    np.testing.assert_array_equal(found.rows, rows)
    assert found.labels["name"].tolist() == [f"P{i}" for i in range(7)]
    assert list(found.labels) == ["name"]


@pytest.mark.usefixtures("_three_rows_per_batch")
@pytest.mark.parametrize(("file", "group"), ARRAYS)
def test_a_matrix_of_residues_for_each_protein(tmp_path, rng, file, group):
    lengths = [2, 4, 1]
    parts = {f"P{i}": rng.normal(size=(n, 5)) for i, n in enumerate(lengths)}
    save_arrays(tmp_path / file, parts, group)
    assert open_table(tmp_path / file).n_rows == 7
    labels, rows = read(tmp_path / file)
    np.testing.assert_array_equal(rows, np.concatenate(list(parts.values())))
    assert labels["name"].tolist() == ["P0"] * 2 + ["P1"] * 4 + ["P2"]
    assert labels["record"].tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert labels["position"].tolist() == [1, 2, 1, 2, 3, 4, 1]


def test_proteins_in_groups_of_their_own_and_with_names_beside(tmp_path, rng):
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


@pytest.mark.usefixtures("_three_rows_per_batch")
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_in_npz_with_labels(tmp_path, rng, order):
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


def test_what_pandas_writes_to_hdf5_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["frame/block0_values"] = np.ones((2, 5))
        file["frame"].attrs["pandas_type"] = "frame"
    with pytest.raises(ValueError, match=r"holds 'frame' in the format of pandas\.to_hdf; write"):
        open_table(tmp_path / "x.h5")


def test_other_errors_of_h5py_and_pyarrow_are_refusals_too(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["P1"], file["P2"] = np.ones(5), h5py.SoftLink("/nowhere")
    with pytest.raises(ValueError, match=r"cannot be read as HDF5 \('P2' leads nowhere\)"):
        open_table(tmp_path / "x.h5")
    text = pa.array([b"\xff\xfe"]).view(pa.string())
    parquet.write_table(pa.table({"name": text, "x": [1.0]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        read(tmp_path / "x.parquet")


@pytest.mark.parametrize("suffix", [".h5", ".npz"])
def test_memory_of_many_proteins_is_that_of_batches(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(_tables, "_BATCH_SIZE", 2**14)

    def read_all(path):
        for batch in open_table(path).batches():
            assert batch.rows.size <= 2**14 + 64 * 64

    peaks = []
    for n_proteins in (50, 400):
        path = tmp_path / f"{n_proteins}{suffix}"
        save_arrays(path, {f"P{i:04}": np.full((64, 64), i, "f4") for i in range(n_proteins)})
        peaks.append(peak_memory(partial(read_all, path)))
    assert peaks[1] - peaks[0] < (400 - 50) * 64 * 64 * 4 / 4


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
