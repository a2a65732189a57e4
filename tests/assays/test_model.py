"""VariantModel: predictions are those of its estimator, on the weights of the training alone."""

import json
import tempfile
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import (
    ESMEmbedder,
    TransformersEmbedder,
    VariantModel,
    make_variant_model,
    mutate,
    read_assay,
)
from sklearn_revdist.assays._familiarity import familiarity
from sklearn_revdist.assays._variant_model import ALIGNED, embedders_of

EMBEDDER = ESMEmbedder("demo-48")
WILD_TYPE = "MKTAYIAK"
MUTANTS = ["K2R", "K2A", "T3S", "T3A", "A4G", "A4S", "Y5F", "I6L", "K2R:A4G", "T3S:Y5F", "WT"]


@pytest.fixture
def short(tmp_path):
    """Ten variants of eight residues."""
    path = tmp_path / "short.csv"
    rows = [f"{mutant},{(-2) ** i / 100}" for i, mutant in enumerate(MUTANTS)]
    path.write_text("\n".join(["mutant,activity", *rows]))
    return read_assay(path, "activity", reference=WILD_TYPE)


@pytest.fixture(scope="module")
def model(assay):
    return VariantModel.train(assay, EMBEDDER)


def settings(model):
    """What is set in the parts that use language models."""
    return [
        {name: getattr(part, name) for name in ("store", "device", "verbose")}
        for part in embedders_of(model.estimator)
    ]


def test_predictions_are_those_of_the_estimator_in_the_order_of_the_rows(assay, scan, model):
    new = [*scan.data[7:400:9], assay.sequences[0]]
    found = model.predict(new)
    estimator = make_variant_model(EMBEDDER, reference=scan.wild_type)
    estimator.fit(assay.sequences, assay.target)
    predicted, std = estimator.predict(new, return_std=True)
    expected = np.column_stack([predicted, std, estimator.predict_interval(new, 0.9)])
    np.testing.assert_allclose(found.iloc[:, :4], expected, rtol=1e-5)
    named = ["predicted", "std", "lower_90", "upper_90", "substitutions", "identity", "unlike"]
    assert found.columns.tolist() == named
    known = assay.sequences, scan.wild_type, estimator._left_out_std
    expected = familiarity(new, found["std"].to_numpy(), *known)
    pd.testing.assert_frame_equal(found.iloc[:, 4:], expected)
    order = np.random.default_rng(0).permutation(len(new))
    shuffled = model.predict([new[i] for i in order])
    for column in ("predicted", "std", "identity"):
        np.testing.assert_allclose(shuffled[column], found[column].iloc[order], rtol=1e-5)
    assert shuffled["unlike"].tolist() == found["unlike"].iloc[order].tolist()


def test_all_kinds_of_lists_are_taken_and_nothing_else(short):
    model = VariantModel.train(short, features=["one_hot"])
    sequences = ["MRTAYIAK", "mkwayiak"]
    expected = model.predict(sequences)
    for given in (tuple(sequences), np.array(sequences), pd.Series(sequences, index=[5, 5])):
        pd.testing.assert_frame_equal(model.predict(given), expected)
    with pytest.warns(UserWarning, match=r"1 of 2 sequences end in '\*', a stop codon") as warned:
        pd.testing.assert_frame_equal(model.predict([" MRTAYIAK*", sequences[1]]), expected)
    assert warned[0].filename == __file__
    for given in (WILD_TYPE, 5, None, [5]):
        with pytest.raises(TypeError, match=r"Expected an array-like of sequences|Record 0"):
            model.predict(given)
    with pytest.raises(ValueError, match="Expected at least one sequence"):
        model.predict([])


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        (
            ["MRTAYIAK", "MRTAYI"],
            r"^Record 1 .* has 6 residues, but the wild type of the model has",
        ),
        (["MRTAYIAK", "MRTAYIAKK"], r"^Record 1 .* has 9 residues"),
        (["MRTAYIAK", "MRTA1IAK"], r"^Record 1 .* has '1', which is not an amino acid, at posit"),
        (["MRXAYIAK"], r"^Record 0 .* has the ambiguous residue 'X' at position 3"),
        (["MR-AYIAK"], r"^Record 0 .* has a gap"),
        (["MRTAYIAK", " "], r"^Record 1 .* is empty"),
    ],
)
def test_sequences_that_are_no_variants_are_refused_by_number(short, sequences, message):
    with pytest.raises(ValueError, match=message):
        VariantModel.train(short, features=["one_hot", "site_mean"]).predict(sequences)


