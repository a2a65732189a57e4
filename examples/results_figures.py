"""Draw the figures of docs/results.rst from its tables, and make the one that leads it.

    python examples/results_figures.py --tables docs/results

The tables are those that results_page.py, layers_page.py and features_and_probes.py have written,
so no scan is scored again. demo_chain.csv puts embeddings of the demo chain beside baselines
without a model: on 31 scans with five folds, and on all scans with one fold.
"""

import argparse
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from results_page import number, write

SPLITS = ["random", "modulo", "contiguous"]
WIDTH = 7  # inches, as the page shows figures
TEXT = {"font.size": 9, "axes.titlesize": 9, "legend.frameon": False, "legend.columnspacing": 1}
NAMES = {
    "plain": "plain",
    "distilled": "distilled",
    "concat_pca": "PCA of concatenation",
    "concat": "concatenation",
    "smallest": "smallest model",
}
DATA = {"natural": "natural residues", "fold": "training fold", "all variants": "all variants"}
COLOURS = {"plain": "0.3", "distilled": "#0072B2", "concat_pca": "#E69F00"}
COLOURS |= {"concat": "#009E73", "smallest": "#CC79A7"}
KEY = ["representation", "layer", "pooling"]
STYLES = {"natural": "-", "fold": "--", "all variants": ":", "": "-"}
MARKERS = {"natural": "o", "fold": "s", "all variants": "^", "": "D"}
# Rows of layers.csv and poolings.csv by representation, layer and pooling; features and probe of
# features_and_probes.csv.
BESIDE = {
    "one-hot encoding": (("one-hot", "", ""), ("one-hot", "ridge")),
    "mean of the site": (("mean of the site", "", ""), ("site mean", "ridge")),
    "zero-shot score": (None, ("zero-shot", "ridge")),
    "smallest model, 48 columns": (("demo-48", "3", "mean"), ("mean 48", "ridge")),
    "middle model, 96 columns": (("demo-96", "4", "mean"), ("mean 96", "ridge")),
    "largest model, 160 columns": (("demo-160", "6", "mean"), ("mean 160", "ridge")),
    "largest, middle layer": (("demo-160", "3", "mean"), ("mean 160, middle layer", "ridge")),
    "largest, best layer of each column": (("demo-160", "best", "mean"), None),
    "largest, layer chosen in training": (("demo-160", "chosen", "mean"), None),
    "largest, maximum": (("demo-160", "last", "max"), None),
    "largest, start token": (("demo-160", "last", "cls"), None),
    "largest, end token": (("demo-160", "last", "eos"), None),
    "largest, mutated sites": (("demo-160", "last", "sites"), ("sites 160", "ridge")),
    "largest, difference at the sites": (
        ("demo-160", "last", "sites_difference"),
        ("sites_difference 160", "ridge"),
    ),
    "largest, mean and mutated sites": (
        ("demo-160", "last", "mean + sites"),
        ("mean + sites", "ridge"),
    ),
    "concatenation": (("concatenation", "1.0", "mean"), ("mean, all models", "ridge")),
    "distilled, natural residues": (("distilled", "1.0", "mean"), ("nested 160", "ridge")),
    "one-hot, mean and mutated sites": (None, ("one-hot + mean + sites", "ridge")),
    "all features, average of regressions": (None, ("all", "average of ridges and forests")),
}


def demo_chain(tables):
    """Embeddings of the demo chain and baselines without a model, one row each."""
    layers = read(tables, "layers").assign(pooling="mean")
    layers.loc[layers["layer"] == "", "pooling"] = ""
    every = pd.concat([read(tables, "poolings"), layers]).drop_duplicates(KEY).set_index(KEY)
    features = read(tables, "features_and_probes").set_index(["features", "probe"])
    rows = []
    for name, (of_layers, of_features) in BESIDE.items():
        row = {"representation": name}
        for split in SPLITS:
            for column in (split, f"gain, {split}"):
                cell = every.at[of_layers, column] if of_layers else ""
                row[column] = re.sub(r" \(\d\)", "", cell)  # which layer is the best
        for split in SPLITS:
            cell = features.at[of_features, f"{split} all"] if of_features else ""
            row[f"{split}, one fold"] = cell and number(float(cell))
        rows.append(row)
    return pd.DataFrame(rows)


def read(tables, name):
    return pd.read_csv(tables / f"{name}.csv", dtype=str, keep_default_na=False)


def numbers(cell):
    """The numbers of a cell, such as a gain and the bounds of its interval."""
    return [float(text) for text in re.findall(r"-?\d*\.?\d+", cell)]


def label(representation, fitted_on):
    return ", ".join(filter(None, [NAMES[representation], DATA.get(fitted_on)]))


