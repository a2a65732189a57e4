"""Columns to be copied are read along with the records, with their text or their types."""

import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sklearn_revdist.sequences._copied_columns import CopiedColumns
from sklearn_revdist.tables._files import writing


def written(path, copied, sizes):
    """Copy to Parquet, some rows at a time, and read all but the numbers."""
    take = copied.reader()
    with writing(path, ["n"], types=copied.types) as write:
        for size in sizes:
            write(take(size), np.ones((size, 1)))
    return parquet.read_table(path).drop_columns(["n"])


@pytest.mark.parametrize("sizes", [[7], [1, 0, 4, 2]])
def test_text_is_copied_as_it_is(tmp_path, monkeypatch, sizes):
    monkeypatch.setattr("sklearn_revdist.sequences._copied_columns._BATCH", 3)
    columns = {"sequence": ["MKT"] * 7, "plate": ["007", "1e5", "NA", "", "1.50", " x", '"']}
    frame = pd.DataFrame({**columns, "other": "o"})
    frame.to_csv(tmp_path / "x.csv", index=False, sep=";", quoting=1)
    copied = CopiedColumns.of(tmp_path / "x.csv", "csv", ["plate"])
    assert copied.types == {"plate": None}
    found = written(tmp_path / "y.parquet", copied, sizes)
    assert found.to_pydict() == {"plate": columns["plate"]}
    every = CopiedColumns.of(tmp_path / "x.csv", "csv", None, leave_out=["other"])
    assert [*every.types] == ["sequence", "plate"]


@pytest.mark.parametrize("sizes", [[6], [1, 2, 0, 3]])
def test_types_of_parquet_stay(tmp_path, monkeypatch, sizes):
    """Gaps come after rows without any."""
    monkeypatch.setattr("sklearn_revdist.sequences._table_rows._BATCH", 2)
    moment = datetime(2026, 11, 30, 12, tzinfo=UTC)
    columns = {
        "int8": pa.array([1, 2, 3, None, 5, 6], pa.int8()),
        "uint64": pa.array([2**64 - 1, 2, 3, None, 5, 6], pa.uint64()),
        "float": pa.array([0.1, 2, 3, None, 5, 6], pa.float32()),
        "bool": pa.array([True, False, True, None, True, False]),
        "text": pa.array(["007", "", "c", None, "e", "f"]),
        "large": pa.array(["a", "b", "c", None, "e", "f"], pa.large_string()),
        "kind": pa.array(["a", "b", "a", None, "b", "a"]).dictionary_encode(),
        "day": pa.array([date(2026, 11, d) for d in (1, 2, 3)] + [None] * 3),
        "time": pa.array([moment, moment, moment, None, moment, moment], pa.timestamp("ns", "UTC")),
        "price": pa.array([Decimal("1.50"), Decimal("2.00"), None] * 2),
        "list": pa.array([[1, 2], [3], [], None, [5], [6]], pa.list_(pa.int16())),
        "bytes": pa.array([b"\xff", b"", b"c", None, b"e", b"f"]),
        "none": pa.nulls(6, pa.string()),
    }
    table = pa.table({"sequence": ["MKT"] * 6, **columns})
    parquet.write_table(table, tmp_path / "x.parquet")
    copied = CopiedColumns.of(tmp_path / "x.parquet", "parquet", None, leave_out=["sequence"])
    found = written(tmp_path / "y.parquet", copied, sizes)
    assert found.schema.remove_metadata() == table.drop_columns(["sequence"]).schema
    assert found.to_pydict() == pa.table(columns).to_pydict()


def test_a_column_that_is_missing_or_occurs_twice(tmp_path):
    (tmp_path / "x.csv").write_text("sequence,a,a\nMKT,1,2\n")
    parquet.write_table(
        pa.table([["MKT"], [1], [2]], ["sequence", "a", "a"]), tmp_path / "x.parquet"
    )
    for name in ("csv", "parquet"):
        path = tmp_path / f"x.{name}"
        with pytest.raises(ValueError, match=r"no column 'b' but .*; name others .*\(--keep\)"):
            CopiedColumns.of(path, name, ["b"])
        with pytest.raises(ValueError, match="has 2 columns 'a'; rename all but one"):
            CopiedColumns.of(path, name, ["a"])
        assert [*CopiedColumns.of(path, name, None).types] == ["sequence"]


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_memory_is_that_of_a_part(tmp_path, monkeypatch, name):
    monkeypatch.setattr("sklearn_revdist.sequences._copied_columns._BATCH", 2**9)
    monkeypatch.setattr("sklearn_revdist.sequences._table_rows._BATCH", 2**9)

    def peak(n_rows):
        path = Path(tmp_path / f"{n_rows}.{name}")
        frame = pd.DataFrame({"sequence": "M", "note": [f"{i:0100}" for i in range(n_rows)]})
        frame.to_csv(path, index=False) if name == "csv" else frame.to_parquet(path)
        take = CopiedColumns.of(path, name, ["note"]).reader()
        take(2**9)
        tracemalloc.start()
        for _ in range(n_rows // 2**9 - 1):
            take(2**9)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(2**15) - peak(2**12) < (2**15 - 2**12) * 100 / 4
