"""Compare the distiller with the reference implementation: moments, fit, transform, memory.

    python examples/benchmarks/distiller.py
    python examples/benchmarks/distiller.py --fasta natural_sequences.fasta

The first command makes rows with a decaying spectrum, correlated between models, with outlier
columns, in float32 and with the widths of ESM-2 up to 650M. The second uses residues of the demo
chain. The baseline is reverse_distillation 0.1.0 (PyPI), installed without dependencies, and with
fbpca, loguru and huggingface_hub beside it. Every figure is a ratio of two times, medians of
several measured in turn in one run. Memory is the peak of a separate process beyond its input
(Linux). If other programs share the processors, set OMP_NUM_THREADS=1 and --cpu-time for reliable
ratios.
"""

import argparse
import multiprocessing
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.linalg import blas

from sklearn_revdist import ESMEmbedder, Moments, ReverseDistiller, read_fasta
from sklearn_revdist.distillation._chain import solve_chain

SIZES = ("8M", "35M", "150M", "650M")
DIMS = (320, 480, 640, 1280)
ALL_DIMS = (*DIMS, 2560, 5120)


def embeddings(n_rows, dims, seed=0):
    """Rows that share latent variables of decaying variance, some columns multiplied by 100."""
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


def residues(path, n_rows):
    """Residues of natural sequences, embedded by the demo chain."""
    _, sequences = read_fasta(path)
    blocks = [rows for rows, _ in ESMEmbedder("demo").iter_residues(sequences[:300])]
    return np.split(np.vstack(blocks)[:n_rows], np.cumsum([48, 96]), axis=1)


