"""Progress: a bar on standard error that no other process can hold up.

tqdm's own bars share a lock with the processes that are forked from this one. Where one of them is
killed while it holds the lock, every later bar would wait for ever, a hidden one too.
"""

from threading import RLock

from tqdm import tqdm


class ProgressBar(tqdm):
    """A bar of tqdm whose lock is this process's alone."""

    _lock = RLock()
