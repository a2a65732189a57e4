"""Make the tables and the figure of docs/layers.rst from the scores of layers_and_poolings.py.

Scores are means over folds, then over scans. Gains are over the default, the mean of the largest
model's last layer, with 95 % bootstrap intervals over scans, paired.
"""

import matplotlib.pyplot as plt
import pandas as pd
from results_page import interval, number, write

from sklearn_revdist.displays._axes import short_name

SMALL, MIDDLE, LARGE = "esm2_t3_100K_demo", "esm2_t4_500K_demo", "esm2_t6_2M_demo"
KEY = ["model", "layer", "pooling"]
DEFAULT = LARGE, "6", "mean"
SPLITS = ["random", "modulo", "contiguous"]
POOLINGS = ["mean", "max", "cls", "eos", "sites", "sites_difference"]
POOLINGS += ["mean + sites", "mean + sites_difference"]
NAMES = {
    "max": "maximum",
    "cls": "start token",
    "eos": "end token",
    "sites": "mutated sites",
    "sites_difference": "difference at the sites",
    "mean + sites": "mean and mutated sites",
    "mean + sites_difference": "mean and difference at the sites",
}
MODELS = {model: short_name(model) for model in (SMALL, MIDDLE, LARGE)}
COLOURS = ["#0072B2", "#999999", "#56B4E9", "#E69F00", "#CC79A7", "#009E73"]
COLOURS += ["#882255", "#D55E00"]


def write_page(scores, tables):
    """Write all tables and the figure of the page."""
    tables.mkdir(parents=True, exist_ok=True)
    scores = pd.concat([scores, *chosen(scores)], ignore_index=True)
    by_task = scores.groupby(["task", "kind", "split", *KEY], sort=False)["score"].mean()
    by_task = by_task.reset_index()
    classes = by_task[by_task["kind"] == "classification"]
    scans = by_task[by_task["kind"] == "regression"]
    everywhere = scans.pivot(index=KEY, columns=["split", "task"], values="score")
    everywhere = everywhere.loc[list(dict.fromkeys(scans[KEY].itertuples(index=False, name=None)))]
    positioned = everywhere["contiguous"].columns
    by_split = {split: everywhere[split][positioned] for split in SPLITS}
    by_split["random, all scans"] = everywhere["random"]
    write(layers(by_split), tables / "layers.csv")
    write(poolings(by_split), tables / "poolings.csv")
    write(grid(by_split), tables / "layers_and_poolings.csv")
    write(best_layers(by_split), tables / "best_layers.csv")
    write(layers_of_classes(classes), tables / "layers_of_classes.csv")
    write(rivals_of_classes(classes), tables / "rivals_of_classes.csv")
    draw(by_split, tables / "layers.png")


def chosen(scores):
    """Scores of the layer of the largest model that has the least leave-one-out error in a fold.

    For each pooling, and of all poolings together.
    """
    of_large = scores[scores["model"] == LARGE]
    fold = ["task", "split", "fold"]
    for by, change in (
        ([*fold, "pooling"], {"layer": "chosen"}),
        (fold, {"layer": "chosen", "pooling": "chosen"}),
    ):
        least = of_large.groupby(by, sort=False)["error"].idxmin()
        yield of_large.loc[least].assign(**change)


def row_of(by_split, key):
    """Score and gain of a representation, a column each for every split."""
    row = {}
    for split, by_task in by_split.items():
        of_key = by_task.loc[key].dropna()
        if len(of_key) == by_task.shape[1]:
            row[split] = number(of_key.mean())
            row[f"gain, {split}"] = gain(of_key - by_task.loc[DEFAULT])
    return row


def gain(gains):
    if not gains.any():
        return ""
    low, high = interval(gains)
    return f"{number(gains.mean())} [{number(low)}, {number(high)}]"


def in_order(rows):
    """A table, scores before gains, empty where there is none."""
    table = pd.DataFrame(rows).fillna("")
    return table[sorted(table, key=lambda column: column.startswith("gain"))]


def layers(by_split):
    """Every layer of every model, and rivals, at pooling by the mean."""
    rows = []
    for key in by_split["random"].index:
        model, layer, pooling = key
        if pooling in ("mean", "one-hot", "mean of the site"):
            names = {"representation": MODELS.get(model, model or pooling), "layer": layer}
            rows.append(names | row_of(by_split, key))
    order = [*MODELS.values(), "concatenation", "distilled", "one-hot", "mean of the site"]
    return in_order(sorted(rows, key=lambda row: order.index(row["representation"])))


