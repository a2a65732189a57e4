"""The command `revdist embed`: any format in and out, every error, nothing lost."""

import gzip
import os
import re
import shutil
import signal
import threading
from functools import partialmethod
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import EmbeddingStore, ESMEmbedder, TransformersEmbedder
from sklearn_revdist.cli._endings import INPUT, INTERRUPTED, MISSING, OUTPUT, TERMINATED
from sklearn_revdist.embedding._inference import EmbeddingRun

RECORDS = [
    ("../../etc/passwd", "MKTAYIAKQRQISFVKSHFSRQ"),
    ("b|twice", "GSHMLEK"),
    ("", "W"),
    ("b|twice", "GSHMLEK"),
    ("another name of it", "GSHMLEK"),
]
NAMES, SEQUENCES = (list(part) for part in zip(*RECORDS, strict=True))
CHAIN = ("-m", "demo-48")


@pytest.fixture(scope="module")
def means():
    return ESMEmbedder("demo-48").transform(SEQUENCES)


def fasta(path, records=RECORDS):
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records))
    return path


def numbers(frame):
    return frame.filter(like="esm2_").to_numpy()


def test_every_format_in_and_out_gives_the_same_rows(revdist, tmp_path, means):
    fasta(tmp_path / "x.fasta")
    frame = pd.DataFrame(RECORDS, columns=["name", "sequence"])
    frame.to_csv("x.csv", index=False)
    frame.rename(columns={"sequence": "seq", "name": "id"}).to_parquet("x.parquet")
    columns = ["--sequence-column", "seq", "--name-column", "id"]

    ended = revdist("embed", "x.fasta", "-o", "a.parquet", *CHAIN, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["n_sequences"] == ended.json["n_rows"] == 5
    assert ended.json["n_residues"] == 22 + 3 * 7 + 1
    assert ended.json["columns"] == {"esm2_t3_100K_demo": 48}
    assert ended.err == ""
    found = pd.read_parquet("a.parquet")
    assert found["name"].tolist() == NAMES
    np.testing.assert_array_equal(numbers(found), means)

    ended = revdist("embed", "x.csv", "-o", "b.h5", *CHAIN)
    assert (ended.code, ended.out) == (0, b"")
    assert ended.err == "b.h5: 5 rows of demo-48 (48), from 5 sequences\n"
    with h5py.File("b.h5") as file:
        np.testing.assert_array_equal(file["embeddings"], means)
        assert file["name"].asstr()[:].tolist() == NAMES

    assert revdist("embed", "x.parquet", "-o", "c.npy", *CHAIN, *columns).code == 0
    np.testing.assert_array_equal(np.load("c.npy"), means)

    assert revdist("embed", "x.fasta", "-o", "d.sqlite", *CHAIN).code == 0
    with EmbeddingStore("d.sqlite") as store:
        np.testing.assert_array_equal(store.to_frame().loc[SEQUENCES], means)

    left = {"x.fasta", "x.csv", "x.parquet", "a.parquet", "b.h5", "c.npy", "d.sqlite"}
    assert set(os.listdir()) == left


def test_standard_input_to_standard_output(revdist, tmp_path, means):
    content = fasta(tmp_path / "x.fasta").read_bytes()
    ended = revdist("embed", "-", "-o", "-", "--output-format", "npy", *CHAIN, stdin=content)
    assert ended.code == 0, ended.err
    (tmp_path / "out.npy").write_bytes(ended.out)
    np.testing.assert_array_equal(np.load("out.npy"), means)
    assert "5 rows" in ended.err
    csv = pd.DataFrame({"sequence": SEQUENCES}).to_csv(index=False).encode()
    asked = ("--input-format", "csv", "--output-format", "npy")
    assert revdist("embed", "-", "-o", "-", *asked, *CHAIN, stdin=csv).out == ended.out


def test_a_table_on_standard_input_is_recognised(in_process, tmp_path, means):
    frame = pd.DataFrame({"name": NAMES, "sequence": SEQUENCES})
    frame.to_parquet(tmp_path / "in.parquet")
    for i, content in enumerate([frame.to_csv(index=False), frame.to_csv(index=False, sep=";")]):
        ended = in_process("embed", "-", "-o", f"{i}.parquet", *CHAIN, stdin=content.encode())
        assert ended.code == 0, ended.err
        found = pd.read_parquet(f"{i}.parquet")
        assert found["name"].tolist() == NAMES
        np.testing.assert_array_equal(numbers(found), means)
    content = (tmp_path / "in.parquet").read_bytes()
    ask = ("embed", "-", "-o", "x.npy", *CHAIN)
    assert in_process(*ask, "--input-format", "parquet", stdin=content).code == 0
    np.testing.assert_array_equal(np.load("x.npy"), means)


@pytest.mark.parametrize("path", ["/dev/stdin", "pipe"])
def test_pipes_are_read_as_files_are(as_process, tmp_path, means, path):
    content = gzip.compress(fasta(tmp_path / "x.fasta").read_bytes())
    if path == "pipe":
        os.mkfifo(tmp_path / path)
        threading.Thread(target=(tmp_path / path).write_bytes, args=(content,)).start()
    ended = as_process("embed", path, "-o", "x.npy", *CHAIN, "-q", stdin=content)
    assert ended.code == 0, ended.err
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), means)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,protein\na,MKT\n", "Standard input begins neither with '>', as FASTA does, nor"),
        (b"name,sequence\na,MK\n\nb,M7\n", "Standard input, line 4: Record 1 (counting from 0)"),
        (b'name,sequence\na,"MK\nT"\n', "Standard input, line 2: the sequence has a line break"),
        (b"PAR1\x15", "Standard input is a Parquet table, by its first bytes; end its name in"),
        (b">a\nMKT\n\xff", "Standard input, line 3, has bytes that are not UTF-8"),
        (b"", "Standard input has no FASTA records"),
    ],
)
def test_errors_name_standard_input_and_lines(in_process, content, message):
    ended = in_process("embed", "-", "-o", "x.npy", *CHAIN, stdin=content)
    assert ended.code == INPUT
    assert f"Error: {message}" in ended.err
    assert "revdist-" not in ended.err


