"""Score every layer and pooling of the demo chain on 39 scans and three classifications.

    python examples/layers_and_poolings.py --data DATA --output layers --tables docs/results

All layers of a model are embedded in one pass. Of the largest model all layers are scored with all
poolings, of the others with the mean. A scan has at most 500 variants, a classification at most
1,000 proteins. The probe is a ridge regression on columns of unit variance whose penalty has the
least leave-one-out error; folds are shuffled, of neighbouring positions, or of every fifth one. The
scores of a task are kept in a file of their own, so an interrupted run can be continued.
"""

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from results import correlation, probe

from sklearn_revdist import ESMEmbedder, PrefixRidgeClassifierCV, ReverseDistiller, Task, read_fasta
from sklearn_revdist.displays._axes import short_name
from sklearn_revdist.evaluation._probes import outputs, score
from sklearn_revdist.evaluation._score_files import write_scores
from sklearn_revdist.evaluation._splits import make_folds
from sklearn_revdist.sequences._draw import draw_proteins
from sklearn_revdist.tasks._task_list import task_readers

HERE = Path(__file__).parent
N_VARIANTS, N_PROTEINS, N_FOLDS, N_NATURAL = 500, 1000, 5, 200
MAX_LENGTH = 1022
POOLINGS = ["mean", "max", "cls", "eos"]
OF_SITES = ["sites", "sites_difference"]
FRACTIONS = 0.5, 0.75, 1.0  # layers of the chains that are distilled
SMALL, MIDDLE, LARGE = "esm2_t3_100K_demo", "esm2_t4_500K_demo", "esm2_t6_2M_demo"
CLASSIFICATIONS = "metal ion binding", "localisation"
KEY = ["split", "model", "layer", "pooling"]
NAMES = {
    "mean": "mean",
    "max": "maximum",
    "cls": "<cls>",
    "eos": "<eos>",
    "sites": "sites",
    "sites_difference": "sites, difference",
    "mean + sites_difference": "mean and difference",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--output", type=Path, default=Path("layers"), help="folder of all scores")
    parser.add_argument("--tables", type=Path, help="folder for the tables and the figure")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    distillers = natural_distillers(args.data)
    tables = []
    for name, read in readers(args.data):
        path = args.output / f"{name}.csv"
        if not path.exists():
            print(name, file=sys.stderr, flush=True)
            write_scores(scores_of(read(), distillers), path)
        table = pd.read_csv(path, keep_default_na=False, dtype={"layer": str})
        table["layer"] = [f"{float(layer):g}" if layer else "" for layer in table["layer"]]
        tables.append(table)
    scores = pd.concat(tables, ignore_index=True)
    for name, table in summaries(scores).items():
        print(name, table.to_string(index=False), sep="\n")
        if args.tables:
            table.to_csv(
                args.tables / f"{name}.csv", index=False, lineterminator="\n", float_format="%.3f"
            )
    if args.tables:
        draw(scores, args.tables / "layers.png")


def readers(data):
    """Yield the name of each task, and what reads it."""
    for read in task_readers(HERE / "all_tasks.toml", data=data):
        name = read.keywords.get("name") or Path(read.keywords["path"]).name.split(".")[0]
        if read.func.__name__ == "read_scan" or name in CLASSIFICATIONS:
            yield name, partial(drawn, read)
    yield "signal peptide", partial(drawn, partial(signal_peptides, data))


def signal_peptides(data):
    """Proteins with a signal peptide of the common kind, and without any (TMbed's data)."""
    headers, sequences = read_fasta(data / "sequences" / "tmbed_all_seq.fasta.gz")
    labels = [header.split("|")[2] for header in headers]
    kept = [i for i, label in enumerate(labels) if label in ("SP", "NO_SP")]
    target = np.array([labels[i] for i in kept], dtype=object)
    sequences = [sequences[i] for i in kept]
    return Task("signal peptide", sequences, target, np.arange(len(kept)))


def drawn(read):
    """A task with no more rows than are scored; a split of its own is not used."""
    task = read()
    n_rows = N_VARIANTS if task.kind == "regression" else N_PROTEINS
    if len(task.target) > n_rows:
        rows = np.random.default_rng(0).choice(len(task.target), n_rows, replace=False)
        task = task.take(np.sort(rows))
    return task


def natural_distillers(data):
    """Distillers of residues of natural proteins, by the fraction of the depth."""
    (path,) = data.glob("sequences/uniprot_proteomes/*E.coli.fasta.gz")
    natural = draw_proteins(read_fasta(path)[1], N_NATURAL).proteins
    return {
        fraction: ReverseDistiller().fit_residues(natural, ESMEmbedder("demo", layer=fraction))
        for fraction in FRACTIONS
    }


def scores_of(task, distillers):
    """Mean over folds of the score of each layer and pooling, and of the baselines."""
    splits = ["random"] if task.position is None else ["random", "modulo", "contiguous"]
    folds = {split: make_folds(task, split, N_FOLDS) for split in splits}
    rows = []
    for model, layer, pooling, columns in representations(task, distillers):
        for split, of_split in folds.items():
            found = np.mean([score_fold(task, columns, *fold) for fold in of_split])
            rows.append(
                (task.name, task.kind, split, model, layer, pooling, columns.shape[1], found)
            )
    if task.position is not None:
        for split, of_split in folds.items():
            found = np.mean([site_means(task, *fold) for fold in of_split])
            rows.append((task.name, task.kind, split, "", "", "mean of the site", 1, found))
    return pd.DataFrame(rows, columns=["task", "kind", *KEY, "n_columns", "score"])


def representations(task, distillers):
    """Yield model, layer, pooling and columns."""
    n_residues = {len(sequence) for sequence in task.sequences}
    aligned = task.wild_type is not None and n_residues == {len(task.wild_type)}
    poolings = POOLINGS + OF_SITES if aligned else POOLINGS
    embedder = ESMEmbedder(
        "demo", pooling=poolings, reference=task.wild_type, max_length=MAX_LENGTH, unknown="X"
    )
    found = embedder.transform_layers(task.sequences)
    blocks = {
        (model, layer, pooling): block[task.protein].astype(np.float64)
        for model, layers in found.items()
        for layer, columns in enumerate(layers)
        for pooling, block in zip(poolings, np.split(columns, len(poolings), 1), strict=True)
    }
    depths = {model: len(layers) - 1 for model, layers in found.items()}
    for (model, layer, pooling), block in blocks.items():
        if model == LARGE or pooling == "mean" or layer == depths[model]:
            yield model, layer, pooling, block
    last = list(depths.items())
    if aligned:
        for layer in range(depths[LARGE] + 1):
            both = [blocks[LARGE, layer, pooling] for pooling in ("mean", "sites_difference")]
            yield LARGE, layer, "mean + sites_difference", np.hstack(both)
        residues = np.array([list(sequence.upper()) for sequence in task.sequences])
        varied = residues[:, (residues != residues[0]).any(axis=0)]
        letters = np.unique(varied)
        one_hot = (varied[:, :, np.newaxis] == letters).reshape(len(varied), -1)
        yield "", "", "one-hot", one_hot[task.protein][:, one_hot.any(axis=0)].astype(np.float64)
    for pooling in ["mean", *(OF_SITES if aligned else [])]:
        whole = np.hstack([blocks[model, depth, pooling] for model, depth in last])
        yield "concatenation", 1.0, pooling, whole
        for fraction, distiller in distillers.items():
            layers = [(model, int(np.floor(fraction * depth + 0.5))) for model, depth in last]
            X = np.hstack([blocks[model, layer, pooling] for model, layer in layers])
            yield "distilled", fraction, pooling, distiller.transform(X)


def score_fold(task, columns, train, test):
    """Spearman correlation, or area under the precision-recall curve."""
    X, y = columns[train], task.target[train]
    if task.kind == "regression":
        if X.shape[1] > len(X):  # the same solution, from as many columns as there are rows
            mean, spread = X.mean(axis=0), X.std(axis=0)
            scaled = (columns - mean)[:, spread > 1e-6] / spread[spread > 1e-6]
            values, vectors = np.linalg.svd(scaled[train], full_matrices=False)[1:]
            columns = scaled @ vectors[values > 1e-10].T
            if not columns.shape[1]:
                return 0.0
            return probe(columns[train], y, columns[test], task.target[test], scaled=False)
        return probe(X, y, columns[test], task.target[test])
    fitted = PrefixRidgeClassifierCV(prefixes=[columns.shape[1]]).fit(X, y)
    return score("aupr", task.target[test], outputs(fitted, columns[test]), fitted.classes_)


def site_means(task, train, test):
    """Score of the mean target of each position, and of all where it was not measured."""
    y = task.target[train]
    means = pd.Series(y).groupby(task.position[train]).mean()
    predicted = means.reindex(task.position[test]).fillna(y.mean()).to_numpy()
    return correlation(task.target[test], predicted)


def summaries(scores):
    """Tables of means over tasks, with intervals of the differences to the default."""
    scans = scores[scores["kind"] == "regression"]
    positioned = set(scans.loc[scans["split"] == "contiguous", "task"])
    with_sites = set(scans.loc[scans["pooling"] == "sites", "task"])
    same = scans[scans["task"].isin(positioned & with_sites)]
    classes = scores[scores["kind"] == "classification"].assign(split=lambda t: t["task"])
    kept = ["model", "layer", "pooling"]
    return {
        "layers": summary(same[same["pooling"] == "mean"], kept),
        "poolings": summary(same[is_last(same) | (same["model"] == "")], kept),
        "layers_and_poolings": summary(same[same["model"] == LARGE], kept),
        "layers_of_classes": named(means(classes, kept)),
    }


def is_last(scores):
    depths = {SMALL: "3", MIDDLE: "4", LARGE: "6", "concatenation": "1", "distilled": "1"}
    return scores["layer"] == scores["model"].map(depths)


def means(scores, kept):
    """One row for each representation, with the mean score of each split."""
    table = scores.pivot_table(index=kept, columns="split", values="score", sort=False)
    return table.round(3).reset_index()


def summary(scores, kept):
    """Mean scores, and mean differences to the largest model's last layer, with intervals."""
    table = means(scores, kept)
    for split, of_split in scores.groupby("split", sort=False):
        by_task = of_split.pivot_table(index=kept, columns="task", values="score", sort=False)
        default = (
            by_task.loc[(LARGE, "6", "mean")] if (LARGE, "6", "mean") in by_task.index else None
        )
        if default is None:
            continue
        gains = by_task - default
        rng = np.random.default_rng(0)
        draws = rng.integers(0, gains.shape[1], size=(2000, gains.shape[1]))
        values = gains.to_numpy()[:, draws].mean(axis=2)
        low, high = np.quantile(values, [0.025, 0.975], axis=1)
        texts = [
            f"{mean:+.3f} [{a:.3f}, {b:.3f}]"
            for mean, a, b in zip(gains.mean(axis=1), low, high, strict=True)
        ]
        gained = pd.Series(texts, index=by_task.index, name=f"gain, {split}")
        table = table.merge(gained.reset_index(), on=kept, how="left")
    print(scores["task"].nunique(), "scans")
    return named(table)


def named(table):
    """Short names of models."""
    table["model"] = [short_name(model) for model in table["model"]]
    return table


def draw(scores, path):
    """Scores of the largest model against the layer: a panel a split, a line a pooling."""
    scans = scores[(scores["kind"] == "regression") & (scores["model"] == LARGE)]
    with_sites = set(scans.loc[scans["pooling"] == "sites", "task"])
    positioned = set(scans.loc[scans["split"] == "contiguous", "task"])
    scans = scans[scans["task"].isin(with_sites & positioned)]
    titles = {"random": "random folds", "modulo": "modulo folds", "contiguous": "contiguous folds"}
    colours = ["#0072B2", "#56B4E9", "#E69F00", "#999999", "#009E73", "#D55E00", "#CC79A7"]
    markers = "osv^DPX"
    plt.rcParams["font.size"] = 10
    figure, axes = plt.subplots(1, 3, figsize=(10, 4.2), sharey=True, layout="constrained")
    for ax, (split, title) in zip(axes, titles.items(), strict=True):
        of_split = scans[scans["split"] == split]
        for (pooling, label), colour, marker in zip(NAMES.items(), colours, markers, strict=True):
            of_pooling = of_split[of_split["pooling"] == pooling]
            by_layer = of_pooling.pivot_table(index="layer", columns="task", values="score")
            errors = by_layer.std(axis=1) / np.sqrt(by_layer.shape[1])
            ax.errorbar(
                by_layer.index.astype(int),
                by_layer.mean(axis=1),
                errors,
                label=label,
                color=colour,
                marker=marker,
                markersize=5,
                capsize=2,
                linewidth=1.4,
            )
        ax.set_title(title, fontsize=11)
        ax.set_xlabel("layer (0: input)")
    axes[0].set_ylabel("Spearman correlation\n(mean over scans, standard error)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=200)
    plt.close(figure)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", ".*(nucleotides|stop codon)", UserWarning)
    main()