@pytest.mark.parametrize("unknown", ["mask", "X", "keep"])
def test_ambiguous_residues_are_compared_as_the_model_sees_them(short, unknown):
    sequences = [*short.sequences[:-1], "MKXAYIAK"]
    ambiguous = replace(short, sequences=sequences)
    embedder = ESMEmbedder("demo-48", unknown=unknown)
    model = VariantModel.train(ambiguous, embedder, features=["mean", "one_hot"])
    assert model.unknown == unknown
    found = model.predict(["MKXAYIAK", "MKBAYIAK", "MKTAYIAB"])
    alike = unknown != "keep"  # then X and B are the same
    np.testing.assert_allclose(found["identity"], [1, 1 if alike else 7 / 8, 6 / 8])
    assert found["substitutions"].tolist() == [1, 1, 1]
    assert (found["predicted"][0] == pytest.approx(found["predicted"][1])) == alike
    assert found["unlike"].tolist()[2].startswith("position 8 never mutated")


def test_the_card_says_what_the_model_was_made_of(short, tmp_path):
    assay = replace(short, left_out={"no measurement": 3})
    model = VariantModel.train(assay, EMBEDDER)
    card = model.card
    assert card["assay"] == "short"
    assert card["target"] == "activity"
    assert card["n_variants"] == 10
    assert card["wild_type"] == WILD_TYPE
    assert card["wild_type_target"] == (-2) ** 10 / 100
    assert card["features"] == list(ALIGNED)
    assert sorted(card["embedders"]) == ["ESMEmbedder demo-48", "ESMScorer esm2_t3_100K_demo"]
    assert {"sklearn-revdist", "torch", "numpy"} <= card["versions"].keys()
    assert model.sequences == sorted(short.sequences)
    assert VariantModel.train(short, features=["one_hot"]).card["embedders"] == {}
    again = VariantModel.train(short, EMBEDDER).card
    assert again == card
    other = replace(short, target=short.target + 1)
    assert VariantModel.train(other, EMBEDDER).card["data"] != card["data"]


def test_it_is_saved_and_loaded_with_all_it_says(short, tmp_path, embedded):
    pytest.importorskip("skops", reason="needs the extra cli")
    model = VariantModel.train(short, EMBEDDER)
    model.card["first_position"] = 31
    model.save(tmp_path / "a.model")
    embedded.clear()
    loaded = VariantModel.load(tmp_path / "a.model")
    assert embedded == []  # no weights are read
    assert loaded.card == json.loads(json.dumps(model.card))
    assert loaded.sequences == model.sequences
    new = mutate(WILD_TYPE, ["M1A", "K2R:T3S:A4G", "WT", "Y5F"])
    found = loaded.predict(new)
    pd.testing.assert_frame_equal(found, model.predict(new))
    assert found["unlike"].tolist()[:2] == [
        "position 31 never mutated in the training",
        "3 substitutions (training: at most 2)",
    ]


