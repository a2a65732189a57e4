"""Make all tables and figures of docs/results.rst; an interrupted run can be continued.

    python examples/results.py --data DATA --output results --tables docs/results

First `revdist evaluate` scores examples/all_tasks.toml. Then each question about the method is
answered on every scan, with at most 1,000 variants: random folds, columns of unit variance, and the
same ridge probe for all, whose penalty has the least leave-one-out error.
"""

import argparse
import os
import subprocess
import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from results_figures import draw_figures
from results_page import write_page
from scans import TASKS, correlation, scan_readers
from scipy import linalg
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import ESMEmbedder, Moments, PrefixRidgeCV, ReverseDistiller, read_fasta
from sklearn_revdist.evaluation._probes import RIDGE_ALPHAS
from sklearn_revdist.evaluation._score_files import write_scores
from sklearn_revdist.evaluation._task_embeddings import embed_task
from sklearn_revdist.sequences._draw import draw_proteins

PROTEOMES = "E.coli", "S.cerevisiae", "Synechocystis"
DIMS = [48, 96, 160]
WIDTH, ALL = DIMS[-1], sum(DIMS)
N_FOLDS = 5
N_VARIANTS = 1000
# Numbers of natural sequences, and for each how many disjoint draws.
N_SEQUENCES = {30: 3, 100: 3, 300: 3, 1000: 3, 3000: 3, 10_000: 1}
USUAL = (1000, 0)  # the default draw of natural proteins
SHARES = 0.1, 0.3, 0.5, 0.7, 0.9
N_OWN = 100
WIDTHS = 48, 64, 96, 128, 160, 208, 256, 304
N_NEW = [16, 96], [32, 80], [48, 64], [64, 48], [80, 32], [96, 16]  # of equal sum
BANDS = 1 / 16, 1 / 4, 1, 4
N_LABELS = 48, 96, 192, 384
KEY = ["experiment", "representation", "fitted_on", "setting"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument(
        "--output", type=Path, default=Path("results"), help="folder of all results"
    )
    parser.add_argument("--tables", type=Path, help="folder for the page's tables and figures")
    parser.add_argument("--tasks", type=Path, default=TASKS)
    args = parser.parse_args()
    proteomes = sorted(args.data.glob("sequences/uniprot_proteomes/*.fasta.gz"))
    command = [sys.executable, "-m", "sklearn_revdist", "evaluate", args.tasks]
    command += ["--data", args.data, "--model", "demo", "--output", args.output]
    command += ["--splits", "random,contiguous,modulo", "--jobs", "2"]
    for path in proteomes:
        command += ["--fit-on", path]
    # Two probes at a time, with one BLAS thread each; torch's threads are separate.
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([str(word) for word in command], check=True, env=env)

    embedder = ESMEmbedder("demo", store=args.output / "embeddings.sqlite")
    natural = natural_moments(proteomes, embedder, args.output)
    scans = scan_readers(args.data, args.tasks).values()
    folder = args.output / "experiments"
    folder.mkdir(exist_ok=True)
    scores = Parallel(n_jobs=2)(delayed(score_scan)(r, embedder, natural, folder) for r in scans)
    write_scores(pd.concat(scores, ignore_index=True), args.output / "experiments.csv")
    tables = args.tables or args.output / "tables"
    write_page(args.output, tables)
    draw_figures(tables)


def score_scan(read, embedder, natural, folder):
    """Scores of one scan, read from its file if that exists."""
    task = read()
    path = folder / f"{task.name}.csv"
    if not path.exists():
        print(f"experiments {task.name}", file=sys.stderr, flush=True)
        write_scores(experiments(task, embedder, natural), path)
    return pd.read_csv(path, keep_default_na=False, dtype={"setting": str})


def natural_moments(proteomes, embedder, output):
    """Moments of the residues of natural proteins, by number and draw, and of pooled proteins."""
    path = output / "natural.npz"
    if not path.exists():
        records = (sequence for path in proteomes for sequence in read_fasta(path)[1])
        sequences = sorted(draw_proteins(records, sys.maxsize).proteins)
        order = np.random.default_rng(0).permutation(len(sequences))[: max(N_SEQUENCES)]
        # Pieces that end wherever a draw ends, so each draw is a union of pieces.
        ends = {n * (i + 1) for n, draws in N_SEQUENCES.items() for i in range(draws)}
        total, pooled, start = Moments.zeros(ALL), Moments.zeros(ALL), 0
        arrays = {}
        for end in sorted(ends):
            print(f"natural sequences {start} to {end}", file=sys.stderr, flush=True)
            piece = [sequences[i] for i in order[start:end]]
            sums = np.zeros((len(piece), ALL))
            for rows, index in embedder.iter_residues(piece):
                total += Moments.of(rows)
                first = np.flatnonzero(np.diff(index, prepend=-1))
                sums[index[first]] += np.add.reduceat(rows.astype(np.float64), first)
            pooled += Moments.of(sums / np.array([[len(sequence)] for sequence in piece]))
            arrays |= packed(f"first {end}", total)
            start = end
        arrays |= packed("pooled", pooled)
        output.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, **arrays)
        part.replace(path)
    with np.load(path) as arrays:
        moments = {"pooled": unpacked(arrays, "pooled")}
        for n, draws in N_SEQUENCES.items():
            for draw in range(draws):
                last = unpacked(arrays, f"first {n * (draw + 1)}")
                if draw:
                    last = less(last, unpacked(arrays, f"first {n * draw}"))
                moments[n, draw] = last
    return moments


