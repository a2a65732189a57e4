"""Progress: a bar, one line, or a line for each tenth; it does not wait for another process."""

import os
import signal
import sys
from types import ModuleType, SimpleNamespace

import pytest

from sklearn_revdist.utils import _progress
from sklearn_revdist.utils._progress import ProgressBar


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")
def test_a_process_killed_while_it_draws_blocks_no_other():
    child = os.fork()
    if not child:
        ProgressBar.get_lock().acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert ProgressBar.get_lock().acquire(blocking=False)
    ProgressBar.get_lock().release()


def test_in_a_terminal_a_bar_counts_on_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressBar(total=3) as bar:
        bar.update(3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err


def test_elsewhere_there_is_a_line_for_each_tenth(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_QUICK", 0)
    with ProgressBar(total=98_400, desc="8M", unit="residue", unit_scale=True, miniters=1) as bar:
        bar.mininterval = 0
        for _ in range(984):
            bar.update(100)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split(" elapsed")[0][:-7] for line in lines] == [
        f"8M: {percent} % of 98.4k residues" for percent in range(10, 101, 10)
    ]
    assert all(line.endswith(" left") for line in lines[:-1])
    assert lines[-1].endswith(" elapsed")


def test_what_is_quick_or_hidden_or_within_another_has_no_lines(capsys, monkeypatch):
    with ProgressBar(total=10) as bar:
        bar.update(10)
    monkeypatch.setattr(_progress, "_QUICK", 0)
    with ProgressBar(total=10, disable=True) as hidden:
        hidden.update(10)
    assert capsys.readouterr().err == ""
    for _ in ProgressBar(range(2), desc="all", unit="query", miniters=1):
        with ProgressBar(total=10, desc="one") as inner:
            inner.update(10)
    lines = capsys.readouterr().err.splitlines()
    assert [line[:20] for line in lines if line.startswith("all: 100 %")] == [
        "all: 100 % of 2 quer"
    ]
    assert not any(line.startswith("one") for line in lines)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"total": 5_000, "unit": "B", "unit_scale": True}, "100 % of 5.00kB"),
        ({"total": 5, "unit": "query"}, "100 % of 5 queries"),
        ({"total": 5}, "100 % of 5"),
    ],
)
def test_a_line_says_what_is_counted(settings, expected, capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_QUICK", 0)
    with ProgressBar(**settings) as bar:
        bar._time = lambda: bar.start_t  # no time passes
        bar.update(settings["total"])
    assert capsys.readouterr().err.startswith(f"{expected}, 00:00 elapsed\n")


def test_without_a_total_there_are_no_lines(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_QUICK", 0)
    assert list(ProgressBar(iter("ab"))) == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_in_a_notebook_one_line_of_output_changes(capsys, monkeypatch):
    shown = []

    def display(content, *, raw, display_id):
        assert raw
        assert display_id
        shown.append([content["text/plain"]])
        return SimpleNamespace(update=lambda new, raw: shown[-1].append(new["text/plain"]))

    notebook, output = ModuleType("IPython"), ModuleType("IPython.display")
    notebook.get_ipython = lambda: SimpleNamespace(kernel="a kernel")
    output.display = display
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", output)
    with ProgressBar(total=3, miniters=1) as bar:
        bar.mininterval = 0
        for _ in range(3):
            bar.update()
            with ProgressBar(total=1) as inner:
                inner.update()
    (line,) = shown
    assert "1/3" in line[0]
    assert "3/3" in line[-1]
    assert capsys.readouterr() == ("", "")
