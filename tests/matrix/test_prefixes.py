import numpy as np
import pytest

from sklearn_revdist.matrix._layout import Blocks
from sklearn_revdist.matrix._prefixes import (
    check_prefix,
    model_index,
    model_prefixes,
    nested_names,
    new_columns,
    prefix_length,
)

CHAIN = Blocks(("esm2_t6_8M_UR50D", "middle", "large"), (4, 7, 12))
LENGTHS = np.array([4, 7, 12])


@pytest.mark.parametrize(
    ("n_new", "expected"),
    [(None, [3, 5]), ("all", [7, 12]), ([2, 0], [2, 0]), (np.array([7, 12]), [7, 12])],
)
def test_columns_that_each_model_adds(n_new, expected):
    assert new_columns(CHAIN, n_new) == expected


def test_one_model_adds_to_none():
    assert new_columns(Blocks(("only",), (5,)), None) == []


def test_widths_need_not_grow_where_the_numbers_are_given():
    shrinking = Blocks(("a", "b"), (7, 7))
    with pytest.raises(ValueError, match="b is 7 columns wide and follows a with 7; order"):
        new_columns(shrinking, None)
    assert new_columns(shrinking, [3]) == [3]
    assert new_columns(shrinking, "all") == [7]


@pytest.mark.parametrize(
    ("n_new", "message"),
    [
        ([3], "n_new has 1 entries for a chain of 3 models; give 2"),
        ([8, 0], "8 new columns of middle, which is 7 wide; give a number from 0 to 7"),
        ([0, -1], "-1 new columns of large"),
        ("most", "n_new='most' is not known; give 'all' or a list of numbers"),
    ],
)
def test_numbers_out_of_range_and_other_words_are_refused(n_new, message):
    with pytest.raises(ValueError, match=message):
        new_columns(CHAIN, n_new)


@pytest.mark.parametrize("n_new", [[0, 19], [7, 12], [3, 16]])
def test_joint_residuals_let_a_model_add_what_those_before_left_out(n_new):
    assert new_columns(CHAIN, n_new, "joint") == n_new
    more = [n_new[0], n_new[1] + 1]
    left = "" if n_new[0] == 7 else f", and {7 - n_new[0]} columns were left out before"
    message = f"{more[1]} new columns of large, which is 12 wide{left}; give a number from 0 to"
    with pytest.raises(ValueError, match=message):
        new_columns(CHAIN, more, "joint")


def test_defaults_are_the_same_with_joint_residuals():
    for n_new in (None, "all"):
        assert new_columns(CHAIN, n_new, "joint") == new_columns(CHAIN, n_new)


@pytest.mark.parametrize(
    ("n_components", "expected"),
    [(None, 12), (1, 1), (12, 12), ("large", 12), ("8M", 4), ("esm2_t6_8M_UR50D", 4)],
)
def test_lengths_of_prefixes(n_components, expected):
    assert prefix_length(n_components, CHAIN.names, LENGTHS) == expected


@pytest.mark.parametrize("n_components", [0, 13])
def test_lengths_out_of_range_are_refused(n_components):
    with pytest.raises(ValueError, match=f"n_components={n_components} is not between 1 and 12"):
        prefix_length(n_components, CHAIN.names, LENGTHS)


def test_models_that_are_not_in_the_chain_are_refused():
    with pytest.raises(ValueError, match="model='3B' is not a model of the chain; choose one of e"):
        model_index("3B", CHAIN.names, "model")


def test_a_model_is_found_by_its_layer():
    names = ["esm2_t6_8M_UR50D_layer3", "mine_layer2", "esm2_t12_35M_UR50D_layer6_max"]
    for i, model in enumerate(("8M", "mine", "35M")):
        assert model_index(model, names, "n_components") == i
        assert model_index(names[i], names, "n_components") == i


def test_models_of_a_nested_embedding_are_read_from_its_names():
    names = ["a_0", "a_1", "b_residual_0", "b_residual_1", "b_residual_2"]
    assert model_prefixes(names) == {"a": 2, "b": 5}
    assert model_prefixes([f"pipeline__{name}" for name in names[:3]]) == {"a": 2, "b": 3}


@pytest.mark.parametrize("names", [None, ["a_0", "temperature"], ["a_0", "a_2"]])
def test_names_that_do_not_tell_the_models(names):
    assert model_prefixes(names) is None


def test_names_of_nested_columns_say_where_models_end():
    names = nested_names(["a_0", "a_1"], ["a", "b", "c"], np.array([2, 2, 4]))
    assert names == ["a_0", "a_1", "c_residual_0", "c_residual_1"]
    names = nested_names(["a_0"], ["a", "b"], np.array([1, 3]))
    assert model_prefixes(names) == {"a": 1, "b": 3}


def test_columns_that_are_not_a_prefix_are_refused():
    nested = ["a_0", "b_residual_0", "b_residual_1"]
    for names in (None, nested[:2], ["x", "y"], ["a_0", "y"]):
        check_prefix(2, names, nested)
    with pytest.raises(ValueError, match=r"^X has 4 columns, but the nested embedding has 3; give"):
        check_prefix(4, None, nested)
    for names in (nested[1::-1], nested[1:]):
        with pytest.raises(ValueError, match="not its first ones in their order; put them in"):
            check_prefix(2, names, nested)
