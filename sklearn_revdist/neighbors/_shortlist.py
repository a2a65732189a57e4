"""Approximate search: faiss lists rows that may be near, and their distances are computed."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils._messages import first_line
from ..utils._optional import import_optional

_faiss = partial(import_optional, "faiss", "engine='faiss' needs faiss", "faiss")


class Shortlist:
    """An index of faiss over the first coordinates of rows.

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

    def __init__(self, heads: NDArray[np.float32], factory: str) -> None:
        faiss = _faiss()
        try:
            self.index = faiss.index_factory(heads.shape[1], factory)
            self.index.train(heads)
            self.index.add(heads)
        except RuntimeError as error:
            reason = first_line(RuntimeError(str(error).rpartition(": ")[2]))  # after C++ names
            raise ValueError(
                f"faiss cannot build index={factory!r} for {len(heads)} rows of "
                f"{heads.shape[1]} columns ({reason}); choose another."
            ) from error

    def pairs(self, heads: NDArray[np.float32], n: int) -> tuple[NDArray, NDArray]:
        """Pairs of a query and one of about `n` rows that may be its nearest."""
        _, rows = self.index.search(heads, min(n, self.index.ntotal))
        of, rank = np.nonzero(rows >= 0)
        return of, rows[of, rank]

    def __getstate__(self) -> dict[str, Any]:
        return {"index": _faiss().serialize_index(self.index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.index = _faiss().deserialize_index(state["index"])
