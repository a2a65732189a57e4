"""The command `revdist search`: the hits of PrefixNeighbors, whatever holds the sequences."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, PrefixNeighbors, ReverseDistiller, embed_to_parquet
from sklearn_revdist.cli._endings import INPUT, MISSING, OUTPUT

COLUMNS = ["query", "target", "rank", "distance", "qlen", "tlen"]
DATABASE = [
    ("first of all", "MKTAYIAKQRQISF"),
    ("b", "GSHMLEKWWCDE"),
    ("c", "ACDEFGHIKLMNPQRSTVWY"),
    ("again", "GSHMLEKWWCDE"),
    ("d", "WWWWPPPPGG"),
    ("", "MKTAYIAKQRQISFV"),
    ("f", "LLLLEEEEKKKK"),
]
QUERIES = [("q", "GSHMLEKWWCDE"), ("r", "MKTAYIAKQRQI"), ("q", "LLLEEEEKKKK")]


def fasta(records):
    return "".join(f">{name}\n{sequence}\n" for name, sequence in records)


def table_of(ended):
    assert ended.code == 0, ended.err
    return pd.read_csv(io.BytesIO(ended.out), sep="\t", keep_default_na=False)


def assert_same(found, expected):
    """The same hits, at the same distances up to rounding in single precision."""
    assert found.columns.tolist() == COLUMNS
    hits = COLUMNS[:3]
    pd.testing.assert_frame_equal(found[hits], expected[hits], check_dtype=False)
    scale = 1e-4 * expected["distance"].max()
    np.testing.assert_allclose(found["distance"], expected["distance"], rtol=1e-4, atol=scale)


def hits_of(rows, of_queries, k, names=DATABASE, **how):
    """What PrefixNeighbors finds."""
    neighbors = PrefixNeighbors(k, exclude="none").set_params(**how).fit(rows)
    distances, indices = neighbors.kneighbors(of_queries)
    return pd.DataFrame(
        {
            "query": np.repeat([name for name, _ in QUERIES], k),
            "target": [names[i][0] for i in indices.ravel()],
            "rank": np.tile(np.arange(1, k + 1), len(QUERIES)),
            "distance": distances.ravel(),
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the database and the queries in every form, and the whole chain's rows."""
    folder = tmp_path_factory.mktemp("made")
    rows = {}
    for name, records in (("db", DATABASE), ("q", QUERIES)):
        (folder / f"{name}.fasta").write_text(fasta(records))
        names, sequences = map(list, zip(*records, strict=True))
        embed_to_parquet(ESMEmbedder("demo"), sequences, folder / name, names=names)
        frame = ESMEmbedder("demo").set_output(transform="pandas").transform(sequences)
        if name == "q":
            frame.iloc[0] = rows["db"].iloc[1]  # of the same sequence, embedded among others
        rows[name] = frame
        nested = ReverseDistiller.from_pretrained("demo").set_output(transform="pandas")
        for suffix, table in (("", frame), ("-nested", nested.transform(frame))):
            table.assign(name=names, sequence=sequences).to_parquet(
                folder / f"{name}{suffix}.parquet"
            )
    rows["db"].assign(name=[name for name, _ in DATABASE]).to_csv(folder / "db.csv", index=False)
    np.save(folder / "db.npy", rows["db"].to_numpy())
    for name, records in (("db", DATABASE), ("q", QUERIES)):
        largest = rows[name].iloc[:, -160:].to_numpy()
        np.savez(folder / f"{name}.npz", embeddings=largest, name=[n for n, _ in records])
    return folder, rows


@pytest.fixture
def search(in_process, made):
    """Search among the files that were made; names without a file are options."""
    folder, _ = made

    def run(*arguments, stdin=b""):
        given = [
            folder / argument if (folder / str(argument)).exists() else argument
            for argument in arguments
        ]
        return in_process("search", *given, stdin=stdin)

    return run


def test_hits_are_those_of_the_estimator_on_the_same_rows(search, made):
    rows = {name: frame.iloc[:, -160:].to_numpy() for name, frame in made[1].items()}
    found = table_of(search("db.parquet", "q.parquet", "-k", 4))
    expected = hits_of(rows["db"], rows["q"], 4)
    assert_same(found, expected)
    np.testing.assert_allclose(found["distance"], expected["distance"], rtol=1e-5)
    assert found["target"][:3].tolist() == ["b", "again", "c"]  # identical ones are hits
    assert found["distance"][:2].tolist() == [0, 0]
    found = table_of(search("db.parquet", "q.parquet", "-k", 4, "--metric", "cosine"))
    assert_same(found, hits_of(rows["db"], rows["q"], 4, metric="cosine"))


