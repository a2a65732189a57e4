"""What a report of a problem has to say of the machine: versions, devices and threads."""

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from .. import __version__

# Extras that only developers install.
_DEVELOPMENT = {"test", "docs"}


def show_versions() -> None:
    """Print versions of Python and the dependencies, devices of torch, and thread pools.

    Copy what it prints into a report of a problem. It is read from the installed packages, and
    nothing of it is sent anywhere.

    Examples
    --------
    >>> from sklearn_revdist import show_versions
    >>> show_versions()
    System
      sklearn_revdist   ...
      python            ...
    """
    for title, rows in (
        ("System", _system()),
        ("Dependencies", _dependencies()),
        ("Torch", _torch()),
        ("Thread pools", _thread_pools()),
    ):
        print(title)
        for name, value in rows:
            print(f"  {name:<16}  {value}")


def _system() -> Iterator[tuple[str, str]]:
    yield "sklearn_revdist", __version__
    yield "python", sys.version.replace("\n", " ")
    yield "executable", sys.executable
    yield "machine", platform.platform()


def _dependencies() -> Iterator[tuple[str, str]]:
    """Packages that the installed metadata names, those of the extras for users included."""
    for requirement in requires("sklearn-revdist") or []:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        if extra and extra[1] in _DEVELOPMENT:
            continue
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "not installed"
        yield name, f"{found}  (extra {extra[1]})" if extra else found


def _torch() -> Iterator[tuple[str, str]]:
    import torch

    yield "processor", torch.backends.cpu.get_cpu_capability()
    yield "threads", str(torch.get_num_threads())
    yield "CUDA", torch.version.cuda or "not in this build"
    for i in range(torch.cuda.device_count()):
        yield f"cuda:{i}", torch.cuda.get_device_name(i)
    if torch.backends.mps.is_available():
        yield "mps", "available"


def _thread_pools() -> Iterator[tuple[str, str]]:
    """What threadpoolctl finds of the libraries that NumPy, SciPy, scikit-learn and torch load."""
    import scipy.linalg  # noqa: F401
    import sklearn  # noqa: F401
    from threadpoolctl import threadpool_info

    for pool in threadpool_info():
        library = f"{pool['prefix']} {pool['version'] or ''}".strip()
        kernel = f", {pool['architecture']}" if pool.get("architecture") else ""
        yield pool["user_api"], f"{library}, threads: {pool['num_threads']}{kernel}"
