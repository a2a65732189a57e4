"""Measure exact search: times of PrefixNeighbors and others, share of the numbers read, memory.

The rows are nested embeddings: levels of ESM-2's widths with variances of 1, .3, .1 and .05, each
with variances of its principal directions that fall as 1 / i ** power, in families of 30 that hold
70 % of the variance between them. With `--power none` they are independent normal numbers, of which
no bound excludes any.

    python examples/benchmarks/neighbors.py --rows 10000 100000 --columns 640 1280
    python examples/benchmarks/neighbors.py --mapped 1000000 --columns 1280
    python examples/benchmarks/neighbors.py --approximate 100000 --columns 1280
    python examples/benchmarks/neighbors.py --left rows.npy

The last one prints which share of the rows a bound leaves: by the first columns, and by as many
principal coordinates.

The others are scikit-learn's NearestNeighbors(algorithm="brute"), and protlabel and faiss-cpu if
they are installed. All search in turn, so that other programs disturb them alike.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sklearn_revdist import PrefixNeighbors
from sklearn_revdist.neighbors._found import Nearest
from sklearn_revdist.neighbors._index import Asked
from sklearn_revdist.neighbors._search import Search

WIDTHS, VARIANCES = (320, 480, 640, 1280), (1.0, 0.3, 0.1, 0.05)
FAMILY, WITHIN = 30, 0.3
K = 16
# Of Panorama, and the recall that approximate searches are to reach.
N_LEVELS, RECALL = 8, 0.99
CHUNK, LARGE = 20_000, 3e9


class Source:
    """Rows of nested embeddings, some at a time."""

    def __init__(self, n_rows, n_columns, power, seed=0):
        self.rng = rng = np.random.default_rng(seed)
        self.n_columns, self.spread = n_columns, None
        if power is None:
            return
        spread = []
        for start, stop, variance in zip((0, *WIDTHS), WIDTHS, VARIANCES, strict=False):
            if stop <= n_columns:
                share = np.arange(1.0, stop - start + 1) ** -power
                spread.append(np.sqrt(variance * share / share.sum()))
        self.spread = np.concatenate(spread).astype(np.float32)
        # the columns of the smallest model are no principal directions
        self.rotation = np.linalg.qr(rng.normal(size=(WIDTHS[0], WIDTHS[0])))[0].astype(np.float32)
        self.families = rng.standard_normal((n_rows // FAMILY + 1, n_columns), np.float32)

    def rows(self, n):
        """Rows, of which few are made at a time to save memory."""
        made = np.empty((n, self.n_columns), np.float32)
        for first in range(0, n, CHUNK):
            made[first : first + CHUNK] = self._some(min(CHUNK, n - first))
        return made

    def _some(self, n):
        rows = self.rng.standard_normal((n, self.n_columns), np.float32)
        if self.spread is not None:
            family = self.rng.integers(len(self.families), size=n)
            rows = np.sqrt(WITHIN) * rows + np.sqrt(1 - WITHIN) * self.families[family]
            rows = (rows * self.spread).astype(np.float32)
            rows[:, : WIDTHS[0]] = rows[:, : WIDTHS[0]] @ self.rotation
        return rows


def searches(X, n_jobs):
    """Functions that return the distances and the rows of the nearest neighbours of queries."""
    ours = PrefixNeighbors(K, exclude="none", n_jobs=n_jobs).fit(X)
    yield "ours", ours.kneighbors
    yield "scikit-learn", NearestNeighbors(n_neighbors=K, algorithm="brute").fit(X).kneighbors
    try:
        from protlabel.backends import nearest

        yield "protlabel", lambda queries: nearest(queries, X, K)
    except ImportError:
        print("without protlabel, which is not installed")
    try:
        import faiss

        index = faiss.IndexFlatL2(X.shape[1])
        index.add(X)
        yield "faiss", lambda queries: index.search(queries, K)
        # since faiss 1.13; a third copy of the rows
        if hasattr(faiss, "IndexFlatL2Panorama") and X.nbytes < LARGE:
            panorama = faiss.IndexFlatL2Panorama(X.shape[1], N_LEVELS)
            panorama.add(X)
            yield "Panorama", lambda queries: panorama.search(queries, K)
    except ImportError:
        print("without faiss, which is not installed")


def share_read(X, queries):
    """Share of the training rows' numbers that a search reads."""
    index = PrefixNeighbors(K, exclude="none").fit(X)._index
    search, found = Search(index.frame, len(X)), Nearest(len(queries), K)
    index.search(search, Asked(queries, np.full(len(queries), -1)), found, 1)
    return sum(search.n_read) / (len(queries) * X.size)


