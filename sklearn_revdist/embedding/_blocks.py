"""Blocks: the layers and poolings of each model in the output, and the names of columns."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise, starmap
from typing import TYPE_CHECKING, Any, NamedTuple

from ..utils._models import block_name
from ._entries import Entry
from ._layers import resolve_layers
from ._pooling import Pooling
from ._store_file import Source

if TYPE_CHECKING:
    from ._inference import EmbeddingRun
    from ._store import EmbeddingStore


class Block(NamedTuple):
    """What a model contributes to the output.

    Attributes
    ----------
    entry : Entry
        The model.
    depth, width : int
        Its number of layers, and of columns.
    layers : tuple of int
        Which layers, as fair-esm counts them.
    poolings : tuple of Pooling
    """

    entry: Entry
    depth: int
    width: int
    layers: tuple[int, ...]
    poolings: tuple[Pooling, ...]

    @property
    def n_columns(self) -> int:
        """Number of columns of each layer."""
        return len(self.poolings) * self.width

    def name(self, layer: int) -> str:
        """Name the columns of a layer.

        A mean over residues has no name of its own, since a distiller of residues applies to it.
        """
        named = len(self.poolings) > 1 or not self.poolings[0].is_mean
        poolings = [pooling.name for pooling in self.poolings] if named else []
        number = None if layer == self.depth else layer
        return block_name(self.entry.name, number, poolings)

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
    numbers = zip(*resolved, strict=True)
    poolings = tuple(poolings)
    return [Block(*of, poolings) for of in zip(entries, depths, widths, numbers, strict=True)]


def columns_of(widths: Iterable[int]) -> list[slice]:
    """Return the columns of blocks of these widths, side by side."""
    return list(starmap(slice, pairwise([0, *accumulate(widths)])))
