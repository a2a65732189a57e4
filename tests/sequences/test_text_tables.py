"""Tables of text: any dialect gives the same rows, anything else one error that names its line."""

import bz2
import csv
import gzip
import lzma
import sys
import zipfile
from typing import NamedTuple

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_revdist.sequences._packed import Unreadable
from sklearn_revdist.sequences._text_tables import open_rows, recognise

ENOUGH = 100
FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


class Dialect(NamedTuple):
    """How a table is written."""

    delimiter: str
    suffix: str
    end: str
    encoding: str
    packed: str
    all_quoted: bool
    n_trailing: int  # separators behind each row
    blank_before: int  # blanks before each cell
    blank_lines: int  # behind the header

    def cell(self, text):
        special = {self.delimiter, '"', "\r", "\n"} & set(text) or text != text.strip()
        if self.delimiter != "\t" and (self.all_quoted or special or not text):
            text = '"' + text.replace('"', '""') + '"'
        return " " * self.blank_before + text

    def write(self, path, rows):
        """Write the rows, the header among them; returns the lines in which they begin."""
        lines, text = [], ""
        for i, row in enumerate(rows):
            lines.append(1 + text.count("\n") + text.count("\r") - text.count("\r\n"))
            text += self.delimiter.join(map(self.cell, row))
            text += self.delimiter * self.n_trailing + self.end
            text += f" {self.end}" * self.blank_lines if i == 0 else ""
        path.write_bytes(PACKERS[self.packed](text.encode(self.encoding)))
        return lines


