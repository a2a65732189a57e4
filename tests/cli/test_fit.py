"""The command `revdist fit`: the distiller of Python, from any input, and after any stop."""

import os
import re
import shutil
import signal

import h5py
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, ReverseDistiller
from sklearn_revdist.cli import _fit as _cli_fit
from sklearn_revdist.cli._endings import INPUT, INTERRUPTED, MISSING, OUTPUT, TERMINATED
from sklearn_revdist.embedding._inference import EmbeddingRun

CHAIN = ["demo-48", "demo-96"]
DEMO = ("-m", "demo-96")

# Proteins few and short enough to be fitted in no time.
pytestmark = pytest.mark.filterwarnings("ignore:.*(fewer than its|beyond the numerical rank)")


def proteins(n_sequences, length, seed=0):
    letters = np.random.default_rng(seed).choice(
        list("ACDEFGHIKLMNPQRSTVWY"), size=(n_sequences, length)
    )
    return ["".join(row) for row in letters]


def fasta(path, sequences):
    path.write_text("".join(f">../{i % 3}\n{sequence}\n" for i, sequence in enumerate(sequences)))
    return path


@pytest.fixture(scope="module")
def residues():
    """Residues of some sequences, as rows."""
    blocks = ESMEmbedder(CHAIN).iter_residues(proteins(9, 40))
    rows = np.concatenate([rows for rows, _ in blocks])
    rows.flags.writeable = False  # all tests share it
    return rows


@pytest.fixture(scope="module")
def names():
    return ESMEmbedder(CHAIN).get_feature_names_out()


def assert_same(path, expected):
    """A saved distiller is the same as a fitted one, to rounding of sums in another order."""
    found = ReverseDistiller.from_pretrained(path)
    assert found.model_names_ == expected.model_names_
    np.testing.assert_allclose(found.mean_, expected.mean_, rtol=1e-12, atol=1e-12)
    rows = np.random.default_rng(0).normal(size=(50, expected.n_features_in_))
    A = expected.transform(rows)
    np.testing.assert_allclose(found.transform(rows), A, rtol=1e-8, atol=1e-8 * np.abs(A).max())


