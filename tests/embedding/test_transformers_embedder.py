"""TransformersEmbedder: policies, poolings, layers, store, resuming, and chains of families."""

import copy
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from families import FAMILIES, rows_of
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_revdist import (
    EmbeddingStore,
    ESMEmbedder,
    PrefixCurveDisplay,
    PrefixRidgeCV,
    ReverseDistiller,
    TransformersEmbedder,
    embed_to_parquet,
    prefix_scores,
)
from sklearn_revdist.embedding._padded import PaddedModel

SEQUENCES = ["MKTAYIAKQRQISFVKSHFS", "GSH", "MLEKWCRNDQ", "ACDEFGHIKL", "P", "GSH"]
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of models by name, each made once."""
    root, made = tmp_path_factory.mktemp("families"), {}

    def folder(name):
        if name not in made:
            path = root / name
            path.mkdir(exist_ok=True)
            FAMILIES[name].make(path)
            made[name] = path
        return made[name]

    return folder


def residues_of(name, folder, sequence, layer=-1):
    """Rows of the residues of one sequence, by the library's own class."""
    rows = rows_of(name, folder, sequence)[layer].numpy()
    before, after = len(FAMILIES[name].before), len(FAMILIES[name].after)
    return rows[before : len(rows) - after]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_is_the_mean_over_the_residues_alone(folders, name):
    folder = folders(name)
    expected = [residues_of(name, folder, s).mean(axis=0) for s in SEQUENCES]
    np.testing.assert_allclose(
        TransformersEmbedder([folder]).transform(SEQUENCES), expected, **CLOSE
    )


@pytest.mark.parametrize("name", ["esmc", "prot_t5", "roberta"])
def test_layers_poolings_and_windows_equal_their_definitions(folders, name):
    folder = folders(name)
    embedder = TransformersEmbedder([folder], layer=[1], pooling=["max", "eos", [1, 3]])
    found = embedder.transform(SEQUENCES[:1])[0].reshape(3, 24)
    rows = residues_of(name, folder, SEQUENCES[0], layer=1)
    last = rows_of(name, folder, SEQUENCES[0])[1][-1].numpy()
    np.testing.assert_allclose(found, [rows.max(0), last, rows[[0, 2]].mean(0)], **CLOSE)
    names = embedder.get_feature_names_out()
    assert names[[0, -1]].tolist() == [f"{name}_layer1_max_eos_positions_{j}" for j in (0, 71)]
    one, other = (residues_of(name, folder, s) for s in (SEQUENCES[0][:4], SEQUENCES[0][2:6]))
    weights = np.array([1, 2, 2, 1])
    total = np.zeros(6)
    total[:4] += weights
    total[2:] += weights
    windows = np.zeros((6, 24))
    windows[:4] += one * (weights / total[:4])[:, None]
    windows[2:] += other * (weights / total[2:])[:, None]
    windowed = TransformersEmbedder([folder], max_length=4).transform([SEQUENCES[0][:6]])
    np.testing.assert_allclose(windowed[0], windows.mean(axis=0), **CLOSE)


def test_residues_and_layers_come_from_the_same_rows(folders):
    embedder = TransformersEmbedder([folders("esmc"), folders("prot_t5")])
    blocks, index = zip(*embedder.iter_residues(SEQUENCES, block_rows=7), strict=True)
    rows, index = np.concatenate(blocks), np.concatenate(index)
    means = pd.DataFrame(rows).groupby(index).mean().to_numpy()
    np.testing.assert_allclose(means, embedder.transform(SEQUENCES), **CLOSE)
    layers = embedder.transform_layers(SEQUENCES, [0, -1])
    np.testing.assert_allclose(layers["prot_t5"][1], means[:, 24:], **CLOSE)
    assert embedder.layer_numbers() == {"esmc": [0, 1, 2, 3], "prot_t5": [0, 1, 2, 3]}


def test_models_of_esm_2_are_those_of_esm_embedder(folders):
    chain = ["demo-48", folders("esmc"), "esm2_t6_2M_demo"]
    found = TransformersEmbedder(chain).transform(SEQUENCES)
    expected = ESMEmbedder(["demo-48", "demo-160"]).transform(SEQUENCES)
    assert np.array_equal(np.delete(found, np.s_[48:72], axis=1), expected)


@pytest.mark.parametrize(
    ("name", "unknown", "sequence", "same_as"),
    [
        ("esm2", "mask", "MXK", "M<mask>K"),
        ("prot_bert", "X", "MBK*A", "MXKXA"),
        ("prot_t5", "X", "MUZOBK", "MXXXXK"),
        ("esmc", "keep", "mUk", "MUK"),
    ],
)
def test_the_policy_on_ambiguous_residues(folders, name, unknown, sequence, same_as):
    embedder = TransformersEmbedder([folders(name)], unknown=unknown)
    found = embedder.transform([sequence, same_as, "MAK"])
    assert np.array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0.01
    with pytest.raises(ValueError, match=r"^Record 0 .* the ambiguous residue "):
        TransformersEmbedder([folders(name)]).transform([sequence.upper()])