def packed(name, moments):
    scatter = moments.scatter if moments.root is None else moments.root.T @ moments.root
    return {name: np.vstack([np.r_[moments.weight, np.zeros(ALL - 1)], moments.mean, scatter])}


def unpacked(arrays, name):
    return Moments(float(arrays[name][0, 0]), arrays[name][1], scatter=arrays[name][2:])


def less(both, first):
    """Moments of the rows in `both` that are not in `first`."""
    weight = both.weight - first.weight
    mean = both.mean + (both.mean - first.mean) * first.weight / weight
    shift = mean - first.mean
    scatter = both.scatter - first.scatter
    scatter -= np.outer(shift, shift) * (first.weight * weight / both.weight)
    return Moments(weight, mean, scatter=(scatter + scatter.T) / 2)


def blend(natural, fold, share):
    """Sum of moments in which the natural ones have this share of the total variance."""
    scatter = packed("", fold)[""][2:]
    times = np.trace(natural.scatter) / np.trace(scatter) * (1 - share) / share
    return natural + Moments(times * fold.weight, fold.mean, scatter=times * scatter)


def distilled(moments, regressor="ridge", n_new=None, dims=None):
    """The linear map to the nested embedding."""
    distiller = ReverseDistiller(dims=dims or DIMS, regressor=regressor, n_new=n_new)
    return distiller.fit_moments(moments).components_.T


def components(moments, n_components=ALL):
    """The linear map to principal components of the concatenation."""
    _, vectors = linalg.eigh(packed("", moments)[""][2:])
    return vectors[:, ::-1][:, :n_components]


