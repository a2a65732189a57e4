"""Parquet of others: an index, gaps, columns of lists."""

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sklearn_revdist.tables._files import open_table, writing

COLUMNS = [f"model_{j}" for j in range(5)]


def test_numbered_columns_are_the_embedding_where_there_are_some(tmp_path, rng, read):
    frame = pd.DataFrame(rng.normal(size=(9, 5)), columns=COLUMNS)
    frame.insert(2, "fitness", np.arange(9.0))
    frame.to_parquet(tmp_path / "x.parquet")
    table = open_table(tmp_path / "x.parquet")
    assert table.columns == COLUMNS
    assert read(tmp_path / "x.parquet").labels["fitness"].tolist() == list(range(9))


@pytest.mark.usefixtures("three_rows_per_batch")
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


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize(
    ("index", "name", "label"),
    [
        (["a", "b", "c", "d"], None, "name"),
        ([0.5, 1.5, 2.5, 3.5], None, "name"),
        ([0.5, 1.5, 2.5, 3.5], "protein", "protein"),
        ([7, 5, 3, 1], None, "name"),
    ],
)
def test_an_index_is_a_label(tmp_path, rng, index, name, label, read):
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


@pytest.mark.usefixtures("three_rows_per_batch")
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


def listed(rows, kind):
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    return pa.array(list(rows), pa.large_list(pa.float32()) if kind == "large" else None)


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize("kind", ["fixed", "list", "large"])
def test_a_column_of_lists_is_the_embedding(tmp_path, rng, kind, read):
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


@pytest.mark.usefixtures("three_rows_per_batch")
def test_lists_named_by_their_models_are_a_chain_and_others_are_labels(tmp_path, rng, read):
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


@pytest.mark.usefixtures("three_rows_per_batch")
@pytest.mark.parametrize(
    ("wrong", "has"), [([1.0, 2.0], "2 numbers"), (None, "nothing"), ([], "0 numbers")]
)
def test_a_list_of_another_length_is_named_by_its_protein(tmp_path, wrong, has, read):
    vectors = [[1.0, 2.0, 3.0]] * 4 + [wrong]
    frame = pa.table({"name": list("abcde"), "vector": pa.array(vectors)})
    parquet.write_table(frame, tmp_path / "x.parquet")
    message = rf"has {has} in row 4 \('e'\) of the column 'vector' where 3 are expected; embed all"
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "x.parquet")
