"""Joined groups are the connected components of rows that share a group in either."""

import numpy as np

from sklearn_revdist.utils._joined_groups import joined_groups


def test_rows_are_joined_through_others(rng):
    first, second = rng.integers(0, 40, 60), rng.integers(0, 40, 60)
    linked = (first[:, np.newaxis] == first) | (second[:, np.newaxis] == second)
    for _ in range(6):  # squares: paths of up to 64 links
        linked = linked @ linked
    joined = joined_groups(first, second)
    np.testing.assert_array_equal(joined[:, np.newaxis] == joined, linked)
    assert 1 < len(set(joined)) < 40


def test_one_grouping_alone_is_kept(rng):
    first = rng.permutation(np.repeat(np.arange(10), 3))
    np.testing.assert_array_equal(joined_groups(first, np.arange(30)), first)
    np.testing.assert_array_equal(joined_groups(first, first), first)
