"""Write and read tables, also a few rows at a time, and measure memory."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from sklearn_revdist.tables import _table
from sklearn_revdist.tables._files import open_table, writing

_COLUMNS = [f"model_{j}" for j in range(5)]


@pytest.fixture
def three_rows_per_batch(monkeypatch):
    """Batches of three rows, where there are five columns."""
    monkeypatch.setattr(_table, "_BATCH_SIZE", 3 * len(_COLUMNS))


@pytest.fixture(scope="session")
def write():
    """Write rows in batches of several sizes, and return the path."""

    def write_batches(path, rows, labels, sizes=(1, 2, 0, 7), columns=_COLUMNS):
        with writing(path, columns) as append:
            start = 0
            for size in [*sizes, len(rows) - sum(sizes)]:
                part = slice(start, start + size)
                append({key: label[part] for key, label in labels.items()}, rows[part])
                start += size
        return path

    return write_batches


@pytest.fixture(scope="session")
def read():
    """Read all batches of a table as one."""

    def read_batches(path, name=None):
        batches = list(open_table(path, name).batches())
        keys = batches[0].labels
        labels = {key: np.concatenate([batch.labels[key] for batch in batches]) for key in keys}
        return _table.Batch(labels, np.concatenate([batch.rows for batch in batches]))

    return read_batches


@pytest.fixture(scope="session")
def peak_memory():
    """Largest memory in Python of the second call; what is imported and cached stays out of it."""

    def measure(function):
        function()
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        function()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert pa.total_allocated_bytes() - before < 2**20
        return peak

    return measure
