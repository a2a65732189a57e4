"""Compare GroupRidgeCV with himalaya's GroupRidgeCV on random columns in four groups.

    python examples/benchmarks/group_ridge.py --himalaya 1

The target depends strongly on ten columns of the first group and weakly on all of the second.
Figures are seconds, and R2 on new rows without noise. --himalaya is its number of random draws
(its default is 100), each with 17 penalties and five folds; 0 leaves it out.
"""

import argparse
import time

import numpy as np

from sklearn_revdist import GroupRidgeCV

WIDTHS = [320, 480, 640, 1280]


def data(n_rows, noise, rng):
    X = rng.normal(size=(n_rows, sum(WIDTHS)))
    y = X[:, :10].sum(axis=1) + 0.1 * X[:, WIDTHS[0] : sum(WIDTHS[:2])].sum(axis=1)
    return X, y + noise * rng.normal(size=n_rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--himalaya", type=int, default=0, metavar="DRAWS")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    X, y = data(options.rows, 1.0, rng)
    X_new, y_new = data(3000, 0.0, rng)
    groups = np.repeat(np.arange(len(WIDTHS)), WIDTHS)
    models = {"ours": GroupRidgeCV(groups)}
    if options.himalaya:
        from himalaya.ridge import GroupRidgeCV as Theirs

        how = {"n_iter": options.himalaya, "alphas": np.logspace(-2, 6, 17), "progress_bar": False}
        models["himalaya"] = Theirs(
            groups=groups, fit_intercept=True, random_state=0, solver_params=how
        )
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        residuals = model.predict(X_new).ravel() - y_new
        print(f"{name:10s} {seconds:7.1f} s, R2 {1 - (residuals**2).mean() / y_new.var():.4f}")


if __name__ == "__main__":
    main()
