"""Running a model over many pieces: device, precision, and batches within a budget (torch)."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ._checkpoints import checkpoint_files, locate, read_checkpoint
from ._esm2 import ESM2, N_SPECIAL
from ._models import Model, model_name
from ._pieces import Piece


def resolve_device(device: str | None) -> torch.device:
    """Device of that name, or the first of CUDA, MPS and CPU that is there."""
    if device is None:
        if torch.cuda.is_available():
            device = "cuda"
        elif torch.backends.mps.is_available():
            device = "mps"
        else:
            device = "cpu"
    try:
        return torch.empty(0, device=device).device  # with the index of the current GPU
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used with this machine and installation of torch; "
            "set device='cpu', or device=None to take the best there is."
        ) from error


def resolve_dtypes(dtype: str, device: torch.device) -> tuple[torch.dtype, ...]:
    """Precisions to compute in; each next one is for what overflows in the one before."""
    if dtype != "auto":
        return (getattr(torch, dtype),)
    if device.type == "cuda":
        return torch.float16, torch.bfloat16
    return (torch.float32,)


def resolve_batch_tokens(batch_tokens: int | None, device: torch.device) -> int:
    """Budget of a batch: the number itself, or what suits the device."""
    if batch_tokens is not None:
        return batch_tokens
    # Measured on two CPU cores: 8M, 35M and 150M are fastest at 2048. A GPU has more to fill.
    return 2048 if device.type == "cpu" else 16384


class _Models:
    """The models used last in this process, each loaded once, safe to use from threads."""

    def __init__(self, max_models: int):
        self.max_models = max_models
        self._models: OrderedDict[tuple, ESM2] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, entry: Model | Path, device: torch.device, dtype: torch.dtype) -> ESM2:
        path = locate(entry)
        states = ((file.resolve(), file.stat()) for file in checkpoint_files(path))
        files = tuple((file, state.st_mtime_ns, state.st_size) for file, state in states)
        key = (files, device, dtype)
        with self._lock:
            if key not in self._models:
                while len(self._models) >= self.max_models:
                    self._models.popitem(last=False)
                expected = entry if isinstance(entry, Model) else None
                self._models[key] = self._load(path, expected, device, dtype)
            self._models.move_to_end(key)
            return self._models[key]

    def _load(
        self, path: Path, expected: Model | None, device: torch.device, dtype: torch.dtype
    ) -> ESM2:
        checkpoint = read_checkpoint(path, expected)
        try:
            return ESM2(checkpoint, device=device, dtype=dtype)
        except torch.OutOfMemoryError:
            if not self._models:
                raise
        self._models.clear()
        torch.cuda.empty_cache()
        return ESM2(checkpoint, device=device, dtype=dtype)

    def keep_only(self, model: ESM2) -> bool:
        """Drop all other models; whether there were any."""
        with self._lock:
            others = [key for key, other in self._models.items() if other is not model]
            for key in others:
                del self._models[key]
        return bool(others)


_models = _Models(max_models=8)  # all of ESM-2, and some in a second precision


def embed(
    entry: Model | Path,
    pieces: list[Piece],
    *,
    device: torch.device,
    dtypes: tuple[torch.dtype, ...],
    batch_tokens: int,
    pool: bool,
) -> Iterator[list[tuple[Piece, NDArray[np.float32]]]]:
    """Weighted residue rows of every piece, or their sum, batch by batch.

    Batches are filled with the longest pieces first. On CUDA, when memory runs out, other
    models are dropped, then the budget is halved. What is not finite in one precision is
    computed again in the next one.

    Parameters
    ----------
    entry : Model or Path
    pieces : list of Piece
    device : torch.device
    dtypes : tuple of torch.dtype
    batch_tokens : int
        Budget of a batch. A longer piece is a batch of its own.
    pool : bool
        Whether to sum over the residues of a piece.

    Yields
    ------
    batch : list of (Piece, ndarray)
        Each piece once, in no particular order, with float32 values of shape
        (n_residues, width) or, if pooled, (width,).

    Raises
    ------
    MemoryError
        If a single piece does not fit.
    ValueError
        If there are values that are not finite in the last precision.
    """
    model = _models.get(entry, device, dtypes[0])
    waiting = sorted(pieces, key=lambda piece: len(piece.tokens), reverse=True)
    overflowed: list[Piece] = []
    start = 0
    while start < len(waiting):
        batch = _fill_batch(waiting, start, batch_tokens)
        try:
            values = _embed_batch(model, batch, pool)
        except torch.OutOfMemoryError as error:
            if not _models.keep_only(model):
                if len(batch) == 1:
                    raise MemoryError(_too_long(entry, batch[0], device)) from error
                batch_tokens = sum(_n_tokens(piece) for piece in batch) // 2
            values = None
        if values is None:  # outside of the handler, which keeps the failed batch alive
            torch.cuda.empty_cache()
            continue
        start += len(batch)
        finite = []
        for piece, value in zip(batch, values, strict=True):
            if np.isfinite(value).all():
                finite.append((piece, value))
            elif len(dtypes) > 1:
                overflowed.append(piece)
            else:
                raise ValueError(_not_finite(entry, piece, dtypes[0]))
        yield finite
    if overflowed:
        yield from embed(
            entry,
            overflowed,
            device=device,
            dtypes=dtypes[1:],
            batch_tokens=batch_tokens,
            pool=pool,
        )


def _n_tokens(piece: Piece) -> int:
    return len(piece.tokens) + N_SPECIAL


def _fill_batch(pieces: list[Piece], start: int, batch_tokens: int) -> list[Piece]:
    stop, n_tokens = start + 1, _n_tokens(pieces[start])
    while stop < len(pieces) and n_tokens + _n_tokens(pieces[stop]) <= batch_tokens:
        n_tokens += _n_tokens(pieces[stop])
        stop += 1
    return pieces[start:stop]


@torch.inference_mode()
def _embed_batch(model: ESM2, batch: list[Piece], pool: bool) -> list[NDArray[np.float32]]:
    weight = torch.from_numpy(np.concatenate([piece.weight for piece in batch]))
    weights = weight.to(model.device)[:, None].split([len(piece.tokens) for piece in batch])
    rows = model.forward([piece.tokens for piece in batch])
    weighted = [r.float() * w for r, w in zip(rows, weights, strict=True)]
    if pool:
        return list(torch.stack([r.sum(0) for r in weighted]).cpu().numpy())
    return [r.cpu().numpy() for r in weighted]


def _too_long(entry: Model | Path, piece: Piece, device: torch.device) -> str:
    n_residues = len(piece.tokens)
    return (
        f"Record {piece.record} (counting from 0): {n_residues} residues at once are too many for "
        f"{model_name(entry)} in the memory of {device}; set max_length below {n_residues}, a "
        "half-precision dtype, or device='cpu'."
    )


def _not_finite(entry: Model | Path, piece: Piece, dtype: torch.dtype) -> str:
    if dtype is torch.float32:
        remedy = "the checkpoint is damaged, replace it"
    else:
        remedy = "set dtype='float32'"
    return (
        f"{model_name(entry)} gives values that are not finite in {str(dtype).split('.')[1]} for "
        f"record {piece.record} (counting from 0); {remedy}."
    )
