"""
A few dozen measured proteins
=============================

Measurements are expensive. How many columns can a few dozen labelled variants support, and does it
help to choose the prefix?
"""

# %%
# Set up
# ------
#
# From a scan of 1,367 variants, we draw 24 to 384 as the measured ones and test the predictions on
# the rest. Nothing before the probe uses labels: neither the embeddings, nor the distiller, which
# was fitted on natural proteins.

import numpy as np

from sklearn_revdist import ESMEmbedder, ReverseDistiller, load_if1_ecoli

X, y = load_if1_ecoli(return_X_y=True)
X, y = X[::2], y[::2]  # half of the variants, for brevity
H = ESMEmbedder("demo").transform(X)
A = ReverseDistiller.from_pretrained("demo").transform(H)

# %%
# Candidates
# ----------
#
# We fit the same ridge regression on the smallest model, on all nested columns, on the
# concatenation of the three plain embeddings, and on the prefix that leave-one-out cross-validation
# chooses.

from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import PrefixRidgeCV

alphas = np.logspace(-1, 4, 11)


def ridge():
    return make_pipeline(StandardScaler(), RidgeCV(alphas))


def chosen():
    return PrefixRidgeCV(alphas, prefixes=[8, 16, 32, 48, 64, 96, 128, 160])


candidates = {
    "smallest model, 48 columns": (A[:, :48], ridge, "#D55E00", "s--"),
    "all nested, 160": (A, ridge, "#0072B2", "o-"),
    "concatenated, 304": (H, ridge, "#6E6E6E", "^:"),
    "prefix chosen": (A, chosen, "#009E73", "D-"),
}

# %%
# There are twelve draws for each number of labels, the same for all candidates.

from scipy.stats import spearmanr

sizes = [24, 48, 96, 192, 384]
scores = {name: np.empty((len(sizes), 12)) for name in candidates}
for i, n in enumerate(sizes):
    for draw in range(12):
        order = np.random.default_rng(draw).permutation(len(y))
        measured, rest = order[:n], order[n:]
        for name, (columns, probe, _, _) in candidates.items():
            predicted = probe().fit(columns[measured], y[measured]).predict(columns[rest])
            constant = np.ptp(predicted) == 0
            scores[name][i, draw] = 0 if constant else spearmanr(predicted, y[rest]).statistic

# %%
# With two dozen labels nothing predicts well, whatever the columns. From about two hundred labels
# on, the columns of the larger models help, and choosing the prefix is as good as knowing it. With
# fewer labels, the choice is too uncertain. The concatenation keeps the columns that the nested
# embedding leaves out to be as wide as the largest model, and here that helps. Compare both on your
# own task; ``n_new="all"`` keeps everything, nested.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for shift, (name, (_, _, colour, style)) in enumerate(candidates.items()):
    x = np.array(sizes) * 1.03 ** (shift - 1.5)
    mean, error = scores[name].mean(axis=1), scores[name].std(axis=1) / 12**0.5
    ax.errorbar(x, mean, error, fmt=style, color=colour, capsize=2, markersize=5, label=name)
ax.set_xscale("log")
ax.set_xticks(sizes, sizes)
ax.set_xticks([], minor=True)
ax.set(xlabel="labelled variants", ylabel="Spearman correlation, mean ± standard error")
ax.grid(axis="y", color="0.9")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="upper left")
plt.show()
