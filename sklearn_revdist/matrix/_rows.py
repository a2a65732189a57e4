"""Check rows and targets that are given to estimators, with errors that say what to do."""

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from ..tables._columns import check_once
from ..utils._compat import _check_feature_names_in
from ..utils._messages import first_line
from ._dask import as_blocks, is_dask
from ._finite import check_finite
from ._layout import check_numbers_in_order, column_names
from ._moments import check_weights
from ._torch import as_array, as_rows, is_tensor

# Messages of other libraries about rows that are not numbers, and ours; {} is theirs.
_MESSAGES = {
    "could not convert string to float": (
        "X holds text, not numbers; embed sequences with ESMEmbedder first, and leave out columns "
        "of names."
    ),
    "Complex data not supported": "{}; X must hold real numbers.",
    "inhomogeneous shape": (
        "The rows of X are not equally long; give each the same columns, as one matrix."
    ),
    "argument must be a string or a real number": (
        "X holds something that is not a number ({}); give a matrix of numbers."
    ),
}


def check_rows(X: Any, estimator: BaseEstimator, *, ensure_min_samples: int = 1) -> Any:
    """Check that rows are finite: return a float array, a tensor on CUDA, or a dask array.

    Numbers of a dask array are checked when they are computed.
    """
    string_columns(X)  # its errors have one line, those of scikit-learn several
    if is_dask(X):
        return as_blocks(X, type(estimator).__name__, ensure_min_samples)
    if is_tensor(X):
        rows = as_rows(X)
        if len(rows) < ensure_min_samples:
            raise ValueError(
                f"The tensor has {len(rows)} row, but {type(estimator).__name__} needs at least "
                f"{ensure_min_samples} to fit; give more rows."
            )
        return rows
    options = {"ensure_min_samples": ensure_min_samples, "estimator": estimator}
    try:
        rows = check_array(X, dtype=[np.float64, np.float32], ensure_all_finite=False, **options)
    except (ValueError, TypeError) as error:
        for theirs, ours in _MESSAGES.items():
            if theirs in str(error):
                raise type(error)(ours.format(first_line(error))) from None
        raise
    check_finite(rows)
    return rows


def header(X: Any) -> Any:
    """Return an empty pandas data frame with the columns of a dask data frame; else X."""
    return X._meta if is_dask(X) and hasattr(X, "columns") else X


def check_row_weights(sample_weight: ArrayLike | None, X: Any) -> Any:
    """Check that weights are not negative and not all zero; with dask they are checked later."""
    if sample_weight is None or is_dask(X):
        return sample_weight
    weights = check_weights(sample_weight, len(X))
    if not weights.any():
        raise ValueError("sample_weight is zero for all rows; give at least one a positive weight.")
    return weights


def names_in(estimator: BaseEstimator, input_features: Any) -> NDArray:
    """Names of the columns of the fit, or other names for them."""
    names = column_names(input_features, estimator.n_features_in_, "input_features")
    return _check_feature_names_in(estimator, names)


def string_columns(X: Any) -> list[str] | None:
    """Column names of a data frame, if all are strings; else None.

    Raises
    ------
    ValueError
        If two columns have one name, numbers for names are out of order, or names have levels.
    """
    columns = getattr(X, "columns", None)
    if columns is None:
        return None
    if getattr(columns, "nlevels", 1) > 1:
        raise ValueError(
            f"The columns of X have names of {columns.nlevels} levels, as a pivoted table has; "
            "give each one string, as in X.columns.map('_'.join)."
        )
    names = list(columns)
    check_once(names, "X")
    check_numbers_in_order(names)
    return names if all(isinstance(name, str) for name in names) else None


def check_targets(y: Any, for_classes: str) -> Any:
    """Check that targets of a regression are finite; what is not an array is returned as it is.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
    for_classes : str
        Estimator to suggest for classes, if there are strings.

    Returns
    -------
    y : ndarray, float64
    """
    given = _targets(y)
    if given is None:
        return y
    if given.dtype.kind == "c":
        raise ValueError("Complex data not supported; y must hold real numbers.")
    if given.dtype.kind in "biuf":
        numbers = given.astype(np.float64)
    else:
        numbers = np.full(given.shape, np.nan)
        for at, value in np.ndenumerate(given):
            if not isinstance(value, str | bytes | complex | np.complexfloating):
                with suppress(TypeError, ValueError):
                    numbers[at] = float(value)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0].tolist())
        remedy = "drop the row, or give its number"
        if isinstance(given[at], str):
            remedy = f"give numbers, or take {for_classes} for classes"
        raise ValueError(f"{_at(given, at)}, which is not a finite number; {remedy}.")
    return numbers


def check_classes(y: Any) -> None:
    """Refuse targets of a classification if one is missing, or strings and numbers are mixed."""
    given = _targets(y)
    if given is None or given.ndim != 1:
        return
    for i, value in enumerate(given.tolist()):
        missing = value is None or type(value).__name__ == "NAType" or value != value
        if missing or value in (np.inf, -np.inf):
            raise ValueError(
                f"{_at(given, (i,))}, which is not a class; drop the row, or name one."
            )
        if isinstance(value, str) != isinstance(given[0], str):
            raise ValueError(
                f"{_at(given, (i,))} and {given[0]!r} in row 0; give classes that are all "
                "strings, or all numbers."
            )


def _targets(y):
    """Targets as an array with one entry per row, if possible; else None."""
    if y is None or issparse(y):
        return None
    try:
        # otherwise NumPy would turn numbers beside strings into strings
        dtype = object if isinstance(y, list | tuple) else None
        given = np.asarray(as_array(y.detach()) if is_tensor(y) else y, dtype)
    except ValueError:  # of unequal lengths
        return None
    return given if given.ndim in (1, 2) and given.size else None


def _at(given, at):
    column = f", column {at[1]}" if len(at) > 1 else ""
    value = given[at].item() if isinstance(given[at], np.generic) else given[at]
    return f"y has {value!r} in row {at[0]}{column} (counting from 0)"
