"""The store: each sequence once, many processes, kills, damage, and what others read from it."""

import hashlib
import os
import pickle
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_revdist import EmbeddingStore, ESMEmbedder, ReverseDistiller
from sklearn_revdist.embedding import _esm2, _inference, _store, _store_file
from sklearn_revdist.embedding._store_file import SequenceKey, Source
from sklearn_revdist.utils import _file_states
from sklearn_revdist.utils._models import DEMO

SEQUENCES = ["MKTAYIAKQRQ", "W", "GSHMLE<mask>K", "ACDEFGHIKLMNPQRSTVWY" * 2]


def demo(path, **parameters):
    return ESMEmbedder("demo-48", store=path, **parameters)


def change(path, statement, *parameters):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, parameters).fetchall()


# ------------------------------------------------------------------------------ once


def test_the_result_is_that_without_a_store(path):
    expected = ESMEmbedder("demo").transform(SEQUENCES)
    for _ in range(2):
        found = ESMEmbedder("demo", store=path).transform(SEQUENCES)
        np.testing.assert_array_equal(found, expected, strict=True)


def test_what_is_stored_is_not_embedded_and_its_model_not_loaded(path, embedded, models, loads):
    expected = demo(path).transform(SEQUENCES)
    assert (sorted(embedded), loads) == ([1, 8, 11, 40], ["esm2_t3_100K_demo"])
    embedded.clear(), loads.clear()
    models._models.clear()
    found = demo(str(path)).transform([SEQUENCES[i] for i in (3, 0, 1, 0)])
    np.testing.assert_array_equal(found, expected[[3, 0, 1, 0]])
    assert (embedded, loads) == ([], [])


def test_only_what_is_missing_is_embedded(path, embedded, fair_esm):
    demo(path).transform(SEQUENCES[:2])
    embedded.clear()
    sequences = [SEQUENCES[2], SEQUENCES[0].lower(), f" {SEQUENCES[1]}\n", SEQUENCES[2]]
    found = demo(path).transform(sequences)
    assert embedded == [8]
    fair_esm.means("demo-48", [SEQUENCES[i] for i in (2, 0, 1, 2)]).assert_matched(found)
    embedded.clear()
    ESMEmbedder("demo-96", store=path).transform(SEQUENCES[:2])
    assert sorted(embedded) == [1, 11]  # the second model's


def test_what_changes_the_embedding_is_kept_apart(path):
    sequence = ["MKTAYIAKQRQXLMNPACDEFG"]
    settings = [
        {"unknown": "X"},
        {"unknown": "mask"},
        {"unknown": "X", "dtype": "float16"},
        {"unknown": "X", "max_length": 10},
        {"unknown": "X", "max_length": 12},
        {"unknown": "X", "max_length": 10, "long": "truncate"},
    ]
    for _ in range(2):
        for setting in settings:
            with pytest.warns() if "long" in setting else np.errstate():
                plain = ESMEmbedder("demo-48", **setting).transform(sequence)
                found = demo(path, **setting).transform(sequence)
            np.testing.assert_array_equal(found, plain)
    with EmbeddingStore(path) as store:
        assert store.contents()["n_sequences"].sum() == len(settings)


def test_policies_on_ambiguous_residues_are_kept_apart(path):
    for _ in range(2):
        for unknown in ("X", "keep", "mask"):
            plain = ESMEmbedder("demo-48", unknown=unknown).transform(["MKBT", "MKXT"])
            found = demo(path, unknown=unknown).transform(["MKBT", "MKXT"])
            np.testing.assert_array_equal(found, plain)
    with EmbeddingStore(path) as store:  # X is X, whichever policy says so
        assert sorted(store.to_frame().index) == ["MK<mask>T", "MKBT", "MKXT"]


