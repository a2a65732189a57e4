"""Records from FASTA, CSV, TSV and Parquet: names are data, order and duplicates stay."""

import gzip
import os
import threading

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from sklearn_revdist.sequences._records import in_parts, place_of, read_records

RECORDS = [
    ("../../etc/passwd", "MKT"),
    ("sp|P69905|HBA_HUMAN Hämoglobin", "GSH"),
    ("", "W"),
    ("NA", "NA"),  # an asparagine and an alanine, not a gap
    ("sp|P69905|HBA_HUMAN Hämoglobin", "GSH"),
    ('a,b "c"', "MKV"),
]


def write(path, separator=",", columns=("name", "sequence")):
    frame = pd.DataFrame(RECORDS, columns=columns)
    if path.name.endswith(".parquet"):
        frame.to_parquet(path)
    elif separator == "\t":  # no quotes
        rows = [columns, *RECORDS]
        path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
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
        ("x.tab", "\t"),
        ("x.txt", "\t"),
        ("x", ","),
        ("x", "\t"),
        ("x.txt", None),
        ("x.parquet", ","),
    ],
)
def test_every_format_gives_the_same_records(tmp_path, file, separator):
    assert list(read_records(write(tmp_path / file, separator))) == RECORDS


def test_the_format_and_the_columns_can_be_named(tmp_path):
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


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("x.fasta", b"", "has no FASTA records"),
        ("x.fasta", b"MKTAYIAKQR\n", "is not a FASTA file: its line 1 comes before any header"),
        ("x.fasta", b">a\n>b\nMKT\n", r"Record 0 .* named 'a' in line 1, has no sequence"),
        ("x.csv", b"", "is empty; check that it is complete"),
        ("x.csv", b"name,sequence\n", "has no records; check that it is complete"),
        ("x.csv", b'name,sequence\na,"MK\nT"\n', "line 2: .* has a line break after position 2"),
        ("x.csv", b"name,sequence\na,MK T\n", r"line 2: .* whitespace \(' '\) after position 2"),
        ("x.csv", b"name,name,sequence\na,b,MKT\n", "has 2 columns 'name'; rename all but one"),
        ("x", b"MKTAYIAKQR\n", "neither with '>', .* nor .* column 'sequence'; give its format"),
        ("x", b"id,protein\na,MKT\n", r"neither .*--input-format csv.*\(--sequence-column\)"),
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
    for name in ("x.fasta", "x.csv", "x.parquet", "x"):
        with pytest.raises(FileNotFoundError, match="There is no file"):
            next(read_records(tmp_path / name))
    with pytest.raises(ValueError, match="is a folder; name a file in it"):
        next(read_records(tmp_path))


@pytest.mark.parametrize("name", ["fasta", "csv"])
def test_a_pipe_is_read_once(tmp_path, name):
    content = {"fasta": b">a\nMKT\n", "csv": b"name,sequence\na,MKT\n"}[name]
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    writer.start()
    assert list(read_records(tmp_path / "pipe", name)) == [("a", "MKT")]
    writer.join()


def test_the_place_of_a_record_is_known_in_tables_of_text(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('name,sequence\n"a\nb",MKT\n\nc,\n')
    assert list(read_records(path)) == [("a\nb", "MKT"), ("c", "")]
    assert place_of(1, path) == f"{str(path)!r}, line 5"
    path = tmp_path / "x.fasta"
    path.write_text(">a\nMKT\n")
    assert place_of(0, path) == ""


# ----------------------------------------------------------------------- Parquet


def parquet(path, **columns):
    arrays = {name: pa.array(*given) for name, given in columns.items()}
    pq.write_table(pa.table(arrays), path)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
        pytest.param(
            getattr(pa, "string_view", pa.string)(),
            marks=pytest.mark.skipif(not hasattr(pa, "string_view"), reason="pyarrow is too old"),
        ),
    ],
    ids=str,
)
@settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(records=st.lists(st.tuples(st.none() | st.text(), st.none() | st.text()), min_size=1))
def test_columns_of_text_of_any_type_are_what_pyarrow_says(tmp_path, kind, records):
    names, sequences = (list(part) for part in zip(*records, strict=True))
    path = tmp_path / "x.parquet"
    try:
        pq.write_table(
            pa.table(
                {"sequence": pa.array(sequences).cast(kind), "name": pa.array(names).cast(kind)}
            ),
            path,
        )
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # a cast that pyarrow does not have
        parquet(path, sequence=(sequences, pa.string()), name=(names, pa.string()))
    found = [(name or "", sequence or "") for name, sequence in records]
    assert list(read_records(path)) == found


