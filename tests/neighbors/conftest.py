"""Blocks and heads that are small enough for few rows."""

import pytest

from sklearn_revdist.neighbors import _bounds, _index, _search


@pytest.fixture
def small(monkeypatch):
    """Few rows in a block, and heads for few rows and columns, so that all stages are used."""
    monkeypatch.setattr(_bounds, "_FEW_ROWS", 20)
    monkeypatch.setattr(_bounds, "_FEW_COLUMNS", 8)
    for module in (_bounds, _index):
        monkeypatch.setattr(module, "NARROWEST", 4)
    monkeypatch.setattr(_bounds, "_SHARE", 2)
    monkeypatch.setattr(_bounds, "_CHUNK_SIZE", 64)
    monkeypatch.setattr(_index, "_BLOCK_ROWS", 70)
    monkeypatch.setattr(_index, "_N_PRODUCTS", 300)
    monkeypatch.setattr(_index, "_BATCH_ROWS", 7)
    monkeypatch.setattr(_index, "_FEW_PRODUCTS", 10)
    monkeypatch.setattr(_index, "_FEW_QUERIES", 2)
    monkeypatch.setattr(_index, "_ROWS_READ", 30)
    monkeypatch.setattr(_index, "_FEW_ROWS", 8)
    monkeypatch.setattr(_index, "_MANY_QUERIES", 3)
    monkeypatch.setattr(_search, "_N_PAIRS", 40)
