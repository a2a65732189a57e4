"""Score a probe after a distiller that is fitted on few variants.

    python examples/benchmarks/few_rows.py --data DATA --store scans.sqlite

From each of four scans, 170 variants are drawn ten times, and distiller and probe are fitted on
four fifths of them. For each number of new columns and each probe, the script prints the mean
Spearman correlation, and the worst R2 on any of the 50 folds minus that of the mean of the training
targets.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import ESMEmbedder, PrefixRidgeCV, ReverseDistiller

SCANS = (
    "B2L11_HUMAN_Dutta_2010_binding-Mcl-1",
    "CALM1_HUMAN_Weile_2017",
    "TAT_HV1BR_Fernandes_2016",
    "REV_HV1H2_Fernandes_2016",
)
DIMS = [48, 96, 160]
N_VARIANTS, N_DRAWS = 170, 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--store", type=Path, default=Path("scans.sqlite"))
    args = parser.parse_args()
    warnings.filterwarnings("ignore", ".*(beyond the numerical rank|fewer than its)")
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 6, 17)))
    probes = {"StandardScaler, RidgeCV": ridge, "PrefixRidgeCV": PrefixRidgeCV()}
    pipelines = {
        (f"distilled, n_new={n_new}", name): (ReverseDistiller(DIMS, n_new=n_new), probe)
        for n_new in ("all", None)
        for name, probe in probes.items()
    }
    pipelines["largest model alone", "StandardScaler, RidgeCV"] = None, ridge
    rows = []
    for scan in SCANS:
        (file,) = args.data.glob(f"dms/{scan}.csv*")
        variants = pd.read_csv(file)
        H = ESMEmbedder("demo", store=args.store).transform(variants["mutated_sequence"])
        for draw in range(N_DRAWS):
            some = np.random.default_rng(draw).permutation(len(H))[:N_VARIANTS]
            X, y = H[some].astype(np.float64), variants["DMS_score"].to_numpy()[some]
            for train, test in KFold(5, shuffle=True, random_state=draw).split(X):
                constant = r2_score(y[test], np.full(len(test), y[train].mean()))
                for name, (distiller, probe) in pipelines.items():
                    if distiller is None:
                        columns = X[:, -DIMS[-1] :]
                    else:
                        columns = distiller.fit(X[train]).transform(X)
                    predicted = probe.fit(columns[train], y[train]).predict(columns[test])
                    order = spearmanr(predicted, y[test])[0] if np.ptp(predicted) else 0.0
                    rows.append((*name, scan, order, r2_score(y[test], predicted) - constant))
    table = pd.DataFrame(rows, columns=["columns", "probe", "scan", "Spearman", "worst R2"])
    table = table.groupby(["columns", "probe", "scan"], sort=False)
    table = table.agg({"Spearman": "mean", "worst R2": "min"}).unstack("scan").round(2)
    for measure in ("Spearman", "worst R2"):
        print(f"\n{measure}:")
        print(table[measure].rename(columns=lambda scan: scan.split("_")[0]).to_string())


if __name__ == "__main__":
    main()
