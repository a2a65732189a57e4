"""Most cells decide whether a column has numbers or classes, and other cells are bad."""

from collections import namedtuple

import numpy as np
import pytest

from sklearn_revdist.tasks._targets import as_numbers, as_targets

Targets = namedtuple("Targets", ["values", "wrong"])


def read(cells, kind=None):
    return Targets(*as_targets(cells, kind, [f"line {i + 2}" for i in range(len(cells))]))


def kind_of(targets):
    return "regression" if targets.values.dtype.kind == "f" else "classification"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0.5", "1", "2"], "regression"),
        (["0", "1", "1"], "classification"),
        (["1.0", "2.0", ""], "classification"),
        ([str(i) for i in range(30)], "regression"),
        (["1e3", "-.5", "+2.", "NaN"], "regression"),
        (["a", "b", "1"], "classification"),
        (["1A", "2B", "16S"], "classification"),
        (["3.4.21.4", "1.1.1.1"], "classification"),
        (["+", "-", "+"], "classification"),
        (["", ""], "classification"),
        ([], "classification"),
    ],
)
def test_numbers_are_a_regression_unless_they_are_few_whole_ones(values, kind):
    assert kind_of(read(values)) == kind


@pytest.mark.parametrize("stated", [None, "regression"])
@pytest.mark.parametrize(
    "cell",
    ["N/A", "-", "?", "n.d.", ">10", "1,5", "inf", "1e999", "1_000", "\u0661", "high", "0x1"],
)
def test_among_numbers_anything_else_is_a_bad_cell(cell, stated):
    targets = read(["1.5", cell, "2.5", "3.5"], stated)
    assert kind_of(targets) == "regression"
    assert [wrong is not None for wrong in targets.wrong] == [False, True, False, False]
    what, _ = targets.wrong[1]
    assert f"the target {cell!r} is not a number" in what
    assert ('kind="classification"' in what) == (stated is None)


def test_bad_cells_among_numbered_classes_are_bad_too():
    targets = read(["0", "1", "1.0", "x", "", "NA"])
    assert kind_of(targets) == "classification"
    assert targets.values[:3].tolist() == ["0", "1", "1"]
    reasons = [wrong and wrong[1] for wrong in targets.wrong]
    assert reasons == [None] * 3 + ["a target that is not a number", "no score", "no score"]


def test_half_of_what_is_not_missing_is_enough():
    missing = ["N/A", "-", "", "n.d.", "NA"] * 3
    assert kind_of(read(["1.5", "2.5", "a", "b", *missing])) == "regression"
    assert kind_of(read(["1.5", "2.5", "a", "b", "c", *missing])) == "classification"


@pytest.mark.parametrize(
    "cells",
    [
        ["1,5", "2,25", "-3,0"],
        ["1,234.5", "12,345", "1.234.567"],
        ["1_000", "2_000"],
        [">10", "<= 5", "~3", "\u22641.5"],
        ["5 nM", "12.5 nM", "7 kcal/mol", "3\u00b5M", "37 \u00b0C", "55%"],
        ["1.5 \u00b1 0.2", "2.5 +/- 0.1"],
        ["\u22121.5", "\u22122.5"],
        ["inf", "-Infinity"],
        ["\u0661\u0662", "\u0663"],
        ["1,5", "2,5", "a", "b", ""],
    ],
)
def test_a_column_that_looks_like_numbers_is_not_taken_for_classes(cells):
    with pytest.raises(
        ValueError, match=r'^line 2: the target .* looks like a number .* set kind="c'
    ):
        read(cells)
    assert kind_of(read(cells, "classification")) == "classification"


def test_a_stated_kind_holds():
    cells = ["NA", "None", "nan", "1.5", "", "inf", "?"]
    targets = read(cells, "classification")
    assert targets.values[:4].tolist() == cells[:4]
    assert [wrong is None for wrong in targets.wrong] == [True] * 4 + [False] + [True] * 2
    targets = read(["0", "1", "a", "b", "c"], "regression")
    assert targets.values[:2].tolist() == [0.0, 1.0]
    assert [wrong is None for wrong in targets.wrong] == [True] * 2 + [False] * 3


def test_messages_on_missing_targets_say_how_to_keep_them_as_classes():
    targets = read(["HA", "NA", "none", "Na", ""])
    assert [wrong is None for wrong in targets.wrong] == [True, False, False, True, False]
    assert 'kind="classification" keeps it' in targets.wrong[1][0]
    assert targets.wrong[4] == ("no target", "no score")


def test_classes_have_the_names_that_they_mean():
    assert read(["TRUE", "true", " True", "b "]).values.tolist() == ["True"] * 3 + ["b"]
    assert read(["1.0", "x"], "classification").values.tolist() == ["1", "x"]


def test_numbers_are_plain_decimal_ones():
    cells = [" 1.5 ", "-1e-3", ".5", "", "1_0", "nan", "infinity", "\uff11", "1e999", "1 2"]
    numbers = as_numbers(cells)
    assert np.isfinite(numbers).tolist() == [True] * 3 + [False] * 7
    assert numbers[:3].tolist() == [1.5, -1e-3, 0.5]
