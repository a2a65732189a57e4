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
# What counts as found is a row among the 16 nearest by all columns. A search by a prefix alone
# finds few of them. If it lists 160 rows, of which the 16 nearest by all columns are kept, it finds
# about half, for the price of 160 distances for each query.
#
# The first columns are those of the smallest model, not those that vary most. Distances stay the
# same if all columns are rotated to the principal axes, and then few coordinates find nearly all.

from sklearn.decomposition import PCA

K, LISTED = 16, 160
pca = PCA().fit(database)
columns = {
    "columns of the prefix": (database, queries),
    "principal coordinates": (pca.transform(database), pca.transform(queries)),
}
exact = PrefixNeighbors(K, exclude="none").fit(database)
nearest = exact.kneighbors(queries, return_distance=False)

lengths = np.array([4, 8, 16, 32, 48, 64, 96, 128, 160])
recall = {}
for name, (rows, asked) in columns.items():
    neighbors = PrefixNeighbors(LISTED, exclude="none").fit(rows)
    for length in lengths:
        listed = neighbors.set_params(n_components=int(length)).kneighbors(
            asked, return_distance=False
        )
        is_listed = listed[:, :, np.newaxis] == nearest[:, np.newaxis]
        recall.setdefault(f"{name}, alone", []).append(is_listed[:, :K].any(axis=1).mean())
        recall.setdefault(f"{name}, refined", []).append(is_listed.any(axis=1).mean())

# %%
# A shortlist costs the prefix of all rows, and all columns of 160 of them. The exact search of
# :class:`~sklearn_revdist.PrefixNeighbors` works with principal coordinates and a shortlist, too,
# but the list is as long as bounds of the distances demand, so that it finds all.

import matplotlib.pyplot as plt

width, n_rows = database.shape[1], len(database)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharey=True)
for (name, values), marker in zip(recall.items(), "osDv", strict=True):
    left.plot(lengths, values, marker + "-", label=name)
    share = lengths / width + (LISTED / n_rows if name.endswith("refined") else 0)
    right.plot(share, values, marker + "-")
for end in exact.prefix_lengths_[:-1]:
    left.axvline(end, color="0.8", zorder=0)
left.set(xlabel="number of columns", ylabel=f"recall of the {K} nearest", ylim=(0, 1.05))
ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1]
right.set(xlabel="share of the numbers read", xscale="log")
right.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
right.set_xticks([], minor=True)
fig.legend(loc="outside lower center", ncols=2, fontsize=9)
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
