"""Saved models predict the same, bit for bit; other, damaged and hostile files are refused."""

import json
import os
import sys
import zipfile
from functools import partial

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_revdist import (
    ESMEmbedder,
    ESMScorer,
    GroupRidgeCV,
    KmerComposition,
    LeftOutVotingRegressor,
    ReverseDistiller,
    TransformersEmbedder,
    load_secondary_structure,
    make_variant_model,
)
from sklearn_revdist.assays._saved_model import is_model, read_card, read_model, write_model
from sklearn_revdist.assays._variant_model import FEATURES

skops = pytest.importorskip("skops.io", reason="needs the extra cli")

CHAIN = ["demo-48", "demo-96"]
CARD = {"assay": "a", "n": 3, "range": [0.1, 1 / 3], "wild_type": None, "unit": "µM"}
SHORT = ["MKTAY", "MRTAY", "MKSAY", "MKTGY", "MKTAF", "AKTAY", "MKWAY", "MRSAY"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.model"


@pytest.fixture(scope="module")
def small():
    """A small fitted model."""
    model = make_variant_model(features=["composition", "one_hot"], reference=SHORT[0])
    return model.fit(SHORT, np.arange(8.0))


def forge(path, estimator, card=None, sequences="MKT", **entries):
    """Write a file that looks like that of a model, unchecked."""
    with open(path, "wb") as file:
        skops.dump(estimator, file, compression=zipfile.ZIP_DEFLATED)
    card = json.dumps({"format": "sklearn_revdist variant model"} if card is None else card)
    contents = {"card.json": card, "training_sequences.txt": sequences, **entries}
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def assert_same(path, model, sequences):
    write_model(path, model, CARD, ["MKT", "MKV"])
    estimator, card, read = read_model(path)
    assert card == read_card(path) == CARD
    assert read == ["MKT", "MKV"]
    for found, expected in zip(
        (*estimator.predict(sequences, return_std=True),),
        (*model.predict(sequences, return_std=True),),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        estimator.predict_interval(sequences), model.predict_interval(sequences)
    )
    write_model(path, estimator, card, read)  # and again
    assert read_model(path)[1] == CARD


@pytest.mark.parametrize(
    ("features", "step"),  # of few rows and many
    [(None, 100), (None, 12), (["composition"], 12), *(([name], 100) for name in FEATURES)],
    ids=str,
)
def test_predictions_of_all_features_are_kept_bit_for_bit(scan, path, features, step):
    embedder = ESMEmbedder("demo-48")
    model = make_variant_model(embedder, features=features, reference=scan.wild_type)
    model.fit(scan.data[::step], scan.target[::step])
    assert_same(path, model, scan.data[5:100:10])


@pytest.mark.parametrize("regressor", ["ridge", "ols", "pcr", "demo"])
def test_a_distiller_is_kept_without_moments_and_folders(scan, path, tmp_path, regressor):
    if regressor == "demo":
        distiller = ReverseDistiller.from_pretrained("demo").truncate("demo-96")
    else:
        distiller = ReverseDistiller(regressor=regressor, memory=str(tmp_path / "secret"))
        distiller.fit_residues(load_secondary_structure().data[:15], ESMEmbedder(CHAIN))
    model = make_variant_model(
        ESMEmbedder(CHAIN), features=["mean"], reference=scan.wild_type, distiller=distiller
    )
    model.fit(scan.data[::50], scan.target[::50])
    assert_same(path, model, scan.data[5:100:10])
    with zipfile.ZipFile(path) as archive:
        content = b"".join(map(archive.read, archive.namelist()))
    assert b"secret" not in content
    assert b"moments_" not in content
    assert (distiller.memory is None) == (regressor == "demo")


def test_models_of_other_families_are_kept(scan, path, tmp_path):
    import families  # which skips where the extra is not installed

    families.FAMILIES["esm2"].make(tmp_path)
    embedder = TransformersEmbedder([str(tmp_path), "demo-48"])
    model = make_variant_model(embedder, features=["mean"]).fit(
        scan.data[::100], scan.target[::100]
    )
    assert_same(path, model, scan.data[5:100:10])


def test_other_files_are_not_models(path, tmp_path, small):
    for reader in (read_model, read_card):
        with pytest.raises(FileNotFoundError, match=r"^There is no model '.*a\.model'; check the"):
            reader(path)
    files = {"empty": b"", "text": b"sequence,target\n", "zip": None, "skops": skops.dumps(small)}
    for name, content in files.items():
        if content is None:
            with zipfile.ZipFile(tmp_path / name, "w") as archive:
                archive.writestr("card.json", "{}")
        else:
            (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    for name in (*files, "folder"):
        assert not is_model(tmp_path / name)
        for reader in (read_model, read_card):
            with pytest.raises(ValueError, match=rf"^'.*{name}' is not a model of variants"):
                reader(tmp_path / name)
    assert not is_model(tmp_path / "nosuch")
    write_model(path, small, CARD, SHORT)
    assert is_model(path)


@pytest.mark.parametrize(
    "card", [{}, [], "text", {"format": "other"}, {"format": None}, 5], ids=str
)
def test_other_cards_are_refused(path, small, card):
    with pytest.raises(ValueError, match="is not a model of variants"):
        read_model(forge(path, small, card))


class Foreign(BaseEstimator):
    """What nobody knows; it notes whether it is made."""

    made = []

    def __setstate__(self, state):
        self.made.append(state)

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


def holding(small, part):
    """A model that has something where nobody looks for parameters."""
    model = LeftOutVotingRegressor(small.estimators)
    vars(model).update(vars(small))
    model.estimators_ = [make_pipeline(KmerComposition(), FrozenEstimator(part), GroupRidgeCV())]
    return model


def bound(part):
    part._encoder = Ridge()
    return part


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (Foreign(), "Foreign"),
        (FunctionTransformer(os.getpid), "getpid"),
        (FunctionTransformer(), "FunctionTransformer"),
        (make_pipeline(Ridge()), "Ridge"),
        (TransformedTargetRegressor(Ridge()), "TransformedTargetRegressor"),
        (bound(KmerComposition()), "Ridge"),
        (ESMEmbedder(pooling=os.getpid), "getpid"),
        (ESMEmbedder(pooling=partial(os.mkdir, "ran")), "mkdir"),
    ],
    ids=str,
)
def test_objects_of_other_types_are_refused_before_they_are_made(small, path, part, kind):
    model = holding(small, part)
    forge(path, model)
    expected = rf"^'.*a\.model' has an object of type \S*\b{kind}, which no model of revdist has"
    with pytest.raises(ValueError, match=expected):
        read_model(path)
    with pytest.raises(ValueError, match=rf"^The model has an object of type \S*\b{kind}, as a"):
        write_model(path.with_name("b"), model, CARD, SHORT)
    assert Foreign.made == []
    assert os.listdir(path.parent) == ["a.model"]


