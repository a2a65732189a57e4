"""
More residues than memory holds
===============================

The chain is solved from the mean and the second moment of the rows. Moments add, so rows may come
in any parts: from a stream, from shards on several machines, from the blocks of a dask array, or
from an earlier fit.
"""

# %%
# A stream
# --------
#
# :meth:`~sklearn_revdist.ESMEmbedder.iter_residues` yields blocks of residues, and
# :meth:`~sklearn_revdist.ReverseDistiller.partial_fit` adds each block to the moments. Memory holds
# one block and the moments, however long the stream is. The chain is solved at first use.

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
seen, r2, shards = [], [], []  # r2: on the residues seen, and on other chains
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
# Moments can be computed in any order and on any machine, and are summed with ``+``. The result
# equals that of all rows at once, up to rounding.

half = len(shards) // 2
moments = sum(shards[half:], Moments.zeros(304)) + sum(shards[:half], Moments.zeros(304))
summed = ReverseDistiller(dims=[48, 96, 160]).fit_moments(moments)
difference = np.abs(summed.components_ - stream.components_).max()
print(f"largest difference of the two maps: {difference:.0e}")

# %%
# Dask arrays
# -----------
#
# A dask array consists of blocks. Each is reduced to moments where it is, in a local thread or
# on a worker of a cluster, and only moments are sent. The result equals the fit of the same rows in
# memory, up to rounding. For clusters, see :ref:`scaling`.

import dask.array as da

blocks = da.from_array(others, chunks=(500, -1))
in_blocks = ReverseDistiller(dims=[48, 96, 160]).fit(blocks)
in_memory = ReverseDistiller(dims=[48, 96, 160]).fit(others)
difference = np.abs(in_blocks.components_ - in_memory.components_).max()
print(f"{len(others):,} residues in {blocks.numblocks[0]} blocks")
print(f"largest difference of the two maps: {difference:.0e}")

# %%
# ``transform`` returns a lazy dask array.

in_blocks.transform(blocks)

# %%
# How many rows are enough
# ------------------------
#
# The figure shows how well the smaller models predict the next one as residues arrive: on the
# residues of the stream, where the fit is optimistic, and on held-out chains. Where the two curves
# meet, more rows would change nothing. Two thousand rows suffice for 48 columns. ESM-2's wider
# embeddings need more, about in proportion.

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
