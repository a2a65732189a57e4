"""make_variant_model gives what its public parts give, written out, and refuses what it cannot."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union

from sklearn_revdist import (
    ESMEmbedder,
    ESMScorer,
    GroupRidgeCV,
    KmerComposition,
    ReverseDistiller,
    SequenceOneHotEncoder,
    SiteMean,
    TransformersEmbedder,
    load_secondary_structure,
    make_variant_model,
)
from sklearn_revdist.assays._variant_model import (
    ALIGNED,
    FEATURES,
    MODEL_FREE,
    UNALIGNED,
    default_features,
    embedders_of,
)

EMBEDDER = ESMEmbedder("demo-48")
CHAIN = ["demo-48", "demo-96"]


@pytest.fixture(scope="module")
def data(scan):
    """Training variants, their measurements, and new variants."""
    return scan.data[::25], scan.target[::25], scan.data[3::100]


def predictions(model, data):
    X, y, new = data
    return np.column_stack(clone(model).fit(X, y).predict(new, return_std=True))


def by_hand(parts, data):
    """Predictions of a ridge on a union of parts."""
    X, y, new = data
    pipeline = make_pipeline(make_union(*parts), GroupRidgeCV()).fit(X, y)
    return np.column_stack(pipeline.predict(new, return_std=True))


def test_all_features_are_those_of_public_parts(scan, data):
    reference = scan.wild_type
    parts = [
        KmerComposition(),
        ESMScorer(["demo-96"], reference=reference),
        ESMEmbedder(CHAIN, pooling=["max", "sites"], reference=reference),
        SiteMean(reference),
    ]
    features = ["composition", "zero_shot", "max", "site_mean", "sites"]
    model = make_variant_model(ESMEmbedder(CHAIN), features=features, reference=reference)
    np.testing.assert_array_equal(predictions(model, data), by_hand(parts, data))


@pytest.mark.parametrize("name", FEATURES)
def test_each_feature_alone_is_one_ridge(scan, data, name):
    reference = scan.wild_type
    part = {
        "one_hot": SequenceOneHotEncoder(),
        "site_mean": SiteMean(reference),
        "composition": KmerComposition(),
        "zero_shot": ESMScorer("demo-48", reference=reference),
    }.get(name, ESMEmbedder("demo-48", pooling=name, reference=reference))
    model = make_variant_model(EMBEDDER, features=[name], reference=reference)
    assert [name for name, _ in model.estimators] == ["all"]
    np.testing.assert_allclose(predictions(model, data), by_hand([part], data), rtol=1e-9)


def test_one_hot_encoding_and_means_among_others_have_models_of_their_own(scan, data):
    X, y, new = data
    model = make_variant_model(EMBEDDER, features=["one_hot", "mean"], reference=scan.wild_type)
    assert [name for name, _ in model.estimators] == ["all", "one_hot", "forest"]
    assert model.weights == ["r2", 0.5, 0.5]
    both = by_hand([SequenceOneHotEncoder(), EMBEDDER], data)[:, 0]
    alone = by_hand([SequenceOneHotEncoder()], data)[:, 0]
    forest = RandomForestRegressor(max_features="sqrt", random_state=0)
    trees = forest.fit(EMBEDDER.transform(X), y).predict(EMBEDDER.transform(new))
    predicted = model.fit(X, y).predict(new)
    expected = np.average([both, alone, trees], axis=0, weights=model.weights_)
    np.testing.assert_allclose(predicted, expected)
    ridge = model.estimators_[0][-1]
    shares = np.array([max(ridge.best_score_, 0), 0.5, 0.5])
    np.testing.assert_allclose(model.weights_, shares / shares.sum(), rtol=1e-5)


def test_a_chain_has_a_forest_of_all_models_and_one_of_the_largest(scan, data):
    X, y, new = data
    embedder = ESMEmbedder(CHAIN, layer=[0, -1])
    model = make_variant_model(embedder, features=["one_hot", "mean"], reference=scan.wild_type)
    assert model.weights == ["r2", 0.5, 0.25, 0.25]
    model.fit(X, y)
    forest = RandomForestRegressor(max_features="sqrt", random_state=0)
    for part, parts in zip(
        model.estimators_[2:], (embedder, ESMEmbedder(CHAIN[-1:], layer=-1)), strict=True
    ):
        trees = forest.fit(parts.transform(X), y).predict(parts.transform(new))
        np.testing.assert_allclose(part.predict(new), trees)


def test_the_order_of_features_is_that_of_columns_and_of_nothing_else(scan, data):
    orders = (["mean", "one_hot", "cls"], ["one_hot", "cls", "mean"], ("cls", "mean", "one_hot"))
    found = []
    for features in (*orders, np.array(orders[0])):
        model = make_variant_model(EMBEDDER, features=features, reference=scan.wild_type)
        union = model.estimators[0][1]["features"]
        names = [name for name, _ in union.transformer_list]
        places = dict.fromkeys(("mean", "cls"), "embedding")
        expected = dict.fromkeys(places.get(feature, feature) for feature in features)
        assert names == list(expected)
        found.append(predictions(model, data))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-6)


def test_a_distiller_nests_the_embeddings(scan, data, distiller):
    X, y, new = data
    embedder = ESMEmbedder(CHAIN)
    model = make_variant_model(
        embedder, features=["mean"], reference=scan.wild_type, distiller=distiller
    )
    nested = [distiller.transform(embedder.transform(sequences)) for sequences in (X, new)]
    ridge = GroupRidgeCV().fit(nested[0], y)
    expected = np.column_stack(ridge.predict(nested[1], return_std=True))
    np.testing.assert_allclose(predictions(model, data), expected, rtol=1e-9)
    pooled = ESMEmbedder(CHAIN, pooling="sites", reference=scan.wild_type)
    parts = [make_pipeline(pooled, FrozenEstimator(distiller)), SiteMean(scan.wild_type)]
    model = make_variant_model(
        embedder, features=["sites", "site_mean"], reference=scan.wild_type, distiller=distiller
    )
    np.testing.assert_allclose(predictions(model, data), by_hand(parts, data), rtol=1e-9)


def test_a_pretrained_distiller_is_kept_as_its_chain(scan, data, distiller, tmp_path):
    path = tmp_path / "distiller.safetensors"
    distiller.save_pretrained(path)
    given = ReverseDistiller(pretrained=path).fit(ESMEmbedder(CHAIN).transform(data[0]))
    expected, model = (
        make_variant_model(ESMEmbedder(CHAIN), features=["mean"], distiller=one)
        for one in (distiller, given)
    )
    assert str(path) not in str(model.get_params())
    np.testing.assert_array_equal(predictions(model, data), predictions(expected, data))


def test_a_distiller_of_columns_without_names_fits_by_their_number(tmp_path, write_checkpoint):
    paths = [write_checkpoint(tmp_path / f"{width}.pt", width=width) for width in (24, 36)]
    embedder = ESMEmbedder(list(map(str, paths)))
    ((rows, _),) = embedder.iter_residues(load_secondary_structure().data[:5])
    unnamed = ReverseDistiller([24, 36]).fit(rows)
    assert make_variant_model(embedder, features=["mean"], distiller=unnamed)
    with pytest.raises(ValueError, match="distiller was fitted on block0, block1, but embedder"):
        make_variant_model(EMBEDDER, features=["mean"], distiller=unnamed)


def test_defaults_are_what_can_be_computed(scan, distiller, tmp_path):
    import families  # which skips where the extra is not installed

    families.FAMILIES["esm2"].make(tmp_path)
    other = TransformersEmbedder([str(tmp_path)])
    assert default_features(EMBEDDER, None) == list(UNALIGNED)
    assert default_features(EMBEDDER, scan.wild_type) == list(ALIGNED)
    assert default_features(other, scan.wild_type) == [n for n in ALIGNED if n != "zero_shot"]
    model = make_variant_model(other, reference=scan.wild_type)
    parts = [name for name, _ in model.estimators[0][1]["features"].transformer_list]
    assert parts == ["one_hot", "site_mean", "embedding"]
    nested = make_variant_model(ESMEmbedder(CHAIN), reference=scan.wild_type, distiller=distiller)
    (embedder, _) = nested.estimators[0][1]["features"].get_params()["embedding"]
    assert embedder.pooling == "mean"


def test_settings_of_the_embedder_reach_all_parts(scan, data, tmp_path):
    embedder = ESMEmbedder(
        "demo", layer=1, pooling="eos", device="cpu", dtype="float32", batch_tokens=500,
        max_length=80, unknown="X", store=tmp_path / "s.sqlite", verbose=True,
    )  # fmt: skip
    before = embedder.get_params()
    model = make_variant_model(embedder, reference=scan.wild_type)
    assert embedder.get_params() == before
    parts = sorted(embedders_of(model), key=lambda part: type(part).__name__)
    of_embedder, of_forest, of_largest, scorer = parts
    means = before | {"pooling": "mean", "reference": None}
    assert of_forest.get_params() == means
    assert of_largest.get_params() == means | {"chain": ["esm2_t6_2M_demo"]}
    assert of_embedder.get_params() == before | {
        "pooling": ["mean", "sites", "sites_difference"],
        "reference": scan.wild_type,
    }
    assert scorer.chain == ["esm2_t6_2M_demo"]
    shared = scorer.get_params().keys() & before.keys() - {"chain", "reference"}
    assert {name: getattr(scorer, name) for name in shared} == {
        name: before[name] for name in shared
    }
    unknown = {name: v for name, v in model.get_params().items() if name.endswith("__unknown")}
    assert set(unknown.values()) == {"X"}
    assert len(unknown) == 7  # of one-hot encoding twice, and of the embedder three times


def test_features_without_a_model_need_neither_weights_nor_torch(tmp_path):
    program = """
