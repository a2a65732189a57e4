"""Score one-hot encoding and embeddings of the demo chain together, with common and own penalties.

    python examples/group_penalties.py --data DATA --output docs/results/group_penalties.csv

A scan of single substitutions has at most 500 variants. The embedding is demo-160's mean over all
residues and over the mutated sites. Columns have unit variance; RidgeCV chooses one penalty and
GroupRidgeCV one for one-hot encoding and each pooling, both by leaving out each row. Folds are
shuffled, of every fifth position, or of neighbouring positions.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scans import correlation, drawn, give_out, of_single_substitutions, scan_readers
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from zero_shot import N_FOLDS, N_VARIANTS, SPLITS

from sklearn_revdist import ESMEmbedder, GroupRidgeCV, SequenceOneHotEncoder
from sklearn_revdist.evaluation._splits import make_folds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    rows = []
    for name, read in scan_readers(args.data).items():
        task = read()
        if of_single_substitutions(task):
            print(name, file=sys.stderr, flush=True)
            rows += scores_of(drawn(task, N_VARIANTS))
    scores = pd.DataFrame(rows, columns=["scan", "split", "features", "score"])
    grouped = scores.groupby(["split", "features"], sort=False)["score"]
    give_out(grouped.agg(["mean", "sem", "count"]).round(3).reset_index(), args.output)


def scores_of(task):
    """Mean Spearman correlations of one scan, by split and features."""
    how = {"pooling": ["mean", "sites"], "reference": task.wild_type, "unknown": "X"}
    embedding = ESMEmbedder(["demo-160"], **how).transform(task.sequences)[task.protein]
    sequences, y = np.array(task.sequences, dtype=object)[task.protein], task.target
    rows = []
    for split in SPLITS:
        found = {}
        for train, test in make_folds(task, split, N_FOLDS):
            encoder = SequenceOneHotEncoder(unknown="X").fit(sequences[train])
            one_hot = encoder.transform(sequences)
            both = np.hstack([one_hot, embedding])
            groups = np.repeat(["one-hot", "mean", "sites"], [one_hot.shape[1], 160, 160])
            for name, X, probe in (
                ("one-hot", one_hot, common()),
                ("embedding", embedding, common()),
                ("both, one penalty", both, common()),
                ("both, a penalty each", both, GroupRidgeCV(groups)),
            ):
                predicted = probe.fit(X[train], y[train]).predict(X[test])
                found.setdefault(name, []).append(correlation(y[test], predicted))
        rows += [(task.name, split, name, np.mean(each)) for name, each in found.items()]
    return rows


def common():
    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 6, 17), gcv_mode="svd"))


if __name__ == "__main__":
    main()
