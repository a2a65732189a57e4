"""Judge our values by fair-esm's in float64, and find the first layer that differs."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..sequences._tokens import encode_sequences

if TYPE_CHECKING:
    from ._esm2 import ESM2
    from ._fair_esm import FairESM

# Two correct implementations have similar errors against float64, but the largest of a few hundred
# errors varies by chance: ours was up to 3.4 times fair-esm's, and at least 40 times with a mistake
# in the code. Rounding units of the largest value are added for sequences in which fair-esm happens
# to be exact. In half precision these decide: up to 5.2 were seen with 3 to 33 layers.
_TIMES = 8
_ROUNDING = {"float32": 4 * 2.0**-23, "float16": 16 * 2.0**-10, "bfloat16": 16 * 2.0**-7}


class Agreement(NamedTuple):
    """Errors of our values and of fair-esm's in float32, both against fair-esm in float64.

    Attributes
    ----------
    error, stock : float
        The largest difference from float64: ours, and that of fair-esm itself in float32.
    allowed : float
        The largest error of ours that is accepted.
    sequence : str
        The sequence with our largest error.
    row : int
        The row of that error in the array of the sequence.
    """

    error: float
    stock: float
    allowed: float
    sequence: str
    row: int

    @classmethod
    def of(
        cls,
        sequences: Sequence[str],
        ours: Sequence[NDArray],
        single: Sequence[NDArray],
        double: Sequence[NDArray],
        dtype: str,
    ) -> Self:
        """Judge arrays, one for each sequence; `dtype` is the precision of ours."""
        errors = [np.abs(x - y) for x, y in zip(ours, double, strict=True)]
        worst = int(np.argmax([error.max() for error in errors]))
        stock = max(float(np.abs(x - y).max()) for x, y in zip(single, double, strict=True))
        largest = max(float(np.abs(y).max()) for y in double)
        return cls(
            error=float(errors[worst].max()),
            stock=stock,
            allowed=_TIMES * stock + _ROUNDING[dtype] * largest,
            sequence=sequences[worst],
            row=int(errors[worst].max(axis=1).argmax()),
        )

    @property
    def holds(self) -> bool:
        """Whether our error is at most what is allowed."""
        return self.error <= self.allowed

    @property
    def ratio(self) -> float:
        """Our error in units of fair-esm's own; NaN where that is zero."""
        return self.error / self.stock if self.stock else float("nan")

    @property
    def share(self) -> float:
        """Our error as a share of what is allowed."""
        return self.error / self.allowed

    def described(self, what: str) -> str:
        """Say what differs, where and by how much."""
        start = self.sequence[:24] + "..." * (len(self.sequence) > 24)
        return (
            f"{what} of {start!r} is {self.error:.2g} away from fair-esm's in float64, where "
            f"{self.allowed:.2g} is allowed"
        )


def first_layer(sequence: str, model: "ESM2", stock: "FairESM", dtype: str) -> int | None:
    """Return the number of the first layer after which residue rows differ.

    0 is the model's input; None means that no layer differs if the sequence is embedded alone.
    """
    single, double = (stock.layers(sequence, double=double) for double in (False, True))
    tokens = encode_sequences([sequence], "keep")

    def differs(n: int) -> bool:
        ours = next(model.forward(tokens, [n]))[1:-1].float().cpu().numpy()
        return not Agreement.of([sequence], [ours], [single[n]], [double[n]], dtype).holds

    first = bisect_left(range(len(double)), True, key=differs)
    return first if first < len(double) else None
