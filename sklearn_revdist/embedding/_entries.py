"""Entries of a chain: the name, the shape, the files and the model of one set of weights."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..utils._models import Model, model_name

if TYPE_CHECKING:
    import torch


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
        from ._checkpoints import locate, read_checkpoint
        from ._esm2 import ESM2

        expected = self.model if isinstance(self.model, Model) else None
        with default_settings(device):
            return ESM2(read_checkpoint(locate(self.model), expected), device=device, dtype=dtype)