dialects = st.builds(
    Dialect,
    delimiter=st.sampled_from(",;\t"),
    suffix=st.sampled_from([".csv", ".tsv", ".txt", ".tab", ""]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    packed=st.sampled_from(list(PACKERS)),
    all_quoted=st.booleans(),
    n_trailing=st.integers(0, 2),
    blank_before=st.integers(0, 2),
    blank_lines=st.integers(0, 2),
)
# Whatever a cell may hold: what separates cells, quotes and ends them more often than by chance.
anything = st.text(
    st.one_of(
        st.sampled_from(",;\t\"\n\r '|"), st.characters(exclude_categories=["Cs"], codec="utf-8")
    ),
    max_size=8,
).map(lambda text: text.replace("\0", ""))


@st.composite
def tables(draw, dialect):
    """Rows of text, the header first, that can be written in a dialect."""
    cells = anything
    if dialect.delimiter == "\t":
        cells = anything.map(lambda text: "".join(text.translate(dict.fromkeys(b"\t\r\n"))).strip())
    header = draw(st.permutations(["sequence", "name", "a,b;c", 'the "other"', "note"]))
    header = header[: draw(st.integers(1 + header.index("sequence"), 5))]
    row = st.tuples(*(st.text("ACD", min_size=1) if h == "sequence" else cells for h in header))
    return [header, *map(list, draw(st.lists(row, max_size=6)))]


@st.composite
def written(draw):
    dialect = draw(dialects)
    return dialect, draw(tables(dialect))


def read(path, needed=("sequence",), **settings):
    with open_rows(path, dict.fromkeys(needed, "name it"), **settings) as table:
        return table.columns, list(table.cells(table.columns))


def a_table_is_read_as_it_was_written(folder, case):
    dialect, (header, *rows) = case
    path = folder / f"x{dialect.suffix}{dialect.packed}"
    lines = dialect.write(path, [header, *rows])
    columns, found = read(path)
    assert columns == list(header)
    assert [row for _, row in found] == rows
    assert [number for number, _ in found] == lines[1:]
    if len(header) > 1:
        assert recognise(path, "sequence") == ("tsv" if dialect.delimiter == "\t" else "csv")


@settings(max_examples=ENOUGH, derandomize=True, deadline=None, suppress_health_check=FIXTURES)
@given(case=written())
def test_a_table_is_read_as_it_was_written(tmp_path, case):
    a_table_is_read_as_it_was_written(tmp_path, case)


@pytest.mark.slow
@settings(max_examples=3_000, derandomize=True, deadline=None, suppress_health_check=FIXTURES)
@given(case=written())
def test_many_tables_are_read_as_they_were_written(tmp_path, case):
    a_table_is_read_as_it_was_written(tmp_path, case)


@settings(max_examples=ENOUGH, derandomize=True, deadline=None, suppress_health_check=FIXTURES)
@given(
    rows=st.lists(st.tuples(anything, st.text("ACD", min_size=1), anything), max_size=6),
    quoting=st.sampled_from([0, 1]),
)
def test_pandas_reads_and_writes_the_same(tmp_path, rows, quoting):
    path = tmp_path / "x.csv"
    # a lone carriage return ends a line for pandas when it writes, and not when it reads
    rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    rows = [[name if quoting else name.strip(), s, n.strip()] for name, s, n in rows]
    frame = pd.DataFrame(rows, columns=["name", "sequence", "note"], dtype=object)
    frame.to_csv(path, index=False, quoting=quoting, lineterminator="\n")
    columns, found = read(path)
    again = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert columns == again.columns.tolist()
    assert [row for _, row in found] == again.to_numpy().tolist() == rows


def test_blanks_around_names_and_cells_are_dropped(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        'mutant, mutated_sequence , DMS_score\n A1C,  MKT\t, 0.5 \n " A1D ", MKV, "1"\n'
    )
    columns, rows = read(path, ["mutant", "DMS_score"])
    assert columns == ["mutant", "mutated_sequence", "DMS_score"]
    assert rows == [(2, ["A1C", "MKT", "0.5"]), (3, [" A1D ", "MKV", "1"])]


def test_lines_are_those_of_the_file_past_cells_of_several_lines(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b'\n\nname,sequence\r\n"a\r\nb",MKT\r\n\r\nc,MKV\r\n')
    with open_rows(path, {"sequence": "name it"}) as table:
        assert [table.place(n) for n, _ in table.cells(table.columns)] == [
            f"{str(path)!r}, line 4",
            f"{str(path)!r}, line 7",
        ]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('a,"MKT\nb,MKV\n', 2, r'has a quote \("\) that is not closed; close it, or remove it'),
        ('a,MKT\n"b\nc","MKT\n', 4, "has a quote .* that is not closed"),
        ('a,"MKT\nb,MKV\nc,"MKW\n', 2, r"has 'MKW' after the closing quote .*; write a quote"),
        ('a,"MK"T\n', 2, "has 'T' after the closing quote of a cell"),
        ("a,MKT\nb\n", 3, "has 1 cells where there are 2 columns; complete the row"),
        ("a,MKT,,x\n", 2, "has 4 cells where there are 2 columns; put a cell that holds a sep"),
        ("a,MKT\nb,M\0T\n", 3, "has a NUL character; remove it"),
        ("a,MKT\nb,\udcff\n", 3, "has bytes that are not UTF-8; convert the file"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_an_error_names_file_and_line(tmp_path, content, line, message, end):
    path = tmp_path / "x.csv"
    content = ("name,sequence\n" + content).replace("\n", end)
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(Unreadable, match=rf"x\.csv', line {line}, {message}") as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "much", ["{long}M", '"{long}M"', '"' + "MKT\n" * 2**16], ids=["plain", "quoted", "not closed"]
)
def test_cells_may_be_as_long_as_csv_allows_and_that_is_left_alone(tmp_path, much):
    path, limit = tmp_path / "x.csv", csv.field_size_limit()
    long = "M" * limit
    path.write_text(f"sequence\n{long}\n\n{much.format(long=long)}\n")
    message = f"line 4, has a cell of more than {limit} characters; close its quotes, or leave "
    with open_rows(path, {"sequence": "name it"}) as table:
        rows = table.cells(table.columns)
        assert next(rows) == (2, [long])
        with pytest.raises(Unreadable, match=message):
            next(rows)
    assert csv.field_size_limit() == limit


def test_quotes_mean_nothing_between_tabs(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text('name\tsequence\n5" end\tMKT\n"b\tMKV\n')
    assert [row for _, row in read(path)[1]] == [['5" end', "MKT"], ['"b', "MKV"]]
    path.write_text('name\tsequence\n"a\tb"\tMKT\n')
    with pytest.raises(Unreadable, match=r"line 2, has 3 cells .*; tabs inside quotes separate"):
        read(path)


def test_cells_behind_the_last_column_are_empty_or_an_error(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("sequence,wildtype\nMKTAYI,GSHMLE,\nMKVAYI,GSHMLE, ,\n")
    assert read(path)[1] == [(2, ["MKTAYI", "GSHMLE"]), (3, ["MKVAYI", "GSHMLE"])]
    path.write_text("name,sequence,,\na,MKT\nb,MKV,x,y\n")
    assert read(path) == (["name", "sequence"], [(2, ["a", "MKT"]), (3, ["b", "MKV"])])


def test_columns_without_a_name_or_with_the_same_are_none(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(",sequence,x,x\n0,MKT,1,2\n")
    assert read(path) == (["sequence"], [(2, ["MKT"])])
    for asked in ({"needed": ["x"]}, {"wanted": ["x"]}):
        with pytest.raises(Unreadable, match=r"line 1, has 2 columns 'x'; rename all but one"):
            read(path, **asked)


def test_a_separator_is_recognised_where_it_alone_finds_the_columns(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("name;sequence;x,y\na,b;MKT;0,5\n")
    assert read(path) == (["name", "sequence", "x,y"], [(2, ["a,b", "MKT", "0,5"])])
    path.write_text("name|sequence\na|MKT\n")
    with pytest.raises(Unreadable, match=r"no column 'sequence' but .*; if '|' separates its col"):
        read(path)
    path.write_text("name;sequence\na;MKT\n")
    with pytest.raises(Unreadable, match=r"no column 'protein' but 'name', 'sequence'; name it"):
        read(path, ["protein"])
    with pytest.raises(Unreadable, match="line 1, has 1 cells where there are 2 columns"):
        read(path, columns=["name", "sequence"])


def test_one_column_is_separated_as_the_suffix_says(tmp_path):
    for suffix, cell in ((".tsv", "M,K"), (".csv", "M\tK")):
        path = tmp_path / f"x{suffix}"
        path.write_text(f"sequence\n{cell}\n")
        assert read(path)[1] == [(2, [cell])]


def test_a_table_without_a_header_has_the_columns_that_are_given(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,MKT\n\nb,MKV,\n")
    assert read(path, columns=["x", "sequence"]) == (
        ["x", "sequence"],
        [(1, ["a", "MKT"]), (3, ["b", "MKV"])],
    )


def test_a_file_is_recognised_by_its_first_line(tmp_path):
    path = tmp_path / "x"
    for content, name in [
        ("", "fasta"),
        ("\n >a\nMKT\n", "fasta"),
        ("\nid, sequence\n", "csv"),
        ("id;sequence\n", "csv"),
        ("id\tsequence\n", "tsv"),
        ("sequence\nMKT\n", "csv"),
        ("MKT\n", None),
        ("id,protein\n", None),
    ]:
        path.write_text(content)
        assert recognise(path, "sequence") == name, content


# --------------------------------------------------------------------- workbooks


@pytest.fixture
def workbook(tmp_path):
    """Write sheets into a workbook and return its path."""
    openpyxl = pytest.importorskip("openpyxl", reason="it needs the extra io")

    def write(sheets, name="x.xlsx"):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / name)
        return tmp_path / name

    return write


SHEET = [
    ["name", " sequence", "score", None, "day"],
    [101, "MKT ", 2.0, "x", None],
    [],
    ["NA", "MKV", 0.5, None, pd.Timestamp("2026-01-02")],
    [2**40],
]


@pytest.mark.parametrize("name", ["x.xlsx", "x.csv", "x"])
def test_a_workbook_is_a_table_whatever_it_is_called(workbook, name):
    path = workbook({"empty": [], "data": SHEET}, name)
    with open_rows(path, {"sequence": "name it"}) as table:
        assert table.columns == ["name", "sequence", "score", "day"]
        assert list(table.cells(table.columns)) == [
            (2, ["101", "MKT", "2", ""]),
            (4, ["NA", "MKV", "0.5", "2026-01-02 00:00:00"]),
            (5, [str(2**40), "", "", ""]),
        ]
        assert table.place(4) == f"{str(path)!r}, sheet 'data', row 4"
    assert recognise(path, "sequence") == "csv"


def test_a_sheet_that_says_it_is_smaller_is_read_whole(workbook):
    path = workbook({"data": SHEET})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b'<dimension ref="A1:E5"' in members[sheet]
    members[sheet] = members[sheet].replace(b'ref="A1:E5"', b'ref="A1:B2"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    columns, rows = read(path)
    assert (len(columns), len(rows)) == (4, 3)


def test_other_sheets_are_counted(workbook):
    path = workbook({"data": SHEET, "empty": [], "notes": [["x"]]})
    with pytest.warns(UserWarning, match="the sheet 'data' is read, and not 'notes'; to read that"):
        assert len(read(path)[1]) == 3


def test_workbooks_that_are_refused(workbook, tmp_path, monkeypatch):
    with pytest.raises(Unreadable, match=r"x\.xlsx' is empty"):
        read(workbook({"data": []}))
    path = workbook({"data": SHEET})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content[:-20])
    with pytest.raises(Unreadable, match=r"x\.xlsx' cannot be read as an Excel workbook"):
        read(path)
    monkeypatch.setattr("sklearn_revdist.sequences._packed._SMALL", 0)
    monkeypatch.setattr("sklearn_revdist.sequences._packed._COMPRESSION", 1)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb", bytes(2**20))
    with pytest.raises(Unreadable, match="unpacks to more than"):
        read(path)


def test_a_workbook_without_its_package_names_the_extra(workbook, monkeypatch):
    path = workbook({"data": SHEET})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ImportError, match=r"needs openpyxl; run .*sklearn-revdist\[io\].* as CSV"):
        read(path)


def test_rows_are_read_as_they_are_asked_for(tmp_path):
    """So that a table may be larger than memory."""
    path = tmp_path / "x.csv"
    path.write_text("sequence\n" + "MKT\n" * 30_000 + '"\n')
    with open_rows(path, {"sequence": "name it"}) as table:
        rows = table.cells(table.columns)
        assert next(rows) == (2, ["MKT"])
        with pytest.raises(Unreadable, match="line 30002"):
            list(rows)
