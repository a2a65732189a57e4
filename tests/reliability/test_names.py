"""Hostile names of sequences are data: they come back as they were, and lead nowhere."""

import csv
import re

import h5py
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, embed_to_parquet
from sklearn_revdist.cli._endings import INPUT, OUTPUT
from sklearn_revdist.sequences._text_tables import open_rows

N_NAMES = 200
CHAIN = ("-m", "demo-48", "--quiet")
ACIDS = np.array(list("ACDEFGHIKLMNPQRSTVWY"))

# {at} is the folder that is watched, so that an absolute path that is followed is noticed.
KINDS = {
    "climbing": ["../{word}", "../../../{word}", "..\\{word}", "{word}/../../{word}", "..", "."],
    "absolute": ["{at}/{word}", "//{at}/{word}", "file://{at}/{word}", "C:\\{word}", "~/{word}"],
    "shell": ["$(touch {at}/{word})", "`touch {word}`", "; touch {word}", "| tee {word}", "-rf"],
    "formula": [
        "={at}+1",
        "+1+{word}",
        "-2+3",
        "@SUM(A1)",
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("x")',
    ],
    "quoted": ['"{word}"', '"', '""', "'{word}", "a,b;c\td", "{word}\\", '\\"{word}', "#{word}"],
    "gap": ["", "NA", "nan", "None", "null", "#N/A", "TRUE", "007", "1e5", "1,000", "name"],
    "long": ["{word}" * 75, "é" * 300, "\U0001f9ec" * 300, "/" * 300],
    "strange": [
        "\ufeff{word}",
        "{word}\u202e",
        "a\u2028b\u2029c",
        "a\x85b",
        "e\u0301{word}",
        "\x7f",
    ],
    "header": [">{word}", "> >", "sp|{word}|X OS=x", "%s%n{{0}}", "*", "a\x1ab"],
    "padded": [" {word}", "{word} ", "\t={word}", "\xa0{word}", "{word}\x1f"],
    "line": ["{word}\n../{word}", "{word}\r\n/{word}", "{word}\r0", "\n", "{word}\n>{word}"],
    "nul": ["a\0{word}", "\0", "{word}\0", "\0../{word}"],
}


def hostile(rng, at, *without):
    """Names of each kind, some of them twice."""
    kinds = [kind for kind in KINDS if kind not in without]
    names = []
    for i in range(N_NAMES):
        patterns = KINDS[kinds[i % len(kinds)]]
        word = "".join(rng.choice(list("abcdefgh"), 4))
        names.append(patterns[int(rng.integers(len(patterns)))].format(word=word, at=at))
        if rng.random() < 0.1:
            names[-1] = names[int(rng.integers(len(names)))]
    assert 2 * len(kinds) < len(set(names)) < N_NAMES
    return names


def tiny_sequences(rng, n=N_NAMES):
    return ["".join(rng.choice(ACIDS, length)) for length in rng.integers(1, 9, size=n)]


def write_fasta(path, names, sequences):
    records = zip(names, sequences, strict=True)
    path.write_bytes("".join(f">{name}\n{text}\n" for name, text in records).encode())


def write_csv(path, names, sequences):
    with open(path, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, quoting=csv.QUOTE_ALL)
        rows.writerows([("name", "sequence"), *zip(names, sequences, strict=True)])


def write_parquet(path, names, sequences):
    pd.DataFrame({"name": names, "sequence": sequences}).to_parquet(path)


WRITERS = {"fasta": write_fasta, "csv": write_csv, "parquet": write_parquet}
# A line of FASTA ends where it ends, and its header has no whitespace around it.
# A NUL in a CSV is an error: what reads it would end the cell there, or not, by its version.
NOT_IN = {"fasta": ("line", "padded"), "csv": ("nul",), "parquet": ()}


