"""Measure how many left-out variants lie inside their 90 % intervals, and how wide these are.

    python examples/intervals.py --data DATA --output docs/results/intervals.csv

A scan of single substitutions has at most 500 variants; features are the one-hot encoding and
demo-160's mean over all residues and over the mutated sites. Folds are shuffled, of every fifth
position, or of neighbouring positions. Compared are conformal intervals, 1.645 standard deviations
on either side, and the 5 % and 95 % quantiles of the training targets, whose width is the unit of
widths.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scans import drawn, give_out, of_single_substitutions, scan_readers
from zero_shot import N_FOLDS, N_VARIANTS, SPLITS

from sklearn_revdist import ESMEmbedder, GroupRidgeCV, PrefixRidgeCV, SequenceOneHotEncoder
from sklearn_revdist.evaluation._splits import make_folds

COVERAGE, N_DEVIATIONS = 0.9, 1.645
KEY = ["split", "probe", "interval"]


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
            rows += intervals_of(drawn(task, N_VARIANTS))
    scans = pd.DataFrame(rows, columns=["scan", *KEY, "coverage", "width"])
    give_out(summary(scans), args.output)


def intervals_of(task):
    """Coverage and mean width of the intervals of one scan."""
    how = {"pooling": ["mean", "sites"], "reference": task.wild_type, "unknown": "X"}
    embedding = ESMEmbedder(["demo-160"], **how).transform(task.sequences)[task.protein]
    sequences, y = np.array(task.sequences, dtype=object)[task.protein], task.target
    rows = []
    for split in SPLITS:
        found = {}
        for train, test in make_folds(task, split, N_FOLDS):
            one_hot = SequenceOneHotEncoder(unknown="X").fit(sequences[train]).transform(sequences)
            X = np.hstack([one_hot, embedding])
            marginal = np.quantile(y[train], [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
            for key, intervals in intervals_of_fold(X, y, train, test):
                inside = (intervals[:, 0] <= y[test]) & (y[test] <= intervals[:, 1])
                widths = np.diff(intervals)[:, 0] / np.ptp(marginal)
                found.setdefault(key, []).append(np.column_stack([inside, widths]))
            inside = (marginal[0] <= y[test]) & (y[test] <= marginal[1])
            key = "none", "quantiles"
            found.setdefault(key, []).append(np.column_stack([inside, np.ones(len(test))]))
        rows += [(task.name, split, *key, *np.vstack(f).mean(axis=0)) for key, f in found.items()]
    return rows


def intervals_of_fold(X, y, train, test):
    for name, probe in (
        ("GroupRidgeCV, one group", GroupRidgeCV()),
        ("PrefixRidgeCV", PrefixRidgeCV()),
    ):
        probe.fit(X[train], y[train])
        predicted, std = probe.predict(X[test], return_std=True)
        half = N_DEVIATIONS * std
        yield (name, "conformal"), probe.predict_interval(X[test], COVERAGE)
        yield (name, "1.645 std"), np.column_stack([predicted - half, predicted + half])


def summary(scans):
    """Mean and extremes over scans."""
    coverage = scans.groupby(KEY, sort=False)["coverage"].agg(["mean", "sem", "min", "max"])
    near = scans["coverage"].between(COVERAGE - 0.03, COVERAGE + 0.03)
    coverage["share_near"] = near.groupby([scans[name] for name in KEY]).mean()
    coverage["width"] = scans.groupby(KEY)["width"].mean()
    coverage["count"] = scans.groupby(KEY)["width"].count()
    return coverage.round(3).reset_index()


if __name__ == "__main__":
    main()
