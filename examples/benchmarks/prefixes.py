"""Compare PrefixRidgeCV, which scores every prefix at once, with searches that refit.

    python examples/benchmarks/prefixes.py

The data are 5,000 rows of 1,280 columns with a decaying spectrum; all searches use the same 10
penalties. The baselines use leave-one-out or 5 folds:

RidgeCV     RidgeCV(alphas), scikit-learn's leave-one-out of the full width
direct      5 folds of the full width, written for this comparison with the same BLAS and as little
            work as possible: one Gram matrix per fold, and one Cholesky factor, one solution and
            the held-out score per penalty
RidgeCV     RidgeCV(alphas, cv=5), scikit-learn's own
GridSearch  GridSearchCV over 20 prefixes times the penalties, each candidate a refitted Ridge

With fewer rows than columns (300 rows, 2,720 columns) the last two are left out, and the direct
search runs by columns and by rows (with the kernel of all columns). Times are medians of several,
measured in turn in one run. The grid search is timed on one of its five folds, and the time
multiplied by five.
"""

import argparse
import statistics
import time

import numpy as np
from scipy.linalg import blas, lapack
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_revdist import PrefixRidgeCV

ALPHAS = np.logspace(-2, 7, 10)


def problem(n_rows, n_columns, seed=0):
    """Columns of decaying variance, as in a nested embedding; a target in all of them; noise."""
    rng = np.random.default_rng(seed)
    X = 10 * rng.normal(size=(n_rows, n_columns)) / np.sqrt(1 + np.arange(n_columns))
    y = X @ rng.normal(size=n_columns)
    return X, y + y.std() * rng.normal(size=n_rows)


def direct_search(X, y, by_rows=False):
    """Held-out R2 of all columns, with one row per fold and one column per penalty."""
    scores = []
    for train, test in KFold(5).split(X):
        mean, target_mean = X[train].mean(axis=0), y[train].mean()
        rows, targets = X[train] - mean, y[train] - target_mean
        held_out, truth = X[test] - mean, y[test]
        if by_rows:
            products, right = blas.dsyrk(1.0, rows.T, lower=1, trans=1), targets
            held_out = blas.dgemm(1.0, held_out.T, rows.T, trans_a=1)
        else:
            products, right = blas.dsyrk(1.0, rows.T, lower=1), blas.dgemv(1.0, rows.T, targets)
            held_out = held_out.T
        fold = []
        for alpha in ALPHAS:
            lower = products.copy(order="F")
            lower[np.diag_indices_from(lower)] += alpha
            lower, _ = lapack.dpotrf(lower, lower=1, overwrite_a=1, clean=0)
            coef, _ = lapack.dpotrs(lower, right, lower=1)
            predicted = blas.dgemv(1.0, held_out, coef, trans=not by_rows) + target_mean
            left = np.square(truth - predicted).sum()
            fold.append(1 - left / np.square(truth - truth.mean()).sum())
        scores.append(fold)
    return np.array(scores)


def first_columns(X, n_columns):
    return X[:, :n_columns]


def grid_search(X, y, cv):
    pipeline = Pipeline([("prefix", FunctionTransformer(first_columns)), ("ridge", Ridge())])
    lengths = np.linspace(0, X.shape[1], 21, dtype=int)[1:]
    grid = {"prefix__kw_args": [{"n_columns": k} for k in lengths], "ridge__alpha": ALPHAS}
    return GridSearchCV(pipeline, grid, cv=cv, refit=False).fit(X, y)


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turn(repeats, **functions):
    """Median seconds of each function, taken in turn."""
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            seconds[name].append(timed(function))
    return {name: statistics.median(times) for name, times in seconds.items()}


def compare(n_rows, n_columns, repeats, *, slow_baselines):
    X, y = problem(n_rows, n_columns)
    searches = {
        "leave-one-out, R2": lambda: PrefixRidgeCV(ALPHAS).fit(X, y),
        "leave-one-out, Spearman": lambda: PrefixRidgeCV(ALPHAS, scoring="spearman").fit(X, y),
        "RidgeCV, leave-one-out": lambda: RidgeCV(ALPHAS).fit(X, y),
        "five folds, R2": lambda: PrefixRidgeCV(ALPHAS, cv=5).fit(X, y),
        "direct, five folds": lambda: direct_search(X, y),
    }
    if n_rows < n_columns:
        searches["direct, by rows"] = lambda: direct_search(X, y, by_rows=True)
    ours = PrefixRidgeCV(ALPHAS, scale=False, cv=KFold(5)).fit(X, y)
    by_folds = np.abs(ours.cv_scores_[-1] - direct_search(X, y).mean(axis=0)).max()
    ours = PrefixRidgeCV(ALPHAS, scale=False, scoring="neg_mean_squared_error").fit(X, y)
    theirs = -RidgeCV(ALPHAS, store_cv_results=True).fit(X, y).cv_results_.mean(axis=0)
    by_rows = np.abs(ours.cv_scores_[-1] / theirs - 1).max()
    seconds = in_turn(repeats, **searches)
    if slow_baselines:
        seconds["RidgeCV, five folds"] = timed(lambda: RidgeCV(ALPHAS, cv=5).fit(X, y))
        one_fold = list(KFold(5).split(X))[:1]
        seconds["GridSearch, 20 prefixes"] = 5 * timed(lambda: grid_search(X, y, one_fold))
    print(f"{n_rows} rows, {n_columns} columns, {len(ALPHAS)} penalties:")
    base = seconds["leave-one-out, R2"]
    for name, time_taken in seconds.items():
        print(f"  {name:24} {time_taken:8.2f} s  {time_taken / base:6.2f} x leave-one-out, R2")
    print(f"  leave-one-out / RidgeCV: {base / seconds['RidgeCV, leave-one-out']:.2f}")
    print(f"  largest difference of scores at full width: {by_folds:.0e} by folds")
    print(f"  largest relative difference of leave-one-out errors: {by_rows:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    compare(5000, 1280, args.repeats, slow_baselines=True)
    compare(300, 2720, args.repeats, slow_baselines=False)


if __name__ == "__main__":
    main()