def test_what_does_not_change_it_is_shared(path, embedded):
    demo(path, unknown="X").transform(["MKB"])
    for setting in ({"max_length": 3}, {"max_length": 9, "long": "error"}, {"batch_tokens": 1}):
        demo(path, unknown="error", **setting).transform(["MKt".replace("t", "T")])
    assert embedded == [3, 3]
    with pytest.warns(UserWarning, match="exceed max_length=3"):
        demo(path, max_length=3, long="truncate").transform(["MKTAY"])
    assert embedded == [3, 3]


def test_weights_are_known_by_their_content(path, tmp_path, write_checkpoint, embedded):
    file = write_checkpoint(tmp_path / "m.pt")
    first = ESMEmbedder([str(file)], store=path).transform(["MKT"])
    (tmp_path / "copy.pt").write_bytes(file.read_bytes())
    copied = ESMEmbedder([str(tmp_path / "copy.pt")], store=path).transform(["MKT"])
    np.testing.assert_array_equal(copied, first)
    assert embedded == [3]
    write_checkpoint(file, seed=1)
    second = ESMEmbedder([str(file)], store=path).transform(["MKT"])
    assert embedded == [3, 3]
    assert np.abs(second - first).max() > 0.1


def test_weights_are_read_once_for_their_digest(path, tiny, monkeypatch):
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, name: reads.append(1) or digest(file, name)
    )
    monkeypatch.setattr(_file_states, "_RACY_NS", 0)
    monkeypatch.setattr(_file_states, "_digests", {})
    with EmbeddingStore.create(path) as store:
        found = [store.weights_digest([tiny]) for _ in range(3)]
    assert len(reads) == 1
    monkeypatch.setattr(_file_states, "_digests", {})  # as in another process
    with EmbeddingStore(path) as store:
        assert {*found, store.weights_digest([tiny])} == {
            hashlib.sha256(tiny.read_bytes()).hexdigest()
        }
        os.utime(tiny)
        store.weights_digest([tiny])
        assert len(reads) == 2
        parts = store.weights_digest([tiny, Path(__file__)])
        both = found[0] + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        assert parts == hashlib.sha256(both.encode()).hexdigest()


def test_the_digest_of_a_file_that_has_just_changed_is_not_kept(path, tiny, monkeypatch):
    monkeypatch.setattr(_file_states, "_RACY_NS", 10**20)
    with EmbeddingStore.create(path) as store:
        store.weights_digest([tiny])
    assert change(path, "SELECT count(*) FROM checkpoint_files") == [(0,)]


@pytest.mark.filterwarnings("ignore:.* beyond the numerical rank:UserWarning")
@pytest.mark.parametrize(
    ("chain", "keeps", "n_embedded"),
    [("demo", True, 3 * 60), ("demo-48", False, (6 * 5 + 1) * 60)],  # prefixes, folds, last fit
)
def test_a_search_embeds_each_sequence_once_and_loads_each_model_once(
    path, embedded, loads, chain, keeps, n_embedded
):
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), size=30)) for _ in range(60)]
    embedder = ESMEmbedder(chain, store=path if keeps else None)
    pipeline = make_pipeline(embedder, ReverseDistiller(), Ridge())
    grid = {"reversedistiller__n_components": [8, 16, 24, 32, 40, None]}
    search = GridSearchCV(pipeline, grid, cv=5).fit(sequences, rng.normal(size=60))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(embedded) == n_embedded
    assert sorted(loads) == sorted(set(loads))


def test_iter_residues_leaves_the_store_alone(path):
    next(demo(path).iter_residues(SEQUENCES))
    assert not path.exists()


def test_clones_and_pickles_carry_the_path(path):
    embedder = demo(path)
    assert clone(embedder).store == pickle.loads(pickle.dumps(embedder)).store == path


# ------------------------------------------------------------------------- precision


