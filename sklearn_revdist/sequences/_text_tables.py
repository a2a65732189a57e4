"""Tables of text: their rows one after the other, with the lines in which they begin."""

import csv
import itertools
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..utils._messages import first_line
from ._packed import Unreadable, open_content, plain_suffix
from ._text import LONGEST, as_text

DELIMITERS = {"csv": ",", "tsv": "\t"}

# Of a file that ends otherwise, cells are separated by commas.
_BY_SUFFIX = {".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_TRIED = (",", ";", "\t")


class Rows(NamedTuple):
    """A table, read row by row.

    Attributes
    ----------
    columns : list of str
        Names that one column has; columns without a name are left out.
    rows : iterator of (int, list of str)
        The number of the line in which a row begins, or of the row of a sheet, and the cells of
        `columns`, without blanks around them but for those inside of quotes.
    place : callable
        Makes of such a number the text that says where that is.
    """

    columns: list[str]
    rows: Iterator[tuple[int, list[str]]]
    place: Callable[[int], str]


@contextmanager
def open_rows(
    path: str | os.PathLike,
    needed: Mapping[str, str],
    *,
    wanted: Collection[str] = (),
    columns: Sequence[str] | None = None,
    name: str | None = None,
) -> Iterator[Rows]:
    """Open a table of text, or the first sheet of an Excel workbook that is not empty.

    Cells are separated by commas or, in a file that ends in ``.tsv``, ``.tab`` or ``.txt``, by
    tabs; by another of comma, semicolon and tab where the needed columns, or if there are none the
    wanted ones, are found only so. With commas and semicolons cells may stand in quotes, as RFC
    4180 says; with tabs a quote is a character like any other. Blank lines are left out.

    Parameters
    ----------
    path : str or path-like
        As :func:`~._text_files.open_text` takes it, or a workbook.
    needed : mapping of str to str
        Columns that the table must have, and what to do where one is missing.
    wanted : collection of str, default=()
        Columns that are used where they are there, so that there may not be two of them.
    columns : sequence of str, default=None
        Names of the columns of a table that has no header.
    name : {"csv", "tsv"}, default=None
        Format, where the suffix does not say it.

    Yields
    ------
    table : Rows

    Raises
    ------
    FileNotFoundError, PermissionError, ImportError
        As :func:`~._packed_files.open_content` does; also if a workbook needs a package.
    Unreadable
        If a column is missing or there are two of it, or the file is no table or is empty; while
        it is read, if a row has fewer or more cells than the header, a quote is not closed, or
        text follows one. The message names file and line.
    """
    path = Path(path)
    with open_content(path) as content:
        if content.is_workbook:
            rows, where = _sheet(content.file, path)
        else:
            text = as_text(content, path, newline="", may_hold_nul=False)
            before, first = _first_line(text)
            delimiter = DELIMITERS.get(name or "") or _BY_SUFFIX.get(plain_suffix(path), ",")
            if columns is None:
                delimiter = _delimiter(first, delimiter, needed or wanted)
            lines = itertools.chain([first], text)
            rows, where = _rows(lines, delimiter, path, before), "line"

        def place(number: int) -> str:
            return f"{str(path)!r}, {where} {number}"

        yield _table(rows, place, path, needed, wanted, columns)


def recognise(path: str | os.PathLike, column: str) -> str | None:
    """Format of a file as its first line shows it.

    Parameters
    ----------
    path : str or path-like
        A file, which can be opened again.
    column : str
        What one of the columns of a table is called.

    Returns
    -------
    name : {"fasta", "csv", "tsv"} or None
        None where the line neither begins with ``>`` nor has such a column. An empty file is FASTA.
    """
    with open_content(path) as content:
        if content.is_workbook:
            return "csv"
        _, first = _first_line(as_text(content, path, newline=""))
    if not first or first.lstrip().startswith(">"):
        return "fasta"
    found = [delimiter for delimiter in _TRIED if column in _names(first, delimiter)]
    return ("tsv" if found[0] == "\t" else "csv") if found else None


def _first_line(text):
    """Number of blank lines at the beginning, and the line behind them."""
    before = 0
    for line in text:
        if line.strip():
            return before, line
        before += 1
    return before, ""


def _dialect(delimiter):
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    return {
        "delimiter": delimiter,
        "quoting": quoting,
        "strict": True,
        "skipinitialspace": delimiter != "\t",
    }


def _names(line, delimiter):
    try:
        return [name.strip() for name in next(csv.reader([line], **_dialect(delimiter)), [])]
    except csv.Error:
        return []


def _delimiter(header, usual, columns):
    """The usual delimiter, unless others find the columns, all of them the same ones."""
    names = {delimiter: _names(header, delimiter) for delimiter in _TRIED}
    found = [d for d in _TRIED if columns and set(columns) <= set(names[d])]
    if usual in found or not found or any(names[d] != names[found[0]] for d in found):
        return usual
    return found[0]


def _rows(lines, delimiter, path, before):
    """Rows that are not blank, with the numbers of the lines in which they begin."""
    # a limit of the process, which is only raised
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))
    read = []  # lines of the row

    def recorded():
        for line in lines:
            read.append(line)
            yield line

    reader = csv.reader(recorded(), **_dialect(delimiter))
    while True:
        start = before + reader.line_num + 1
        read.clear()
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _wrong_cell(path, start, "".join(read), delimiter, error) from error
        if row is None:
            return
        text = "".join(read)
        if len(row) > 1 or text.strip():
            yield start, [_without_blanks(cell, text) for cell in row]


