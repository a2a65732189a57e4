"""Embed T-cell receptors by the four sizes of SCEPTR, in an environment of its own.

    pip install sceptr
    python examples/embed_receptors.py --data DATA --output retrieval/receptors.npz

SCEPTR: Nagano et al. 2025, Cell Systems 16, 101165; weights are in the package. Receptors are those
of VDJdb with both chains, 60 for each epitope that has as many.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sceptr import variant

SIZES = ("tiny", "small", "default", "large")
N_RECEPTORS = 60


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    table = pd.read_csv(args.data / "tcr" / "vdjdb_paired_human.csv.gz")
    rng = np.random.default_rng(0)
    counts = table["epitope"].value_counts()
    epitopes = counts.index[counts >= N_RECEPTORS]
    rows = [
        rng.choice(np.flatnonzero(table["epitope"] == epitope), N_RECEPTORS, replace=False)
        for epitope in sorted(epitopes)
    ]
    table = table.iloc[np.concatenate(rows)]
    embeddings = [getattr(variant, size)().calc_vector_representations(table) for size in SIZES]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez(args.output, X=np.hstack(embeddings), epitope=table["epitope"].to_numpy(str))


if __name__ == "__main__":
    main()
