"""Rows: what an estimator takes as embeddings, and which errors it gives for anything else."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import _check_feature_names_in, validate_data

from ..tables._columns import check_once
from ..utils._messages import first_line
from ._dask import as_blocks, header, is_dask
from ._layout import check_numbers_in_order, find_blocks
from ._moments import check_weights
from ._torch import as_array, as_rows, is_tensor, stacked

# What others say of rows that are no numbers, and what we say; {} is what they said.
_SAID = {
    "could not convert string to float": (
        "X holds text, not numbers; embed sequences with ESMEmbedder first, and leave out columns "
        "of names."
    ),
    "Complex data not supported": "{}; X must hold real numbers.",
    "inhomogeneous shape": (
        "The rows of X are not equally long; give each the same columns, as one matrix."
    ),
    "argument must be a string or a real number": (
        "X holds what is no number ({}); give a matrix of numbers."
    ),
}


def check_rows(X: Any, estimator: BaseEstimator, *, ensure_min_samples: int = 1) -> Any:
    """Finite rows of floating point numbers: an array, a tensor on CUDA, or an array of dask.

    The last one's numbers are looked at when they are computed.
    """
    string_columns(X)  # refuses names before others speak of them in several lines
    X = stacked(X)
    if is_dask(X):
        return as_blocks(X, type(estimator).__name__, ensure_min_samples)
    if not is_tensor(X):
        try:
            return check_array(
                X,
                dtype=[np.float64, np.float32],
                ensure_min_samples=ensure_min_samples,
                estimator=estimator,
            )
        except (ValueError, TypeError) as error:
            for theirs, ours in _SAID.items():
                if theirs in str(error):
                    raise type(error)(ours.format(first_line(error))) from None
            raise
    rows = as_rows(X)
    if len(rows) < ensure_min_samples:
        raise ValueError(
            f"The tensor has {len(rows)} row, but {type(estimator).__name__} needs at least "
            f"{ensure_min_samples} to fit; give more rows."
        )
    return rows


def check_rows_as_fitted(
    X: Any, estimator: BaseEstimator, dims: Sequence[int], model_names: Sequence[str]
) -> Any:
    """The same, with the columns of the fit; the embedder's names need no names in the fit."""
    feature_names = string_columns(X)
    if feature_names is not None and not hasattr(estimator, "feature_names_in_"):
        blocks = find_blocks(dims, feature_names, len(feature_names))
        if blocks.names != tuple(model_names):
            raise ValueError(
                f"The columns of X are of {', '.join(blocks.names)}, but "
                f"{type(estimator).__name__} was fitted on {', '.join(model_names)}; embed "
                "with the same chain."
            )
        X = as_blocks(X, type(estimator).__name__) if is_dask(X) else np.asarray(X)
    rows = check_rows(X, estimator)
    validate_data(estimator, header(X), reset=False, skip_check_array=True)
    return rows


def check_row_weights(sample_weight: ArrayLike | None, X: Any) -> Any:
    """Weights of the rows as float64, not negative and not all zero; with dask checked later."""
    if sample_weight is None or is_dask(X):
        return sample_weight
    weights = check_weights(sample_weight, len(X))
    if not weights.any():
        raise ValueError("sample_weight is zero for all rows; give at least one a positive weight.")
    return weights


def names_in(estimator: BaseEstimator, input_features: Any) -> NDArray:
    """Names of the columns of the fit, or of as many by which they may go instead."""
    if input_features is not None:
        input_features = np.asarray(input_features, dtype=object)
        texts = all(isinstance(name, str) for name in input_features.ravel())
        if input_features.shape != (estimator.n_features_in_,) or not texts:
            raise ValueError(
                f"input_features must be {estimator.n_features_in_} texts, a name for each column "
                "of the fit, or None."
            )
    return _check_feature_names_in(estimator, input_features)


def string_columns(X: Any) -> list[str] | None:
    """Column names of a data frame, where all are strings.

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
            "give each one text, as in X.columns.map('_'.join)."
        )
    names = list(columns)
    check_once(names, "X")
    check_numbers_in_order(names)
    return names if all(isinstance(name, str) for name in names) else None


def check_targets(y: Any, for_classes: str) -> Any:
    """Targets of a regression in float64, all finite; what is no array of them is left as it is.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
    for_classes : str
        What serves classes, where there are texts.

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
        raise ValueError(f"{_at(given, at)}, which is no finite number; {remedy}.")
    return numbers


def check_classes(y: Any) -> None:
    """Refuse targets of a classification of which one is missing, or a text beside numbers."""
    given = _targets(y)
    if given is None or given.ndim != 1:
        return
    for i, value in enumerate(given.tolist()):
        missing = value is None or type(value).__name__ == "NAType" or value != value
        if missing or value in (np.inf, -np.inf):
            raise ValueError(f"{_at(given, (i,))}, which is no class; drop the row, or name one.")
        if isinstance(value, str) != isinstance(given[0], str):
            raise ValueError(
                f"{_at(given, (i,))} and {given[0]!r} in row 0; give classes that are all texts, "
                "or all numbers."
            )


def _targets(y):
    """Targets as an array, where they can be one with an entry for each row."""
    if y is None or issparse(y):
        return None
    try:
        # in an array of its own, NumPy would make a text of a number beside texts
        dtype = object if isinstance(y, list | tuple) else None
        given = np.asarray(as_array(y.detach()) if is_tensor(y) else y, dtype)
    except ValueError:  # of unequal lengths
        return None
    return given if given.ndim in (1, 2) and given.size else None


def _at(given, at):
    column = f", column {at[1]}" if len(at) > 1 else ""
    value = given[at]
    shown = value.item() if isinstance(value, np.generic) else value
    return f"y has {shown!r} in row {at[0]}{column} (counting from 0)"
