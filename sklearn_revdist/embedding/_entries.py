"""Entries of a chain, one for each set of weights, and the blocks that they contribute."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise, starmap
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..utils._models import Model, block_name, known_model, model_name
from ._pooling import Pooling
from ._store_file import Source

if TYPE_CHECKING:
    import torch

    from ._checkpoints import Checkpoint
    from ._inference import EmbeddingRun
    from ._store import EmbeddingStore


class LoadedModel(Protocol):
    """A model in memory.

    Attributes
    ----------
    device : torch.device
    width : int
        Number of columns of the output.
    is_packed : bool
        Whether sequences need no padding, and batches may be computed by several threads.
    max_residues : int or None
        Length of the longest sequence that it takes; None is no limit.
    """

    device: "torch.device"
    width: int
    is_packed: bool
    max_residues: int | None

    def forward(
        self, sequences: list[NDArray[np.uint8]], layers: Collection[int]
    ) -> Iterator["torch.Tensor"]:
        """Yield the representations of some layers, from the lowest.

        Each is of shape (n_tokens, width), with rows for ``<cls>``, the residues and ``<eos>`` of
        each sequence; rows of special tokens that a model does not have are zero.
        """


class Entry(Protocol):
    """What an embedder asks of an entry of its chain."""

    @property
    def name(self) -> str:
        """Name in the columns."""

    @property
    def is_published(self) -> bool:
        """Whether the name stands for the weights, which are the same everywhere."""

    def files(self) -> list[Path]:
        """All files that embeddings depend on, once they are there."""

    def shape(self) -> tuple[int, int]:
        """Number of layers, and of columns."""

    def load(self, device: "torch.device", dtype: "torch.dtype") -> LoadedModel:
        """Load the model."""


class ESM2Entry(NamedTuple):
    """An ESM-2 model, by the package's own forward pass.

    Attributes
    ----------
    model : Model or Path
        A published model, or the path of a checkpoint.
    """

    model: Model | Path

    @property
    def name(self) -> str:
        """Name in the columns."""
        return model_name(self.model)

    @property
    def is_published(self) -> bool:
        """Whether the name stands for the weights."""
        return isinstance(self.model, Model)

    def files(self) -> list[Path]:
        """Files of the weights, downloaded if need be."""
        from ._checkpoints import checkpoint_files, locate

        return checkpoint_files(locate(self.model))

    def shape(self) -> tuple[int, int]:
        """Number of layers, and of columns; the weights of a published model are not needed."""
        if isinstance(self.model, Model):
            return self.model.n_layers, self.model.width
        from ._checkpoints import checkpoint_shape, locate

        return checkpoint_shape(locate(self.model))

    def load(self, device: "torch.device", dtype: "torch.dtype") -> LoadedModel:
        """Load the model."""
        from ..utils._torch_settings import default_settings
        from ._esm2 import ESM2

        with default_settings(device):
            return ESM2(self.checkpoint(), device=device, dtype=dtype)

    def checkpoint(self) -> "Checkpoint":
        """Read the checkpoint."""
        from ._checkpoints import locate, read_checkpoint

        expected = self.model if isinstance(self.model, Model) else None
        return read_checkpoint(locate(self.model), expected)


class Block(NamedTuple):
    """What a model contributes to the output.

    Attributes
    ----------
    entry : Entry
        The model.
    name, short : str
        What the columns and what progress bars call it.
    depth, width : int
        Its number of layers, and of columns.
    layers : tuple of int
        Which layers, as fair-esm counts them.
    poolings : tuple of Pooling
    """

    entry: Entry
    name: str
    short: str
    depth: int
    width: int
    layers: tuple[int, ...]
    poolings: tuple[Pooling, ...]

    @property
    def n_columns(self) -> int:
        """Number of columns of each layer."""
        return len(self.poolings) * self.width

    @property
    def columns(self) -> str:
        """What the names of its columns begin with, those of the first of its layers.

        A mean over residues has no name of its own, since a distiller of residues applies to it.
        """
        named = len(self.poolings) > 1 or not self.poolings[0].is_mean
        poolings = [pooling.name for pooling in self.poolings] if named else []
        layer = None if self.layers[0] == self.depth else self.layers[0]
        return block_name(self.name, layer, poolings)

    def sources(self, run: "EmbeddingRun", store: "EmbeddingStore | None") -> list[Source]:
        """List what pooled rows depend on beside the sequence: a layer after another."""
        from ._checkpoints import weights_digest

        digest_of = weights_digest if store is None else store.weights_digest
        weights = digest_of(self.entry.files())
        dtype = "+".join(str(dtype).removeprefix("torch.") for dtype in run.dtypes)
        return [
            Source(weights, layer - self.depth - 1, pooling.key, dtype, self.width)
            for layer in self.layers
            for pooling in self.poolings
        ]


def resolve_blocks(
    entries: Sequence[Entry], layers: Mapping[str, Any], poolings: Iterable[Pooling]
) -> list[Block]:
    """Find the block of each entry of a chain; `layers` are by what the user calls them."""
    depths, widths = zip(*(entry.shape() for entry in entries), strict=True)
    names = [entry.name for entry in entries]
    resolved = (resolve_layers(layer, names, depths, called) for called, layer in layers.items())
    of_models = zip(entries, names, depths, widths, zip(*resolved, strict=True), strict=True)
    return [
        Block(entry, name, _short(name), depth, width, numbers, tuple(poolings))
        for entry, name, depth, width, numbers in of_models
    ]


def _short(name: str) -> str:
    known = known_model(name)
    return name if known is None else known.short


def columns_of(widths: Iterable[int]) -> list[slice]:
    """Return the columns of blocks of these widths, side by side."""
    return list(starmap(slice, pairwise([0, *accumulate(widths)])))


def resolve_layers(
    layer: Any, names: Sequence[str], depths: Sequence[int], parameter: str = "layer"
) -> list[int]:
    """Find the layer of each model of a chain.

    Parameters
    ----------
    layer : int, float or sequence of these
        One for all models, or a sequence with one for each model. A whole number counts as
        fair-esm's ``repr_layers``, 0 for the input of the first layer, or from the end, -1 for
        the last. A float is a fraction of the model's depth, rounded to the next whole layer.
    names : sequence of str
        Names of the models, for messages.
    depths : sequence of int
        Numbers of layers of the models.
    parameter : str, default="layer"
        What the user calls it, for messages.

    Returns
    -------
    layers : list of int
        From 0 to the number of layers of the model.

    Raises
    ------
    ValueError
        If a model has no such layer, or a sequence has another length than the chain.
    """
    if isinstance(layer, Sequence | np.ndarray) and not isinstance(layer, str):
        given = list(layer)
        if len(given) != len(names):
            raise ValueError(
                f"{parameter}={layer!r} has {len(given)} entries, but the chain has {len(names)} "
                "models; give one for each, or a single number for all."
            )
        labels = [f"{parameter}[{i}]={value!r}" for i, value in enumerate(given)]
    else:
        given = [layer] * len(names)
        labels = [f"{parameter}={layer!r}"] * len(names)
    return [_resolve(*of_model) for of_model in zip(given, labels, names, depths, strict=True)]


def _resolve(layer, label, name, depth):
    if isinstance(layer, Integral) and not isinstance(layer, bool | np.bool_):
        if -depth - 1 <= layer <= depth:
            return int(layer) % (depth + 1)
    elif isinstance(layer, Real) and not isinstance(layer, bool | np.bool_) and 0 <= layer <= 1:
        return int(np.floor(layer * depth + 0.5))
    raise ValueError(
        f"{label} is not a layer of {name}, which has {depth}; give 0 (its input) to {depth}, "
        f"-1 (the last) to {-depth - 1}, or a fraction of its depth, as in 0.5."
    )
