"""Every module is imported without output, network, files or a change of global state."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_revdist

PACKAGE = Path(sklearn_revdist.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("_*.py")
)
# Imported when they are used: they import torch, and the last ones fair-esm.
HEAVY = {
    *("embedding._checkpoints", "embedding._esm2", "embedding._inference", "embedding._linear"),
    *("utils._torch_settings", "embedding._fair_esm", "embedding._agreement"),
}

PROGRAM = """
import importlib, io, logging, os, random, sys, warnings
import numpy as np, pandas, scipy.linalg, sklearn, joblib, click, tqdm  # what others do, is theirs
import safetensors.numpy, sklearn.model_selection, sklearn.pipeline, threadpoolctl

def forbid(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.",
                         "os.system", "os.exec", "os.fork", "shutil.", "os.mkdir", "os.remove")):
        raise AssertionError(f"{event}{arguments}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise AssertionError(f"{event}{arguments}")

def state():
    held = [list(logging.root.handlers), logging.root.level, list(warnings.filters), sys.path[:],
            sorted(os.environ.items()), random.getstate(), np.random.get_state()[1].tolist(),
            np.geterr(), sklearn.get_config(), sys.excepthook, os.getcwd(),
            pandas.get_option("display.max_rows")]
    torch = sys.modules.get("torch")
    if torch is not None:
        held += [torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(),
                 torch.are_deterministic_algorithms_enabled(), torch.initial_seed(),
                 torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()]
    return held

name, heavy = sys.argv[1], sys.argv[2] == "True"
if heavy:
    import torch, esm
before = state()
sys.addaudithook(forbid)
sys.dont_write_bytecode = True
import sklearn_revdist
importlib.import_module(f"sklearn_revdist.{name}")
assert state() == before
loaded = {module.partition(".")[0] for module in sys.modules}
late = {"matplotlib", "dask", "distributed", "h5py", "huggingface_hub"}
late |= set() if heavy else {"torch", "esm"}
assert not loaded & late, loaded & late
needy = {"LeftOutVotingRegressor", "RetrievalMixtureClassifier", "RetrievalMixtureRegressor"}
for public in sklearn_revdist.__all__:
    made = getattr(sklearn_revdist, public)
    if hasattr(made, "fit"):
        made([]) if public in needy else made()
assert state() == before
"""


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(name, marks=[] if name in ("__init__", *HEAVY) else pytest.mark.slow)
        for name in MODULES
        if not name.endswith("__main__")
    ],
)
def test_import_and_construction_leave_everything_as_it_was(module, tmp_path):
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, module, str(module in HEAVY)],
        cwd=tmp_path,
        # what measures coverage writes files
        env={k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert (process.stdout, process.stderr) == ("", "")
    assert not list(tmp_path.iterdir())
