"""Residues outside the alphabet: as the policy says, or an error with record and position."""

import gzip
import re

import numpy as np
import pytest

from sklearn_revdist import ESMEmbedder, read_fasta
from sklearn_revdist.cli._endings import INPUT
from sklearn_revdist.sequences._tokens import RESIDUES, Encoder, encode_sequences

pytestmark = pytest.mark.filterwarnings("ignore:.*a stop codon")

N_RECORDS = 1000
ACIDS = "ACDEFGHIKLMNPQRSTVWY"
AMBIGUOUS = "XUBZOJ*"
# Cyrillic and Greek look-alikes, full width, letters whose upper case is a residue, and characters
# that the implementation itself uses for something.
FOREIGN = [
    *"-.-.",
    *"АВСЕНКМОРТХасехΑΒΕΖΗΚΜΝＭＫſıßﬁé",
    *"0123456789?><#!,;:_|/\\\"'()[]{}~@$%&=+^`",
    *"\0\x1a\x7f\x80\xad\u200b\u2060\ufeff\ufffd\ud800\U0001f9ec",
    *("<cls>", "<pad>", "<eos>", "<unk>", "<null_1>", "<mas>", "<mask", "mask>", "< mask>", "&lt;"),
]
INNER = [" ", "\t", "\n", "\r\n", "\v", "\xa0", "\u2028", "\u3000"]
OUTER = ["", "", "", " ", "\n", "\r\n", "\t ", "\xa0", "\u2003"]


def spelled(record, unknown):
    """The residues of a record one by one; or where, from 1, is what is none, and what it is.

    The policy once more, read off the documentation and in plain Python.
    """
    begin = len(record) - len(record.lstrip())
    end = len(record.rstrip())
    if record[:end].endswith("*"):
        end = len(record[:end].rstrip("*").rstrip())
    if begin >= end:
        return None, 0
    residues, at = [], begin
    while at < end:
        letter = record[at]
        if record[at : at + 6] in ("<mask>", "<MASK>", "<Mask>"):
            residues.append("<mask>")
            at += 6
            continue
        if letter in ACIDS or letter in ACIDS.lower():
            residues.append(letter.upper())
        elif (letter in AMBIGUOUS or letter in AMBIGUOUS.lower()) and unknown in ("mask", "X"):
            residues.append({"mask": "<mask>", "X": "X"}[unknown])
        elif letter in "XBZUOxbzuo" and unknown == "keep":
            residues.append(letter.upper())
        else:
            return letter, at + 1
        at += 1
    return residues, None


def some(rng, choices):
    return choices[int(rng.integers(len(choices)))]


def record_of(rng, foreign=FOREIGN, inner=INNER, outer=OUTER):
    """Acids in either case, among which there may be anything else, and whitespace around."""
    letters = [some(rng, ACIDS) for _ in range(int(rng.integers(12)))]
    letters = [letter.lower() if rng.random() < 0.3 else letter for letter in letters]
    kinds = (AMBIGUOUS, AMBIGUOUS.lower(), ["<mask>", "<MASK>", "<Mask>"], foreign, inner)
    for kind, share in zip(kinds, (0.3, 0.2, 0.3, 0.3, 0.1), strict=True):
        while rng.random() < share:
            letters.insert(int(rng.integers(len(letters) + 1)), some(rng, kind))
    return some(rng, outer) + "".join(letters) + some(rng, outer)


def says(error, index, letter, at):
    """Whether a message names record, position and character, in one line."""
    text = str(error)
    assert "\n" not in text
    if letter is None:
        assert text.startswith(f"Record {index} (counting from 0) is empty;")
        return
    assert re.match(rf"Record {index} \(counting from 0\) has ", text)
    assert f" at position {at} (counting from 1); " in text
    assert repr(letter) in text


@pytest.mark.parametrize("unknown", RESIDUES)
def test_every_record_is_encoded_as_the_policy_says_or_refused(unknown, rng):
    from esm.data import Alphabet

    number = Alphabet.from_architecture("ESM-1b").get_idx
    taken, refused = [], 0
    for _ in range(N_RECORDS):
        record = record_of(rng)
        residues, at = spelled(record, unknown)
        if at is None:
            (tokens,) = encode_sequences([record], unknown)
            assert tokens.tolist() == [number(residue) for residue in residues]
            taken.append((record, tokens))
            continue
        refused += 1
        before, first = int(rng.integers(4)), int(rng.integers(3))
        among = ["MKT"] * before + [record, some(rng, ["", "M1", "MKT"])]
        encoder = Encoder(unknown)
        encoder.encode(["MKT"] * (first + 1))
        with pytest.raises(ValueError, match=r"^Record ") as raised:
            encoder.encode(among)
        says(raised.value, first + 1 + before, residues, at)
    assert min(len(taken), refused) > N_RECORDS / 5
    together = encode_sequences([record for record, _ in taken], unknown)
    assert all(np.array_equal(a, b) for a, (_, b) in zip(together, taken, strict=True))


