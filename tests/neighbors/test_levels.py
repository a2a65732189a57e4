"""Levels end where names say, and count as much as they are told to."""

import warnings

import numpy as np
import pytest

from sklearn_revdist.matrix._prefixes import nested_names
from sklearn_revdist.neighbors._levels import find_levels, scale_of_columns
from sklearn_revdist.neighbors._sources import ArrayRows

MODELS = ["esm2_t6_8M_UR50D", "esm2_t12_35M_UR50D", "esm2_t30_150M_UR50D"]
ENDS = [320, 480, 640]
NAMES = nested_names([f"{MODELS[0]}_{i}" for i in range(320)], MODELS, np.array(ENDS))


def test_levels_are_read_from_the_names_of_a_nested_embedding():
    levels = find_levels(None, NAMES, 640, needed=True)
    assert list(levels.items()) == list(zip(MODELS, ENDS, strict=True))
    for wrong in (sorted(NAMES), NAMES[320:480] + NAMES[:320] + NAMES[480:][::-1]):
        with pytest.raises(ValueError, match=r"in order|mixed"):
            find_levels(None, wrong, 640, needed=False)


def test_unnamed_columns_are_taken_for_esm2_with_a_warning_if_anything_depends_on_it():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [*find_levels(None, None, 640, needed=False).values()] == ENDS
        assert find_levels(None, None, 97, needed=False) == {"level0": 97}
        numbered = {"level0": 320, "level1": 480, "level2": 640}
        assert find_levels(ENDS, None, 640, needed=True) == numbered
        assert [*find_levels(ENDS, NAMES, 640, needed=True)] == MODELS
    with pytest.warns(UserWarning, match="levels that end at 320, 480, 640"):
        assert [*find_levels(None, None, 640, needed=True)] == MODELS
    with pytest.warns(UserWarning, match="as one level"):
        find_levels(None, ["a", "b"], 2, needed=True)


def test_unit_levels_have_a_total_variance_of_one(rng):
    X = rng.normal(size=(500, 6)) * [5, 5, 3, 2, 0, 0] + 100
    ends = [2, 4, 6]
    scale = scale_of_columns("unit", ends, ArrayRows(X))
    variances = (X * scale).var(axis=0)
    np.testing.assert_allclose([variances[:2].sum(), variances[2:4].sum()], 1)
    assert scale[4:].tolist() == [1, 1]  # constant columns
    assert scale_of_columns(None, ends, ArrayRows(X)) is None
    assert scale_of_columns([1, 2, 0.5], ends, ArrayRows(X)).tolist() == [1, 1, 2, 2, 0.5, 0.5]


@pytest.mark.parametrize("prefixes", [[], [2, 2, 6], [0, 6], [2], [2, 7], [2.5, 6], ["a"], [None]])
def test_prefixes_that_do_not_grow_up_to_all_columns_are_refused(prefixes):
    with pytest.raises(ValueError, match="prefixes"):
        find_levels(prefixes, None, 6, needed=True)


@pytest.mark.parametrize(
    "level_scale", [[1], [1, 2, 3], [1, 0], [1, -1], [1, np.nan], ["a", "b"], [[1, 2]], [None, 1]]
)
def test_factors_that_are_not_one_positive_number_a_level_are_refused(level_scale, rng):
    with pytest.raises(ValueError, match="level_scale"):
        scale_of_columns(level_scale, [2, 4], ArrayRows(rng.normal(size=(5, 4))))
