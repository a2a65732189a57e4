"""Writers that are killed, or whose disk fails: the old file or the new one, alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "failing_writes.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="calls are caught as on Linux")


def run(*arguments, **variables):
    process = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.parametrize("n_kills", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_killed_writers_leave_the_old_file_or_the_new_one(n_kills):
    assert run("kills", n_kills).startswith(f"{n_kills} kills")


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.slow)])
def test_a_disk_that_fails_is_one_error_and_leaves_the_old_file(step, tmp_path):
    """At every call that writes, or in the short version at every 29th."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler makes the library that lets calls fail")
    library = tmp_path / "failing_writes.so"
    source = SCRIPT.with_suffix(".c")
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    told = run("faults", step, LD_PRELOAD=str(library)).splitlines()
    assert len(told) == 6 * 3  # writers, and kinds of failures
