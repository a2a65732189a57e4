"""Progress: a bar counts, and does not wait for another process."""

import os
import signal

import pytest

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


def test_a_bar_counts_on_standard_error(capsys):
    with ProgressBar(total=3) as bar:
        bar.update(3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
