"""Dask arrays give the same results as arrays."""

import subprocess
import sys

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge

from sklearn_revdist import Moments, NaiveChain, ReverseDistiller, prefix_scores
from sklearn_revdist.matrix._dask import is_dask, sum_of_blocks

DIMS = [4, 7, 12]


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def weights(rng):
    weights = rng.integers(0, 3, size=300).astype(float)
    weights[60:120] = 0  # a whole block that counts nothing
    return weights


def unknown(array):
    """The same rows in an array of dask that knows no numbers of rows."""
    parts = [
        da.from_delayed(dask.delayed(part), (np.nan, *array.shape[1:]), array.dtype)
        for part in np.array_split(array, 5)
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


@pytest.mark.parametrize("chunks", [(300, 23), (60, 23), (7, 23), (60, 5), (1, 10)])
@pytest.mark.parametrize("regressor", ["ols", "ridge", "pcr"])
def test_fit_is_that_of_the_rows_however_they_are_cut(chunks, regressor, X):
    expected = ReverseDistiller(DIMS, regressor=regressor).fit(X)
    distiller = ReverseDistiller(DIMS, regressor=regressor).fit(da.from_array(X, chunks))
    np.testing.assert_allclose(distiller.components_, expected.components_, rtol=0, atol=1e-10)
    assert distiller.n_features_in_ == 23
    assert distiller.moments_.weight == 300


def test_weights_may_be_an_array_or_one_of_dask(X, weights):
    expected = ReverseDistiller(DIMS).fit(X, sample_weight=weights)
    rows = da.from_array(X, (60, 23))
    for given in (weights, da.from_array(weights, 37), list(weights)):
        distiller = ReverseDistiller(DIMS).fit(rows, sample_weight=given)
        np.testing.assert_allclose(distiller.components_, expected.components_, atol=1e-10)
    distiller = ReverseDistiller(DIMS).fit(unknown(X), sample_weight=unknown(weights))
    np.testing.assert_allclose(distiller.components_, expected.components_, atol=1e-10)


def test_weights_may_be_a_column_of_the_frame(X, weights):
    expected = ReverseDistiller(DIMS).fit(X, sample_weight=weights)
    names = [f"c{i}" for i in range(23)]
    frame = dd.from_pandas(pd.DataFrame(X, columns=names).assign(weight=weights), npartitions=4)
    distiller = ReverseDistiller(DIMS).fit(frame[names], sample_weight=frame["weight"])
    np.testing.assert_allclose(distiller.components_, expected.components_, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float16])
def test_other_numbers_are_computed_with_in_double_precision(dtype, X):
    X = X.astype(dtype)
    expected = ReverseDistiller(DIMS).fit(X.astype(np.float64))
    rows = da.from_array(X, (60, 9))
    distiller = ReverseDistiller(DIMS).fit(rows)
    np.testing.assert_allclose(distiller.components_, expected.components_, rtol=0, atol=1e-10)
    nested = distiller.transform(rows)
    assert nested.dtype == np.float64
    np.testing.assert_allclose(nested.compute(), expected.transform(X.astype(float)), atol=1e-9)


def test_finite_rows_whose_sum_overflows_are_accepted():
    X = da.full((6, 1), 1e308, chunks=(3, 1))
    assert sum_of_blocks(lambda rows, weights: len(rows), X) == 6


def test_batches_of_dask_and_others_add_up(X):
    distiller = ReverseDistiller(DIMS).partial_fit(da.from_array(X[:100], (30, 23)))
    distiller.partial_fit(X[100:150]).partial_fit(unknown(X[150:]))
    expected = ReverseDistiller(DIMS).fit(X)
    np.testing.assert_allclose(distiller.components_, expected.components_, atol=1e-10)


def test_moments_of_blocks(X):
    moments = Moments.of(da.from_array(X, (50, 9)))
    np.testing.assert_allclose(moments.scatter, Moments.of(X).scatter, rtol=1e-12)


def test_blocks_are_added_in_a_tree_that_depends_on_their_number_alone():
    X = da.from_array(np.arange(22.0)[:, np.newaxis], (2, 1))
    total = sum_of_blocks(lambda rows, weights: Term(f"{rows[0, 0] / 2:.0f}"), X)
    assert total == "(((((0+1)+2)+3)+(((4+5)+6)+7))+((8+9)+10))"


class Term(str):
    """The formula of a sum."""

    def __add__(self, other):
        return Term(f"({self!s}+{other!s})")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("regressor", ["ridge", Ridge()])
