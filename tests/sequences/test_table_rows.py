"""Rows of any table are its cells as text, in order, with their places."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sklearn_revdist.sequences._table_rows import open_table_rows

COLUMNS = ["sequence", "plate", "note"]
ROWS = [["MKT", "007", "NA"], ["GSH", "1e5", 'said "x",\nthen'], ["", "1.50", "é"]]


def rows_of(path, needed=(), **how):
    with open_table_rows(path, dict.fromkeys(needed, "add it"), **how) as table:
        rows = [(number, [*cells]) for number, cells in table.cells(table.columns)]
        return table.columns, rows, table.place(2)


@pytest.mark.parametrize("file", ["x.csv", "x.csv.gz", "x;.csv", "x16.csv", "x.xlsx", "x.parquet"])
def test_every_format_gives_the_same_cells(tmp_path, file):
    frame, path = pd.DataFrame(ROWS, columns=COLUMNS), tmp_path / file
    if file == "x.xlsx":
        frame.to_excel(path, index=False)
    elif file == "x.parquet":
        frame.to_parquet(path)
    else:
        text = frame.to_csv(index=False, sep=";" if ";" in file else ",")
        content = text.encode("utf-16" if "16" in file else "utf-8")
        path.write_bytes(gzip.compress(content) if file.endswith("gz") else content)
    columns, rows, place = rows_of(path, COLUMNS)
    assert columns == COLUMNS
    assert [row for _, row in rows] == ROWS
    assert repr(str(path)) in place


def test_rows_of_parquet_count_from_0_and_numbers_are_written_plainly(tmp_path):
    frame = pd.DataFrame(
        {
            "count": pd.array([1, None, 2**53 + 1], dtype="Int64"),
            "gapped": [1.0, None, 3.0],
            "short": np.array([0.1, 1 / 3, np.nan], dtype=np.float32),
            "flag": [True, False, True],
        },
        index=["p", "q", "r"],
    )
    frame.to_parquet(tmp_path / "x.parquet")
    columns, rows, place = rows_of(tmp_path / "x.parquet")
    assert columns == [*frame]
    assert rows == [
        (0, ["1", "1", "0.1", "True"]),
        (1, ["", "", "0.33333334", "False"]),
        (2, ["9007199254740993", "3", "", "True"]),
    ]
    assert place.endswith("x.parquet', row 2 (counting from 0)")


def test_columns_that_are_missing_or_ambiguous(tmp_path):
    ones = pa.array(["1"])
    parquet.write_table(pa.table([ones, ones, ones], ["a", "b", "b"]), tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text("a,b,b\n1,1,1\n")
    for file in ("x.parquet", "x.csv"):
        assert rows_of(tmp_path / file)[0] == ["a"]
        with pytest.raises(ValueError, match="has no column 'c' but 'a', 'b', 'b'; add it"):
            rows_of(tmp_path / file, ["c"])
        with pytest.raises(ValueError, match="has 2 columns 'b'; rename all but one"):
            rows_of(tmp_path / file, ["b"])
