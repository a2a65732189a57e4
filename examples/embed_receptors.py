"""Embed T-cell receptors by the four sizes of SCEPTR, in an environment of its own.

    pip install sceptr
    python examples/embed_receptors.py --data DATA --output retrieval/receptors.npz
    python examples/embed_receptors.py --data DATA --output sceptr/receptors.npz \\
        --number 40 --others 2000 --listed-once

SCEPTR: Nagano et al. 2025, Cell Systems 16, 101165; weights are in the package. Receptors are those
of VDJdb with both chains, 60 for each epitope that has as many. Others have the epitope "".
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sceptr import variant

SIZES = ("tiny", "small", "default", "large")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--number", type=int, default=60, help="receptors of each epitope")
    parser.add_argument("--others", type=int, default=0, help="receptors besides, of any epitope")
    parser.add_argument(
        "--listed-once", action="store_true", help="leave out receptors in several rows"
    )
    args = parser.parse_args()
    table = pd.read_csv(args.data / "tcr" / "vdjdb_paired_human.csv.gz")
    if args.listed_once:
        table = table[~table.duplicated(["TRAV", "CDR3A", "TRBV", "CDR3B"], keep=False)]
    rng = np.random.default_rng(0)
    counts = table["epitope"].value_counts()
    epitopes = counts.index[counts >= args.number]
    rows = [
        rng.choice(np.flatnonzero(table["epitope"] == epitope), args.number, replace=False)
        for epitope in sorted(epitopes)
    ]
    rows = np.concatenate(rows)
    others = rng.choice(
        np.setdiff1d(np.arange(len(table)), rows, assume_unique=True), args.others, replace=False
    )
    table = pd.concat([table.iloc[rows], table.iloc[others].assign(epitope="")])
    embeddings = [getattr(variant, size)().calc_vector_representations(table) for size in SIZES]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez(args.output, X=np.hstack(embeddings), epitope=table["epitope"].to_numpy(str))


if __name__ == "__main__":
    main()