@pytest.mark.parametrize(
    ("name", "settings", "sequences", "message"),
    [
        (
            "prot_t5",
            {"unknown": "mask"},
            ["MK", "MX"],
            r"^Record 1 .* '<mask>' at position 2 .* pro",
        ),
        (
            "prot_t5",
            {"pooling": "cls"},
            ["MK"],
            r"^pooling='cls' takes .* before the residues, whi",
        ),
        (
            "prot_bert",
            {},
            ["MK", "M" * 41],
            r"^Record 1 .* 41 residues, but prot_bert has positions",
        ),
        ("roberta", {"layer": 4}, ["MK"], r"^layer=4 is not a layer of roberta, which has 3"),
    ],
)
def test_what_a_model_cannot_do_is_said_before_anything_is_embedded(
    folders, tmp_path, name, settings, sequences, message
):
    store = tmp_path / "store.sqlite"
    with pytest.raises(ValueError, match=message):
        TransformersEmbedder([folders(name)], store=store, **settings).transform(sequences)
    if store.exists():
        with EmbeddingStore(store) as kept:
            assert kept.contents().empty


@pytest.mark.parametrize(
    ("chain", "error", "message"),
    [
        ([], ValueError, "chain is empty; name at least one model"),
        (["prot_t5_xl"], ValueError, r"^chain\[0\]='prot_t5_xl' is neither a repository of Hugg"),
        (["8M", "../x/y"], ValueError, r"^chain\[1\]='\.\./x/y' is neither a repository of Hugg"),
        (["a/b?c"], ValueError, r"^chain\[0\]='a/b\?c' is neither a repository of Hugging Face"),
        ([8], TypeError, r"^chain\[0\] must be a repository or the path of a folder, but it is of"),
        (
            "biohub/ESMC-300M-hf",
            ValueError,
            "The 'chain' parameter .* must be an instance of 'list",
        ),
    ],
)
def test_chains_that_are_not_valid(chain, error, message):
    with pytest.raises(error, match=message):
        TransformersEmbedder(chain).fit(["MK"])


def test_arrays_of_a_pipeline_keep_the_names_of_models(folders, rng):
    embedder = TransformersEmbedder([folders("prot_t5"), folders("esmc")], layer=[2, -1])
    assert embedder.model_widths() == {"prot_t5_layer2": 24, "esmc": 24}
    distiller = ReverseDistiller(embedder.model_widths(), n_new=[6])
    sequences = ["".join(rng.choice(list("ACDEFGHIKLM"), size=9)) for _ in range(60)]
    model = make_pipeline(embedder, distiller, PrefixRidgeCV()).fit(sequences, rng.normal(size=60))
    names = model[:-1].get_feature_names_out()
    assert names[[0, 24]].tolist() == ["prot_t5_layer2_0", "esmc_residual_0"]
    display = PrefixCurveDisplay.from_estimator(model)
    assert display.models == {"prot_t5_layer2": 24, "esmc": 30}
    assert prefix_scores(model, sequences, range(60), cv=2)["model"].unique().tolist() == [
        "prot_t5_layer2",
        "esmc",
    ]


def test_two_models_of_one_name_are_refused(folders, tmp_path):
    again = tmp_path / "esmc"
    again.mkdir()
    FAMILIES["esmc"].make(again)
    with pytest.raises(ValueError, match=r"^chain\[0\] and chain\[1\] are both named 'esmc'"):
        TransformersEmbedder([folders("esmc"), again]).transform(["MK"])


def test_nothing_is_read_when_it_is_made_copied_or_pickled(tmp_path):
    embedder = TransformersEmbedder([tmp_path / "nowhere"], layer=0.5)
    for same in (clone(embedder), copy.deepcopy(embedder), pickle.loads(pickle.dumps(embedder))):
        assert same.get_params() == embedder.get_params()
    assert len(TransformersEmbedder().chain) == 2


@pytest.fixture
def batches(monkeypatch):
    """Numbers and longest lengths of the sequences of every batch."""
    sizes, forward = [], PaddedModel.forward

    def counted(self, sequences, layers):
        sizes.append((len(sequences), max(map(len, sequences))))
        return forward(self, sequences, layers)

    monkeypatch.setattr(PaddedModel, "forward", counted)
    return sizes


def test_padding_counts_in_a_batch_and_duplicates_are_embedded_once(folders, batches):
    embedder = TransformersEmbedder([folders("esm2")], batch_tokens=24)
    embedder.transform(["MKTAYIAK"])
    batches.clear()
    embedder.transform(["A" * 10, "C", "D", "E" * 10, "F" * 4, "C"])
    assert batches == [(2, 10), (3, 4)]


