"""Compare plain and distilled embeddings of a published family, the four sizes of SCEPTR.

    python examples/embed_receptors.py --data DATA --output sceptr/receptors.npz \\
        --number 40 --others 2000 --listed-once  # in an environment with SCEPTR
    python examples/results_sceptr.py --cache sceptr --output docs/results/sceptr.csv

A logistic probe learns the epitopes of half of the receptors, and the distance to the nearest of a
few references ranks receptors without any training. Chains and components are fitted without
labels. Scores of each draw are kept in the cache, so that an interrupted run can be continued.
Three tables are written (scores, gains, epitopes), and a figure.
"""

import argparse
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from results_page import interval, number, write
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from sklearn_revdist import ReverseDistiller

WIDTHS = [16, 32, 64, 128]
ENDS = np.cumsum(WIDTHS)
N_DRAWS = 20
# scikit-learn's C; of six, the best for the plain embedding of 128 columns on two other draws
PENALTY = 0.01
N_REFERENCES = 1, 5, 20, 30
N_ASKED = 10
HALF, OTHERS = "training half", "other receptors"
DISTILLED, JOINT = "distilled, ridge", "distilled, ridge, joint"
PCA_OF_ALL, PCA_OF_LARGEST = "PCA of the concatenation", "PCA of the largest"
ALL = "concatenation"
KEY = ["task", "setting", "representation", "fitted on"]
RIVALS = {
    "plain": [
        *(DISTILLED, JOINT, "distilled, pcr", f"{DISTILLED}, unit", f"{JOINT}, unit"),
        *("all new columns", "jump", PCA_OF_ALL, PCA_OF_LARGEST, ALL),
    ],
    DISTILLED: [JOINT, "distilled, ols", "distilled, pcr", f"{DISTILLED}, unit", "jump"],
    PCA_OF_ALL: [DISTILLED, JOINT, "distilled, pcr"],
    PCA_OF_LARGEST: [DISTILLED, JOINT, "distilled, pcr"],
    ALL: ["all new columns"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder with receptors.npz")
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    with np.load(args.cache / "receptors.npz") as file:
        X, epitope = file["X"].astype(np.float64), file["epitope"]
    is_other = epitope == ""
    X, y, others = X[~is_other], epitope[~is_other], X[is_other]
    fixed = unfitted(X), fitted(X, others)
    tables = []
    for draw in range(N_DRAWS):
        path = args.cache / f"draw{draw}.csv"
        if not path.exists():
            print(f"draw {draw}", file=sys.stderr, flush=True)
            pd.DataFrame(scores_of_draw(X, y, others, fixed, draw)).to_csv(path, index=False)
        tables.append(pd.read_csv(path, keep_default_na=False))
    scores = pd.concat(tables).groupby([*KEY, "size", "epitope"], sort=False)["score"].mean()
    scores = scores.unstack("epitope")
    for task, name in (("probe", ""), ("neighbours", "_neighbors")):
        of_task = scores.loc[[task]]
        table = summary(of_task)
        print(table.to_string(index=False))
        if args.output:
            write(table, args.output.with_stem(args.output.stem + name))
            write(gains(of_task), args.output.with_stem(f"{args.output.stem}{name}_gains"))
    if args.output:
        write(of_epitopes(scores), args.output.with_stem(args.output.stem + "_by_epitope"))
        draw_gains(scores, args.output.with_suffix(".png"))


def unfitted(X):
    """Columns that need no fit, by representation and size."""
    columns = {}
    for width, end in zip(WIDTHS, ENDS, strict=True):
        columns["plain", width] = X[:, end - width : end]
        if width > WIDTHS[0]:
            columns[ALL, width] = X[:, :end]
        if width < WIDTHS[-1]:
            columns["first columns of the largest", width] = X[:, ENDS[-2] :][:, :width]
    return columns


def fitted(X, rows):
    """Columns that were fitted on rows without labels, by representation and size."""
    columns = {}

    def add_chain(name, dims=WIDTHS, sizes=WIDTHS[1:], rows=rows, X=X, **how):
        distiller = ReverseDistiller(dims, **how).fit(rows)
        nested = distiller.transform(X)
        for size, length in zip(sizes, distiller.prefix_lengths_[1:], strict=True):
            columns[name, size] = nested[:, :length]

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*(beyond the numerical rank|so small).*", UserWarning)
        for regressor in ("ols", "ridge", "pcr"):
            add_chain(f"distilled, {regressor}", regressor=regressor)
            add_chain(f"distilled, {regressor}, joint", regressor=regressor, residual="joint")
        add_chain("all new columns", n_new="all")
        for width, end in zip(WIDTHS[2:], ENDS[2:], strict=True):
            ends = np.r_[: WIDTHS[0], end - width : end]
            add_chain("jump", [WIDTHS[0], width], [width], rows[:, ends], X[:, ends])
    for width, end in zip(WIDTHS[1:], ENDS[1:], strict=True):
        columns[PCA_OF_ALL, width] = components(X[:, :end], rows[:, :end], width)
    for width in WIDTHS:
        largest = slice(ENDS[-2], None)
        columns[PCA_OF_LARGEST, width] = components(X[:, largest], rows[:, largest], width)
    return columns


def components(X, rows, width):
    return PCA(width, svd_solver="full").fit(rows).transform(X)


def scores_of_draw(X, y, others, fixed, draw):
    """Yield the score of each epitope, for probes and for neighbours."""
    rng = np.random.default_rng(draw)
    members = [rng.permutation(np.flatnonzero(y == epitope)) for epitope in np.unique(y)]
    halves = [np.concatenate(part) for part in zip(*(np.split(m, 2) for m in members), strict=True)]
    kinds = {"": fixed[0], HALF: fitted(X, X[halves[0]]), OTHERS: fixed[1]}
    for fitted_on, columns in kinds.items():
        for (name, size), A in columns.items():
            how = {"representation": name, "fitted on": fitted_on, "size": size}
            for setting in ("unit variance", "as they are"):
                row = {"task": "probe", "setting": setting} | how
                yield from rows_of(row, y, probe(A, y, *halves, setting == "unit variance"))
    asked = np.concatenate([m[-N_ASKED:] for m in members])
    for fitted_on, columns in (("", fixed[0]), (OTHERS, fixed[1])):
        for (name, size), A in columns.items():
            how = {"representation": name, "fitted on": fitted_on, "size": size}
            for representation, B in {name: A, f"{name}, unit": unit(name, size, A)}.items():
                if B is None:
                    continue
                distances = cdist(B[asked], B)
                for n in N_REFERENCES:
                    row = {"task": "neighbours", "setting": str(n)} | how
                    row["representation"] = representation
                    near = np.column_stack([distances[:, m[:n]].min(axis=1) for m in members])
                    yield from rows_of(row, y, areas(near, y[asked]))


def rows_of(row, y, scores):
    for epitope, score in zip(np.unique(y), scores, strict=True):
        yield row | {"epitope": epitope, "score": score}


def probe(A, y, train, test, is_scaled):
    """Average precision of each epitope against the rest."""
    mean, spread = A[train].mean(axis=0), A[train].std(axis=0)
    if not is_scaled:
        spread = np.full_like(spread, np.sqrt(np.mean(spread**2)))
    A = (A - mean) / np.where(spread > 1e-9 * spread.max(), spread, np.inf)
    model = LogisticRegression(C=PENALTY, max_iter=5000).fit(A[train], y[train])
    probabilities = model.predict_proba(A[test])
    return [
        average_precision_score(y[test] == epitope, p)
        for epitope, p in zip(model.classes_, probabilities.T, strict=True)
    ]


def unit(name, size, A):
    """Columns whose levels, or models, have a total variance of one; None without levels."""
    if name not in (DISTILLED, JOINT, ALL):
        return None
    widths = WIDTHS[: WIDTHS.index(size) + 1]
    if name != ALL:
        widths = np.diff(widths, prepend=0)
    levels = np.split(A, np.cumsum(widths)[:-1], axis=1)
    return np.hstack([level / np.sqrt(level.var(axis=0).sum()) for level in levels])


def areas(near, y):
    """Area under the ROC curve of each epitope: its receptors should be nearest to references."""
    return [
        roc_auc_score(y == epitope, -distance)
        for epitope, distance in zip(np.unique(y), near.T, strict=True)
    ]


def of_sizes(scores, key):
    """Scores of the epitopes, a column a size; where nothing is to compute, those of plain."""
    table = scores.loc[key].T
    for size in {WIDTHS[0], WIDTHS[-1]}.difference(table.columns):
        if "jump" not in key:
            table[size] = scores.loc[(*key[:2], "plain", "", size)]
    return table[sorted(table)]


def summary(scores):
    """Mean over epitopes at each size, and how often a size beats the next smaller one."""
    rows = []
    for key in scores.index.droplevel("size").unique():
        table = of_sizes(scores, key)
        row = dict(zip(KEY, key, strict=True))
        for size in WIDTHS:
            row[str(size)] = bounded(table[size]) if size in table else ""
        if len(table.columns) == len(WIDTHS):
            steps = table.diff(axis=1).iloc[:, 1:]
            for small, large in pairwise(WIDTHS):
                row[f"{large} beats {small}"] = wins(steps[large])
            grows = (steps > 0).all(axis=1)
            row["grows throughout"] = percent(grows)
            plain = of_sizes(scores, (*key[:2], "plain", "")).diff(axis=1).iloc[:, 1:]
            if "plain" not in key:
                row["more often than plain"] = percent(grows * 1.0 - (plain > 0).all(axis=1))
        rows.append(row)
    return pd.DataFrame(rows).drop(columns="task").fillna("")


def gains(scores):
    """Paired differences of representations of one size."""
    rows = []
    for key in scores.index.droplevel(["representation", "size"]).unique():
        task, setting, fitted_on = key
        for theirs, ours in ((rival, name) for rival in RIVALS for name in RIVALS[rival]):
            row = {"setting": setting, "fitted on": fitted_on}
            row |= {"representation": ours, "rival": theirs}
            for size in WIDTHS[1:]:
                gain = difference(scores, task, setting, fitted_on, ours, theirs, size)
                if fitted_on and gain is not None:
                    row |= {f"gain, {size}": bounded(gain, 4), f"wins, {size}": wins(gain)}
            if len(row) > 4:
                rows.append(row)
    columns = max(rows, key=len)
    return pd.DataFrame(rows, columns=list(columns)).fillna("")


def difference(scores, task, setting, fitted_on, ours, theirs, size):
    """Gain of each epitope, or None if there is no such size."""
    found = []
    for name in (ours, theirs):
        key = task, setting, name, fitted_on_of(name, fitted_on), size
        if key not in scores.index:
            return None
        found.append(scores.loc[key])
    return found[0] - found[1]


def fitted_on_of(name, fitted_on):
    return "" if name in ("plain", ALL) else fitted_on


def of_epitopes(scores):
    """Scores of each epitope with 128 columns."""
    table = {}
    for task, setting in (("probe", "unit variance"), ("neighbours", "5"), ("neighbours", "30")):
        for name in ("plain", DISTILLED, JOINT, PCA_OF_ALL, ALL):
            fitted_on = fitted_on_of(name, HALF if task == "probe" else OTHERS)
            label = f"{task}, {setting}: {name}".replace("probe, unit variance", "probe")
            table[label] = scores.loc[task, setting, name, fitted_on, WIDTHS[-1]].map(number)
    return pd.DataFrame(table).reset_index()


def bounded(values, digits=3):
    low, high = interval(values)
    return f"{number(values.mean(), digits)} [{number(low, digits)}, {number(high, digits)}]"


def percent(values):
    low, high = interval(values)
    return f"{100 * np.mean(values):.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def wins(gain):
    return percent((np.sign(gain) + 1) / 2)


def draw_gains(scores, path):
    """Gains over the plain embedding of the same size: a panel a task."""
    plt.rcParams["font.size"] = 9
    panels = {
        ("probe", "unit variance", HALF): "probe, columns scaled",
        ("probe", "as they are", HALF): "probe, columns as they are",
        ("neighbours", "1", OTHERS): "nearest of 1 reference",
        ("neighbours", "30", OTHERS): "nearest of 30 references",
    }
    shown = {
        DISTILLED: ("distilled", "#0072B2", "o"),
        JOINT: ("distilled, joint residuals", "#56B4E9", "s"),
        f"{DISTILLED}, unit": ("distilled, levels of equal variance", "#CC79A7", "D"),
        PCA_OF_ALL: ("PCA of the concatenation", "#E69F00", "^"),
        ALL: ("whole concatenation (wider)", "#009E73", "v"),
    }
    figure, axes = plt.subplots(
        2, 2, figsize=(7, 5.6), sharex=True, sharey=True, layout="constrained"
    )
    for ax, ((task, setting, fitted_on), title) in zip(axes.flat, panels.items(), strict=True):
        for i, (name, (label, colour, marker)) in enumerate(shown.items()):
            for position, size in enumerate(WIDTHS[1:]):
                gain = difference(scores, task, setting, fitted_on, name, "plain", size)
                if gain is not None:
                    low, high = interval(gain)
                    x = position + 0.15 * (i - 2)
                    ax.plot([x, x], [low, high], color=colour, linewidth=1.5)
                    style = {"color": colour, "marker": marker, "linestyle": "none"}
                    ax.plot(x, gain.mean(), markersize=5, label=label, **style)
        ax.axhline(0, color="0.3", linewidth=0.8)
        ax.set_title(title, fontsize=9)
        ax.set_xticks(range(len(WIDTHS) - 1), WIDTHS[1:])
        ax.grid(axis="y", color="0.9")
    for ax in axes[1]:
        ax.set_xlabel("columns of the model")
    axes[0, 0].set_ylabel("gain in average precision")
    axes[1, 0].set_ylabel("gain in area under the ROC curve")
    handles, labels = axes[1, 1].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=200)
    plt.close(figure)


if __name__ == "__main__":
    main()
