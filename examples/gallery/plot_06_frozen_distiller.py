"""
One distiller, many pipelines
=============================

A distiller needs no labels, so it need not be fitted together with the probe. Fitted once on
residues of natural proteins, it serves every task and every probe, and does not depend on the
number of proteins in a task.
"""

# %%
# Fit once
# --------
#
# The residues of 160 natural chains are enough for the demo chain's 304 columns. (For ESM-2 the
# paper uses a thousand sequences.) The saved file contains one affine map, without pickle.

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

# %%
# Use it in many pipelines
# ------------------------
#
# With ``pretrained=`` a distiller takes the chain from the file: every ``fit`` and every clone
# leaves it unchanged. (So does a :class:`sklearn.frozen.FrozenEstimator` around a fitted distiller,
# but a search cannot set its ``n_components``.) We compare it with a distiller that is refitted in
# each training fold, on its variants.

from sklearn.ensemble import RandomForestRegressor
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
distillers = {"pretrained": ReverseDistiller(pretrained=path), "refitted": ReverseDistiller()}

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
folder.cleanup()

# %%
# Each small point is a fold, and each large one the mean over folds. Neither distiller wins with
# every probe: the pretrained one was fitted on many more proteins, the refitted one on the
# variation of this one. The difference between them is smaller than the spread over folds. Two
# advantages are certain: the pretrained chain was solved once, not sixty times, and its columns are
# the same in every fold, probe and task.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
styles = {"pretrained": ("#0072B2", "o", -0.16), "refitted": ("#D55E00", "s", 0.16)}
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
