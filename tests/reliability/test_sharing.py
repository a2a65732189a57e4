"""Readers and writers of one store at the same time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize("n_trials", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_eight_processes_share_a_store(n_trials):
    script = Path(__file__).parents[1] / "tools" / "sharing_a_store.py"
    process = subprocess.run(
        [sys.executable, str(script), str(n_trials)], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"{n_trials} stores shared by 8 processes")
