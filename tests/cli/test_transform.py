"""The command `revdist transform`: the transform of Python, whatever comes in."""

import os

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sklearn_revdist import ESMEmbedder, ReverseDistiller
from sklearn_revdist.cli import _transform as _cli_transform
from sklearn_revdist.cli._endings import INPUT, INTERRUPTED, MISSING, OUTPUT
from sklearn_revdist.embedding._inference import EmbeddingRun

RECORDS = [("a/../b", "MKTAYIAKQRQISF"), ("twice", "GSHMLEK"), ("", "W"), ("twice", "GSHMLEK")]
NAMES, SEQUENCES = (list(part) for part in zip(*RECORDS, strict=True))


def assert_nested(found, expected, H=None):
    """Equal to rounding; of given embeddings the first model's exactly."""
    expected.assert_matched(found)
    if H is not None:
        np.testing.assert_array_equal(np.asarray(found)[:, :48], H.iloc[:, :48])


@pytest.fixture(scope="module")
def demo():
    return ReverseDistiller.from_pretrained("demo")


@pytest.fixture(scope="module")
def H():
    return ESMEmbedder("demo").set_output(transform="pandas").transform(SEQUENCES)


@pytest.fixture(scope="module")
def expected(demo, fair_esm):
    """SEQUENCES as embedded by the reference implementation and nested by `demo`."""
    return fair_esm.means("demo", SEQUENCES).map(demo.transform)


@pytest.fixture
def _inputs(tmp_path, H):
    """The same sequences and their embeddings in every format."""
    text = "".join(f">{name}\n{sequence}\n" for name, sequence in RECORDS)
    (tmp_path / "x.fasta").write_text(text)
    H.assign(name=NAMES, fitness=np.arange(4.0)).to_parquet(tmp_path / "x.parquet")
    np.save(tmp_path / "x.npy", H.to_numpy())
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["embeddings"], file["columns"] = H.to_numpy(), [*H.columns]
        file["name"] = NAMES
    ESMEmbedder("demo", store=tmp_path / "x.sqlite").transform(SEQUENCES)


@pytest.mark.usefixtures("_inputs")
def test_every_input_gives_the_same_rows_and_keeps_its_labels(revdist, demo, H, expected):
    for source, target in [
        ("x.fasta", "a.parquet"),
        ("x.parquet", "b.parquet"),
        ("x.h5", "c.parquet"),
        ("x.npy", "d.parquet"),
    ]:
        ended = revdist("transform", "demo", source, "-o", target, "--json")
        assert ended.code == 0, ended.err
        assert ended.json["n_rows"] == 4
        assert ended.json["n_components"] == 160
        frame = pd.read_parquet(target)
        given = None if source == "x.fasta" else H
        assert_nested(frame[demo.get_feature_names_out()], expected, given)
        if source != "x.npy":
            assert frame["name"].tolist() == NAMES
        if source == "x.parquet":
            assert frame["fitness"].tolist() == [0, 1, 2, 3]
    ended = revdist("transform", "demo", "x.sqlite", "-o", "e.parquet")
    frame = pd.read_parquet("e.parquet").set_index("sequence").loc[SEQUENCES]
    assert_nested(frame[demo.get_feature_names_out()], expected)
    assert ended.err.endswith("3 rows of 160 columns, demo-48 + demo-96 + demo-160\n")


@pytest.mark.usefixtures("_inputs")
def test_formats_of_the_output(revdist, tmp_path, demo, H, expected):
    assert revdist("transform", "demo", "x.parquet", "-o", "y.npy").code == 0
    assert_nested(np.load("y.npy"), expected, H)
    assert revdist("transform", "demo", "x.parquet", "-o", "y.h5").code == 0
    with h5py.File("y.h5") as file:
        assert_nested(file["embeddings"][:], expected, H)
        assert file["name"].asstr()[:].tolist() == NAMES
        assert file["columns"].asstr()[:].tolist() == demo.get_feature_names_out().tolist()
    asked = ("--input-format", "npy", "--output-format", "npy")
    assert revdist("transform", "demo", "x.npy", "-o", "y.npy").code == 0
    stdin = (tmp_path / "x.npy").read_bytes()
    ended = revdist("transform", "demo", "-", "-o", "-", *asked, stdin=stdin)
    assert ended.code == 0, ended.err
    assert ended.out == (tmp_path / "y.npy").read_bytes()


