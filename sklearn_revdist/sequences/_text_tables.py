"""Read tables of text row by row, with the line in which each row begins."""

import csv
import itertools
import os
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..utils._messages import first_line, warn_user
from ._packed import Unreadable, open_content, plain_suffix
from ._text import as_text

FORMATS = {
    **dict.fromkeys((".csv", ".xlsx", ".xlsm", ".xls"), "csv"),
    **dict.fromkeys((".tsv", ".tab"), "tsv"),
}

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_TRIED = (",", ";", "\t")


class Rows(NamedTuple):
    """A table, read row by row.

    Attributes
    ----------
    columns : list of str
        Names; columns without a name, or with one that others have too, are left out.
    cells : callable
        Takes some of these names, and yields for each row the number of the line in which it
        begins, or of the row of a sheet, and the cells of these columns, without blanks around
        them except for those inside quotes. It is called once.
    place : callable
        Turns such a number into file and line, for messages.
    """

    columns: list[str]
    cells: Callable[[Sequence[str]], Iterator[tuple[int, list[str]]]]
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
    tabs. Another of comma, semicolon and tab is taken if the needed columns (or the wanted ones,
    if none are needed) are found only with it. With commas and semicolons, cells may be quoted as
    in RFC 4180; with tabs, a quote is a character like any other. Blank lines are left out.

    Parameters
    ----------
    path : str or path-like
        As for :func:`~._text.open_text`, or a workbook.
    needed : mapping of str to str
        Columns that the table must have, and what to do if one is missing.
    wanted : collection of str, default=()
        Columns that are used if present, so that no two may have the name.
    columns : sequence of str, default=None
        Names of the columns of a table without a header.
    name : {"csv", "tsv"}, default=None
        Format; None goes by the suffix.

    Yields
    ------
    table : Rows

    Raises
    ------
    FileNotFoundError, PermissionError, ImportError
        As for :func:`~._packed.open_content`; also if a workbook needs a package.
    Unreadable
        If a column is missing or occurs twice, or the file is not a table or is empty; while
        reading, if a row has fewer or more cells than the header, a quote is not closed, text
        follows a closing quote, or a cell is longer than ``csv.field_size_limit()``. The message
        names file and line.
    """
    path = Path(path)
    with open_content(path) as content:
        if content.is_workbook:
            rows, where = _sheet(content.file, path)
        else:
            text = as_text(content, path, newline="", may_hold_nul=False)
            before, first = _first_line(text)
            suffix = plain_suffix(path)
            usual = "tsv" if suffix == ".txt" else FORMATS.get(suffix, "csv")
            delimiter = _DELIMITERS[name or usual]
            if columns is None:
                delimiter = _delimiter(first, delimiter, needed or wanted)
            lines = itertools.chain([first], text)
            rows, where = _rows(lines, delimiter, path, before), "line"

        def place(number: int) -> str:
            return f"{str(path)!r}, {where} {number}"

        yield _table(rows, place, path, needed, wanted, columns)


def recognise(path: str | os.PathLike, column: str) -> str | None:
    """Recognise the format of a file by its first line.

    Parameters
    ----------
    path : str or path-like
        A file that can be opened again.
    column : str
        Name of a column that a table has.

    Returns
    -------
    name : {"fasta", "csv", "tsv"} or None
        None if the line neither begins with ``>`` nor has the column. An empty file is FASTA.
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
    """Return the number of blank lines at the beginning, and the line after them."""
    return next(((n, line) for n, line in enumerate(text) if line.strip()), (0, ""))


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
    """Return the usual delimiter unless only others, which agree, find the columns."""
    names = {delimiter: _names(header, delimiter) for delimiter in _TRIED}
    found = [d for d in _TRIED if columns and set(columns) <= set(names[d])]
    if usual in found or not found or any(names[d] != names[found[0]] for d in found):
        return usual
    return found[0]


def _rows(lines, delimiter, path, before):
    """Yield rows that are not blank, with the numbers of the lines in which they begin."""
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
    """Strip a cell, unless the blanks around it are quoted in the text of its row."""
    plain = cell.strip()
    if plain != cell and '"' in text and '"' + cell.replace('"', '""') + '"' in text:
        return cell
    return plain


def _wrong_cell(path, start, text, delimiter, error):
    """Make the error for wrong quotes in a row, or for a cell that is too long."""
    found = _wrong_quote(text, delimiter)
    if found is None or "limit" in str(error):
        much = f"a cell of more than {csv.field_size_limit()} characters"
        found = 0, much, "close its quotes, or leave its column out"
    at, what, remedy = found
    before = text[:at]
    line = start + before.count("\n") + before.count("\r") - before.count("\r\n")
    return Unreadable(f"{str(path)!r}, line {line}, has {what}; {remedy}.")


