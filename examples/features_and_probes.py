"""Score every set of features by every probe, over 39 scans, for 48 to 800 labels.

    python examples/features_and_probes.py --data DATA --output docs/results/features_and_probes.csv

A scan has at most 1,000 variants. Folds are shuffled, of every fifth position, or of neighbouring
positions; of five folds the second and third are scored (with all labels, the second), after
training on 48, 96, 400 or all rows of the others. Embeddings are those of the demo chain. The last
row is what `revdist train` fits: the average of ridges on one-hot encoding and on all features, the
latter weighted by its R2 of left-out rows, and of forests on the means of all models and of the
largest one. Embeddings and scores of each scan are kept in the folder --scores, so that an
interrupted run goes on.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scans import correlation, drawn, give_out, kept, scan_readers
from scipy.linalg import eigh
from sklearn.ensemble import RandomForestRegressor

from sklearn_revdist import (
    ESMEmbedder,
    ESMScorer,
    GroupRidgeCV,
    PrefixRidgeCV,
    ReverseDistiller,
    SequenceOneHotEncoder,
    SiteMean,
)
from sklearn_revdist.evaluation._splits import make_folds

N_VARIANTS, N_FOLDS, SCORED = 1000, 5, (1, 2)
LABELS = (48, 96, 400, None)
WIDTHS = (48, 96, 160)
ALPHAS = np.logspace(-2, 6, 17)
SPLITS = ["random", "modulo", "contiguous"]
POOLINGS = ["mean", "sites", "sites_difference"]
LARGEST = [f"{pooling} 160" for pooling in POOLINGS]
CHAIN = [f"{pooling} {width}" for pooling in POOLINGS for width in WIDTHS]
MEANS = [f"mean {width}" for width in WIDTHS]
SETS = {
    **{name: [name] for name in ["one-hot", "site mean", "zero-shot", *MEANS, "nested 160"]},
    "mean, all models": MEANS,
    "mean 160, middle layer": ["middle"],
    "sites 160": ["sites 160"],
    "sites_difference 160": ["sites_difference 160"],
    "one-hot + site mean": ["one-hot", "site mean"],
    "one-hot + zero-shot": ["one-hot", "zero-shot"],
    "mean + sites": LARGEST[:2],
    "one-hot + mean + sites": ["one-hot", *LARGEST[:2]],
    "one-hot + site mean + mean + sites + zero-shot": [
        *("one-hot", "site mean", *LARGEST[:2], "zero-shot")
    ],
    "all, largest model": ["one-hot", "site mean", *LARGEST, "zero-shot"],
    "all": ["one-hot", "site mean", *CHAIN, "zero-shot"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--scores", type=Path, default=Path("features_and_probes"))
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    args.scores.mkdir(parents=True, exist_ok=True)
    tables = []
    for name, read in scan_readers(args.data).items():
        path = args.scores / f"{name}.csv"
        tables.append(kept(path, lambda r=read, p=path: scores_of(*with_features(r, p.parent))))
    give_out(summary(pd.concat(tables, ignore_index=True)), args.output)


def with_features(read, folder):
    """A scan, and those of its features that no fold changes, which are kept in the folder."""
    task = drawn(read(), N_VARIANTS)
    path = folder / f"{task.name}.npz"
    if not path.exists():
        np.savez(path, **features_of(task))
    return task, dict(np.load(path))


def features_of(task):
    """Features that no fold changes."""
    how = {"reference": task.wild_type, "unknown": "X"}
    last = ESMEmbedder("demo", pooling=POOLINGS, **how).transform(task.sequences)
    middle = ESMEmbedder(["demo-160"], layer=0.5, unknown="X").transform(task.sequences)
    zero = ESMScorer(["demo-160"], **how).transform(task.sequences)
    starts = np.cumsum([0, *(3 * width for width in WIDTHS)])
    blocks = {"middle": middle, "zero-shot": zero}
    for start, width in zip(starts, WIDTHS, strict=False):
        for i, pooling in enumerate(POOLINGS):
            begin = start + i * width
            blocks[f"{pooling} {width}"] = last[:, begin : begin + width]
    distiller = ReverseDistiller.from_pretrained("demo")
    blocks["nested 160"] = distiller.transform(np.hstack([blocks[name] for name in MEANS]))
    return {name: block[task.protein].astype(np.float64) for name, block in blocks.items()}


def scores_of(task, fixed):
    """Spearman correlations of one scan, by split, number of labels, features and probe."""
    rows = []
    for split in SPLITS if task.position is not None else SPLITS[:1]:
        folds = make_folds(task, split, N_FOLDS)
        for fold in SCORED:
            order = np.random.default_rng(fold).permutation(folds[fold][0])
            for n in LABELS:
                if (n is None and fold != SCORED[0]) or (n is not None and n > len(order)):
                    continue
                train = np.sort(order[:n])
                for named, score in of_fold(task, fixed, train, folds[fold][1]):
                    rows.append((task.name, split, "all" if n is None else n, *named, score))
    table = pd.DataFrame(rows, columns=["scan", "split", "labels", "features", "probe", "score"])
    keys = ["scan", "split", "labels", "features", "probe"]
    return table.groupby(keys, sort=False)["score"].mean().reset_index()


def of_fold(task, fixed, train, test):
    """Scores of all features and probes."""
    y, sequences = task.target, np.array(task.sequences, dtype=object)[task.protein]
    encoder = SequenceOneHotEncoder(unknown="X").fit(sequences[train])
    site_mean = SiteMean(task.wild_type, unknown="X")
    crossed = site_mean.fit_transform(sequences[train], y[train])
    means = site_mean.transform(sequences)
    means[train] = crossed
    blocks = fixed | {"one-hot": encoder.transform(sequences), "site mean": means}
    used = {name for names in SETS.values() for name in names}
    kernels = {name: kernel(blocks[name], train, test) for name in used}
    predicted = {}
    for features, names in SETS.items():
        both = (sum(each) for each in zip(*(kernels[name] for name in names), strict=True))
        predicted[features], r2 = ridge(*both, y[train])
        yield (features, "ridge"), correlation(y[test], predicted[features])
    forests = {}
    for features in ("mean 160", "mean, all models", "one-hot"):
        X = np.hstack([blocks[name] for name in SETS[features]])
        forest = RandomForestRegressor(100, max_features="sqrt", random_state=0)
        forests[features] = forest.fit(X[train], y[train]).predict(X[test])
        yield (features, "forest"), correlation(y[test], forests[features])
    # r2 is that of all features, the last set
    forest = (forests["mean, all models"] + forests["mean 160"]) / 2
    average = (predicted["one-hot"] + forest) / 2 + max(r2, 0) * predicted["all"]
    yield ("all", "average of ridges and forests"), correlation(y[test], average)

    def fitted(probe, names, columns=None):
        X = np.hstack([blocks[name] for name in names])
        return correlation(y[test], probe.fit(X[train], y[train]).predict(X[test]))

    for features in ("nested 160", "mean, all models"):
        yield (features, "prefix ridge"), fitted(PrefixRidgeCV(), SETS[features])
    if len(train) <= LABELS[-2]:
        names = SETS["all, largest model"]
        groups = np.repeat(names, [blocks[name].shape[1] for name in names])
        yield ("all, largest model", "group ridge"), fitted(GroupRidgeCV(groups), names)


def kernel(block, train, test):
    """Inner products of rows in columns of unit variance."""
    mean, spread = block[train].mean(axis=0), block[train].std(axis=0)
    kept = spread > 1e-9
    scaled = (block[:, kept] - mean[kept]) / spread[kept]
    return scaled[train] @ scaled[train].T, scaled[test] @ scaled[train].T


def ridge(gram, cross, y):
    """Predict by the ridge whose penalty has the least leave-one-out error, and return its R2.

    It equals StandardScaler and RidgeCV, but a kernel of each block serves all sets with it.
    """
    values, vectors = eigh(gram)
    values, centred = values.clip(0), y - y.mean()
    rotated = vectors.T @ centred
    filters = values[:, np.newaxis] / (values[:, np.newaxis] + ALPHAS)
    leverage = 1 / len(y) + vectors**2 @ filters
    left_out = (centred[:, np.newaxis] - vectors @ (filters * rotated[:, np.newaxis])) / (
        1 - leverage
    ).clip(1e-9)
    errors = (left_out**2).mean(axis=0)
    alpha = ALPHAS[errors.argmin()]
    predicted = cross @ (vectors @ (rotated / (values + alpha))) + y.mean()
    return predicted, 1 - errors.min() / y.var()


def summary(scores):
    """Mean over scans, by split and number of labels."""
    grouped = scores.groupby(["features", "probe", "split", "labels"], sort=False)["score"]
    n_scans = grouped.count().groupby(["split", "labels"]).transform("max")
    table = grouped.mean()[grouped.count() == n_scans]  # the same scans for all
    table = table.unstack(["split", "labels"]).round(3)
    columns = [(split, labels) for split in SPLITS for labels in ("48", "96", "400", "all")]
    table = table.reindex(columns=columns)
    table.columns = [f"{split} {labels}" for split, labels in columns]
    return table.reset_index()


if __name__ == "__main__":
    main()
