"""Threads of BLAS: how many it uses, and only one while others compute side by side."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_limits: list[Any] = []


@cache
def thread_pools() -> ThreadpoolController:
    """Thread pools of the libraries that are loaded; found once, since that takes milliseconds."""
    return ThreadpoolController()


def n_blas_threads() -> int:
    """Number of threads that BLAS uses now."""
    pools = thread_pools().info()
    return max((pool["num_threads"] for pool in pools if pool["user_api"] == "blas"), default=1)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread, until the last of those who ask for it at the same time is done."""
    with _lock:
        first = not _limits
        _limits.append(thread_pools().limit(limits=1, user_api="blas") if first else None)
    try:
        yield
    finally:
        with _lock:
            if len(_limits) == 1:
                _limits[0].restore_original_limits()
            _limits.pop()