def in_turn(repeats, clock, **functions):
    """Median seconds of each function, taken in turn."""
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = clock()
            function()
            seconds[name].append(clock() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def reference_fit(blocks, regressor, pca):
    """Fit all steps with the reference implementation, without its logging."""
    from loguru import logger
    from reverse_distillation.scaler.rd import ESM2_CONFIGS, rdScaler

    logger.remove()
    for size, block in zip(SIZES, blocks, strict=False):
        ESM2_CONFIGS[size]["embed_dim"] = block.shape[1]
    scalers = []
    for i in range(1, len(blocks)):
        scaler = rdScaler(SIZES[i - 1], SIZES[i], regressor, pca)
        scaler.fit(blocks[i - 1], blocks[i], show_r2=False)
        scalers.append(scaler)
    return scalers


def reference_on_torch(scalers):
    """The same steps in the reference's optimised form: torch, single precision."""
    import torch
    from reverse_distillation.scaler.rd import rdScalerGPUOptimized

    steps = []
    for scaler in scalers:
        step, arrays = rdScalerGPUOptimized(), scaler.get_state_dict()
        step.regressor_step = step.predict_pcr
        step.n_significant_pcs_ = int(arrays["regressor__n_significant_pcs_"])
        for buffer in ("input_mean_", "output_mean_", "input_components_", "coef_", "intercept_"):
            value = np.atleast_1d(arrays[f"regressor__{buffer}"])
            step.register_buffer(buffer, torch.from_numpy(value).float())
        for buffer in ("mean_", "components_"):
            step.register_buffer(buffer, torch.from_numpy(arrays[f"pca__{buffer}"]).float())
        steps.append(step.eval())
    return steps


def compare_moments(blocks, repeats, clock):
    X = np.hstack(blocks)
    in_float64 = X.astype(np.float64)
    seconds = in_turn(
        repeats,
        clock,
        single=lambda: Moments.of(X),
        double=lambda: Moments.of(in_float64),
        syrk=lambda: blas.dsyrk(1.0, in_float64.T, lower=0),
    )
    print(f"moments of float64 rows: {seconds['double'] / seconds['syrk']:.2f} x one BLAS syrk")
    print(f"moments of float32 rows: {seconds['single'] / seconds['syrk']:.2f} x the same syrk")


def compare_fit(blocks, repeats, clock):
    X, dims = np.hstack(blocks), [block.shape[1] for block in blocks]
    ours = {
        regressor: lambda regressor=regressor: ReverseDistiller(dims, regressor=regressor).fit(X)
        for regressor in ("pcr", "ridge", "ols")
    }
    baselines = {
        pca: lambda pca=pca: reference_fit(blocks, "pcr", pca) for pca in ("fbpca", "incremental")
    }
    seconds = in_turn(repeats, clock, **ours, **baselines)
    for regressor in ours:
        ratios = ", ".join(
            f"{seconds[pca] / seconds[regressor]:.1f} x faster than pcr + {pca}"
            for pca in baselines
        )
        print(f"fit, {regressor}: {seconds[regressor]:.2f} s, {ratios}")


def compare_transform(blocks, repeats, clock):
    import torch

    X, dims = np.hstack(blocks), [block.shape[1] for block in blocks]
    distiller = ReverseDistiller(dims, regressor="pcr").fit(X)
    scalers = reference_fit(blocks, "pcr", "fbpca")
    modes = {"numpy": scalers, "torch": reference_on_torch(scalers)}
    tensors = [torch.from_numpy(block) for block in blocks]

    def reference(steps):
        accumulated = tensors[0]
        for step, tensor in zip(steps, tensors[1:], strict=True):
            accumulated = step.step(accumulated, tensor)

    baselines = {mode: lambda steps=steps: reference(steps) for mode, steps in modes.items()}
    seconds = in_turn(repeats, clock, ours=lambda: distiller.transform(X), **baselines)
    for mode in modes:
        ratio = seconds[mode] / seconds["ours"]
        print(f"transform: {ratio:.1f} x faster than the reference's {mode} mode")


def fit_rows(n_rows, dims, regressor):
    X = np.hstack(embeddings(n_rows, dims))
    yield
    ReverseDistiller(dims, regressor=regressor).fit(X)


def reference_fit_rows(n_rows, pca):
    blocks = embeddings(n_rows, DIMS)
    yield
    reference_fit(blocks, "pcr", pca)


def solve(dims):
    n_columns = sum(dims)
    moments = Moments.of(np.hstack(embeddings(n_columns + 1000, dims)))
    yield
    solve_chain(moments, dims, np.diff(dims), regressor="ridge")


def stream(n_rows):
    batch = np.hstack(embeddings(8192, DIMS[:2]))
    distiller = ReverseDistiller(DIMS[:2])
    yield
    for start in range(0, n_rows, len(batch)):
        distiller.partial_fit(batch[: n_rows - start])
    distiller.transform(batch)


def memory_in_process(connection, function, arguments):
    """Peak resident memory beyond what was used before, and seconds."""
    warnings.simplefilter("ignore")
    steps = function(*arguments)
    next(steps)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    start = time.perf_counter()
    next(steps, None)
    connection.send((resident("VmHWM") - before, resident("VmHWM"), time.perf_counter() - start))


def resident(field):
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1e6


def in_process(function, *arguments):
    """GB beyond the input, GB in all, seconds."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=memory_in_process, args=(there, function, arguments))
    process.start()
    figures = here.recv()
    process.join()
    return figures


def report_memory(n_rows):
    for name, function, arguments in (
        ("ours", fit_rows, (n_rows, DIMS, "pcr")),
        ("reference, fbpca", reference_fit_rows, (n_rows, "fbpca")),
        ("reference, incremental", reference_fit_rows, (n_rows, "incremental")),
    ):
        beyond, _, _ = in_process(function, *arguments)
        print(f"memory of a fit beyond its input, {name}: {beyond:.2f} GB")
    (_, few, _), (_, many, _) = in_process(stream, 100_000), in_process(stream, 1_000_000)
    print(f"peak memory of a stream, 1,000,000 rows / 100,000 rows: {many / few:.3f}")
    beyond, _, seconds = in_process(fit_rows, 500, ALL_DIMS, "ridge")
    print(f"fit of 500 rows of all six models: {seconds:.1f} s, {beyond:.2f} GB beyond the input")
    _, total, seconds = in_process(solve, ALL_DIMS)
    print(f"chain of all six models from moments: {seconds:.0f} s, {total:.1f} GB with the moments")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpu-time", action="store_true", help="measure processor time")
    parser.add_argument("--fasta", help="use residues of these sequences instead of synthetic rows")
    args = parser.parse_args()
    clock = time.process_time if args.cpu_time else time.perf_counter
    warnings.simplefilter("ignore")
    blocks = residues(args.fasta, args.rows) if args.fasta else embeddings(args.rows, DIMS)
    print(f"{len(blocks[0])} rows, widths {[block.shape[1] for block in blocks]}")
    compare_moments(blocks, args.repeats, clock)
    compare_transform(blocks, args.repeats, clock)
    compare_fit(blocks, args.repeats, clock)
    if not args.fasta:
        del blocks
        report_memory(args.rows)


if __name__ == "__main__":
    main()