def test_a_prediction_embeds_each_sequence_once_by_each_model(
    short, tmp_path, monkeypatch, embedded
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = VariantModel.train(short, ESMEmbedder(["demo-48", "demo-96"]))
    assert [name for name, _ in model.estimator.estimators][2:] == ["forest", "forest_of_largest"]
    embedded.clear()
    model.predict(["MRTAYIAK", "MKTAYIAR"])
    times = sorted(Counter(embedded).values())
    assert times[-3:] == [2, 2, 2]  # of two models: both variants and the wild type
    assert set(times[:-3]) <= {1}  # the wild type with a mask
    assert [path.name for path in tmp_path.iterdir()] == ["short.csv"]


def test_stores_and_devices_are_those_of_a_call(short, scan, tmp_path, monkeypatch, embedded):
    pytest.importorskip("skops", reason="needs the extra cli")
    embedder = ESMEmbedder("demo-48", store=tmp_path / "secret.sqlite", device="cpu", verbose=True)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    before = embedder.get_params()
    model = VariantModel.train(short, embedder)
    assert embedder.get_params() == before
    unset = {"store": None, "device": None, "verbose": False}
    assert all(each == unset for each in settings(model))
    model.save(tmp_path / "a.model")
    with zipfile.ZipFile(tmp_path / "a.model") as archive:
        assert not any(b"secret" in archive.read(name) for name in archive.namelist())
    embedded.clear()
    store = tmp_path / "other.sqlite"
    model.predict(["MRTAYIAK"], store=store, device="cpu")
    assert store.exists()
    n_embedded = len(embedded)
    model.predict(["MRTAYIAK"], store=store)
    assert len(embedded) == n_embedded > 0
    assert all(each == unset for each in settings(model))
    for wrong in ({"device": "nosuch"}, {"store": tmp_path / "no" / "s.sqlite"}, {"verbose": "x"}):
        with pytest.raises((ValueError, OSError)):
            model.predict(["MRTAYIAW"], **wrong)
        assert all(each == unset for each in settings(model))


def test_other_weights_than_those_of_the_training_are_refused(
    short, tmp_path, write_checkpoint, replace_checkpoint
):
    path = write_checkpoint(tmp_path / "tiny.pt")
    for embedder in (ESMEmbedder([str(path)]), TransformersEmbedder([str(path)])):
        write_checkpoint(path)
        model = VariantModel.train(short, embedder, features=["mean"])
        expected = model.predict(["MRTAYIAK"])
        replace_checkpoint(path)
        with pytest.raises(ValueError, match=r"trained on embeddings of .*tiny\.pt by other weig"):
            model.predict(["MRTAYIAK"])
        write_checkpoint(path)
        pd.testing.assert_frame_equal(model.predict(["MRTAYIAK"]), expected)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"tiny\.pt"):
        model.predict(["MRTAYIAK"])


def test_models_that_are_named_by_paths_are_kept_as_texts(short, tmp_path, write_checkpoint):
    pytest.importorskip("skops", reason="needs the extra cli")
    path = write_checkpoint(tmp_path / "tiny.pt")
    for embedder in (ESMEmbedder([path]), TransformersEmbedder([path])):
        model = VariantModel.train(short, embedder, features=["mean", "max"])
        model.save(tmp_path / "a.model")
        loaded = VariantModel.load(tmp_path / "a.model")
        pd.testing.assert_frame_equal(loaded.predict(["MRTAYIAK"]), model.predict(["MRTAYIAK"]))
        assert embedder.chain == [path]


def test_sequences_of_several_lengths_are_compared_by_length(short):
    uneven = replace(
        short, wild_type=None, sequences=[s[: 5 + i % 4] for i, s in enumerate(short.sequences)]
    )
    model = VariantModel.train(uneven, EMBEDDER)
    assert model.card["features"] == ["composition", "mean"]
    found = model.predict(["MKTAY", "MKTAYIAKQR"])
    assert found.columns.tolist() == ["predicted", "std", "lower_90", "upper_90", "unlike"]
    assert found["unlike"].tolist()[1].startswith("10 residues (training: 5 to 8)")


def test_training_variants_have_nearly_what_was_measured(assay, model):
    found = model.predict(assay.sequences)
    inside = (found["lower_90"] <= assay.target) & (assay.target <= found["upper_90"])
    assert inside.mean() > 0.85
    assert np.corrcoef(found["predicted"], assay.target)[0, 1] > 0.6
    assert (found["identity"] == 1).all()


def test_errors_of_training_leave_the_embedder_as_it_was(short):
    embedder = ESMEmbedder("demo-48")
    before = embedder.get_params()
    with pytest.raises(ValueError, match="features has 'nosuch'"):
        VariantModel.train(short, embedder, features=["nosuch"])
    assert embedder.get_params() == before


def test_a_file_that_is_no_model_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no model"):
        VariantModel.load(tmp_path / "a.model")
    Path(tmp_path / "a.model").write_text("text")
    with pytest.raises(ValueError, match="is not a model of variants"):
        VariantModel.load(tmp_path / "a.model")
