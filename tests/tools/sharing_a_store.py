"""Eight processes read and write one store at once; nothing is lost, doubled or wrong.

    python tests/tools/sharing_a_store.py 50

Processes are forked, so that a trial costs no imports.
"""

import os
import sqlite3
import sys
import tempfile
import traceback
from contextlib import closing
from pathlib import Path

import numpy as np

from sklearn_revdist.embedding._store import EmbeddingStore
from sklearn_revdist.embedding._store_file import SequenceKey, Source

SOURCE = Source("0", -1, "mean", "float32", 5)
N_PROCESSES, N_ROUNDS, N_SEQUENCES = 8, 12, 40


def vector(number):
    return np.full(5, number, dtype=np.float32) / 7


def work(path, seed):
    """Read some of the sequences and write those that were missing, again and again."""
    rng = np.random.default_rng(seed)
    for _ in range(N_ROUNDS):
        numbers = rng.choice(N_SEQUENCES, size=6, replace=False)
        shown = {SequenceKey(f"S{n}", 0): n for n in numbers.tolist()}
        with EmbeddingStore.create(path, exist_ok=True) as store:
            found = store.read(SOURCE, list(shown))
            for key, value in found.items():
                np.testing.assert_array_equal(value, vector(shown[key]))
            store.write(SOURCE, "m", {key: vector(shown[key]) for key in shown.keys() - found})
            found = store.read(SOURCE, list(shown))
            assert found.keys() == shown.keys()
            if seed % 4 == 0:
                check(store.to_frame())


def check(frame):
    assert frame.index.is_unique
    numbers = [int(text[1:]) for text in frame.index]
    np.testing.assert_array_equal(frame, np.stack([vector(n) for n in numbers]))


def in_child(function, *arguments):
    child = os.fork()
    if child == 0:
        try:
            function(*arguments)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def main(n_trials):
    with tempfile.TemporaryDirectory() as folder:
        for trial in range(n_trials):
            path = Path(folder, f"{trial}.sqlite")
            seeds = range(trial * N_PROCESSES, (trial + 1) * N_PROCESSES)
            children = [in_child(work, path, seed) for seed in seeds]
            for child in children:
                assert os.waitpid(child, 0)[1] == 0
            written = set()
            for seed in seeds:
                rng = np.random.default_rng(seed)
                for _ in range(N_ROUNDS):
                    written.update(rng.choice(N_SEQUENCES, size=6, replace=False).tolist())
            with EmbeddingStore(path) as store:
                frame = store.to_frame()
                check(frame)
                assert {int(text[1:]) for text in frame.index} == written
                assert store.contents()["n_sequences"].tolist() == [len(written)]
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    print(f"{n_trials} stores shared by {N_PROCESSES} processes: nothing lost, nothing doubled")


if __name__ == "__main__":
    main(int(sys.argv[1]))
