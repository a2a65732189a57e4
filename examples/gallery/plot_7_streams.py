"""
More residues than memory holds
===============================

The chain is solved from the mean and the second moment of the rows. They add up, so rows may come
in any pieces: from a stream, from shards on several machines, from the blocks of a Dask array, from
a fit of last year.
"""

# %%
# A stream
# --------
#
# :meth:`~sklearn_revdist.ESMEmbedder.iter_residues` gives blocks of residues;
# :meth:`~sklearn_revdist.ReverseDistiller.partial_fit` adds each to what it has seen. Memory holds
# one block and the moments, however long the stream is. The chain is solved when one asks for it.

import numpy as np
from sklearn.metrics import r2_score

from sklearn_revdist import ESMEmbedder, Moments, ReverseDistiller, load_secondary_structure

embedder = ESMEmbedder("demo")
names = embedder.get_feature_names_out()
sequences = load_secondary_structure().data
others = np.vstack([rows for rows, _ in embedder.iter_residues(sequences[-40:])])
sequences = sequences[:-40]


def held_out(distiller):
    """Share of each model's variance, in `others`, that the smaller models predict."""
    A = distiller.transform(others)
    return [
        r2_score(
            others[:, first:last],
            distiller.inverse_transform(A[:, :prefix])[:, first:last],
            multioutput="variance_weighted",
        )
        for prefix, first, last in ((48, 48, 144), (96, 144, 304))
    ]


stream = ReverseDistiller(dims=[48, 96, 160])
seen, r2, shards = [], [], []  # r2: of residues seen, and of those of other chains
for rows, _ in embedder.iter_residues(sequences, block_rows=256):
    stream.partial_fit(rows)
    shards.append(Moments.of(rows))
    seen.append(int(stream.moments_.weight))
    if not r2 or seen[-1] >= 1.3 * r2[-1][0]:
        r2.append((seen[-1], stream.r2_, held_out(stream)))
print(f"{len(seen)} blocks, {seen[-1]:,} residues")

# %%
# Shards
# ------
#
# Moments made apart, in whatever order and on whatever machines, are summed with ``+``. The result
# is that of all rows at once, up to the last digits of rounding.

half = len(shards) // 2
moments = sum(shards[half:], Moments.zeros(304)) + sum(shards[:half], Moments.zeros(304))
summed = ReverseDistiller(dims=[48, 96, 160]).fit_moments(moments)
difference = np.abs(summed.components_ - stream.components_).max()
print(f"largest difference of the two maps: {difference:.0e}")

# %%
# Arrays of Dask
# --------------
#
# An array of Dask is in shards already. Each block becomes moments where it is, in a thread here or
# on the workers of a cluster, and only moments travel. The result is the fit of the same rows in
# memory, up to rounding; :ref:`scaling` has the rest.

import dask.array as da

blocks = da.from_array(others, chunks=(500, -1))
in_blocks = ReverseDistiller(dims=[48, 96, 160]).fit(blocks)
in_memory = ReverseDistiller(dims=[48, 96, 160]).fit(others)
difference = np.abs(in_blocks.components_ - in_memory.components_).max()
print(f"{len(others):,} residues in {blocks.numblocks[0]} blocks")
print(f"largest difference of the two maps: {difference:.0e}")

# %%
# What is transformed is an array of Dask again, computed when one asks for it.

in_blocks.transform(blocks)

# %%
# What the stream learns
# ----------------------
#
# How well the smaller models predict the next one, as residues arrive: on those of the stream,
# where every fit flatters itself, and on chains that were kept out. Where the two meet, more rows
# would change nothing. Two thousand suffice for 48 columns; ESM-2's wider embeddings take more,
# about in proportion.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
n, inside, outside = zip(*r2, strict=True)
names = ("500K from 100K", "2M from 100K and 500K")
for level, (name, colour) in enumerate(zip(names, ("#0072B2", "#D55E00"), strict=True)):
    ax.plot(n, [r2[level] for r2 in outside], "o-", color=colour, markersize=4, label=name)
    ax.plot(n, [r2[level] for r2 in inside], "--", color=colour, linewidth=1)
ax.plot([], [], "--", color="0.4", linewidth=1, label="the same, on the stream itself")
ax.set_xscale("log")
ax.set(xlabel="residues seen", ylabel="variance predicted (R²), other chains")
ax.grid(color="0.92")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="lower right")
plt.show()
