"""Run a model on many pieces: device, precision, and batches within a budget (torch)."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate, starmap
from itertools import chain as flatten
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..sequences._windows import Piece
from ..utils._file_states import FileState
from ..utils._progress import ProgressBar
from ..utils._torch_settings import default_settings
from . import _bfloat16
from ._entries import Entry, LoadedModel
from ._esm2 import N_SPECIAL, to_device
from ._pooling import Sum


def resolve_device(device: str | None) -> torch.device:
    """Device of that name, or the first of CUDA, MPS and CPU that is there."""
    if device is None:
        accelerators = {"cuda": torch.cuda, "mps": torch.backends.mps}
        found = (name for name, backend in accelerators.items() if backend.is_available())
        device = next(found, "cpu")
    try:
        with default_settings(torch.device("cpu")):
            return torch.empty(0, device=device).device  # with the index of the current GPU
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used with this machine and installation of torch; "
            "set device='cpu', or device=None to take the best there is."
        ) from error


def resolve_dtypes(dtype: str, device: torch.device) -> tuple[torch.dtype, ...]:
    """Precisions to compute in; each is for what overflows in the one before it."""
    if dtype not in ("auto", "fast"):
        return (getattr(torch, dtype),)
    if device.type == "cuda":
        return torch.float16, torch.bfloat16
    native = dtype == "fast" and device.type == "cpu" and _bfloat16.is_native()
    return (torch.bfloat16 if native else torch.float32,)


def progress_bars(
    dtype: str, device: str | None, verbose: bool
) -> Callable[[str, int], ProgressBar]:
    """Make a function of a name and a number of residues that makes a bar for them.

    A bar says so if ``dtype="fast"`` is another precision on this machine than ``"auto"``, in use.
    """
    hint = ""
    if verbose and dtype == "auto":
        where = resolve_device(device)
        if resolve_dtypes("fast", where) != resolve_dtypes("auto", where):
            hint = " (dtype fast is faster here)"
    return lambda what, n_residues: ProgressBar(
        desc=what + hint, total=n_residues, unit="residue", unit_scale=True, disable=not verbose
    )


def resolve_batch_tokens(batch_tokens: int | None, device: torch.device) -> int:
    """Number of tokens in a batch: as given, or what suits the device."""
    if batch_tokens is not None:
        return batch_tokens
    # Measured on two CPU cores: 8M, 35M and 150M are fastest at 2048. A GPU has more to fill.
    return 2048 if device.type == "cpu" else 16384


class _Models:
    """The models last used in this process, each loaded once; safe to use from threads."""

    def __init__(self, max_models: int):
        self.max_models = max_models
        self._models: OrderedDict[tuple, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, entry: Entry, device: torch.device, dtype: torch.dtype) -> LoadedModel:
        states = tuple(FileState.of(file) for file in entry.files())
        key = (states, device, dtype)
        with self._lock:
            if key not in self._models:
                while len(self._models) >= self.max_models:
                    self._models.popitem(last=False)
                self._models[key] = self._load(entry, device, dtype)
            self._models.move_to_end(key)
            return self._models[key]

    def _load(self, entry: Entry, device: torch.device, dtype: torch.dtype) -> LoadedModel:
        try:
            return entry.load(device, dtype)
        except torch.OutOfMemoryError:
            if not self._models:
                raise
        self._models.clear()
        torch.cuda.empty_cache()
        return entry.load(device, dtype)

    def keep_only(self, model: LoadedModel) -> bool:
        """Drop all other models, and return whether there were any."""
        with self._lock:
            others = [key for key, other in self._models.items() if other is not model]
            for key in others:
                del self._models[key]
        return bool(others)


_models = _Models(max_models=8)  # all of ESM-2, and some in a second precision


class Values(NamedTuple):
    """What was computed of a piece.

    Attributes
    ----------
    sums : ndarray of shape (n_layers, n_sums, width), float32, or None
    rows : ndarray of shape (n_layers, n_residues, width), float32, or None
    """

    sums: NDArray[np.float32] | None
    rows: NDArray[np.float32] | None


@dataclass(frozen=True)
class EmbeddingRun:
    """How sequences are embedded.

    Parameters
    ----------
    device : torch.device
    dtypes : tuple of torch.dtype
        Precisions to compute in; each is for what overflows in the one before it.
    batch_tokens : int
        Number of tokens in a batch. A longer piece is a batch of its own.
    max_length : int or None
        Number of residues in a piece; None embeds sequences whole.
    bar : callable
        Makes a progress bar; see :func:`progress_bars`.
    """

    device: torch.device
    dtypes: tuple[torch.dtype, ...]
    batch_tokens: int
    max_length: int | None
    bar: Callable[[str, int], ProgressBar]

    def embed(
        self,
        entry: Entry,
        pieces: list[Piece],
        layers: Sequence[int],
        sums: Callable[[Piece], Sequence[Sum]] | None = None,
        *,
        rows: bool = False,
    ) -> Iterator[list[tuple[Piece, Values]]]:
        """Compute the representations of every piece, batch by batch.

        Batches are filled with the longest pieces first. On the CPU each of torch's threads takes
        a batch of its own. On CUDA, when memory runs out, other models are dropped, then
        `batch_tokens` is halved. What is not finite in one precision is computed in the next one.

        Parameters
        ----------
        entry : Entry
        pieces : list of Piece
        layers : sequence of int
            Which representations are asked for, as fair-esm counts them.
        sums : callable, default=None
            Returns the sums over the tokens of a piece that are asked for, as many for each.
        rows : bool, default=False
            Whether the rows of residues are asked for, times the weights of the piece.

        Yields
        ------
        batch : list of (Piece, Values)
            Each piece once, in no particular order.

        Raises
        ------
        MemoryError
            If a single piece does not fit.
        ValueError
            If a piece is longer than the model takes, or there are values that are not finite in
            the last precision.
        """
        dtype, *more_dtypes = self.dtypes
        model = _models.get(entry, self.device, dtype)
        waiting = sorted(pieces, key=_n_tokens, reverse=True)
        _check_longest(model, entry, waiting)
        wanted = _Wanted(tuple(layers), sums, rows)
        schedule = _parallel if self.device.type == "cpu" and model.is_packed else _in_turn
        batches = schedule(model, entry, waiting, self.batch_tokens, wanted)
        if self.device.type == "cuda":
            batches = _prefetch(batches)
        overflowed: list[Piece] = []
        for batch in batches:
            finite = []
            for piece, values in zip(batch.pieces, batch.values(), strict=True):
                if all(np.isfinite(array).all() for array in values if array is not None):
                    finite.append((piece, values))
                elif more_dtypes:
                    overflowed.append(piece)
                else:
                    raise _not_finite(entry, piece, dtype)
            yield finite
        if overflowed:
            run = replace(self, dtypes=tuple(more_dtypes))
            yield from run.embed(entry, overflowed, layers, sums, rows=rows)


class _Wanted(NamedTuple):
    """What is computed of each piece; see :meth:`EmbeddingRun.embed`."""

    layers: tuple[int, ...]
    sums: Callable[[Piece], Sequence[Sum]] | None
    rows: bool


class _Batch(NamedTuple):
    """Pieces and their values, which CUDA may still be computing."""

    pieces: list[Piece]
    sums: NDArray[np.float32] | None
    rows: NDArray[np.float32] | None
    arrived: torch.cuda.Event | None

    def values(self) -> Iterator[Values]:
        if self.arrived is not None:
            self.arrived.synchronize()
        ends = [*accumulate(len(piece.tokens) for piece in self.pieces)]
        n_pieces = len(self.pieces)
        sums = [None] * n_pieces if self.sums is None else self.sums
        rows = [None] * n_pieces if self.rows is None else np.split(self.rows, ends[:-1], axis=1)
        return starmap(Values, zip(sums, rows, strict=True))


def _parallel(
    model: LoadedModel, entry: Entry, waiting: list[Piece], batch_tokens: int, wanted: _Wanted
) -> Iterator[_Batch]:
    """A batch on each of torch's threads, and those left over one after the other.

    A thread with a batch of its own waits for no other, and keeps it in its core's cache.
    """
    n_threads = torch.get_num_threads()
    batches, start = [], 0
    while start < len(waiting):
        batches.append(_fill_batch(waiting, start, batch_tokens, is_packed=True))
        start += len(batches[-1])
    n_parallel = len(batches) // n_threads * n_threads if n_threads > 1 else 0
    if n_parallel:
        launched: deque[Future[_Batch]] = deque()
        threads = ThreadPoolExecutor(n_threads, initializer=_limit_to_one_thread)
        try:
            for batch in batches[:n_parallel]:
                launched.append(threads.submit(_launch, model, batch, wanted))
                if len(launched) > n_threads:
                    yield launched.popleft().result()
            while launched:
                yield launched.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)
    rest = [*flatten.from_iterable(batches[n_parallel:])]
    yield from _in_turn(model, entry, rest, batch_tokens, wanted)


def _limit_to_one_thread() -> None:
    """Let torch compute in the calling thread alone."""
    torch.get_num_threads()  # sets the number of a new thread, which is changed next
    threadpool_limits(1, user_api="openmp")


def _in_turn(
    model: LoadedModel, entry: Entry, waiting: list[Piece], batch_tokens: int, wanted: _Wanted
) -> Iterator[_Batch]:
    """Batches one after the other, smaller ones when memory runs out."""
    start = 0
    while start < len(waiting):
        batch = _fill_batch(waiting, start, batch_tokens, model.is_packed)
        try:
            launched = _launch(model, batch, wanted)
        except torch.OutOfMemoryError as error:
            if not _models.keep_only(model):
                if len(batch) == 1:
                    n_residues = len(batch[0].tokens)
                    raise MemoryError(
                        f"Record {batch[0].record} (counting from 0): {n_residues} residues at "
                        f"once are too many for {entry.name} in the memory of "
                        f"{model.device}; set max_length below {n_residues}, a half-precision "
                        "dtype, or device='cpu'."
                    ) from error
                batch_tokens = sum(_n_tokens(piece) for piece in batch) // 2
            launched = None
        if launched is None:  # after the handler, which keeps the failed batch alive
            torch.cuda.empty_cache()
            continue
        start += len(batch)
        yield launched


def _prefetch(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Yield a batch once the next is launched, so that the device never waits for the host."""
    previous = next(batches, None)
    while previous is not None:
        try:
            following = next(batches, None)
        except MemoryError:
            yield previous
            raise
        yield previous
        previous = following