def test_residues_have_their_record_and_position(revdist, tmp_path):
    fasta(tmp_path / "x.fasta")
    ended = revdist("embed", "x.fasta", "-o", "x.parquet", *CHAIN, "--residues", "--json")
    assert ended.code == 0, ended.err
    rows, index = zip(*ESMEmbedder("demo-48").iter_residues(SEQUENCES), strict=True)
    index = np.concatenate(index)
    found = pd.read_parquet("x.parquet")
    assert ended.json["n_rows"] == ended.json["n_residues"] == len(found) == len(index)
    np.testing.assert_array_equal(numbers(found), np.concatenate(rows))
    assert found["record"].tolist() == index.tolist()
    assert found["name"].tolist() == [NAMES[i] for i in index]
    spelled = [SEQUENCES[i][k - 1] for i, k in zip(index, found["position"], strict=True)]
    assert "".join(spelled) == "".join(SEQUENCES)
    assert sorted(os.listdir()) == ["x.fasta", "x.parquet"]


def test_residues_to_standard_output_leave_nothing_beside_it(in_process, tmp_path):
    fasta(tmp_path / "x.fasta")
    ask = ("embed", "x.fasta", *CHAIN, "--residues", "--output-format", "npy", "-o")
    assert in_process(*ask, "x").code == 0
    ended = in_process(*ask, "-")
    assert ended.code == 0, ended.err
    assert ended.out == (tmp_path / "x").read_bytes()
    assert sorted(os.listdir()) == ["x", "x.fasta"]


def test_a_part_at_a_time_gives_the_same(in_process, tmp_path, monkeypatch, means):
    monkeypatch.setattr("sklearn_revdist.cli._sequence_inputs._SEQUENCES", 25)
    monkeypatch.setattr("sklearn_revdist.cli._sequence_inputs.RESIDUES", 25)
    fasta(tmp_path / "x.fasta")
    assert in_process("embed", "x.fasta", "-o", "x.npy", *CHAIN).code == 0
    np.testing.assert_array_equal(np.load("x.npy"), means)
    assert in_process("embed", "x.fasta", "-o", "r.parquet", *CHAIN, "--residues").code == 0
    found = pd.read_parquet("r.parquet")
    lengths = [len(sequence) for sequence in SEQUENCES]
    assert found["record"].tolist() == np.repeat(range(5), lengths).tolist()
    assert found["position"].tolist() == [k + 1 for n in lengths for k in range(n)]