def test_transform_waits_and_keeps_blocks_and_precision(dtype, regressor, X, reference):
    X = X.astype(dtype)
    distiller = ReverseDistiller(DIMS, regressor=regressor, n_components=9).fit(X)
    nested = distiller.transform(da.from_array(X, (70, 6)))
    assert isinstance(nested, da.Array)
    assert nested.chunks == ((70, 70, 70, 70, 20), (9,))
    assert nested.dtype == dtype == nested._meta.dtype
    assert nested.compute().dtype == dtype

    def check(found, function):
        expected, exact = function(X), function(X.astype(np.float64))
        if dtype == np.float64:
            np.testing.assert_allclose(found.compute(), expected, rtol=0, atol=1e-11)
        else:
            reference(expected, exact).assert_matched(found.compute())

    check(nested, distiller.transform)
    np.testing.assert_array_equal(nested[:, :4].compute(), X[:, :4])
    back = distiller.inverse_transform(nested)
    assert back.chunks == ((70, 70, 70, 70, 20), (23,))
    check(back, lambda X: distiller.inverse_transform(distiller.transform(X)))


def test_transform_of_unknown_numbers_of_rows_and_of_none(X):
    distiller = ReverseDistiller(DIMS).partial_fit(X)  # solved when the first result is asked for
    rows = unknown(X)
    nested = distiller.transform(rows[rows[:, 0] > np.median(X[:, 0])])
    assert nested.shape[1] == 12
    np.testing.assert_allclose(
        nested.compute(), distiller.transform(X[X[:, 0] > np.median(X[:, 0])]), atol=1e-11
    )
    assert distiller.transform(rows[rows[:, 0] > np.inf]).compute().shape == (0, 12)


def test_what_is_sent_to_workers_has_no_moments(X):
    distiller = ReverseDistiller(DIMS).fit(X).set_output(transform="pandas")
    light = distiller._without_moments()
    assert not hasattr(light, "moments_")
    assert isinstance(light.transform(X), np.ndarray)
    assert isinstance(distiller.transform(X), pd.DataFrame)
    assert distiller.moments_.weight == 300


def test_score_is_that_of_the_rows(X, weights):
    distiller = ReverseDistiller(DIMS, n_components=6).fit(X)
    rows = da.from_array(X, (60, 10))
    assert distiller.score(rows) == pytest.approx(distiller.score(X), abs=1e-12)
    expected = distiller.score(X, sample_weight=weights)
    assert distiller.score(rows, sample_weight=weights) == pytest.approx(expected, abs=1e-12)


def test_data_frames_are_rows_with_names(X):
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(23)])
    expected = ReverseDistiller(DIMS).fit(frame)
    rows = dd.from_pandas(frame, npartitions=4)
    distiller = ReverseDistiller(DIMS).fit(rows)
    np.testing.assert_array_equal(distiller.feature_names_in_, frame.columns)
    np.testing.assert_allclose(distiller.components_, expected.components_, atol=1e-10)
    nested = distiller.transform(rows)
    assert isinstance(nested, da.Array)
    np.testing.assert_allclose(nested.compute(), expected.transform(frame), atol=1e-10)
    with pytest.raises(ValueError, match="feature names should match"):
        distiller.transform(rows[list(frame.columns[::-1])])


def test_columns_named_by_the_embedder_say_the_chain(X):
    names = [f"m{d}_{i}" for d in DIMS for i in range(d)]
    rows = dd.from_pandas(pd.DataFrame(X, columns=names), npartitions=3)
    assert ReverseDistiller().fit(rows).model_names_ == ["m4", "m7", "m12"]
    plain = ReverseDistiller(DIMS).fit_moments(Moments.of(X), names)
    np.testing.assert_allclose(
        plain.transform(rows).compute(), plain.transform(X), rtol=0, atol=1e-12
    )


def test_the_naive_chain_takes_them_too(X):
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(23)])
    rows = dd.from_pandas(frame, npartitions=4)
    naive, expected = NaiveChain(DIMS).fit(rows), NaiveChain(DIMS).fit(frame)
    reduced = naive.transform(rows)
    assert isinstance(reduced, da.Array)
    np.testing.assert_allclose(reduced.compute(), expected.transform(frame), atol=1e-9)


def test_scores_of_prefixes_are_taken_in_memory(X):
    distiller = ReverseDistiller(DIMS).fit(X)
    scores = prefix_scores(distiller, da.from_array(X, (60, 9)), X[:, 0])
    pd.testing.assert_frame_equal(scores, prefix_scores(distiller, X, X[:, 0]))