def style(representation, fitted_on):
    colour, marker = COLOURS[representation], MARKERS[fitted_on]
    return {"color": colour, "linestyle": STYLES[fitted_on], "marker": marker, "markersize": 4}


def draw_figures(tables):
    """Draw scaling.png and questions.png."""
    with plt.rc_context(TEXT):
        draw_scaling(tables, tables / "scaling.png")
        draw_questions(tables, tables / "questions.png")


def draw_scaling(tables, path):
    """Means by size, and below them the gains of the distilled embedding with intervals."""
    scans, gains = read(tables, "scans"), read(tables, "gains")
    figure = plt.figure(figsize=(WIDTH, 6.6), layout="constrained")
    ylabels = "mean Spearman's correlation", "gain of distilled over a rival"
    for part, ylabel, draw in zip(
        figure.subfigures(2, 1), ylabels, (draw_means, draw_gains), strict=True
    ):
        axes = part.subplots(1, 3, sharey=True)
        for ax, split in zip(axes, SPLITS, strict=True):
            of_split = scans[scans["split"] == split]
            draw(ax, of_split if draw is draw_means else gains[gains["split"] == split])
            ax.set_title(f"{split} folds, {of_split['scans'].iloc[0]} scans")
            ax.grid(axis="y", color="0.9")
        axes[0].set_ylabel(ylabel)
        handles, labels = axes[0].get_legend_handles_labels()
        part.legend(handles, labels, loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=200)
    plt.close(figure)


def draw_means(ax, scans):
    sizes = [column for column in scans if column.isdigit()]
    for _, row in scans.iterrows():
        name, data = row["representation"], row["fitted_on"]
        if name in ("plain", "distilled", "concat_pca", "concat"):
            if name in ("distilled", "concat"):  # the smallest size is the smallest model
                row = row.where(row != "", scans[scans["representation"] == "plain"].iloc[0])
            scores = [float(row[size]) for size in sizes]
            ax.plot(
                [int(size) for size in sizes], scores, label=label(name, data), **style(name, data)
            )
    ax.set(xlabel="columns of the model", xticks=[int(size) for size in sizes], ylim=(0, 0.6))


def draw_gains(ax, gains):
    shown = [(rival, data) for rival in ("plain", "concat_pca", "concat") for data in DATA]
    for i, (rival, data) in enumerate(shown):
        of_rival = gains[gains["rival"].str.match(rf"{rival}( |$)") & (gains["fitted on"] == data)]
        for position, cell in enumerate(of_rival["gain"]):
            gain, low, high = numbers(cell)
            x = position + 0.09 * (i - 3.5)
            how = style(rival, data) | {"linestyle": "none"}
            ax.plot([x, x], [low, high], color=how["color"], linewidth=1)
            name = f"over {NAMES[rival]}, {DATA[data]}" if position == 0 else None
            ax.plot(x, gain, label=name, **how)
    ax.axhline(0, color="0.3", linewidth=0.8)
    ax.set(xlabel="columns of the model", xlim=(-0.6, 1.6))
    ax.set_xticks([0, 1], gains["columns"].unique())


def draw_questions(tables, path):
    """Gains over the plain embedding, with intervals: a panel a question."""
    panels = {
        "natural_sequences": ("natural sequences", "log"),
        "widths": ("columns", "linear"),
        "few_labels": ("labelled variants", "log"),
    }
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 4), sharey=True, layout="constrained")
    for ax, (name, (xlabel, scale)) in zip(axes, panels.items(), strict=True):
        table = read(tables, name)
        table = table[(table["setting"] != "") & (table["gain over plain"] != "")]
        lines = list(table.groupby(["representation", "fitted on"], sort=False))
        for i, (key, line) in enumerate(lines):
            x = line["setting"].astype(float)
            shift = i - (len(lines) - 1) / 2
            x = x * 1.03**shift if scale == "log" else x + 2 * shift
            gain, low, high = zip(*map(numbers, line["gain over plain"]), strict=True)
            ax.plot(x, gain, label=label(*key), linewidth=1.2, **style(*key))
            ax.vlines(x, low, high, color=style(*key)["color"], linewidth=0.8)
        ax.axhline(0, color="0.3", linewidth=0.8)
        ticks = sorted(set(table["setting"].astype(float)))
        if len(ticks) > 4:
            ticks = ticks[::2]
        ax.set(xscale=scale, xlabel=xlabel)
        ax.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        ax.minorticks_off()
        ax.grid(axis="y", color="0.9")
    axes[0].set_ylabel("gain in Spearman's correlation over plain")
    handles = {}
    for ax in axes:
        handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=200)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of the page's tables")
    folder = parser.parse_args().tables
    write(demo_chain(folder), folder / "demo_chain.csv")
    draw_figures(folder)
