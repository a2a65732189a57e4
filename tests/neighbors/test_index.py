"""Searches find the same wherever rows are, and whoever searches them."""

import dask
import dask.array as da
import numpy as np
import pytest

from sklearn_revdist.neighbors import _index
from sklearn_revdist.neighbors._found import Nearest, Within
from sklearn_revdist.neighbors._index import Asked, Index, _first_stage
from sklearn_revdist.neighbors._search import Search
from sklearn_revdist.neighbors._sources import ArrayRows, DaskRows
from sklearn_revdist.neighbors._space import Space


@pytest.fixture
def X(rng):
    X = rng.normal(size=(230, 20)) @ rng.normal(size=(20, 24)) + 3
    X[100:120] = X[:20]
    return X.astype(np.float32)


def found_in(source, X, n_threads=1):
    index = Index.of(source, Space(24), 5, n_threads)
    nearest, within = Nearest(len(X), 5), Within(len(X), 20.0)
    for found in (nearest, within):
        search = Search(index.frame, source.n_rows, True)
        index.search(search, Asked(X, np.full(len(X), -1)), found, n_threads)
    return index, [nearest.distances, nearest.rows, *map(np.concatenate, within.lists())]


@pytest.mark.parametrize("n_queries", [1, 5, 60])
def test_threads_files_and_workers_find_what_one_thread_finds(n_queries, X, small, tmp_path):
    asked = X[:n_queries]
    _, expected = found_in(ArrayRows(X), asked)
    assert len(expected[2]) > 3
    np.save(tmp_path / "x.npy", X)
    mapped = ArrayRows(np.load(tmp_path / "x.npy", mmap_mode="r"))
    others = [found_in(source, asked, n) for source in (ArrayRows(X), mapped) for n in (1, 2, 5)]
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            for n in (230, 50, 9):
                rows = DaskRows.of(da.from_array(X, (n, 24)), "name")
                others.append(found_in(rows, asked))
    for _, found in others:
        for values, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(values, wanted)


def test_little_is_kept_of_a_large_file(X, small, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    mapped = ArrayRows(np.load(tmp_path / "x.npy", mmap_mode="r"))
    whole, expected = found_in(mapped, X[:7])
    monkeypatch.setattr(_index, "_HEAD_BYTES", 4 * 230 * 9)
    some, found = found_in(mapped, X[:7])
    assert whole.block.heads.shape[1] > some.block.heads.shape[1] == 8
    monkeypatch.setattr(_index, "_HEAD_BYTES", 4 * 230 * 3)
    none, again = found_in(mapped, X[:7])
    assert none.block is None
    for each in (found, again):
        for values, wanted in zip(each, expected, strict=True):
            np.testing.assert_array_equal(values, wanted)


def test_a_wrong_row_of_a_later_block_is_named(X, small):
    X[222, 3] = np.nan
    with dask.config.set(scheduler="synchronous"):
        rows = DaskRows.of(da.from_array(X, (50, 24)), "name")
        with pytest.raises(ValueError, match=r"X has (NaN|infinity) in row 222, column"):
            found_in(rows, X[:3])
    with pytest.raises(ValueError, match=r"X has (NaN|infinity) in row 222, column"):
        found_in(ArrayRows(X), X[:3])


def test_stages_that_exclude_too_few_rows_are_left_out():
    assert _first_stage([]) == 0
    assert _first_stage([(0, 32, 16), (1, 16, 16)]) == 0
    assert _first_stage([(0, 32, 17), (1, 17, 8)]) == 1
    assert _first_stage([(0, 16, 16), (1, 16, 9), (0, 16, 16), (1, 16, 9)]) == 2
