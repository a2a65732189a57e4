"""ESMEmbedder: what it computes, what it refuses, and how it fits into scikit-learn."""

import pickle
import subprocess
import sys
import textwrap
import warnings
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_revdist import ESMEmbedder, load_secondary_structure
from sklearn_revdist.embedding import _bfloat16, _checkpoints, _esm2, _inference
from sklearn_revdist.sequences._tokens import AMINO_ACIDS
from sklearn_revdist.utils import _file_states

SEQUENCES = ["MKTAYIAKQRQ", "W", "GSHMLE<mask>K", "ACDEFGHIKLMNPQRSTVWY" * 3, "<mask>", "MKV"]


@pytest.fixture(scope="module")
def chain(tmp_path_factory, write_checkpoint):
    """Paths of three small models of growing width."""
    folder = tmp_path_factory.mktemp("chain")
    return [
        str(write_checkpoint(folder / f"{name}.pt", n_layers, width, 3, seed=width))
        for name, n_layers, width in [("a", 1, 12), ("b", 2, 24), ("c", 2, 36)]
    ]


def random_sequences(n, low=1, high=40):
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list(AMINO_ACIDS), size=rng.integers(low, high))) for _ in range(n)]


def all_residues(embedder, X, **kwargs):
    rows, index = zip(*embedder.iter_residues(X, **kwargs), strict=True)
    return np.concatenate(rows), np.concatenate(index)


# ------------------------------------------------------------------------ embeddings


@pytest.mark.parametrize("batch_tokens", [1, 20, 4096])
def test_equals_the_mean_of_fair_esms_rows(chain, fair_esm, batch_tokens):
    embedder = ESMEmbedder(chain, batch_tokens=batch_tokens)
    for sequences in (SEQUENCES, SEQUENCES[::-1]):
        found = embedder.transform(sequences)
        assert found.dtype == np.float32
        fair_esm.means(chain, sequences).assert_matched(found)


