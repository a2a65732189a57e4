"""
One distiller, many pipelines
=============================

A distiller needs no labels, so it need not be fitted with the probe. Fitted once, on residues of
natural proteins, and frozen, it serves every task and every probe alike, and what it learnt does
not depend on how few proteins a task has.
"""

# %%
# Fitted once
# -----------
#
# The residues of 160 natural chains are enough for the demo chain's 304 columns. (For ESM-2 the
# paper takes a thousand sequences.) What is saved is one affine map, without pickle.

import tempfile
from pathlib import Path

from sklearn_revdist import (
    ESMEmbedder,
    ReverseDistiller,
    load_if1_ecoli,
    load_secondary_structure,
)

embedder = ESMEmbedder("demo")
natural = load_secondary_structure().data
fitted = ReverseDistiller(regressor="ols").fit_residues(natural, embedder)
print(f"{fitted.moments_.weight:,.0f} residues")

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "distiller.safetensors"
fitted.save_pretrained(path)
distiller = ReverseDistiller.from_pretrained(path)
folder.cleanup()

# %%
# Frozen in many pipelines
# ------------------------
#
# :class:`sklearn.frozen.FrozenEstimator` keeps it as it is through every ``fit`` and every clone.
# The rival is a distiller that is fitted in each training fold on the variants of that fold.

from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

probes = {
    "ridge": RidgeCV([1, 10, 100, 1000]),
    "support vectors": SVR(C=0.3),
    "random forest": RandomForestRegressor(100, max_features=0.3, random_state=0),
    "nearest neighbours": KNeighborsRegressor(5, weights="distance"),
}
distillers = {"frozen": FrozenEstimator(distiller), "refitted": ReverseDistiller()}

# %%
# 200 variants of a scan, five folds, shuffled three times.

import numpy as np
from scipy.stats import spearmanr
from sklearn.model_selection import RepeatedKFold, cross_val_score

X, y = load_if1_ecoli(return_X_y=True)
some = np.random.default_rng(0).choice(len(y), 200, replace=False)
H, y = embedder.transform(X[some]), y[some]


def spearman(model, X, y):
    return spearmanr(model.predict(X), y).statistic


folds = RepeatedKFold(n_splits=5, n_repeats=3, random_state=0)
scores = {
    (probe, kind): cross_val_score(
        make_pipeline(distillers[kind], StandardScaler(), probes[probe]),
        H,
        y,
        scoring=spearman,
        cv=folds,
    )
    for probe in probes
    for kind in distillers
}

# %%
# Each small point is a fold, each large one the mean over folds. Neither kind wins with every
# probe: the frozen one has seen more of proteins, the refitted one what varies in this one. Folds
# scatter more than the two differ. What is certain is the price and the meaning: the frozen chain
# was solved once, not sixty times, and its columns are the same in every fold, probe and task.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
styles = {"frozen": ("#0072B2", "o", -0.16), "refitted": ("#D55E00", "s", 0.16)}
for (probe, kind), values in scores.items():
    colour, marker, shift = styles[kind]
    height = list(probes).index(probe) + shift
    ax.plot(values, np.full(len(values), height), marker, color=colour, alpha=0.25, markersize=4)
    label = kind if probe == "ridge" else None
    ax.plot(values.mean(), height, marker, color=colour, markersize=9, label=label)
ax.set_yticks(range(len(probes)), probes)
ax.invert_yaxis()
ax.set(xlabel="Spearman correlation, held out")
ax.grid(axis="x", color="0.9")
ax.spines[["top", "right", "left"]].set_visible(False)
ax.tick_params(axis="y", length=0)
ax.legend(frameon=False, loc="upper left", title="distiller", bbox_to_anchor=(1, 1))
plt.show()
