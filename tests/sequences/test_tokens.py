"""Tokens, and the policy on characters outside the alphabet."""

import pickle
import re
import warnings
from pathlib import Path

import esm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_revdist.sequences._tokens import (
    AMBIGUOUS,
    AMINO_ACIDS,
    MASK,
    RESIDUES,
    TOKENS,
    Encoder,
    as_text,
    encode_sequences,
    wrong_letter,
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
    what = (
        r"a stop codon \('\*'\) before its end" if residue == "*" else "the ambiguous residue '.'"
    )
    with pytest.raises(
        ValueError,
        match=rf"^Record 0 \(counting from 0\) has {what} at position 3 \(counting from 1\); "
        r".*, or set unknown='mask'.* or unknown='.*'\.$",
    ):
        encoded(f"MK{residue}W")
    assert encoded(f"MK{residue}W", "mask") == [*encoded("MK"), MASK, *encoded("W")]
    assert encoded(f"MK{residue}W", "X") == [*encoded("MK"), TOKENS.index("X"), *encoded("W")]


def test_residues_of_which_there_are_tokens_can_be_kept():
    assert encoded("MKxBUZOw", "keep") == ALPHABET.encode("MKXBUZOW")
    for residue, what in [("J", "'J', for which ESM-2 has no token,"), ("*", "a stop codon")]:
        with pytest.raises(ValueError, match=f"{what}.* at position 3 .*='mask' or unknown='X'"):
            encoded(f"MK{residue}W", "keep")


@pytest.mark.parametrize("unknown", RESIDUES)
@pytest.mark.parametrize("gap", ["-", "."])
def test_gaps_are_errors_for_every_unknown(gap, unknown):
    with pytest.raises(ValueError, match="has a gap") as error:
        encode_sequences(["MKT", f"MK{gap}W"], unknown)
    assert str(error.value) == (
        f"Record 1 (counting from 0) has a gap ({gap!r}), as in an alignment, at position 3 "
        f"(counting from 1); remove gaps, by sequence.replace({gap!r}, ''), read_fasta(path, "
        "remove_gaps=True) or, on the command line, --remove-gaps."
    )


@pytest.mark.parametrize("unknown", RESIDUES)
def test_a_stop_codon_at_the_end_is_dropped_with_one_warning(unknown):
    with pytest.warns(UserWarning, match="end in") as caught:
        tokens = encode_sequences(["MKT*", "W", " mk**\n"], unknown)
    assert [as_text(t) for t in tokens] == ["MKT", "W", "MK"]
    (warning,) = caught
    assert str(warning.message) == (
        "2 of 3 sequences end in '*', a stop codon, which is not a residue and was dropped."
    )


@pytest.mark.parametrize("unknown", RESIDUES)
@pytest.mark.parametrize("character", [*"0>#?_:<\0\x7f\x80", *"ß\u0131\u017f\xe9\u86cb\ud800"])
def test_other_characters_are_errors_for_every_unknown(character, unknown):
    record = f"ACD{character}"
    with pytest.raises(ValueError, match="which is not an amino acid, at position 4") as error:
        encode_sequences(["MKT", record], unknown)
    assert f"Record 1 (counting from 0) has {character!r}," in str(error.value)


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r", "\u00a0", "\u2003"])
def test_whitespace_inside_is_an_error(space):
    with pytest.raises(ValueError, match=r"has whitespace \(.*\) at position 4 .*; remove it\."):
        encoded(f"MKT{space}W")


@pytest.mark.parametrize(
    ("record", "wrong", "position"),
    [
        ("  MK1", "1", 5),
        ("\t<mask><MASK>A1<mask>?", "1", 15),
        ("<mask>K<pad>", "<", 8),
        ("K<ma\u017fk>", "<", 2),  # \u017f is a kind of s
    ],
)
def test_positions_are_those_of_the_string_as_given(record, wrong, position):
    with pytest.raises(ValueError, match=rf"has '{wrong}', .* at position {position} "):
        encode_sequences([record])


def test_the_first_wrong_character_is_named():
    with pytest.raises(ValueError, match=r"Record 2 .* 'X' at position 2 "):
        encode_sequences(["MKT", "M", "AXB1", "1"])


@pytest.mark.parametrize("record", ["", " ", "\n\t ", "*"])
def test_empty_sequences_are_errors(record):
    with pytest.raises(ValueError, match=r"^Record 1 \(counting from 0\) is empty; "):
        encode_sequences(["MKT", record])


@pytest.mark.parametrize("record", [None, np.nan, pd.NA, 3, b"MKT", ["MKT"]])
def test_records_that_are_not_strings_are_errors(record):
    name = type(record).__name__
    with pytest.raises(TypeError, match=rf"^Record 1 \(counting from 0\) is not .* type {name}; "):
        encode_sequences(["MKT", record])


def test_an_error_of_a_letter_survives_a_process():
    with pytest.raises(ValueError, match="'X' at position 2") as caught:
        encode_sequences(["MX"])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_parts_are_counted_together():
    encoder = Encoder()
    encoder.encode(["MKT*", "MKT"])
    encoder.encode(["W*"])
    with pytest.warns(UserWarning, match="^2 of 3 sequences end in"):
        encoder.warn()
    with pytest.raises(ValueError, match=r"^Record 4 \(counting from 0\) has '1'"):
        encoder.encode(["MKT", "M1"])


def test_a_wrong_letter_of_a_row_is_described_as_that_of_a_record_is():
    assert wrong_letter("ACDacd", "error") is None
    assert wrong_letter("AXAZ*", "mask") is None
    assert wrong_letter("AXBZUO", "keep") is None
    assert wrong_letter("", "mask") == "the sequence is empty"
    for sequence, unknown, what in [
        ("AXA", "error", "the ambiguous residue 'X' at position 2 (see `unknown`)"),
        ("AJA", "keep", "'J', for which ESM-2 has no token, at position 2 (see `unknown`)"),
        ("A*A", "keep", "a stop codon ('*') before its end at position 2 (see `unknown`)"),
        ("A\u017fA", "mask", "'\u017f', which is not an amino acid, at position 2"),  # not S
        *(("A.A", each, "a gap ('.'), as in an alignment, at position 2") for each in RESIDUES),
    ]:
        assert wrong_letter(sequence, unknown) == f"the sequence has {what}"
        with pytest.raises(ValueError, match=re.escape(what.removesuffix(" (see `unknown`)"))):
            encode_sequences([sequence], unknown)


# ----------------------------------------------------------------------- nucleotides

GENE = "ATGGCTAGCAAAGGAGAAGAACTTTTCACTGGAGTTGTCCCAATTCTTGTTGAATTAGATG"


@pytest.mark.parametrize(
    "sequences",
    [
        [GENE],
        [GENE.lower()] * 9 + ["MKTAYIAKQRQISFVKSHFSRQ"],
        [GENE[:20], GENE[20:40], GENE[40:]],  # primers
        [GENE.replace("T", "U")],
        [GENE[:30] + "NNNNNN" + GENE[30:] + "WSRYK"],
    ],
)
def test_nucleotides_are_noticed_once(sequences):
    message = rf" of {len(sequences)} sequences look like nucleotides: "
    with pytest.warns(UserWarning, match=message) as caught:
        encode_sequences(sequences, "X")
    assert len(caught) == 1


@pytest.mark.parametrize(
    "sequences",
    [
        ["CASSLGTGTEAF"],  # of a T-cell receptor
        ["CATGATTACANGAT"],  # short
        ["ACG", "GAT", "TAC"] * 3,  # peptides
        ["A" * 300],
        ["GAGAGS" * 50],  # silk
        ["GGGGS" * 50],  # a linker
        ["TANGTAGTA" * 20],
        [GENE] * 8 + ["MKTAYIAKQRQISFVKSHFSRQ"] * 2,
        ["MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV"],
    ],
)
def test_proteins_are_not_taken_for_nucleotides(sequences):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode_sequences(sequences)


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


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("a.fasta", TypeError, "Expected .* but got a path, 'a.fasta', not sequences"),
        (Path("proteins"), TypeError, "Expected .* but got a path, 'proteins', not sequences"),
        (["MKT", "b.fa.gz"], ValueError, r"Record 1 \(counting from 0\) is a path, 'b.fa.gz', "),
        (["MKT", Path("b")], TypeError, r"Record 1 \(counting from 0\) is a path, 'b', not a seq"),
        ([__file__], ValueError, r"Record 0 \(counting from 0\) is a path"),
    ],
)
def test_paths_are_not_sequences(X, error, message):
    with pytest.raises(error, match=f"{message}.*; read a FASTA file with .*= read_fasta"):
        encode_sequences(X)


@pytest.mark.parametrize("record", ["MKT/ACD", "MKT.ACD", "MK..FA", "."])
def test_sequences_with_wrong_letters_are_not_paths(record):
    with pytest.raises(ValueError, match=r"at position \d"):
        encode_sequences([record])
