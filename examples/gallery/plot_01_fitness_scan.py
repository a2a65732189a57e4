"""
A fitness scan, from sequences to predictions
=============================================

A deep mutational scan measures the effect of each substitution of a residue on a protein. Here a
pipeline learns from some of the measured variants and predicts the others. It embeds every variant
with three models, nests the embeddings with a distiller, and fits a ridge regression.
"""

# %%
# The scan
# --------
#
# :func:`~sklearn_revdist.load_if1_ecoli` loads such a scan: 1,367 of the 1,368 single substitutions
# of the initiation factor IF-1 of *Escherichia coli*, and how well cells with each of them grow.

from sklearn_revdist import load_if1_ecoli

scan = load_if1_ecoli()
X, y = scan.data, scan.target
print(f"{scan.mutant[0]}: {X[0][:16]}... has fitness {y[0]:.2f}")

# %%
# The pipeline
# ------------
#
# The distiller takes a chain that was fitted beforehand, on the residues of a thousand natural
# proteins, so that the pipeline's ``fit`` trains only the regression. The embedder has nothing to
# learn either, so we call it once for all folds.

from sklearn.pipeline import make_pipeline

from sklearn_revdist import ESMEmbedder, PrefixRidgeCV, ReverseDistiller

H = ESMEmbedder("demo").transform(X)  # [H1 | H2 | H3], one row per variant
model = make_pipeline(ReverseDistiller(pretrained="demo"), PrefixRidgeCV())
model

# %%
# Predict held-out variants
# -------------------------
#
# Each variant is predicted by a model that was fitted without it. The rows of a scan are sorted by
# position. With shuffled folds, other variants of the same position are in the training set.

from scipy.stats import spearmanr
from sklearn.model_selection import KFold, cross_val_predict

predicted = cross_val_predict(model, H, y, cv=KFold(5, shuffle=True, random_state=0))
print(f"Spearman correlation: {spearmanr(predicted, y).statistic:.2f}")

# %%
# The heat map has one column per position and one row per amino acid, ordered by chemistry. White
# is as fit as the wild type, and dots mark the wild type's own residues. Both maps have one scale,
# as far below the wild type as above it. Predictions vary less than measurements. The model finds
# most positions that tolerate no substitution, and that proline is rarely tolerated. It misses
# single exceptions, as expected of models as small as these.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import CenteredNorm

AMINO_ACIDS = "GAVLIMCFYWPSTNQHKRDE"


def as_map(values):
    """Values of the variants on a grid of amino acids and positions."""
    grid = np.full((len(AMINO_ACIDS), len(scan.wild_type)), np.nan)
    for mutant, value in zip(scan.mutant, values, strict=True):
        grid[AMINO_ACIDS.index(mutant[-1]), int(mutant[1:-1]) - 1] = value
    return grid


scale = CenteredNorm(vcenter=1, halfrange=np.abs([y - 1, predicted - 1]).max())
figure, axes = plt.subplots(2, 1, figsize=(9, 7.5), sharex=True, layout="constrained")
for ax, values, title in zip(axes, (y, predicted), ("measured", "predicted"), strict=True):
    image = ax.imshow(
        as_map(values),
        aspect="auto",
        cmap="RdBu",
        norm=scale,
        extent=(0.5, len(scan.wild_type) + 0.5, len(AMINO_ACIDS) - 0.5, -0.5),
    )
    for position, residue in enumerate(scan.wild_type, start=1):
        ax.plot(position, AMINO_ACIDS.index(residue), ".", color="0.25", markersize=3)
    ax.set_yticks(range(len(AMINO_ACIDS)), AMINO_ACIDS, fontsize=9)
    ax.set_title(title, loc="left", fontsize="medium")
    ax.spines[:].set_visible(False)
axes[1].set_xlabel("position in IF-1")
figure.colorbar(image, ax=axes, label="fitness", shrink=0.6)
plt.show()
