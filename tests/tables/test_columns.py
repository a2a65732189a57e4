"""Which columns of a file are the embedding: those that their names say, in the chain's order."""

import re

import pytest

from sklearn_revdist.tables._columns import (
    Choice,
    columns_to_compare,
    columns_to_fit,
    columns_to_transform,
)

DEMO = {"esm2_t3_100K_demo": 48, "esm2_t4_500K_demo": 96, "esm2_t6_2M_demo": 160}
CHAINS = [(list(DEMO), list(DEMO.values())), (list(DEMO)[:2], [48, 96])]


def names(**widths):
    return [f"{model}_{i}" for model, width in widths.items() for i in range(width)]


def lists(**widths):
    return [f"{model}[{i}]" for model, width in widths.items() for i in range(width)]


def fit(columns, dims=None):
    return columns_to_fit(columns, "'x'", dims)


def transform(columns):
    return columns_to_transform(columns, "'x'", CHAINS)


def compare(columns):
    return columns_to_compare(columns, "'x'")


BESIDE = ["ddG_1", "pLDDT_0", "fitness", *names(pc=3), *names(pca=48)[1:]]
EXPECTED = Choice(names(**DEMO), names(**DEMO))


@pytest.mark.parametrize("choose", [fit, transform])
@pytest.mark.parametrize(
    "reorder",
    [
        list,
        sorted,
        lambda columns: columns[::-1],
        lambda columns: columns[48:] + columns[:48],
        lambda columns: columns[::2] + columns[1::2],
    ],
)
def test_known_models_are_put_in_order_and_what_is_beside_them_is_left(choose, reorder):
    assert choose(reorder([*BESIDE, *EXPECTED.columns])) == EXPECTED


@pytest.mark.parametrize("choose", [fit, transform])
def test_models_by_short_names_in_steps_and_in_lists(choose):
    stepped = [f"embed__{name}" for name in names(**DEMO)]
    assert choose(sorted(stepped)) == Choice(stepped, EXPECTED.names)
    short = lists(**{"demo-160": 160, "demo-48": 48, "demo-96": 96})
    found = choose(short)
    assert found.names == EXPECTED.names
    assert found.columns == short[160:] + short[:160]


def test_the_whole_chain_is_taken_before_its_beginning():
    two = dict(list(DEMO.items())[:2])
    assert transform(names(**two)).names == names(**two)
    assert transform(names(esm2_t6_8M_UR50D=320, **DEMO)) == EXPECTED


@pytest.mark.parametrize("first", [0, 1])
def test_one_run_of_another_name_is_put_in_order(first):
    columns = [f"emb_{i + first}" for i in range(304)]
    expected = Choice(columns, columns)
    assert fit(["fitness", *sorted(columns)]) == expected
    assert transform(["fitness", *sorted(columns)]) == expected


@pytest.mark.parametrize("columns", [[str(i) for i in range(12)], lists(embedding=12)])
def test_numbers_and_a_list_of_any_name_are_columns_without_names(columns):
    assert fit([*sorted(columns), "score"]) == Choice(columns, None)


def test_unknown_models_stay_in_the_order_of_the_file():
    columns = names(big=7, small=3)
    assert fit([*columns, "ddG_1"]) == Choice(columns, columns)
    mixed = columns[::2] + columns[1::2]
    assert fit([*mixed, "ddG_1"]) == Choice(mixed, mixed)  # to be refused by find_blocks


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a_5", "a_6", "b"], ["a_5", "a_6"]),
        (["a_0", "b"], ["a_0", "b"]),
        (["x"], ["x"]),
    ],
)
def test_without_any_run_numbered_columns_are_taken_or_all(columns, expected):
    assert fit(columns) == Choice(expected, expected)


def test_wide_runs_beside_known_models_are_chosen_by_the_widths():
    known, others = names(**{"esm2_t6_8M_UR50D": 320}), names(tuned=640)
    with pytest.raises(ValueError, match=r"8M_UR50D \(320\), tuned \(640\); give .*--dims"):
        fit(known + others)
    assert fit(known + others, [320]).columns == known
    assert fit(known + others, [320, 640]).columns == known + others
    with pytest.raises(ValueError, match="--dims"):
        fit(known + others, [640])
    beside = [*known, *names(probability=20)]
    assert fit(beside).columns == known
    assert fit(beside, [320]).columns == known
    assert fit(beside, [320, 20]).columns == beside


@pytest.mark.parametrize("reorder", [list, sorted, lambda columns: columns[::-1]])
def test_a_nested_embedding_is_compared_in_the_order_of_its_chain(reorder):
    for models in (
        {"esm2_t6_8M_UR50D": 30, "esm2_t12_35M_UR50D_residual": 4},  # sorted otherwise
        {"esm2_t6_8M_UR50D_layer3": 30, "esm2_t30_150M_UR50D_layer9_residual": 4},
    ):
        nested = names(**models)
        assert compare(reorder([*names(pc=3), *nested])) == Choice(nested, nested)
    of_others = names(small=9, large_residual=4)
    assert compare([*names(pc=3), *of_others]) == Choice(of_others, of_others)


def test_of_plain_embeddings_all_are_compared_and_the_largest_is_last():
    assert compare(names(**dict(reversed(DEMO.items())))).columns == names(**DEMO)
    others = names(big=30, **DEMO, pc=3)
    assert compare(others).columns == names(pc=3, big=30, **DEMO)
    assert compare(names(b=5, a=4, c=4)).columns == names(a=4, c=4, b=5)
    assert compare([*map(str, range(9))]).names is None


@pytest.mark.parametrize(
    ("choose", "columns", "message"),
    [
        (fit, names(**DEMO)[:-1], "has 159 columns of esm2_t6_2M_demo, but 160 are expected"),
        (transform, names(**DEMO)[:-1], "has 159 columns of esm2_t6_2M_demo, but 160"),
        (fit, names(**DEMO)[:50] + names(**DEMO)[51:], "t4_500K_demo, without number 2, but 96"),
        (transform, [*names(**DEMO), "esm2_t6_2M_demo_160"], "has 161 columns of esm2_t6_2M_demo"),
        (transform, names(esm2_t3_100K_demo=48), "no columns of esm2_t4_500K_demo, which"),
        (fit, ["a", "b", "a"], "has two columns named 'a'; keep one, or rename it"),
        (transform, ["a", "a"], "has two columns named 'a'"),
        (fit, ["a_0", "x__a_0", "a_1"], "two columns for number 0 of 'a', 'a_0' and 'x__a_0'"),
        (fit, lists(t5=20, bert=9), "several embeddings, 't5' (20), 'bert' (9); keep one, or name"),
        (transform, lists(t5=20) + names(pc=9), "several embeddings, 't5' (20), 'pc' (9)"),
        (fit, names(**{"esm2_t3_100K_demo": 48, "esm2_t4_500K_demo_residual": 48}), "nested embed"),
        (
            compare,
            names(**DEMO)[:50] + names(**DEMO)[51:],
            "t4_500K_demo, without number 2, but 96",
        ),
        (compare, ["a", "a"], "has two columns named 'a'"),
        (compare, names(m_residual=3), "has nested embeddings m_residual, and none before them"),
        (compare, names(**DEMO, m_residual=3), "and esm2_t3_100K_demo, esm2_t4_500K_demo, esm2_t"),
    ],
)
def test_what_names_leave_open_is_refused(choose, columns, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        choose(columns)
    assert str(error.value).startswith("'x' ")
