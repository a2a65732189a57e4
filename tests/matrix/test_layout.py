"""Blocks of columns, found by given widths, by names, or by known widths."""

import pytest

from sklearn_revdist.matrix._layout import Blocks, find_blocks, names_of_blocks


def columns(**widths):
    return [f"{model}_{i}" for model, width in widths.items() for i in range(width)]


@pytest.mark.parametrize(
    ("dims", "names", "expected"),
    [
        (None, columns(small=2, large=3), ("small", "large")),
        ([2, 3], columns(small=2, large=3), ("small", "large")),
        (None, [f"embed__{name}" for name in columns(small=2, large=3)], ("small", "large")),
        ([2, 3], None, ("block0", "block1")),
        ([2, 3], list("abcde"), ("block0", "block1")),
    ],
)
def test_blocks_are_named_by_the_columns_or_numbered(dims, names, expected):
    assert find_blocks(dims, names, 5) == Blocks(expected, (2, 3))


@pytest.mark.parametrize(
    ("n_features", "names", "dims"),
    [
        (800, ("esm2_t6_8M_UR50D", "esm2_t12_35M_UR50D"), (320, 480)),
        (144, ("esm2_t3_100K_demo", "esm2_t4_500K_demo"), (48, 96)),
        (1280, ("esm2_t33_650M_UR50D",), (1280,)),  # of other families, too: one block all the same
        (10400, None, (320, 480, 640, 1280, 2560, 5120)),
    ],
)
def test_widths_of_known_models_are_recognised(n_features, names, dims):
    blocks = find_blocks(None, None, n_features)
    assert blocks.dims == dims
    if names is not None:
        assert blocks.names == names
    assert find_blocks(dims, None, n_features) == blocks


@pytest.mark.parametrize(
    ("n_features", "dims"),
    [(960, (320, 640)), (1600, (320, 1280)), (1120, (480, 640)), (208, (48, 160))],
)
@pytest.mark.parametrize("names", [False, True])
def test_a_sum_of_widths_that_is_not_a_whole_chain_is_doubted(n_features, dims, names):
    names = [f"x{i}" for i in range(n_features)] if names else None
    spelled = r".* \({}\), .* \({}\)".format(*dims)
    with pytest.warns(UserWarning, match=rf"{n_features} columns .* taken as {spelled}, .* `dims`"):
        blocks = find_blocks(None, names, n_features)
    assert blocks.dims == dims
    assert find_blocks(dims, names, n_features) == blocks  # in silence
    assert find_blocks(None, names_of_blocks(blocks), n_features) == blocks


@pytest.mark.parametrize("names", [None, columns(small=3, large=4), list("abcdefg")])
def test_widths_with_names_stand_for_the_names_of_columns(names):
    assert find_blocks({"small": 3, "large": 4}, names, 7) == Blocks(("small", "large"), (3, 4))


@pytest.mark.parametrize("names", [None, ["a_1", "a_2", "b_0"]])
def test_unknown_columns_are_one_block_with_a_warning(names):
    with pytest.warns(UserWarning, match="3 columns of X .* one block .* give `dims`, as"):
        assert find_blocks(None, names, 3) == Blocks(("block0",), (3,))


@pytest.mark.parametrize(
    ("dims", "names", "message"),
    [
        ([2, 4], None, r"dims=\[2, 4\] add up to 6 columns, but X has 7"),
        ([2, 5], columns(small=3, large=4), r"contradict .* small \(3\), large \(4\)"),
        (
            {"large": 3, "small": 4},
            columns(small=3, large=4),
            r"dims={'large': 3, 'small': 4} contradict .* small \(3\), large \(4\)",
        ),
        ({"a": 2, "b": 4}, None, r"dims=\[2, 4\] add up to 6 columns, but X has 7"),
        ({1: 3, "b": 4}, None, "has a key that is not a name; give names of models"),
        (
            None,
            [*columns(a=2, b=3), "again__a_0", "again__a_1"],
            r"b \(3\), a \(2\): a model occurs",
        ),
        (None, [*columns(a=2, b=4), "a_1"], "X has two columns named 'a_1'; keep one, or rename"),
    ],
)
def test_widths_and_names_that_do_not_fit_are_refused(dims, names, message):
    with pytest.raises(ValueError, match=message):
        find_blocks(dims, names, 7)


@pytest.mark.parametrize("dims", [None, [12, 15]])
@pytest.mark.parametrize(
    ("reorder", "message"),
    [
        (sorted, r"a_2 is expected where a_10 stands; put them in the order of the embedder's"),
        (lambda names: names[::-1], r"b_0 is expected where b_14 stands"),
        (lambda names: names[::2] + names[1::2], r"a_1 is expected where a_2 stands"),
        (lambda names: names[:6] + names[12:] + names[6:12], r"a, b are mixed in X; put them"),
    ],
)
def test_names_in_another_order_are_refused_whatever_the_width(reorder, message, dims):
    names = columns(a=12, b=15)
    assert find_blocks(dims, names, 27).dims == (12, 15)
    with pytest.raises(ValueError, match=message):
        find_blocks(dims, reorder(names), 27)


def test_swapped_blocks_are_refused_where_widths_are_known():
    """Widths alone would take the larger model's columns for the smaller one's."""
    names = columns(esm2_t4_500K_demo=96, esm2_t6_2M_demo=160, esm2_t3_100K_demo=48)
    with pytest.raises(ValueError, match=r"dims=\[48, 96, 160\] contradict the names"):
        find_blocks([48, 96, 160], names, 304)
    assert find_blocks(None, names, 304).dims == (96, 160, 48)


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_for_names_are_refused_out_of_order(first):
    names = [str(first + i) for i in range(12)]
    assert find_blocks([5, 7], names, 12).dims == (5, 7)
    with pytest.raises(ValueError, match="numbered, but not in order: 2 is expected where 10 "):
        find_blocks([5, 7], sorted(names), 12)
    # numbers of something else, such as positions
    assert find_blocks([1, 2], ["30", "10", "20"], 3).dims == (1, 2)
