"""Sets are known by the names that people give them, and no other."""

import pytest

from sklearn_revdist.tasks._sets import as_sets, set_in_header, wrong_set


def test_names_are_known_in_any_capitals():
    names = ["train", "TRAINING ", "valid", "Val", "dev", "validation", " test", "Testing"]
    assert as_sets(names) == ["train"] * 2 + ["validation"] * 4 + ["test"] * 2


def test_rows_without_sets_have_no_split_but_an_empty_cell_is_bad():
    assert as_sets([None, None]) is None
    assert as_sets([]) is None
    assert as_sets([None, "train"]) == [None, "train"]
    assert as_sets(["", ""]) == [None, None]


def test_wrong_sets_are_described():
    assert wrong_set(" ")[1] == wrong_set(None)[1] == "no set"
    what, reason = wrong_set("fold 1")
    assert "'fold 1'" in what
    assert reason == "an unknown set"


@pytest.mark.parametrize(
    ("header", "name", "known"),
    [
        ("p SET=train VALIDATION=False", "train", "train"),
        ("p set=Train validation=TRUE", "validation", "validation"),
        ("p VALIDATION=True", "validation", "validation"),
        ("p SET=test", "test", "test"),
        ("p", None, None),
        ("p SET=test VALIDATION=True", "test, VALIDATION=true", None),
        ("p SET=train SET=test", "train, test", None),
    ],
)
def test_a_header_has_one_set_or_none_that_is_known(header, name, known):
    assert set_in_header(header) == name
    assert as_sets([name, "test"])[0] == known
