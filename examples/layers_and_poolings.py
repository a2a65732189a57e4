"""Score every layer and pooling of the demo chain on 39 scans and three classifications.

    python examples/layers_and_poolings.py --data DATA --output layers --tables docs/results

All layers of a model are embedded in one pass. Of the largest model all layers are scored with all
poolings, of the others with the mean. A scan has at most 1,000 variants; its folds are random, of
every fifth position, or of neighbouring positions. A classification has at most 1,000 proteins to
learn from and 1,000 to test, of the split that its data come with. The probe is the same for all: a
ridge regression whose penalty has the least leave-one-out error. The scores of a task are kept in a
file of their own, so an interrupted run can be continued.
"""

import argparse
import sys
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from layers_page import LARGE, write_page
from scipy import linalg

from sklearn_revdist import ESMEmbedder, ReverseDistiller, Task, read_fasta
from sklearn_revdist.evaluation._probes import RIDGE_ALPHAS, score
from sklearn_revdist.evaluation._score_files import write_scores
from sklearn_revdist.evaluation._splits import make_folds
from sklearn_revdist.sequences._draw import draw_proteins
from sklearn_revdist.tasks._task_list import task_readers

HERE = Path(__file__).parent
N_VARIANTS, N_PROTEINS, N_FOLDS, N_NATURAL = 1000, 1000, 5, 300
MAX_LENGTH = 1022
POOLINGS = ["mean", "max", "cls", "eos"]
OF_SITES = ["sites", "sites_difference"]
FRACTIONS = 0.5, 0.75, 1.0  # layers of the chains that are distilled
CLASSIFICATIONS = "metal ion binding", "localisation"
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
SCORED = ["split", "model", "layer", "pooling", "n_columns", "fold", "score", "error"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--output", type=Path, default=Path("layers"), help="folder of all scores")
    parser.add_argument("--tables", type=Path, help="folder for the page's tables and figure")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    tables = []
    for name, read in readers(args.data):
        path = args.output / f"{name}.csv"
        if not path.exists():
            print(name, file=sys.stderr, flush=True)
            write_scores(scores_of(read(), args.data), path)
        tables.append(read_of_task(path))
    write_page(pd.concat(tables, ignore_index=True), args.tables or args.output / "tables")


def read_of_task(path):
    return pd.read_csv(path, dtype={"layer": str}, keep_default_na=False, na_values={"error": [""]})


def readers(data):
    """Yield the name of each task, and what reads it."""
    for read in task_readers(HERE / "all_tasks.toml", data=data):
        name = read.keywords["name"]
        if read.func.__name__ == "read_scan" or name in CLASSIFICATIONS:
            yield name, partial(drawn, read)
    yield "signal peptide", partial(drawn, partial(signal_peptides, data))


def signal_peptides(data):
    """Proteins with a signal peptide of the common kind, and without any (TMbed's data)."""
    headers, sequences = read_fasta(data / "sequences" / "tmbed_all_seq.fasta.gz")
    fields = [header.split("|") for header in headers]
    kept = [i for i, field in enumerate(fields) if field[2] in ("SP", "NO_SP")]
    return Task(
        "signal peptide",
        [sequences[i] for i in kept],
        np.array([fields[i][2] for i in kept], dtype=object),
        np.arange(len(kept)),
        split=np.array(["test" if fields[i][3] == "0" else "train" for i in kept]),
    )


def drawn(read):
    """A task with no more rows than are scored."""
    task = read()
    rng = np.random.default_rng(0)
    if task.kind == "regression":
        sides, n_rows = [np.arange(len(task.target))], N_VARIANTS
    else:
        is_test = task.split == "test"
        sides, n_rows = [np.flatnonzero(~is_test), np.flatnonzero(is_test)], N_PROTEINS
    rows = [side if len(side) <= n_rows else rng.choice(side, n_rows, False) for side in sides]
    return task.take(np.sort(np.concatenate(rows)))


@cache
def natural_distillers(data):
    """Distillers of residues of natural proteins, by the fraction of the depth."""
    proteomes = sorted(data.glob("sequences/uniprot_proteomes/*.fasta.gz"))
    records = (sequence for path in proteomes for sequence in read_fasta(path)[1])
    natural = draw_proteins(records, N_NATURAL).proteins
    return {
        fraction: ReverseDistiller().fit_residues(natural, ESMEmbedder("demo", layer=fraction))
        for fraction in FRACTIONS
    }


def scores_of(task, data):
    """Score and leave-one-out error of each layer and pooling, and of the baselines, by fold."""
    splits = ["random"] if task.position is None else ["random", "modulo", "contiguous"]
    if task.split is not None:
        splits = ["given"]
    folds = [
        (split, fold, *rows)
        for split in splits
        for fold, rows in enumerate(make_folds(task, split, N_FOLDS))
    ]
    scored = []
    for model, layer, pooling, columns in representations(task, data):
        for split, fold, train, test in folds:
            key = split, model, layer, pooling, columns.shape[1], fold
            scored.append((*key, *score_fold(task, columns, train, test, pooling != "one-hot")))
    if task.position is not None:
        for split, fold, train, test in folds:
            y, position = task.target[train], task.position[train]
            means = pd.Series(y).groupby(position).mean()
            predicted = means.reindex(task.position[test]).fillna(y.mean()).to_numpy()
            found = score("spearman", task.target[test], predicted, None)
            scored.append((split, "", "", "mean of the site", 1, fold, found, np.nan))
    table = pd.DataFrame(scored, columns=SCORED)
    table.insert(0, "task", task.name)
    table.insert(1, "kind", task.kind)
    return table


def representations(task, data):
    """Yield model, layer, pooling and columns."""
    residues = [sequence.upper() for sequence in task.sequences]
    aligned = task.wild_type is not None and {len(task.wild_type)} == {*map(len, residues)}
    poolings = POOLINGS + OF_SITES if aligned else POOLINGS
    embedder = ESMEmbedder(
        "demo", pooling=poolings, reference=task.wild_type, max_length=MAX_LENGTH, unknown="X"
    )
    found = embedder.transform_layers(task.sequences)
    blocks = {
        (model, layer, pooling): block[task.protein].astype(np.float64)
        for model, layers in found.items()
        for layer, columns in enumerate(layers)
        for pooling, block in zip(poolings, np.split(columns, len(poolings), axis=1), strict=True)
    }
    depths = {model: len(layers) - 1 for model, layers in found.items()}
    for (model, layer, pooling), block in blocks.items():
        if model == LARGE or pooling == "mean":
            yield model, layer, pooling, block
    for pooling in ["mean", *(OF_SITES if aligned else [])]:
        last = [blocks[model, depth, pooling] for model, depth in depths.items()]
        yield "concatenation", 1.0, pooling, np.hstack(last)
        for fraction, distiller in natural_distillers(data).items():
            layers = [(model, int(fraction * depth + 0.5)) for model, depth in depths.items()]
            X = np.hstack([blocks[model, layer, pooling] for model, layer in layers])
            yield "distilled", fraction, pooling, distiller.transform(X)
    if aligned:
        for layer in range(depths[LARGE] + 1):
            for pooling in OF_SITES:
                both = [blocks[LARGE, layer, "mean"], blocks[LARGE, layer, pooling]]
                yield LARGE, layer, f"mean + {pooling}", np.hstack(both)
        letters = np.array([list(sequence) for sequence in residues])
        one_hot = (letters[:, :, np.newaxis] == np.unique(letters)).reshape(len(letters), -1)
        yield "", "", "one-hot", one_hot[task.protein][:, one_hot.any(axis=0)].astype(float)
    if task.kind == "classification":
        counts = [[sequence.count(letter) for letter in AMINO_ACIDS] for sequence in residues]
        shares = np.array(counts) / np.sum(counts, axis=1, keepdims=True)
        yield "", "", "composition", shares[task.protein]


def score_fold(task, columns, train, test, scaled):
    """Score on the test rows, and leave-one-out error on the training rows."""
    if task.kind == "regression":
        predicted, error = ridge(columns[train], task.target[train], columns[test], scaled)
        return score("spearman", task.target[test], predicted[:, 0], None), error
    classes, of_train = np.unique(task.target[train], return_inverse=True)
    signs = 2.0 * np.eye(len(classes))[of_train] - 1
    predicted, error = ridge(columns[train], signs, columns[test], scaled)
    return score("aupr", task.target[test], predicted, classes), error


def ridge(A, y, A_test, scaled):
    """Predictions of the ridge regression of least leave-one-out error, and that error.

    It chooses and predicts like StandardScaler and RidgeCV, but computes all penalties from one
    decomposition, of the columns or of the rows, whichever are fewer. If `scaled` is False, all
    columns are divided by the same number.
    """
    mean, spread = A.mean(axis=0), A.std(axis=0)
    if not scaled:
        spread = np.full_like(spread, np.sqrt(np.mean(spread**2)))
    spread = np.where(spread > 1e-12 * max(1e-300, np.abs(mean).max()), spread, np.inf)
    Z, Z_test = (A - mean) / spread, (A_test - mean) / spread
    y = y.reshape(len(y), -1)
    centred = y - y.mean(axis=0)
    if Z.shape[1] <= len(Z):
        values, vectors = linalg.eigh(Z.T @ Z)
    else:
        values, rows = linalg.eigh(Z @ Z.T)
        kept = values > 1e-10 * max(values.max(), 1e-300)
        values, vectors = values[kept], Z.T @ (rows[:, kept] / np.sqrt(values[kept]))
    terms, terms_test = Z @ vectors, Z_test @ vectors
    filters = 1 / (values.clip(0)[:, np.newaxis] + RIDGE_ALPHAS)
    solved = filters[:, :, np.newaxis] * (terms.T @ centred)[:, np.newaxis]
    fitted = np.tensordot(terms, solved, axes=1)
    leverage = terms**2 @ filters + 1 / len(y)
    errors = (centred[:, np.newaxis] - fitted) / (1 - leverage)[:, :, np.newaxis]
    errors = (errors**2).mean(axis=(0, 2))
    return terms_test @ solved[:, errors.argmin()] + y.mean(axis=0), errors.min()


if __name__ == "__main__":
    main()
