"""Layers and poolings on the command line are those of Python."""

import re

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, ReverseDistiller
from sklearn_revdist.embedding._checkpoints import locate
from sklearn_revdist.utils._models import resolve_chain

WILD_TYPE = "MKTAYIAKQRQISFVKSHFSRQ"
SEQUENCES = [WILD_TYPE, "MKTAYIAKQRQISFVKSHFSRA", "AKTAYIWKQRQISFVKSHFSRQ"]
CHAIN = ("-m", "demo", "-q")


@pytest.fixture(autouse=True)
def _inputs(tmp_path):
    for name, sequences in (("x", SEQUENCES), ("wild", [WILD_TYPE])):
        text = "".join(f">{name}{i}\n{sequence}\n" for i, sequence in enumerate(sequences))
        (tmp_path / f"{name}.fasta").write_text(text)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        (("--layer", "2"), {"layer": 2}),
        (("--layer", "-2"), {"layer": -2}),
        (("--layer", "0.5"), {"layer": 0.5}),
        (("--layer", "1,2,0.5"), {"layer": [1, 2, 0.5]}),
        (("--pooling", "max"), {"pooling": "max"}),
        (("--pooling", "3-5,20"), {"pooling": [3, 4, 5, 20]}),
        (
            ("--pooling", "sites", "--pooling", "7", "--reference", WILD_TYPE),
            {"pooling": ["sites", [7]], "reference": WILD_TYPE},
        ),
        (
            ("--pooling", "sites_difference", "--reference", "wild.fasta", "--layer", "1"),
            {"pooling": "sites_difference", "reference": WILD_TYPE, "layer": 1},
        ),
    ],
)
def test_options_are_the_embedders_parameters(in_process, options, parameters):
    ended = in_process("embed", "x.fasta", "-o", "x.parquet", *CHAIN, *options)
    assert ended.code == 0, ended.err
    found = pd.read_parquet("x.parquet").filter(like="esm2")
    embedder = ESMEmbedder("demo", **parameters)
    assert found.columns.tolist() == embedder.get_feature_names_out().tolist()
    np.testing.assert_array_equal(found, embedder.transform(SEQUENCES))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--layer", "last"), "'last' is not a layer; give its number"),
        (("--layer", "9"), "--layer 9 is not a layer of demo-48, which has 3"),
        (("--layer", "1,2"), "has 2 entries, but the chain has 3 models"),
        (("--pooling", "31-24"), "'31-24' is not positions, which count from 1"),
        (("--pooling", "0,3"), "'0,3' is not positions, which count from 1"),
        (("--pooling", "sites", "--reference", "no.fasta"), "There is no file 'no.fasta'"),
        (("--pooling", "median"), "'median' is neither one of mean, max"),
        (("--pooling", "sites"), "give its sequence \\(--reference\\)"),
        (("--pooling", "sites", "--reference", "x.fasta"), "'x.fasta' has 3 sequences"),
        (("--pooling", "sites", "--reference", WILD_TYPE[1:]), "Record 0 .* 22 residues"),
        (("--pooling", "23"), "none at position 23"),
        (("--residues", "--pooling", "max"), "Rows are residues, which are not pooled"),
    ],
)
def test_what_is_wrong_is_one_sentence(in_process, options, message):
    ended = in_process("embed", "x.fasta", "-o", "x.npy", *CHAIN, *options)
    assert ended.code != 0
    assert re.search(message, ended.err.replace("\n", " ")), ended.err


def test_a_distiller_of_layers_embeds_these_layers(in_process, tmp_path, rng):
    natural = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 60)) for _ in range(30)]
    (tmp_path / "n.fasta").write_text("".join(f">n\n{sequence}\n" for sequence in natural))
    ended = in_process("fit", "n.fasta", *CHAIN, "--layer", "0.5", "-o", "d.safetensors")
    assert ended.code == 0, ended.err
    distiller = ReverseDistiller.from_pretrained("d.safetensors")
    assert distiller.model_names_ == [
        "esm2_t3_100K_demo_layer2",
        "esm2_t4_500K_demo_layer2",
        "esm2_t6_2M_demo_layer3",
    ]
    ask = ("transform", "d.safetensors", "x.fasta", "-q", "-o", "y.npy")
    ended = in_process(*ask, "-n", "demo-96")
    assert ended.code == 0, ended.err
    X = ESMEmbedder("demo", layer=0.5).set_output(transform="pandas").transform(SEQUENCES)
    found = np.load("y.npy")
    expected = distiller.truncate(distiller.model_names_[1]).transform(X.iloc[:, : 48 + 96])
    np.testing.assert_array_equal(found, expected)
    for option in (("--layer", "-1"), ("--pooling", "max")):  # names decide
        ended = in_process(*ask, *option)
        assert ended.code == 2
        assert "The distiller was fitted on demo-48 layer 2, " in ended.err
    assert in_process("fit", "n.fasta", *CHAIN, "--pooling", "max", "-o", "e.safetensors").code == 2


def test_a_checkpoint_that_is_named_like_a_model_is_not_taken_for_it(in_process, tmp_path, rng):
    checkpoint = tmp_path / "esm2_t3_100K_demo_tuned.pt"
    checkpoint.write_bytes(locate(resolve_chain(["demo-48"])[0]).read_bytes())
    natural = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 60)) for _ in range(10)]
    (tmp_path / "n.fasta").write_text("".join(f">n\n{sequence}\n" for sequence in natural))
    ended = in_process("fit", "n.fasta", "-m", checkpoint, "-q", "-o", "d.safetensors")
    assert ended.code == 0, ended.err
    ask = ("transform", "d.safetensors", "x.fasta", "-q", "-o", "y.npy")
    ended = in_process(*ask)
    assert ended.code == 2
    assert "would be embedded as demo-48; give files of other models" in ended.err
    assert in_process(*ask, "-m", checkpoint).code == 0