@pytest.mark.usefixtures("_inputs")
@pytest.mark.parametrize(
    ("asked", "width", "n_models"),
    [("48", 48, 1), ("demo-48", 48, 1), ("70", 70, 2), ("demo-96", 96, 2), ("97", 97, 3)],
)
def test_a_prefix_needs_its_models_and_no_others(
    in_process, monkeypatch, H, demo, expected, asked, width, n_models
):
    expected = expected.map(lambda nested: nested[:, :width])
    embed, models = EmbeddingRun.embed, []

    def seen(run, entry, *wanted, **settings):
        models.append(entry.name)
        return embed(run, entry, *wanted, **settings)

    monkeypatch.setattr(EmbeddingRun, "embed", seen)
    ended = in_process("transform", "demo", "x.fasta", "-n", asked, "-o", "x.npy", "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["n_components"], len(ended.json["models"])) == (width, n_models)
    assert models == demo.model_names_[:n_models]
    assert_nested(np.load("x.npy"), expected)
    # embeddings of these models are enough, those of all do as well
    first = H.iloc[:, : sum(demo.dims_[:n_models])]
    for rows in (first, H):
        rows.to_parquet("y.parquet")
        assert in_process("transform", "demo", "y.parquet", "-n", asked, "-o", "y.npy").code == 0
        assert_nested(np.load("y.npy"), expected, H)


@pytest.mark.usefixtures("_inputs")
def test_a_prefix_that_the_file_says_is_kept(in_process, H, expected):
    distiller = ReverseDistiller.from_pretrained("demo").set_params(n_components="demo-96")
    distiller.save_pretrained("x.safetensors")
    assert in_process("transform", "x.safetensors", "x.npy", "-o", "y.npy").code == 0
    assert_nested(np.load("y.npy"), expected.map(lambda nested: nested[:, :96]), H)
    assert in_process("transform", "x.safetensors", "x.npy", "-n", 160, "-o", "y.npy").code == 0
    assert_nested(np.load("y.npy"), expected, H)


@pytest.mark.usefixtures("_inputs")
def test_residues(revdist, demo, fair_esm):
    ended = revdist("transform", "demo", "x.fasta", "--residues", "-o", "x.parquet")
    assert ended.code == 0, ended.err
    frame = pd.read_parquet("x.parquet")
    found = frame[demo.get_feature_names_out()]
    assert_nested(found, fair_esm.residues("demo", SEQUENCES).map(demo.transform))
    assert frame["record"].tolist() == np.repeat(range(4), [*map(len, SEQUENCES)]).tolist()
    assert sorted(os.listdir()) == ["x.fasta", "x.h5", "x.npy", "x.parquet", "x.sqlite"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
def test_a_batch_at_a_time_and_any_numbers(in_process, monkeypatch, rng, demo, dtype, reference):
    monkeypatch.setattr("sklearn_revdist.tables._table._BATCH_SIZE", 3 * 304)
    rows = (9 * rng.normal(size=(11, 304))).astype(dtype)
    np.save("x.npy", rows)
    assert in_process("transform", "demo", "x.npy", "-o", "y.npy").code == 0
    found, exact = np.load("y.npy"), demo.transform(rows.astype(np.float64))
    assert found.dtype == np.result_type(dtype, np.float32)
    if dtype == np.float64:
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-11)
    else:
        reference(demo.transform(rows.astype(np.float32)), exact).assert_matched(found)


def test_models_that_are_files_must_be_given(in_process, tmp_path, tiny, rng):
    X = pd.DataFrame(rng.normal(size=(90, 72)))
    X.columns = [f"esm2_t3_100K_demo_{j}" for j in range(48)] + [f"tiny_{j}" for j in range(24)]
    ReverseDistiller(n_new=[5]).fit(X).save_pretrained("x.safetensors")
    (tmp_path / "x.fasta").write_text(">a\nMKT\n")
    ask = ("transform", "x.safetensors", "x.fasta", "-o", "x.npy")
    ended = in_process(*ask)
    assert ended.code == 2
    message = "fitted on demo-48, tiny; give the file or folder of tiny by -m."
    assert message in ended.err
    ended = in_process(*ask, "-m", "demo-48", "-m", tiny)
    assert ended.code == 0, ended.err
    whole = np.load("x.npy")
    assert whole.shape == (1, 53)
    # those that are known need not be given, nor those that a prefix does not need
    assert in_process(*ask, "-m", tiny).code == 0
    np.testing.assert_array_equal(np.load("x.npy"), whole)
    assert in_process(*ask, "-n", "48").code == 0
    np.testing.assert_array_equal(np.load("x.npy"), whole[:, :48])
    assert in_process(*ask, "-n", "48", "-m", tiny).code == 0
    ended = in_process(*ask, "-m", "demo-96")
    assert ended.code == 2
    assert "fitted on demo-48, tiny, and not on demo-96; leave out -m demo-96." in ended.err


@pytest.mark.filterwarnings("ignore:.*(fewer than its|beyond the numerical rank)")
def test_a_distiller_of_folders(
    in_process, tmp_path, hugging_face, write_checkpoint, reference, rng
):
    hugging_face(tmp_path / "small")
    write_checkpoint(tmp_path / "large.pt", width=36, seed=1)
    sequences = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 40)) for _ in range(9)]
    (tmp_path / "x.fasta").write_text("".join(f">p\n{s}\n" for s in sequences))
    asked = ("-m", "small", "-m", "large.pt")
    ended = in_process("fit", "x.fasta", *asked, "-o", "x.safetensors", "--json")
    assert ended.code == 0, ended.err
    assert [model["model"] for model in ended.json["models"]] == ["small", "large"]
    ask = ("transform", "x.safetensors", "x.fasta", "-o", "x.npy")
    ended = in_process(*ask, *asked)
    assert ended.code == 0, ended.err
    H = ESMEmbedder(["./small", "large.pt"]).set_output(transform="pandas").transform(sequences)
    distiller = ReverseDistiller.from_pretrained("x.safetensors")
    expected = reference(distiller.transform(H), distiller.transform(H.astype(np.float64)))
    assert_nested(np.load("x.npy"), expected)
    assert in_process(*ask, "-n", "small").code == 2
    assert in_process(*ask, "-n", "small", "-m", "small").code == 0
    np.testing.assert_array_equal(np.load("x.npy"), H.iloc[:, :24])
    (tmp_path / "small").rename(tmp_path / "other")
    ended = in_process(*ask, "-m", "other", "-m", "large.pt")
    assert ended.code == INPUT
    assert "other" in ended.err