@pytest.mark.parametrize("database", ["db", "db.fasta", "db.csv"])
@pytest.mark.parametrize("queries", ["q", "q.fasta"])
def test_embeddings_and_sequences_give_the_same_hits(search, database, queries):
    model = ["-m", "demo"] if (database, queries) == ("db.fasta", "q.fasta") else []
    found = table_of(search(database, queries, "-k", 2, *model))
    assert_same(found, table_of(search("db.parquet", "q.parquet", "-k", 2)))
    lengths = {sequence: len(sequence) for _, sequence in [*DATABASE, *QUERIES]}
    assert found["qlen"].tolist() == np.repeat([lengths[s] for _, s in QUERIES], 2).tolist()
    known = {name: "" if database == "db.csv" else len(s) for name, s in DATABASE}
    assert found["tlen"].tolist() == [known[name] for name in found["target"]]


def test_columns_without_names_are_those_of_the_model_that_is_named(search):
    expected = table_of(search("db.parquet", "q.parquet", "-k", 2))
    ended = search("db.npz", "q.npz", "-k", 2)
    assert ended.err == "6 hits of 3 queries in 7 sequences, by 160 columns\n"
    assert_same(table_of(ended), expected)
    assert_same(table_of(search("db.npz", "q.fasta", "-k", 2, "-m", "demo-160")), expected)
    assert_same(table_of(search("db.npz", "q.parquet", "-k", 2, "-m", "demo-160")), expected)


def test_a_distiller_leaves_identical_embeddings_identical(search, made):
    one = made[1]["db"].iloc[1:2].assign(name="b")
    one.to_parquet("one.parquet")  # its product alone is rounded otherwise than among others
    found = table_of(search("db.parquet", "one.parquet", "-k", 2, "--distiller", "demo"))
    assert found["target"].tolist() == ["b", "again"]
    assert found["distance"].tolist() == [0, 0]


def test_a_store_names_its_sequences_by_themselves(search, made):
    sequences = [sequence for _, sequence in DATABASE]
    ESMEmbedder("demo-96", store="db.sqlite").transform(sequences)
    found = table_of(search("db.sqlite", "q.fasta", "-k", 1))
    assert found["target"].tolist() == ["GSHMLEKWWCDE", "MKTAYIAKQRQISF", "LLLLEEEEKKKK"]
    assert found["tlen"].tolist() == [len(target) for target in found["target"]]
    assert_same(
        found,
        hits_of(*(made[1][s].iloc[:, 48:144] for s in ("db", "q")), 1).assign(
            target=found["target"]
        ),
    )


def test_every_record_of_a_sequence_is_a_hit_and_ties_are_in_order(in_process, tmp_path, rng):
    residues = list("ACDEFGHIKLMNPQRSTVWY")
    distinct = ["".join(rng.choice(residues, 12)) for _ in range(4)]
    records = [(f"s{i}", distinct[i % 4]) for i in range(11)]
    (tmp_path / "db.fasta").write_text(fasta(records))
    embed_to_parquet(ESMEmbedder("demo-48"), tmp_path / "db.fasta", "db")
    for k in (1, 2, 4, 11, 30):
        found = table_of(in_process("search", "db", "db.fasta", "-k", k, "-q"))
        whole = table_of(
            in_process("search", "db.fasta", "db.fasta", "-m", "demo-48", "-k", k, "-q")
        )
        assert_same(found, whole)
        assert len(found) == 11 * min(k, 11)
        of_first = found["target"][found["rank"] <= 3].tolist()[: min(k, 3)]
        assert of_first == ["s0", "s4", "s8"][:k]


def test_hits_can_be_limited(search):
    assert search("db", "q.fasta", "-k", 100).out.count(b"\n") == 1 + 3 * 7
    found = table_of(search("db", "q.parquet", "-k", 100))
    near = table_of(search("db", "q.parquet", "-k", 100, "--max-distance", 3.5))
    pd.testing.assert_frame_equal(near, found[found["distance"] <= 3.5].reset_index(drop=True))
    assert 0 < len(near) < len(found)
    others = table_of(search("db.parquet", "q.parquet", "-k", 100, "--exclude-identical"))
    assert len(others) == 3 * 7 - 2
    assert set(others["target"][others["query"] == "q"][:5]) == {"first of all", "c", "d", "", "f"}
    ended = search(
        "db.csv", "q.parquet", "--max-distance", 0, "--exclude-identical", "-m", "demo-48"
    )
    assert ended.out.decode() == "\t".join(COLUMNS) + "\n"


