"""Fit the demo chain's distiller on the residues of a thousand natural sequences.

    python examples/fit_demo_distiller.py --data DATA --out demo_distiller.safetensors

The sequences come from the training corpus of the demo chain. None is related to a protein of a
deep mutational scan (see train_demo_chain.py).
"""

import argparse
from pathlib import Path

from train_demo_chain import load_corpus

from sklearn_revdist import ESMEmbedder, ReverseDistiller


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    args = parser.parse_args()

    sequences = load_corpus(args.data)[0][:1000]
    # With so many rows no penalty is needed, and least squares gives exactly orthogonal columns.
    distiller = ReverseDistiller(regressor="ols")
    distiller.fit_residues(sequences, ESMEmbedder("demo", verbose=True))
    distiller.save_pretrained(args.out)
    print(f"{distiller.moments_.weight:.0f} residues of {len(sequences)} sequences")
    for name, values in (
        ("predicted from the prefix (R2)", distiller.r2_),
        ("residual kept by the new columns", distiller.explained_variance_ratio_),
        ("condition of the prefix", distiller.conditions_),
    ):
        print(f"{name}: {', '.join(f'{value:.3f}' for value in values)}")


if __name__ == "__main__":
    main()
