"""Deep mutational scans of the folder with SOURCES.md, and tables of what is measured on each."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from sklearn_revdist.tasks._task_list import task_readers

TASKS = Path(__file__).parent / "all_tasks.toml"


def scan_readers(data, tasks=TASKS):
    """What reads each scan, by name."""
    readers = task_readers(tasks, data=data)
    return {read.keywords["name"]: read for read in readers if read.func.__name__ == "read_scan"}


def drawn(task, n_variants):
    """At most so many variants."""
    if len(task.target) > n_variants:
        rows = np.random.default_rng(0).choice(len(task.target), n_variants, replace=False)
        task = task.take(np.sort(rows))
    return task


def of_single_substitutions(task):
    """Whether each variant has one mutated position, and all are of one length."""
    return task.position is not None and len(set(map(len, task.sequences))) == 1


def correlation(y, predicted):
    """Spearman's correlation, which is 0 if all predictions are equal."""
    return 0.0 if np.ptp(predicted) == 0 else float(spearmanr(y, predicted).statistic)


def give_out(table, path):
    """Print a table, and write it to a file if one is named."""
    print(table.to_string(index=False))
    if path:
        table.to_csv(path, index=False, lineterminator="\n")


def kept(path, compute):
    """Read a table from its file, or compute it and write it there."""
    if not path.exists():
        print(path.stem, file=sys.stderr, flush=True)
        compute().to_csv(path, index=False)
    return pd.read_csv(path)