def test_nested_embeddings_are_compared_by_a_prefix(search, made):
    nested = ReverseDistiller.from_pretrained("demo")
    rows = [nested.transform(made[1][name]) for name in ("db", "q")]
    for asked, n_columns in ((None, 160), ("demo-96", 96), ("70", 70)):
        options = [] if asked is None else ["-n", asked]
        expected = hits_of(*(part[:, :n_columns] for part in rows), 3)
        for database, queries, *more in (
            ("db-nested.parquet", "q-nested.parquet"),
            ("db-nested.parquet", "q.fasta", "--distiller", "demo"),
            ("db", "q.fasta", "--distiller", "demo"),
            ("db.csv", "q-nested.parquet", "--distiller", "demo"),
            ("db.fasta", "q.fasta", "--distiller", "demo"),
        ):
            ended = search(database, queries, "-k", 3, *options, *more)
            assert f"by {n_columns} columns of demo-48" in ended.err
            assert_same(table_of(ended), expected)


def test_a_model_can_be_chosen_and_its_settings_are_those_of_the_database(search, made, tmp_path):
    expected = hits_of(*(made[1][name].iloc[:, 48:144] for name in ("db", "q")), 2)
    ended = search("db", "q.fasta", "-k", 2, "-m", "demo-96")
    assert ended.err.endswith("3 queries in 7 sequences, by 96 columns of demo-96\n")
    assert_same(table_of(ended), expected)
    how = {"layer": 2, "pooling": "max", "dtype": "float32", "unknown": "X"}
    embedder = ESMEmbedder("demo", **how)
    sequences = [sequence for _, sequence in DATABASE]
    embed_to_parquet(embedder, sequences, tmp_path / "mine", names=[name for name, _ in DATABASE])
    table = embedder.set_output(transform="pandas").transform(sequences)
    table.assign(name=[name for name, _ in DATABASE]).to_parquet("mine.parquet")
    found = table_of(search("mine", "-", "-k", 2, "-m", "demo-48", stdin=b">z\nMKXAY\n"))
    asked = ("-k", 2, "-m", "demo-48", "--unknown", "X")  # the rest is in the names of columns
    by_names = table_of(search("mine.parquet", "-", *asked, stdin=b">z\nMKXAY\n"))
    assert_same(by_names, found)
    embedder.set_params(chain=["demo-48"]).set_output(transform="default")
    rows = [embedder.transform(given) for given in (sequences, ["MKXAY"])]
    index = PrefixNeighbors(2).fit(rows[0]).kneighbors(rows[1], return_distance=False)[0]
    assert found["target"].tolist() == [DATABASE[i][0] for i in index]


def test_formats_of_the_output(search):
    whole = search("db", "q.fasta", "-o", "-")
    assert search("db", "q.fasta", "-o", "x.tsv").out == b""
    with open("x.tsv", "rb") as file:
        assert file.read() == whole.out
    ended = search("db", "q.fasta", "-o", "x.parquet", "--json")
    assert ended.json["n_hits"] == 21
    assert ended.json["models"] == ["esm2_t6_2M_demo"]
    assert ended.json["n_targets"] == 7
    search("db", "q.fasta", "-o", "x.csv")
    exact = pd.read_parquet("x.parquet")
    assert exact.columns.tolist() == COLUMNS
    for found in (table_of(whole), pd.read_csv("x.csv", keep_default_na=False)):
        pd.testing.assert_frame_equal(found, exact, rtol=1e-5, check_dtype=False)