import sys
from sklearn_revdist import make_variant_model
features = ["one_hot", "site_mean", "composition"]
model = make_variant_model(features=features, reference="MKTAY")
model.fit(["MRTAY", "MATAY", "MKSAY", "MKTGY", "MKTAF", "MKTAW"], [1, 2, 3, 4, 5, 6])
model.predict(["MRTGY"], return_std=True)
assert "torch" not in sys.modules
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=tmp_path)
    assert process.returncode == 0, process.stderr.decode()


@pytest.mark.parametrize(
    ("features", "how", "message"),
    [
        (["mean", "nosuch"], {}, r"^features has 'nosuch'; choose from 'one_hot', 'site_mean',"),
        ([5], {}, r"^features has 5; choose from"),
        ([["mean"]], {}, r"^features has \['mean'\]; choose from"),
        ([], {}, r"^features is empty; choose from"),
        (["mean", "cls", "mean"], {}, r"^features has 'mean' twice; give it once\.$"),
        *(
            (
                [name],
                {"reference": None},
                rf"^features has '{name}', which .* \(`reference`\)",
            )
            for name in ("one_hot", "site_mean", "sites", "sites_difference", "zero_shot")
        ),
        (
            ["zero_shot"],
            {"embedder": TransformersEmbedder(["demo-48"])},
            r"^features has 'zero_shot', which needs models of ESM-2; leave it out for others\.$",
        ),
    ],
)
def test_features_that_cannot_be_computed_are_refused(features, how, message):
    how = {"embedder": EMBEDDER, "reference": "MKTAY"} | how
    with pytest.raises(ValueError, match=message):
        make_variant_model(features=features, **how)


def test_a_distiller_that_does_not_fit_is_refused(distiller):
    how = {"reference": "MKTAY", "distiller": distiller}
    with pytest.raises(ValueError, match=r"'mean' and 'sites', of which a distiller can nest one"):
        make_variant_model(ESMEmbedder(CHAIN), features=["mean", "sites"], **how)
    with pytest.raises(
        ValueError, match=r"demo, esm2_t4_500K_demo, but embedder has .*_100K_demo;"
    ):
        make_variant_model(EMBEDDER, features=["mean"], **how)
    with pytest.raises(ValueError, match=r"but embedder has .*_layer1, .*; give the same .* layer"):
        make_variant_model(ESMEmbedder(CHAIN, layer=1), features=["mean"], **how)
    assert make_variant_model(EMBEDDER, features=list(MODEL_FREE), **how)  # which need none


def test_errors_of_fitting_name_the_record(scan, data):
    X, y, _ = data
    model = make_variant_model(EMBEDDER, features=["one_hot", "sites"], reference=scan.wild_type)
    with pytest.raises(ValueError, match=r"^Record 3 \(counting from 0\) has 71 residues"):
        model.fit([*X[:3], X[3][1:], *X[4:]], y)
