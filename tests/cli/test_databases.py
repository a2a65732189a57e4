"""Databases: rows, names, lengths and the origin of embeddings, from any file."""

import click
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, embed_to_parquet
from sklearn_revdist.cli._databases import Origin, open_database

RECORDS = [("a", "MKTAYIAKQR"), ("b", "GSHMLEK"), ("again", "MKTAYIAKQR")]
NAMES, SEQUENCES = (list(part) for part in zip(*RECORDS, strict=True))


def read(path, folder, **how):
    source = open_database(path, **how)
    return source, source.read(source.table.n_columns, lambda rows: rows, folder)


@pytest.fixture
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


def test_a_folder_has_distinct_rows_and_all_records(tmp_path, scratch):
    embedder = ESMEmbedder("demo-96", layer=1, dtype="float32", max_length=50)
    embed_to_parquet(embedder, SEQUENCES, tmp_path, names=NAMES)
    source, database = read(tmp_path, scratch)
    assert isinstance(database.rows, np.memmap)
    assert database.names == NAMES
    assert database.lengths.tolist() == [10, 7, 10]
    assert database.of_row.tolist() == [0, 1, 0]
    distinct = pd.read_parquet(tmp_path / "embeddings").filter(like="esm2").to_numpy()
    np.testing.assert_array_equal(database.rows, distinct)
    columns = embedder.get_feature_names_out().tolist()
    assert source.table.columns == columns
    assert database.origin == Origin.of_embedder(embedder, columns)
    assert database.origin.blocks == {
        "esm2_t3_100K_demo_layer1": 48,
        "esm2_t4_500K_demo_layer1": 96,
    }
    assert database.origin.settings == {"max_length": 50, "long": "window", "unknown": "error"}


def test_folders_of_earlier_versions_do_not_know_lengths(tmp_path, scratch):
    embed_to_parquet(ESMEmbedder("demo-48"), SEQUENCES, tmp_path, names=NAMES)
    path = tmp_path / "records.parquet"
    pd.read_parquet(path).drop(columns="length").to_parquet(path)
    assert read(tmp_path, scratch)[1].lengths.tolist() == [-1, -1, -1]


def test_records_of_another_folder_are_refused(tmp_path, scratch):
    embed_to_parquet(ESMEmbedder("demo-48"), SEQUENCES, tmp_path, names=NAMES)
    path = tmp_path / "records.parquet"
    table = pd.read_parquet(path)
    for wrong in (table.drop(columns="row"), table.drop(columns="name"), table.assign(row=2)):
        wrong.to_parquet(path)
        with pytest.raises(click.ClickException, match="not name the 2 sequences of the folder"):
            read(tmp_path, scratch)


def test_a_store_knows_its_weights_and_how_rows_were_pooled(tmp_path, scratch, tiny):
    path = tmp_path / "x.sqlite"
    ESMEmbedder(["demo-48", tiny], store=path, pooling="max", dtype="float32").transform(SEQUENCES)
    _, database = read(path, scratch)
    assert database.names == SEQUENCES[:2]
    assert database.lengths.tolist() == [10, 7]
    origin = database.origin
    assert origin.blocks == {"esm2_t3_100K_demo_max": 48, "tiny_max": 24}
    assert origin.weights["esm2_t3_100K_demo_max"] is None
    assert len(origin.weights["tiny_max"]) == 64
    assert (origin.pooling, origin.dtype) == (("max",), "float32")


def test_a_table_knows_what_its_columns_say(tmp_path, scratch, rng):
    rows = rng.normal(size=(3, 52))
    columns = [f"esm2_t3_100K_demo_{i}" for i in range(48)] + [f"other_{i}" for i in range(4)]
    table = pd.DataFrame(rows, columns=columns).assign(id=NAMES, sequence=[*SEQUENCES[:2], None])
    table.to_parquet(tmp_path / "x.parquet")
    source, database = read(tmp_path / "x.parquet", scratch, name_column="id")
    # the largest known model is last
    assert list(source.origin.blocks.items()) == [("other", 4), ("esm2_t3_100K_demo", 48)]
    np.testing.assert_array_equal(database.rows, np.hstack([rows[:, 48:], rows[:, :48]]))
    assert database.names == NAMES
    assert database.lengths.tolist() == [10, 7, -1]
    assert (database.origin.pooling, database.origin.dtype) == (None, None)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (Origin({"m": 3}), None),
        (Origin({"m": 3, "more": 9}, {"m": None}, ("mean",), "auto"), None),
        (
            Origin({"m": 3}, dtype="float16+bfloat16"),
            ("of precision float32", "of precision float1"),
        ),
        (Origin({"m": 4}), ("3 columns of m", "4 columns of m")),
        (Origin({"n": 3}), ("by m", "by n")),
        (Origin({"": 3}), ("by m", "by no model it names")),
        (Origin({"m": 3}, pooling=("max",)), ("pooled by mean", "pooled by max")),
        (
            Origin({"m": 3}, {"m": "5" * 64}),
            ("by weights of m with SHA-256 444", "by weights of m"),
        ),
    ],
)
def test_a_difference_is_in_what_both_know(other, difference):
    found = Origin({"m": 3}, {"m": "4" * 64}, ("mean",), "float32").difference(other, ["m"])
    assert (found is None) == (difference is None)
    for said, part in zip(found or (), difference or (), strict=True):
        assert said.startswith(part)
