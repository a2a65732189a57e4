"""Which models exist and the chains they form."""

from itertools import chain as flatten
from itertools import combinations
from pathlib import Path

import pytest

from sklearn_revdist.utils._models import (
    DEMO,
    ESM2,
    blocks_of_width,
    model_and_layer,
    model_name,
    resolve_chain,
)


def shorts(chain):
    return [model.short for model in resolve_chain(chain)]


@pytest.mark.parametrize("family", [ESM2, DEMO])
def test_families_grow_and_their_heads_divide_their_widths(family):
    widths = [model.width for model in family]
    assert widths == sorted(set(widths))
    assert all(model.width % (2 * model.n_heads) == 0 for model in family)
    assert all(f"_t{model.n_layers}_" in model.name for model in family)


def test_a_string_names_the_chain_up_to_a_model():
    assert shorts("8M") == ["8M"]
    assert shorts("650M") == ["8M", "35M", "150M", "650M"]
    assert shorts("esm2_t30_150M_UR50D") == ["8M", "35M", "150M"]
    assert resolve_chain("15B") == ESM2
    assert resolve_chain("demo") == resolve_chain("demo-160") == DEMO
    assert shorts("demo-96") == ["demo-48", "demo-96"]


def test_a_list_names_models_explicitly_and_keeps_their_order():
    assert shorts(["650M", "esm2_t6_8M_UR50D"]) == ["650M", "8M"]
    assert shorts(("demo-96",)) == ["demo-96"]
    assert resolve_chain(["8M", "a/b.pt", Path("c.pt")]) == (ESM2[0], Path("a/b.pt"), Path("c.pt"))


def test_hugging_faces_names_and_folders():
    assert shorts("facebook/esm2_t12_35M_UR50D") == ["8M", "35M"]
    assert shorts(["facebook/esm2_t12_35M_UR50D"]) == ["35M"]
    chain = resolve_chain(["../m.v1", "a/b/", Path("c"), "./"])
    assert chain == (Path("../m.v1"), Path("a/b"), Path("c"), Path.cwd())
    assert [model_name(entry) for entry in chain] == ["m.v1", "b", "c", Path.cwd().name]


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert resolve_chain(["~/a.pt"]) == (tmp_path / "a.pt",)


def test_names():
    assert [model_name(m) for m in resolve_chain(["8M", "x/y.z.pt"])] == ["esm2_t6_8M_UR50D", "y.z"]


@pytest.mark.parametrize(
    ("chain", "error", "message"),
    [
        ("650m", ValueError, "chain='650m' names no known model; use 'demo' or one of '8M'"),
        ("model.pt", ValueError, r"list models and checkpoints \(\.pt\) explicitly"),
        ([], ValueError, "chain is empty"),
        (["8M", "7M"], ValueError, r"chain\[1\]='7M' is neither a known model, '8M'"),
        (["demo"], ValueError, r"chain\[0\]='demo'"),
        (["a/model.safetensors"], ValueError, "or a Hugging Face folder, as in './folder'"),
        (["8M", 650], TypeError, r"chain\[1\] must be .* of type int"),
        (["8M", "35M", "8M"], ValueError, r"chain\[0\] and chain\[2\] are both named 'esm2_t6_8M"),
        (["a/m.pt", "b/m.pt"], ValueError, r"chain\[0\] and chain\[1\] are both named 'm'"),
    ],
)
def test_errors_name_the_entry(chain, error, message):
    with pytest.raises(error, match=message):
        resolve_chain(chain)


def subsets(family):
    return flatten.from_iterable(combinations(family, n) for n in range(1, len(family) + 1))


def test_every_sum_of_widths_has_one_chain():
    chains = [*subsets(ESM2), *subsets(DEMO)]
    sums = [sum(model.width for model in models) for models in chains]
    assert len(set(sums)) == len(chains) == 63 + 7
    assert [blocks_of_width(width) for width in sums] == chains


@pytest.mark.parametrize("n_features", [0, 1, 319, 321, 10401])
def test_no_chain_has_that_width(n_features):
    assert blocks_of_width(n_features) is None


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("esm2_t6_8M_UR50D", ("esm2_t6_8M_UR50D", -1)),
        ("esm2_t6_8M_UR50D_layer0", ("esm2_t6_8M_UR50D", 0)),
        ("esm2_t6_8M_UR50D_layer12_mean_max", ("esm2_t6_8M_UR50D", 12)),
        ("esm2_t6_8M_UR50D_max", ("esm2_t6_8M_UR50D", -1)),
        ("esm2_t6_8M_UR50D_tuned_layer2", ("esm2_t6_8M_UR50D_tuned", 2)),
        ("mine_layer2", ("mine", 2)),
        ("mine_layer-2", ("mine", -2)),
        ("other_layer2", ("other_layer2", -1)),
    ],
)
def test_a_block_is_named_after_its_model_and_layer(block, expected):
    assert model_and_layer(block, ["mine", "esm2_t6_8M_UR50D_tuned"]) == expected
