"""Embedding into a folder; on processes that die in test_reliability_workers.py."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, embed_to_parquet
from sklearn_revdist.embedding import _checkpoints
from sklearn_revdist.embedding import _to_parquet as _cluster
from sklearn_revdist.embedding._to_parquet import _embed_part, _first_rows, _is_first
from sklearn_revdist.sequences._windows import n_processed, split

ACIDS = np.array(list("ACDEFGHIKLMNPQRSTVWY"))


@pytest.fixture
def sequences(rng):
    return ["".join(rng.choice(ACIDS, length)) for length in rng.integers(5, 40, size=30)]


@pytest.fixture
def embedder(tiny):
    return ESMEmbedder([str(tiny)])


@pytest.fixture
def expected(embedder, sequences, fair_esm):
    """Embeddings of `sequences` by the reference implementation."""
    return fair_esm.means(embedder.chain, sequences)


def read(folder):
    """Embeddings of the records in their order, as the documentation says, and their names."""
    distinct = pd.read_parquet(folder / "embeddings")
    np.testing.assert_array_equal(distinct["row"], np.arange(len(distinct)))
    records = pd.read_parquet(folder / "records.parquet")
    rows = distinct.drop(columns=["row", "name"]).to_numpy()[records["row"]]
    return rows, records["name"].tolist()


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "embeddings").iterdir()}


def test_rows_are_embeddings_in_the_order_of_the_input(embedder, sequences, expected, tmp_path):
    manifest = embed_to_parquet(embedder, sequences, tmp_path / "new", tokens_per_part=100)
    rows, names = read(tmp_path / "new")
    expected.assert_matched(rows)
    assert names == [""] * 30
    assert manifest["complete"]
    assert manifest["n_residues"] == sum(map(len, sequences))
    assert manifest["columns"] == {"tiny": 24}
    assert manifest == json.loads((tmp_path / "new" / "manifest.json").read_text())
    sizes = [part["n_residues"] for part in manifest["parts"]]
    assert len(sizes) > 3
    assert max(sizes) < 100 + 40
    assert [part["file"] for part in manifest["parts"]] == sorted(times(tmp_path / "new"))


def test_names_are_data_and_duplicates_are_embedded_once(embedder, sequences, expected, tmp_path):
    names = ["../../a", "", "b\0c", "é" * 300, "a", "a"]
    given = [*sequences[:4], sequences[1].lower(), sequences[0]]
    manifest = embed_to_parquet(embedder, given, tmp_path, names=names, tokens_per_part=30)
    rows, found = read(tmp_path)
    assert found == names
    assert manifest["n_records"] == 6
    assert manifest["n_sequences"] == 4
    np.testing.assert_array_equal(rows[[4, 5]], rows[[1, 0]])
    lengths = pd.read_parquet(tmp_path / "records.parquet")["length"]
    assert lengths.tolist() == [len(sequence) for sequence in given]
    expected.map(lambda means: means[[0, 1, 2, 3, 1, 0]]).assert_matched(rows)
    assert {p.name for p in tmp_path.iterdir()} == {
        "embeddings",
        "manifest.json",
        "records.parquet",
    }


def test_a_file_is_read_in_place_of_a_list(embedder, sequences, expected, tmp_path):
    fasta = tmp_path / "proteins.fasta"
    fasta.write_text("".join(f">p{i}\n{s}\n" for i, s in enumerate(sequences)))
    for path in (fasta, str(fasta)):
        embed_to_parquet(embedder, path, tmp_path / "out", tokens_per_part=100)
    rows, names = read(tmp_path / "out")
    assert names == [f"p{i}" for i in range(30)]
    expected.assert_matched(rows)
    with pytest.raises(ValueError, match="The file has the names"):
        embed_to_parquet(embedder, fasta, tmp_path / "out", names=names)


def test_a_pipe_which_cannot_be_read_twice_is_refused(embedder, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe' is not a file that can be read twice; write"):
        embed_to_parquet(embedder, tmp_path / "pipe", tmp_path / "folder")


def test_what_is_there_is_not_embedded_again(embedder, sequences, tmp_path, monkeypatch):
    manifest = embed_to_parquet(embedder, sequences, tmp_path, tokens_per_part=100)
    before, expected = times(tmp_path), read(tmp_path)[0]
    gone, damaged = (tmp_path / "embeddings" / manifest["parts"][i]["file"] for i in (1, 3))
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-100])
    gone.with_name("part-000007-0.parquet.ab12.partial").touch()  # of a worker that died
    embedded = []

    def transform(self, X):
        embedded.append(len(X))
        return original(self, X)

    original = ESMEmbedder.transform
    monkeypatch.setattr(ESMEmbedder, "transform", transform)
    again = embed_to_parquet(embedder, sequences, tmp_path, tokens_per_part=100)
    assert again == manifest
    assert embedded == [manifest["parts"][i]["n_rows"] for i in (1, 3)]
    after = times(tmp_path)
    assert after.keys() == before.keys()
    assert {name for name in before if before[name] != after[name]} == {gone.name, damaged.name}
    np.testing.assert_array_equal(read(tmp_path)[0], expected)


@pytest.mark.slow  # processes are started
def test_a_killed_process_leaves_whole_parts_and_the_next_goes_on(sequences, fair_esm, tmp_path):
    code = textwrap.dedent("""
        import os, signal, sys
        import sklearn_revdist as s

        def transform(self, X):
            parts.append(X)
            if len(parts) > 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, X)

        parts, original = [], s.ESMEmbedder.transform
        s.ESMEmbedder.transform = transform
        s.embed_to_parquet(s.ESMEmbedder("demo"), sys.argv[2:], sys.argv[1], tokens_per_part=20)
    """)
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path), *sequences])
    assert ended.returncode == -signal.SIGKILL
    before = times(tmp_path)
    whole = list((tmp_path / "embeddings").glob("*.parquet"))
    assert len(whole) == 3
    assert not json.loads((tmp_path / "manifest.json").read_text())["complete"]
    (tmp_path / "embeddings" / "part-000007-0.parquet.ab12.partial").touch()
    embedder = ESMEmbedder("demo")
    manifest = embed_to_parquet(embedder, sequences, tmp_path, tokens_per_part=20)
    assert {path.name: before[path.name] for path in whole}.items() <= times(tmp_path).items()
    assert set(times(tmp_path)) == {part["file"] for part in manifest["parts"]}
    fair_esm.means("demo", sequences).assert_matched(read(tmp_path)[0])


def test_a_folder_is_for_one_thing(embedder, sequences, tmp_path, write_checkpoint):
    embed_to_parquet(embedder, sequences, tmp_path, tokens_per_part=100)
    other = write_checkpoint(tmp_path / "other" / "tiny.pt", seed=1)
    for change, what in [
        ({"sequences": sequences[:-1]}, "sequences"),
        ({"names": [str(i) for i in range(30)]}, "sequences"),
        ({"tokens_per_part": 101}, "tokens_per_part"),
        ({"embedder": ESMEmbedder(embedder.chain, max_length=10)}, "embedder"),
        ({"embedder": ESMEmbedder([str(other)])}, "chain"),
    ]:
        given = {"embedder": embedder, "sequences": sequences, "tokens_per_part": 100} | change
        with pytest.raises(ValueError, match=f"of another call, with other '{what}'"):
            embed_to_parquet(folder=tmp_path, **given)
    same = ESMEmbedder(embedder.chain, batch_tokens=64, device="cpu")
    embed_to_parquet(same, sequences, tmp_path, tokens_per_part=100)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(ValueError, match="is not a manifest of embeddings"):
        embed_to_parquet(embedder, sequences, tmp_path, tokens_per_part=100)


def test_a_checkpoint_that_was_replaced_is_another_call(
    sequences, tmp_path, write_checkpoint, replace_checkpoint
):
    path = write_checkpoint(tmp_path / "m.pt")
    embedder = ESMEmbedder([str(path)])
    manifest = embed_to_parquet(embedder, sequences, tmp_path / "out")
    assert embed_to_parquet(embedder, sequences, tmp_path / "out") == manifest
    replace_checkpoint(path)
    with pytest.raises(ValueError, match="of another call, with other 'chain'"):
        embed_to_parquet(embedder, sequences, tmp_path / "out")
    other = embed_to_parquet(embedder, sequences, tmp_path / "new")
    assert other["parts"][0]["file"] != manifest["parts"][0]["file"]


def test_known_models_are_identified_without_their_weights(tmp_path, monkeypatch):
    """Workers may have weights that this process has not."""
    monkeypatch.setattr(_checkpoints, "locate", pytest.fail)
    settings = _cluster.settings_of(ESMEmbedder("650M", device="cuda:7", store=tmp_path / "s"))
    assert set(settings["chain"].values()) == {None}
    how = {"layers", "pooling", "dtype", "max_length", "long", "unknown"}
    assert set(settings["embedder"]) == how


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sequences": ["MKT", "M1T"]}, ValueError, r"Record 1 \(counting from 0\) has '1'"),
        ({"sequences": ["MKT", None]}, TypeError, "Record 1 .* is not a string"),
        ({"sequences": []}, ValueError, "at least one sequence"),
        ({"sequences": "no/such.fasta"}, FileNotFoundError, "no file 'no/such.fasta'"),
        ({"names": ["a"]}, ValueError, "names has 1 entries for 2 sequences"),
        ({"names": "ab"}, ValueError, "'names' parameter .* must be an array-like or None"),
        ({"tokens_per_part": 0}, ValueError, "'tokens_per_part' parameter .* must be an int"),
        (
            {"embedder": ESMEmbedder("demo", max_length=3, long="error")},
            ValueError,
            "record 1 .* with 4 residues",
        ),
    ],
)
def test_errors_are_raised_before_anything_is_made(change, error, message, tmp_path):
    given = {"embedder": ESMEmbedder("demo"), "sequences": ["MKT", "MKTA"]} | change
    with pytest.raises(error, match=message):
        embed_to_parquet(folder=tmp_path / "new", **given)
    assert not (tmp_path / "new").exists()


def test_one_warning_counts_long_sequences(embedder, sequences, fair_esm, tmp_path):
    short = ESMEmbedder(embedder.chain, max_length=10, long="truncate")
    with pytest.warns(UserWarning, match="of 30 sequences exceed max_length=10") as caught:
        embed_to_parquet(short, sequences, tmp_path, tokens_per_part=50)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    expected = fair_esm.means(embedder.chain, [sequence[:10] for sequence in sequences])
    expected.assert_matched(read(tmp_path)[0])


def test_one_warning_counts_stop_codons(embedder, tmp_path):
    sequences = ["MKTAY*", "GSHML", "MKTAY"]
    with pytest.warns(UserWarning, match="^1 of 3 sequences end in") as caught:
        manifest = embed_to_parquet(embedder, sequences, tmp_path, tokens_per_part=5)
    assert [warning.filename for warning in caught] == [__file__]
    assert (manifest["n_sequences"], manifest["n_residues"]) == (2, 10)


def test_the_residues_of_windows_are_counted(rng):
    lengths = np.arange(1, 60)
    shown = [sum(len(p.tokens) for p in split(0, np.zeros(n, np.uint8), 9)) for n in lengths]
    np.testing.assert_array_equal(n_processed(lengths, 9, "window"), shown)
    np.testing.assert_array_equal(n_processed(lengths, 9, "truncate"), np.minimum(lengths, 9))
    np.testing.assert_array_equal(n_processed(lengths, None, "window"), lengths)


def test_digests_differ_by_both_halves():
    digests = [
        bytes([i, *[0] * 14, j]) for i, j in [(1, 1), (1, 2), (2, 1), (1, 1), (2, 2), (1, 2)]
    ]
    rows = _first_rows(b"".join(digests))
    np.testing.assert_array_equal(rows, [0, 1, 2, 0, 3, 1])
    np.testing.assert_array_equal(_is_first(rows), [True, True, True, False, True, False])


def test_a_worker_that_does_not_see_the_folder_says_so(embedder, tmp_path):
    path = Path(os.fspath(tmp_path), "not_here", "part-000000-0.parquet")
    with pytest.raises(FileNotFoundError, match="A worker does not see the folder"):
        _embed_part(embedder, ["a"], ["MKT"], 0, path)


# --------------------------------------------------------------------------- workers


@pytest.fixture(scope="module")
def client():
    """A worker with one thread, in this process."""
    from distributed import Client

    settings = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with Client(processes=False, **settings) as client:
        yield client


def test_a_worker_writes_the_same_files_and_the_next_call_goes_on(
    client, embedder, sequences, expected, tmp_path
):
    manifest = embed_to_parquet(embedder, sequences, tmp_path / "here", tokens_per_part=50)
    assert len(manifest["parts"]) > 5  # more than wait for a worker at a time
    ask = (embedder, sequences, tmp_path / "there")
    assert embed_to_parquet(*ask, client=client, tokens_per_part=50) == manifest
    for path in (tmp_path / "here" / "embeddings").iterdir():
        here, there = (
            pd.read_parquet(path),
            pd.read_parquet(tmp_path / "there" / "embeddings" / path.name),
        )
        pd.testing.assert_frame_equal(there[["row", "name"]], here[["row", "name"]])
        assert there.dtypes.equals(here.dtypes)
    for folder in ("here", "there"):
        expected.assert_matched(read(tmp_path / folder)[0])
    before = times(tmp_path / "there")
    gone = tmp_path / "there" / "embeddings" / manifest["parts"][2]["file"]
    gone.unlink()
    assert embed_to_parquet(*ask, client=client, tokens_per_part=50) == manifest
    after = times(tmp_path / "there")
    assert {name for name in before if before[name] != after[name]} == {gone.name}


def killed():
    from distributed import KilledWorker

    return KilledWorker("part-000000", SimpleNamespace(address="here"), 3)


@pytest.mark.parametrize(
    ("make_error", "error", "message"),
    [
        (
            killed,
            RuntimeError,
            r"died while they embedded the sequences 0 to \d+ \(dist.*set a lower batch_tokens",
        ),
        (lambda: None, FileNotFoundError, "has written '.*part-000000-.*', which is not seen here"),
        (lambda: ZeroDivisionError("a defect"), ZeroDivisionError, "a defect"),
    ],
    ids=["killed", "not seen", "any error"],
)
def test_errors_of_a_worker_are_raised_and_the_next_call_goes_on(
    client, embedder, sequences, expected, tmp_path, monkeypatch, make_error, error, message
):
    def embed_part(*_):
        if (wrong := make_error()) is not None:
            raise wrong

    ask = {"folder": tmp_path, "client": client, "tokens_per_part": 50}
    with monkeypatch.context() as patched:
        patched.setattr(_cluster, "_embed_part", embed_part)
        with pytest.raises(error, match=message):
            embed_to_parquet(embedder, sequences, **ask)
    assert not json.loads((tmp_path / "manifest.json").read_text())["complete"]
    assert embed_to_parquet(embedder, sequences, **ask)["complete"]
    expected.assert_matched(read(tmp_path)[0])


def test_layers_and_poolings_are_those_of_the_embedder(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    sequences = ["MKTAY", "MKTAW", "GKTAY", "MKTAW"]
    embedder = ESMEmbedder(
        "demo", layer=0.5, pooling=["mean", "sites_difference"], reference="MKTAY"
    )
    embed_to_parquet(embedder, sequences, tmp_path / "a", tokens_per_part=6)
    table = parquet.read_table(tmp_path / "a" / "embeddings").to_pandas().sort_values("row")
    names = embedder.get_feature_names_out()
    np.testing.assert_array_equal(table[names], embedder.transform(sequences[:3]))
    with pytest.raises(ValueError, match=r"Record 3 .* 4 residues, but the wild type has 5"):
        embed_to_parquet(embedder, [*sequences[:3], "MKTA"], tmp_path / "b", tokens_per_part=6)
    assert not (tmp_path / "b").exists()
    with pytest.raises(ValueError, match="with other 'embedder'"):
        embed_to_parquet(
            embedder.set_params(layer=-1), sequences, tmp_path / "a", tokens_per_part=6
        )
