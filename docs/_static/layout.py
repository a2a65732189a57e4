"""Draw the subpackages and where new modules go: python docs/_static/layout.py

Writes layout.svg beside itself.
"""

from pathlib import Path

ROWS = (
    [("cli", "the command revdist")],
    [("displays", "plots of scores, variances and predictions")],
    [("assays", "from a spreadsheet to a model of variants")],
    [("evaluation", "scores of every size on many tasks, beside baselines")],
    [
        ("embedding", "sequences to\nthe wide matrix"),
        ("distillation", "wide matrix to\nnested one"),
        ("probes", "regressions,\nand their errors"),
        ("neighbors", "nearest rows,\nand their labels"),
        ("baselines", "features without\na model"),
        ("tasks", "what is to\nbe predicted"),
    ],
    [("sequences", "files, letters, tokens, mutants"), ("matrix", "rows, columns, moments")],
    [("tables", "embeddings in files")],
    [("utils", "files, fingerprints, names of models")],
)
# Where something new goes, beside a row.
NEW = {
    0: ("A new command", "a module in cli, and its line in cli/_main.py"),
    2: ("A new feature of variants", "its name in assays/_variant_model.py"),
    3: ("A new task format", "a reader in tasks, and its line in\ntasks/_task_list.py"),
    4: (
        "A new probe",
        "a module in probes; a line in\nevaluation/_probes.py to score with it by name",
    ),
    5: (
        "A new model family",
        "utils/_models.py, embedding/_checkpoints.py\nand, if it differs, _esm2.py",
    ),
}
LEFT, WIDTH, NOTES = 26, 780, 326
STYLE = """
.box { fill: #eaf3fa; stroke: #0072b2; stroke-width: 1.2 }
text { font-family: "DejaVu Sans", Verdana, sans-serif }
.name { font-size: 14px; font-weight: bold; fill: #0072b2 }
.what { font-size: 12px; fill: #333 }
.note { font-size: 14px; font-weight: bold; fill: #a85500 }
.arrow { fill: none; stroke: #333; stroke-width: 1.4 }
"""


def text(x, y, line, style, anchor="middle"):
    return f'<text x="{x:g}" y="{y:g}" class="{style}" text-anchor="{anchor}">{line}</text>'


def lines(x, y, what, anchor="middle"):
    return [text(x, y + 15 * i, line, "what", anchor) for i, line in enumerate(what.split("\n"))]


def main():
    parts, y = [], 12
    for i, row in enumerate(ROWS):
        height, width = (64 if len(row) > 2 else 48), (WIDTH - 6 * (len(row) - 1)) / len(row)
        for j, (name, what) in enumerate(row):
            x = LEFT + j * (width + 6)
            size = f'x="{x:g}" y="{y}" width="{width:g}" height="{height}"'
            parts.append(f'<rect {size} rx="5" class="box"/>')
            parts.append(text(x + width / 2, y + 19, name, "name"))
            parts += lines(x + width / 2, y + 36, what)
        if i in NEW:
            title, where = NEW[i]
            parts.append(text(LEFT + WIDTH + 24, y + 17, title, "note", "start"))
            parts += lines(LEFT + WIDTH + 24, y + 33, where, "start")
        y += height + 10
    parts.append(f'<path d="M 12 14 V {y - 16} m -4 -8 l 4 8 l 4 -8" class="arrow"/>')
    parts.append(text(LEFT, y + 10, "Imports run downwards only.", "what", "start"))
    width, height = LEFT + WIDTH + 24 + NOTES, y + 22
    opening = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts.insert(0, f'<svg xmlns="http://www.w3.org/2000/svg" {opening}>\n<style>{STYLE}</style>')
    parts.insert(1, '<rect width="100%" height="100%" fill="#fff"/>')
    path = Path(__file__).with_suffix(".svg")
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
