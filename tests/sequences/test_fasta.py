"""FASTA files: every dialect is read, and what is something else is named."""

import gzip

import pytest

from sklearn_revdist import read_fasta
from sklearn_revdist.sequences import _fasta
from sklearn_revdist.sequences._fasta import header_values, identifier


@pytest.fixture
def fasta(tmp_path):
    def write(content, name="some.fasta"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_records_keep_order_names_and_duplicates(fasta):
    content = ">sp|P1|A b=c\nMK T\n\nAC\n;C\n#C\n>../x\u2028\x0b/\nW\n>sp|P1|A b=c\nW\n>\nY"
    names, sequences = read_fasta(fasta(content))
    assert names == ["sp|P1|A b=c", "../x\u2028\x0b/", "sp|P1|A b=c", ""]
    assert sequences == ["MK TAC;C#C", "W", "W", "Y"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf>a\nMKT\nAC\n",
        b">a\r\nMKT\r\nAC\r\n",
        b">a\rMKT\rAC",
        b"\n  \n> a \n MKT \nAC",
        gzip.compress(b">a\r\nMKT\r\nAC\r\n", mtime=0),
        b"; of somebody\n>a\n;another\n; and another\nMKT\nAC\n",
        b"#5\t1\n>a\nMKT\nAC\n",
    ],
    ids=["bom", "windows", "old mac", "blanks", "gzip", "comments", "ColabFold's A3M"],
)
def test_dialects(fasta, content):
    assert read_fasta(fasta(content)) == (["a"], ["MKTAC"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "'.*some.fasta' has no FASTA records"),
        (b"\n \n", "has no FASTA records"),
        (b"\nMKT\n>a\nMKT\n", "'.*some.fasta' is not a FASTA file: its line 2 comes before any"),
        (b"; old style\nMKT\n", "its line 2 comes before any header"),
        (b">a\nMKT\n>b\n\n>c\nM", r"Record 1 \(counting from 0\) of '.*', named 'b' in line 3, "),
        (b">a\nMKT\n>b", "named 'b' in line 3, has no sequence"),
        (gzip.compress(b">a\nMKT" * 99, mtime=0)[:-9], "'.*some.fasta' is damaged"),
        (
            ">a\nMKT\n>M\u00fcller\nMKT\n".encode("latin-1"),
            "line 3, has bytes that are not UTF-8",
        ),
    ],
)
def test_files_that_are_refused(fasta, content, message):
    with pytest.raises(ValueError, match=message):
        read_fasta(fasta(content))


def test_a_record_has_so_many_letters_at_most(fasta, monkeypatch):
    monkeypatch.setattr(_fasta, "LONGEST", 6)
    path = fasta(">a\nMKT\nMKT\n>b\nMKTACD\n")
    assert read_fasta(path) == (["a", "b"], ["MKTMKT", "MKTACD"])
    path = fasta(">a\nMKT\nMKT\n>b\nMKT\nMKT\nM\n")
    message = r"^Record 1 .* of '.*some\.fasta', named 'b' in line 4, has more than 6 letters"
    with pytest.raises(ValueError, match=message):
        read_fasta(path)


def test_a_series_has_the_names_as_its_index(fasta):
    found = read_fasta(fasta(gzip.compress(b">a b\nMK-T\n>\nAC\n>a b\nW\n")), as_frame=True)
    assert found.to_list() == ["MK-T", "AC", "W"]
    assert found.index.to_list() == ["a b", "", "a b"]
    assert (found.name, found.index.name) == ("sequence", "name")


def test_gaps_are_removed_where_that_is_asked_for(fasta):
    path = fasta(">a\nMK-t.\n--\n>b\n---\n")
    assert read_fasta(path)[1] == ["MK-t.--", "---"]
    assert read_fasta(path, remove_gaps=True) == (["a", "b"], ["MKt", ""])


@pytest.mark.parametrize(
    ("content", "format"),
    [
        ("data_1ABC\n#\n_entry.id 1ABC\n", "mmCIF"),
        ("HEADER    OXYGEN STORAGE\nATOM      1  N   MET A   1\n", "PDB"),
        ("ATOM      1  N   MET A   1\n", "PDB"),
        ("LOCUS       NP_000549  142 aa\n", "GenBank"),
        ("ID   HBA_HUMAN   Reviewed;   142 AA.\n", "EMBL or UniProt text"),
        ("# STOCKHOLM 1.0\n\nseq1 MKT\n//\n", "Stockholm"),
        ("CLUSTAL O(1.2.4) multiple sequence alignment\n\nseq1  MKT\n", "Clustal"),
    ],
)
def test_files_of_other_formats_are_named(fasta, content, format):
    message = rf"some\.fasta' is not a FASTA file: by its line 1 it looks like {format}; convert it"
    with pytest.raises(ValueError, match=message):
        read_fasta(fasta(content))


def three_lines(lengths):
    return "".join(f">p{i}\n{'M' * n}\n{'H' * n}\n" for i, n in enumerate(lengths))


@pytest.mark.parametrize("lengths", [(5, 7), range(1, 30), [*range(1, 11), 0]])
def test_lines_of_labels_are_not_residues(fasta, lengths):
    text = three_lines(lengths) + (">and\nMKT\n" if 0 in lengths else "")
    with pytest.raises(ValueError, match=r"some\.fasta' .* a label for each residue; write a file"):
        read_fasta(fasta(text.replace("\n\n", "\n")))
    with pytest.raises(ValueError, match="a label for each residue"):
        read_fasta(fasta(">a\nMKT\n", "x.3line.gz"))


@pytest.mark.parametrize(
    "content", [three_lines([6] * 20), three_lines([6]), three_lines([5, 7, 9]) + ">d\nMKT\n"]
)
def test_wrapped_lines_of_equal_length_are_residues(fasta, content):
    _, sequences = read_fasta(fasta(content))
    assert "".join(sequences) == "".join(
        line for line in content.splitlines() if not line.startswith(">")
    )


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("p1 TARGET=1.5 SET=train", ["1.5"]),
        ("p1 TARGET=Cell membrane SET=train", ["Cell membrane"]),
        ("p1 SET=train target = Cell membrane, outer", ["Cell membrane, outer"]),
        ("p1|TARGET=a|SET=train", ["a"]),
        ("p1 TARGET=a; SET=train;", ["a"]),
        ("TARGET=pH=7 SET=x", ["pH=7"]),
        ("p1 TARGET= SET=x", [""]),
        ("p1 MYTARGET=3 X-TARGET=4", []),
        ("p1 TARGET=a Target=a", ["a"]),
        ("p1 TARGET=a Target=b", ["a", "b"]),
        ("", []),
    ],
)
def test_a_value_is_what_stands_before_the_next_key(header, values):
    assert header_values(header, "TARGET") == values
    assert identifier(header) == header.partition(" ")[0]
