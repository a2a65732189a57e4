"""Rows of text have their place in the file, and bad rows are named or counted."""

import gzip

import pandas as pd
import pytest

from sklearn_revdist.tasks._text_rows import Rejects, read_text, without_stops


def test_the_index_has_file_and_line_also_past_blank_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n\n2,\n\n")
    table = read_text(path, ["a", "b"])
    assert table["a"].tolist() == ["1", "2"]
    assert table["b"].tolist() == ["x", ""]
    assert table.index.tolist() == [f"{str(path)!r}, line 2", f"{str(path)!r}, line 4"]


def test_nothing_is_taken_for_a_gap(tmp_path):
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(b"NA\tNaN\nnull\tNone\n"))
    table = read_text(path, ["x"], columns=["x", "y"])
    assert table.to_numpy().tolist() == [["NA", "NaN"], ["null", "None"]]
    assert table.index[0].endswith("line 1")


def test_rows_without_text_are_left_out(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,\n1,2,\n,,\n 3 , 4 ,\n")
    table = read_text(path, ["b"])
    assert table.to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}
    assert table.index[1].endswith("line 4")


def test_a_missing_file_or_column_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*t\.csv"):
        read_text(tmp_path / "t.csv", ["a"])
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"t\.csv.* has no column 'c' but 'a', 'b'; name the"):
        read_text(tmp_path / "t.csv", ["a", "c"])


def test_stop_codons_of_a_file_are_counted_in_one_warning():
    with pytest.warns(UserWarning, match=r"'t\.csv': 2 of 3 sequences end in '\*'") as caught:
        assert without_stops(["ACD*", "A*C", "A*"], "t.csv") == ["ACD", "A*C", "A"]
    assert len(caught) == 1
    assert without_stops(["ACD"], "t.csv") == ["ACD"]


def test_a_bad_row_is_an_error_or_a_count():
    with pytest.raises(ValueError, match=r"^line 6: no target; fix it, or leave such rows out"):
        Rejects(False).add("line 6", "no target", "no score")
    rejects = Rejects(True)
    rejects.add("line 6", "no target", "no score")
    rejects.add("line 9", "no target", "no score")
    assert rejects.counts == {"no score": 2}


def test_nothing_left_is_an_error_that_counts_the_reasons():
    rejects = Rejects(True)
    rejects.add("line 2", "no score", "no score")
    with pytest.raises(ValueError, match=r"'t\.csv' has no valid row \(1 with no score\)"):
        rejects.check_any_left("t.csv", 0)


def test_parquet_is_read_as_text_too(tmp_path):
    pd.DataFrame({"a": [1.5, None], "b": ["x", "y"]}).to_parquet(tmp_path / "t.parquet")
    table = read_text(tmp_path / "t.parquet", ["a"])
    assert table.to_dict("list") == {"a": ["1.5", ""], "b": ["x", "y"]}
    assert table.index[1].endswith("t.parquet', row 1 (counting from 0)")