def _wrong_quote(text, delimiter):
    """Find the cell with wrong quotes: where it begins, what is wrong, and what to do."""
    quoted = '"(?:[^"]++|"")*+"'
    sound = rf'(?:{quoted}(?=[{delimiter}\r\n])|(?!"))[^{delimiter}]*{delimiter}'
    at = re.match(rf"(?: *+{sound})*+ *+", text).end()
    if text[at : at + 1] != '"':
        return None
    cell = re.compile(quoted).match(text, at)
    if cell is None:
        return at, 'a quote (") that is not closed', "close it, or remove it"
    if text[cell.end() : cell.end() + 1] in ("\r", "\n", ""):
        return None
    rest = text[cell.end() : cell.end() + 20].splitlines()[0]
    what = f"{rest!r} after the closing quote of a cell"
    return at, what, 'write a quote that is part of the text twice ("")'


def _table(rows, place, path, needed, wanted, columns):
    """Check the header, and keep the cells of named columns."""
    first = 1
    if columns is None:
        first, names = next(rows, (1, []))
        names = [name.strip() for name in names]
    else:
        names = list(columns)
    if needed and not names:
        raise Unreadable(f"{str(path)!r} is empty; check that it is complete.")
    check_columns(names, needed, wanted, path, f"{place(first)},")
    kept = [name for name in names if name and names.count(name) == 1]
    return Rows(kept, partial(_cells, rows, place, names), place)


def check_columns(
    names: Sequence[str],
    needed: Mapping[str, str],
    wanted: Collection[str],
    path: str | os.PathLike,
    header: str,
) -> None:
    """Check that a table has the columns needed, and no column that is used twice.

    Parameters
    ----------
    names : sequence of str
        Names of all columns; empty where a column has none.
    needed, wanted
        As for :func:`open_rows`.
    path : str or path-like
        The file.
    header : str
        Where its names are, as the beginning of a message.
    """
    for column, remedy in needed.items():
        if column not in names:
            raise Unreadable(_no_column(path, column, [name for name in names if name], remedy))
    for column in (*needed, *wanted):
        if names.count(column) > 1:
            raise Unreadable(
                f"{header} has {names.count(column)} columns {column!r}; rename all but one."
            )


def _cells(rows, place, names, columns):
    kept = [names.index(column) for column in columns]
    least, most = 1 + max((i for i, name in enumerate(names) if name), default=-1), len(names)
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
                    "tabs inside quotes separate cells as well, so write the table with commas."
                    if quoted
                    else "put a cell that holds a separator into quotes, or remove the rest."
                )
            )
        yield number, [row[i] for i in kept]


def _no_column(path, column, found, remedy):
    header = found[0] if len(found) == 1 else ""
    usual = next((separator for separator in _TRIED if separator in header), None)
    if usual:  # with which the column would have been found
        found = _names(header, usual)
    listed = ", ".join(map(repr, found[:5])) + (", ..." if len(found) > 5 else "")
    missing = f"{str(path)!r} has no column {column!r} but {listed or 'none with a name'}; "
    if "|" in header and not usual:
        return missing + (
            "if '|' separates its columns, write it with commas (.csv) or tabs (.tsv)."
        )
    return missing + f"{remedy}."


def _sheet(file, path):
    """Return the rows of the first sheet that is not empty, and the beginning of their places."""
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
            warnings.simplefilter("ignore")  # about styles, for example
            for sheet in openpyxl.load_workbook(file, read_only=True, data_only=True).worksheets:
                if not rows:
                    rows, title = list(_sheet_rows(sheet)), sheet.title
                elif next(_sheet_rows(sheet), None):
                    others.append(sheet.title)
    except Exception as error:  # damaged files raise errors of any class
        raise Unreadable(
            f"{str(path)!r} cannot be read as an Excel workbook ({first_line(error)}); save it "
            "again, or as CSV."
        ) from error
    if others:
        warn_user(
            f"Of {str(path)!r} the sheet {title!r} is read, and not "
            f"{', '.join(map(repr, others))}; to read that, save it as a separate file."
        )
    width = max((len(row) for _, row in rows), default=0)
    padded = ((number, row + [""] * (width - len(row))) for number, row in rows)
    return padded, f"sheet {title!r}, row"


def _sheet_rows(sheet):
    """Yield the rows of a sheet that are not empty, as text, with their numbers."""
    sheet.reset_dimensions()  # other programs write wrong ones
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        if any(value is not None for value in row):
            yield number, [cell_text(value).strip() for value in row]


def cell_text(value: Any, short: Callable[[float], object] = float) -> str:
    """Write the value of a cell as text, whole numbers without a point, and nothing for NaN."""
    if isinstance(value, float):
        if value != value:
            return ""
        value = int(value) if value.is_integer() else short(value)
    return "" if value is None else str(value)
