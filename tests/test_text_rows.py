"""Rows of text know their line; letters and targets are checked as people write them."""

import gzip

import numpy as np
import pytest

from sklearn_revdist import Task
from sklearn_revdist._text_rows import Rejects, as_split, as_targets, read_text, wrong_letter


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


def test_what_is_no_table_is_refused_with_its_name(tmp_path):
    path = tmp_path / "t.csv"
    for content, message in [
        (b"", r"t\.csv' is empty; check that it is complete"),
        (b"a,b\n1,2\n1,2,3\n", r"t\.csv', line 3, has 3 cells where there are 2 columns"),
        (b"\x1f\x8b\x08\x00damaged", r"t\.csv' is damaged"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_text(path, ["a"])


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
    with pytest.raises(ValueError, match=r"t\.csv.* has no column 'c' but 'a', 'b'; say in a"):
        read_text(tmp_path / "t.csv", ["a", "c"])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0.5", "1", "2"], "regression"),
        (["0", "1", "1"], "classification"),
        (["1.0", "2.0", ""], "classification"),
        ([str(i) for i in range(30)], "regression"),
        (["a", "1", "2"], "classification"),
    ],
)
def test_numbers_are_a_regression_unless_they_are_few_whole_ones(values, kind):
    target, _ = as_targets(values, None)
    assert target.dtype.kind == ("f" if kind == "regression" else "O")


def test_gaps_and_what_is_no_number_are_not_present():
    values = ["1.5", "", "NaN", "inf", "high", " 2 "]
    target, present = as_targets(values, "regression")
    assert present.tolist() == [True, False, False, False, False, True]
    assert target[present].tolist() == [1.5, 2.0]
    target, present = as_targets(values, "classification")
    assert present.tolist() == [True, False, False, True, True, True]
    assert target[-1] == "2"


def test_letters_are_checked_by_the_embedders_policy():
    assert wrong_letter("ACDacd", "error") is None
    assert wrong_letter("", "mask") == "the sequence is empty"
    assert wrong_letter("AC1", "mask") == "the sequence has '1' at position 3"
    assert "'X' at position 2 (see `unknown`)" in wrong_letter("AXA", "error")
    assert wrong_letter("AXAZ*", "mask") is None
    assert wrong_letter("A\u017fA", "mask") is not None  # its upper case is S


def test_every_row_has_a_set_or_none_has():
    assert as_split([None, None], ["", ""]) is None
    assert as_split(["TRAIN", "valid", "test"], list("abc")).tolist() == [
        "train",
        "validation",
        "test",
    ]
    with pytest.raises(ValueError, match="line 3: the row is in the set ''"):
        as_split(["train", None], ["line 2", "line 3"])
    with pytest.raises(ValueError, match="line 2: the row is in the set 'dev'"):
        as_split(["dev"], ["line 2"])


def test_a_class_of_one_row_is_an_error_or_a_count():
    target = np.array(list("aabbc"), dtype=object)
    task = Task("t", list("ACDEF"), target, np.arange(5))
    places = [f"line {i}" for i in range(2, 7)]
    with pytest.raises(ValueError, match="line 6: class 'c' is seen only here"):
        Rejects(False).finish(task, places)
    rejects = Rejects(True)
    rejects.add("line 9", "no target", "no score")
    finished = rejects.finish(task, places)
    assert finished.target.tolist() == list("aabb")
    assert finished.sequences == list("ACDE")
    assert finished.excluded == {"no score": 1, "a class seen only once": 1}


def test_nothing_left_is_an_error_that_counts_the_reasons():
    rejects = Rejects(True)
    rejects.add("line 2", "no score", "no score")
    with pytest.raises(ValueError, match=r"'t\.csv' has no valid row \(1 with no score\)"):
        rejects.check_any_left("t.csv", 0)