def _launch(model: LoadedModel, batch: list[Piece], wanted: _Wanted) -> _Batch:
    with default_settings(model.device), torch.inference_mode():
        lengths = [_n_tokens(piece) for piece in batch]
        sums = [list(wanted.sums(piece)) for piece in batch] if wanted.sums else []
        weights = _on_device([s.weight for of_piece in sums for s in of_piece], model.device)
        weight = _on_device([piece.weight for piece in batch], model.device) if wanted.rows else []
        pooled, rows = {}, {}
        layers = sorted(set(wanted.layers))
        found = model.forward([piece.tokens for piece in batch], layers)
        for layer, x in zip(layers, found, strict=True):
            parts = x.split(lengths)
            if sums:
                terms = [(part, s) for part, of in zip(parts, sums, strict=True) for s in of]
                values = [_sum(part, s, w) for (part, s), w in zip(terms, weights, strict=True)]
                pooled[layer] = torch.stack(values).view(len(batch), -1, model.width)
            if wanted.rows:
                residues = [part[1:-1].float() * w for part, w in zip(parts, weight, strict=True)]
                rows[layer] = torch.cat(residues)
        results = [
            torch.stack([of_layer[layer] for layer in wanted.layers], dim) if of_layer else None
            for of_layer, dim in ((pooled, 1), (rows, 0))
        ]
        if model.device.type != "cuda":
            return _Batch(batch, *(r if r is None else r.cpu().numpy() for r in results), None)
        results = [r if r is None else r.to("cpu", non_blocking=True) for r in results]
        arrived = torch.cuda.Event()
        arrived.record(torch.cuda.current_stream(model.device))
        return _Batch(batch, *(r if r is None else r.numpy() for r in results), arrived)


