"""Rows and targets are checked, and refused in one sentence."""

import tracemalloc
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge

from sklearn_revdist import Moments, NaiveChain, ReverseDistiller
from sklearn_revdist.matrix._rows import (
    check_classes,
    check_row_weights,
    check_rows,
    check_targets,
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
def test_sequences_in_place_of_their_embeddings_are_refused(text):
    with pytest.raises(ValueError, match=r"text, not numbers; embed sequences with ESMEmbedder"):
        check_rows(text, Ridge())


@pytest.mark.parametrize("make", [np.ones, torch.ones])
def test_too_few_rows_are_refused(make):
    with pytest.raises(ValueError, match=r"2 is required by Ridge|Ridge needs at least 2"):
        check_rows(make((1, 3)), Ridge(), ensure_min_samples=2)


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
        with pytest.raises(
            ValueError, match="input_features are not 3 strings; give one name per col"
        ):
            names_in(fitted, wrong)


def test_names_are_those_of_a_data_frame_with_strings_alone():
    assert string_columns(pd.DataFrame({"a": [1], "b": [2]})) == ["a", "b"]
    assert string_columns(pd.DataFrame({"a": [1], 0: [2]})) is None
    assert string_columns(np.ones((1, 2))) is None


def test_a_list_of_tensors_is_a_row_each(X, rng):
    rows = [torch.from_numpy(row) for row in X]
    np.testing.assert_array_equal(check_rows(rows, Ridge()), X)
    distiller, expected = (ReverseDistiller([4, 7, 12]).fit(given) for given in (rows, X))
    np.testing.assert_array_equal(distiller.components_, expected.components_)
    np.testing.assert_array_equal(distiller.transform(rows), expected.transform(X))
    assert distiller.score(rows) == expected.score(X)
    with pytest.raises(ValueError, match="The rows of X are not equally long"):
        check_rows([*rows[:3], rows[0][:5]], Ridge())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((3, 2)) * 1j, "Complex data not supported; X must hold real numbers."),
        ([[1.0, 2.0], [1.0]], "The rows of X are not equally long; give each the same columns"),
        (
            np.array([[1, {}]], dtype=object),
            "something that is not a number .*'dict'.*; give a matrix",
        ),
        (csr_array(np.eye(3)), "Sparse data was passed.* dense data is required"),
    ],
)
def test_what_is_not_a_matrix_of_real_numbers_is_refused_in_one_line(rows, message):
    with pytest.raises((ValueError, TypeError), match=message) as error:
        check_rows(rows, Ridge())
    assert "\n" not in str(error.value)


def dask_frame(columns):
    return dd.from_pandas(pd.DataFrame(columns), npartitions=3)


def frames():
    """The same columns in frames of every kind that is installed."""
    polars = pytest.importorskip("polars") if find_spec("polars") else None
    return [pd.DataFrame, dask_frame, *([polars.DataFrame] if polars else [])]


@pytest.mark.parametrize("make", frames())
def test_frames_out_of_order_are_refused_everywhere(make, X):
    dims = [4, 7, 12]
    names = [f"{m}_{i}" for m, n in zip("abc", dims, strict=True) for i in range(n)]
    distiller = ReverseDistiller(dims).fit(X)
    nested = distiller.transform(X)
    for columns, message in [
        (names, "in order: c_2 is expected where c_10 stands"),
        ([str(i) for i in range(23)], "numbered, but not in order: 2 is expected where 10"),
    ]:
        order = np.argsort(columns)
        shuffled = make({columns[i]: X[:, i] for i in order})
        for method in (
            ReverseDistiller(dims).fit,
            ReverseDistiller(dims).partial_fit,
            NaiveChain(dims).fit,
            distiller.transform,
            distiller.score,
        ):
            with pytest.raises(ValueError, match=message):
                method(shuffled)
    shuffled = make({str(i): nested[:, i] for i in np.argsort([str(i) for i in range(12)])})
    with pytest.raises(ValueError, match="numbered, but not in order"):
        distiller.inverse_transform(shuffled)
    in_order = make({str(i): X[:, i] for i in range(23)})
    refitted, atol = ReverseDistiller(dims).fit(in_order), 1e-12 if make is dask_frame else 0
    np.testing.assert_allclose(refitted.mean_, distiller.mean_, rtol=0, atol=atol)
    np.testing.assert_allclose(distiller.transform(in_order), nested, rtol=0, atol=atol)


