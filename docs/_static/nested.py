"""Draw what nested embeddings are, for the start page: python docs/_static/nested.py

Writes nested.svg, and nested_narrow.svg for small screens, beside itself.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

MODELS = {"8M": (320, "#0072B2"), "35M": (480, "#B35900"), "150M": (640, "#007A5A")}
INK = "#333333"
HEIGHT, STEP = 62, 125
SPACES = ("Three models, three spaces", "The models share no coordinates.")
NESTED = ("Nested: one space, three prefixes", "What a larger model adds is appended.")

plt.rcParams.update({"font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "0"})


def bar(ax, x, y, width, colour, text):
    edges = {"facecolor": colour, "edgecolor": "white", "linewidth": 2}
    ax.add_patch(Rectangle((x, y), width, HEIGHT, **edges))
    ax.text(x + width / 2, y + HEIGHT / 2, text, ha="center", va="center", color="white")


def panel(ax, x, top, words, nested):
    title, sentence = words
    ax.text(x, top + 180, title, fontsize=12.5, fontweight="bold", color=INK)
    ax.text(x, top + 130, sentence, color=INK)
    for i, (model, (width, colour)) in enumerate(MODELS.items()):
        y = top - i * STEP
        ax.text(x - 20, y + HEIGHT / 2, model, ha="right", va="center", color=INK)
        if not nested:
            bar(ax, x, y, width, colour, f"H{i + 1}: {width} columns")
            continue
        start = 0
        for stop, part in list(MODELS.values())[: i + 1]:
            bar(ax, x + start, y, stop - start, part, f"+ {stop - start}" if start else f"{stop}")
            start = stop
    if nested:  # what stays in place from one size to the next
        for width in (320, 480):
            ends = [top - 2 * STEP - 12, top + HEIGHT]
            ax.plot([x + width] * 2, ends, ":", color=INK, linewidth=1)


def arrow(ax, start, stop, text, ha):
    style = {"arrowstyle": "-|>", "mutation_scale": 18, "color": INK, "linewidth": 1.5}
    ax.add_patch(FancyArrowPatch(start, stop, **style))
    x, y = (start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2
    ax.text(*((x, y + 29) if ha == "center" else (x + 25, y - 12)), "ReverseDistiller", ha=ha,
            color=INK)  # fmt: skip


def blank(size, xlim, ylim):
    figure = plt.figure(figsize=size)
    ax = figure.add_axes((0, 0, 1, 1), xlim=xlim, ylim=ylim)
    ax.axis("off")
    return figure, ax


here = Path(__file__)
wide, ax = blank((9, 2.5), (0, 1800), (165, 690))
panel(ax, 110, 460, SPACES, nested=False)
panel(ax, 1130, 460, NESTED, nested=True)
arrow(ax, (800, 366), (1010, 366), "ReverseDistiller", "center")
wide.savefig(here.with_suffix(".svg"), metadata={"Date": None})

narrow, ax = blank((4.2, 5.15), (0, 840), (-440, 690))
panel(ax, 110, 460, SPACES, nested=False)
arrow(ax, (300, 190), (300, 85), "ReverseDistiller", "left")
panel(ax, 110, -170, NESTED, nested=True)
narrow.savefig(here.with_name("nested_narrow.svg"), metadata={"Date": None})
