"""Progress bars on standard error that no other process can block.

The bars of tqdm share a lock with forked processes. If one of these is killed while it holds the
lock, every later bar waits for ever, even a hidden one.
"""

from threading import RLock

from tqdm import tqdm


class ProgressBar(tqdm):
    """A tqdm bar with a lock of its own."""

    _lock = RLock()
