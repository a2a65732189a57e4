"""Compute with torch's default settings, whatever the user's settings are.

Settings of a thread (autocast, default device, modes, subnormal numbers) are changed in that
thread alone. Settings of the process (precision of products, deterministic algorithms, kernels of
attention, oneDNN) can only be changed for all threads; those at their defaults are left alone.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.backends import cuda, mkldnn
from torch.utils._python_dispatch import _disable_current_modes

_lock = threading.Lock()


@contextmanager
def default_settings(device: torch.device) -> Iterator[None]:
    """Set torch's defaults for a device, and restore the user's settings at the end.

    Contexts of several threads may overlap, and may be nested. A setting of the process that
    another thread changes meanwhile stays as that thread set it.

    Parameters
    ----------
    device : torch.device
        Settings that only matter on other devices are left alone.
    """
    with ExitStack() as stack:
        for setting in _FOR_ALL + (_FOR_CUDA if device.type == "cuda" else ()):
            stack.enter_context(setting)
        for kind in {"cpu", device.type}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(_subnormal_numbers())
        stack.enter_context(torch._C.DisableTorchFunction())  # a default device is such a mode
        stack.enter_context(_disable_current_modes())
        yield


class _ProcessSetting:
    """Keep a setting of the process at its default while any thread is in this context.

    The first thread to enter saves the user's value, and the last to leave restores it.

    Parameters
    ----------
    get, set_ : callable
    defaults : tuple
        The default and values of the same effect; the first is set.
    """

    def __init__(self, get: Callable[[], Any], set_: Callable[[Any], Any], *defaults: Any):
        self.get = get
        self.set = set_
        self.defaults = defaults
        self.n_users = 0
        self.kept: list[Any] = []

    def __enter__(self) -> None:
        with _lock:
            found = self.get()
            if found not in self.defaults:
                self.set(self.defaults[0])
                self.kept = [found]
            self.n_users += 1

    def __exit__(self, *_: object) -> None:
        with _lock:
            self.n_users -= 1
            if self.n_users == 0 and self.kept:
                found = self.kept.pop()
                if self.get() in self.defaults:  # else another thread has set it
                    self.set(found)


@contextmanager
def _subnormal_numbers() -> Iterator[None]:
    """Do not flush subnormal numbers to zero in this thread."""
    if flushed := sys.float_info.min / 2 == 0:  # torch has no getter
        torch.set_flush_denormal(False)
    try:
        yield
    finally:
        if flushed:
            torch.set_flush_denormal(True)


def _flag(owner: Any, name: str, default: bool) -> _ProcessSetting:
    """Setting for a flag; it has no effect in versions of torch without the flag."""
    return _ProcessSetting(
        lambda: getattr(owner, name, default), lambda value: setattr(owner, name, value), default
    )


def _reduction(name: str) -> _ProcessSetting:
    """Setting for sums in half precision, within a product and across its parts."""
    parts = f"{name}_split_k"
    has_parts = hasattr(cuda.matmul, parts)
    return _ProcessSetting(
        lambda: (getattr(cuda.matmul, name), getattr(cuda.matmul, parts, True)),
        lambda value: setattr(cuda.matmul, name, value if has_parts else value[0]),
        (True, True),
    )


def _get_precision(backend: Any) -> str:
    return backend.matmul.fp32_precision


def _set_precision(backend: Any, value: str) -> None:
    """Inherit the precision if it is the same, or else set it."""
    backend.matmul.fp32_precision = "none"
    if backend.matmul.fp32_precision != value:
        backend.matmul.fp32_precision = value


def _get_cuda_precision() -> tuple[str | None, str]:
    """As the older interface has it, or None if it cannot represent it, and as the newer one."""
    try:
        old = torch.get_float32_matmul_precision()
    except RuntimeError:
        old = None
    return old, _get_precision(cuda)


def _set_cuda_precision(value: tuple[str | None, str]) -> None:
    old, new = value
    if old is not None:  # kernels may read either
        on_cpu = _get_precision(mkldnn)
        torch.set_float32_matmul_precision(old)
        _set_precision(mkldnn, on_cpu)
    _set_precision(cuda, new)


if hasattr(mkldnn, "matmul"):
    _PRECISION = _ProcessSetting(
        lambda: _get_precision(mkldnn), lambda value: _set_precision(mkldnn, value), "ieee", "none"
    )
    _CUDA_PRECISION = _ProcessSetting(
        _get_cuda_precision,
        _set_cuda_precision,
        *((old, new) for old in ("highest", None) for new in ("ieee", "none")),
    )
else:  # before torch 2.9, one for all devices
    _PRECISION = _CUDA_PRECISION = _ProcessSetting(
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"
    )

_BLAS = torch._C._BlasBackend.__members__
_FOR_ALL = (
    _PRECISION,
    _ProcessSetting(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
    _flag(mkldnn, "enabled", True),
    _flag(mkldnn, "deterministic", False),
    _ProcessSetting(cuda.flash_sdp_enabled, cuda.enable_flash_sdp, True),
    _ProcessSetting(cuda.mem_efficient_sdp_enabled, cuda.enable_mem_efficient_sdp, True),
    _ProcessSetting(cuda.math_sdp_enabled, cuda.enable_math_sdp, True),
    _ProcessSetting(cuda.cudnn_sdp_enabled, cuda.enable_cudnn_sdp, True),
    _ProcessSetting(
        cuda.fp16_bf16_reduction_math_sdp_allowed, cuda.allow_fp16_bf16_reduction_math_sdp, False
    ),
)
_FOR_CUDA = (
    _CUDA_PRECISION,
    _reduction("allow_fp16_reduced_precision_reduction"),
    _reduction("allow_bf16_reduced_precision_reduction"),
    _flag(cuda.matmul, "allow_fp16_accumulation", False),
    _ProcessSetting(
        cuda.preferred_blas_library,
        cuda.preferred_blas_library,
        *(blas for name, blas in _BLAS.items() if name in ("Default", "Cublas")),
    ),
)