@pytest.mark.parametrize("block_rows", [1, 7, 8192])
def test_residues_equal_fair_esms_rows(chain, fair_esm, block_rows):
    embedder = ESMEmbedder(chain, batch_tokens=20)
    blocks = list(embedder.iter_residues(SEQUENCES, block_rows=block_rows))
    rows, index = map(np.concatenate, zip(*blocks, strict=True))
    assert {len(block) for block, _ in blocks[:-1]} <= {block_rows}
    assert 0 < len(blocks[-1][0]) <= block_rows
    assert (rows.dtype, index.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(index, np.repeat(range(6), [11, 1, 8, 60, 1, 3]))
    fair_esm.residues(chain, SEQUENCES).assert_matched(rows)


@pytest.mark.parametrize("n_regroupings", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_natural_sequences_regrouped_at_random(n_regroupings, rng, fair_esm):
    """Order, neighbours, duplicates and budget are drawn anew; the embedding stays."""
    chains, _ = load_secondary_structure(return_X_y=True)
    chains = sorted({s for s in chains if 30 <= len(s) <= 150 and set(s) <= set(AMINO_ACIDS)})
    chains = np.array([chains[i] for i in rng.choice(len(chains), size=64, replace=False)])
    expected = fair_esm.means("demo-48", chains)
    for _ in range(n_regroupings):
        order = rng.permutation(np.r_[0:64, rng.integers(0, 64, size=8)])
        embedder = ESMEmbedder("demo-48", batch_tokens=int(rng.integers(1, 4096)))
        groups = np.array_split(order, rng.integers(1, 9))
        found = [embedder.transform(chains[group]) for group in groups]
        expected.map(lambda means, order=order: means[order]).assert_matched(np.vstack(found))
        for group, rows in zip(groups, found, strict=True):
            _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
            np.testing.assert_array_equal(rows, rows[first[inverse]])


def test_the_order_of_the_chain_is_the_order_of_the_blocks(chain):
    a, b, c = (ESMEmbedder([path]).transform(SEQUENCES) for path in chain)
    np.testing.assert_array_equal(
        ESMEmbedder(chain[::-1]).transform(SEQUENCES), np.hstack([c, b, a])
    )


def test_duplicates_are_embedded_once(chain, embedded):
    sequences = ["MKT", "ACDE", "mkt", " MKT\n", "acde", "W"]
    found = ESMEmbedder(chain[:2]).transform(sequences)
    assert sorted(embedded) == [1, 1, 3, 3, 4, 4]  # two models
    np.testing.assert_array_equal(found[[0, 0, 1]], found[[2, 3, 4]])
    assert len(np.unique(found, axis=0)) == 3


def test_duplicates_are_residues_of_their_own(chain):
    rows, index = all_residues(ESMEmbedder(chain), ["MK", "ACD", "MK"])
    assert index.tolist() == [0, 0, 1, 1, 1, 2, 2]
    np.testing.assert_array_equal(rows[:2], rows[-2:])


def test_ambiguous_residues_may_be_masked_or_x_or_kept(chain, fair_esm):
    policies = {"mask": "MK<mask>T<mask><mask>", "X": "MKXTXX", "keep": "MKBTUZ"}
    for unknown, sequence in policies.items():
        found = ESMEmbedder(chain[:1], unknown=unknown).transform(["MKBTUZ"])
        fair_esm.means(chain[:1], [sequence]).assert_matched(found)


@pytest.mark.parametrize("embed", ["transform", "fit_transform", "iter_residues"])
def test_a_call_warns_once_of_stop_codons_and_of_nucleotides(embed):
    embedder = ESMEmbedder("demo-48")
    sequences = ["ATGGCTAGCAAAGGAGAAGAACTTTTC*", "ATGGCTAGCAAAGGAGAAGAACTTTTC", "TACGTA*"]
    with pytest.warns(UserWarning, match="2 of 3 sequences end in|3 of 3 .* like nucl") as caught:
        found = list(getattr(embedder, embed)(sequences))
    assert len(caught) == 2
    expected = ESMEmbedder("demo-48").transform([sequences[1]])[0]
    if embed == "iter_residues":
        assert len(found[0][0]) == 27 + 27 + 6
    else:
        np.testing.assert_array_equal(found[:2], [expected, expected])


@pytest.mark.parametrize(("native", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_fast_is_stored_as_the_precision_that_it_is(
    chain, path, embedded, monkeypatch, native, dtype
):
    monkeypatch.setattr(_bfloat16, "is_native", lambda: native)
    fast = ESMEmbedder(chain, device="cpu", dtype="fast", store=path)
    named = ESMEmbedder(chain, device="cpu", dtype=dtype, store=path)
    found = fast.transform(SEQUENCES)
    assert fast.fingerprint() == named.fingerprint()
    embedded.clear()
    np.testing.assert_array_equal(named.transform(SEQUENCES), found)
    assert embedded == []
    alone = ESMEmbedder(chain, device="cpu", dtype=dtype).transform(SEQUENCES)
    np.testing.assert_array_equal(alone, found)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_gives_float32_that_is_close(chain, fair_esm, dtype):
    rough = ESMEmbedder(chain, dtype=dtype).transform(SEQUENCES)
    assert rough.dtype == np.float32
    fair_esm.means(chain, SEQUENCES).assert_rounded(rough, getattr(torch, dtype))


def test_auto_precision_begins_with_what_suits_the_device(chain, monkeypatch):
    halves = torch.float16, torch.bfloat16
    monkeypatch.setattr(_inference, "resolve_dtypes", lambda dtype, device: halves)
    found = ESMEmbedder(chain).transform(SEQUENCES)
    np.testing.assert_array_equal(found, ESMEmbedder(chain, dtype="float16").transform(SEQUENCES))


# -------------------------------------------------------------------- long sequences

LONG = ["ACDEFGHIKLMNPQRSTVWY", "MKT", "WYWYWYWYWYWYWYW"]


@pytest.mark.parametrize("long", ["window", "truncate", "error"])
def test_max_length_does_not_touch_what_fits(chain, long):
    plain = ESMEmbedder(chain).transform(LONG)
    found = ESMEmbedder(chain, max_length=20, long=long).transform(LONG)
    np.testing.assert_array_equal(found, plain)


def test_windows_average_overlapping_residues(chain, fair_esm):
    # two windows of 12 residues that share 4 would not share half, so there are three
    windows = [LONG[0][start : start + 12] for start in (0, 4, 8)]
    triangle = np.minimum(np.arange(1, 13), np.arange(12, 0, -1))

    def averaged(rows):
        total, weight = np.zeros((20, 12), rows.dtype), np.zeros((20, 1), rows.dtype)
        for start, window in zip((0, 4, 8), rows.reshape(3, 12, 12), strict=True):
            total[start : start + 12] += triangle[:, None].astype(rows.dtype) * window
            weight[start : start + 12, 0] += triangle
        return total / weight

    expected = fair_esm.residues(chain[:1], windows).map(averaged)
    embedder = ESMEmbedder(chain[:1], max_length=12)
    residues, index = all_residues(embedder, LONG)
    assert np.bincount(index).tolist() == [20, 3, 15]
    expected.assert_matched(residues[:20])
    pooled = embedder.transform(LONG)
    expected.map(lambda rows: rows.mean(0)).assert_matched(pooled[0])
    fair_esm.means(chain[:1], ["MKT"]).assert_matched(pooled[1:2])


def test_windows_leave_a_constant_constant(chain, monkeypatch):
    def constant(self, sequences, layers):
        yield torch.full((sum(len(sequence) + 2 for sequence in sequences), self.width), 1.5)

    monkeypatch.setattr(_esm2.ESM2, "forward", constant)
    embedder = ESMEmbedder(chain, max_length=7)
    np.testing.assert_allclose(embedder.transform(LONG), 1.5, rtol=1e-6)
    np.testing.assert_allclose(all_residues(embedder, LONG)[0], 1.5, rtol=1e-6)


def test_no_window_exceeds_max_length(chain, embedded):
    ESMEmbedder(chain, max_length=7).transform(LONG)
    assert max(embedded) == 7


def test_truncation_warns_once(chain):
    embedder = ESMEmbedder(chain, max_length=5, long="truncate")
    with pytest.warns(UserWarning, match="2 of 3 sequences exceed max_length=5") as caught:
        found = embedder.fit_transform(LONG)
    assert len(caught) == 1
    np.testing.assert_array_equal(
        found, ESMEmbedder(chain).transform([sequence[:5] for sequence in LONG])
    )


def test_too_long_may_be_an_error(chain, embedded):
    embedder = ESMEmbedder(chain, max_length=15, long="error")
    with pytest.raises(
        ValueError, match=r"1 of 3 .* max_length=15 .* record 0 \(counting from 0\)"
    ):
        embedder.transform(LONG)
    assert embedded == []


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("MKT", TypeError, "got a single string"),
        ([], ValueError, "at least one sequence"),
        (["MKT", None], TypeError, r"Record 1 \(counting from 0\) is not a string"),
        (["MKT", ""], ValueError, r"Record 1 \(counting from 0\) is empty"),
        (["MKT", "AC X"], ValueError, r"Record 1 .* whitespace .* at position 3 "),
        (["MKT", "ACX"], ValueError, r"Record 1 .* residue 'X' at position 3 .* unknown='mask'"),
        (pd.DataFrame({"a": ["MKT"], "b": ["MKT"]}), ValueError, r"shape \(1, 2\)"),
    ],
)
def test_bad_input_is_one_error_before_anything_is_embedded(chain, embedded, X, error, message):
    embedder = ESMEmbedder(chain)
    before = dict(vars(embedder))
    for method in (embedder.fit, embedder.transform, embedder.iter_residues):
        with pytest.raises(error, match=message):
            method(X)
    assert vars(embedder) == before
    assert embedded == []


@pytest.mark.parametrize("chain", [650, {"8M"}, None])
@pytest.mark.parametrize("use", [ESMEmbedder.get_feature_names_out, ESMEmbedder.fingerprint])
def test_a_chain_is_a_name_or_a_list(chain, use):
    with pytest.raises(InvalidParameterError, match="'chain' parameter of ESMEmbedder must be an"):
        use(ESMEmbedder(chain))


def test_parameters_are_checked_without_fit(chain):
    for method in ("fit", "transform", "iter_residues"):
        with pytest.raises(InvalidParameterError, match="'batch_tokens' parameter of ESMEmbedder"):
            getattr(ESMEmbedder(chain, batch_tokens=0), method)(SEQUENCES)
        with pytest.raises(ValueError, match="chain='7M' names no known model"):
            getattr(ESMEmbedder("7M"), method)(SEQUENCES)
    with pytest.raises(ValueError, match="block_rows == 0, must be >= 1"):
        ESMEmbedder(chain).iter_residues(SEQUENCES, block_rows=0)
    with pytest.raises(ValueError, match="device='gpu' cannot be used"):
        ESMEmbedder(chain, device="gpu").transform(SEQUENCES)


@pytest.mark.parametrize("method", ["transform", "iter_residues"])
def test_all_weights_are_looked_for_before_any_model_runs(chain, embedded, method):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*none\.pt'"):
        getattr(ESMEmbedder([*chain, "none.pt"]), method)(SEQUENCES)
    assert embedded == []


def test_a_hugging_face_folder_gives_the_same_embeddings(tmp_path, tiny, hugging_face):
    folder = hugging_face(tmp_path / "m.v1", n_parts=2)
    embedder = ESMEmbedder([folder], store=tmp_path / "store.sqlite")
    expected = ESMEmbedder([tiny]).transform(SEQUENCES)
    np.testing.assert_array_equal(embedder.transform(SEQUENCES), expected)
    assert embedder.get_feature_names_out()[0] == "m.v1_0"


def test_a_file_under_another_models_name_is_an_error(tmp_path, monkeypatch, chain):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    file = tmp_path / "checkpoints" / "esm2_t6_8M_UR50D.pt"
    file.write_bytes(Path(chain[0]).read_bytes())
    with pytest.raises(ValueError, match=r"8M_UR50D\.pt' holds a model of 1 layers, width 12 "):
        ESMEmbedder("8M").transform(SEQUENCES)


def test_out_of_memory_on_one_sequence_names_it(chain, monkeypatch):
    def forward(self, sequences, layers):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(_esm2.ESM2, "forward", forward)
    with pytest.raises(MemoryError, match=r"Record 3 \(counting from 0\): 60 residues .* for a in"):
        ESMEmbedder(chain).transform(SEQUENCES)


# ---------------------------------------------------------------------- scikit-learn

CHECKS = [  # those of check_estimator that need no numeric input
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_param_validation",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("check", [c for c in CHECKS if hasattr(estimator_checks, c)])
def test_common_checks(check):
    getattr(estimator_checks, check)("ESMEmbedder", ESMEmbedder())


def test_tags():
    tags = get_tags(ESMEmbedder())
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit


def test_fit_only_checks(chain, embedded):
    embedder = ESMEmbedder(chain)
    before = dict(vars(embedder))
    assert embedder.fit(SEQUENCES) is embedder
    assert vars(embedder) == before
    assert embedded == []
    np.testing.assert_array_equal(embedder.fit_transform(SEQUENCES), embedder.transform(SEQUENCES))


def test_clones_share_models_that_are_loaded_once(chain, loads):
    pipeline = make_pipeline(ESMEmbedder(chain), Ridge())
    y = np.random.default_rng(0).normal(size=20)
    cross_val_score(pipeline, random_sequences(20), y, cv=4)
    clone(ESMEmbedder(chain)).transform(SEQUENCES)
    assert sorted(loads) == ["a", "b", "c"]


def test_a_used_embedder_is_a_small_pickle_that_works(chain):
    embedder = ESMEmbedder(chain)
    expected = embedder.fit_transform(SEQUENCES)
    pickled = pickle.dumps(embedder)
    assert len(pickled) < 10_000
    np.testing.assert_array_equal(pickle.loads(pickled).transform(SEQUENCES), expected)


def test_feature_names(chain):
    names = ESMEmbedder(chain[:2]).get_feature_names_out()
    assert names.dtype == object
    assert names.tolist() == [f"a_{j}" for j in range(12)] + [f"b_{j}" for j in range(24)]


def test_feature_names_of_known_models_need_no_weights(hub):
    names = ESMEmbedder().get_feature_names_out(["sequence"])
    assert len(names) == 320 + 480 + 640 + 1280
    assert names[[0, 320, -1]].tolist() == [
        "esm2_t6_8M_UR50D_0",
        "esm2_t12_35M_UR50D_0",
        "esm2_t33_650M_UR50D_1279",
    ]


def test_a_checkpoint_is_read_once_for_its_width_and_once_for_its_model(
    tmp_path, write_checkpoint, hugging_face, models, monkeypatch
):
    """Later calls read nothing, and a file that was replaced is noticed."""
    monkeypatch.setattr(_file_states, "_RACY_NS", 0)
    monkeypatch.setattr(_checkpoints, "_shapes", {})
    monkeypatch.setattr(_checkpoints, "_intact", defaultdict(dict))
    file, folder = write_checkpoint(tmp_path / "a.pt"), hugging_face(tmp_path / "b.v1")
    reads = []

    def counted(on, name):
        original = getattr(on, name)

        def read(*args, **kwargs):
            reads.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(on, name, read)

    counted(torch, "load")
    counted(zipfile.ZipFile, "testzip")
    counted(_checkpoints, "check_fetched")
    counted(_checkpoints, "load_file")
    embedder = ESMEmbedder([file, folder])
    names = embedder.get_feature_names_out().tolist()
    assert reads == ["load", "load_file"]
    checked = ["check_fetched"] * 2  # configuration and weights
    for _ in range(2):
        assert embedder.get_feature_names_out().tolist() == names
        assert embedder.transform(SEQUENCES).shape == (6, 48)
        assert reads == ["load", "load_file", "testzip", "load", *checked, "load_file"]
    models._models.clear()
    embedder.transform(SEQUENCES)
    assert reads[7:] == ["load", "load_file"]
    write_checkpoint(file, width=12)
    assert len(embedder.get_feature_names_out()) == 12 + 24
    assert embedder.transform(SEQUENCES).shape == (6, 36)
    assert reads.count("testzip") == 2


def test_damage_to_weights_is_found_when_they_are_loaded(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(_file_states, "_RACY_NS", 0)
    content = bytearray(tiny.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "m.pt").write_bytes(content)
    embedder = ESMEmbedder([str(tmp_path / "m.pt")])
    assert len(embedder.get_feature_names_out()) == 24
    for _ in range(2):
        with pytest.raises(ValueError, match=r"m\.pt' is not a checkpoint that can be read safely"):
            embedder.transform(SEQUENCES)


def test_pandas_output_keeps_the_index(chain):
    X = pd.DataFrame({"sequence": SEQUENCES}, index=[3, 1, 4, 5, 9, 2])
    embedder = ESMEmbedder(chain).set_output(transform="pandas")
    found = embedder.fit_transform(X)
    assert found.index.equals(X.index)
    assert found.columns.tolist() == embedder.get_feature_names_out().tolist()
    np.testing.assert_array_equal(found, ESMEmbedder(chain).transform(SEQUENCES))


@pytest.mark.parametrize("column", ["sequence", ["sequence"]])
def test_column_transformer(chain, column):
    frame = pd.DataFrame({"sequence": SEQUENCES, "ph": np.linspace(5, 8, len(SEQUENCES))})
    columns = ColumnTransformer(
        [("esm", ESMEmbedder(chain), column), ("rest", "passthrough", ["ph"])]
    )
    found = columns.fit_transform(frame)
    np.testing.assert_array_equal(found[:, :-1], ESMEmbedder(chain).transform(SEQUENCES))
    np.testing.assert_array_equal(found[:, -1], frame["ph"])
    assert columns.get_feature_names_out()[[0, -1]].tolist() == ["esm__a_0", "rest__ph"]


def test_frozen_and_unfitted(chain):
    frozen = make_pipeline(FrozenEstimator(ESMEmbedder(chain)), Ridge())
    y = np.arange(len(SEQUENCES), dtype=float)
    assert frozen.fit(SEQUENCES, y).predict(SEQUENCES).shape == y.shape


def test_progress_goes_to_standard_error_and_only_on_request(chain, capfd, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.utils._progress._QUICK", 0)
    for call in (ESMEmbedder.transform, all_residues):
        call(ESMEmbedder(chain), SEQUENCES)
        assert capfd.readouterr() == ("", "")
        call(ESMEmbedder(chain, verbose=True), SEQUENCES)
        out, err = capfd.readouterr()
        assert out == ""
        assert "100 % of 84.0 residues" in err


def test_torch_is_imported_when_a_model_is_used_and_not_before(chain):
    program = f"""
    import pickle, sys
    from sklearn.base import clone
    from sklearn_revdist import ESMEmbedder

    embedder = pickle.loads(pickle.dumps(clone(ESMEmbedder())))
    embedder.get_params(), repr(embedder), embedder.get_feature_names_out()
    embedder.fit(["MKT"])
    assert not {{"torch", "esm"}} & set(sys.modules)
    ESMEmbedder([{chain[0]!r}]).transform(["MKT"])
    assert "torch" in sys.modules
    assert "esm" not in sys.modules
    """
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_global_state_is_left_alone(chain):
    before = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        next(ESMEmbedder(chain).iter_residues(SEQUENCES, block_rows=1))
        assert not torch.is_inference_mode_enabled()
    after = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()
    assert before == after


@pytest.mark.parametrize(
    ("native", "dtype", "hinted"),
    [(True, "auto", True), (True, "float32", False), (False, "auto", False)],
)
def test_progress_hints_at_a_faster_precision(chain, capsys, monkeypatch, native, dtype, hinted):
    monkeypatch.setattr("sklearn_revdist.embedding._bfloat16.is_native", lambda: native)
    monkeypatch.setattr("sklearn_revdist.utils._progress._QUICK", 0)
    ESMEmbedder(chain, verbose=True, device="cpu", dtype=dtype).transform(SEQUENCES)
    assert ("dtype fast is faster here" in capsys.readouterr().err) is hinted
