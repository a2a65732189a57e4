"""Threads of BLAS: how many it uses, and only one where others compute side by side."""

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def thread_pools() -> ThreadpoolController:
    """Thread pools of the libraries that are loaded; found once, since that takes milliseconds."""
    return ThreadpoolController()


def n_blas_threads() -> int:
    """Number of threads that BLAS uses now."""
    pools = thread_pools().info()
    return max((pool["num_threads"] for pool in pools if pool["user_api"] == "blas"), default=1)


def one_blas_thread() -> AbstractContextManager:
    """Limit BLAS to one thread."""
    return thread_pools().limit(limits=1, user_api="blas")