def compare(n_rows, n_columns, power, options):
    clock = time.process_time if options.cpu_time else time.perf_counter
    source = Source(n_rows, n_columns, power)
    X, queries = source.rows(n_rows), source.rows(options.queries)
    start = clock()
    PrefixNeighbors(K, n_jobs=options.n_jobs).fit(X)
    seconds = clock() - start
    print(f"{n_rows:,} x {n_columns}, power {power}: fit {seconds:.2f} s, ", end="")
    print(f"share of the numbers read {share_read(X, queries):.3f}", flush=True)
    functions = dict(searches(X, options.n_jobs))
    for n in (1, 10, len(queries)):
        times = {name: [] for name in functions}
        for repeat in range(options.repeats * (1 if n == len(queries) else 5)):
            part = np.roll(queries, -repeat * n, axis=0)[:n]
            for name, search in functions.items():
                time.sleep(0.05)  # threads of the one before may spin for a while
                start = clock()
                search(part)
                times[name].append(clock() - start)
        medians = {name: statistics.median(seconds) for name, seconds in times.items()}
        parts = (
            f"{name} {seconds * 1e3:.2f} ms ({seconds / medians['ours']:.2f})"
            for name, seconds in medians.items()
        )
        print(f"    {n:5d} queries: {', '.join(parts)}", flush=True)


def search_mapped(path, queries):
    """Search a memory map, and print the time and the memory that it takes."""
    X = np.load(path, mmap_mode="r")
    before = peak()
    start = time.perf_counter()
    neighbors = PrefixNeighbors(K).fit(X)
    fitted = time.perf_counter()
    print(f"    fit {fitted - start:.1f} s, {peak() - before:.0f} MB", flush=True)
    neighbors.kneighbors(queries)
    seconds = time.perf_counter() - fitted
    print(f"    {len(queries)} queries {seconds:.1f} s, {peak() - before:.0f} MB", flush=True)


def approximate(n_rows, n_columns, power, options):
    """Time approximate searches at the least effort that finds enough of the nearest rows."""
    import faiss

    source = Source(n_rows, n_columns, power)
    X, queries = source.rows(n_rows), source.rows(options.queries)
    exact = PrefixNeighbors(K, exclude="none", n_jobs=options.n_jobs).fit(X)
    nearest = exact.kneighbors(queries, return_distance=False)
    start = time.perf_counter()
    graph = faiss.IndexHNSWFlat(n_columns, 32)
    graph.add(X)
    print(f"{n_rows:,} x {n_columns}, power {power}: HNSW32 in {time.perf_counter() - start:.0f} s")
    ours = PrefixNeighbors(K, exclude="none", engine="faiss", n_jobs=options.n_jobs).fit(X)

    def by_graph(effort):
        graph.hnsw.efSearch = effort
        return graph.search(queries, K)[1]

    def by_shortlist(effort):
        ours._index.shortlist.index.hnsw.efSearch = max(effort * K, 64)
        ours.set_params(shortlist=effort)
        return ours.kneighbors(queries, return_distance=False)

    def by_prefix(length):
        listed = exact.set_params(n_components=length).kneighbors(
            queries, 10 * K, return_distance=False
        )
        squares = np.square(X[listed] - queries[:, None]).sum(axis=-1)
        return np.take_along_axis(listed, np.argsort(squares, axis=1)[:, :K], axis=1)

    searches = {
        "exact": (lambda _: nearest_of(exact.set_params(n_components=None), queries), [0]),
        "HNSW32 of all columns": (by_graph, [16, 32, 64, 128, 256, 512, 1024]),
        "engine='faiss'": (by_shortlist, [2, 5, 10, 20, 40, 80]),
        "prefix, 160 refined": (by_prefix, [w for w in WIDTHS if w < n_columns]),
    }
    for name, (search, efforts) in searches.items():
        for effort in efforts:
            found = search(effort)  # prepares what the effort needs
            recall = np.mean([np.isin(a, b).mean() for a, b in zip(nearest, found, strict=True)])
            if recall >= RECALL or effort == efforts[-1]:
                break
        times = []
        for _ in range(options.repeats):
            start = time.perf_counter()
            search(effort)
            times.append(time.perf_counter() - start)
        milliseconds = 1e3 * statistics.median(times)
        print(
            f"    {name}: effort {effort}, recall {recall:.4f}, {milliseconds:.0f} ms", flush=True
        )


