"""One class has one name, and classes that cannot be learnt and tested are rejected."""

import numpy as np
import pytest

from sklearn_revdist import Task
from sklearn_revdist.tasks._classes import class_name, finish
from sklearn_revdist.tasks._text_rows import Rejects


def task_of(labels, **columns):
    target = np.array(list(labels), dtype=object)
    sequences = ["A" * (i + 1) for i in range(len(labels))]
    return Task("t", sequences, target, np.arange(len(labels)), **columns)


def places_of(task):
    return [f"line {i + 2}" for i in range(len(task.target))]


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (["1", "1.0", "1.", "1.00", "+1", " 1 "], "1"),
        (["-1", "-1.0"], "-1"),
        (["0", "-0", "0.0"], "0"),
        (["TRUE", "true", "True", "tRUE "], "True"),
        (["FALSE", "False"], "False"),
        (["Cell membrane", " Cell membrane\t"], "Cell membrane"),
        (["01"], "01"),
        (["1.10"], "1.10"),
        (["3.4.21.4"], "3.4.21.4"),
        (["1E10"], "1E10"),
        (["9" * 5000], "9" * 5000),
    ],
)
def test_labels_that_mean_one_class_have_one_name(labels, name):
    assert {class_name(label) for label in labels} == {name}


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("Membrane", "membrane"),
        ("Cell membrane", "Cell  membrane"),
        ("1", "01"),
        ("1", "1e0"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_names_that_look_like_one_class_are_named_both_or_counted(usual, other):
    task = task_of(["x", "x", other, usual, usual, usual])
    message = f"line 4: class {other!r} is written {usual!r} elsewhere (line 5"
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        finish(task, places_of(task), Rejects(False))
    assert str(caught.value).startswith(message)
    task = finish(task, places_of(task), Rejects(True))
    assert task.target.tolist() == ["x", "x", usual, usual, usual]
    assert task.excluded == {"a class written in another way than in most rows": 1}


@pytest.mark.parametrize("names", [("1.1", "1.10"), ("-1", "1"), ("10", "100"), ("1E10", "1F10")])
def test_names_of_two_classes_stay_two(names):
    task = task_of([*names, *names])
    assert finish(task, places_of(task), Rejects(False)).target.tolist() == [*names, *names]


def test_a_class_of_one_row_is_an_error_or_a_count():
    task = task_of("aabbc")
    with pytest.raises(ValueError, match="line 6: class 'c' is seen only here"):
        finish(task, places_of(task), Rejects(False))
    rejects = Rejects(True)
    rejects.add("line 9", "no target", "no score")
    finished = finish(task, places_of(task), rejects)
    assert finished.target.tolist() == list("aabb")
    assert finished.excluded == {"no score": 1, "a class seen only once": 1}


def test_a_class_in_one_sequence_only_cannot_be_tested_unless_the_split_is_given():
    sequences, protein = ["AC", "DE", "FG"], np.array([0, 0, 1, 1, 2, 2])
    target = np.array(list("abaabb"), dtype=object)
    target[2:4] = "c"
    task = Task("t", sequences, target, protein, residue=np.array([0, 1] * 3))
    places = places_of(task)
    with pytest.raises(ValueError, match="line 2: class 'a' is seen only here"):
        finish(task, places, Rejects(False))
    rejects = Rejects(True)
    assert finish(task, places, rejects).target.tolist() == ["b"] * 3
    assert rejects.counts == {"a class seen only once": 1, "a class seen in one sequence only": 2}
    split = np.array(["train"] * 4 + ["test"] * 2)
    given = Task("t", sequences, target, protein, residue=task.residue, split=split)
    assert finish(given, places, Rejects(True)).target.tolist() == list("bccbb")


def test_a_class_that_only_test_rows_have_is_an_error_or_a_count():
    split = np.array(["train", "validation", "train", "train", "test", "test", "test", "test"])
    task = task_of("aabbaccb", split=split)
    with pytest.raises(ValueError, match="line 7: class 'c' is in test rows only, so that it can"):
        finish(task, places_of(task), Rejects(False))
    finished = finish(task, places_of(task), Rejects(True))
    assert finished.excluded == {"a class that only test rows have": 2}
    assert finished.target.tolist() == list("aabbab")


def test_no_usable_class_is_an_error_that_counts():
    task = task_of("abc")
    with pytest.raises(ValueError, match=r"line 2: of this .* \(3 with a class seen only once"):
        finish(task, places_of(task), Rejects(True))


def test_numbers_have_no_classes():
    task = Task("t", ["A", "C"], np.array([1.0, 2.0]), np.arange(2))
    assert finish(task, places_of(task), Rejects(False)) is task