@pytest.mark.usefixtures("_inputs")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("demo", "none.parquet", "-o", "y.npy"), INPUT, "There is no file 'none.parquet'"),
        (("demo", "empty.npy", "-o", "y.npy"), INPUT, "'empty.npy' cannot be read as npy"),
        (("demo", "binary.parquet", "-o", "y.npy"), INPUT, "cannot be read as Parquet"),
        (("none.safetensors", "x.npy", "-o", "y.npy"), INPUT, "No saved distiller"),
        (("x.npy", "x.npy", "-o", "y.npy"), INPUT, "cannot be read as a saved distiller"),
        (("demo", "x.npy", "-o", "y.txt"), 2, "ends in none of"),
        (("demo", "x.npy", "-o", "y.sqlite"), 2, "ends in none of"),
        (("demo", "x.npy", "-o", "-"), 2, "no suffix; name the format"),
        (("demo", "x.npy", "-o", "-", "--json"), 2, "takes the embeddings; leave out --json"),
        (
            ("demo", "x.npy", "-o", "y.npy", "-n", "650M"),
            2,
            "nor a model of the chain, demo-48, ",
        ),
        (("demo", "x.npy", "-o", "y.npy", "-n", "161"), 2, "-n 161 is not between 1 and 160"),
        (("demo", "x.npy", "-o", "y.npy", "-n", "0"), 2, "-n 0 is not between 1 and 160"),
        (("demo", "x.npy", "-o", "y.npy", "--residues"), 2, "are for sequences"),
        (("demo", "x.npy", "-o", "y.npy", "-m", "8M"), 2, "are for sequences"),
        (("demo", "x.fasta", "-o", "y.npy", "-m", "9B"), 2, "is not a known model"),
        (("demo", "x.fasta", "-o", "y.npy", "-m", "none.pt"), MISSING, "none.pt"),
        (("demo", "x.fasta", "-o", "y.npy", "--max-length", "3", "--long", "error"), INPUT, "14"),
    ],
)
def test_errors_are_one_sentence_and_a_code_and_leave_nothing(
    assert_fails, tmp_path, arguments, code, message
):
    (tmp_path / "empty.npy").touch()
    (tmp_path / "binary.parquet").write_bytes(bytes(range(128, 256)))
    assert_fails("transform", *arguments, code=code, message=message)


@pytest.mark.usefixtures("_inputs")
def test_rows_of_another_chain_are_refused(in_process, H):
    H.iloc[:, :144].to_parquet("y.parquet")
    ended = in_process("transform", "demo", "y.parquet", "-o", "y.npy")
    assert ended.code == INPUT
    broken = H.copy()
    broken.iloc[2, 50] = np.inf
    broken.to_parquet("y.parquet")
    ended = in_process("transform", "demo", "y.parquet", "-o", "y.npy")
    assert ended.code == INPUT
    assert "Row 2 (counting from 0) of 'y.parquet' has inf in column " in ended.err


