"""Compare new columns from the residual of one model and of all models so far.

    python examples/benchmarks/residuals.py --data DATA --store scans.sqlite

Synthetic chains of three models, whose middle one knows a number of things that no other does, are
fitted on a thousand rows. A ridge on 150 of these learns a target that depends on all that is
known, or on all but those things, and is scored on a thousand others, as is the reconstruction of
all models. Then the demo chain embeds scans. The distiller is fitted on residues of natural
proteins or on the training fold, and the probe is a scaler and a ridge. Gains are of "joint" over
"model", with the standard error of their mean.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import ESMEmbedder, ReverseDistiller, read_fasta

SCANS = ("IF1_ECOLI_Kelsic_2016", "CCDB_ECOLI_Adkar_2012")
DIMS = [16, 32, 64]
N_DRAWS = 20
PROBE = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 6, 17)))


def strong_middle(rng, n_own, matters, n_samples=2000):
    """Embeddings of three models, and a target, to which what the middle one knows may matter."""
    known = rng.normal(size=(n_samples, 32 + n_own))
    blocks = []
    for width, sees in zip(DIMS, (np.r_[:8], np.r_[:12, 32 : 32 + n_own], np.r_[:32]), strict=True):
        X = known[:, sees] @ rng.normal(size=(len(sees), width)) / np.sqrt(len(sees))
        blocks.append(X + 0.1 * rng.normal(size=X.shape))
    n_used = known.shape[1] if matters else 32
    y = known[:, :n_used] @ rng.normal(size=n_used)
    return np.hstack(blocks), y + 0.5 * y.std() * rng.normal(size=n_samples)


def distilled(X, residual):
    return ReverseDistiller(DIMS, residual=residual, regressor="ols").fit(X)


def synthetic(n_own, matters):
    rows = []
    labelled, fitted, test = slice(150), slice(1000), slice(1000, None)
    for draw in range(N_DRAWS):
        X, y = strong_middle(np.random.default_rng(draw), n_own, matters)
        columns = {"plain": X[:, -DIMS[-1] :], "all": X}
        columns["PCA"] = PCA(DIMS[-1], svd_solver="full").fit(X[fitted]).transform(X)
        for residual in ("model", "joint"):
            distiller = distilled(X[fitted], residual)
            rows.append(("reconstruction, " + residual, draw, distiller.score(X[test])))
            columns[residual] = distiller.transform(X)
        for name, A in columns.items():
            score = PROBE.fit(A[labelled], y[labelled]).score(A[test], y[test])
            rows.append(("probe, " + name, draw, score))
    return pd.DataFrame(rows, columns=["R2 of", "draw", "score"])


def summary(table, by):
    """Means of each name, and gains of joint over model."""
    scores = table.pivot(index="draw", columns=by, values="score")
    text = ", ".join(f"{name} {score:.3f}" for name, score in scores.mean().items())
    for name in scores:
        if name.endswith("joint"):
            gain = scores[name] - scores[name.replace("joint", "model")]
            text += f"; gain ({name}) {gain.mean():+.4f} (SE {gain.sem():.4f})"
    return text


def scans(data, store):
    fasta = data / "sequences/uniprot_proteomes/UP000000625-E.coli.fasta.gz"
    natural = [s for s in read_fasta(fasta)[1] if 50 <= len(s) <= 500][:100]
    embedder = ESMEmbedder("demo", unknown="X")
    moments = ReverseDistiller().fit_residues(natural, embedder).moments_
    for scan in SCANS:
        (file,) = data.glob(f"dms/{scan}.csv*")
        variants = pd.read_csv(file)
        X = ESMEmbedder("demo", store=store).transform(variants["mutated_sequence"])
        X, y = X.astype(np.float64), variants["DMS_score"].to_numpy()
        for n_labels in (96, 400):
            rows = []
            splits = ShuffleSplit(N_DRAWS, train_size=n_labels, random_state=0).split(X)
            for draw, (train, test) in enumerate(splits):
                for name, A in nested(X, moments, train):
                    predicted = PROBE.fit(A[train], y[train]).predict(A[test])
                    rows.append((name, draw, spearmanr(predicted, y[test])[0]))
            table = pd.DataFrame(rows, columns=["columns", "draw", "score"])
            print(scan, n_labels, summary(table, "columns"), flush=True)


def nested(X, moments, train):
    """Columns to compare, by their names."""
    yield "plain", X[:, -160:]
    for residual in ("model", "joint"):
        distiller = ReverseDistiller([48, 96, 160], residual=residual)
        yield f"natural, {residual}", distiller.fit_moments(moments).transform(X)
        yield f"fold, {residual}", distiller.fit(X[train]).transform(X)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--store", type=Path, default=Path("scans.sqlite"))
    args = parser.parse_args()
    warnings.filterwarnings("ignore", ".*(beyond the numerical rank|fewer than its)")
    for n_own in (0, 8, 16, 24, 32):
        for matters in (True, False):
            to_target = "matter" if matters else "do not matter"
            print(f"{n_own} things of the middle model {to_target}:", end=" ")
            print(summary(synthetic(n_own, matters), "R2 of"), flush=True)
    scans(args.data, args.store)


if __name__ == "__main__":
    main()