def test_a_store_is_taken_from_and_added_to(in_process, tmp_path, monkeypatch, means):
    fasta(tmp_path / "x.fasta")
    ask = ("embed", "x.fasta", *CHAIN, "--store", "s.sqlite")
    assert in_process(*ask, "-o", "x.npy").code == 0
    monkeypatch.setattr(EmbeddingRun, "embed", pytest.fail)  # nothing is left to embed
    assert in_process(*ask, "-o", "y.npy").code == 0
    np.testing.assert_array_equal(np.load("y.npy"), means)
    assert (tmp_path / "s.sqlite").exists()


def test_long_and_ambiguous_sequences_follow_what_is_said(revdist, tmp_path):
    fasta(tmp_path / "x.fasta", [("a", "MKTAYIAKQRQ"), ("b", "MKXB"), ("c", "mkt")])
    ask = ("embed", "x.fasta", "-o", "x.npy", *CHAIN)
    ended = revdist(*ask)
    assert ended.code == INPUT
    assert "Record 1 (counting from 0) has the ambiguous residue 'X' at position 3" in ended.err
    ended = revdist(*ask, "--unknown", "mask", "--max-length", "5", "--long", "error")
    assert ended.code == INPUT
    assert "Record 0 (counting from 0) has 11 residues, more than --max-length 5" in ended.err
    ended = revdist(*ask, "--unknown", "mask", "--max-length", "5", "--long", "truncate")
    assert ended.code == 0
    assert ended.err.count("Warning") == 1
    assert "Warning: 1 of 3 sequences exceed 5 residues; the rest of them is ignored." in ended.err
    embedder = ESMEmbedder("demo-48", unknown="mask")
    expected = embedder.transform(["MKTAY", "MK<mask><mask>", "MKT"])
    np.testing.assert_array_equal(np.load("x.npy"), expected)


def test_gaps_are_removed_and_a_final_stop_is_dropped(in_process, tmp_path, means):
    aligned = [(name, f"-{s[:3].lower()}..{s[3:]}-") for name, s in RECORDS]
    aligned[1] = (RECORDS[1][0], f"{SEQUENCES[1]}*")
    fasta(tmp_path / "x.a3m", aligned)
    ended = in_process("embed", "x.a3m", "-o", "x.npy", *CHAIN, "--remove-gaps")
    assert ended.code == 0, ended.err
    assert ended.err.startswith(
        "Removed 16 gaps from 4 of 5 sequences\nWarning: 1 of 5 sequences end in '*', a stop "
        "codon, which is not a residue and was dropped.\nx.npy: "
    )
    np.testing.assert_array_equal(np.load("x.npy"), means)


