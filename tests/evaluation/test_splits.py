"""Splits: every row is tested once, and what belongs together stays together."""

from dataclasses import replace

import numpy as np
import pytest

from sklearn_revdist import Task
from sklearn_revdist.evaluation._splits import check_folds, checked_folds, make_folds, random_fold


@pytest.fixture
def scan():
    """Three variants at each of 23 positions, from 5 on."""
    position = np.repeat(np.arange(5, 28), 3)
    n = len(position)
    sequences = ["A" * (i + 1) for i in range(n)]
    target = np.arange(n, dtype=float)
    ones = np.ones(n, int)
    return Task("scan", sequences, target, np.arange(n), position=position, n_mutations=ones)


@pytest.fixture
def residues():
    """Proteins of 1 to 20 residues, of three classes, two of them of one sequence."""
    lengths = np.arange(1, 21)
    protein = np.repeat(np.arange(20), lengths)
    sequences = ["C" * n for n in lengths]
    sequences[7] = sequences[12]
    target = np.array(list("abc"), dtype=object)[protein % 3]
    residue = np.concatenate([np.arange(n) for n in lengths])
    return Task("residues", sequences, target, protein, residue=residue)


@pytest.mark.parametrize("split", ["random", "contiguous", "modulo"])
def test_every_row_is_tested_once_and_learnt_from_otherwise(scan, split):
    folds = make_folds(scan, split, 5)
    assert len(folds) == 5
    tested = np.concatenate([test for _, test in folds])
    assert sorted(tested) == list(range(69))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(69))
        assert (np.diff(train) > 0).all()


@pytest.mark.parametrize("split", ["contiguous", "modulo"])
def test_no_position_is_in_two_folds(scan, split):
    for train, test in make_folds(scan, split, 5):
        assert not set(scan.position[train]) & set(scan.position[test])


def test_contiguous_folds_are_stretches_and_modulo_folds_combs(scan):
    for _, test in make_folds(scan, "contiguous", 5):
        positions = np.unique(scan.position[test])
        assert np.ptp(positions) == len(positions) - 1
        assert len(positions) in (4, 5)
    for _, test in make_folds(scan, "modulo", 5):
        assert len(set(scan.position[test] % 5)) == 1


def test_random_folds_keep_proteins_whole_under_whatever_name(residues):
    for train, test in make_folds(residues, "random", 4):
        learnt = {residues.sequences[p] for p in residues.protein[train]}
        assert not learnt & {residues.sequences[p] for p in residues.protein[test]}


def test_random_folds_have_equal_numbers_of_groups_and_classes():
    groups = np.repeat(np.arange(40), 3)
    classes = np.repeat(np.array(list("aaab") * 10), 3)
    fold = random_fold(groups, 4, classes)
    for i in range(4):
        assert len(np.unique(groups[fold == i])) == 10
        assert (classes[fold == i] == "b").sum() in (6, 9)
    assert (fold == random_fold(groups, 4, classes)).all()


def test_a_given_split_is_taken_with_its_validation_rows_to_learn_from(residues):
    split = np.where(residues.protein < 15, "train", "test").astype("U10")
    split[:4] = "validation"
    task = replace(residues, split=split)
    ((train, test),) = checked_folds(task, ("random", "modulo"), 5)["given"]
    assert (split[test] == "test").all()
    assert sorted([*train, *test]) == list(range(len(split)))


def test_too_few_groups_or_one_side_alone_are_refused(scan):
    with pytest.raises(ValueError, match=r"'scan' has too few .* for 30 folds \(contiguous"):
        make_folds(scan, "contiguous", 30)
    few = scan.take(np.arange(3))
    with pytest.raises(ValueError, match=r"'scan' has too few .* for 5 folds \(random"):
        make_folds(few, "random", 5)
    for side, name in (("train", "test"), ("test", "training")):
        split = np.full(3, side)
        task = Task("t", few.sequences, few.target, few.protein, split=split)
        with pytest.raises(ValueError, match=f"'t' has no {name} rows"):
            make_folds(task, "given", 5)


@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        ([1, 1, 1, 2, 3, 4], range(6), "All 3 targets of test fold 1 of 'x' are equal"),
        (
            range(6),
            [1, 2, 2, 5, 5, 5],
            r"^All 3 rows of training fold 1 of 'x' are of one sequence, .* more sequences\.$",
        ),
        (list("abbabc"), range(6), "Class 'c' is in test fold 0 of 'x' but not in its training"),
    ],
)
def test_folds_without_a_score_are_refused(y, groups, message):
    folds = [(np.arange(3), np.arange(3, 6)), (np.arange(3, 6), np.arange(3))]
    y, groups = np.array(y), np.array(groups)
    with pytest.raises(ValueError, match=message):
        check_folds(folds, y, groups, classes=y.dtype.kind == "U", where=" of 'x'")


def test_a_class_of_training_rows_alone_may_be_learnt():
    check_folds([(np.arange(3, 6), np.arange(3))], np.array(list("abbabc")), classes=True)


def test_folds_that_are_checked_are_those_of_the_splits(scan, residues):
    """Those by position are for single substitutions."""
    splits = ("random", "contiguous", "modulo")
    folds = checked_folds(scan, splits, 5)
    assert tuple(folds) == splits
    for split, of_split in folds.items():
        np.testing.assert_equal(of_split, make_folds(scan, split, 5))
    assert list(checked_folds(residues, splits, 5)) == ["random"]


def test_what_no_fold_can_score_is_named(scan, residues):
    gap = replace(scan, target=np.where(np.arange(69) == 4, np.nan, scan.target))
    with pytest.raises(ValueError, match=r"Target 4 \(counting from 0\) of 'scan' is nan"):
        checked_folds(gap, ("random",), 5)
    # all residues of the class are in one protein
    target = np.where(residues.protein == 3, "rare", residues.target).astype(object)
    with pytest.raises(ValueError, match=r"Class 'rare' is in test fold \d of 'residues' \(random"):
        checked_folds(replace(residues, target=target), ("random",), 4)
    split = np.where(residues.protein == 3, "test", "train")
    with pytest.raises(ValueError, match=r"All 4 targets of test fold 0 of 'residues' \(given"):
        checked_folds(replace(residues, target=target, split=split), ("random",), 4)
