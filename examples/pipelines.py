"""Score the pipelines of the README and their baselines on 14 mutational scans.

    python examples/pipelines.py --data DATA --output docs/results/pipelines.csv

Each pipeline is fitted with its defaults in five shuffled folds and in five folds of neighbouring
positions. DATA is a folder with ProteinGym's scans in its folder ``dms``. The store keeps the
embeddings, so a second run takes a quarter of the time.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_revdist import ContiguousKFold, ESMEmbedder, PrefixRidgeCV, ReverseDistiller

SCANS = (
    "CCDB_ECOLI_Adkar_2012",
    "CCDB_ECOLI_Tripathi_2016",
    "IF1_ECOLI_Kelsic_2016",
    "SUMO1_HUMAN_Weile_2017",
    "CALM1_HUMAN_Weile_2017",
    "NUD15_HUMAN_Suiter_2020",
    "RL401_YEAST_Mavor_2016",
    "RL401_YEAST_Roscoe_2014",
    "TAT_HV1BR_Fernandes_2016",
    "REV_HV1H2_Fernandes_2016",
    "A0A1I9GEU1_NEIME_Kennouche_2019",
    "AACC1_PSEAI_Dandage_2018",
    "DYR_ECOLI_Thompson_plusLon_2019",
    "RASH_HUMAN_Bandaru_2017",
)
DIMS = [48, 96, 160]
ALPHAS = np.logspace(-2, 6, 17)
SPLITS = {"shuffled": KFold(5, shuffle=True, random_state=0), "contiguous": ContiguousKFold(5)}
LARGEST = "largest model alone, StandardScaler(), RidgeCV(alphas)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--store", type=Path, default=Path("scans.sqlite"))
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    embedder = ESMEmbedder("demo", store=args.store, verbose=True)
    natural = ReverseDistiller.from_pretrained("demo")
    rows = []
    for scan in SCANS:
        (file,) = args.data.glob(f"dms/{scan}.csv*")
        variants = pd.read_csv(file)
        H = embedder.transform(variants["mutated_sequence"])
        residues = np.array([list(sequence) for sequence in variants["mutated_sequence"]])
        y = variants["DMS_score"].to_numpy()
        positions = variants["mutant"].str[1:-1].astype(int).to_numpy()
        for split, splitter in SPLITS.items():
            groups = None if split == "shuffled" else positions
            for train, test in splitter.split(H, groups=groups):
                for name, predicted in predictions(H, residues, positions, y, train, test, natural):
                    score = 0.0 if np.ptp(predicted) == 0 else spearmanr(predicted, y[test])[0]
                    rows.append((scan, split, name, score))
    table = summary(pd.DataFrame(rows, columns=["scan", "split", "pipeline", "score"]))
    print(table.to_string(index=False))
    if args.output:
        table.to_csv(args.output, index=False, lineterminator="\n")


def predictions(H, residues, positions, y, train, test, natural):
    """Name of each pipeline and its predictions for the test rows."""

    def of(pipeline, X):
        with warnings.catch_warnings():
            # Folds of a few hundred rows are intended.
            warnings.filterwarnings("ignore", ".*(beyond the numerical rank|fewer than its)")
            return pipeline.fit(X[train], y[train]).predict(X[test])

    frozen, own = FrozenEstimator(natural), ReverseDistiller(DIMS)
    scaled = StandardScaler(), RidgeCV(ALPHAS)
    yield (
        "distiller of natural residues, PrefixRidgeCV()",
        of(make_pipeline(frozen, PrefixRidgeCV()), H),
    )
    yield "ReverseDistiller(), PrefixRidgeCV()", of(make_pipeline(own, PrefixRidgeCV()), H)
    yield (
        "distiller of natural residues, StandardScaler(), RidgeCV(alphas)",
        of(make_pipeline(frozen, *scaled), H),
    )
    yield (
        "ReverseDistiller(), StandardScaler(), RidgeCV(alphas)",
        of(make_pipeline(own, *scaled), H),
    )
    yield "ReverseDistiller(), Ridge()", of(make_pipeline(own, Ridge()), H)
    yield LARGEST, of(make_pipeline(*scaled), H[:, -DIMS[-1] :])
    yield "whole concatenation, StandardScaler(), RidgeCV(alphas)", of(make_pipeline(*scaled), H)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    yield "one-hot, RidgeCV(alphas)", of(make_pipeline(one_hot, RidgeCV(ALPHAS)), residues)
    means = pd.Series(y[train]).groupby(positions[train]).mean()
    yield "mean of the site", means.reindex(positions[test]).fillna(y[train].mean()).to_numpy()


def summary(scores):
    """Mean of each pipeline and split over scans, and number of wins over the largest model."""
    by_scan = scores.pivot_table(index="pipeline", columns=["split", "scan"], values="score")
    by_scan = by_scan.loc[scores["pipeline"].unique()]
    table = pd.DataFrame({"pipeline": by_scan.index})
    for split in SPLITS:
        of_split = by_scan[split]
        wins = (of_split > of_split.loc[LARGEST]).sum(axis=1)
        table[f"{split} folds"] = of_split.mean(axis=1).map("{:.3f}".format).to_numpy()
        table[f"wins of {len(SCANS)}, {split}"] = np.where(
            wins.index == LARGEST, "", wins.astype(str)
        )
    return table


if __name__ == "__main__":
    main()