def test_one_warning_counts_nucleotides(in_process, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.cli._sequence_inputs._SEQUENCES", 25)
    fasta(tmp_path / "x.fasta", [(str(i), "ATGGCTAGCAAAGGAGAAGAACTTTTC") for i in range(5)])
    ended = in_process("embed", "x.fasta", "-o", "x.npy", *CHAIN, "-q")
    assert ended.code == 0
    assert ended.err.count("Warning: 5 of 5 sequences look like nucleotides") == 1
    assert ended.err.count("Warning") == 1


def test_models_by_name_alone_and_by_their_paths(in_process, tmp_path, hugging_face, tiny):
    fasta(tmp_path / "x.fasta")
    hugging_face(tmp_path / "folder")
    (tmp_path / "demo-96").mkdir()  # a name comes first
    for asked, chain in [
        (("demo-96", "--alone"), ["demo-96"]),
        (("folder",), ["./folder"]),
        (("./folder/",), ["./folder"]),
        ((tmp_path / "folder",), ["./folder"]),
        ((tiny,), [str(tiny)]),
        (("folder", "-m", "demo-96"), ["./folder", "demo-96"]),
        (("demo-96",), "demo-96"),
    ]:
        ended = in_process("embed", "x.fasta", "-o", "x.npy", "-q", "-m", *asked)
        assert ended.code == 0, ended.err
        np.testing.assert_array_equal(np.load("x.npy"), ESMEmbedder(chain).transform(SEQUENCES))
    (tmp_path / "empty").mkdir()
    ended = in_process("embed", "x.fasta", "-o", "x.npy", "-q", "-m", "empty")
    assert ended.code == MISSING
    assert "empty" in ended.err


@pytest.mark.parametrize(
    ("content", "arguments", "code", "message"),
    [
        (None, (), INPUT, "There is no file 'x.fasta'; check the path."),
        (b"", (), INPUT, "'x.fasta' has no FASTA records"),
        (b"name,sequence\na,MKT\n", (), INPUT, "'x.fasta' is not a FASTA file: its line 1"),
        (bytes(range(128, 256)), (), INPUT, "'x.fasta', line 1, has bytes that are not UTF-8"),
        (b">a\nMKT\n>b\nMK7\n", (), INPUT, "Record 1 (counting from 0) has '7'"),
        (b">a\nMKT\n", ("-m", "9B"), 2, "'9B' is not a known model, and there is no such file"),
        (b">a\nMKT\n", ("-m", "none.pt"), MISSING, "none.pt"),
        (b">a\nMKT\n", ("-m", "no/folder"), MISSING, "no/folder"),
        (b">a\nMKT\n", ("-m", "demo", "--alone"), 2, "demo is a whole chain; name a"),
        (b">a\nMK-T\n", (), INPUT, "Record 0 (counting from 0) has a gap ('-')"),
        (
            b">a\nMK-T\n",
            ("--unknown", "X"),
            INPUT,
            "at position 3 (counting from 1); remove gaps by --remove-gaps.",
        ),
        (b">a\n--\n", ("--remove-gaps",), INPUT, "Record 0 (counting from 0) is empty"),
        (b">a\nM\n>b\nMK*\n", ("--keep-stop",), INPUT, "Record 1 (counting from 0) ends in '*'"),
        (b">a\nMK*T\n", ("--unknown", "keep"), INPUT, "a stop codon ('*') before its end"),
        (b">a\nMKT\n", ("-o", "nowhere/x.npy"), OUTPUT, "There is no folder"),
        (b">a\nMKT\n", ("-o", "."), OUTPUT, "is a folder; name a file"),
        (b">a\nMKT\n", ("-o", "/dev/full"), OUTPUT, "is not a file; use - for standard output"),
        (b">a\nMKT\n", ("-o", "x.txt"), 2, "ends in none of .parquet, .h5, .hdf5, .npy"),
        (b">a\nMKT\n", ("-o", "-"), 2, "no suffix; name the format"),
        (b">a\nMKT\n", ("-o", "-", "--json"), 2, "takes the embeddings; leave out --json"),
        (b">a\nMKT\n", ("--store", "x.fasta"), OUTPUT, "is not a SQLite file"),
        (b">a\nMKT\n", ("-o", "x.db", "--residues"), 2, "A store holds one row per sequence"),
        (b">a\nMKT\n", ("--device", "abacus"), 2, "--device abacus cannot be used"),
        (b">a\nMKT\n", ("--dtype", "int8"), 2, "'int8' is not one of"),
        (b">a\nMKT\n", ("--name-column", "id"), 2, "--name-column is for tables, and 'x.fasta'"),
        (b">a\nMKT\n", ("--sequence-column", "s"), 2, "leave it out, or name the format"),
    ],
)
def test_errors_are_one_sentence_and_a_code_and_leave_nothing(
    assert_fails, tmp_path, content, arguments, code, message
):
    if content is not None:
        (tmp_path / "x.fasta").write_bytes(content)
    models = () if "-m" in arguments else CHAIN
    ask = ("embed", "x.fasta", "-o", "x.npy", *models, *arguments)
    assert_fails(*ask, code=code, message=message)


def test_missing_weights_have_a_code_and_the_message_says_where(revdist, tmp_path, monkeypatch):
    fasta(tmp_path / "x.fasta")
    for name in ("TORCH_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "models"))
    (tmp_path / "models").write_text("in the way of a download")
    ended = revdist("embed", "x.fasta", "-o", "x.npy", "-m", "8M", "--quiet")
    assert ended.code == MISSING
    assert "esm2_t6_8M_UR50D.pt" in ended.err


# ------------------------------------------------------------------ interrupted, disk full


def test_models_of_other_families_and_of_esm_2_in_one_chain(in_process, tmp_path, monkeypatch):
    families = pytest.importorskip("families", reason="needs the extra transformers")
    monkeypatch.chdir(tmp_path)
    for name in ("esmc", "prot_t5"):
        Path(name).mkdir()
        families.FAMILIES[name].make(Path(name))
    fasta(Path("p.fasta"))
    chain = ("-m", "hf:esmc", "-m", "demo-48", "-m", "hf:./prot_t5")
    ended = in_process("embed", "p.fasta", *chain, "--layer", "0.5", "-o", "e.parquet")
    assert ended.code == 0, ended.err
    embedder = TransformersEmbedder(["esmc", "demo-48", "prot_t5"], layer=0.5)
    table = pd.read_parquet("e.parquet")
    assert list(table.columns[1:]) == [*embedder.get_feature_names_out()]
    found, expected = table.iloc[:, 1:].to_numpy(), embedder.transform(SEQUENCES)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["embed", "-m", "hf:nobody", "-o", "e.parquet"],
            2,
            r"neither a repository of Hugging Face",
        ),
        (["score", "-m", "hf:a/b", "--reference", "MK"], 2, r"'hf:a/b' is a model of another fam"),
    ],
)
def test_other_families_that_cannot_be_used(in_process, tmp_path, arguments, code, message):
    path = tmp_path / "p.fasta"
    fasta(path)
    command, *options = arguments
    ended = in_process(command, path, *options)
    assert ended.code == code
    assert re.search(message, ended.err)


