"""Draw the subpackages and where new modules go: python docs/_static/layout.py

Writes layout.svg beside itself.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

ROWS = (
    [("cli", "the command revdist")],
    [("displays", "plots of scores and variances")],
    [("evaluation", "scores of every size on many tasks, beside baselines")],
    [
        ("embedding", "sequences to\nthe wide matrix"),
        ("distillation", "wide matrix to\nnested embeddings"),
        ("probes", "ridge regressions\non every prefix"),
        ("tasks", "what is to\nbe predicted"),
    ],
    [("sequences", "files, letters, tokens, mutants"), ("matrix", "rows, columns, moments")],
    [("tables", "embeddings in files")],
    [("utils", "files, fingerprints, names of models")],
)
NEW = (
    (0, "A new command", "a module in cli, and its line in cli/_main.py"),
    (2, "A new task format", "a reader in tasks, and its line in tasks/_task_list.py"),
    (
        3,
        "A new probe",
        "a module in probes; a line in evaluation/_probes.py\nto score with it by name",
    ),
    (
        4,
        "A new model family",
        "utils/_models.py, embedding/_checkpoints.py and,\nif it differs, _esm2.py",
    ),
)
BLUE, ORANGE, INK = "#0072B2", "#B35900", "#333333"
WIDTH, LEFT = 760, 20

plt.rcParams.update({"font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "0"})
figure = plt.figure(figsize=(10.5, 5.6))
ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 1230), ylim=(0, 656))
ax.axis("off")

top, tops = 640, []
for row in ROWS:
    lines = max(idea.count("\n") for _, idea in row) + 1
    height, width = 62 + 22 * (lines - 1), WIDTH / len(row)
    tops.append(top - height / 2)
    for i, (name, idea) in enumerate(row):
        x = LEFT + i * width
        ax.add_patch(
            FancyBboxPatch(
                (x + 4, top - height),
                width - 8,
                height,
                boxstyle="round,pad=0,rounding_size=8",
                facecolor="#EAF3FA",
                edgecolor=BLUE,
            )
        )
        middle = x + width / 2
        ax.text(middle, top - 20, name, ha="center", va="center", fontweight="bold", color=BLUE)
        ax.text(middle, top - 34, idea, ha="center", va="top", fontsize=9, color=INK)
    top -= height + 14
for place, what, where in NEW:
    y = tops[place] if place != 3 else tops[3] + 8
    ax.text(LEFT + WIDTH + 30, y + 4, what, va="bottom", fontweight="bold", color=ORANGE)
    ax.text(LEFT + WIDTH + 30, y, where, va="top", fontsize=9, color=INK)
ax.annotate(
    "", (8, top + 14), (8, 640), arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1.2}
)
ax.text(LEFT + 4, top - 4, "Imports run downwards only.", fontsize=9, color=INK)

target = Path(__file__).with_suffix(".svg")
figure.savefig(target, metadata={"Date": None})
