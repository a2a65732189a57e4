"""Rows are the same wherever they are."""

import json

import dask
import dask.array as da
import numpy as np
import pytest

from sklearn_revdist import ESMEmbedder, embed_to_parquet
from sklearn_revdist.neighbors._sources import ArrayRows, DaskRows, ParquetRows, evenly


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def X(rng):
    return rng.normal(size=(100, 4)).astype(np.float32)


def unknown(X):
    """A dask array that knows no numbers of rows, with an empty block."""
    parts = np.array_split(X, [30, 30, 71])
    made = [da.from_delayed(dask.delayed(part), (np.nan, 4), X.dtype) for part in parts]
    return da.concatenate(made, allow_unknown_chunksizes=True)


@pytest.mark.parametrize("kind", ["array", "mapped", "dask", "unknown"])
def test_blocks_and_samples_are_those_of_the_array(kind, X, tmp_path):
    np.save(tmp_path / "x.npy", X)
    rows = {
        "array": lambda: ArrayRows(X),
        "mapped": lambda: ArrayRows(np.load(tmp_path / "x.npy", mmap_mode="r")),
        "dask": lambda: DaskRows.of(da.from_array(X, (33, 2)), "name"),
        "unknown": lambda: DaskRows.of(unknown(X), "name"),
    }[kind]()
    assert (rows.n_rows, rows.n_columns) == (100, 4)
    for size in (1, 30, 1000):
        blocks = list(rows.blocks(size))
        assert max(map(len, blocks)) <= size
        np.testing.assert_array_equal(np.concatenate(blocks), X)
    for n in (1, 7, 100, 1000):
        np.testing.assert_array_equal(rows.sample(evenly(100, n)), X[evenly(100, n)])


def test_files_of_embeddings_are_read_in_the_order_of_their_rows(tmp_path, rng):
    pytest.importorskip("pyarrow")
    sequences = ["".join(rng.choice([*"ACDEFGHIKLMNPQRSTVWY"], 12)) for _ in range(40)]
    embedder = ESMEmbedder("demo-48")
    embed_to_parquet(embedder, [*sequences, *sequences[:5]], tmp_path, tokens_per_part=100)
    X = embedder.transform(sequences)
    rows = ParquetRows.of(tmp_path)
    assert len(rows.files) > 3
    assert (rows.n_rows, rows.n_columns) == (40, 48)
    assert rows.names == embedder.get_feature_names_out().tolist()
    for size in (1, 11, 1000):
        blocks = list(rows.blocks(size))
        assert {len(block) for block in blocks[:-1]} <= {size}
        np.testing.assert_array_equal(np.concatenate(blocks), X)
    np.testing.assert_array_equal(rows.sample(evenly(40, 9)), X[evenly(40, 9)])
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    for changed, message in (
        ({"complete": False}, "are not complete"),
        ({"n_sequences": 0}, "has no embeddings"),
        ({"columns": 5}, "is not a manifest"),
        ({"columns": {"other": 2}}, "has no column 'other_0'"),
    ):
        text = json.dumps(manifest | changed)
        (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            next(ParquetRows.of(tmp_path).blocks(5))
    with pytest.raises(FileNotFoundError, match=r"has no manifest\.json"):
        ParquetRows.of(tmp_path / "nosuch")


def test_a_map_is_known_by_its_views_and_forgets_no_changes(X, tmp_path):
    np.save(tmp_path / "x.npy", X)
    read = np.load(tmp_path / "x.npy", mmap_mode="r")
    changed = np.load(tmp_path / "x.npy", mmap_mode="c")
    changed[0] = 7
    for rows in (read, np.asarray(read)[10:], changed):
        expected = np.array(rows)
        assert ArrayRows(rows).memory_map is not None
        ArrayRows(rows).release()
        np.testing.assert_array_equal(rows, expected)
    for rows in (X, np.array(read), read + 1):
        assert ArrayRows(rows).memory_map is None


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        DaskRows.of(unknown(np.empty((0, 4), np.float32)), "name")


def test_sampled_rows_are_evenly_apart():
    assert evenly(10, 3).tolist() == [0, 3, 6]
    assert evenly(3, 10).tolist() == [0, 1, 2]
    assert len(set(evenly(10**9, 2**14).tolist())) == 2**14