@pytest.mark.parametrize(
    ("names", "kind", "found"),
    [
        ([101, None, 2**53 + 1], pa.int64(), ["101", "", "9007199254740993"]),
        ([101, None, 2**64 - 1], pa.uint64(), ["101", "", "18446744073709551615"]),
        ([101.0, None, 1.5], pa.float64(), ["101", "", "1.5"]),
        ([101.0, float("nan"), float("inf")], pa.float32(), ["101", "", "inf"]),
        ([True, None, False], pa.bool_(), ["True", "", "False"]),
        ([7, None, 7], pa.dictionary(pa.int8(), pa.int64()), ["7", "", "7"]),
    ],
    ids=str,
)
def test_names_that_are_numbers_keep_their_digits(tmp_path, names, kind, found):
    columns = {"name": (names, kind), "sequence": (["MKT", "MKV", "MKW"],)}
    path = parquet(tmp_path / "x.parquet", **columns)
    assert [name for name, _ in read_records(path)] == found


def test_an_index_of_pandas_is_found(tmp_path):
    path = tmp_path / "x.parquet"
    frame = pd.DataFrame({"sequence": ["MKT", "MKV"], "id": ["p", "q"]}, index=["a", "b"])
    frame.to_parquet(path)
    assert list(read_records(path)) == [("a", "MKT"), ("b", "MKV")]
    assert list(read_records(path, name_column="id")) == [("p", "MKT"), ("q", "MKV")]
    frame.assign(name=["x", "y"]).to_parquet(path)
    assert list(read_records(path)) == [("x", "MKT"), ("y", "MKV")]
    frame.set_index("sequence").to_parquet(path)
    assert list(read_records(path, name_column="id")) == [("p", "MKT"), ("q", "MKV")]
    frame.rename_axis("name").to_parquet(path)
    assert list(read_records(path)) == [("a", "MKT"), ("b", "MKV")]
    frame.set_index(pd.Index([101, None], dtype=object)).to_parquet(path)
    assert list(read_records(path)) == [("101", "MKT"), ("", "MKV")]
    frame.reset_index(drop=True).to_parquet(path)
    assert list(read_records(path)) == [("", "MKT"), ("", "MKV")]
    frame.set_index(pd.Index(frame["sequence"].tolist())).drop(columns="sequence").to_parquet(path)
    with pytest.raises(ValueError, match=r"no column 'sequence' .*write frame.reset_index\(\)\.$"):
        list(read_records(path))


def test_parquet_tables_that_are_refused(tmp_path):
    path = parquet(tmp_path / "x.parquet", sequence=([b"MKT"],))
    with pytest.raises(
        ValueError, match=r"column 'sequence' of .* holds binary, which is not text"
    ):
        list(read_records(path))
    parquet(path, sequence=(["MKT"],), name=([b"a"],))
    with pytest.raises(ValueError, match=r"column 'name' of .* holds binary"):
        list(read_records(path))
    parquet(path, sequence=([7],))
    with pytest.raises(ValueError, match="holds int64, which is not text; convert it to strings"):
        list(read_records(path))
    table = pa.table([pa.array(["MKT"]), pa.array(["a"]), pa.array(["b"])], ["sequence", "x", "x"])
    pq.write_table(table, path)
    assert list(read_records(path)) == [("", "MKT")]
    for columns in ({"sequence_column": "x"}, {"name_column": "x"}):
        with pytest.raises(ValueError, match="has 2 columns 'x'; rename all but one"):
            list(read_records(path, **columns))


# ------------------------------------------------------------------------- FASTA

lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)


@settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    records=st.lists(
        st.tuples(lines, st.lists(st.text("MKT*-x", min_size=1), min_size=1)), min_size=1
    ),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_biopython_reads_the_same(tmp_path, records, end):
    biopython = pytest.importorskip("Bio.SeqIO.FastaIO", reason="biopython is not installed")
    path = tmp_path / "x.fasta"
    text = "".join(f">{name}{end}{end.join(parts)}{end}" for name, parts in records)
    path.write_bytes(text.encode())
    with open(path, encoding="utf-8") as file:
        expected = [(name.strip(), s) for name, s in biopython.SimpleFastaParser(file)]
    assert list(read_records(path)) == expected


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