@pytest.mark.usefixtures("_inputs")
def test_columns_are_chosen_by_their_names(in_process, H, expected):
    more = H.assign(ddG_1=[0.5, 1.5, 2.5, 3.5], pLDDT_0=np.arange(4.0), name=NAMES)
    for frame in (more, more.sort_index(axis=1), more[[*more.columns[48:], *more.columns[:48]]]):
        frame.to_parquet("y.parquet")
        ended = in_process("transform", "demo", "y.parquet", "-o", "z.parquet")
        assert ended.code == 0, ended.err
        nested = pd.read_parquet("z.parquet")
        assert_nested(nested.iloc[:, 3:], expected, H)
        assert set(nested.columns[:3]) == {"name", "ddG_1", "pLDDT_0"}
        assert nested["ddG_1"].tolist() == [0.5, 1.5, 2.5, 3.5]
        assert nested["name"].tolist() == NAMES
    with h5py.File("y.h5", "w") as file:
        file["embeddings"], file["columns"] = H.iloc[:, ::-1].to_numpy(), [*H.columns[::-1]]
    assert in_process("transform", "demo", "y.h5", "-o", "z.npy").code == 0
    assert_nested(np.load("z.npy"), expected, H)
    more.drop(columns=H.columns[200]).to_parquet("y.parquet")
    ended = in_process("transform", "demo", "y.parquet", "-o", "z.npy")
    assert ended.code == INPUT
    assert "has 159 columns of demo-160, without number 56, but 160" in ended.err


@pytest.mark.usefixtures("_inputs")
def test_embeddings_of_other_programs(in_process, H, expected):
    rows = H.to_numpy()
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 304)
    parquet.write_table(pa.table({"name": NAMES, "embedding": vectors}), "list.parquet")
    numbered = pd.DataFrame(rows, index=[0.5, 1.5, 2.5, 3.5]).rename(columns=str)
    numbered.sort_index(axis=1).to_parquet("numbers.parquet")
    with h5py.File("proteins.h5", "w") as file:
        file.update({f"P{i}": row for i, row in enumerate(rows)})
    np.savez("matrix.npz", rows)
    np.savez("proteins.npz", **{f"P{i}": row for i, row in enumerate(rows)})
    names = {
        "list.parquet": NAMES,
        "numbers.parquet": [0.5, 1.5, 2.5, 3.5],
        "proteins.h5": ["P0", "P1", "P2", "P3"],
        "matrix.npz": None,
        "proteins.npz": ["P0", "P1", "P2", "P3"],
    }
    for file, name in names.items():
        ended = in_process("transform", "demo", file, "-o", "y.parquet", "-q")
        assert ended.code == 0, ended.err
        nested = pd.read_parquet("y.parquet")
        assert_nested(nested.iloc[:, -160:], expected, H)
        assert name is None or nested["name"].tolist() == name
    # a list for each residue beside sequences is not an embedding
    frame = {"sequence": SEQUENCES, "pLDDT": [[1.0] * len(text) for text in SEQUENCES]}
    parquet.write_table(pa.table(frame), "sequences.parquet")
    ended = in_process("transform", "demo", "sequences.parquet", "-o", "y.npy")
    assert ended.code == 0, ended.err
    assert_nested(np.load("y.npy"), expected)
    for suffix, reader in [("pt", "torch.load"), ("pkl", "pandas.read_pickle")]:
        ended = in_process("transform", "demo", f"x.{suffix}", "-o", "y.npy")
        assert ended.code == INPUT
        assert reader in ended.err


@pytest.mark.usefixtures("_inputs")
def test_an_interrupted_run_embeds_nothing_again(in_process, monkeypatch, expected):
    def interrupted(*_):
        raise KeyboardInterrupt

    ask = ("transform", "demo", "x.fasta", "-o", "y.npy")
    with monkeypatch.context() as patch:
        patch.setattr(_cli_transform, "rows_of", interrupted)
        assert in_process(*ask).code == INTERRUPTED
    assert not os.path.exists("y.npy")
    assert os.path.exists("y.npy.unfinished.sqlite")
    monkeypatch.setattr(EmbeddingRun, "embed", pytest.fail)
    assert in_process(*ask).code == 0
    assert_nested(np.load("y.npy"), expected)
    assert not os.path.exists("y.npy.unfinished.sqlite")


@pytest.mark.usefixtures("_inputs")
@pytest.mark.parametrize("suffix", ["npy", "h5", "parquet"])
def test_a_full_disk_is_an_error(in_process, limited_files, suffix):
    np.save("x.npy", np.random.default_rng(0).normal(size=(2000, 304)).astype(np.float32))
    with limited_files(2**18):
        ended = in_process("transform", "demo", "x.npy", "-o", f"y.{suffix}")
    assert ended.code == OUTPUT
    assert "File too large" in ended.err
    assert not os.path.exists(f"y.{suffix}")
    assert not [name for name in os.listdir() if "partial" in name]