def test_names_are_data(in_process, tmp_path):
    names = ['a "quoted" name', "tab\tinside", "=1+1", "a, b", "é"]
    table = pd.DataFrame({"name": names, "sequence": ["MKT", "GSH", "LLE", "WWC", "KRD"]})
    table.to_parquet(tmp_path / "x.parquet")
    for output in ("x.csv", "hits.parquet"):
        ask = ("x.parquet", "x.parquet", "-m", "demo-48", "-k", 1, "-q")
        assert in_process("search", *ask, "-o", output).code == 0
        found = pd.read_csv(output) if output == "x.csv" else pd.read_parquet(output)
        assert found["target"].tolist() == names
    lines = in_process("search", *ask).out.decode().splitlines()
    assert [line.split("\t")[1] for line in lines[1:]] == [names[0], "tab inside", *names[2:]]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("db", "q.fasta", "-m", "650M"), INPUT, "and none by 650M; name another"),
        (("db", "q.fasta", "--layer", 1), INPUT, "are by demo-160 layer 1, but those of"),
        (("db", "q.fasta", "--pooling", "1-3"), INPUT, "pooled by positions 1-3, but those of"),
        (("db", "q.fasta", "--dtype", "bfloat16"), INPUT, "of precision bfloat16, but those of"),
        (("db", "q-nested.parquet"), INPUT, "give the distiller that made these (--distiller)"),
        (("db-nested.parquet", "q.fasta"), 2, "is nested, as sequences are not; give the distill"),
        (("db", "q.fasta", "-n", 96), 2, "-n is for nested embeddings"),
        (("db", "q.fasta", "-m", "demo-48", "-m", "demo-96"), 2, "give --distiller, or one -m"),
        (
            ("db", "q", "--distiller", "demo", "-n", "650M"),
            2,
            "nor a model of the chain, demo-48, ",
        ),
        (("db", "q", "--distiller", "none.safetensors"), INPUT, "No saved distiller"),
        (("db.npz", "q.fasta"), 2, "do not name their model, by which sequences have to be embed"),
        (("db.npz", "q.fasta", "-m", "demo-96"), INPUT, "160 columns of demo-96; embed"),
        (("db.npy", "q.fasta"), INPUT, "has no names of its sequences; embed once more, to a fi"),
        (("db", "q.parquet", "--name-column", "id"), INPUT, "has no column 'id'"),
        (("none", "q.fasta"), INPUT, "There is no file or folder 'none'; check the path."),
        (("db", "none.fasta"), INPUT, "There is no file 'none.fasta'"),
        (("wrong.fasta", "q.fasta", "-m", "demo"), INPUT, "has '7', which is not an amino acid"),
        (("nameless.fasta", "q.fasta", "-m", "demo"), INPUT, "have no names, which say what"),
        (("q.fasta", "q.fasta", "-m", "none.pt"), MISSING, "none.pt"),
        (("db", "q.fasta", "-o", "none/x.tsv"), OUTPUT, "There is no folder"),
        (("db", "q.fasta", "-o", "x.txt"), 2, "ends in none of .tsv, .csv, .parquet"),
        (("db", "q.fasta", "--json"), 2, "Standard output takes the hits; leave out --json."),
        ((".", "q.fasta"), INPUT, "has no manifest.json; give a folder of embed_to_parquet"),
        (("partial", "q.fasta"), INPUT, "are not complete"),
    ],
)
def test_errors_are_one_sentence_and_change_nothing(
    search, made, tmp_path, arguments, code, message
):
    (tmp_path / "wrong.fasta").write_text(">a\nMK7\n")
    (tmp_path / "nameless.fasta").write_text(">\nMKT\n")
    (tmp_path / "partial").mkdir()
    manifest = json.loads((made[0] / "db" / "manifest.json").read_text())
    (tmp_path / "partial" / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    before = sorted(path.name for path in tmp_path.iterdir())
    ended = search(*arguments)
    assert ended.code == code, ended.err
    assert message in ended.err
    assert ended.out == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_other_weights_of_the_same_name_are_refused(in_process, tmp_path, write_checkpoint):
    (tmp_path / "x.fasta").write_text(fasta(QUERIES))
    for seed, folder in enumerate(["a", "b"]):
        (tmp_path / folder).mkdir()
        write_checkpoint(tmp_path / folder / "mine.pt", seed=seed)
    embed_to_parquet(ESMEmbedder(["a/mine.pt"]), tmp_path / "x.fasta", "db")
    assert in_process("search", "db", "x.fasta", "-m", "a/mine.pt", "-q").code == 0
    for database in ("db", "db.sqlite"):
        ESMEmbedder(["a/mine.pt"], store="db.sqlite").transform([s for _, s in QUERIES])
        ended = in_process("search", database, "x.fasta", "-m", "b/mine.pt", "-q")
        assert ended.code == INPUT
        assert "are by weights of mine with SHA-256" in ended.err
    ended = in_process("search", "db", "x.fasta", "-q")
    assert ended.code == 2
    assert "'mine' is not known by its name; give its file or folder by -m." in ended.err