def test_the_store_keeps_what_was_embedded(folders, tmp_path, batches):
    chain = [folders("esmc"), folders("prot_t5")]
    embedder = TransformersEmbedder(chain, store=tmp_path / "store.sqlite")
    first = embedder.transform(SEQUENCES)
    batches.clear()
    assert np.array_equal(embedder.transform(SEQUENCES), first)
    assert batches == []
    # by another tokenizer it would be another embedding
    assert clone(embedder).set_params(chain=chain[:1]).fingerprint() != embedder.fingerprint()


def test_the_fingerprint_depends_on_the_tokenizer(folders, tmp_path):
    folder = tmp_path / "esmc"
    folder.mkdir()
    FAMILIES["esmc"].make(folder)
    before = TransformersEmbedder([folder]).fingerprint()
    assert before == TransformersEmbedder([folder]).fingerprint()
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    assert TransformersEmbedder([folder]).fingerprint() != before


def test_a_killed_process_loses_only_the_batches_being_computed(folders, tmp_path, batches):
    store = tmp_path / "store.sqlite"
    code = f"""
        import os, sys
        from sklearn_revdist import TransformersEmbedder
        from sklearn_revdist.embedding import _assembly
        from sklearn_revdist.embedding._padded import PaddedModel
        _assembly.FLUSH_SECONDS = 0
        forward = PaddedModel.forward
        def dying(self, sequences, layers):
            if len(sequences[0]) == 1:
                os._exit(9)
            return forward(self, sequences, layers)
        PaddedModel._check = lambda self, name: None
        PaddedModel.forward = dying
        chain = [{str(folders("esmc"))!r}]
        embedder = TransformersEmbedder(chain, store={str(store)!r}, batch_tokens=1)
        embedder.transform({SEQUENCES!r})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == 9
    embedder = TransformersEmbedder([folders("esmc")], batch_tokens=1)
    expected = embedder.transform(SEQUENCES)
    batches.clear()
    found = embedder.set_params(store=store).transform(SEQUENCES)
    np.testing.assert_allclose(found, expected, **CLOSE)
    assert 1 <= len(batches) < 5
    assert batches[-1] == (1, 1)


def test_embed_to_parquet_goes_on_and_equals_transform(folders, tmp_path, batches):
    pytest.importorskip("pyarrow", reason="needs the extra io")
    embedder = TransformersEmbedder([folders("prot_bert"), "demo-48"])
    how = {"names": list("abcdef"), "tokens_per_part": 12}
    manifest = embed_to_parquet(embedder, SEQUENCES, tmp_path, **how)
    assert manifest["columns"] == {"prot_bert": 24, "esm2_t3_100K_demo": 48}
    parts = sorted(Path(tmp_path, "embeddings").glob("*.parquet"))
    assert len(parts) > 2
    parts[1].unlink()
    batches.clear()
    assert embed_to_parquet(embedder, SEQUENCES, tmp_path, **how) == manifest
    assert len(batches) == 1
    rows = pd.read_parquet(tmp_path / "records.parquet")["row"]
    table = pd.read_parquet(tmp_path / "embeddings").iloc[rows]
    found = table[embedder.get_feature_names_out()].to_numpy()
    np.testing.assert_allclose(found, embedder.transform(SEQUENCES), **CLOSE)


@pytest.fixture(scope="module")
def proteins():
    rng = np.random.default_rng(0)
    return [
        "".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), n)) for n in rng.integers(20, 40, size=300)
    ]


def test_a_chain_of_two_families_is_distilled_and_nests(folders, proteins):
    small, large = folders("prot_t5"), "demo-96"
    embedder = TransformersEmbedder([small, large]).set_output(transform="pandas")
    distiller = make_pipeline(embedder, ReverseDistiller(n_new=[30], regressor="ols")).fit(proteins)
    nested = distiller.transform(proteins)
    H1 = TransformersEmbedder([small]).transform(proteins)
    assert np.array_equal(nested[:, :24], H1)
    assert list(distiller[-1].model_names_) == ["prot_t5", "esm2_t4_500K_demo"]
    new = nested[:, 24:] - nested[:, 24:].mean(axis=0)
    centred = H1 - H1.mean(axis=0)
    scale = np.linalg.norm(new, axis=0)[:, None] * np.linalg.norm(centred, axis=0)
    assert np.abs(new.T @ centred / scale).max() < 1e-3


def test_a_search_over_layers_of_a_pipeline(folders, proteins):
    y = np.array([s.count("A") + 0.1 * len(s) for s in proteins])
    embedder = TransformersEmbedder([folders("esmc"), "demo-48"]).set_output(transform="pandas")
    pipeline = make_pipeline(embedder, ReverseDistiller(), Ridge())
    grid = {"transformersembedder__layer": [0.5, -1], "reversedistiller__n_components": [24, 48]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(proteins, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(proteins).shape == y.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", FAMILIES)
def test_half_precision_on_cuda(folders, name):
    embedder = TransformersEmbedder([folders(name)], device="cpu")
    single = embedder.transform(SEQUENCES)
    half = clone(embedder).set_params(device="cuda").transform(SEQUENCES)
    np.testing.assert_allclose(half, single, rtol=0.1, atol=0.1)
