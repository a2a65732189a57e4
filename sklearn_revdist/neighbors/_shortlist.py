"""Approximate search: faiss lists rows that may be near, and their distances are computed."""

import importlib
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..utils._messages import first_line


class Shortlist:
    """An index of faiss over the first coordinates of rows.

    Parameters
    ----------
    index : faiss.Index
    """

    def __init__(self, index: Any) -> None:
        self.index = index

    @classmethod
    def of(cls, heads: NDArray[np.float32], factory: str) -> Self:
        """Build an index.

        Parameters
        ----------
        heads : ndarray of shape (n_rows, n_coordinates), float32
        factory : str
            What to build, as for ``faiss.index_factory``.

        Raises
        ------
        ImportError
            If faiss is not installed; the message names the extra.
        ValueError
            If faiss does not know how to build the index, or cannot build it for these rows.
        """
        faiss = _faiss()
        try:
            index = faiss.index_factory(heads.shape[1], factory)
            index.train(heads)
            index.add(heads)
        except RuntimeError as error:
            reason = first_line(RuntimeError(str(error).rpartition(": ")[2]))  # after C++ names
            raise ValueError(
                f"faiss cannot build index={factory!r} for {len(heads)} rows of "
                f"{heads.shape[1]} columns ({reason}); choose another."
            ) from error
        return cls(index)

    def pairs(self, heads: NDArray[np.float32], n: int) -> tuple[NDArray, NDArray]:
        """Pairs of a query and one of about `n` rows that may be its nearest."""
        _, rows = self.index.search(heads, min(n, self.index.ntotal))
        of, rank = np.nonzero(rows >= 0)
        return of, rows[of, rank]

    def __getstate__(self) -> dict[str, Any]:
        return {"index": _faiss().serialize_index(self.index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.index = _faiss().deserialize_index(state["index"])


def _faiss() -> ModuleType:
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise ImportError(
            "engine='faiss' needs faiss, which is not installed; run "
            '`pip install "sklearn-revdist[faiss]"`.'
        ) from error