def experiments(task, embedder, natural):
    """Scores of one scan for all questions, means over folds."""
    rng = np.random.default_rng(0)
    if len(task.target) > N_VARIANTS:
        task = task.take(np.sort(rng.choice(len(task.target), N_VARIANTS, replace=False)))
    X, y = embed_task(task, embedder).astype(np.float64), task.target
    own = Moments.zeros(ALL)
    variants = rng.choice(len(task.sequences), min(N_OWN, len(task.sequences)), replace=False)
    for rows, _ in embedder.iter_residues([task.sequences[i] for i in sorted(variants)]):
        own += Moments.of(rows)
    everywhere = {
        "natural": natural[USUAL],
        "natural, pooled": natural["pooled"],
        "own residues": own,
        "all variants": Moments.of(X),
    }
    sums = {}
    n_folds = min(N_FOLDS, len(y) // 20)
    for train, test in KFold(n_folds, shuffle=True, random_state=0).split(X):
        with warnings.catch_warnings():
            # With few rows, some new columns are zero or nearly zero.
            warnings.filterwarnings(
                "ignore", ".*(beyond the numerical rank|so small).*", UserWarning
            )
            for *key, n_columns, score in fold_scores(X, y, train, test, natural, everywhere):
                sums.setdefault((*key, n_columns), []).append(score)
    rows = [(task.name, *key, np.mean(scores)) for key, scores in sums.items()]
    return pd.DataFrame(rows, columns=["task", *KEY, "n_columns", "score"])


def fold_scores(X, y, train, test, natural, everywhere):
    """Yield experiment, representation, its fitting data, setting, width and score."""
    fold = Moments.of(X[train])
    fitted = everywhere | {"fold": fold}
    plain = X[:, -DIMS[-1] :]

    def scored(columns, **how):
        return columns.shape[1], probe(columns[train], y[train], columns[test], y[test], **how)

    reference = scored(plain)
    maps = {}  # with default settings
    for name, moments in fitted.items():
        maps[name] = {"distilled": distilled(moments), "concat_pca": components(moments)}

    yield "regressors", "plain", "", "", *reference
    for regressor, name in product(("ols", "ridge", "pcr"), ("natural", "fold")):
        nested = X @ distilled(fitted[name], regressor)
        for length in DIMS[1:]:
            yield "regressors", "distilled", name, regressor, *scored(nested[:, :length])

    yield "natural_sequences", "plain", "", "", *reference
    for (n, draw), moments in ((key, m) for key, m in natural.items() if key != "pooled"):
        setting = f"{n}, draw {draw + 1}"
        nested, pca = X @ distilled(moments), X @ components(moments, WIDTH)
        yield "natural_sequences", "distilled", "natural", setting, *scored(nested)
        yield "natural_sequences", "concat_pca", "natural", setting, *scored(pca)

    yield "chain_or_jump", "plain", "", "", *reference
    ends = np.r_[0 : DIMS[0], ALL - DIMS[-1] : ALL]
    for name in ("natural", "fold"):
        moments = fitted[name]
        scatter = packed("", moments)[""][2:][np.ix_(ends, ends)]
        jump = distilled(
            Moments(moments.weight, moments.mean[ends], scatter=scatter),
            dims=[DIMS[0], DIMS[-1]],
            n_new=[WIDTH - DIMS[0]],
        )
        yield "chain_or_jump", "distilled", name, "chain", *scored(X @ maps[name]["distilled"])
        yield "chain_or_jump", "distilled", name, "jump", *scored(X[:, ends] @ jump)

    yield "fitting", "plain", "", "", *reference
    yield "fitting", "concat", "", "", *scored(X)
    for name in fitted:
        for representation, to_columns in maps[name].items():
            yield "fitting", representation, name, "", *scored(X @ to_columns[:, :WIDTH])
    for share in SHARES:
        mixed = blend(everywhere["natural"], fold, share)
        setting = f"natural share {share}"
        yield "fitting", "distilled", "blend", setting, *scored(X @ distilled(mixed))
        yield "fitting", "concat_pca", "blend", setting, *scored(X @ components(mixed, WIDTH))

    yield "widths", "plain", "", "", *reference
    whole = {}
    for name in ("natural", "fold"):
        whole[name] = {
            "distilled": X @ distilled(fitted[name], n_new="all"),
            "concat_pca": X @ maps[name]["concat_pca"],
        }
        for representation, columns in whole[name].items():
            for width in WIDTHS:
                yield "widths", representation, name, str(width), *scored(columns[:, :width])

    for n_new in N_NEW:
        for name in ("natural", "fold"):
            columns = X @ distilled(fitted[name], n_new=n_new)
            yield "new_columns", "distilled", name, "{} and {}".format(*n_new), *scored(columns)

    yield "prefixes", "plain", "", "fixed", *reference[:1], chosen_prefix(plain, y, train, test)
    for name in ("natural", "fold"):
        every = {
            "distilled": X @ maps[name]["distilled"],
            "distilled, n_new='all'": whole[name]["distilled"],
            "concat_pca, all": whole[name]["concat_pca"],
        }
        for representation, columns in every.items():
            for setting, prefixes in (("fixed", [columns.shape[1]]), ("chosen", "all")):
                score = chosen_prefix(columns, y, train, test, prefixes)
                yield "prefixes", representation, name, setting, columns.shape[1], score

    yield "penalties", "plain", "", "one", *reference
    yield "penalties", "plain", "", "one, unscaled", *scored(plain, scaled=False)
    levels = np.split(np.arange(WIDTH), DIMS[:-1])
    models = np.split(np.arange(ALL), np.cumsum(DIMS[:-1]))
    each = {("concat", ""): (X, models)}
    for name in ("natural", "fold"):
        for representation, to_columns in maps[name].items():
            each[representation, name] = X @ to_columns[:, :WIDTH], levels
    for key, (columns, bands) in each.items():
        yield "penalties", *key, "one", *scored(columns)
        yield "penalties", *key, "one, unscaled", *scored(columns, scaled=False)
        yield "penalties", *key, "one a level", *scored(columns, bands=bands)

    for n in N_LABELS:
        few = np.random.default_rng(n).permutation(train)[:n]
        if len(few) < n:
            continue
        own = {"distilled": distilled, "concat_pca": components}
        columns = {("plain", ""): plain, ("smallest", ""): X[:, : DIMS[0]], ("concat", ""): X}
        for representation, to_map in own.items():
            for name in ("natural", "all variants"):
                columns[representation, name] = X @ maps[name][representation][:, :WIDTH]
            nested = X @ to_map(Moments.of(X[few]))
            columns[representation, "fold"] = nested[:, : min(WIDTH, nested.shape[1])]
        for key, A in columns.items():
            score = probe(A[few], y[few], A[test], y[test])
            yield "few_labels", *key, str(n), A.shape[1], score


def probe(A, y, A_test, y_test, *, scaled=True, bands=None):
    """Spearman correlation of a ridge regression whose penalty has the least leave-one-out error.

    It chooses and predicts like StandardScaler and RidgeCV, but computes all penalties from one
    decomposition. If `scaled` is False, all columns are divided by the same number. `bands` are
    blocks of columns that are multiplied by factors from a grid, so each has its own penalty.
    """
    mean, spread = A.mean(axis=0), A.std(axis=0)
    if not scaled:
        spread = np.full_like(spread, np.sqrt(np.mean(spread**2)))
    spread = np.where(spread > 1e-12 * max(1e-300, np.abs(mean).max()), spread, np.inf)
    Z, Z_test, centred = (A - mean) / spread, (A_test - mean) / spread, y - y.mean()
    gram, cross = Z.T @ Z, Z.T @ centred
    best = np.inf, None
    factors = product(*([(1,)] + [BANDS] * (len(bands) - 1))) if bands is not None else [None]
    for weights in factors:
        times = np.ones(len(gram))
        if weights is not None:
            for columns, weight in zip(bands, weights, strict=True):
                times[columns] = weight
        values, vectors = linalg.eigh(gram * np.outer(times, times))
        vectors *= times[:, np.newaxis]
        terms = Z @ vectors
        filters = 1 / (values.clip(0)[:, np.newaxis] + RIDGE_ALPHAS)
        solved = filters * (vectors.T @ cross)[:, np.newaxis]
        leverage = terms**2 @ filters + 1 / len(y)
        errors = (((centred[:, np.newaxis] - terms @ solved) / (1 - leverage)) ** 2).mean(axis=0)
        if errors.min() < best[0]:
            best = errors.min(), vectors @ solved[:, errors.argmin()]
    return correlation(y_test, Z_test @ best[1])


def chosen_prefix(columns, y, train, test, prefixes=None):
    """Score of the prefix and penalty that PrefixRidgeCV chooses on the training fold."""
    search = PrefixRidgeCV(
        RIDGE_ALPHAS[::2],
        prefixes=[columns.shape[1]] if prefixes is None else prefixes,
        cv=KFold(N_FOLDS, shuffle=True, random_state=0),
    )
    model = make_pipeline(StandardScaler(), search).fit(columns[train], y[train])
    return correlation(y[test], model.predict(columns[test]))


if __name__ == "__main__":
    main()
