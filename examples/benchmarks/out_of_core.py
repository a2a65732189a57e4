"""Measure peak memory and time of fit and transform on files larger than memory.

The script writes synthetic rows of two models (widths 320 and 480) to a file, then runs `revdist
fit` and `revdist transform` on it in separate processes, whose peak memory the system reports.

    python examples/benchmarks/out_of_core.py --rows 1000000 10000000 --format npy

10 million rows in float16 take 16 GB, and the output of transform 19 GB; both are removed.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sklearn_revdist.tables._files import writing

DIMS = 320, 480
COLUMNS = [
    f"{name}_{j}"
    for name, width in zip(("esm2_t6_8M_UR50D", "esm2_t12_35M_UR50D"), DIMS, strict=True)
    for j in range(width)
]
BLOCK = 2**16


def write_rows(path, n_rows, dtype, seed=0):
    """Write rows of rank 64 plus noise, with columns of several scales and means far from zero."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(64, len(COLUMNS))).astype(np.float32) / 8
    scale = np.exp(rng.normal(size=len(COLUMNS))).astype(np.float32)
    mean = (5 * rng.normal(size=len(COLUMNS))).astype(np.float32)
    noise = rng.normal(size=(BLOCK + len(COLUMNS), len(COLUMNS))).astype(np.float32) / 10
    with writing(path, COLUMNS) as write:
        for start in range(0, n_rows, BLOCK):
            size = min(BLOCK, n_rows - start)
            latent = rng.standard_normal((size, 64), dtype=np.float32)
            shift = rng.integers(len(COLUMNS))
            rows = (latent @ mixing + noise[shift : shift + size]) * scale + mean
            write({}, rows.astype(dtype))


def measured(*arguments):
    """Seconds and peak memory in MiB of the program, run as a process."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "sklearn_revdist", *map(str, arguments), "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"revdist {arguments[0]} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--format", choices=["npy", "h5", "parquet"], default="npy")
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16")
    parser.add_argument("--folder", type=Path, help="Where to write; default: a temporary folder.")
    options = parser.parse_args()
    print(f"{'rows':>12} {'GB':>6}   {'fit s':>7} {'MiB':>7}   {'transform s':>11} {'MiB':>7}")
    for n_rows in options.rows:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            data, distiller = folder / f"rows.{options.format}", folder / "x.safetensors"
            # in another process, since a child counts the memory of the process that starts it
            writer = multiprocessing.get_context("spawn").Process(
                target=write_rows, args=(data, n_rows, options.dtype)
            )
            writer.start()
            writer.join()
            print(f"{n_rows:12,d} {data.stat().st_size / 1e9:6.2f}", end="", flush=True)
            print("   {:7.1f} {:7.1f}".format(*measured("fit", data, "-o", distiller)), end="")
            nested = folder / f"nested.{options.format}"
            sys.stdout.flush()
            print(
                "   {:11.1f} {:7.1f}".format(*measured("transform", distiller, data, "-o", nested))
            )


if __name__ == "__main__":
    main()
