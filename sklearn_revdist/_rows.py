"""Rows: what an estimator takes as embeddings, and which errors it gives for anything else."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import _check_feature_names_in, validate_data

from ._blocks import find_blocks
from ._dask import as_blocks, header, is_dask
from ._moments import check_weights
from ._tensors import as_rows, is_tensor


def check_rows(X: Any, estimator: BaseEstimator, *, ensure_min_samples: int = 1) -> Any:
    """Finite rows of floating point numbers: an array, a tensor on CUDA, or an array of dask.

    The last one's numbers are looked at when they are computed.
    """
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
        except ValueError as error:
            if "could not convert string to float" not in str(error):
                raise
            raise ValueError(
                "X holds text, not numbers; embed sequences with ESMEmbedder first, and leave out "
                "columns of names."
            ) from None
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
    if not hasattr(estimator, "feature_names_in_"):
        feature_names = string_columns(X)
        if feature_names is not None:
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
    """Column names of a data frame, where all are strings."""
    columns = getattr(X, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return list(columns)
