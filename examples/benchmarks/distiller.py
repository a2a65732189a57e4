"""The distiller against the reference implementation: fit, transform, moments, few rows.

    python examples/benchmarks/distiller.py

Rows with a decaying spectrum, correlated between models, with outlier columns; widths of ESM-2 up
to 650M, float32. The rival is reverse_distillation 0.1.0 (PyPI), installed without its
dependencies beside fbpca, loguru and huggingface_hub. Every figure is a ratio of two times taken
in turn in one run, the median of several.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from scipy.linalg import blas

from sklearn_revdist import Moments, ReverseDistiller

DIMS = (320, 480, 640, 1280)


def embeddings(n_rows, dims, seed=0):
    """Rows that share latent variables of decaying variance, some columns a hundredfold."""
    rng = np.random.default_rng(seed)
    n_latent = dims[-1]
    decay = 1 / np.sqrt(1 + np.arange(n_latent))
    latent = (rng.normal(size=(n_rows, n_latent)) * decay).astype(np.float32)
    blocks = []
    for width in dims:
        block = latent @ rng.normal(size=(n_latent, width)).astype(np.float32)
        block += 0.1 * rng.normal(size=block.shape).astype(np.float32)
        block[:, rng.choice(width, 3, replace=False)] *= 100
        blocks.append(block)
    return blocks


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turn(repeats, **functions):
    """Median seconds of each function, taken in turn."""
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            seconds[name].append(timed(function))
    return {name: statistics.median(times) for name, times in seconds.items()}


def reference_chain(blocks, regressor, pca):
    """The reference implementation's fit of all steps, without its logging."""
    from loguru import logger
    from reverse_distillation.scaler.rd import rdScaler

    logger.remove()
    sizes = ("8M", "35M", "150M", "650M")
    scalers = []
    for i in range(1, len(blocks)):
        scaler = rdScaler(sizes[i - 1], sizes[i], regressor, pca)
        scaler.fit(blocks[i - 1], blocks[i], show_r2=False)
        scalers.append(scaler)
    return scalers


def compare_fit(n_rows, repeats):
    blocks = embeddings(n_rows, DIMS)
    X = np.hstack(blocks)
    seconds = in_turn(
        repeats,
        ours=lambda: ReverseDistiller(regressor="pcr").fit(X),
        fbpca=lambda: reference_chain(blocks, "pcr", "fbpca"),
        incremental=lambda: reference_chain(blocks, "pcr", "incremental"),
    )
    print(f"fit, {n_rows} rows: ours {seconds['ours']:.1f} s")
    for rival in ("fbpca", "incremental"):
        print(f"  reference pcr + {rival}: {seconds[rival] / seconds['ours']:.1f} x our time")


def compare_transform(n_rows, repeats):
    import torch

    blocks = embeddings(n_rows, DIMS)
    X = np.hstack(blocks)
    distiller = ReverseDistiller(regressor="pcr").fit(X)
    scalers = reference_chain(blocks, "pcr", "fbpca")
    tensors = [torch.from_numpy(block) for block in blocks]

    def reference():
        accumulated = tensors[0]
        for scaler, block in zip(scalers, tensors[1:], strict=True):
            accumulated = scaler.step(accumulated, block)

    seconds = in_turn(repeats, ours=lambda: distiller.transform(X), reference=reference)
    print(f"transform, {n_rows} rows: ours {seconds['ours']:.2f} s")
    print(f"  reference: {seconds['reference'] / seconds['ours']:.1f} x our time")


def compare_moments(n_rows, repeats):
    X = np.hstack(embeddings(n_rows, DIMS)).astype(np.float64)
    seconds = in_turn(
        repeats, moments=lambda: Moments.of(X), syrk=lambda: blas.dsyrk(1.0, X.T, lower=0)
    )
    ratio = seconds["moments"] / seconds["syrk"]
    print(f"moments, {n_rows} float64 rows: {seconds['moments']:.1f} s")
    print(f"  one BLAS syrk: {seconds['syrk']:.1f} s; ratio {ratio:.2f}")


def few_rows():
    X = np.hstack(embeddings(500, (*DIMS, 2560, 5120)))
    print(f"fit, 500 rows of all six models: {timed(lambda: ReverseDistiller().fit(X)):.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    compare_moments(args.rows, args.repeats)
    compare_transform(args.rows, args.repeats)
    few_rows()
    compare_fit(args.rows, args.repeats)


if __name__ == "__main__":
    main()
