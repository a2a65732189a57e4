"""Sphinx directive that shows a table of scores: plain names, the best row first and in bold.

.. code-block:: rst

   .. score-table:: Scores of all scans
      :file: results/scans.csv
      :within: split
      :sort: 160
      :best: 48; 96; 160
      :where: split=random
      :columns: representation; 160
      :folded:

The CSV file stays as it is, for machines: names are replaced, rows are sorted and the best cells of
a column are set in bold only here. Rows are sorted within groups of equal `within`, by the first of
the columns in `sort` in which they have a number. A folded table opens on a click, without
JavaScript.
"""

import csv
import io
import re
from html import escape

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

# Whole cells and parts of headings, by the names that the package and the scripts use.
NAMES = {
    "concat_pca": "PCA of the concatenation",
    "concat_pca, all": "all components of the concatenation",
    "concat": "concatenation",
    "largest_pca": "PCA of the largest model",
    "largest_first": "first columns of the largest model",
    "naive": "naive chain",
    "one_hot": "one-hot, no model",
    "site_mean": "mean of the site, no model",
    "composition": "composition, no model",
    "smallest": "smallest model",
    "distilled, n_new='all'": "all new columns",
    "spearman": "Spearman's correlation",
    "aupr": "average precision",
    "reference, linear": "reference, least squares",
}
DATA = {
    "natural": "natural residues",
    "fold": "the training fold",
    "natural, pooled": "means of natural proteins",
    "own residues": "residues of the target",
    "all variants": "all variants",
    "blend": "a blend",
}
HEADINGS = {
    "fitted_on": "fitted on",
    "n_rows": "rows",
    "n_sequences": "sequences",
    "longest": "residues, longest",
    "left_out": "left out",
    "one_hot": "one-hot",
    "site_mean": "mean of the site",
    "sem": "standard error",
    "R2 at the fit": "R² at the fit",
    "R2 when applied": "R² when applied",
}


def names(text):
    """Names of columns, of which there may be none."""
    return [" ".join(name.split()) for name in text.split(";")] if text else []


class ScoreTable(SphinxDirective):
    """The directive `score-table`."""

    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = {
        "file": directives.unchanged_required,
        "where": names,
        "columns": names,
        "within": names,
        "sort": names,
        "best": names,
        "folded": directives.flag,
    }

    def run(self):
        """Parse the table that is written as reStructuredText."""
        relative, path = self.env.relfn2path(self.options["file"])
        self.env.note_dependency(relative)
        self.env.note_dependency(__file__)
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns, rows = self.arranged(rows)
        title = self.arguments[0] if self.arguments else ""
        folded = "folded" in self.options
        lines = [f".. csv-table:: {'' if folded else title}", "   :header-rows: 1"]
        lines += ["   :widths: auto", "   :class: numbers", ""]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([as_text(heading(column)) for column in columns])
        writer.writerows([row[column] for column in columns] for row in rows)
        lines += [f"   {line}" for line in text.getvalue().splitlines()]
        table = nodes.Element()
        self.state.nested_parse(StringList(lines, path), 0, table)
        if not folded:
            return table.children
        summary = f"<summary>{escape(title)} <span>({len(rows)} rows)</span></summary>"
        before = nodes.raw("", f'<details class="score-table">{summary}', format="html")
        return [before, *table.children, nodes.raw("", "</details>", format="html")]

    def arranged(self, rows):
        """Columns to show, and rows in order, as text with the best cells in bold."""
        for condition in self.options.get("where", []):
            column, wanted = condition.split("=")
            rows = [row for row in rows if row[column] == wanted]
        if not rows:
            raise self.error(f"{self.options['file']} has no such rows")
        columns = self.options.get("columns") or list(rows[0])
        rows = [row for row in rows if any(row[column] for column in columns[1:])]
        rows = padded(rows)
        groups = {}
        for row in rows:
            key = tuple(row[column] for column in self.options.get("within", []))
            groups.setdefault(key, []).append(row)
        by = self.options.get("sort", [])
        best = self.options.get("best", by[:1])
        shown = []
        for group in groups.values():
            if by:
                group = sorted(group, key=lambda row: first_value(row, by), reverse=True)
            largest = {column: max(value(row[column]) for row in group) for column in best}
            shown += [cells(row, largest) for row in group]
        data = {"fitted on", "fitted_on"}.intersection(columns)
        if data and "representation" in columns:  # said in the first cell
            columns = [column for column in columns if column not in data]
        return columns, shown


def padded(rows):
    """Rows in which the fractions of a column have equally many digits."""
    digits = {}
    for column in rows[0]:
        found = [re.fullmatch(r"-?\d*\.(\d+)", row[column]) for row in rows if row[column]]
        if found and all(found):
            digits[column] = max(len(fraction[1]) for fraction in found)
    return [
        {
            column: f"{float(cell):.{digits[column]}f}" if column in digits and cell else cell
            for column, cell in row.items()
        }
        for row in rows
    ]


def value(cell):
    """The number that a cell begins with; that of an empty cell is the least."""
    found = re.match(r"-?\d*\.?\d+", cell)
    return float(found[0]) if found else float("-inf")


def first_value(row, columns):
    """The number in the first of the columns that has one."""
    return value(next(filter(None, (row[column] for column in columns)), ""))


def cells(row, largest):
    """A row as reStructuredText, with the cells in bold that hold the largest number."""
    fitted_on = row.get("fitted on") or row.get("fitted_on")
    row = {column: plain(cell) for column, cell in row.items()}
    if fitted_on and "representation" in row:
        row["representation"] += f", fitted on {DATA.get(fitted_on, fitted_on)}"
    texts = {column: as_text(cell) for column, cell in row.items()}
    for column, most in largest.items():
        if row[column] and value(row[column]) == most:
            texts[column] = f"**{texts[column]}**"
    return texts


def plain(cell):
    """A cell with plain names and numbers, .2 for 0.2."""
    cell = re.sub(r" \((natural|fold)\)$", "", cell)
    cell = {**NAMES, **DATA}.get(cell, cell)
    cell = re.sub(r"\bols\b", "least squares", re.sub(r"\bpcr\b", "PCR", cell))
    return re.sub(r"(?<![\d.])0(\.\d)", r"\1", cell)


def heading(column):
    """The heading of a column."""
    column = HEADINGS.get(column, column)
    for name, words in {"concat_pca": "PCA of the concatenation", "concat pca": "PCA"}.items():
        column = column.replace(name, words)
    column = re.sub(r"^concat$", "concatenation", column)
    return re.sub(
        r" \((natural|fold)\)", lambda found: f", fitted on {DATA[found[1]]},", column
    ).rstrip(",")


def as_text(cell):
    """Escape what is markup in reStructuredText, and keep an interval on one line."""
    cell = re.sub(r"(\[\S+) (\S+\])", "\\1\N{NO-BREAK SPACE}\\2", cell)
    return re.sub(r"([*`|_\\])", r"\\\1", cell)


def setup(app):
    """Add the directive to Sphinx."""
    app.add_directive("score-table", ScoreTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
