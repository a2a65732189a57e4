"""
Another family of embeddings
============================

The distiller is not specific to ESM-2. It takes blocks of columns, with the smallest model first,
and their widths as ``dims=``, with names if there are any. Here the family consists of counts of
k-mers (words of k residues), compressed by a singular value decomposition.
"""

# %%
# Three sizes of an encoder
# -------------------------
#
# Combine any transformers in a :class:`~sklearn.pipeline.FeatureUnion`, with the smallest first.

from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline, make_union

from sklearn_revdist import ReverseDistiller, load_secondary_structure


def kmers(k, width):
    return make_pipeline(
        CountVectorizer(analyzer="char", ngram_range=(k, k)),
        TfidfTransformer(norm="l2", use_idf=False, sublinear_tf=True),
        TruncatedSVD(width, random_state=0),
    )


WIDTHS = {"1-mers": 10, "2-mers": 20, "3-mers": 40}
encoder = make_union(kmers(1, 10), kmers(2, 20), kmers(3, 40))
distiller = ReverseDistiller(dims=WIDTHS)

# %%
# The target is the share of a protein's residues in helices.

import numpy as np

train, test = load_secondary_structure(), load_secondary_structure(subset="test")
X = np.concatenate([train.data, test.data])
helix = np.array([s.count("H") / len(s) for s in (*train.target, *test.target)])

H = encoder.fit_transform(X)
A = distiller.fit_transform(H)
print("columns:", H.shape[1], "->", A.shape[1])
print("prefix is the smallest encoder:", np.array_equal(A[:, :10], H[:, :10]))
print("predicted by the smaller ones (R2):", distiller.r2_.round(2))

# %%
# Nested or not
# -------------
#
# The first two panels show the correlations of all columns. In the concatenation the encoders are
# redundant; in the nested embedding, the columns of a larger encoder are nearly uncorrelated with
# the prefix. The right panel shows how well a ridge regression on each prefix predicts the share of
# helix.

import matplotlib.pyplot as plt

from sklearn_revdist import PrefixCurveDisplay, PrefixRidgeCV

figure = plt.figure(figsize=(11, 4), layout="constrained")
axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.35])
edges = np.cumsum(distiller.dims_), distiller.prefix_lengths_
for ax, columns, ends, title in zip(axes, (H, A), edges, ("concatenated", "nested"), strict=False):
    image = ax.imshow(np.abs(np.corrcoef(columns.T)), cmap="Blues", vmin=0, vmax=1)
    for edge in ends[:-1]:
        ax.axhline(edge - 0.5, color="#D55E00", linewidth=1)
        ax.axvline(edge - 0.5, color="#D55E00", linewidth=1)
    ax.set_title(f"{title}: {columns.shape[1]} columns", fontsize="medium")
    ax.set(xticks=[], yticks=[])
figure.colorbar(image, ax=axes[:2], location="bottom", shrink=0.4, label="|correlation|")

probe = PrefixRidgeCV().fit(A, helix)
PrefixCurveDisplay.from_estimator(probe, models=distiller, ax=axes[2])
axes[2].set_title("share of helix, predicted", fontsize="medium")
axes[2].legend(frameon=False, loc="upper left")
plt.show()
