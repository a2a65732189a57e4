"""Kill processes at random moments while they fill a store, and look at what they leave.

    python tests/tools/killed_while_storing.py 200

Every reopening must find an intact SQLite file and no wrong number, and the next process must go
on from there. Processes are forked, so that a kill costs milliseconds and not an import of torch.
"""

import os
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from sklearn_revdist import EmbeddingStore, ESMEmbedder
from sklearn_revdist.embedding import _assembly
from sklearn_revdist.sequences._tokens import AMINO_ACIDS

N_SEQUENCES = 30


def fill(path, sequences):
    """In another process: embed one sequence in a batch, and store each at once."""
    child = os.fork()
    if child == 0:
        os.setsid()
        ESMEmbedder("demo-48", batch_tokens=1, store=path).transform(sequences)
        os._exit(0)
    return child


def kill(child, seconds):
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def stored(path, sequences, expected):
    """Number of stored embeddings, all of which are checked."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    with closing(sqlite3.connect(path)) as connection:
        ((verdict,),) = connection.execute("PRAGMA integrity_check").fetchall()
        ((n_tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    assert verdict == "ok", verdict
    if n_tables == 0:
        return 0
    with EmbeddingStore(path) as store:
        frame = store.to_frame()
    rows = [sequences.index(sequence) for sequence in frame.index]
    if rows:
        np.testing.assert_array_equal(frame, expected[rows])
    return len(rows)


def main(n_kills):
    torch.set_num_threads(1)
    _assembly.FLUSH_SECONDS = 0
    rng = np.random.default_rng(0)
    sequences = [
        "".join(rng.choice(list(AMINO_ACIDS), size=rng.integers(20, 60)))
        for _ in range(N_SEQUENCES)
    ]
    # One sequence in a batch on one thread, as in the processes: the same bits.
    expected = ESMEmbedder("demo-48", batch_tokens=1).transform(sequences)
    counts = []
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        os.waitpid(fill(Path(folder, "whole.sqlite"), sequences), 0)
        whole = time.perf_counter() - start
        n_stores, before, path = 0, 0, Path(folder, "0.sqlite")
        while len(counts) < n_kills:
            if not kill(fill(path, sequences), rng.uniform(0, whole / 2)):
                n_stores, before, path = n_stores + 1, 0, Path(folder, f"{n_stores + 1}.sqlite")
                continue
            found = stored(path, sequences, expected)
            assert found >= before, f"{before - found} embeddings are lost"
            counts.append(found - before)
            before = found
        embedded = ESMEmbedder("demo-48", batch_tokens=1, store=path).transform(sequences)
        np.testing.assert_array_equal(embedded, expected)
    print(
        f"{n_kills} kills of processes that would take {whole:.2f} s, {n_stores + 1} stores: all "
        f"intact, nothing wrong, nothing lost; {sum(map(bool, counts))} had stored something"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
