"""Torch tensors as rows: unchanged on CUDA, as arrays that share their memory on the CPU.

Torch is only imported if a tensor is given.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._finite import check_finite

# Rows are summed on the device this many at a time.
_ROWS = 2**14


def is_tensor(X: Any) -> bool:
    """Whether X is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(X, torch.Tensor)


def on_cuda(X: Any) -> bool:
    """Whether X is a tensor in the memory of a CUDA device."""
    return is_tensor(X) and X.device.type == "cuda"


def default_settings_for(X: Any) -> AbstractContextManager:
    """Context in which torch computes with its default settings if X is a tensor."""
    if not is_tensor(X):
        return nullcontext()
    from ..utils._torch_settings import default_settings

    return default_settings(X.device)


def as_array(X: Any) -> NDArray:
    """Rows as an array, in the memory of the CPU."""
    return X.cpu().numpy() if is_tensor(X) else X


def as_rows(X: Any) -> Any:
    """Check a tensor and return its rows: on CUDA as a tensor, else as an array.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        float64 and float32 stay; half precision becomes float32, integers float64.

    Returns
    -------
    rows : Tensor or ndarray of shape (n_samples, n_features), float64 or float32
        Without gradients.

    Raises
    ------
    ValueError
        If it is not a matrix of real numbers in memory, has no rows or holds numbers that are not
        finite.
    """
    import torch

    for wrong, what, remedy in (
        (X.is_meta, "on the device meta, which holds no numbers", "compute it on another device"),
        (X.is_nested, "nested", "give its rows as one matrix"),
        (X.layout is not torch.strided, "sparse", "give X.to_dense()"),
        (X.is_complex(), "of complex numbers", "give real ones"),
    ):
        if wrong:
            raise ValueError(f"The tensor is {what}; {remedy}.")
    X = X.detach()
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(
            f"The tensor has the shape {tuple(X.shape)}; give one with one row per sample and one "
            "column per feature."
        )
    if X.dtype not in (torch.float32, torch.float64):
        X = X.to(torch.float32 if X.dtype.is_floating_point else torch.float64)
    if not torch.isfinite(X).all():
        check_finite(as_array(X))
    return X if on_cuda(X) else as_array(X)


def tensor_as(rows: Any, given: Any) -> Any:
    """Return rows computed from `given` as a tensor on its device if it is a tensor."""
    if is_tensor(given) and not is_tensor(rows):
        import torch

        return torch.from_numpy(rows).to(given.device)
    return rows


def like(values: NDArray[np.float64], X: Any, *, exact: bool = False) -> Any:
    """Values as a tensor or an array like X, in its precision, or in float64 if `exact`."""
    if is_tensor(X):
        import torch

        dtype = torch.float64 if exact else X.dtype
        return torch.from_numpy(np.ascontiguousarray(values)).to(X.device, dtype)
    return values if exact else values.astype(X.dtype)


def dtype_of(X: Any) -> np.dtype:
    """NumPy's dtype of an array or a tensor."""
    return np.dtype(str(X.dtype).removeprefix("torch."))


def empty_like(X: Any, n_rows: int, n_columns: int) -> Any:
    """Rows without values, a tensor or an array like X."""
    if is_tensor(X):
        return X.new_empty(n_rows, n_columns)
    return np.empty((n_rows, n_columns), X.dtype)


def sums_on_device(
    X: Any, sample_weight: NDArray[np.float64] | None = None
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Weight, mean and centred second moment of a tensor's rows, in float64 on its device.

    Only the moments leave the device, not the rows.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,), default=None

    Returns
    -------
    weight : float
    mean : ndarray of shape (n_features,)
    scatter : ndarray of shape (n_features, n_features)
    """
    import torch

    if sample_weight is None:
        sample_weight = np.ones(len(X))
    with default_settings_for(X):
        total, mean = 0.0, X[:1].to(torch.float64).mean(0)
        scatter = mean.new_zeros(len(mean), len(mean))
        for start in range(0, len(X), _ROWS):
            rows = X[start : start + _ROWS].to(torch.float64) - mean
            weights = sample_weight[start : start + _ROWS]
            weight = float(weights.sum())
            if weight == 0.0:
                continue
            weights = like(weights, rows, exact=True)
            delta = weights @ rows / weight
            rows = (rows - delta) * weights.sqrt()[:, None]
            scatter.addmm_(rows.T, rows)
            scatter.addr_(delta, delta, alpha=total * weight / (total + weight))
            total += weight
            mean = mean + delta * (weight / total)
        scatter = torch.triu(scatter) + torch.triu(scatter, 1).T
        return total, mean.cpu().numpy(), scatter.cpu().numpy()
