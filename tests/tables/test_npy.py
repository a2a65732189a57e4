"""Matrices in NumPy's format."""

import numpy as np
import pytest

from sklearn_revdist.tables._files import open_table


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 5)), "has no embeddings"),
        (np.zeros((2, 3, 4)), r"holds an array of shape \(2, 3, 4\) and type float64"),
        (np.array([["a", "b"]]), "give a matrix of numbers"),
        (np.array([[None]]), "cannot be read as npy"),
    ],
)
def test_arrays_without_embeddings_are_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        open_table(tmp_path / "x.npy")
