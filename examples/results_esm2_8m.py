"""Look at published ESM-2 8M embeddings: their columns, what probes predict, and rounding errors.

    python examples/results_esm2_8m.py --data DATA --output docs/results/esm2_8m.csv

Variants of TEM-1 lactamase and of GB1, and three sets of peptides, each embedded by others with the
last layer of ESM-2 8M, averaged over residues (320 columns). Each of five folds is scored once by
probes that learn from 48, 96, 400 or all rows of the others. Four tables are written: scores, their
differences (_gains), variances of the columns (_columns) and rounding errors (_numerics).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from results_page import number, write
from safetensors.numpy import load_file
from scans import correlation
from scipy.stats import t
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegressionCV, Ridge, RidgeCV
from sklearn.metrics import matthews_corrcoef
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import (
    KmerComposition,
    Moments,
    PrefixRidgeClassifierCV,
    PrefixRidgeCV,
    ReverseDistiller,
    SequenceOneHotEncoder,
    SiteMean,
    Task,
)
from sklearn_revdist.evaluation._splits import make_folds

N_FOLDS = 5
LABELS = {"48": 48, "96": 96, "400": 400, "all": None}
LABELS_OF_PEPTIDES = {"96": 96, "all": None}
SHORT = 16, 48, 160
ALPHAS = np.logspace(-2, 6, 9)  # those of PrefixRidgeCV
PENALTIES = [1e-3, 1e-2, 1e-1, 1]  # C of the logistic regression
PEPTIDES = {
    "bitter peptides": ["bitter_train", "bitter_test"],
    "toxic peptides": ["test_580"],
    "anticancer peptides": ["main_ACP_test"],
}
ALL, COMPONENTS, ROUNDED = "all columns", "all components", "all columns, float16"
ONE_HOT, SITE_MEAN, COMPOSITION = "one-hot", "site mean", "composition"
FIRST = [f"first {k} columns" for k in SHORT]
COMPONENTS_OF = [f"{k} components" for k in SHORT]
COMPOSITION_OF_PAIRS = "composition of pairs"
RIDGE, PREFIX, LOGISTIC = "ridge", "prefix ridge", "logistic"
# Ours, and what it is compared with.
PAIRS = [
    ((ALL, PREFIX), (ALL, RIDGE)),
    ((COMPONENTS, PREFIX), (ALL, RIDGE)),
    *(((ALL, RIDGE), (baseline, RIDGE)) for baseline in (ONE_HOT, SITE_MEAN)),
    *(((f"{name} + all columns", RIDGE), (name, RIDGE)) for name in (ONE_HOT, SITE_MEAN)),
    *(((f"{name} + all columns", RIDGE), (ALL, RIDGE)) for name in (ONE_HOT, SITE_MEAN)),
    *(((name, RIDGE), (ALL, RIDGE)) for name in FIRST),
    *(((a, RIDGE), (b, RIDGE)) for a, b in zip(COMPONENTS_OF, FIRST, strict=True)),
    ((ROUNDED, RIDGE), (ALL, RIDGE)),
    ((ALL, LOGISTIC), (COMPOSITION, LOGISTIC)),
    ((ALL, LOGISTIC), (COMPOSITION_OF_PAIRS, LOGISTIC)),
    ((f"{COMPOSITION} + all columns", LOGISTIC), (COMPOSITION, LOGISTIC)),
    ((ALL, PREFIX), (ALL, LOGISTIC)),
    *(((name, LOGISTIC), (ALL, LOGISTIC)) for name in FIRST),
    *(((a, LOGISTIC), (b, LOGISTIC)) for a, b in zip(COMPONENTS_OF, FIRST, strict=True)),
]
KEY = ["data", "split", "representation", "probe"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--output", type=Path, help="file for the scores; default: only print them")
    args = parser.parse_args()
    tasks = [lactamase(args.data), protein_g(args.data), *peptides(args.data)]
    sets = {task.name: X for X, task in tasks} | {"residues": residues(args.data)}
    show(table_of_columns(sets, smallest_direction(sets["TEM-1"])), args.output, "_columns")
    show(table_of_checks(tasks), args.output, "_numerics")
    scores = scores_of(tasks)
    show(summary(scores), args.output)
    show(gains(scores), args.output, "_gains")


def show(table, output, name=""):
    print(table.to_string(index=False), flush=True)
    if output:
        write(table, output.with_stem(output.stem + name))


def smallest_direction(X):
    X = X.astype(np.float64)
    return np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][-1]


def lactamase(data):
    """TEM-1: variants of the table of sequences that have the position and fitness of a row.

    They are the same 5,198 pairs; variants of one position with equal fitness, 189 in all, are
    taken in the order of the table.
    """
    with np.load(data / "embeddings" / "tem1_esm2_8m_mean.npz") as file:
        X, y, position = file["emb"], file["fitness"], file["pos"].astype(int) + 1
    table = pd.read_csv(data / "dms" / "BLAT_ECOLX_P62593_esm_notebook.csv.gz")
    theirs = table["mutant"].str[1:-1].astype(int).to_numpy()
    fitness = table["DMS_score"].to_numpy(np.float32)
    ours, order = np.lexsort((y, position)), np.lexsort((fitness, theirs))
    if not (
        np.array_equal(position[ours], theirs[order]) and np.array_equal(y[ours], fitness[order])
    ):
        raise ValueError("Positions and fitness of the two tables of TEM-1 differ.")
    sequences = np.empty(len(y), dtype=object)
    sequences[ours] = table["mutated_sequence"].to_numpy()[order]
    return X, task_of("TEM-1", sequences, y.astype(np.float64), position)


def protein_g(data):
    """GB1: up to three substitutions at four positions, both parts of the published file."""
    with np.load(data / "embeddings" / "schmirler_gb1_esm2_8m_mean.npz") as file:
        X, y, sequences = (
            np.concatenate([file[f"{name}_train"], file[f"{name}_valid"]])
            for name in ("X", "y", "sequence")
        )
    return X, task_of("GB1", sequences, y.astype(np.float64))


def peptides(data):
    for task, names in PEPTIDES.items():
        files = [
            np.load(data / "embeddings" / f"unidl4biopep_{name}_esm2_8m.npz") for name in names
        ]
        X, sequences, label = (
            np.concatenate([file[name] for file in files]) for name in ("X", "seq", "label")
        )
        yield X, task_of(task, sequences, label)


def task_of(name, sequences, target, position=None):
    sequences = [str(sequence) for sequence in sequences]
    return Task(name, sequences, target, np.arange(len(sequences)), position=position)


def residues(data):
    """Residues of three random sequences, embedded by others with the same model."""
    file = load_file(data / "embeddings" / "fastplms_golden_esm2_8m.safetensors")
    return file["output__last_hidden_state"][file["residue_mask"].astype(bool)]


def table_of_columns(sets, constant):
    """Means and variances of the columns of each data set, and its principal directions.

    The direction `constant` is that in which variants of TEM-1 differ least.
    """
    total = np.mean([variances(sets[name]).sum() for name in PEPTIDES])
    rows = {}
    for name, X in sets.items():
        X = X.astype(np.float64)
        variance, mean = variances(X), X.mean(axis=0)
        deviation = np.sqrt(variance)
        ratio, largest, i = np.abs(mean) / deviation, np.argsort(-np.abs(mean)), variance.argmax()
        row = rows[name] = {"rows": len(X)}
        row["variance, % of the mean of peptides"] = number(100 * variance.sum() / total, 2)
        row["largest mean (column)"] = f"{number(mean[largest[0]], 2)} ({largest[0]})"
        row["second largest (column)"] = f"{number(mean[largest[1]], 2)} ({largest[1]})"
        row["median absolute mean"] = number(np.median(np.abs(mean)), 2)
        row["absolute mean / standard deviation, median"] = number(np.median(ratio), 1)
        row["absolute mean / standard deviation, largest"] = number(ratio.max(), 0)
        row["largest variance, % of all (column)"] = (
            f"{100 * variance[i] / variance.sum():.1f} ({i})"
        )
        row["largest variance / median"] = number(variance[i] / np.median(variance), 1)
        row["median variance / smallest"] = number(np.median(variance) / variance.min(), 1)
        for k in SHORT:
            row[f"variance of first {k} columns, %"] = (
                f"{100 * variance[:k].sum() / variance.sum():.0f}"
            )
        row["constant direction, mean"] = number(np.mean(X @ constant), 5)
        row["constant direction, standard deviation"] = f"{np.std(X @ constant):.0e}"
        if len(X) <= X.shape[1]:
            continue
        for how, A in (("as they are", X - mean), ("scaled", (X - mean) / deviation)):
            values = np.linalg.svd(A, compute_uv=False)
            share = np.cumsum(values**2) / np.sum(values**2)
            for percent in (90, 99):
                n = 1 + np.searchsorted(share, percent / 100)
                row[f"directions with {percent} % of the variance, {how}"] = n
        row["condition, scaled"] = f"{values[0] / values[-1]:.0e}"
        row["condition, scaled, last direction left out"] = f"{values[0] / values[-2]:.0f}"
    return transposed(rows)


def variances(X):
    return X.astype(np.float64).var(axis=0)


def transposed(rows):
    return pd.DataFrame(rows).rename_axis("quantity").reset_index().fillna("")


def table_of_checks(tasks):
    """Rounding errors of the package on these columns."""
    rows = {}
    for X, task in tasks:
        row = rows[task.name] = {}
        chosen = np.random.default_rng(0).permutation(len(X))[:60]
        y = task.target.astype(np.float64)
        error = left_out(X[chosen], y[chosen])
        row["leave-one-out scores, relative difference to refits"] = f"{error:.0e}"
        models = [PrefixRidgeCV().fit(X.astype(dtype), y) for dtype in (X.dtype, np.float64)]
        same = np.array_equal(models[0].coef_, models[1].coef_)
        row["coefficients equal for float64 input"] = "yes" if same else "no"
        exact = X.astype(np.longdouble).var(axis=0)
        single = X.astype(np.float32)
        moments = Moments.of(single)
        for name, value in (
            ("Moments of float32 input", np.diagonal(moments.scatter) / moments.weight),
            ("NumPy in float32", single.var(axis=0)),
            ("float32, mean of squares less square of mean", naive_variance(single)),
        ):
            error = np.max(np.abs(value.astype(np.longdouble) - exact) / exact)
            row[f"variance, relative error, {name}"] = f"{float(error):.0e}"
        spacing = np.spacing(np.abs(X.mean(axis=0)).astype(np.float16)).astype(np.float64)
        share = spacing**2 / 12 / variances(X)
        row["variance of rounding to float16, %, median column"] = f"{100 * np.median(share):.1e}"
        row["variance of rounding to float16, %, worst column"] = f"{100 * share.max():.1e}"
        nested = ReverseDistiller([80, 240], regressor="ols").fit_transform(X.astype(np.float64))
        new = np.corrcoef(nested.T)[:80, 80:]
        row["new columns and prefix (80 columns, 240), largest correlation"] = (
            f"{np.abs(new).max():.0e}"
        )
    return transposed(rows)


def naive_variance(X):
    return (X**2).mean(axis=0) - X.mean(axis=0) ** 2


def left_out(X, y):
    """Largest relative difference of leave-one-out scores to those of refits without each row."""
    prefixes = [1, 16, 48, 59, 60, 160, 320]
    how = {"alphas": ALPHAS, "prefixes": prefixes, "scoring": "neg_mean_squared_error"}
    scores = PrefixRidgeCV(**how).fit(X, y).cv_scores_
    # As documented, deviations of the columns are those of all rows.
    scaled = StandardScaler().fit_transform(X.astype(np.float64))
    worst = 0
    for i, k in enumerate(prefixes):
        for j, alpha in enumerate(ALPHAS):
            errors = []
            for row in range(len(y)):
                others = np.arange(len(y)) != row
                model = Ridge(alpha, solver="svd").fit(scaled[others, :k], y[others])
                errors.append(y[row] - model.predict(scaled[[row], :k])[0])
            refitted = -np.mean(np.square(errors))
            worst = max(worst, abs(scores[i, j] / refitted - 1))
    return worst


def scores_of(tasks):
    """Score of each fold, by data, split, representation, probe and number of labels."""
    rows = []
    for X, task in tasks:
        classes = task.kind == "classification"
        splits = ["random", "modulo", "contiguous"] if task.position is not None else ["random"]
        for split in splits:
            print(task.name, split, file=sys.stderr, flush=True)
            for fold, (train, test) in enumerate(make_folds(task, split, N_FOLDS)):
                order = np.random.default_rng(fold).permutation(train)
                for labels, n in (LABELS_OF_PEPTIDES if classes else LABELS).items():
                    scored = (of_peptides if classes else of_variants)(
                        X, task, train, order[:n], test, split
                    )
                    for named, score in scored:
                        rows.append((task.name, split, *named, labels, fold, score))
    table = pd.DataFrame(rows, columns=[*KEY, "labels", "fold", "score"])
    return table.pivot(index="fold", columns=[*KEY, "labels"], values="score")


def of_variants(X, task, unlabelled, train, test, split):
    """Spearman correlation of each representation and probe, in one fold."""
    y, columns = task.target, columns_of(X, unlabelled)
    sequences = np.array(task.sequences, dtype=object)
    # Where test positions have no label, one-hot and site mean are the same for all test rows.
    if split == "random":
        encoder = SequenceOneHotEncoder().fit(sequences[train])
        columns[ONE_HOT] = encoder.transform(sequences)
        site_mean = SiteMean()
        crossed = site_mean.fit_transform(sequences[train], y[train])
        means = site_mean.transform(sequences)
        yield (SITE_MEAN, RIDGE), correlation(y[test], means[test, 0])
        means[train] = crossed
        columns[f"{SITE_MEAN} + {ALL}"] = np.hstack([means, columns[ALL]])
        if columns[ONE_HOT].shape[1] < 5000:  # else it takes too long
            columns[f"{ONE_HOT} + {ALL}"] = np.hstack([columns[ONE_HOT], columns[ALL]])
    if X.dtype == np.float32:
        columns[ROUNDED] = X.astype(np.float16).astype(np.float64)
    for name, A in columns.items():
        scaled = () if "components" in name else (StandardScaler(),)
        if name != COMPONENTS:
            ridge = make_pipeline(*scaled, RidgeCV(ALPHAS)).fit(A[train], y[train])
            yield (name, RIDGE), correlation(y[test], ridge.predict(A[test]))
        if name in (ALL, COMPONENTS):
            prefix = PrefixRidgeCV(ALPHAS, scale=bool(scaled)).fit(A[train], y[train])
            yield (name, PREFIX), correlation(y[test], prefix.predict(A[test]))


def of_peptides(X, task, unlabelled, train, test, split):
    """Matthews correlation of each representation and probe, in one fold."""
    y, columns = task.target, columns_of(X, unlabelled)
    for k, name in ((1, COMPOSITION), (2, COMPOSITION_OF_PAIRS)):
        columns[name] = KmerComposition(k).fit_transform(task.sequences)
    columns[f"{COMPOSITION} + {ALL}"] = np.hstack([columns[COMPOSITION], columns[ALL]])
    for name, A in columns.items():
        scaled = () if "components" in name else (StandardScaler(),)
        if name != COMPONENTS:
            how = {"scoring": "neg_log_loss", "cv": 5, "max_iter": 2000, "l1_ratios": (0,)}
            logistic = LogisticRegressionCV(Cs=PENALTIES, use_legacy_attributes=False, **how)
            logistic = make_pipeline(*scaled, logistic).fit(A[train], y[train])
            yield (name, LOGISTIC), matthews_corrcoef(y[test], logistic.predict(A[test]))
        if name in (ALL, COMPONENTS):
            prefix = PrefixRidgeClassifierCV(ALPHAS, scale=bool(scaled)).fit(A[train], y[train])
            yield (name, PREFIX), matthews_corrcoef(y[test], prefix.predict(A[test]))


def columns_of(X, unlabelled):
    """First columns, and components of all rows of the training fold, labelled or not."""
    X = X.astype(np.float64)
    columns = {ALL: X} | {name: X[:, :k] for name, k in zip(FIRST, SHORT, strict=True)}
    scaler = StandardScaler().fit(X[unlabelled])
    pca = PCA(svd_solver="full").fit(scaler.transform(X[unlabelled]))
    columns[COMPONENTS] = components = pca.transform(scaler.transform(X))
    for name, k in zip(COMPONENTS_OF, SHORT, strict=True):
        columns[name] = components[:, :k]
    return columns


def summary(scores):
    """Means over the folds, a column a number of labels."""
    table = scores.mean().map(number).unstack("labels", sort=False)[list(LABELS)]
    return table.fillna("").reset_index()


def gains(scores):
    """Mean differences over the folds, with 95 % intervals of Student's t."""
    rows = []
    for data, split in scores.columns.droplevel([*KEY[2:], "labels"]).unique():
        for ours, theirs in PAIRS:
            row = {"data": data, "split": split}
            row |= {"representation": ", ".join(ours), "rival": ", ".join(theirs)}
            for labels in LABELS:
                pair = [(data, split, *named, labels) for named in (ours, theirs)]
                if all(key in scores for key in pair):
                    row[labels] = bounded(scores[pair[0]] - scores[pair[1]])
            if len(row) > 4:
                rows.append(row)
    return pd.DataFrame(rows).fillna("")[["data", "split", "representation", "rival", *LABELS]]


def bounded(gain):
    half = t.ppf(0.975, len(gain) - 1) * gain.std() / np.sqrt(len(gain))
    mean = gain.mean()
    return f"{number(mean)} [{number(mean - half)}, {number(mean + half)}]"


if __name__ == "__main__":
    main()
