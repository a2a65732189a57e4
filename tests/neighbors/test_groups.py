"""Groups: what is one group, and neighbours in others as brute force finds them."""

import numpy as np
import pytest

from sklearn_revdist.neighbors._groups import find_groups


def same(numbers):
    return np.equal.outer(numbers, numbers)


def test_identical_rows_are_a_group():
    rows = np.array([[0.0, 1], [2, 3], [-0.0, 1], [0, 2], [2, 3]], np.float32)
    expected = same([0, 1, 0, 2, 1])
    for given in (rows, rows.astype(np.float64), np.asfortranarray(rows)):
        np.testing.assert_array_equal(same(find_groups(given)), expected)


def test_groups_that_share_a_duplicate_are_one():
    rows = np.array([[0.0], [1], [2], [2], [4], [5], [5]])
    found = find_groups(rows, ["a", "b", "a", "c", "c", "d", "d"])
    np.testing.assert_array_equal(same(found), same([0, 1, 0, 0, 0, 2, 2]))


@pytest.mark.parametrize("given", [False, True])
def test_their_numbers_do_not_depend_on_the_order_of_the_rows(given, rng):
    rows = rng.integers(0, 3, size=(60, 3)).astype(float)
    groups = rng.choice(list("abcdefghijklmnop"), size=60) if given else None
    found, order = find_groups(rows, groups), rng.permutation(60)
    shuffled = find_groups(rows[order], groups[order] if given else None)
    np.testing.assert_array_equal(shuffled, found[order])


@pytest.mark.parametrize(
    ("groups", "message"),
    [([1, 2], r"^groups is of shape \(2,\), but there are 3 rows; give one"), (5, "is of shape")],
)
def test_groups_that_do_not_fit_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        find_groups(np.ones((3, 2)), groups)
    with pytest.raises(TypeError, match="groups are of several types"):
        find_groups(np.ones((2, 2)), np.array([1, "a"], object))
