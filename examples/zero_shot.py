"""Score 39 scans without labels by the demo chain, alone and within ridge regressions.

    python examples/zero_shot.py --data DATA --output docs/results/zero_shot.csv

A scan has at most 500 variants; scans with insertions and deletions are left out. Scores are masked
and wild-type marginals of each model, alone and as a column within ridge regressions. These have
columns of unit variance and the penalty of the least leave-one-out error; folds are shuffled, of
every fifth position, or of neighbouring positions.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from results import probe
from scans import correlation, drawn, give_out, kept, scan_readers

from sklearn_revdist import ESMEmbedder, ESMScorer
from sklearn_revdist.evaluation._splits import make_folds

N_VARIANTS, N_FOLDS = 500, 5
SPLITS = ["random", "modulo", "contiguous"]
MODELS = ["demo-48", "demo-96", "demo-160"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--scores", type=Path, default=Path("zero_shot"), help="folder of scores")
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    args.scores.mkdir(parents=True, exist_ok=True)
    tables = [
        kept(args.scores / f"{name}.csv", lambda read=read: scores_of(drawn(read(), N_VARIANTS)))
        for name, read in scan_readers(args.data).items()
    ]
    give_out(summary(pd.concat(tables, ignore_index=True)), args.output)


def scores_of(task):
    """Spearman correlations of one scan, by split."""
    rows = []
    if {len(sequence) for sequence in task.sequences} == {len(task.wild_type)}:
        rows = list(rows_of(task))
    return pd.DataFrame(rows, columns=["scan", "split", "features", "score"])


def rows_of(task):
    y, n = task.target, len(task.target)
    kinds = ["masked_marginals", "wild_type_marginals"]
    scorer = ESMScorer("demo", kinds=kinds, reference=task.wild_type, unknown="X")
    zero = scorer.transform(task.sequences)[task.protein]
    for i, model in enumerate(MODELS):
        for j, kind in enumerate(kinds):
            yield task.name, "none", f"{kind}, {model}", correlation(y, zero[:, 2 * i + j])

    poolings = ["mean", "sites_difference"]
    embedder = ESMEmbedder("demo", pooling=poolings, reference=task.wild_type, unknown="X")
    X = embedder.transform(task.sequences)[task.protein].astype(np.float64)
    largest = X[:, -320:]
    residues = np.array([list(sequence.upper()) for sequence in task.sequences])[task.protein]
    varied = residues[:, (residues != residues[0]).any(axis=0)]
    one_hot = (varied[:, :, np.newaxis] == np.unique(varied)).reshape(n, -1).astype(np.float64)
    blocks = {
        "mean": largest[:, :160],
        "sites_difference": largest[:, 160:],
        "one-hot": one_hot[:, one_hot.any(axis=0)],
    }
    score = zero[:, [4]]
    for split in SPLITS if task.position is not None else SPLITS[:1]:
        folds = make_folds(task, split, N_FOLDS)
        site = []
        for train, test in folds:
            means = pd.Series(y[train])
            if task.position is not None:
                means = means.groupby(task.position[train]).mean()
                predicted = means.reindex(task.position[test]).fillna(y[train].mean())
                site.append(correlation(y[test], predicted.to_numpy()))
        if site:
            yield task.name, split, "mean of the site", np.mean(site)
        alone = [correlation(y[test], score[test, 0]) for _, test in folds]
        yield task.name, split, "score alone", np.mean(alone)
        for name, block in blocks.items():
            plain = [ridge(block, None, y, *fold) for fold in folds]
            within = [ridge(block, score, y, *fold) for fold in folds]
            yield task.name, split, name, np.mean(plain)
            yield task.name, split, f"{name}, with score", np.mean(within)


def ridge(block, score, y, train, test):
    """Correlation of a ridge regression; the score weighs as much as all other columns."""
    X = components(block, train)
    if score is not None:
        mean, spread = score[train].mean(), score[train].std() or 1.0
        column = (score - mean) / spread * np.sqrt(X[train].var(axis=0).sum())
        X = np.hstack([X, column])
    return probe(X[train], y[train], X[test], y[test], scaled=False)


def components(block, train):
    """Columns of unit variance, rotated into as many as the training rows determine."""
    mean, spread = block[train].mean(axis=0), block[train].std(axis=0)
    kept = spread > 1e-6
    scaled = (block[:, kept] - mean[kept]) / spread[kept]
    if scaled.shape[1] < len(train):
        return scaled
    _, values, vectors = np.linalg.svd(scaled[train], full_matrices=False)
    return scaled @ vectors[values > 1e-10].T


def summary(scores):
    """Mean over scans, by split, with the standard error and the number of scans."""
    with_positions = scores.loc[scores["split"] == "contiguous", "scan"].unique()
    same = scores[scores["scan"].isin(with_positions)]
    every = scores[scores["split"].isin(["none", "random"])]
    every = every.assign(split=every["split"] + ", all scans")
    grouped = pd.concat([same, every]).groupby(["split", "features"], sort=False)
    table = grouped["score"].agg(["mean", "sem", "count"])
    return table.round(3).reset_index()


if __name__ == "__main__":
    main()
