"""What a store has is not computed again, for each layer and pooling apart."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_revdist import EmbeddingStore, ESMEmbedder, ReverseDistiller

SEQUENCES = ["MKTAYIAKQRQ", "WKTAYIAKQRQ", "MKTAYIAKQRW", "MKTAYIAKQRQ"]
WILD_TYPE = SEQUENCES[0]


def spread(rows):
    return rows.std(axis=0)


def test_a_search_over_layers_embeds_each_sequence_once(path, embedded, models, rng):
    sequences = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 30)) for _ in range(60)]
    layers = [0.25, 0.5, 0.75, 1.0]
    embedder = ESMEmbedder("demo", store=path)
    embedder.transform_layers(sequences, layers)
    grid = {"esmembedder__layer": layers, "reversedistiller__n_components": [48, 96, 160]}
    search = GridSearchCV(make_pipeline(embedder, ReverseDistiller(), Ridge()), grid, cv=5)
    with pytest.warns(UserWarning, match="few rows|columns"):
        search.fit(sequences, rng.normal(size=60))
    assert len(search.cv_results_["params"]) == 12
    assert len(embedded) == 60 * 3  # by each model
    assert len(models._models) == 3


@pytest.mark.parametrize("n_layers", [None, [0.5, -1, 0, -1]])
def test_all_layers_in_one_pass_are_those_of_each_alone(embedded, n_layers):
    embedder = ESMEmbedder("demo", pooling=["mean", spread])
    found = embedder.transform_layers(SEQUENCES, n_layers)
    assert len(embedded) == 3 * 3  # distinct ones, by each model
    depths = {"esm2_t3_100K_demo": 3, "esm2_t4_500K_demo": 4, "esm2_t6_2M_demo": 6}
    assert {model: len(rows) for model, rows in found.items()} == {
        model: depth + 1 if n_layers is None else 4 for model, depth in depths.items()
    }
    for model, rows in found.items():
        layers = range(depths[model] + 1) if n_layers is None else n_layers
        for layer, of_layer in zip(layers, rows, strict=True):
            alone = ESMEmbedder([model], layer=layer, pooling=["mean", spread])
            np.testing.assert_array_equal(of_layer, alone.transform(SEQUENCES))


def test_each_layer_and_pooling_is_kept_under_its_own_key(path, embedded):
    embedder = ESMEmbedder(["demo-48"], store=path)
    ways = [
        {"layer": layer, "pooling": pooling, "reference": reference}
        for layer in (-1, 2)
        for pooling in ("mean", "max", "cls", "sites_difference", [2, 3, 5], spread)
        for reference in (WILD_TYPE, SEQUENCES[1])
    ]
    found = [embedder.set_params(**way).transform(SEQUENCES) for way in ways]
    embedded.clear()
    for way, expected in zip(ways, found, strict=True):
        np.testing.assert_array_equal(embedder.set_params(**way).transform(SEQUENCES), expected)
    assert embedded == []
    with EmbeddingStore(path) as store:
        contents = store.contents()
    assert set(contents["layer"]) == {-1, -2}
    # the reference counts only where it is compared with
    assert len(contents) == 2 * (5 + 2)
    assert {"mean", "max", "cls", "positions 2-3,5"} < set(contents["pooling"])
    assert (contents["n_sequences"] == 3).all()


def test_what_one_way_of_pooling_lacks_is_all_that_is_computed(path, embedded):
    embedder = ESMEmbedder(["demo-48"], store=path)
    embedder.transform(SEQUENCES[:2])
    embedder.set_params(pooling=["mean", "max"]).transform(SEQUENCES[:1])
    embedded.clear()
    both = embedder.transform(SEQUENCES)
    assert embedded == [11, 11]  # the second has no maximum yet
    np.testing.assert_array_equal(both[:, :48], ESMEmbedder(["demo-48"]).transform(SEQUENCES))


def test_a_function_without_a_fingerprint_is_not_kept(path):
    embedder = ESMEmbedder(["demo-48"], pooling=lambda rows: rows[0], store=path)
    with pytest.raises(TypeError, match="lambda"):
        embedder.transform(SEQUENCES)
    assert not path.exists()
    with pytest.raises(TypeError, match="lambda"):
        embedder.set_params(store=None).fingerprint()
    first = embedder.transform(SEQUENCES)
    rows = np.concatenate([block for block, _ in embedder.iter_residues(SEQUENCES[1:2])])
    np.testing.assert_array_equal(first[1], rows[0])


def test_fingerprints_depend_on_what_embeddings_depend_on():
    def of(**parameters):
        return ESMEmbedder("demo", **parameters).fingerprint()

    same = [
        {},
        {"layer": 1.0},
        {"layer": [3, 4, 6]},
        {"layer": [-1, 1.0, 6]},
        {"pooling": ["mean"]},
    ]
    same += [{"reference": WILD_TYPE}, {"pooling": "mean", "reference": SEQUENCES[1]}]
    assert len({of(**parameters) for parameters in same}) == 1
    others = [{"layer": 3}, {"layer": 0.5}, {"pooling": "max"}, {"pooling": [1]}, {"pooling": [2]}]
    others += [{"pooling": spread}, {"pooling": ["mean", "max"]}, {"pooling": ["max", "mean"]}]
    others += [
        {"pooling": pooling, "reference": reference}
        for pooling in ("sites", "sites_difference")
        for reference in SEQUENCES[:2]
    ]
    assert len({of(**parameters) for parameters in [{}, *others]}) == 1 + len(others)


def test_layers_share_the_model_in_memory(models):
    for layer in (0, 1, -1):
        ESMEmbedder(["demo-48"], layer=layer).transform(SEQUENCES)
    assert len(models._models) == 1


def test_a_table_of_a_store_names_layers_and_poolings(path, tmp_path, write_checkpoint):
    """So a distiller of the last layer is not given another one."""
    own = write_checkpoint(tmp_path / "mine.pt", n_layers=2)
    for model in ("demo-48", str(own)):
        embedder = ESMEmbedder([model], store=path)
        embedder.transform_layers(SEQUENCES, [-1, -2])
        embedder.set_params(pooling="max").transform(SEQUENCES)
        embedder.set_params(pooling=[2, 3], layer=1).transform(SEQUENCES)
    with EmbeddingStore(path) as store:
        frame = store.to_frame(model="esm2_t3_100K_demo")
        names = store.to_frame(model="mine", pooling="mean").columns
    blocks = dict.fromkeys(name.rpartition("_")[0] for name in frame)
    assert list(blocks) == [
        "esm2_t3_100K_demo",
        "esm2_t3_100K_demo_layer2",
        "esm2_t3_100K_demo_max",
        "esm2_t3_100K_demo_layer1",
    ]
    embedder = ESMEmbedder(["demo-48"], layer=2)
    columns = embedder.get_feature_names_out()
    np.testing.assert_array_equal(frame[columns], embedder.transform(SEQUENCES[:3]))
    assert {name.rpartition("_")[0] for name in names} == {"mine", "mine_layer-2"}
