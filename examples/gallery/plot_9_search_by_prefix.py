"""
Searching with a prefix
=======================

A prefix of a nested embedding is an embedding of its own, and its distances are never larger than
those of all columns. So a search may look at few columns first. Here the queries are residues of
proteins, and the rows searched are residues of others, which share at most 25 % of their sequence
with them.
"""

# %%
# Residues of two sets of proteins
# --------------------------------

import numpy as np

from sklearn_revdist import ESMEmbedder, PrefixNeighbors, ReverseDistiller, load_secondary_structure

embedder = ESMEmbedder("demo")
distiller = ReverseDistiller.from_pretrained("demo")


def residues(subset, n_proteins):
    """Nested embeddings of the residues of some proteins, and their secondary structure."""
    data = load_secondary_structure(subset=subset)
    blocks = embedder.iter_residues(data.data[:n_proteins])
    rows = np.concatenate([distiller.transform(rows) for rows, _ in blocks])
    return rows, np.array(list("".join(data.target[:n_proteins])))


database, known = residues("train", 100)
queries, truth = residues("test", 20)
print("rows searched:", database.shape, " queries:", queries.shape)

# %%
# How many neighbours a prefix finds
# ----------------------------------
#
# Found is what is among the 16 nearest by all columns. A search by a short prefix alone finds few of
# them. If it lists 160 rows, of which the 16 nearest by all columns are kept, it finds far more, for
# the price of 160 distances for each query.

K, LISTED = 16, 160
neighbors = PrefixNeighbors(K, exclude="none").fit(database)
nearest = neighbors.kneighbors(queries, return_distance=False)

lengths = [4, 8, 16, 32, 48, 64, 96, 128, 160]
alone, listed = [], []
for length in lengths:
    by_prefix = neighbors.set_params(n_components=length).kneighbors(
        queries, LISTED, return_distance=False
    )
    is_listed = by_prefix[:, :, np.newaxis] == nearest[:, np.newaxis]
    alone.append(is_listed[:, :K].any(axis=1).mean())
    listed.append(is_listed.any(axis=1).mean())

# %%
# A shortlist costs the prefix of all rows, and all columns of 160 of them. The exact search of
# :class:`~sklearn_revdist.PrefixNeighbors` works by the same principle, but with bounds in place of
# a list of fixed length, so that it finds all, and by principal coordinates, since fewer of them
# hold more of the distance.

import matplotlib.pyplot as plt

width, n_rows = database.shape[1], len(database)
cost = np.array(lengths) / width + LISTED / n_rows

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
left.plot(lengths, alone, "o-", label="prefix alone")
left.plot(lengths, listed, "s-", label=f"shortlist of {LISTED}, refined")
for end in neighbors.prefix_lengths_[:-1]:
    left.axvline(end, color="0.8", zorder=0)
left.set(xlabel="columns of the prefix", ylabel=f"recall of the {K} nearest", ylim=(0, 1.05))
left.legend(loc="lower right")
right.plot(cost, listed, "s-", color="C1")
for x, y, length in zip(cost, listed, lengths, strict=True):
    right.annotate(str(length), (x, y), textcoords="offset points", xytext=(0, -12), fontsize=8)
right.set(xlabel="share of the numbers read", xlim=(0, 1.1))
plt.show()

# %%
# What a neighbour is good for
# ----------------------------
#
# For the task itself the exact 16 matter less than what they are like. The secondary structure of a
# residue is predicted by a vote of its neighbours, at each length of the prefix.

from sklearn_revdist import AnnotationTransferClassifier

model = AnnotationTransferClassifier().fit(database, known)
for length in (16, 48, 96, 160):
    accuracy = model.set_params(n_components=length).fit(database, known).score(queries, truth)
    print(f"{length:4d} columns: {accuracy:.2f}")