def _sum(rows: torch.Tensor, of: Sum, weight: torch.Tensor | None) -> torch.Tensor:
    chosen = rows[of.start : of.stop].float()
    return (chosen if weight is None else chosen * weight).sum(0)


def _on_device(
    weights: list[NDArray[np.float32] | None], device: torch.device
) -> list[torch.Tensor | None]:
    """Columns of weights, copied to the device together."""
    given = [weight for weight in weights if weight is not None]
    if not given:
        return [None] * len(weights)
    together = to_device(np.concatenate(given), device)[:, None]
    columns = iter(together.split([len(weight) for weight in given]))
    return [weight if weight is None else next(columns) for weight in weights]


def _n_tokens(piece: Piece) -> int:
    return len(piece.tokens) + N_SPECIAL


def _fill_batch(pieces: list[Piece], start: int, batch_tokens: int, is_packed: bool) -> list[Piece]:
    longest = n_tokens = _n_tokens(pieces[start])
    stop = start + 1
    while stop < len(pieces):
        n_tokens += _n_tokens(pieces[stop]) if is_packed else longest
        if n_tokens > batch_tokens:
            break
        stop += 1
    return pieces[start:stop]


def _check_longest(model: LoadedModel, entry: Entry, pieces: list[Piece]) -> None:
    """Refuse sequences beyond a model's table of positions; the longest is the first."""
    limit = model.max_residues
    n_residues = len(pieces[0].tokens) if pieces else 0
    if limit is not None and n_residues > limit:
        raise ValueError(
            f"Record {pieces[0].record} (counting from 0) has {n_residues} residues, but "
            f"{entry.name} has positions for {limit} at most; set max_length={limit}."
        )


def _not_finite(entry: Entry, piece: Piece, dtype: torch.dtype) -> ValueError:
    is_single = dtype is torch.float32
    remedy = "the checkpoint is damaged, replace it" if is_single else "set dtype='float32'"
    return ValueError(
        f"{entry.name} gives values that are not finite in {str(dtype).split('.')[1]} for "
        f"record {piece.record} (counting from 0); {remedy}."
    )
