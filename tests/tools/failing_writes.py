"""Let every call that writes fail, one after the other; or kill the writer at a random moment.

    LD_PRELOAD=./failing_writes.so python tests/tools/failing_writes.py faults [STEP]
    python tests/tools/failing_writes.py kills 300

A file that was there is the old one or the new one and can be read; a store holds all that it
held before. What fails raises an OSError, and leaves nothing beside the file. Processes are
forked, so that a trial costs no imports.
"""

import contextlib
import ctypes
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner

from sklearn_revdist import EmbeddingStore, ESMEmbedder, ReverseDistiller
from sklearn_revdist.cli._main import main as revdist
from sklearn_revdist.embedding._store_file import SequenceKey, Source
from sklearn_revdist.tables._files import open_table, writing

KINDS = ("no space left", "input/output error", "short write")
SOURCE = Source("0", -1, "mean", "float32", 5)
FASTA = "".join(f">p{i}\nMKTAYIAKQR{'ACDEFGHIKL'[i:]}W\n" for i in range(10))


def fitted(seed):
    X = np.random.default_rng(seed).normal(size=(50, 18))
    return ReverseDistiller([3, 6, 9], regressor="ols").fit(X)


def save(path, seed):
    fitted(seed).save_pretrained(path)


def saved(path):
    return ReverseDistiller.from_pretrained(path).components_


def store(path, seed):
    rows = {SequenceKey(f"S{seed}K{i}", 0): np.full(5, seed, np.float32) for i in range(30)}
    with EmbeddingStore.create(path, exist_ok=True) as opened:
        opened.write(SOURCE, "m", rows)


def stored(path):
    with EmbeddingStore(path) as opened:
        return opened.to_frame().to_numpy()


def table(path, seed):
    rows = np.full((200, 7), seed, np.float32)
    with writing(path, [f"m_{j}" for j in range(7)]) as write:
        for part in np.split(rows, 4):
            write({"name": np.array(["é"] * len(part), dtype=object)}, part)


def tabled(path):
    return np.concatenate([batch.rows for batch in open_table(path).batches()])


def embed(path, seed):
    sequences = path.with_name("in.fasta")
    if seed:
        ESMEmbedder("demo-48")
    result = CliRunner().invoke(
        revdist, ["embed", str(sequences), "-o", str(path), "-m", "demo-48", "-q"]
    )
    if result.exit_code == 4:
        raise OSError(result.output)
    if result.exit_code:
        raise RuntimeError(f"{result.exit_code}: {result.output}") from result.exception


WRITERS = {
    "distiller.safetensors": (save, saved),
    "store.sqlite": (store, stored),
    "table.parquet": (table, tabled),
    "table.h5": (table, tabled),
    "table.npy": (table, tabled),
    "embedded.parquet": (embed, tabled),
}


def in_child(function):
    """Run in another process; its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            warnings.simplefilter("error")
            status = function()
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    return child


def prepared(folder, name):
    """A writer, a reader and a path at which the old file lies."""
    write, read = WRITERS[name]
    path = Path(folder, name)
    path.with_name("in.fasta").write_text(FASTA)
    write(path, 0)
    return write, read, path


def is_old_or_new(found, old, new):
    return any(found.shape == kept.shape and np.array_equal(found, kept) for kept in (old, new))


def after(write, read, path):
    """What a second writing makes of the file."""
    write(path, 1)
    return read(path)


def faults(step):
    library = ctypes.CDLL(None)
    place = {
        name: ctypes.c_int.in_dll(library, f"fault_{name}") for name in ("at", "kind", "calls")
    }
    watched = (ctypes.c_char * 4096).in_dll(library, "fault_folder")
    for name in WRITERS:
        with tempfile.TemporaryDirectory() as other:
            write, read, path = prepared(other, name)
            old = read(path)
            new = after(write, read, path)
        for kind, told in enumerate(KINDS):
            k, failed, finished = 1, 0, False
            while not finished:
                with tempfile.TemporaryDirectory() as folder:
                    write, read, path = prepared(folder, name)
                    before = sorted(os.listdir(folder))

                    def trial(k=k, kind=kind, write=write, path=path, folder=folder):
                        place["at"].value, place["kind"].value = k, kind
                        place["calls"].value = 0
                        watched.value = folder.encode()
                        code = 0
                        try:
                            write(path, 1)
                        except OSError:
                            code = 10
                        watched.value = b""
                        return code if place["calls"].value >= k else 20

                    _, status = os.waitpid(in_child(trial), 0)
                    code = os.waitstatus_to_exitcode(status)
                    assert code in (0, 10, 20), f"{name}, {told}, call {k}: {code}"
                    failed += code == 10
                    finished = code == 20
                    assert is_old_or_new(read(path), old, new), f"{name}, {told}, call {k}"
                    if code == 0:
                        np.testing.assert_array_equal(read(path), new)
                    left = [f for f in sorted(os.listdir(folder)) if "unfinished" not in f]
                    assert left == before, f"{name}, {told}, call {k}: {left}"
                    np.testing.assert_array_equal(after(write, read, path), new)
                k += step
            print(f"{name}: {told} at {k - step} calls, {failed} told", flush=True)


def kills(n_kills):
    rng = np.random.default_rng(0)
    n_killed = n_new = 0
    names = list(WRITERS)
    whole = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            write, read, path = prepared(folder, name)
            old = read(path)
            start = time.perf_counter()
            os.waitpid(in_child(lambda: write(path, 1) or 0), 0)  # noqa: B023
            whole[name] = old, read(path), time.perf_counter() - start
    while n_killed < n_kills:
        name = names[int(rng.integers(len(names)))]
        old, new, seconds = whole[name]
        with tempfile.TemporaryDirectory() as folder:
            write, read, path = prepared(folder, name)
            child = in_child(lambda: write(path, 1) or 0)  # noqa: B023
            time.sleep(rng.uniform(0, seconds))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            n_killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
            found = read(path)
            assert is_old_or_new(found, old, new), name
            n_new += found.shape == new.shape and np.array_equal(found, new)
            np.testing.assert_array_equal(after(write, read, path), new, err_msg=name)
    print(f"{n_kills} kills: the old file or the new one, and the same after another run")


if __name__ == "__main__":
    torch.set_num_threads(1)
    ESMEmbedder("demo-48").transform(["MKT"])
    {"faults": faults, "kills": kills}[sys.argv[1]](int(sys.argv[2]))