def test_sequences_are_fitted_by_their_residues(revdist, tmp_path, residues):
    fasta(tmp_path / "x.fasta", proteins(9, 40))
    ended = revdist("fit", "x.fasta", *DEMO, "-o", "x.safetensors", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["weight"] == 360
    assert ended.json["regressor"] == "ridge"
    assert [model["width"] for model in ended.json["models"]] == [48, 96]
    assert_same("x.safetensors", ReverseDistiller(dims=[48, 96]).fit(residues))
    assert sorted(os.listdir()) == ["x.fasta", "x.safetensors"]


@pytest.mark.parametrize("file", ["x.parquet", "x.h5", "x.npy"])
def test_embeddings_are_fitted_as_they_are(revdist, tmp_path, residues, names, file):
    if file == "x.npy":
        np.save(file, residues)
    elif file == "x.h5":
        with h5py.File(file, "w") as h5:
            h5["embeddings"], h5["columns"] = residues, names.astype("S")
    else:
        pd.DataFrame(residues, columns=names).to_parquet(file)
    asked = ("--regressor", "pcr", "--n-new", "30")
    ended = revdist("fit", file, "-o", "x.safetensors", *asked)
    assert (ended.code, ended.out) == (0, b""), ended.err
    assert ended.err == "x.safetensors: 2 models, 144 columns to 78, pcr, fitted on 360 rows\n"
    expected = ReverseDistiller(dims=[48, 96], regressor="pcr", n_new=[30]).fit(residues)
    assert_same("x.safetensors", expected)


def test_joint_residuals_are_asked_for_and_shown(in_process, tmp_path, rng):
    X = rng.normal(size=(90, 12))
    np.save("x.npy", X)
    ask = ("fit", "x.npy", "--dims", "2,4,6", "--n-new", "1,4", "-o", "x.safetensors")
    ended = in_process(*ask, "--residual", "joint")
    assert ended.code == 0, ended.err
    summary = "3 models, 12 columns to 7, ridge, joint residuals, fitted on 90 rows"
    assert ended.err == f"x.safetensors: {summary}\n"
    assert_same("x.safetensors", ReverseDistiller([2, 4, 6], n_new=[1, 4], residual="joint").fit(X))
    assert in_process("info", "x.safetensors").text.splitlines()[0] == summary
    assert in_process("info", "x.safetensors", "--json").json["residual"] == "joint"
    ended = in_process(*ask, "--n-new", "1,10", "--residual", "joint")
    assert ended.code == 2
    assert "3 columns were left out before; give a number from 0 to 9" in ended.err


def test_a_store_is_fitted_if_it_is_complete(in_process, tmp_path):
    sequences = proteins(200, 5)
    H = ESMEmbedder(CHAIN, store="x.sqlite").transform(sequences)
    assert in_process("fit", "x.sqlite", "-o", "x.safetensors").code == 0
    assert_same("x.safetensors", ReverseDistiller(dims=[48, 96]).fit(H))
    ESMEmbedder(CHAIN[:1], store="x.sqlite").transform(["MKT"])
    ended = in_process("fit", "x.sqlite", "-o", "y.safetensors")
    assert ended.code == INPUT
    assert "sequences that not all of its models have embedded" in ended.err


def test_sequences_are_drawn_with_a_seed(revdist, tmp_path):
    sequences = proteins(30, 20)
    fasta(tmp_path / "x.fasta", sequences)
    ask = ("fit", "x.fasta", *DEMO, "--sequences", 7, "-o")
    for seed, output in ((0, "a"), (0, "b"), (1, "c")):
        ended = revdist(*ask, output, "--seed", seed)
        assert ended.code == 0, ended.err
        assert "fitted on 140 residues" in ended.err
    a, b, c = ((tmp_path / output).read_bytes() for output in "abc")
    assert a == b != c
    ended = revdist(*ask[:-2], 31, "-o", "d")
    assert ended.code == 0
    assert "Warning: there are only 30 such proteins; all of them are taken." in ended.err
    assert "fitted on 600 residues" in ended.err


def test_what_cannot_be_drawn_is_left_out_and_counted(in_process, tmp_path):
    sequences = proteins(30, 20)
    fasta(tmp_path / "x.fasta", sequences)
    others = ["MKX", "MK7", "W" * 1023, "A-C", sequences[0].lower(), f"{sequences[1]}*"]
    fasta(tmp_path / "y.fasta", [*others, *sequences[::-1]])
    ask = (*DEMO, "--sequences", 30, "-o")
    assert in_process("fit", "x.fasta", *ask, "x").code == 0
    ended = in_process("fit", "y.fasta", *ask, "y")
    assert ended.code == 0, ended.err
    assert ended.err.startswith(
        "30 proteins drawn from 36 records, without 2 with other letters than the 20 standard "
        "ones, 1 of more than 1022 residues, 1 with gaps, 2 that repeat one of these; a final * "
        "was dropped from 1\n"
    )
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    # long ones are not errors of a draw
    ended = in_process("fit", "y.fasta", *ask, "z", "--max-length", 19, "--long", "error")
    assert ended.code == INPUT
    assert "None of the 36 proteins to fit on has at most 19 residues" in ended.err
    assert in_process("fit", "y.fasta", *ask, "z", "--max-length", 20, "--long", "error").code == 0
    # and gaps may be removed first
    ended = in_process("fit", "y.fasta", *ask, "z", "--remove-gaps")
    assert ended.err.startswith("Removed 1 gaps from 1 of 36 sequences\n30 proteins drawn from")
    assert "with gaps" not in ended.err
    ended = in_process("fit", "y.fasta", *ask, "z", "--keep-stop")
    assert (ended.code, "Record 5 (counting from 0) ends in '*'" in ended.err) == (INPUT, True)


@pytest.mark.parametrize(
    ("letter", "remedy"),
    [
        ("X", "replace it, or give --unknown X (any residue), mask or keep"),
        ("-", "remove gaps by --remove-gaps"),
        ("7", "remove or replace it"),
    ],
)
def test_without_a_draw_every_record_is_used(in_process, tmp_path, letter, remedy):
    fasta(tmp_path / "x.fasta", [*proteins(9, 20), f"MK{letter}W"])
    ended = in_process("fit", "x.fasta", *DEMO, "-o", "x")
    assert ended.code == INPUT
    message = (
        rf"at position 3 .*; {re.escape(remedy)}, "
        r"or draw proteins without such letters by --sequences\.$"
    )
    assert re.search(message, ended.err.strip())
    if letter == "X":
        assert in_process("fit", "x.fasta", *DEMO, "-o", "x", "--unknown", "keep").code == 0


def test_standard_input_to_standard_output(revdist, tmp_path):
    path = fasta(tmp_path / "x.fasta", proteins(9, 40))
    ended = revdist("fit", "-", *DEMO, "-o", "-", stdin=path.read_bytes())
    assert ended.code == 0, ended.err
    assert revdist("fit", "x.fasta", *DEMO, "-o", "x.safetensors").code == 0
    assert ended.out == (tmp_path / "x.safetensors").read_bytes()


def test_a_parquet_table_of_sequences_with_a_measured_value(in_process, tmp_path):
    sequences = proteins(9, 40)
    fasta(tmp_path / "x.fasta", sequences)
    frame = pd.DataFrame({"sequence": sequences, "fitness": np.arange(9.0)})
    frame.to_parquet("x.parquet")
    assert in_process("fit", "x.fasta", *DEMO, "-o", "a").code == 0
    assert in_process("fit", "x.parquet", *DEMO, "-o", "b").code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_widths_that_cannot_be_inferred_must_be_given(in_process, tmp_path, rng):
    np.save("x.npy", rng.normal(size=(99, 7)))
    ended = in_process("fit", "x.npy", "-o", "x.safetensors")
    assert ended.code == 2
    assert "say the widths of the models with --dims" in ended.err
    assert in_process("fit", "x.npy", "-o", "x.safetensors", "--dims", "3,4").code == 0
    assert_same("x.safetensors", ReverseDistiller(dims=[3, 4]).fit(np.load("x.npy")))


def test_columns_are_put_in_order_by_their_names(in_process, residues, names):
    expected = ReverseDistiller(dims=[48, 96]).fit(residues)
    frame = pd.DataFrame(residues, columns=names)
    more = frame.assign(ddG_1=1.5, pLDDT_0=np.arange(360.0))
    for columns in (sorted(more.columns), [*more.columns[48:], *more.columns[:48]]):
        more[columns].to_parquet("x.parquet")
        ended = in_process("fit", "x.parquet", "-q", "-o", "x.safetensors")
        assert ended.code == 0, ended.err
        assert_same("x.safetensors", expected)
        assert "2 columns of numbers are left out: ddG_1, pLDDT_0." in ended.err.replace(
            "pLDDT_0, ddG_1", "ddG_1, pLDDT_0"
        )
    # of models that are not known, only the file says the order
    frame.columns = [name.replace("esm2", "my") for name in names]
    frame[sorted(frame.columns)].to_parquet("x.parquet")
    ended = in_process("fit", "x.parquet", "-o", "x.safetensors")
    assert ended.code == 2
    assert "are not in order: my_t3_100K_demo_2 is expected where my_t3_100K_demo_10" in ended.err


@pytest.mark.filterwarnings("default")
def test_one_warning_doubts_widths_that_are_not_a_whole_chain(in_process, rng):
    np.save("x.npy", rng.normal(size=(400, 208)))
    ended = in_process("fit", "x.npy", "-q", "-o", "x.safetensors")
    assert ended.code == 0, ended.err
    assert ended.err.count("Warning: The 208 columns of X have no names") == 1
    assert "demo-48 (48), demo-160 (160)" in ended.err
    assert "say their widths with --dims." in ended.err
    ended = in_process("fit", "x.npy", "--dims", "48,160", "-q", "-o", "y.safetensors")
    assert "Warning: The 208" not in ended.err
    found = [ReverseDistiller.from_pretrained(f"{file}.safetensors") for file in "xy"]
    np.testing.assert_array_equal(found[0].components_, found[1].components_)


@pytest.mark.parametrize(
    ("content", "arguments", "code", "message"),
    [
        (None, (), INPUT, "There is no file"),
        (b"MKT\n", (), INPUT, "is not a FASTA file"),
        (b">a\nMKB\n", (), INPUT, "Record 0 (counting from 0) has the ambiguous residue 'B'"),
        (b">a\nMKT\n", ("-m", "9B"), 2, "'9B' is not a known model, and there is no such file"),
        (b">a\nMKT\n", ("-m", "none.pt"), MISSING, "none.pt"),
        (b">a\nMKT\n", ("--dims", "3,4"), 2, "--dims is for embeddings"),
        (
            b">a\nMKT\n",
            ("--dims", "3;4"),
            2,
            "'3;4' is not a list of numbers; write, say, 320,480.",
        ),
        (b">a\nMKT\n", ("--n-new", "97"), 2, "--n-new asks for 97 new columns of demo-96"),
        (b">a\nMKT\n", ("--regressor", "lasso"), 2, "'lasso' is not one of"),
        (b">a\nMKT\n", ("-o", "-", "--json"), 2, "leave out --json"),
    ],
)
def test_errors_are_one_sentence_and_a_code_and_leave_nothing(
    assert_fails, tmp_path, content, arguments, code, message
):
    if content is not None:
        (tmp_path / "x.fasta").write_bytes(content)
    models = () if "-m" in arguments else DEMO
    ask = ("fit", "x.fasta", "-o", "x.safetensors", *models, *arguments)
    assert_fails(*ask, code=code, message=message)


def test_errors_of_embeddings(in_process, tmp_path, residues, names):
    ask = ("fit", "x.parquet", "-o", "x.safetensors")
    frame = pd.DataFrame(residues, columns=names)
    frame.to_parquet("x.parquet")
    for more, message in [
        (DEMO, "'x.parquet' holds embeddings; -m and --sequences are for sequences."),
        (("--sequences", "3"), "-m and --sequences are for sequences"),
        (("--dims", "3,4"), "add up to 7 columns, but there are 144"),
        (("--n-new", "1,2"), "--n-new has 2 entries"),
    ]:
        ended = in_process(*ask, *more)
        assert ended.code == 2
        assert message in ended.err
    frame = frame.copy()
    frame.iloc[17, 3] = np.nan
    frame.to_parquet("x.parquet")
    ended = in_process(*ask)
    assert ended.code == INPUT
    assert "Row 17 (counting from 0) of 'x.parquet' has nan in column " in ended.err
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    assert in_process(*ask).code == INPUT
    assert in_process("fit", "none.npy", "-o", "x.safetensors").code == INPUT
    assert not (tmp_path / "x.safetensors").exists()


# ------------------------------------------------------------------ interrupted, disk full


def interrupted(monkeypatch, after):
    """Interrupt after so many calls that embed, and return what was embedded."""
    embed, embedded = EmbeddingRun.embed, []

    def interrupting(run, entry, pieces, *wanted, **settings):
        if len(embedded) == after:
            raise KeyboardInterrupt
        embedded.append(len(pieces))
        return embed(run, entry, pieces, *wanted, **settings)

    monkeypatch.setattr(EmbeddingRun, "embed", interrupting)
    return embedded


def test_what_is_kept_is_not_embedded_again(in_process, tmp_path, monkeypatch):
    monkeypatch.setattr(_cli_fit, "RESIDUES", 25)
    fasta(tmp_path / "x.fasta", proteins(9, 20))
    ask = ("fit", "x.fasta", *DEMO, "-o")
    assert in_process(*ask, "whole").code == 0
    # four parts of two sequences and one of one, for each of the two models
    for after, n_embedded in [(5, 5), (None, 6)]:
        with monkeypatch.context() as patch:
            embedded = interrupted(patch, after)
            assert in_process(*ask, "x").code == (INTERRUPTED if after else 0)
            assert len(embedded) == n_embedded
    assert (tmp_path / "x").read_bytes() == (tmp_path / "whole").read_bytes()
    assert sorted(os.listdir()) == ["whole", "x", "x.fasta"]


@pytest.mark.parametrize(("output", "after"), [("x", 0), ("-", 4)])
def test_before_its_first_part_or_without_a_file_nothing_is_kept(
    in_process, tmp_path, monkeypatch, output, after
):
    monkeypatch.setattr(_cli_fit, "RESIDUES", 25)
    fasta(tmp_path / "x.fasta", proteins(9, 20))
    interrupted(monkeypatch, after)
    ended = in_process("fit", "x.fasta", *DEMO, "-o", output)
    assert (ended.code, ended.out) == (INTERRUPTED, b"")
    assert os.listdir() == ["x.fasta"]


def test_what_is_kept_of_other_proteins_is_not_used(in_process, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.cli._outputs.Kept.remove", lambda kept: None)
    for seed, n_kept in enumerate((1, 2)):
        fasta(tmp_path / "x.fasta", proteins(9, 20, seed))
        for output in ("whole", "x"):
            assert in_process("fit", "x.fasta", *DEMO, "-o", output).code == 0
        assert len(os.listdir("x.unfinished")) == n_kept
        assert (tmp_path / "x").read_bytes() == (tmp_path / "whole").read_bytes()
        shutil.rmtree("whole.unfinished")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="processes are stopped by signals")
def test_a_stopped_fit_goes_on_and_ends_in_the_same_bytes(stopped, as_process, tmp_path):
    fasta(tmp_path / "x.fasta", proteins(300, 200))
    ask = ("fit", "x.fasta", "-m", "demo", "-o")
    assert as_process(*ask, "whole").code == 0

    def kept():
        return [path.name for path in (tmp_path / "x.unfinished").glob("*.npz")]

    before = []
    for number, code in [
        (signal.SIGINT, INTERRUPTED),
        (signal.SIGTERM, TERMINATED),
        (signal.SIGKILL, -signal.SIGKILL),
    ]:
        # A part of the residues is 15 batches: some parts, and some of the next one.
        ended = stopped(int(number), 35, *ask, "x")
        assert ended.code == code, ended.err
        assert len(kept()) == 1
        # What is killed keeps what there was.
        assert (kept() == before) == (number == signal.SIGKILL)
        before = kept()
        assert not (tmp_path / "x").exists()
    ended = as_process(*ask, "x")
    assert ended.code == 0, ended.err
    assert (tmp_path / "x").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not kept()


@pytest.mark.parametrize("file", ["x.fasta", "x.npy"])
def test_a_full_disk_is_an_error(in_process, tmp_path, limited_files, residues, file):
    """For the sum that is kept beside the output, or for the output."""
    fasta(tmp_path / "x.fasta", proteins(9, 40))
    np.save("x.npy", residues)
    asked = DEMO if file == "x.fasta" else ("--dims", "48,96")
    with limited_files(2**15):
        ended = in_process("fit", file, *asked, "-o", "x.safetensors")
    assert ended.code == OUTPUT
    assert "File too large" in ended.err
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == ["x.fasta", "x.npy"]


def test_memory_does_not_grow_with_the_rows(in_process, tmp_path, monkeypatch):
    import tracemalloc

    monkeypatch.setattr("sklearn_revdist.tables._table._BATCH_SIZE", 2**15)
    peaks, sizes = [], (2**13, 2**13, 2**17)
    for n_rows in sizes:
        np.save("x.npy", np.random.default_rng(0).normal(size=(n_rows, 16)).astype(np.float16))
        tracemalloc.start()
        assert in_process("fit", "x.npy", "--dims", "4,12", "-q", "-o", "x").code == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    more = (sizes[2] - sizes[1]) * 16 * 2
    assert peaks[2] - peaks[1] < more / 4