@pytest.mark.parametrize(
    "make",
    [
        lambda file: ESMEmbedder("demo-48", store=file),
        lambda file: ESMScorer("demo-48", reference="MKTAY", store=file),
        lambda file: TransformersEmbedder(["demo-48"], store=file),
        lambda file: Pipeline([("embedder", ESMEmbedder("demo-48"))], memory=file),
        lambda file: ReverseDistiller([2, 3], memory=file),
        lambda file: FeatureUnion([("a", ESMEmbedder("demo-48", store=file))]),
        lambda file: FrozenEstimator(make_pipeline(ESMEmbedder("demo-48", store=file))),
        lambda file: ESMEmbedder("demo-48", device="cuda"),
        lambda file: FeatureUnion([("a", KmerComposition())], n_jobs=2),
    ],
)
def test_what_would_write_or_start_something_is_refused(small, path, make):
    model = holding(small, make(str(path.parent / "written")))
    forge(path, model)
    expected = r"^'.*a\.model' sets (store|memory|device|n_jobs)=.* of \w+, which no saved model do"
    with pytest.raises(ValueError, match=expected):
        read_model(path)
    with pytest.raises(
        ValueError, match=r"^The model sets .*, which is of this machine; set it to"
    ):
        write_model(path, model, CARD, SHORT)
    assert os.listdir(path.parent) == ["a.model"]


@pytest.mark.parametrize("estimator", [GroupRidgeCV(), KmerComposition(), {"a": 1}, [1, 2], "text"])
def test_an_estimator_that_is_not_a_mean_of_ridges_is_refused(path, estimator):
    with pytest.raises(ValueError, match=r"has an estimator of type \w+, which is not a model of"):
        read_model(forge(path, estimator))


