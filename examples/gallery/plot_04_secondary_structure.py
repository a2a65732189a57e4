"""
Secondary structure, residue by residue
=======================================

Rows may also be residues instead of whole proteins, with the same distiller, the same prefixes and
one label per residue. Here the label says whether a residue lies in a helix, a strand or a coil.
"""

# %%
# Embed residues
# --------------
#
# :meth:`~sklearn_revdist.ESMEmbedder.iter_residues` streams blocks of rows, one row per residue.
# Residues that are not resolved in the crystal have no known structure and are left out.

import numpy as np

from sklearn_revdist import ESMEmbedder, ReverseDistiller, load_secondary_structure

embedder = ESMEmbedder("demo")
distiller = ReverseDistiller.from_pretrained("demo")


def load(subset):
    chains = load_secondary_structure(subset=subset)
    blocks = [distiller.transform(rows) for rows, _ in embedder.iter_residues(chains.data)]
    return chains, np.vstack(blocks), np.array(list("".join(chains.target)))


train, A_train, y_train = load("train")
test, A_test, y_test = load("test")
known_train, known_test = np.concatenate(train.resolved), np.concatenate(test.resolved)
print(f"{known_train.sum():,} training residues, {known_test.sum():,} test residues")

# %%
# One probe, every prefix
# -----------------------
#
# A prefix of the matrix is the embedding of a smaller model, so nothing is embedded or distilled
# again. Q3 is the share of residues whose class is predicted correctly.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

prefixes = [8, 16, 32, 48, 72, 96, 128, 160]
predicted, q3 = {}, []
for k in prefixes:
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    probe.fit(A_train[known_train, :k], y_train[known_train])
    predicted[k] = probe.predict(A_test[:, :k])
    q3.append(np.mean(predicted[k] == y_test, where=known_test))
    print(f"{k:4d} columns: Q3 {q3[-1]:.3f}")

always_coil = np.mean(y_test[known_test] == "C")

# %%
# The left panel shows Q3 against the length of the prefix, with names where a model's columns end.
# The right panel shows three test chains: the measured structure, and predictions from all columns
# and from eight.

import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

STRUCTURES = {"C": ("coil", "#D9D9D9"), "E": ("strand", "#E69F00"), "H": ("helix", "#0072B2")}
letters = {letter: i for i, letter in enumerate(STRUCTURES)}
colours = ListedColormap([colour for _, colour in STRUCTURES.values()])

figure = plt.figure(figsize=(10.5, 4.4), layout="constrained")
curve, tracks = figure.subplots(1, 2, width_ratios=[1, 1.6])
curve.plot(prefixes, q3, "o-", color="#0072B2")
curve.axhline(always_coil, color="0.5", linestyle=":")
curve.text(prefixes[0], always_coil + 0.004, "always coil", color="0.4", fontsize="small")
for name, k in zip(distiller.model_names_, distiller.prefix_lengths_, strict=True):
    curve.axvline(k, color="0.85", zorder=0)
    label = name.removeprefix("esm2_").removesuffix("_demo").split("_")[-1]
    curve.text(k, 0.43, f"{label} ", rotation=90, ha="right", va="center", color="0.3")
curve.set_xscale("log", base=2)
labelled = [8, 16, 32, 48, 96, 160]
curve.set_xticks(labelled, labelled)
curve.set_xticks([], minor=True)
curve.set(xlabel="columns", ylabel="Q3 on test chains")
curve.spines[["top", "right"]].set_visible(False)

stops = np.cumsum([len(sequence) for sequence in test.data])
shown = [0, 3, 5]
ticks = []
for i, chain in enumerate(shown):
    span = slice(stops[chain] - len(test.data[chain]), stops[chain])
    rows = [y_test[span], predicted[160][span], predicted[8][span]]
    for j, (row, name) in enumerate(zip(rows, ("measured", "160 columns", "8"), strict=True)):
        height = 4 * i + j
        codes = np.array([[letters[letter] for letter in row]])
        extent = (0.5, len(row) + 0.5, height + 0.45, height - 0.45)
        tracks.imshow(codes, cmap=colours, vmin=0, vmax=2, aspect="auto", extent=extent)
        ticks.append((height, f"{test.chain[chain]}  {name}" if j == 0 else name))
tracks.set(xlim=(0, 150), ylim=(4 * len(shown) - 1.2, -0.8), xlabel="residue")
tracks.set_yticks(*zip(*ticks, strict=True))
tracks.tick_params(axis="y", length=0)
tracks.spines[:].set_visible(False)
tracks.legend(
    handles=[Patch(color=colour, label=name) for name, colour in STRUCTURES.values()],
    ncols=3,
    frameon=False,
    loc="lower left",
    bbox_to_anchor=(0, 1),
)
plt.show()
