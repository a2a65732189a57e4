"""See how far the new columns of a chain are correlated with its prefix, here and in the reference.

    python examples/benchmarks/orthogonality.py --data DATA --receptors sceptr/receptors.npz \\
        --output docs/results/orthogonality.csv

Canonical correlations between the columns so far and those that a model adds are measured on the
rows of the fit: residues of 100 proteins of E. coli (demo chain), and receptors of
embed_receptors.py (SCEPTR). R2 is the share of the model's variance that its regression predicts,
from what the regression was fitted on and from the columns that it is applied to. The reference is
reverse_distillation 0.1.0 (PyPI), installed without dependencies, and with fbpca, loguru and
huggingface_hub beside it.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from distiller import reference_fit
from scipy import linalg

from sklearn_revdist import ESMEmbedder, ReverseDistiller, read_fasta

N_PROTEINS = 100
STYLES = {
    "ols": ("ours, least squares", "#0072B2", "o"),
    "ridge": ("ours, ridge", "#56B4E9", "s"),
    "pcr": ("ours, PCR", "#E69F00", "^"),
    "reference, linear": ("reference, least squares", "#CC79A7", "D"),
    "reference, pcr": ("reference, PCR", "#D55E00", "v"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--receptors", type=Path, help="file of embed_receptors.py")
    parser.add_argument("--output", type=Path, help="file for the table; default: only print it")
    args = parser.parse_args()
    chains = {"demo chain": residues(args.data)}
    if args.receptors:
        with np.load(args.receptors) as file:
            chains["SCEPTR"] = np.split(file["X"], np.cumsum([16, 32, 64]), axis=1)
    levels = []
    for chain, blocks in chains.items():
        for regressor in ("ols", "ridge", "pcr"):
            levels += rows_of(chain, regressor, ours(blocks, regressor))
        for regressor in ("linear", "pcr"):
            levels += rows_of(chain, f"reference, {regressor}", reference(blocks, regressor))
    table = pd.DataFrame(levels)
    shown = table.drop(columns="correlations")
    print(shown.to_string(index=False))
    if args.output:
        shown.to_csv(args.output, index=False, lineterminator="\n")
        draw(table, args.output.with_suffix(".png"))


def residues(data):
    """Embeddings of the residues of some proteins, a block a model."""
    (path,) = data.glob("sequences/uniprot_proteomes/*E.coli*")
    _, sequences = read_fasta(path)
    drawn = np.random.default_rng(0).choice(len(sequences), N_PROTEINS, replace=False)
    rows = [H for H, _ in ESMEmbedder("demo").iter_residues([sequences[i] for i in drawn])]
    return np.split(np.vstack(rows), np.cumsum([48, 96]), axis=1)


def ours(blocks, regressor):
    """Nested columns, prefix lengths, and R2 of each level at the fit and when applied."""
    X = np.hstack(blocks).astype(np.float64)
    distiller = ReverseDistiller([H.shape[1] for H in blocks], regressor=regressor).fit(X)
    return distiller.transform(X), distiller.prefix_lengths_, distiller.r2_, distiller.r2_


def reference(blocks, regressor):
    """The same of the reference implementation."""
    np.random.seed(0)  # its decomposition is randomised  # noqa: NPY002
    scalers = reference_fit(blocks, regressor, "fbpca")
    A, at_fit, applied = torch.from_numpy(blocks[0]), [], []
    for scaler, small, large in zip(scalers, blocks, blocks[1:], strict=False):
        at_fit.append(r2(large, scaler.predict_regressor(small)))
        applied.append(r2(large, scaler.predict_regressor(A.numpy())))
        A = scaler.step(A, torch.from_numpy(large))
    return A.numpy().astype(np.float64), [H.shape[1] for H in blocks], at_fit, applied


def r2(H, predicted):
    H = H.astype(np.float64)
    return 1 - np.square(H - predicted).sum() / np.square(H - H.mean(axis=0)).sum()


def rows_of(chain, implementation, found):
    nested, lengths, *shares = found
    for i, (small, large) in enumerate(pairwise(lengths)):
        correlations = canonical_correlations(nested[:, :small], nested[:, small:large])
        yield {
            "chain": chain,
            "rows": len(nested),
            "implementation": implementation,
            "columns": f"{small} to {large}",
            "R2 at the fit": f"{shares[0][i]:.3f}",
            "R2 when applied": f"{shares[1][i]:.3f}",
            "largest canonical correlation": f"{correlations[0]:.1e}",
            "correlations above .1": int((correlations > 0.1).sum()),
            "correlations": correlations,
        }


def canonical_correlations(A, B):
    """Correlations of the most correlated combinations of both, in descending order."""
    return linalg.svdvals(basis(A).T @ basis(B))


def basis(A):
    A = (A - A.mean(axis=0)) / A.std(axis=0)
    U, s, _ = linalg.svd(A, full_matrices=False)
    return U[:, s > 1e-6 * s[0]]  # smaller ones are rounding errors of single precision


def draw(table, path):
    """All canonical correlations: a row of panels for each chain, a panel a level."""
    plt.rcParams["font.size"] = 9
    chains = table["chain"].unique()
    n_levels = table.groupby("chain")["columns"].nunique().max()
    figure, axes = plt.subplots(
        len(chains), n_levels, figsize=(7, 5), sharey=True, squeeze=False, layout="constrained"
    )
    for row, chain in zip(axes, chains, strict=True):
        levels = list(table[table["chain"] == chain].groupby("columns", sort=False))
        for ax, (columns, level) in zip(row, levels, strict=False):
            for _, line in level.iterrows():
                label, colour, marker = STYLES[line["implementation"]]
                y = line["correlations"]
                style = {"color": colour, "marker": marker, "markersize": 3, "linewidth": 1}
                style["markevery"] = max(1, len(y) // 8)
                ax.plot(np.arange(1, len(y) + 1), y, label=label, **style)
            ax.set_title(f"{chain}, {columns} columns", fontsize=9)
            ax.set_xlabel("pair of combinations")
            ax.set_ylim(-0.03, 1.03)
            ax.grid(axis="y", color="0.9")
        row[0].set_ylabel("canonical correlation")
        for ax in row[len(levels) :]:
            ax.axis("off")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=200)
    plt.close(figure)


if __name__ == "__main__":
    main()