def test_whole_numbers_for_names_are_refused_out_of_order(X):
    frame = pd.DataFrame(X)
    distiller = ReverseDistiller([4, 7, 12]).fit(frame)
    np.testing.assert_array_equal(distiller.transform(frame), distiller.transform(X))
    shuffled = frame[frame.columns[::-1]]
    for method in (distiller.transform, distiller.score, ReverseDistiller([4, 7, 12]).fit):
        with pytest.raises(ValueError, match="numbered, but not in order: 0 is expected where 22"):
            method(shuffled)


def test_names_of_several_levels_or_twice_are_refused(X):
    distiller = ReverseDistiller([4, 7, 12]).fit(X)
    named = ReverseDistiller([4, 7, 12]).fit(pd.DataFrame(X).add_prefix("x"))
    pivoted = pd.DataFrame(X, columns=pd.MultiIndex.from_product([["mean"], range(23)]))
    twice = pd.DataFrame(X, columns=["x0", *[f"x{i}" for i in range(22)]])
    numbers = pd.DataFrame(X, columns=[0, *range(22)])
    for method in (ReverseDistiller([4, 7, 12]).fit, distiller.transform, named.transform):
        with pytest.raises(ValueError, match=r"names of 2 levels, .*X\.columns\.map\('_'\.join\)"):
            method(pivoted)
        with pytest.raises(ValueError, match="two columns named 'x0'"):
            method(twice)
        with pytest.raises(ValueError, match="two columns named 0"):
            method(numbers)
    with pytest.raises(ValueError, match="two columns named 'x0'"):
        ReverseDistiller([4, 7, 12]).fit_moments(Moments.of(X), twice.columns)
    names = [f"a_{i}" for i in range(11)] + [f"b_{i}" for i in range(12)]
    with pytest.raises(ValueError, match="in order: a_2 is expected where a_10 stands"):
        ReverseDistiller([11, 12]).fit_moments(Moments.of(X), sorted(names))


@pytest.mark.parametrize(
    "y",
    [
        [1, 2.5, True],
        np.array([1, 2.5, 1], dtype=object),
        pd.Series([1, 2.5, 1], dtype="Float64"),
        torch.tensor([1, 2.5, 1], requires_grad=True),
        [Decimal(1), Fraction(5, 2), np.float32(1)],
    ],
)
def test_targets_become_floats(y):
    found = check_targets(y, "a classifier")
    assert found.dtype == np.float64
    assert found.tolist() == [1, 2.5, 1]


def test_what_is_not_an_array_of_targets_is_left_as_it_is():
    sparse = csr_array(np.eye(2))
    for y in (None, sparse, 3.0, []):
        assert check_targets(y, "a classifier") is y
        check_classes(y)


@pytest.mark.parametrize("value", ["1.5", b"x", np.datetime64("2020-01-01"), 1j, [1, 2]])
def test_what_is_not_a_number_is_not_a_target(value):
    y = np.empty(3, dtype=object)
    y[:] = [1, value, 2]
    with pytest.raises(ValueError, match=r"y has .* in row 1 \(counting from 0\), which is no"):
        check_targets(y, "a classifier")


def test_classes_of_any_one_kind_are_fine():
    for y in (["a", "b"], [1, 2], [True, False], np.array([1.0, 2.0]), pd.Series(["a", "b"])):
        check_classes(y)
