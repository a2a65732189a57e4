"""
When nesting helps, and when it does not
========================================

A nested embedding keeps the columns of the smaller models and adds what the larger ones have beside
them. Whether it predicts better than the larger model's own embedding depends on the family. Four
simulated models show two conditions: what the larger models have forgotten of the smaller ones, and
what the smaller ones have in their columns that nobody needs.
"""

# %%
# A family of four models
# -----------------------
#
# Rows belong to twelve classes, which differ in 96 latent variables. The models have 16, 32, 64 and
# 128 columns and know 12, 24, 48 and 96 of the variables. A model may have ``forgotten`` a share of
# those that the next smaller one knows, and may have variables of its ``own``, so many for each
# column, that say nothing about the classes.

from itertools import pairwise

import numpy as np

DIMS, KNOWN = [16, 32, 64, 128], [12, 24, 48, 96]
ENDS = np.cumsum(DIMS)


def family(rng, forgotten, own, n_rows=1200):
    """Embeddings by four models, side by side, and the classes of the rows."""
    y = np.arange(n_rows) % 12
    Z = 0.4 * rng.normal(size=(12, KNOWN[-1]))[y] + rng.normal(size=(n_rows, KNOWN[-1]))
    models = []
    for i, (width, known) in enumerate(zip(DIMS, KNOWN, strict=True)):
        kept = np.arange(KNOWN[-1]) < known
        if i:
            kept[: KNOWN[i - 1]] &= rng.random(KNOWN[i - 1]) >= forgotten
        S = np.hstack([Z[:, kept], rng.normal(size=(n_rows, int(own * width)))])
        H = S @ rng.normal(size=(S.shape[1], width)) / np.sqrt(width)
        models.append(H + 0.3 * rng.normal(size=H.shape))
    return np.hstack(models), y


# %%
# New columns are uncorrelated with the prefix
# --------------------------------------------
#
# With least squares this is a theorem: on the rows of the fit, no combination of the columns that a
# level adds correlates with any combination of the prefix. Canonical correlations are those of the
# most correlated combinations, and they are rounding errors.

from scipy.linalg import svdvals

from sklearn_revdist import ReverseDistiller


def canonical_correlations(A, B):
    """Correlations of the most correlated combinations of the columns of both."""
    bases = [np.linalg.qr(columns - columns.mean(axis=0))[0] for columns in (A, B)]
    return svdvals(bases[0].T @ bases[1])


H, _ = family(np.random.default_rng(0), forgotten=0.5, own=0.5)
nested = ReverseDistiller(dims=DIMS, regressor="ols").fit_transform(H)
print("prefix is the smallest model:", np.array_equal(nested[:, :16], H[:, :16]))
for small, large in pairwise(DIMS):
    correlation = canonical_correlations(nested[:, :small], nested[:, small:large])[0]
    print(f"{large - small} new columns, and {small} before them: {correlation:.0e}")

# %%
# The default, a ridge, predicts new rows better if there are few to fit on, and leaves some
# correlation in return; so does principal component regression. The embeddings of two models, for
# comparison, are highly correlated.

import matplotlib.pyplot as plt

plt.rcParams["font.size"] = 9
figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(canonical_correlations(H[:, 48:112], H[:, 112:]), color="0.5", label="the two models")
for regressor, colour in {"pcr": "#E69F00", "ridge": "#0072B2", "ols": "#009E73"}.items():
    nested = ReverseDistiller(dims=DIMS, regressor=regressor).fit_transform(H)
    correlations = canonical_correlations(nested[:, :64], nested[:, 64:])
    ax.plot(correlations, color=colour, label=f"nested, {regressor}")
ax.set(xlabel="pair of combinations", ylabel="canonical correlation", ylim=(-0.03, 1))
ax.set_title("64 columns, and the next ones", fontsize=9)
ax.legend(frameon=False)
plt.show()

# %%
# Scores at equal width
# ---------------------
#
# A nested embedding has two rivals of its width: the model's own embedding (plain), and principal
# components of the concatenation up to it. The whole concatenation is wider. With
# ``residual="joint"``, new columns are taken from what the prefix leaves of all models up to this
# one, not of this one alone. Everything is fitted on half of the rows, and the probe's accuracy is
# that on the other half. Gains are paired: over families drawn six times, with 95 % intervals.