def nearest_of(neighbors, queries):
    return neighbors.kneighbors(queries, return_distance=False)


def peak():
    """Largest memory of this process in MB, pages of files included."""
    status = Path("/proc/self/status").read_text(encoding="ascii")  # of Linux
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def map_rows(n_rows, n_columns, power, options):
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "rows.npy")
        source = Source(n_rows, n_columns, power)
        X = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, n_columns))
        for first in range(0, n_rows, CHUNK):
            X[first : first + CHUNK] = source.rows(min(CHUNK, n_rows - first))
        del X
        print(f"{n_rows:,} x {n_columns} in a file of {path.stat().st_size / 1e9:.2f} GB")
        # a process of its own, whose memory has not been used before
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=search_mapped, args=(path, source.rows(options.queries)))
        process.start()
        process.join()


def rows_left(X, n_queries=300):
    """Print which share of the rows bounds leave that are computed from a part of the columns."""
    X = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    rotation = np.linalg.svd(X[:: max(1, len(X) // 5000)], full_matrices=False)[2].T
    chosen = np.random.default_rng(1).permutation(len(X))[:n_queries]
    squares = np.square(X).sum(axis=1)
    bound = partial(least_distances, squares, chosen)
    distances = bound(X)
    distances[np.arange(n_queries), chosen] = np.inf
    limits = np.partition(distances, K, axis=1)[:, K - 1 : K] + 1e-9 * squares.mean()
    for n in (X.shape[1] // 16, X.shape[1] // 8, X.shape[1] // 4, X.shape[1] // 2):
        left = [(bound(rows[:, :n]) <= limits).mean() for rows in (X, X @ rotation)]
        print(f"    {n:4d} of {X.shape[1]}: first columns {left[0]:.4f}, rotated {left[1]:.4f}")


def least_distances(squares, chosen, heads):
    """Least squared distances of rows with these heads and squared lengths."""
    rests = np.sqrt(np.maximum(squares - np.square(heads).sum(axis=1), 0))
    products = heads[chosen] @ heads.T + rests[chosen, None] * rests
    return squares[chosen, None] + squares - 2 * products


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--columns", type=int, nargs="+", choices=WIDTHS[1:], default=[640, 1280])
    parser.add_argument("--power", nargs="+", default=["1", "1.5", "none"])
    parser.add_argument("--queries", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--n-jobs", type=int)
    parser.add_argument("--cpu-time", action="store_true", help="Time of the processor.")
    parser.add_argument("--mapped", type=int, nargs="+", help="Rows in a file; nothing else.")
    parser.add_argument("--approximate", type=int, nargs="+", help="Rows; nothing else.")
    parser.add_argument("--left", type=Path, nargs="+", help="Files of rows; nothing else.")
    parser.add_argument("--folder", type=Path, help="For the file; default: a temporary folder.")
    options = parser.parse_args()
    for path in options.left or []:
        print(path)
        rows_left(np.load(path))
    if options.left:
        return
    print(f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS')}, load {os.getloadavg()[0]:.1f}")
    rows = options.mapped or options.approximate or options.rows
    sizes = product(rows, options.columns, options.power)
    for n_rows, n_columns, power in sizes:
        run = map_rows if options.mapped else approximate if options.approximate else compare
        run(n_rows, n_columns, None if power == "none" else float(power), options)


if __name__ == "__main__":
    main()
