"""Draw what nested embeddings are, for the start page: python docs/_static/nested.py

Writes nested.svg beside itself.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

MODELS = {"8M": (320, "#0072B2"), "35M": (480, "#E69F00"), "150M": (640, "#009E73")}
INK = "#333333"

plt.rcParams.update({"font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "0"})
figure = plt.figure(figsize=(9, 2.5))
ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 1800), ylim=(165, 690))
ax.axis("off")


def bar(x, y, width, colour, text, height=62):
    ax.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="white", linewidth=2))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", color="white")


left, right, top, step = 110, 1130, 460, 125
for x, title in (
    (left, "Three models, three spaces"),
    (right, "Nested: one space, three prefixes"),
):
    ax.text(x, 640, title, fontsize=12.5, fontweight="bold", color=INK)
for x, title in (
    (left, "Columns of one model mean nothing in another's space."),
    (right, "What a larger model adds is appended."),
):
    ax.text(x, 590, title, color=INK)

for i, (model, (width, colour)) in enumerate(MODELS.items()):
    y = top - i * step
    ax.text(left - 20, y + 31, model, ha="right", va="center", color=INK)
    bar(left, y, width, colour, f"H{i + 1}: {width} columns")
    ax.text(right - 20, y + 31, model, ha="right", va="center", color=INK)
    start = 0
    for j, (_, (stop, part)) in enumerate(list(MODELS.items())[: i + 1]):
        new = f"{stop}" if j == 0 else f"+ {stop - start}"
        bar(right + start, y, stop - start, part, new)
        start = stop

# What stays in place from one size to the next.
for width in (320, 480):
    ax.plot([right + width] * 2, [top - 2 * step - 12, top + 62], ":", color=INK, linewidth=1)

arrow = FancyArrowPatch(
    (800, top - step + 31), (1010, top - step + 31), arrowstyle="-|>", mutation_scale=18,
    color=INK, linewidth=1.5,
)  # fmt: skip
ax.add_patch(arrow)
ax.text(900, top - step + 60, "ReverseDistiller", ha="center", color=INK)

figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})