import pandas as pd
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NAMES = ["plain", "distilled", "distilled, joint", "PCA of concatenation", "concatenation"]
SHARES, N_DRAWS = [0, 0.25, 0.5, 0.75], 6


def accuracies(forgotten, own, seed):
    """Accuracies of the representations, a row for each, at four sizes."""
    H, y = family(np.random.default_rng(seed), forgotten, own)
    half = len(y) // 2
    distilled, joint = (
        ReverseDistiller(dims=DIMS, residual=residual).fit(H[:half]).transform(H)
        for residual in ("model", "joint")
    )
    probe = make_pipeline(StandardScaler(), RidgeClassifier(100))
    sizes = []
    for width, end in zip(DIMS, ENDS, strict=True):
        concatenation = H[:, :end]
        components = PCA(width).fit(concatenation[:half]).transform(concatenation)
        plain = H[:, end - width : end]
        every = plain, distilled[:, :width], joint[:, :width], components, concatenation
        sizes.append([probe.fit(A[:half], y[:half]).score(A[half:], y[half:]) for A in every])
    return np.transpose(sizes)


def mean_and_half_width(gains):
    """Mean over the draws, and half the width of its interval."""
    return gains.mean(axis=0), stats.sem(gains) * stats.t.ppf(0.975, len(gains) - 1)


found = {
    (own, forgotten): np.array([accuracies(forgotten, own, seed) for seed in range(N_DRAWS)])
    for own in (0, 1)
    for forgotten in SHARES
}
for (own, forgotten), title in {
    (0, 0.5): "half is forgotten",
    (1, 0): "nothing is forgotten, but there are variables of their own",
}.items():
    scores = found[own, forgotten]
    table = [[f"{score:.3f}" for score in scores[:, 0].mean(axis=0)]]
    for gains in np.moveaxis(scores[:, 1:] - scores[:, :1], 1, 0):
        numbers = zip(*mean_and_half_width(gains), strict=True)
        table.append([f"{mean:+.3f} ± {half:.3f}" for mean, half in numbers])
    print(f"If {title}: accuracy of plain, and gains over it")
    print(pd.DataFrame(table, NAMES, DIMS).to_string(), "\n")

# %%
# What decides
# ------------
#
# The more a model has forgotten of the smaller one, the more it helps to keep the smaller one's
# columns. If the smaller models have variables of their own that nobody needs, these fill the
# prefix, and the nested embedding is worse than the plain one unless much was forgotten. Principal
# components of the concatenation are as good in the first case and better, on average, in the
# second, but their first columns are no smaller model, so that all models have to run for any
# number of them. The whole concatenation is the best or as good as any: choose it if the width does
# not matter.

figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True, layout="constrained")
colours = ["#0072B2", "#56B4E9", "#E69F00", "#009E73"]
titles = {0: "no variables of their own", 1: "as many of their own as columns"}
for ax, (own, title) in zip(axes, titles.items(), strict=True):
    for i, (colour, marker) in enumerate(zip(colours, "os^v", strict=True), start=1):
        gains = [found[own, share][:, i, -1] - found[own, share][:, 0, -1] for share in SHARES]
        means, halves = zip(*map(mean_and_half_width, gains), strict=True)
        x = np.array(SHARES) + 0.012 * (i - 2.5)
        style = {"color": colour, "marker": marker, "markersize": 5, "capsize": 2}
        ax.errorbar(x, means, halves, label=NAMES[i], **style)
    ax.axhline(0, color="0.3", linewidth=0.8)
    ax.set_title(title, fontsize=9)
    ax.set(xlabel="share forgotten", xticks=SHARES)
    ax.grid(axis="y", color="0.9")
axes[0].set_ylabel("gain in accuracy over plain, 128 columns")
lines = axes[0].get_legend_handles_labels()
figure.legend(*lines, loc="outside lower center", ncols=4, frameon=False)
plt.show()

# %%
# Real families are somewhere between. :ref:`SCEPTR <sceptr>`, with models of the same widths, gains
# nothing beyond doubt over plain; ``revdist evaluate`` shows all of these rivals for yours.