@pytest.mark.parametrize("name", ["card.json", "training_sequences.txt", "schema.json", "1.npy"])
def test_what_unpacks_to_far_more_than_a_model_is_refused(path, small, name):
    bomb = " " * 2**25
    if name == "schema.json":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in ("schema.json", "card.json", "training_sequences.txt"):
                archive.writestr(entry, bomb if entry == name else "{}")
    else:
        card = bomb if name == "card.json" else None
        sequences = bomb if name.endswith("txt") else "MKT"
        forge(path, small, card, sequences, **({name: bomb} if name == "1.npy" else {}))
    with pytest.raises(
        ValueError, match=r"is damaged \(it unpacks to far more than a model does\)"
    ):
        read_model(path)


def test_damage_is_noticed_or_harmless(path, tmp_path):
    model = make_variant_model(features=["composition"]).fit(SHORT, np.arange(8.0))
    write_model(path, model, CARD, SHORT)
    content, expected = path.read_bytes(), model.predict_interval(SHORT)
    rng, messages = np.random.default_rng(0), []
    for i in range(400):
        damaged = bytearray(content)
        if i % 2:
            # structures at the end are as likely as what is packed
            start = len(content) - 2**12 if i % 4 == 1 else 0
            damaged[rng.integers(start, len(content))] ^= 1 << rng.integers(8)
        elif i % 4 == 0:
            del damaged[rng.integers(len(content)) :]
        else:
            at = rng.integers(len(content))
            damaged[at : at + rng.integers(1, 50)] = rng.bytes(rng.integers(0, 50))
        path.write_bytes(damaged)
        try:
            estimator, card, read = read_model(path)
        except ValueError as error:
            messages.append(str(error))
            continue
        np.testing.assert_array_equal(estimator.predict_interval(SHORT), expected)
        assert read == SHORT
        assert card == CARD
    assert len(messages) > 200
    assert all(str(path) in message and "\n" not in message for message in messages)


def test_what_was_there_stays_if_a_model_cannot_be_written(path, small, limited_files):
    write_model(path, small, CARD, SHORT)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_model(path, small, {"a": object()}, SHORT)
    with limited_files(2**12), pytest.raises(OSError, match="File too large"):
        write_model(path, small, CARD, SHORT)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["a.model"]
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        write_model(path.parent / "no" / "a.model", small, CARD, SHORT)


def test_without_skops_the_error_names_the_extra(path, small, monkeypatch):
    write_model(path, small, CARD, SHORT)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for call in (lambda: read_model(path), lambda: write_model(path, small, CARD, SHORT)):
        with pytest.raises(ImportError, match=r'pip install "sklearn-revdist\[cli\]"'):
            call()
    assert read_card(path) == CARD


@pytest.fixture
def forest(scan):
    """A model with a forest, and the forest."""
    how = {"features": ["one_hot", "mean"], "reference": scan.wild_type}
    model = make_variant_model(ESMEmbedder("demo-48"), **how)
    model.fit(scan.data[::50], scan.target[::50])
    return model, model.estimators_[2][-1]


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("children_left", 0), ("children_left", 10**6), ("children_right", 10**6)),
        *(("children_right", -5), ("feature", 48), ("feature", -2)),
    ],
)
def test_trees_that_point_elsewhere_are_refused(forest, path, field, value, alone):
    model, trees = forest
    getattr(trees.estimators_[7].tree_, field)[0] = value
    if alone:
        model.estimators_[2].steps[-1] = ("tree", trees.estimators_[7])
    write_model(path, model, {}, [])
    with pytest.raises(ValueError, match="a tree of its forest points beyond its nodes or columns"):
        read_model(path)


@pytest.mark.parametrize("part", [slice(1), slice(3, 4), slice(None)])
def test_trees_that_take_other_columns_than_the_forest_are_refused(forest, path, part):
    model, trees = forest
    for tree in trees.estimators_[part]:
        tree.n_features_in_ = 2
    write_model(path, model, {}, [])
    with pytest.raises(ValueError, match="a tree of its forest points beyond its nodes or columns"):
        read_model(path)
