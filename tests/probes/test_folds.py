"""Folds: shuffled where a number is given, and by position where that is asked."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)

from sklearn_revdist import ContiguousKFold, ModuloKFold, load_if1_ecoli
from sklearn_revdist.probes._folds import shuffled_cv

SPLITTERS = [ContiguousKFold, ModuloKFold]


@pytest.fixture
def positions(rng):
    """Of a scan: positions with gaps, some mutated more often, in no order."""
    return rng.permutation(np.repeat([5, 6, 7, 9, 10, 14, 15, 20, 21, 22, 28], range(1, 12)))


def same(left, right):
    return all(
        np.array_equal(a, b)
        for pair in zip(left, right, strict=True)
        for a, b in zip(*pair, strict=True)
    )


def test_a_number_is_shuffled_folds_with_a_fixed_seed(rng):
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    folds = list(shuffled_cv(5, y).split(X, y))
    assert same(folds, KFold(5, shuffle=True, random_state=0).split(X, y))
    assert same(folds, shuffled_cv(np.int64(5), y).split(X, y))
    classes = (y > 0).astype(int)
    expected = StratifiedKFold(5, shuffle=True, random_state=0).split(X, classes)
    assert same(shuffled_cv(5, classes, classifier=True).split(X, classes), expected)


def test_splitters_and_lists_of_folds_are_taken_as_they_are(rng):
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    assert same(shuffled_cv(KFold(3), y).split(X, y), KFold(3).split(X, y))
    folds = list(KFold(3).split(X, y))
    assert same(shuffled_cv(iter(folds), y).split(X, y), folds)
    with pytest.raises(ValueError, match="cv"):
        shuffled_cv("five", y)


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("n_splits", [2, 5])
def test_every_row_is_tested_once_and_no_position_twice(splitter, n_splits, positions):
    folds = list(splitter(n_splits).split(positions, groups=positions))
    assert len(folds) == splitter(n_splits).get_n_splits() == n_splits
    np.testing.assert_array_equal(
        np.sort(np.concatenate([test for _, test in folds])), np.arange(len(positions))
    )
    for train, test in folds:
        assert len(train) + len(test) == len(positions)
        assert not set(positions[train]) & set(positions[test])
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()


def test_contiguous_folds_are_stretches_of_equally_many_positions(positions):
    tested = [
        np.unique(positions[test])
        for _, test in ContiguousKFold(4).split(positions, groups=positions)
    ]
    assert [len(stretch) for stretch in tested] == [3, 3, 3, 2]
    assert np.concatenate(tested).tolist() == np.unique(positions).tolist()


def test_modulo_folds_are_every_nth_position(positions):
    for i, (_, test) in enumerate(ModuloKFold(4).split(positions, groups=positions)):
        assert set(positions[test] % 4) == {i}


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_the_order_of_the_rows_changes_no_fold(splitter, positions, rng):
    order = rng.permutation(len(positions))
    before, after = (
        [set(rows[test]) for _, test in splitter(3).split(rows, groups=positions[rows])]
        for rows in (np.arange(len(positions)), order)
    )
    assert before == after


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_they_work_wherever_scikit_learn_takes_a_splitter(splitter, positions, rng):
    X, y = rng.normal(size=(len(positions), 3)), rng.normal(size=len(positions))
    folds = list(splitter(3).split(X, y, positions))
    expected = cross_val_score(Ridge(), X, y, cv=folds)
    found = cross_val_score(Ridge(), X, y, groups=positions, cv=splitter(3))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        cross_val_predict(Ridge(), X, y, groups=positions, cv=splitter(3)),
        cross_val_predict(Ridge(), X, y, cv=folds),
    )
    grid = {"alpha": [1.0, 100.0]}
    with_splitter = GridSearchCV(Ridge(), grid, cv=splitter(3)).fit(X, y, groups=positions)
    with_folds = GridSearchCV(Ridge(), grid, cv=folds).fit(X, y)
    np.testing.assert_array_equal(
        with_splitter.cv_results_["mean_test_score"], with_folds.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_metadata_routing_brings_them_the_groups(splitter, positions, rng):
    """They ask for groups of themselves, as scikit-learn's GroupKFold does."""
    X, y = rng.normal(size=(len(positions), 3)), rng.normal(size=len(positions))
    expected = cross_val_score(Ridge(), X, y, groups=positions, cv=splitter(3))
    with sklearn.config_context(enable_metadata_routing=True):
        requests = splitter(3).get_metadata_routing().split.requests
        assert requests == GroupKFold(3).get_metadata_routing().split.requests
        found = cross_val_score(Ridge(), X, y, params={"groups": positions}, cv=splitter(3))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_repr_and_clone(splitter):
    assert repr(splitter(3)) == f"{splitter.__name__}(n_splits=3)"
    assert clone(splitter(3), safe=False).n_splits == 3


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (None, "splits by position; give the positions as `groups`"),
        ([1.5] * 8, r"have the shape \(8,\) and the type float64; give an integer"),
        (["A2C"] * 8, "the type <U3; give an integer"),
        ([[1]] * 8, r"the shape \(8, 1\) and"),
        ([1, 2, 3], "inconsistent numbers of samples"),
        ([4] * 8, "The 1 positions in `groups` fill 1 of 3 folds"),
    ],
)
def test_positions_that_cannot_be_split_by_are_refused(splitter, groups, message):
    with pytest.raises(ValueError, match=message):
        list(splitter(3).split(np.zeros((8, 2)), groups=groups))


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("n_splits", [1, 2.5, "5"])
def test_numbers_of_folds_that_are_none_are_refused(splitter, n_splits):
    with pytest.raises(ValueError, match="'n_splits' parameter of"):
        splitter(n_splits)


def test_positions_of_the_bundled_scan():
    """As the example in the guide takes them."""
    scan = load_if1_ecoli()
    positions = np.array([int(mutant[1:-1]) for mutant in scan.mutant])
    tested = [
        np.unique(positions[test])
        for _, test in ContiguousKFold().split(scan.data, groups=positions)
    ]
    assert all(np.ptp(stretch) == len(stretch) - 1 for stretch in tested)