@pytest.mark.parametrize("unknown", RESIDUES)
def test_embeddings_are_those_of_the_residues_that_the_policy_says(unknown, rng):
    embedder = ESMEmbedder("demo-48", unknown=unknown)
    taken, plain = [], []
    for _ in range(N_RECORDS):
        record = record_of(rng)
        residues, at = spelled(record, unknown)
        if at is None:
            taken.append(record)
            plain.append("".join(residues))
        else:
            with pytest.raises(ValueError, match=r"^Record 1 ") as raised:
                embedder.transform(["MKT", record])
            says(raised.value, 1, residues, at)
    kept = ESMEmbedder("demo-48", unknown="keep")
    np.testing.assert_array_equal(embedder.transform(taken), kept.transform(plain))


@pytest.mark.parametrize("record", [None, 7, 1.5, float("nan"), b"MKT", ["M", "K"], np.str_])
def test_what_is_no_text_is_an_error_that_names_the_record(record):
    with pytest.raises(TypeError, match=r"^Record 1 \(counting from 0\) is not a string"):
        encode_sequences(["MKT", record, ""])


def write_fasta(path, records, rng):
    """A file in some dialect: ends of lines, width, blank lines, byte order mark, gzip."""
    end = some(rng, ["\n", "\r\n", "\r"])
    width = int(rng.integers(1, 20))
    lines = []
    for i, record in enumerate(records):
        text = record.strip()
        lines += [""] * int(rng.integers(2))
        lines.append(f">p{i}" + some(rng, ["", " ", "\t"]))
        # wherever a line ends, the next one may not begin with ">"
        parts = re.findall(rf".{{1,{width}}}>*", text)
        lines += [part + some(rng, ["", " "]) for part in parts]
    mark = some(rng, ["", "\ufeff"])
    content = (mark + end.join(lines) + some(rng, ["", end, 2 * end])).encode()
    path.write_bytes(some(rng, [bytes, gzip.compress])(content))


# A line that begins with ">" is a header, with ";" it may be a comment; bytes that are not UTF-8
# are tested elsewhere.
IN_FASTA = [text for text in FOREIGN if text.isprintable() and not re.search("^[>;]| ", text)]


def test_fasta_of_any_dialect_gives_the_records_as_they_are(tmp_path, rng):
    for _ in range(N_RECORDS // 20):
        records = [record_of(rng, IN_FASTA, "0", [""]) or "M" for _ in range(20)]
        write_fasta(tmp_path / "x.fasta", records, rng)
        names, found = read_fasta(tmp_path / "x.fasta")
        assert names == [f"p{i}" for i in range(20)]
        assert found == records


def test_a_bad_residue_of_a_file_is_an_error_before_any_output(in_process, tmp_path, rng):
    for trial in range(50):
        unknown = (*RESIDUES,)[trial % 4]
        records = [record_of(rng, IN_FASTA, "0", [""]) or "M" for _ in range(8)]
        told = [spelled(record, unknown) for record in records]
        write_fasta(tmp_path / "x.fasta", records, rng)
        ended = in_process("embed", "x.fasta", "-o", "x.npy", "-m", "demo-48", "--unknown", unknown)
        first = next((i for i, (_, at) in enumerate(told) if at is not None), None)
        if first is None:
            assert ended.code == 0, ended.err
            assert len(np.load(tmp_path / "x.npy")) == 8
            (tmp_path / "x.npy").unlink()
            continue
        assert ended.code == INPUT
        place, message = ended.err.rstrip("\n").split(": Record ")
        assert re.fullmatch(r"Error: 'x\.fasta', record '.*'", place)
        says(f"Record {message}", first, *told[first])
        assert [path.name for path in tmp_path.iterdir()] == ["x.fasta"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_without_a_header_is_an_error_that_names_the_line(tmp_path, mark, end):
    path = tmp_path / "x.fasta"
    path.write_bytes((mark + end * 2 + f"MKT{end}>a{end}MKT{end}").encode())
    with pytest.raises(ValueError, match=r"its line 3 comes before any header"):
        read_fasta(path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_record_without_a_sequence_is_an_error_that_names_it(tmp_path, end):
    path = tmp_path / "x.fasta"
    path.write_bytes(f">a{end}MKT{end}>b{end} {end}>c{end}MKT{end}".encode())
    with pytest.raises(ValueError, match=r"^Record 1 \(counting from 0\) .*'b' in line 3, has no"):
        read_fasta(path)
