"""What a store gives out: contents, frames and files, complete or not at all."""

import re
import sqlite3
import sys
from contextlib import closing

import h5py
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import EmbeddingStore, ESMEmbedder
from sklearn_revdist.embedding import _store, _store_tables
from sklearn_revdist.embedding._store_file import SequenceKey, Source
from sklearn_revdist.utils._models import DEMO

SEQUENCES = ["MKTAYIAKQRQ", "W", "GSHMLE<mask>K", "ACDEFGHIKLMNPQRSTVWY" * 2]
SOURCE = Source("0", -1, "mean", "float32", 2)


def demo(path, **parameters):
    return ESMEmbedder("demo-48", store=path, **parameters)


def change(path, statement, *parameters):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, parameters).fetchall()


def numbered(*texts):
    """Embeddings of two numbers, counted up."""
    return {SequenceKey(text, 0): np.array([i, -i], np.float32) for i, text in enumerate(texts)}


def test_contents(path):
    demo(path).transform(SEQUENCES)
    ESMEmbedder("demo", store=path, max_length=20).transform(SEQUENCES[2:])
    with EmbeddingStore(path) as store:
        contents = store.contents()
        assert repr(store) == f"EmbeddingStore({str(path)!r})"
        assert store.size > contents["bytes"].sum()
    names = [model.name for model in DEMO]
    assert contents["model"].tolist() == np.repeat(names, 2).tolist()
    assert contents["max_length"].tolist() == [0, 20] * 3
    assert contents["n_sequences"].tolist() == [4, 1, 1, 1, 1, 1]
    assert contents["bytes"].tolist() == [4 * 4 * 48, 4 * 48] + [4 * 96] * 2 + [4 * 160] * 2
    assert (contents[["layer", "pooling", "dtype"]] == [-1, "mean", "float32"]).all(axis=None)


def test_the_frame_is_what_transform_gives(path):
    embedder = ESMEmbedder("demo", store=path).set_output(transform="pandas")
    expected = embedder.transform(SEQUENCES)
    with EmbeddingStore(path) as store:
        frame = store.to_frame()
        part = store.to_frame(model=[DEMO[0].name, DEMO[2].name])
    assert sorted(frame.index) == sorted(SEQUENCES)
    pd.testing.assert_frame_equal(frame.loc[SEQUENCES].reset_index(drop=True), expected)
    assert part.shape == (4, 48 + 160)


@pytest.mark.parametrize(
    "parameters", [{"layer": 1}, {"pooling": "max"}, {"layer": 0, "pooling": "cls"}], ids=str
)
def test_columns_of_a_layer_or_pooling_are_named_as_by_the_embedder(path, parameters):
    embedder = demo(path, **parameters).set_output(transform="pandas")
    expected = embedder.transform(SEQUENCES)
    with EmbeddingStore(path) as store:
        frame = store.to_frame()
    pd.testing.assert_frame_equal(frame.loc[SEQUENCES].reset_index(drop=True), expected)


def test_what_one_model_has_not_embedded_is_missing(path):
    ESMEmbedder("demo-96", store=path).transform(SEQUENCES[:1])
    demo(path).transform(SEQUENCES[:2])
    with EmbeddingStore(path) as store:
        frame = store.to_frame()
    assert frame.index.tolist() == SEQUENCES[:2]
    assert frame.isna().sum(axis=1).tolist() == [0, 96]


def test_several_embeddings_of_a_sequence_must_be_chosen_from(path):
    expected = demo(path).transform(SEQUENCES)
    demo(path, dtype="bfloat16").transform(SEQUENCES)
    demo(path, max_length=20).transform(SEQUENCES)
    with EmbeddingStore(path) as store:
        for which in ({}, {"dtype": "float32"}, {"model": DEMO[0].name}):
            message = r"^'.*store\.sqlite' has several embeddings of one .*, max_length=0\)\.$"
            with pytest.raises(ValueError, match=message):
                store.to_frame(**which)
        frame = store.to_frame(dtype="float32", max_length=0)
        np.testing.assert_array_equal(frame.loc[SEQUENCES], expected)
        assert store.to_frame(dtype="float16").empty
        message = (
            r"contents\(\) has no column 'precision' to choose by; take one of model, weights, "
        )
        with pytest.raises(TypeError, match=message):
            store.to_frame(precision="float32")


def test_where_a_model_has_no_rows_all_is_float32_still(path, monkeypatch):
    monkeypatch.setattr(_store_tables, "batch_rows", lambda n_columns: 2)
    with EmbeddingStore.create(path) as store:
        store.write(SOURCE, "a", numbered("MKT", "ACD", "W", "KKK"))
        store.write(SOURCE._replace(weights="1"), "b", numbered("MKT"))
        batches = list(store.as_table().batches())
        assert [batch.rows.dtype for batch in batches] == [np.float32] * 2
        assert np.isnan(batches[1].rows[:, 2:]).all()
        assert (store.to_frame().dtypes == np.float32).all()


def test_a_table_has_what_was_chosen_and_each_model_once_in_the_order_of_storing(path):
    with EmbeddingStore.create(path) as store:
        window = {SequenceKey("W" * 20, 9): np.zeros(2, np.float32)}
        store.write(SOURCE, "z", numbered("MKT", "ACD") | window)
        store.write(SOURCE._replace(weights="1"), "a", numbered("MKT"))
        whole, part = store.as_table(), store.as_table(model="a")
        assert (whole.n_rows, whole.columns) == (3, ["z_0", "z_1", "a_0", "a_1"])
        assert (part.n_rows, part.columns) == (1, ["a_0", "a_1"])
        for table in (whole, part):
            assert table.n_columns == len(table.columns)
            rows = np.concatenate([batch.rows for batch in table.batches()])
            assert rows.shape == (table.n_rows, table.n_columns)