def test_memory_finds_the_chain_of_the_same_rows(X, tmp_path):
    distiller = ReverseDistiller(DIMS, memory=str(tmp_path))
    distiller.fit(da.from_array(X, (60, 23)))
    n_files = len(list(tmp_path.rglob("output.pkl")))
    again = clone(distiller).fit(da.from_array(X, (60, 23)))
    assert n_files == 1 == len(list(tmp_path.rglob("output.pkl")))
    np.testing.assert_array_equal(again.components_, distiller.components_)


def _with(value, at):
    def change(X):
        X = X.copy()
        X[at] = value
        return X

    return change


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            lambda X: da.from_array(_with(np.nan, (137, 5))(X), (60, 9)),
            r"in row 137, column 5 ",
        ),
        (
            lambda X: da.from_array(_with(np.inf, (299, 0))(X), (60, 9)),
            r"in row 299, column 0 ",
        ),
        (lambda X: unknown(_with(np.nan, (137, 5))(X)), r"in row 17 of block 2, column 5 \("),
        (lambda X: da.from_array(X[:, :20], (60, 9)), "but X has 20|has 20 features"),
        (lambda X: da.from_array(X[0], 9), "Array.* is not a matrix of numbers"),
        (lambda X: da.from_array(X.astype(str), (60, 9)), "is not a matrix of numbers"),
    ],
)
def test_bad_rows_are_refused_and_nothing_changes(rows, message, X):
    distiller = ReverseDistiller(DIMS).fit(X)
    before = dict(vars(distiller))
    with pytest.raises(ValueError, match=message):
        distiller.fit(rows(X))
    with pytest.raises(ValueError, match=message):
        distiller.partial_fit(rows(X))
    with pytest.raises(ValueError, match=message):
        distiller.transform(rows(X)).compute()
    assert vars(distiller) == before


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(299), r"shape == \(299,\), expected \(300,\)"),
        (da.ones(299, chunks=60), r"shape == \(299,\), expected \(300,\)"),
        (_with(-1.0, 137)(np.ones(300)), r"sample_weight is -1.0 for row 137 \("),
        (_with(np.nan, 137)(np.ones(300)), r"sample_weight is nan for row 137 \("),
        (np.zeros(300), "no rows with a positive sample_weight"),
    ],
)
def test_bad_weights_are_refused(weights, message, X):
    with pytest.raises(ValueError, match=message):
        ReverseDistiller(DIMS).fit(da.from_array(X, (60, 23)), sample_weight=weights)


def test_weights_of_unknown_blocks_have_the_same_blocks(X, weights):
    with pytest.raises(ValueError, match="the blocks of X have unknown numbers of rows"):
        Moments.of(unknown(X), weights)
    with pytest.raises(ValueError, match="sample_weight has 2 blocks and X has 5"):
        Moments.of(unknown(X), da.from_array(weights, 150))
    with pytest.raises(ValueError, match=r"Block . .* has 60 rows, but weights of shape \(59,\)"):
        Moments.of(unknown(X), unknown(weights[:295]))


def test_no_rows_and_one_row_are_too_few(X):
    with pytest.raises(ValueError, match="There are no rows; give some"):
        ReverseDistiller(DIMS).fit(unknown(X[:0]))
    with pytest.raises(ValueError, match="has 1 rows, but ReverseDistiller needs at least 2"):
        ReverseDistiller(DIMS).fit(da.from_array(X[:1]))


def test_any_regressor_needs_rows_in_memory(X):
    with pytest.raises(ValueError, match="needs all rows at once, not moments; call fit with an"):
        ReverseDistiller(DIMS, regressor=Ridge()).fit(da.from_array(X, (60, 23)))


def test_the_same_bits_on_any_number_of_threads(X):
    rows = da.from_array(X, (11, 23))
    expected = ReverseDistiller(DIMS).fit(rows)
    with dask.config.set(scheduler="threads", num_workers=8):
        distiller = ReverseDistiller(DIMS).fit(rows)
    np.testing.assert_array_equal(distiller.components_, expected.components_)


def test_nothing_of_dask_is_imported_without_it():
    code = (
        "import sys, numpy, sklearn_revdist as s; s.ReverseDistiller([2, 3]).fit_transform("
        "numpy.random.default_rng(0).normal(size=(50, 5))); "
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not is_dask(np.ones(3))


def test_an_error_of_moments_names_them(X):
    with pytest.raises(ValueError, match=r"^Moments got a dask collection \(Array\) that is not"):
        Moments.of(da.from_array(X[0], 9))