def _without_blanks(cell, text):
    """A cell without blanks around it, unless they stand in quotes in the text of its row."""
    plain = cell.strip()
    if plain != cell and '"' in text and '"' + cell.replace('"', '""') + '"' in text:
        return cell
    return plain


def _wrong_cell(path, start, text, delimiter, error):
    """What is wrong with the quotes of a row, or with the length of a cell."""
    found = _wrong_quote(text, delimiter)
    if found is None or "limit" in str(error):
        unreadable = f"a cell that cannot be read ({first_line(error)})"
        found = 0, unreadable, "check that quotes are closed"
    at, what, remedy = found
    before = text[:at]
    line = start + before.count("\n") + before.count("\r") - before.count("\r\n")
    return Unreadable(f"{str(path)!r}, line {line}, has {what}; {remedy}.")


def _wrong_quote(text, delimiter):
    """Where in a row the cell begins whose quotes are wrong, what is wrong, and what to do."""
    at = 0
    while True:
        while text[at : at + 1] == " ":
            at += 1
        end = at
        if text[at : at + 1] == '"':
            end = text.find('"', at + 1)
            while end >= 0 and text[end + 1 : end + 2] == '"':
                end = text.find('"', end + 2)
            if end < 0:
                return at, 'a quote (") that is not closed', "close it, or take it out"
            end += 1
            if text[end : end + 1] not in (delimiter, "\r", "\n", ""):
                behind = text[end : end + 20].splitlines()[0]
                what = f"{behind!r} behind the closing quote of a cell"
                return at, what, 'write a quote that is part of the text twice ("")'
        end = text.find(delimiter, end)
        if end < 0:
            return None
        at = end + 1


def _table(rows, place, path, needed, wanted, columns):
    """Rows with the cells of named columns, after a look at the header."""
    first = 1
    if columns is None:
        first, names = next(rows, (1, []))
        names = [name.strip() for name in names]
    else:
        names = list(columns)
    if needed and not names:
        raise Unreadable(f"{str(path)!r} is empty; check that it is complete.")
    named = [name for name in names if name]
    for column, remedy in needed.items():
        if column not in named:
            raise Unreadable(_no_column(path, column, named, remedy))
    for column in (*needed, *wanted):
        if names.count(column) > 1:
            raise Unreadable(
                f"{place(first)}, has {names.count(column)} columns {column!r}; rename all but one."
            )
    kept = [i for i, name in enumerate(names) if name and names.count(name) == 1]
    least = 1 + max((i for i, name in enumerate(names) if name), default=-1)
    cells = _cells(rows, place, kept, least, len(names))
    return Rows([names[i] for i in kept], cells, place)


def _cells(rows, place, kept, least, most):
    for number, row in rows:
        if len(row) < least:
            raise Unreadable(
                f"{place(number)}, has {len(row)} cells where there are {most} columns; complete "
                "the row."
            )
        if any(row[most:]):
            quoted = any(cell.startswith('"') for cell in row)
            raise Unreadable(
                f"{place(number)}, has {len(row)} cells where there are {most} columns; "
                + (
                    "tabs inside of quotes separate cells as well, so write the table with commas."
                    if quoted
                    else "put a cell that holds a separator into quotes, or take the rest out."
                )
            )
        yield number, [row[i] for i in kept]


def _no_column(path, column, found, remedy):
    listed = ", ".join(map(repr, found[:5])) + (", ..." if len(found) > 5 else "")
    said = f"{str(path)!r} has no column {column!r} but {listed or 'none with a name'}; "
    other = [separator for separator in (";", "\t", ",", "|") if separator in "".join(found)]
    if len(found) == 1 and other:
        return said + (
            f"if {other[0]!r} separates its columns, write it with commas (.csv) or tabs (.tsv)."
        )
    return said + f"{remedy}."


def _sheet(file, path):
    """Rows of the first sheet of a workbook that is not empty, and what their places are called."""
    try:
        import openpyxl
    except ImportError as error:
        raise ImportError(
            f"{str(path)!r} is an Excel workbook, which needs openpyxl; run "
            '`pip install "sklearn-revdist[io]"`, or save the sheet as CSV.'
        ) from error
    rows, others, title = [], [], ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles, say
            for sheet in openpyxl.load_workbook(file, read_only=True, data_only=True).worksheets:
                if not rows:
                    rows, title = list(_sheet_rows(sheet)), sheet.title
                elif next(_sheet_rows(sheet), None):
                    others.append(sheet.title)
    except Exception as error:  # damaged files raise errors of any class there
        raise Unreadable(
            f"{str(path)!r} cannot be read as an Excel workbook ({first_line(error)}); save it "
            "anew, or as CSV."
        ) from error
    if others:
        warnings.warn(
            f"Of {str(path)!r} the sheet {title!r} is read, and not "
            f"{', '.join(map(repr, others))}; to read that, save it as a file of its own.",
            UserWarning,
            stacklevel=2,
        )
    width = max((len(row) for _, row in rows), default=0)
    padded = ((number, row + [""] * (width - len(row))) for number, row in rows)
    return padded, f"sheet {title!r}, row"


def _sheet_rows(sheet):
    """Rows of a sheet with something in them, as text, with their numbers."""
    sheet.reset_dimensions()  # other programs write wrong ones
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        if any(value is not None for value in row):
            yield number, [_cell(value) for value in row]


def _cell(value: Any) -> str:
    """What stands in a cell of a sheet, whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