@pytest.mark.parametrize("model", ["m", ["m"], ("m", "other"), np.array(["m"]), pd.Series(["m"])])
def test_a_choice_is_a_value_or_any_list_of_them(path, model):
    with EmbeddingStore.create(path) as store:
        store.write(SOURCE, "m", numbered("MKT"))
        store.write(SOURCE._replace(weights="1"), "n", numbered("MKT"))
        assert store.to_frame(model=model, width=[2, np.int64(3)]).columns.tolist() == [
            "m_0",
            "m_1",
        ]


def test_a_choice_of_another_type_is_refused(path):
    with EmbeddingStore.create(path) as store:
        for which, needed in (({"model": 5}, "strings"), ({"max_length": "a"}, "whole numbers")):
            with pytest.raises(
                TypeError, match=rf" in contents\(\) nor a list of them; give {needed}\.$"
            ):
                store.to_frame(**which)


def test_export(path, tmp_path, monkeypatch):
    monkeypatch.setattr(_store_tables, "batch_rows", lambda n_columns: 3)
    demo(path).transform(SEQUENCES)
    ESMEmbedder(["demo-96"], store=path).transform(SEQUENCES[1:])
    with EmbeddingStore(path) as store:
        store.export(tmp_path / "x.parquet", model=DEMO[0].name)
        store.export(tmp_path / "x.h5")
        smallest, all_models = store.to_frame(model=DEMO[0].name), store.to_frame()
        message = r"^The store '.*store\.sqlite' has no such embeddings; see its contents\(\)\.$"
        with pytest.raises(ValueError, match=message):
            store.export(tmp_path / "x.h5", model="other")
    assert len(all_models) == len(SEQUENCES) > 3
    found = pd.read_parquet(tmp_path / "x.parquet").set_index("sequence")
    pd.testing.assert_frame_equal(found, smallest)
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["sequence"].asstr()[:].tolist() == all_models.index.tolist()
        assert file["columns"].asstr()[:].tolist() == all_models.columns.tolist()
        np.testing.assert_array_equal(file["embeddings"], all_models)
        assert np.isnan(file["embeddings"]).sum() == 96


@pytest.mark.parametrize("suffix", [".parquet", ".h5"])
def test_export_names_the_extra(path, tmp_path, suffix, monkeypatch):
    for package in ("pyarrow", "pyarrow.parquet", "h5py"):
        monkeypatch.setitem(sys.modules, package, None)
    demo(path).transform(SEQUENCES)
    with EmbeddingStore(path) as store:
        with pytest.raises(ImportError, match=r'pip install "sklearn-revdist\[io\]"'):
            store.export(tmp_path / f"x{suffix}")
        with pytest.raises(ValueError, match=r"x\.txt' ends in neither \.parquet nor \.h5"):
            store.export(tmp_path / "x.txt")


def test_whatever_byte_of_an_index_is_damaged_no_row_is_missing(path, tmp_path):
    demo(path).transform(SEQUENCES)
    with EmbeddingStore(path) as store:
        expected = store.to_frame()
    index = "sqlite_autoindex_embeddings_1"
    ((page,),) = change(path, "SELECT rootpage FROM sqlite_schema WHERE name = ?", index)
    ((size,),) = change(path, "PRAGMA page_size")
    content = path.read_bytes()
    start, n_refused = (page - 1) * size, 0
    for at in start + np.flatnonzero(np.frombuffer(content[start : start + size], np.uint8)):
        for bit in (1, 2, 128):
            broken = bytearray(content)
            broken[at] ^= bit
            damaged = tmp_path / "damaged.sqlite"
            damaged.write_bytes(broken)
            try:
                with EmbeddingStore(damaged) as store:
                    found = store.to_frame()
            except ValueError as error:
                assert re.fullmatch(r"The store '.*' is damaged \(.*\); move it.*\.", str(error))  # noqa: PT017
                n_refused += 1
            else:
                pd.testing.assert_frame_equal(found, expected)
    assert n_refused > 20


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM sources", "the source of some embeddings is missing"),
        ("DELETE FROM sequences WHERE id = 2", "1 embeddings are not found"),
        ("DELETE FROM sequences WHERE id > 2", "2 embeddings are not found"),
        ("DELETE FROM sequences", "4 embeddings are not found"),
        ("UPDATE sequences SET text = 'MKV' WHERE text = 'W'", "the embedding of sequence . by "),
    ],
    ids=["source", "one", "two", "all", "text"],
)
def test_what_a_row_needs_is_missed(path, tmp_path, statement, message):
    demo(path).transform(SEQUENCES)
    change(path, statement)
    with EmbeddingStore(path) as store:
        with pytest.raises(ValueError, match=rf"store\.sqlite' is damaged \({message}"):
            store.to_frame()
        with pytest.raises(ValueError, match=rf"store\.sqlite' is damaged \({message}"):
            store.export(tmp_path / "x.h5")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_long_stores_are_read_in_parts(path, monkeypatch):
    for module in (_store, _store_tables):
        monkeypatch.setattr(module, "_CHUNK", 3)
    sequences = [f"M{'K' * i}" for i in range(10)]
    expected = demo(path).transform(sequences)
    np.testing.assert_array_equal(demo(path).transform(sequences), expected)
    with EmbeddingStore(path) as store:
        np.testing.assert_array_equal(store.to_frame().loc[sequences], expected)
