"""A hundred times the rows need no more memory.

Allocators and the threads of a library take what they like, but the same for any number of rows. So
the peaks of two runs are compared, and may differ by a small part of what the rows would take.
"""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from sklearn_revdist import ReverseDistiller

n_rows, step = int(sys.argv[1]), 10_000
rng = np.random.default_rng(0)
rows, batch = rng.standard_normal((step, 24)), np.empty((step, 24))
distiller = ReverseDistiller([8, 16])
for i in range(n_rows // step):
    np.add(rows, i % 7, out=batch)
    distiller.partial_fit(batch)
distiller.transform(batch)
assert distiller.moments_.weight == n_rows
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(n_rows):
    """Peak memory of a fit on so many rows, in bytes."""
    command = [sys.executable, "-c", PROGRAM, str(n_rows)]
    told = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return told if sys.platform == "darwin" else 1024 * told


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is told by getrusage")
@pytest.mark.parametrize(
    ("few", "many", "n_trials"),
    [(10**5, 10**6, 1), pytest.param(10**5, 10**7, 3, marks=pytest.mark.slow)],
)
def test_peak_memory_does_not_grow_with_the_rows(few, many, n_trials):
    more = (many - few) * 24 * 8
    for _ in range(n_trials):
        assert peak(many) - peak(few) < more / 4
