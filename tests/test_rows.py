import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge

from sklearn_revdist import ReverseDistiller
from sklearn_revdist._rows import (
    check_row_weights,
    check_rows,
    check_rows_as_fitted,
    names_in,
    string_columns,
)


@pytest.fixture
def fitted(rng):
    """An estimator that was fitted on three columns without names."""
    return Ridge().fit(rng.normal(size=(5, 3)), np.arange(5))


def test_arrays_keep_single_precision_and_others_become_double():
    assert check_rows(np.ones((2, 3), np.float32), Ridge()).dtype == np.float32
    assert check_rows([[1, 2], [3, 4]], Ridge()).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mapped_file_is_not_copied(tmp_path, rng, dtype):
    np.save(tmp_path / "x.npy", rng.normal(size=(20_000, 30)).astype(dtype))
    X = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(check_rows(X, Ridge()), X)
    tracemalloc.start()
    distiller = ReverseDistiller(dims=[10, 20]).fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.9 * X[:20_000].astype(np.float64).nbytes
    np.testing.assert_array_equal(
        distiller.mean_, ReverseDistiller(dims=[10, 20]).fit(np.array(X)).mean_
    )


def test_tensors_on_the_cpu_become_arrays():
    rows = check_rows(torch.ones(2, 3, requires_grad=True), Ridge())
    assert isinstance(rows, np.ndarray)


@pytest.mark.parametrize("text", [["MKT", "GSH"], [["MKT", "GSH"]], pd.Series(["MKT", "GSH"])])
def test_sequences_in_place_of_their_embeddings_are_told(text):
    with pytest.raises(ValueError, match=r"text, not numbers; embed sequences with ESMEmbedder"):
        check_rows(text, Ridge())


@pytest.mark.parametrize("make", [np.ones, torch.ones])
def test_too_few_rows_are_told(make):
    with pytest.raises(ValueError, match=r"2 is required by Ridge|Ridge needs at least 2"):
        check_rows(make((1, 3)), Ridge(), ensure_min_samples=2)


def test_columns_named_by_the_embedder_need_no_names_in_the_fit(fitted):
    X = pd.DataFrame(np.ones((2, 3)), columns=["a_0", "b_0", "b_1"])
    rows = check_rows_as_fitted(X, fitted, (1, 2), ("a", "b"))
    np.testing.assert_array_equal(rows, np.ones((2, 3)))


def test_columns_of_other_models_are_refused(fitted):
    X = pd.DataFrame(np.ones((2, 3)), columns=["a_0", "c_0", "c_1"])
    with pytest.raises(ValueError, match="of a, c, but Ridge was fitted on a, b; embed"):
        check_rows_as_fitted(X, fitted, (1, 2), ("a", "b"))


def test_another_number_of_columns_is_refused(fitted):
    with pytest.raises(ValueError, match="X has 4 features, but Ridge is expecting 3"):
        check_rows_as_fitted(np.ones((2, 4)), fitted, (1, 2), ("a", "b"))


def test_weights_are_checked():
    X = np.ones((2, 3))
    assert check_row_weights(None, X) is None
    assert check_row_weights([1, 0], X).dtype == np.float64
    with pytest.raises(ValueError, match="is zero for all rows"):
        check_row_weights([0, 0], X)
    with pytest.raises(ValueError, match="sample_weight must be 2 finite numbers, none below 0"):
        check_row_weights([1, -1], X)


def test_names_stand_in_for_those_of_the_fit(fitted):
    assert names_in(fitted, None).tolist() == ["x0", "x1", "x2"]
    assert names_in(fitted, ["a", "b", "c"]).tolist() == ["a", "b", "c"]
    for wrong in (["a", "b"], ["a", "b", 3], "abc"):
        with pytest.raises(ValueError, match="input_features must be 3 texts, a name for each col"):
            names_in(fitted, wrong)


def test_names_are_those_of_a_data_frame_with_strings_alone():
    assert string_columns(pd.DataFrame({"a": [1], "b": [2]})) == ["a", "b"]
    assert string_columns(pd.DataFrame({"a": [1], 0: [2]})) is None
    assert string_columns(np.ones((1, 2))) is None
