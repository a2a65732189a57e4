"""Refuse numbers that are not finite, by the row and the column of the first."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_finite(rows: NDArray[Any], name_row: Callable[[int], str] = "row {}".format) -> None:
    """Check that all numbers of a matrix are finite.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    name_row : callable, default="row {}".format
        Takes a number, and says which row of X it is.

    Raises
    ------
    ValueError
        If a number is NaN or infinite; the message names its row and its column.
    """
    with np.errstate(all="ignore"):
        if np.isfinite(rows.sum()):  # one pass without a copy is enough for nearly all rows
            return
    for row, values in enumerate(rows):
        wrong = ~np.isfinite(values)
        if wrong.any():
            column = int(np.argmax(wrong))
            what = "NaN" if np.isnan(values[column]) else "infinity"
            raise ValueError(
                f"X has {what} in {name_row(row)}, column {column} (counting from 0); drop the "
                "row, or embed it in higher precision."
            )
