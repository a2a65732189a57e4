"""
Transferring annotation, with its reliability
=============================================

What is known of the nearest proteins, or residues, is often taken over without asking how near they
are. :class:`~sklearn_revdist.AnnotationTransferClassifier` says how likely it is right. Here the
secondary structure of residues is transferred from other proteins.
"""

# %%
# Training proteins and others
# ----------------------------
#
# Residues of one protein are related, so they are one group: for the calibration, the
# neighbours of a residue are looked up in the other proteins.

import numpy as np

from sklearn_revdist import (
    AnnotationTransferClassifier,
    ESMEmbedder,
    ReverseDistiller,
    load_secondary_structure,
)

embedder = ESMEmbedder("demo")
distiller = ReverseDistiller.from_pretrained("demo")


def residues(subset, n_proteins):
    """Rows of residues of known structure, their secondary structure, and their proteins."""
    data = load_secondary_structure(subset=subset)
    blocks = [*embedder.iter_residues(data.data[:n_proteins])]
    rows = np.concatenate([distiller.transform(rows) for rows, _ in blocks])
    protein = np.concatenate([index for _, index in blocks])
    resolved = np.concatenate(data.resolved[:n_proteins])
    states = np.array(list("".join(data.target[:n_proteins])))
    return rows[resolved], states[resolved], protein[resolved]


X, y, protein = residues("train", 100)
X_test, y_test, _ = residues("test", 40)
model = AnnotationTransferClassifier().fit(X, y, groups=protein)
is_right = model.predict(X_test) == y_test
print(f"right: {is_right.mean():.2f} of {len(y_test)} residues")

# %%
# Is the reliability what it says?
# --------------------------------
#
# Predictions are grouped by their reliability. In each group, the share of right ones should be the
# mean reliability, on the dashed line. The share of the votes for the predicted class is the weight
# of neighbours, and need not be a probability.

import matplotlib.pyplot as plt


def draw(ax, probability, label, **style):
    """Draw the share of right predictions by their probability, in groups of equal size."""
    order = np.argsort(probability, kind="stable")
    groups = np.array_split(order, 10)
    means = [probability[group].mean() for group in groups]
    shares = [is_right[group].mean() for group in groups]
    error = np.mean(np.abs(np.subtract(means, shares)))
    ax.plot(means, shares, label=f"{label} (calibration error {error:.2f})", **style)


reliability = model.reliability(X_test)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.plot([0, 1], [0, 1], "--", color="0.6")
draw(left, reliability, "reliability", marker="o")
draw(left, model.predict_proba(X_test).max(axis=1), "share of the votes", marker="s")
left.set(
    xlabel="reliability, or share of the votes",
    ylabel="share that is right",
    xlim=(0.3, 1),
    ylim=(0.3, 1),
    aspect="equal",
)
left.legend(fontsize=8)

# %%
# Who may be left out?
# --------------------
#
# If only the most reliable predictions are kept, more of them are right. The distance to the
# nearest neighbour, which is often used for this, tells little here.

kept = np.linspace(0.05, 1, 20)
distance = model.kneighbors(X_test, 1)[0][:, 0]
for score, label in ((reliability, "by reliability"), (-distance, "by distance")):
    order = np.argsort(-score, kind="stable")
    right.plot(kept, [is_right[order[: int(k * len(order))]].mean() for k in kept], label=label)
right.set(xlabel="share of the predictions kept", ylabel="share that is right", ylim=(0.3, 1))
right.legend(fontsize=8)
plt.show()

# %%
# What a prediction rests on
# --------------------------
#
# Each prediction can be traced to the rows that it comes from.

print(model.neighbors_table(X_test[:1]).round(2).head(5).to_string(index=False))