def proteins(n_sequences, length):
    rng = np.random.default_rng(0)
    letters = rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), size=(n_sequences, length))
    return [(f"p{i}", "".join(row)) for i, row in enumerate(letters)]


def kept(path):
    """How many parts and embeddings are kept beside an output."""
    parts = len(list(path.with_name(f"{path.name}.unfinished").glob("*.npz")))
    store = path.with_name(f"{path.name}.unfinished.sqlite")
    if not store.exists():
        return parts
    with EmbeddingStore(store) as embeddings:
        return parts + embeddings.contents()["n_sequences"].sum()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="processes are stopped by signals")
@pytest.mark.parametrize("residues", [(), ("--residues",)])
def test_a_stopped_run_goes_on_and_ends_in_the_same_bytes(stopped, as_process, tmp_path, residues):
    fasta(tmp_path / "x.fasta", proteins(300, 200))
    ask = ("embed", "x.fasta", "-m", "demo", *residues)
    assert as_process(*ask, "-o", "whole.parquet").code == 0
    expected = (tmp_path / "whole.parquet").read_bytes()

    output = tmp_path / "x.parquet"
    for number, code in [
        (signal.SIGINT, INTERRUPTED),
        (signal.SIGTERM, TERMINATED),
        (signal.SIGKILL, -signal.SIGKILL),
    ]:
        before = kept(output)
        ended = stopped(int(number), 20, *ask, "-o", output)
        assert ended.code == code, ended.err
        assert kept(output) > before
        assert not output.exists()
    ended = as_process(*ask, "-o", output)
    assert ended.code == 0, ended.err
    assert output.read_bytes() == expected
    assert kept(output) == 0


