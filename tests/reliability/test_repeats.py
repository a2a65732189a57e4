"""The same seed and the same number of threads in fresh processes: the same bits."""

import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, sys, warnings
import numpy as np
from threadpoolctl import threadpool_limits
import torch
from sklearn_revdist import (
    ESMEmbedder, NaiveChain, PrefixRidgeCV, ReverseDistiller, load_if1_ecoli
)
threads = int(sys.argv[1])
torch.set_num_threads(threads)
told = hashlib.sha256()
X, y = load_if1_ecoli(return_X_y=True)
with threadpool_limits(threads):
    H = ESMEmbedder("demo").transform(X[::30])
    told.update(H)
    for regressor in ("ols", "ridge", "pcr"):
        distiller = ReverseDistiller(regressor=regressor, dims=[48, 96, 160], n_new=[5, 5])
        told.update(distiller.fit(H).transform(H))
        told.update(distiller.inverse_transform(H[:, :48]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told.update(NaiveChain(dims=[48, 96, 160]).fit(H).transform(H))
        probe = PrefixRidgeCV().fit(distiller.transform(H), y[::30])
        told.update(np.ascontiguousarray(probe.predict(distiller.transform(H))))
print(told.hexdigest())
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n_processes", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_fresh_processes_give_the_same_bits(n_processes, threads):
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(threads)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(n_processes)
    }
    assert len(digests) == 1
