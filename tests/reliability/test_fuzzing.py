"""Every reader on files that hypothesis and a mutator make: documented exceptions only."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCRIPT = Path(__file__).parents[1] / "tools" / "fuzz_readers.py"
FUZZ = runpy.run_path(str(SCRIPT))
GROUPS = ["fasta", "csv", "labels", "npz", "safetensors"]


@pytest.fixture
def prepared(tmp_path):
    """The readers by group, and the folder in which they read."""
    return tmp_path, FUZZ["readers"](tmp_path)


@pytest.mark.parametrize("group", GROUPS)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    number=st.integers(0, 99),
    span=st.tuples(st.floats(0, 1), st.floats(0, 0.2)),
    put=st.one_of(st.binary(max_size=40), st.sampled_from(FUZZ["TOKENS"])),
)
def test_a_piece_of_a_file_is_replaced(group, prepared, number, span, put):
    folder, readers = prepared
    reader = readers[group][number % len(readers[group])]
    start, length = (int(part * len(reader.seed)) for part in span)
    changed = reader.seed[:start] + put + reader.seed[start + length :]
    assert FUZZ["try_one"](folder, reader, changed) in (True, False)


@pytest.mark.parametrize("group", GROUPS)
def test_mutated_files(group):
    n_tried, n_read = FUZZ["fuzz"](group, n_cases=400, seconds=60, seed=1)
    assert 0 < n_read < n_tried


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by Linux's rlimit")
@pytest.mark.parametrize("group", GROUPS)
def test_mutated_files_in_bounded_memory(group):
    arguments = [group, "--cases", "1000000", "--seconds", "60"]
    process = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"{group}: ")


@pytest.mark.parametrize(
    ("group", "name", "content"),
    [
        ("csv", "t.csv", b"sequence,target,split\n"),  # no rows
        ("csv", "t.csv", b"sequence,target,split\nMKT\n"),  # no cells
        ("csv", "t.csv", b"sequence,target,split\n1,2,3,4\n"),  # one cell too many
        ("labels", "q.csv", b"protein,position,residue,score\n"),
        ("labels", "q.csv", b"protein,position,residue,score\na," + b"9" * 5000 + b",M,0.5\n"),
        ("labels", "s.csv", b"mutant,mutated_sequence,DMS_score\nM1A:,AKT,0.5\n"),
        ("labels", "s.csv", b"mutant,mutated_sequence,DMS_score\nM" + b"1" * 5000 + b"A,AKT,1\n"),
        ("labels", "t.toml", b"task = [1]\n"),
        ("labels", "t.toml", b"[[task]]\nformat = 1\npath = 3\n"),
        ("labels", "t.toml", b"[[task]]\nformat = []\n"),
        ("labels", "t.toml", b'[[task]]\nformat = "scan"\npath = "x.csv"\nmax_per_count = "a"\n'),
        ("labels", "t.toml", b'[[task]]\nformat = "table"\npath = "x.csv"\ncolumns = [1]\n'),
        ("labels", "t.toml", b'[[task]]\nformat = "scan"\npath = "\\u0000"\n'),
        ("labels", "t.toml", b"\xff"),
        ("labels", "t.toml", b'[[task]]\nformat = "scan"\npath = "' + b"9" * 5000 + b'"\n'),
    ],
)
def test_what_fuzzing_found(group, name, content, prepared):
    folder, readers = prepared
    reader = next(reader for reader in readers[group] if reader.name == name)
    assert not FUZZ["try_one"](folder, reader, content)