@pytest.mark.parametrize("residues", [(), ("--residues",)])
def test_what_is_kept_is_not_embedded_again(in_process, tmp_path, monkeypatch, residues):
    monkeypatch.setattr("sklearn_revdist.cli._sequence_inputs.RESIDUES", 25)
    monkeypatch.setattr("sklearn_revdist.embedding._assembly.FLUSH_SECONDS", 0)
    fasta(tmp_path / "x.fasta", proteins(9, 20))
    ask = ("embed", "x.fasta", *CHAIN, *residues, "--batch-tokens", "50", "-o")
    assert in_process(*ask, "whole.npy").code == 0
    embed, embedded = EmbeddingRun.embed, []

    def interrupted(run, entry, pieces, *wanted, after, **settings):
        for batch in embed(run, entry, pieces, *wanted, **settings):
            if len(embedded) == after:
                raise KeyboardInterrupt
            embedded.extend(piece.record for piece, _ in batch)
            yield batch

    monkeypatch.setattr(EmbeddingRun, "embed", partialmethod(interrupted, after=6))
    assert in_process(*ask, "x.npy").code == INTERRUPTED
    assert len(embedded) == 6
    monkeypatch.setattr(EmbeddingRun, "embed", partialmethod(interrupted, after=None))
    assert in_process(*ask, "x.npy").code == 0
    assert len(embedded) == 9
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.parametrize("residues", [(), ("--residues",)])
def test_what_is_kept_of_a_checkpoint_that_was_replaced_is_not_used(
    in_process, tmp_path, monkeypatch, write_checkpoint, replace_checkpoint, residues
):
    monkeypatch.setattr("sklearn_revdist.cli._sequence_inputs.RESIDUES", 25)
    checkpoint = write_checkpoint(tmp_path / "m.pt")
    fasta(tmp_path / "x.fasta", proteins(3, 20))
    ask = ("embed", "x.fasta", "-m", checkpoint, *residues, "-o")
    with monkeypatch.context() as patched:
        patched.setattr("sklearn_revdist.cli._outputs.Kept.remove", lambda kept: None)
        assert in_process(*ask, "x.npy").code == 0
    assert kept(tmp_path / "x.npy") > 0 or not residues
    before = (tmp_path / "x.npy").read_bytes()
    replace_checkpoint(checkpoint)
    assert in_process(*ask, "x.npy").code == in_process(*ask, "whole.npy").code == 0
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes() != before


@pytest.mark.parametrize("suffix", [".npy", ".h5", ".parquet"])
def test_a_full_disk_is_an_error_and_keeps_what_was_done(
    in_process, tmp_path, suffix, limited_files
):
    fasta(tmp_path / "x.fasta", proteins(2000, 2))
    ask = ("embed", "x.fasta", *CHAIN, "--quiet", "-o", f"x{suffix}")
    with limited_files(2**18):
        ended = in_process(*ask)
    assert ended.code == OUTPUT
    assert ended.err.count("Error: ") == 1
    assert not (tmp_path / f"x{suffix}").exists()
    assert in_process(*ask).code == 0
    assert sorted(os.listdir()) == sorted(["x.fasta", f"x{suffix}"])


@pytest.mark.slow
@pytest.mark.parametrize("residues", [(), ("--residues",)])
def test_a_file_system_that_is_full(as_process, tmp_path, residues):
    folder = tmp_path / "full"
    folder.mkdir()
    if os.system(f"mount -t tmpfs -o size=2m tmpfs {folder} 2>/dev/null") != 0:
        pytest.skip("mounting is not allowed here")
    try:
        fasta(tmp_path / "x.fasta", proteins(300, 30))
        ask = ("embed", "x.fasta", "-m", "demo", *residues, "-o")
        (folder / "filler").write_bytes(bytes(1_900_000))
        ended = as_process(*ask, folder / "x.npy")
        assert ended.code == OUTPUT, ended.err
        assert "Traceback" not in ended.err
        assert not (folder / "x.npy").exists()
        (folder / "filler").unlink()
        if residues:
            return  # all residues take more than the file system has
        assert as_process(*ask, folder / "x.npy").code == 0
        assert as_process(*ask, tmp_path / "x.npy").code == 0
        assert (folder / "x.npy").read_bytes() == (tmp_path / "x.npy").read_bytes()
    finally:
        os.system(f"umount {folder}")
        shutil.rmtree(folder, ignore_errors=True)