def listing(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def work(in_process, tmp_path, monkeypatch):
    """The working folder, some levels below the one that is watched."""
    folder = tmp_path / "a" / "b" / "work"
    folder.mkdir(parents=True)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("source", WRITERS)
@pytest.mark.parametrize("output", ["out.parquet", "out.csv", "out.h5", "out.npy", "out.sqlite"])
def test_names_come_back_and_lead_nowhere(in_process, work, tmp_path, source, output, rng):
    without = (*NOT_IN[source], "nul") if output in ("out.h5", "out.csv") else NOT_IN[source]
    names, sequences = hostile(rng, tmp_path, *without), tiny_sequences(rng)
    WRITERS[source](work / f"in.{source}", names, sequences)
    before = listing(tmp_path)
    ended = in_process("embed", f"in.{source}", "-o", output, *CHAIN)
    assert ended.code == 0, ended.err
    assert listing(tmp_path) - before == {f"a/b/work/{output}"}
    if output == "out.parquet":
        assert pd.read_parquet(output)["name"].tolist() == names
    elif output == "out.csv":
        with open(output, encoding="utf-8", newline="") as file:
            assert [row[0] for row in csv.reader(file)] == ["name", *names]
        with open_rows(work / output, {}) as table:  # which drops blanks without quotes
            assert [row[0] for _, row in table.cells(table.columns)] == names
    elif output == "out.h5":
        with h5py.File(output) as file:
            assert file["name"].asstr()[:].tolist() == names
    elif output == "out.npy":
        expected = ESMEmbedder("demo-48").transform(sequences)
        np.testing.assert_array_equal(np.load(output), expected)


def test_residues_carry_the_names_of_their_sequences(in_process, work, tmp_path, rng):
    names, sequences = hostile(rng, tmp_path, *NOT_IN["csv"]), tiny_sequences(rng)
    write_csv(work / "in.csv", names, sequences)
    before = listing(tmp_path)
    assert in_process("embed", "in.csv", "-o", "out.parquet", "--residues", *CHAIN).code == 0
    assert listing(tmp_path) - before == {"a/b/work/out.parquet"}
    found = pd.read_parquet("out.parquet")
    expected = [n for n, text in zip(names, sequences, strict=True) for _ in text]
    assert found["name"].tolist() == expected


@pytest.mark.parametrize("name", ["a\n../b", "a\r\n/b", "a\r0", "a\n>b", "\n0"])
def test_a_line_break_in_a_header_of_fasta_is_an_error(in_process, work, tmp_path, name, rng):
    write_fasta(work / "in.fasta", ["first", name], tiny_sequences(rng, 2))
    before = listing(tmp_path)
    ended = in_process("embed", "in.fasta", "-o", "out.parquet", *CHAIN)
    assert ended.code == INPUT
    assert re.match(r"Error: ('in\.fasta', record '.*': )?Record 1 \(counting from 0\) ", ended.err)
    assert ended.err.count("\n") == 1
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", KINDS["nul"])
def test_a_nul_in_a_csv_is_an_error(in_process, work, tmp_path, name, rng):
    write_csv(work / "in.csv", ["first", name], tiny_sequences(rng, 2))
    before = listing(tmp_path)
    ended = in_process("embed", "in.csv", "-o", "out.parquet", *CHAIN)
    assert ended.code == INPUT
    assert "has a NUL character; remove it" in ended.err
    assert ended.err.count("\n") == 1
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", KINDS["nul"])
@pytest.mark.parametrize("output", ["out.h5", "out.csv"])
def test_hdf5_and_csv_cannot_hold_a_nul_and_say_so(in_process, work, tmp_path, name, output, rng):
    write_fasta(work / "in.fasta", ["first", name], tiny_sequences(rng, 2))
    before = listing(tmp_path)
    ended = in_process("embed", "in.fasta", "-o", output, *CHAIN)
    assert ended.code == OUTPUT
    assert f"The label 'name' has the value {name!r}, whose NUL character" in ended.err
    assert ended.err.count("\n") == 1
    assert listing(tmp_path) - before == {f"a/b/work/{output}.unfinished.sqlite"}


@pytest.mark.parametrize("source", [None, *WRITERS])
def test_names_of_a_folder_of_parts_come_back(work, tmp_path, source, rng):
    names = hostile(rng, tmp_path, *NOT_IN.get(source, ()))
    sequences = tiny_sequences(rng)
    given, told = sequences, names
    if source:
        given, told = work / f"in.{source}", None
        WRITERS[source](given, names, sequences)
    before = listing(tmp_path)
    manifest = embed_to_parquet(
        ESMEmbedder("demo-48"), given, work / "out", names=told, tokens_per_part=200
    )
    assert pd.read_parquet(work / "out" / "records.parquet")["name"].tolist() == names
    parts = {f"a/b/work/out/embeddings/{part['file']}" for part in manifest["parts"]}
    assert len(parts) > 2
    others = {"out", "out/embeddings", "out/manifest.json", "out/records.parquet"}
    assert listing(tmp_path) - before == parts | {f"a/b/work/{path}" for path in others}
