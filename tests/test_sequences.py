"""Tokens, the policy on characters outside the alphabet, and FASTA files."""

import gzip

import esm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_revdist import _sequences
from sklearn_revdist._sequences import (
    AMBIGUOUS,
    AMINO_ACIDS,
    MASK,
    TOKENS,
    as_text,
    encode_sequences,
    read_fasta,
)

ALPHABET = esm.data.Alphabet.from_architecture("ESM-1b")


def encoded(sequence, unknown="error"):
    return encode_sequences([sequence], unknown)[0].tolist()


# ------------------------------------------------------------------------- alphabet


def test_tokens_are_those_of_fair_esm():
    assert list(TOKENS) == ALPHABET.all_toks
    assert set(AMINO_ACIDS) == set("LAGVSERTIDPKQNFYMHWC")


@given(st.lists(st.sampled_from([*AMINO_ACIDS, "<mask>"]), min_size=1))
def test_encoding_is_that_of_fair_esm(residues):
    assert encoded("".join(residues)) == ALPHABET.encode("".join(residues))


@given(st.lists(st.sampled_from([*AMINO_ACIDS, "<mask>"]), min_size=1))
def test_tokens_are_written_as_the_text_that_gives_them(residues):
    text = "".join(residues)
    assert as_text(encode_sequences([text])[0]) == text


def test_tokens_are_small_and_one_a_residue():
    tokens = encode_sequences(["MK<mask>T<mask>"])[0]
    assert tokens.dtype == np.uint8
    assert tokens.tolist() == [*encoded("MK"), MASK, *encoded("T"), MASK]


def test_case_and_surrounding_whitespace_do_not_matter():
    assert encoded(" \tmk<MASK>w\r\n") == encoded("MK<mask>W")


@pytest.mark.parametrize("residue", [*AMBIGUOUS, *AMBIGUOUS.lower()])
def test_ambiguous_residues_follow_unknown(residue):
    with pytest.raises(
        ValueError,
        match=r"^Record 0 \(counting from 0\) has the ambiguous residue '.' at position 3 "
        r"\(counting from 1\); replace it, or set unknown='mask' or unknown='X'\.$",
    ):
        encoded(f"MK{residue}W")
    assert encoded(f"MK{residue}W", "mask") == [*encoded("MK"), MASK, *encoded("W")]
    assert encoded(f"MK{residue}W", "X") == [*encoded("MK"), TOKENS.index("X"), *encoded("W")]


@pytest.mark.parametrize("unknown", ["error", "mask", "X"])
@pytest.mark.parametrize("character", [*"0>#?_:<\0\x7f\x80", *"ß\u0131\u017f\xe9\u86cb\ud800"])
def test_other_characters_are_errors_whatever_unknown(character, unknown):
    record = f"ACD{character}"
    with pytest.raises(ValueError, match="which is no amino acid, at position 4") as error:
        encode_sequences(["MKT", record], unknown)
    assert f"Record 1 (counting from 0) has {character!r}," in str(error.value)


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r", "\u00a0", "\u2003"])
def test_whitespace_inside_is_an_error(space):
    with pytest.raises(ValueError, match=r"has whitespace \(.*\) at position 4 .*; remove it\."):
        encoded(f"MKT{space}W")


@pytest.mark.parametrize("record", ["  MK1", "<mask>K1", "\t<mask><MASK>A1<mask>?", "MK<pad>"])
def test_positions_are_those_of_the_string_as_given(record):
    wrong = next(c for c in record.replace("<mask>", "").replace("<MASK>", "") if c in "1?<")
    at = record.index("<pad>") if wrong == "<" else record.index(wrong)
    with pytest.raises(ValueError, match=rf"has '{wrong}', .* at position {at + 1} "):
        encode_sequences([record])


def test_the_first_wrong_character_is_named():
    with pytest.raises(ValueError, match=r"Record 2 .* 'X' at position 2 "):
        encode_sequences(["MKT", "M", "AXB1", "1"])


@pytest.mark.parametrize("record", ["", " ", "\n\t "])
def test_empty_sequences_are_errors(record):
    with pytest.raises(ValueError, match=r"^Record 1 \(counting from 0\) is empty; "):
        encode_sequences(["MKT", record])


@pytest.mark.parametrize("record", [None, np.nan, pd.NA, 3, b"MKT", ["MKT"]])
def test_records_that_are_no_strings_are_errors(record):
    name = type(record).__name__
    with pytest.raises(TypeError, match=rf"^Record 1 \(counting from 0\) is not .* type {name}; "):
        encode_sequences(["MKT", record])


# ------------------------------------------------------------------------ containers

SEQUENCES = ["MKT", "acd", "W<mask>"]


