"""Measure how many left-out variants lie inside the intervals of what `revdist train` fits.

    python examples/variant_intervals.py --data DATA --output docs/results/variant_intervals.csv

Variants, folds and embeddings are those of features_and_probes.py, in the folder --scores; the
second of five folds is left out.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from features_and_probes import CHAIN, LABELS, N_FOLDS, SCORED, SPLITS, with_features
from scans import give_out, scan_readers
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_revdist import GroupRidgeCV, LeftOutVotingRegressor, SequenceOneHotEncoder, SiteMean
from sklearn_revdist.evaluation._splits import make_folds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--scores", type=Path, default=Path("features_and_probes"))
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    args.scores.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, read in scan_readers(args.data).items():
        print(name, file=sys.stderr, flush=True)
        rows += intervals_of(*with_features(read, args.scores))
    scans = pd.DataFrame(rows, columns=["scan", "split", "labels", "coverage", "width"])
    scans["within 87 to 93 %"] = scans["coverage"].between(0.87, 0.93)
    grouped = scans.groupby(["split", "labels"], sort=False)
    table = grouped["coverage"].agg(["mean", "sem", "min", "max"])
    table[["width", "within 87 to 93 %"]] = grouped[["width", "within 87 to 93 %"]].mean()
    give_out(table.round(3).reset_index(), args.output)


def intervals_of(task, fixed):
    """Coverage and mean width of the intervals of one scan, by split and number of labels.

    Widths are in units of the interval between the 5 % and 95 % quantiles of the training targets.
    """
    y, sequences = task.target, np.array(task.sequences, dtype=object)[task.protein]
    for split in SPLITS if task.position is not None else SPLITS[:1]:
        train_of_fold, test = make_folds(task, split, N_FOLDS)[SCORED[0]]
        order = np.random.default_rng(SCORED[0]).permutation(train_of_fold)
        for n in LABELS:
            if n is not None and n > len(order):
                continue
            train = np.sort(order[:n])
            encoder = SequenceOneHotEncoder(unknown="X").fit(sequences[train])
            site_mean = SiteMean(task.wild_type, unknown="X")
            crossed = site_mean.fit_transform(sequences[train], y[train])
            means = site_mean.transform(sequences)
            means[train] = crossed
            one_hot = encoder.transform(sequences)
            blocks = [one_hot, *(fixed[name] for name in CHAIN), means, fixed["zero-shot"]]
            X = np.hstack(blocks)
            model = average(one_hot.shape[1]).fit(X[train], y[train])
            lower, upper = model.predict_interval(X[test]).T
            inside = np.mean((lower <= y[test]) & (y[test] <= upper))
            usual = np.ptp(np.quantile(y[train], [0.05, 0.95]))
            labels = "all" if n is None else n
            yield task.name, split, labels, inside, np.mean(upper - lower) / usual


def average(n_one_hot):
    """The model of revdist train, on columns: one-hot first, then the means of all models."""
    widths = [int(name.split()[1]) for name in CHAIN if name.startswith("mean ")]
    end = n_one_hot + sum(widths)
    forest = RandomForestRegressor(max_features="sqrt", oob_score=True, random_state=0)
    models = [
        ("all", GroupRidgeCV()),
        ("one_hot", make_pipeline(columns(0, n_one_hot), GroupRidgeCV())),
        ("forest", make_pipeline(columns(n_one_hot, end), forest)),
        ("forest_of_largest", make_pipeline(columns(end - widths[-1], end), forest)),
    ]
    return LeftOutVotingRegressor(models, weights=["r2", 0.5, 0.25, 0.25])


def columns(start, stop):
    return FunctionTransformer(lambda X: X[:, start:stop])


if __name__ == "__main__":
    main()