def test_half_the_size_and_the_same_result_every_time(path, tmp_path):
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACDEFGHIKLM"), size=9)) for _ in range(400)]
    exact = demo(path).transform(sequences)
    half = tmp_path / "half.sqlite"
    EmbeddingStore.create(half, dtype="float16").close()
    for _ in range(2):
        found = demo(half).transform(sequences)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, exact.astype(np.float16))
    with EmbeddingStore(path) as whole, EmbeddingStore(half) as store:
        assert store.storage_dtype == "float16"
        assert 2 * store.contents()["bytes"].sum() == whole.contents()["bytes"].sum()
        assert store.size == half.stat().st_size < whole.size


def test_what_half_precision_cannot_hold_stays_float32(path):
    values = np.array([1e5, 0.1], np.float32)
    with EmbeddingStore.create(path, dtype="float16") as store:
        store.write(SOURCE, "m", {SequenceKey("MKT", 0): values})
        np.testing.assert_array_equal(store.read(SOURCE, [SequenceKey("MKT", 0)])["MKT", 0], values)


# --------------------------------------------------------------------- many processes


def run(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_write_at_once_lose_nothing(path):
    program = """
    import sys
    import numpy as np
    from sklearn_revdist.embedding._store import EmbeddingStore
    from sklearn_revdist.embedding._store_file import SequenceKey, Source

    source = Source("0", -1, "mean", "float32", 3)
    for i in range(100):
        with EmbeddingStore.create(sys.argv[1], exist_ok=True) as store:
            for owner in (sys.argv[2], "both"):
                rows = {SequenceKey(f"{owner}{i}", 0): np.full(3, i, dtype=np.float32)}
                store.write(source, "m", rows)
                assert len(store.read(source, list(rows))) == 1
    """
    processes = [run(program, path, owner) for owner in "ab"]
    assert [process.communicate()[1] for process in processes] == ["", ""]
    with EmbeddingStore(path) as store:
        frame = store.to_frame()
    assert sorted(frame.index) == sorted(
        f"{who}{i}" for who in ("a", "b", "both") for i in range(100)
    )
    for text, row in frame.iterrows():
        assert (row == int("".join(filter(str.isdigit, text)))).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize("n_kills", [15, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_processes_leave_an_intact_store(n_kills):
    script = Path(__file__).parents[1] / "tools" / "killed_while_storing.py"
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(n_kills)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{n_kills} kills")


def test_what_was_embedded_before_an_error_is_kept(path, embedded, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.embedding._assembly.FLUSH_SECONDS", 0)
    forward = _esm2.ESM2.forward

    def interrupted(self, sequences, layers):
        if len(embedded) == 2:
            raise KeyboardInterrupt
        return forward(self, sequences, layers)

    monkeypatch.setattr(_esm2.ESM2, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo(path, batch_tokens=1).transform(SEQUENCES)
    assert embedded == [40, 11]
    monkeypatch.setattr(_esm2.ESM2, "forward", forward)
    demo(path).transform(SEQUENCES)
    assert embedded == [40, 11, 8, 1]


def test_another_process_that_holds_the_store_is_waited_for(path, monkeypatch):
    demo(path).transform(SEQUENCES)
    monkeypatch.setattr(_store_file, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        demo(path).transform(SEQUENCES)  # reads
        with pytest.raises(TimeoutError, match=r"'.*store\.sqlite' was in use by other processes"):
            demo(path).transform(["ACD"])
    demo(path).transform(["ACD"])


def test_a_full_disk_is_one_error_and_keeps_what_was_stored(path, monkeypatch):
    expected = demo(path).transform(SEQUENCES)

    class Full(_store_file.SQLiteFile):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.rows("PRAGMA max_page_count = 1")  # as many as there are

    monkeypatch.setattr(_store, "SQLiteFile", Full)
    many = ["ACDEFGHIKL"[i:] + "ACDEFGHIKL"[:i] + "W" * j for i in range(10) for j in range(9)]
    with pytest.raises(OSError, match=r"'.*' cannot be opened or written \(database or disk is"):
        demo(path).transform(many)
    monkeypatch.undo()
    np.testing.assert_array_equal(demo(path).transform(SEQUENCES), expected)


# ------------------------------------------------------------- damage, foreign files


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE embeddings SET vector = CAST(zeroblob(192) AS BLOB)",
        "UPDATE embeddings SET vector = substr(vector, 5)",
        "UPDATE embeddings SET vector = 'text', checksum = ''",
        "UPDATE embeddings SET checksum = zeroblob(16)",
        # neighbours exchange their vectors
        "UPDATE embeddings SET sequence = -sequence; UPDATE embeddings SET sequence = 5 + sequence",
    ],
)
def test_a_damaged_embedding_is_never_returned(path, statement, embedded):
    expected = demo(path).transform(SEQUENCES)
    for part in statement.split(";"):
        change(path, part)
    message = r"store\.sqlite' is damaged \(the embedding of seq"
    with EmbeddingStore(path) as store, pytest.raises(ValueError, match=message):
        store.to_frame()
    embedded.clear()
    message = (
        r"^4 embeddings in '.*store\.sqlite' are damaged .* and were removed; check the disk\.$"
    )
    with pytest.warns(RuntimeWarning, match=message):
        found = demo(path).transform(SEQUENCES)
    assert len(embedded) == 4
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(demo(path).transform(SEQUENCES), expected)


@pytest.mark.filterwarnings("ignore:.* embeddings in:RuntimeWarning")
def test_whatever_byte_is_damaged_no_number_is_wrong(path, tmp_path, fair_esm):
    demo(path).transform(SEQUENCES)
    expected = fair_esm.means("demo-48", SEQUENCES)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = []
    for i in range(60):
        broken = bytearray(content)
        for at in rng.integers(len(content), size=1 + 20 * (i % 2)):
            broken[at] = rng.integers(256)
        damaged = tmp_path / f"{i}.sqlite"
        damaged.write_bytes(broken)
        try:
            found = demo(damaged).transform(SEQUENCES)
        except (ValueError, OSError) as error:
            outcomes.append(str(damaged) in str(error))
        else:
            expected.assert_matched(found)
            outcomes.append("right")
    assert set(outcomes) == {True, "right"}


def write_other_database(path):
    change(path, "CREATE TABLE metadata (key TEXT, value TEXT)")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_text("sequence,fitness\nMKT,0.5\n" * 99), "is not a SQLite file"),
        (lambda path: path.write_text("MKT"), "is not a SQLite file"),
        (write_other_database, "is a SQLite file of something else"),
        (lambda path: change(path, "PRAGMA user_version = 7"), "is of version 7, .* upgrade it"),
        (
            lambda path: change(path, "DELETE FROM metadata"),
            r"is damaged \(its metadata has no storage_dtype\)",
        ),
        (lambda path: change(path, "DROP TABLE metadata"), "is damaged"),
    ],
)
def test_other_files_are_refused_and_left_as_they_are(path, write, message, embedded):
    if "version" in message or "damaged" in message:
        EmbeddingStore.create(path).close()
    write(path)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=rf"store\.sqlite' {message}"):
        demo(path).transform(SEQUENCES)
    with pytest.raises(ValueError, match=rf"store\.sqlite' {message}"):
        EmbeddingStore(path)
    with pytest.raises(FileExistsError, match=r"store\.sqlite' exists already"):
        EmbeddingStore.create(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
    assert embedded == []


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    demo(path).transform(["MKT"])
    with EmbeddingStore(path) as store:
        assert store.to_frame().shape == (1, 48)


def test_paths_where_no_store_can_be(path, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no store '.*store\.sqlite'; ESM.* make one\.$"):
        EmbeddingStore(path)
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'; make it first"):
        demo(tmp_path / "nowhere" / "s.sqlite").transform(SEQUENCES)
    with pytest.raises(OSError, match="cannot be opened or written"):
        demo(tmp_path).transform(SEQUENCES)
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'float16'"):
        EmbeddingStore.create(path, dtype="int8")
    assert not path.exists()


# ----------------------------------------------------------------- reading, writing


SOURCE = Source("0", -1, "mean", "float32", 2)


def numbered(*texts, max_length=0, start=0):
    """Embeddings of two numbers, counted up."""
    return {
        SequenceKey(text, max_length): np.array([i, -i], np.float32)
        for i, text in enumerate(texts, start)
    }


def test_what_is_wanted_is_found_beside_what_is_not(path):
    kept = numbered("MKT") | numbered("MKT", "ACD", max_length=9, start=5)
    with EmbeddingStore.create(path) as store:
        store.write(SOURCE, "m", kept)
        for shown, values in kept.items():
            found = store.read(SOURCE, [shown])
            assert found.keys() == {shown}
            np.testing.assert_array_equal(found[shown], values)


def test_the_warning_of_damage_is_about_the_caller(path):
    with EmbeddingStore.create(path) as store:
        store.write(SOURCE, "m", numbered("MKT"))
        change(path, "UPDATE embeddings SET checksum = ''")
        with pytest.warns(RuntimeWarning, match="1 embeddings") as warned:
            assert store.read(SOURCE, [SequenceKey("MKT", 0)]) == {}
    assert warned[0].filename == __file__


def test_sequences_are_given_as_models_are_shown_them(path):
    with EmbeddingStore.create(path) as store:
        with pytest.raises(TypeError, match=r"^sequences must be a collection of sequences"):
            store.read(SOURCE, ["MKT"])
        with pytest.raises(
            TypeError, match=r"^embeddings must be .* SequenceKey\(text, max_length\)\.$"
        ):
            store.write(SOURCE, "m", {"MKT": np.zeros(2, np.float32)})


def test_what_is_no_embedding_is_not_stored(path):
    with EmbeddingStore.create(path) as store:
        wrong = numbered("MKT") | {SequenceKey("ACD", 0): np.array([1.0, np.nan], np.float32)}
        with pytest.raises(ValueError, match=r"^Number 1 of embeddings .* array of 2 finite numb"):
            store.write(SOURCE, "m", wrong)
        assert store.contents().empty
        assert store.to_frame().empty


def test_others_can_read_the_file(path):
    """With SQLite and the documentation alone."""
    expected = demo(path).transform(SEQUENCES)
    rows = change(
        path,
        "SELECT text, vector FROM embeddings JOIN sequences ON sequences.id = sequence "
        "JOIN sources ON sources.id = source WHERE model = ? AND max_length = 0",
        DEMO[0].name,
    )
    found = {text: np.frombuffer(vector, "<f4") for text, vector in rows}
    np.testing.assert_array_equal([found[sequence] for sequence in SEQUENCES], expected)
    assert change(path, "PRAGMA application_id") == [(int.from_bytes(b"rvds", "big"),)]


def test_two_precisions_in_order_are_one_key(path, monkeypatch):
    halves = torch.float16, torch.bfloat16
    monkeypatch.setattr(_inference, "resolve_dtypes", lambda dtype, device: halves)
    demo(path).transform(SEQUENCES)
    with EmbeddingStore(path) as store:
        assert store.contents()["dtype"].tolist() == ["float16+bfloat16"]


@pytest.mark.parametrize("name", [":memory:", "", "file:x?mode=memory"])
def test_a_database_in_memory_is_no_store(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for make in (
        EmbeddingStore,
        EmbeddingStore.create,
        lambda name: ESMEmbedder("demo-48", store=name).transform(["MKT"]),
    ):
        with pytest.raises(ValueError, match=r"is not the path of a file, as a store needs; give"):
            make(name)
    assert os.listdir() == []


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    embedder = ESMEmbedder("demo-48", store="~/x.sqlite")
    before = embedder.fingerprint()
    embedder.transform(["MKT"])
    assert embedder.fingerprint() == before
    with EmbeddingStore(Path("~/x.sqlite")) as store:
        assert store.path == tmp_path / "x.sqlite"
        store.export("~/x.parquet")
    assert sorted(os.listdir()) == ["x.parquet", "x.sqlite"]
