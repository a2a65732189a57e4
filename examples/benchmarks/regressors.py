"""Compare regressors on few and many rows, by their predictions and by probes.

    python examples/benchmarks/regressors.py --data DATA

Rows are pooled demo-chain embeddings of proteins of E. coli. Each regressor is fitted on n rows,
for several n relative to the width k of the prefix, and predicts the next model's embedding of
other proteins. The probe is a ridge on the distilled embedding of a mutational scan, with the
distiller fitted in each training fold of n variants.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import ESMEmbedder, ReverseDistiller, load_if1_ecoli, read_fasta

REGRESSORS = ("ols", "ridge", "pcr")
N_DRAWS = 10


def held_out_r2(distiller, X, level):
    """Share of a model's variance that the prefix predicts, on held-out rows."""
    stops = np.cumsum(distiller.dims_)
    own = slice(stops[level - 1], stops[level])
    prefix = distiller.set_params(n_components=None).transform(X)
    prefix = prefix[:, : distiller.prefix_lengths_[level - 1]]
    error = distiller.inverse_transform(prefix)[:, own] - X[:, own]
    return 1 - (error**2).sum() / ((X[:, own] - X[:, own].mean(axis=0)) ** 2).sum()


def predictions(X, rng):
    rows = []
    for level in (1, 2):
        width = ReverseDistiller().fit(X).prefix_lengths_[level - 1]
        for share in (0.5, 1, 2, 10):
            n = int(share * width)
            for regressor in REGRESSORS:
                scores = []
                for _ in range(N_DRAWS):
                    order = rng.permutation(len(X))
                    distiller = ReverseDistiller(regressor=regressor).fit(X[order[:n]])
                    scores.append(
                        (
                            1 - distiller.r2_[level - 1],
                            held_out_r2(distiller, X[order[n:]], level),
                        )
                    )
                left, r2 = np.mean(scores, axis=0)
                rows.append((f"{width}", f"{share:g} k", regressor, left, r2))
    columns = ["prefix k", "rows", "regressor", "residual left in the fit", "held-out R2"]
    return pd.DataFrame(rows, columns=columns)


def probes(X, y):
    rows = []
    probe = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 6, 17)))
    for n in (48, 96, 200, 800):
        folds = list(ShuffleSplit(N_DRAWS, train_size=n, random_state=0).split(X))
        for regressor in REGRESSORS:
            scores = []
            for train, test in folds:
                distiller = ReverseDistiller(regressor=regressor).fit(X[train])
                probe.fit(distiller.transform(X[train]), y[train])
                predicted = probe.predict(distiller.transform(X[test]))
                scores.append(spearmanr(predicted, y[test]).statistic)
            rows.append((n, regressor, np.mean(scores), np.std(scores)))
    return pd.DataFrame(rows, columns=["variants", "regressor", "Spearman", "SD"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # about columns beyond the rank, which are expected here
    fasta = args.data / "sequences/uniprot_proteomes/UP000000625-E.coli.fasta.gz"
    natural = [s for s in read_fasta(fasta)[1] if 50 <= len(s) <= 500][:2500]
    embedder = ESMEmbedder("demo", unknown="X", verbose=True)
    print(predictions(embedder.transform(natural), np.random.default_rng(0)).round(3).to_string())
    X, y = load_if1_ecoli(return_X_y=True)
    print(probes(embedder.transform(X), y).round(3).to_string())


if __name__ == "__main__":
    main()
