"""Time a fit and an embedding on one and on two worker processes, and a fit without dask.

    python examples/benchmarks/dask_scaling.py

The rows are in a memory-mapped npy file (6.4 GB for two million rows of widths 320 and 480), which
is written before and removed after the run. All processes use one BLAS thread. Variants are timed
in turn in one run. Beside the wall clock, the script reports the processor time of all processes,
which depends little on other load.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np
import psutil
from distributed import Client, LocalCluster
from threadpoolctl import threadpool_limits

from sklearn_revdist import ESMEmbedder, ReverseDistiller, embed_to_parquet

DIMS = (320, 480)
N_LATENT = 64


def write_rows(path, n_rows, step=50_000):
    """Rows that share latent variables of decaying variance."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((N_LATENT, sum(DIMS)), dtype=np.float32)
    decay = (1 / np.sqrt(1 + np.arange(N_LATENT))).astype(np.float32)
    noise = 0.1 * rng.standard_normal((step, sum(DIMS)), dtype=np.float32) + 5
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, sum(DIMS)))
    for start in range(0, n_rows, step):
        block = rows[start : start + step]
        latent = rng.standard_normal((len(block), N_LATENT), dtype=np.float32) * decay
        np.matmul(latent, mix, out=block)
        block += noise[: len(block)]
    rows.flush()


def blocks(path, n_rows_of_block):
    """The file as a dask array whose tasks open it themselves."""
    n_rows, n_columns = np.load(path, mmap_mode="r").shape

    def read(block_id=None):
        first = block_id[0] * n_rows_of_block
        return np.load(path, mmap_mode="r")[first : first + n_rows_of_block]

    return da.map_blocks(
        read,
        chunks=da.core.normalize_chunks((n_rows_of_block, n_columns), (n_rows, n_columns)),
        dtype=np.float32,
        meta=np.empty((0, 0), np.float32),
    )


def processor_seconds(client=None):
    """Processor time of this process, which runs the scheduler, and of the workers."""
    times = [psutil.Process().cpu_times()]
    if client is not None:
        times += client.run(lambda: psutil.Process().cpu_times()).values()
    return sum(t.user + t.system for t in times)


def timed(function, client=None):
    """Wall-clock and processor seconds."""
    before, start = processor_seconds(client), time.perf_counter()
    function()
    elapsed = time.perf_counter() - start
    return elapsed, processor_seconds(client) - before


def cluster(n_workers):
    return LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0")


def in_turn(repeats, variants):
    """Seconds of each variant, as a list of pairs; a variant has a number of workers, or None."""
    seconds = {name: [] for name in variants}
    for _ in range(repeats):
        for name, (n_workers, warm_up, function) in variants.items():
            if n_workers is None:
                seconds[name].append(timed(lambda function=function: function(None)))
            else:
                with cluster(n_workers) as workers, Client(workers) as client:
                    warm_up(client)
                    call = lambda function=function, client=client: function(client)  # noqa: E731
                    seconds[name].append(timed(call, client))
            wall, processors = seconds[name][-1]
            print(f"  {name}: {wall:.1f} s, {processors:.1f} s of processor time", flush=True)
    return seconds


def ratio(seconds, one, other, kind):
    return statistics.median(s[kind] for s in seconds[one]) / statistics.median(
        s[kind] for s in seconds[other]
    )


def compare_fit(path, repeats, n_rows_of_block):
    def plain(_):
        with threadpool_limits(1):
            ReverseDistiller(DIMS).fit(np.load(path, mmap_mode="r"))

    def on_workers(_):
        with threadpool_limits(1):
            ReverseDistiller(DIMS).fit(blocks(path, n_rows_of_block))

    def warm_up(_):
        ReverseDistiller(DIMS).fit(blocks(path, n_rows_of_block)[: 2 * n_rows_of_block])

    seconds = in_turn(
        repeats,
        {
            "fit, plain": (None, None, plain),
            "fit, 1 worker": (1, warm_up, on_workers),
            "fit, 2 workers": (2, warm_up, on_workers),
        },
    )
    for kind, name in enumerate(("wall clock", "processor time")):
        overhead = ratio(seconds, "fit, 1 worker", "fit, plain", kind) - 1
        print(f"overhead of one worker over the plain fit, {name}: {overhead:.1%}")
    print(f"speed-up of the fit: {ratio(seconds, 'fit, 1 worker', 'fit, 2 workers', 0):.2f}")


def compare_embedding(n_sequences, repeats):
    rng = np.random.default_rng(0)
    acids = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    sequences = ["".join(rng.choice(acids, n)) for n in rng.integers(50, 500, n_sequences)]
    embedder = ESMEmbedder("demo")

    def embed(client, sequences=sequences):
        with tempfile.TemporaryDirectory() as folder:
            embed_to_parquet(embedder, sequences, folder, client=client, tokens_per_part=2**14)

    def warm_up(client):
        client.run(lambda: ESMEmbedder("demo").transform(["MKTAYIAKQR"]))

    seconds = in_turn(
        repeats,
        {f"embedding, {n} worker{'s'[: n - 1]}": (n, warm_up, embed) for n in (1, 2)},
    )
    gain = ratio(seconds, "embedding, 1 worker", "embedding, 2 workers", 0)
    print(f"speed-up of embedding {sum(map(len, sequences))} residues: {gain:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--block-rows", type=int, default=50_000)
    parser.add_argument("--sequences", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", help="folder for the file of rows; default: a temporary one")
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / "rows.npy"
        write_rows(path, args.rows)
        print(f"{args.rows} rows, {path.stat().st_size / 1e9:.1f} GB")
        compare_fit(str(path), args.repeats, args.block_rows)
    compare_embedding(args.sequences, args.repeats)


if __name__ == "__main__":
    main()
