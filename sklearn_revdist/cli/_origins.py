"""Origins: how embeddings were made, as far as their files say."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from ..embedding._base import BaseEmbedder
from ..embedding._to_parquet import settings_of
from ..matrix._layout import blocks_of_names

# What these precisions are, on one machine or another.
_PRECISIONS = {
    "auto": {"float32", "float16+bfloat16"},
    "fast": {"float32", "bfloat16", "float16+bfloat16"},
}


class Origin(NamedTuple):
    """How embeddings were made, as far as it is known.

    Attributes
    ----------
    blocks : dict of str to int
        Number of columns of each model. Its name has the layer and the pooling in it, as in names
        of columns; it is "" if those name no model.
    weights : dict of str to str, default={}
        SHA-256 of the weights by the same name; published ones have none.
    pooling : tuple of str, default=None
        All that pooled rows depend on beside the sequence.
    dtype : str, default=None
        Precision of the computation.
    settings : dict, default={}
        Other parameters of the embedder, for embedding more sequences alike.
    """

    blocks: dict[str, int]
    weights: Mapping[str, str | None] = {}
    pooling: tuple[str, ...] | None = None
    dtype: str | None = None
    settings: Mapping[str, Any] = {}

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any], blocks: Mapping[str, int]) -> Self:
        """Read what :func:`embed_to_parquet` says of itself."""
        how = settings["embedder"]
        digests = zip(blocks, settings["chain"].values(), strict=True)
        return cls(
            dict(blocks),
            dict(digests),
            tuple(how["pooling"]),
            how["dtype"],
            {name: how[name] for name in ("max_length", "long", "unknown")},
        )

    @classmethod
    def of_embedder(cls, embedder: BaseEmbedder, columns: Sequence[str]) -> Self:
        """Describe what an embedder makes, whose columns have these names."""
        return cls.of_settings(settings_of(embedder), blocks_in(columns))

    @property
    def is_nested(self) -> bool:
        """Whether the embeddings are nested."""
        return any(block.endswith("_residual") for block in self.blocks)

    def difference(self, other: "Origin", names: Sequence[str]) -> tuple[str, str] | None:
        """Find in what the embeddings of some models differ, as far as both are known.

        Returns
        -------
        difference : tuple of str or None
            What this and the other one are.
        """
        for name in names:
            if name not in self.blocks or name not in other.blocks:
                return self.spelled(), other.spelled()
            widths = self.blocks[name], other.blocks[name]
            if widths[0] != widths[1]:
                first, second = (f"{width} columns of {name}" for width in widths)
                return first, second
            digests = [o.weights.get(name) for o in (self, other)]
            if None not in digests and digests[0] != digests[1]:
                first, second = (f"by weights of {name} with SHA-256 {d!s:.12}…" for d in digests)
                return first, second
        if self.pooling and other.pooling and self.pooling != other.pooling:
            first, second = (f"pooled by {' and '.join(o.pooling)}" for o in (self, other))
            return first, second
        if self.dtype and other.dtype:
            own, of_other = (_PRECISIONS.get(o.dtype, {o.dtype}) for o in (self, other))
            if not own & of_other:
                return f"of precision {self.dtype}", f"of precision {other.dtype}"
        return None

    def spelled(self) -> str:
        """Say by which models they are, for messages."""
        return f"by {', '.join(self.blocks)}" if "" not in self.blocks else "by no model it names"


def blocks_in(columns: Sequence[str] | None, n_columns: int = 0) -> dict[str, int]:
    """Number of columns of each model that the names of columns say; "" is no model."""
    blocks = None if columns is None else blocks_of_names(columns)
    return {"": n_columns} if blocks is None else dict(zip(*blocks, strict=True))