def poolings(by_split):
    """Every pooling of the largest model at its last, best and chosen layer, and of chains."""
    rows = []
    for pooling in POOLINGS:
        names = {"representation": MODELS[LARGE], "pooling": pooling}
        rows.append(names | {"layer": "last"} | row_of(by_split, (LARGE, "6", pooling)))
        best = names | {"layer": "best"}
        for split, by_task in by_split.items():
            means = by_task.loc[LARGE].xs(pooling, level="pooling").drop("chosen").mean(axis=1)
            of_split = row_of({split: by_task}, (LARGE, means.idxmax(), pooling))
            of_split[split] += f" ({means.idxmax()})"
            best |= of_split
        rows.append(best)
        rows.append(names | {"layer": "chosen"} | row_of(by_split, (LARGE, "chosen", pooling)))
    names = {"representation": MODELS[LARGE], "pooling": "chosen", "layer": "chosen"}
    rows.append(names | row_of(by_split, (LARGE, "chosen", "chosen")))
    for key in by_split["random"].index:
        model, layer, pooling = key
        if model in ("concatenation", "distilled") or not model:
            names = {"representation": model or pooling, "pooling": pooling if model else ""}
            rows.append(names | {"layer": layer} | row_of(by_split, key))
    return in_order(rows)


def grid(by_split):
    """Mean scores of every layer and pooling of the largest model."""
    tables = []
    for split in SPLITS:
        means = by_split[split].loc[LARGE].mean(axis=1).unstack("pooling").drop("chosen")
        table = means[POOLINGS].map(number).reset_index()
        table.insert(0, "split", split)
        tables.append(table)
    return pd.concat(tables, ignore_index=True).rename_axis(columns=None)


def best_layers(by_split):
    """Share of scans in which a layer of the largest model is the best of its pooling."""
    shares = {}
    for split in SPLITS:
        for pooling in ("mean", "sites_difference"):
            of_layers = by_split[split].loc[LARGE].xs(pooling, level="pooling").drop("chosen")
            counts = of_layers.idxmax().value_counts(normalize=True)
            percents = counts.reindex(of_layers.index, fill_value=0)
            shares[f"{split}, {pooling}"] = percents.map(lambda share: f"{100 * share:.0f} %")
    return pd.DataFrame(shares).rename_axis("layer").reset_index()


def layers_of_classes(classes):
    """Every layer and pooling of the largest model, by task."""
    of_large = classes[(classes["model"] == LARGE) & (classes["pooling"] != "chosen")]
    table = of_large.pivot(index=["task", "layer"], columns="pooling", values="score")
    table = table[[pooling for pooling in POOLINGS if pooling in table]].map(number)
    tasks = list(dict.fromkeys(of_large["task"]))
    return table.loc[tasks].reset_index().rename_axis(columns=None)


def rivals_of_classes(classes):
    """What the largest model is compared with, by task, at pooling by the mean."""
    of_task = classes.pivot(index=KEY, columns="task", values="score")
    last = [(SMALL, "3", "mean"), (MIDDLE, "4", "mean"), DEFAULT]
    keys = [*last, (LARGE, "chosen", "mean"), (LARGE, "chosen", "chosen")]
    keys += [key for key in of_task.index if key[0] in ("concatenation", "distilled", "")]
    table = of_task.loc[keys, list(dict.fromkeys(classes["task"]))].map(number).reset_index()
    table["model"] = table["model"].map(lambda model: MODELS.get(model, model))
    return table.rename_axis(columns=None).rename(columns={"model": "representation"})


def draw(by_split, path):
    """Scores of the largest model against the layer: a panel a split, a line a pooling.

    Two poolings have intervals over scans.
    """
    plt.rcParams["font.size"] = 9
    figure, axes = plt.subplots(1, 3, figsize=(7, 4.4), sharey=True, layout="constrained")
    for ax, split in zip(axes, SPLITS, strict=True):
        means = by_split[split].mean(axis=1)
        of_large = means.loc[LARGE].unstack("pooling").drop("chosen")
        x = of_large.index.astype(int)
        for pooling, colour, marker in zip(POOLINGS, COLOURS, "os^vPD*X", strict=True):
            style = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.2}
            ax.plot(x, of_large[pooling], label=NAMES.get(pooling, pooling), **style)
            if pooling in ("mean", "mean + sites"):
                by_task = [by_split[split].loc[LARGE, str(layer), pooling] for layer in x]
                low, high = zip(*map(interval, by_task), strict=True)
                ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        one_hot = means.loc["", "", "one-hot"]
        ax.axhline(one_hot, color="black", linestyle="--", linewidth=1.2, label="one-hot encoding")
        ax.set_title(f"{split} folds, {by_split[split].shape[1]} scans", fontsize=9)
        ax.set(xlabel="layer (0: input)", xticks=x)
        ax.grid(axis="y", color="0.9")
    axes[0].set_ylabel("mean Spearman's correlation")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=200)
    plt.close(figure)