@pytest.mark.parametrize(
    "X",
    [
        tuple(SEQUENCES),
        np.array(SEQUENCES),
        np.array(SEQUENCES, dtype=object),
        np.array(SEQUENCES)[:, None],
        pd.Series(SEQUENCES, index=[3, 3, 1]),
        pd.Series(SEQUENCES, dtype=object),
        pd.Series(SEQUENCES, dtype="string"),
        pd.Series(SEQUENCES, dtype="category"),
        pd.DataFrame({"sequence": SEQUENCES}),
        pd.Index(SEQUENCES),
    ],
    ids=lambda X: f"{type(X).__name__}-{getattr(X, 'dtype', '')}-{np.ndim(X)}",
)
def test_containers(X):
    expected = encode_sequences(SEQUENCES)
    assert [t.tolist() for t in encode_sequences(X)] == [t.tolist() for t in expected]


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("MKT", TypeError, "got a single string; put it into a list"),
        (np.str_("MKT"), TypeError, "got a single string"),
        (np.array("MKT"), ValueError, r"array of shape \(\)"),
        (np.array([["MKT", "A"]]), ValueError, r"single column .* shape \(1, 2\)"),
        (pd.DataFrame({"a": ["MKT"], "b": ["A"]}), ValueError, r"single column .* shape \(1, 2\)"),
        (np.array([1.0]), TypeError, "Record 0 .* type float"),
        (pd.Series(["MKT", None]), TypeError, "Record 1 .* not a string"),
        ({"MKT"}, TypeError, "object of type set"),
        ((s for s in ["MKT"]), TypeError, "object of type generator"),
        (None, TypeError, "object of type NoneType"),
        (7, TypeError, "object of type int"),
        ([], ValueError, "at least one sequence"),
        (np.array([], dtype=object), ValueError, "at least one sequence"),
        (pd.DataFrame({"sequence": []}), ValueError, "at least one sequence"),
    ],
)
def test_containers_that_are_refused(X, error, message):
    with pytest.raises(error, match=message):
        encode_sequences(X)


# ----------------------------------------------------------------------------- FASTA


@pytest.fixture
def fasta(tmp_path):
    def write(content, name="some.fasta"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_records_keep_order_names_and_duplicates(fasta):
    content = ">sp|P1|A b=c\nMK T\n\nAC\n>../x\u2028\x0b/\nW\n>sp|P1|A b=c\nW\n>\nY"
    names, sequences = read_fasta(fasta(content))
    assert names == ["sp|P1|A b=c", "../x\u2028\x0b/", "sp|P1|A b=c", ""]
    assert sequences == ["MK TAC", "W", "W", "Y"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf>a\nMKT\nAC\n",
        b">a\r\nMKT\r\nAC\r\n",
        b">a\rMKT\rAC",
        b"\n  \n> a \n MKT \nAC",
        gzip.compress(b">a\r\nMKT\r\nAC\r\n", mtime=0),
    ],
    ids=["bom", "windows", "old mac", "blanks", "gzip"],
)
def test_dialects(fasta, content):
    assert read_fasta(fasta(content)) == (["a"], ["MKTAC"])


def test_a_name_in_another_encoding_is_an_error_that_names_its_line(fasta):
    path = str(fasta(">a\nMKT\n>Müller\nMKT\n".encode("latin-1")))
    with pytest.raises(
        ValueError, match=r"some\.fasta', line 3, has bytes that are no UTF-8; convert"
    ):
        read_fasta(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "'.*some.fasta' has no FASTA records"),
        (b"\n \n", "has no FASTA records"),
        (b"\nMKT\n>a\nMKT\n", "'.*some.fasta' is not a FASTA file: its line 2 comes before any"),
        (b"; comment\n>a\nMKT\n", "its line 1 comes before any header"),
        (b">a\nMKT\n>b\n\n>c\nM", r"Record 1 \(counting from 0\) of '.*', named 'b' in line 3, "),
        (b">a\nMKT\n>b", "named 'b' in line 3, has no sequence"),
        (
            gzip.compress(b">a\nMKT" * 99, mtime=0)[:-9],
            "'.*some.fasta' is damaged: it cannot be decompr",
        ),
        (b"\x1f\x8bgarbage", "is damaged"),
    ],
)
def test_files_that_are_refused(fasta, content, message):
    with pytest.raises(ValueError, match=message):
        read_fasta(fasta(content))


def test_a_record_has_so_many_letters_at_most(fasta, monkeypatch):
    monkeypatch.setattr(_sequences, "LONGEST", 6)
    path = fasta(">a\nMKT\nMKT\n>b\nMKTACD\n")
    assert read_fasta(path) == (["a", "b"], ["MKTMKT", "MKTACD"])
    path = fasta(">a\nMKT\nMKT\n>b\nMKT\nMKT\nM\n")
    message = r"^Record 1 .* of '.*some\.fasta', named 'b' in line 4, has more than 6 letters"
    with pytest.raises(ValueError, match=message):
        read_fasta(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.fasta"):
        read_fasta(tmp_path / "none.fasta")
