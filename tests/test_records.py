"""Records from FASTA, CSV, TSV and Parquet: names are data, order and duplicates stay."""

import gzip

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_revdist._records import in_parts, read_records

RECORDS = [
    ("../../etc/passwd", "MKT"),
    ("sp|P69905|HBA_HUMAN Hämoglobin", "GSH"),
    ("", "W"),
    ("NA", "NA"),  # an asparagine and an alanine, not a gap
    ("sp|P69905|HBA_HUMAN Hämoglobin", "GSH"),
    ('a,b\t"c"', "MKV"),
]


def write(path, separator=",", columns=("name", "sequence")):
    frame = pd.DataFrame(RECORDS, columns=columns)
    if path.name.endswith(".parquet"):
        frame.to_parquet(path)
    elif separator:
        frame.to_csv(path, sep=separator, index=False)
    else:
        text = "".join(f">{name}\n{sequence}\n" for name, sequence in RECORDS)
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "wt", encoding="utf-8") as file:
            file.write(text)
    return path


@pytest.mark.parametrize(
    ("file", "separator"),
    [
        ("x.fasta", None),
        ("x.faa.gz", None),
        ("x", None),
        ("x.csv", ","),
        ("x.CSV.gz", ","),
        ("x.tsv", "\t"),
        ("x.parquet", ","),
    ],
)
def test_every_format_gives_the_same_records(tmp_path, file, separator):
    assert list(read_records(write(tmp_path / file, separator))) == RECORDS


def test_the_format_and_the_columns_can_be_said(tmp_path):
    path = write(tmp_path / "x.txt", "\t", ("id", "protein"))
    found = read_records(path, "tsv", sequence_column="protein", name_column="id")
    assert list(found) == RECORDS
    unnamed = read_records(path, "tsv", sequence_column="protein")
    assert list(unnamed) == [("", sequence) for _, sequence in RECORDS]


def test_gaps_and_numbers_are_text(tmp_path):
    path = tmp_path / "x.parquet"
    pd.DataFrame({"name": [1.5, None], "sequence": ["MKT", None]}).to_parquet(path)
    assert list(read_records(path)) == [("1.5", "MKT"), ("", "")]


def test_columns_that_are_missing(tmp_path):
    path = write(tmp_path / "x.csv", columns=("id", "protein"))
    with pytest.raises(ValueError, match=r"no column 'sequence' but 'id', 'protein'; .* sequences"):
        list(read_records(path))
    with pytest.raises(
        ValueError, match=r"no column 'label' .*; name the one that holds the names"
    ):
        list(read_records(path, sequence_column="protein", name_column="label"))
    with pytest.raises(ValueError, match=r"\(--sequence-column\), or rename it 'sequence'\.$"):
        list(read_records(path))


@pytest.mark.parametrize(("file", "separator"), [("x.csv", ";"), ("x.csv", "\t"), ("x.tsv", ",")])
def test_a_table_with_another_separator_is_told(tmp_path, file, separator):
    path = tmp_path / file
    path.write_text(separator.join(["name", "sequence"]) + "\n" + f"a{separator}MKT\n")
    with pytest.raises(ValueError, match="separates its columns, write it with commas") as caught:
        list(read_records(path))
    assert repr(separator) in str(caught.value)


@pytest.mark.parametrize("first", ["", "\ufeff"])
def test_a_table_as_a_spreadsheet_on_windows_writes_it(tmp_path, first):
    path = tmp_path / "x.csv"
    path.write_bytes(f"{first}Entry,Protein Sequence\r\na,mkt\r\n".encode())
    found = read_records(path, sequence_column="Protein Sequence", name_column="Entry")
    assert list(found) == [("a", "mkt")]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("x.fasta", b"", "has no FASTA records"),
        ("x.fasta", b"MKTAYIAKQR\n", "is not a FASTA file: its line 1 comes before any header"),
        ("x.fasta", bytes(range(256)), "is not a FASTA file"),
        ("x.fasta", b">a\n>b\nMKT\n", r"Record 0 .* named 'a' in line 1, has no sequence"),
        ("x.fasta.gz", b"\x1f\x8bbroken", "is damaged: it cannot be decompressed"),
        ("x.csv", b"", "cannot be read as CSV"),
        ("x.csv", b"name,sequence\n", "has no records; check that it is complete"),
        ("x.csv", b"name,sequence\na,\xff\xfe\n", "cannot be read as CSV"),
        ("x.csv", b"name,sequence\na,M\nb,K,T,W\n", "cannot be read as CSV"),
        ("x.csv.gz", b"not compressed", "has no column 'sequence'"),
        ("x.parquet", b"", "cannot be read as Parquet"),
        ("x.parquet", b"PAR1 and then nothing", "cannot be read as Parquet"),
    ],
)
def test_files_that_are_damaged_or_something_else(tmp_path, file, content, message):
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        list(read_records(path))
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_does_not_exist(tmp_path):
    for path in (tmp_path / "x.fasta", tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no file"):
            next(read_records(path))


@given(st.lists(st.text("MKT", max_size=9)), st.integers(1, 20))
def test_parts_are_the_records_in_order_and_no_larger_than_needed(sequences, n_residues):
    records = [(str(i), sequence) for i, sequence in enumerate(sequences)]
    parts = list(in_parts(records, n_residues))
    joined = [pair for _, names, part in parts for pair in zip(names, part, strict=True)]
    assert joined == records
    for first, names, part in parts:
        assert names[0] == str(first)
        assert sum(map(len, part[:-1])) < n_residues
    assert all(sum(map(len, part)) >= n_residues for _, _, part in parts[:-1])
