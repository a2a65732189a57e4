import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import linalg
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import Moments, NaiveChain, ReverseDistiller

DIMS = [4, 7, 12]
REGRESSORS = ["ols", "ridge", "pcr"]


def named(X, dims=DIMS, models=("small", "middle", "large")):
    columns = [f"{m}_{i}" for m, d in zip(models, dims, strict=True) for i in range(d)]
    return pd.DataFrame(X, columns=columns)


@parametrize_with_checks(
    [
        *(ReverseDistiller(regressor=regressor) for regressor in REGRESSORS),
        ReverseDistiller(residual="joint"),
    ]
)
@pytest.mark.filterwarnings("ignore:The .* columns of X are neither:UserWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# ----------------------------------------------------------------- the nested embedding


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("regressor", REGRESSORS)
def test_first_columns_are_the_first_model_bit_for_bit(regressor, dtype, X):
    X = X.astype(dtype)
    A = ReverseDistiller(DIMS, regressor=regressor).fit_transform(X)
    assert A.dtype == dtype
    assert A.shape == (300, 12)
    np.testing.assert_array_equal(A[:, :4], X[:, :4])


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_every_prefix_is_the_same_bits(regressor, X):
    distiller = ReverseDistiller(DIMS, regressor=regressor).fit(X)
    A = distiller.transform(X)
    for n_components in range(1, 13):
        distiller.set_params(n_components=n_components)
        np.testing.assert_array_equal(distiller.transform(X), A[:, :n_components])


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_a_shorter_chain_gives_the_longer_ones_prefix(regressor, X):
    longer = ReverseDistiller(DIMS, regressor=regressor).fit_transform(X)
    shorter = ReverseDistiller(DIMS[:2], regressor=regressor).fit_transform(X[:, :11])
    np.testing.assert_allclose(shorter, longer[:, :7], rtol=0, atol=1e-10)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_pooling_commutes(regressor, X, rng):
    """Distilling the mean of a protein's residues is the mean of its distilled residues."""
    distiller = ReverseDistiller(DIMS, regressor=regressor).fit(X)
    protein = rng.integers(0, 20, size=300)
    pool = np.eye(20)[protein].T / np.bincount(protein)[:, np.newaxis]
    np.testing.assert_allclose(
        distiller.transform(pool @ X), pool @ distiller.transform(X), rtol=0, atol=1e-10
    )


def test_least_squares_on_float32_is_uncorrelated_to_its_precision(X):
    X = X.astype(np.float32)
    A = ReverseDistiller(DIMS, regressor="ols").fit_transform(X)
    correlation = np.corrcoef(A.astype(np.float64), rowvar=False)
    assert np.abs(correlation[:4, 4:]).max() <= 1e-5
    assert np.abs(correlation[4:7, 7:]).max() <= 1e-5


def test_a_column_with_a_mean_of_ten_thousand_sigma_agrees_with_the_svd(rng, embeddings):
    X = embeddings(rng, n_samples=2000)
    X[:, [1, 6, 15]] += 1e4 * X[:, [1, 6, 15]].std(axis=0)
    distiller = ReverseDistiller(DIMS, regressor="ols").fit(X)
    predicted = distiller.inverse_transform(distiller.transform(X)[:, :4])[:, 4:11]
    centred = X - X.mean(axis=0)
    direct = centred[:, :4] @ linalg.lstsq(centred[:, :4], centred[:, 4:11])[0]
    direct += X[:, 4:11].mean(axis=0)
    scale = X[:, 4:11].std(axis=0)
    np.testing.assert_allclose(predicted / scale, direct / scale, rtol=0, atol=1e-8)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_two_fits_are_bit_identical(regressor, X, rng, state):
    weights = rng.random(300)
    fits = [ReverseDistiller(DIMS, regressor=regressor).fit(X, None, weights) for _ in range(2)]
    np.testing.assert_equal(state(fits[0]), state(fits[1]))
    np.testing.assert_equal(state(fits[0]), state(fits[0].fit(X, None, weights)))


def test_the_layout_in_memory_does_not_matter(X, state):
    left, right = (ReverseDistiller(DIMS).fit(np.array(X, order=order)) for order in "CF")
    np.testing.assert_equal(state(left), state(right))


def test_weights_count_rows(X, rng):
    counts = rng.integers(0, 4, size=300)
    weighted = ReverseDistiller(DIMS).fit(X, sample_weight=counts)
    repeated = ReverseDistiller(DIMS).fit(np.repeat(X, counts, axis=0))
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), rtol=0, atol=1e-8)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_rows_and_their_moments_give_the_same_chain(regressor, X, rng):
    weights = rng.random(300)
    chain = ReverseDistiller(DIMS, regressor=regressor).fit(X, sample_weight=weights)
    assert chain.moments_.weight == Moments.of(X, weights).weight
    other = ReverseDistiller(DIMS, regressor=regressor).fit_moments(chain.moments_)
    np.testing.assert_array_equal(other.components_, chain.components_)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("regressor", ["ridge", Ridge()])
def test_few_rows_are_told_by_their_weight(regressor, weighted, X):
    weights = np.full(20, 0.5) if weighted else None
    with pytest.warns(UserWarning, match=f"fitted on {10 if weighted else 20} rows"):
        ReverseDistiller(DIMS, n_new=[1, 1], regressor=regressor).fit(X[:20], None, weights)


@pytest.mark.parametrize("regressor", ["ridge", Ridge()])
def test_what_was_solved_before_is_found(regressor, X, tmp_path):
    first = ReverseDistiller(DIMS, regressor=regressor, memory=str(tmp_path)).fit(X)
    files = sorted(tmp_path.rglob("*.pkl"))
    assert len(files) == 1
    again = ReverseDistiller(DIMS, regressor=regressor, memory=str(tmp_path)).fit(X)
    assert sorted(tmp_path.rglob("*.pkl")) == files
    np.testing.assert_array_equal(again.transform(X), first.transform(X))


def test_rows_that_were_added_do_not_serve_an_estimator(X):
    distiller = ReverseDistiller(DIMS).partial_fit(X).set_params(regressor=Ridge())
    with pytest.raises(ValueError, match=r"^regressor=Ridge\(\.\.\.\) needs all rows at once, "):
        distiller.transform(X)


@pytest.mark.filterwarnings("ignore:The chain is fitted on 40 rows")
@pytest.mark.parametrize("regressor", ["ols", "ridge"])
def test_few_rows_and_many_columns(regressor, rng, embeddings):
    """In the space of the rows, as through the full second moment."""
    X = embeddings(rng, n_samples=40, dims=[30, 50, 90])
    distiller = ReverseDistiller([30, 50, 90], n_new=[3, 2], regressor=regressor).fit(X)
    assert distiller.moments_.root.shape == (40, 170)
    root = distiller.moments_.root
    full = Moments(40.0, distiller.moments_.mean, scatter=root.T @ root)
    other = ReverseDistiller([30, 50, 90], n_new=[3, 2], regressor=regressor).fit_moments(full)
    np.testing.assert_allclose(other.transform(X), distiller.transform(X), rtol=0, atol=1e-7)


def test_fitting_on_residues_equals_fitting_on_their_rows(X):
    class Embedder:
        """Residue rows in uneven blocks, as ESMEmbedder yields them."""

        def get_feature_names_out(self):
            return named(X).columns.to_numpy()

        def iter_residues(self, sequences):
            for start, stop in ((0, 1), (1, 120), (120, 300)):
                yield X[start:stop].astype(np.float32), np.arange(start, stop)

    streamed = ReverseDistiller(regressor="ols").fit_residues(["A"] * 300, Embedder())
    at_once = ReverseDistiller(DIMS, regressor="ols").fit(X.astype(np.float32))
    np.testing.assert_allclose(streamed.components_, at_once.components_, rtol=0, atol=1e-10)
    assert streamed.model_names_ == ["small", "middle", "large"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        streamed.transform(X)
        streamed.transform(named(X))


# ----------------------------------------------------------------- widths and names


def test_widths_come_from_the_columns_names(X):
    by_name = ReverseDistiller().fit(named(X))
    assert by_name.model_names_ == ["small", "middle", "large"]
    assert by_name.dims_.tolist() == DIMS
    assert by_name.prefix_lengths_.tolist() == DIMS
    np.testing.assert_array_equal(
        by_name.transform(named(X)), ReverseDistiller(DIMS).fit_transform(X)
    )


def test_widths_of_esm2_are_recognised():
    distiller = ReverseDistiller(n_components="8M")
    with pytest.warns(UserWarning, match="160 new columns"):
        distiller.fit(np.hstack([np.eye(1, 320).repeat(9, axis=0), np.zeros((9, 480))]))
    assert distiller.model_names_ == ["esm2_t6_8M_UR50D", "esm2_t12_35M_UR50D"]
    assert distiller.transform(np.zeros((1, 800))).shape == (1, 320)
    assert distiller.set_params(n_components="esm2_t12_35M_UR50D").transform(
        np.zeros((1, 800))
    ).shape == (1, 480)


def test_names_of_new_columns_say_their_model(X):
    distiller = ReverseDistiller().fit(named(X))
    names = distiller.get_feature_names_out()
    assert names[[0, 3, 4, 6, 7, 11]].tolist() == [
        "small_0", "small_3", "middle_residual_0", "middle_residual_2",
        "large_residual_0", "large_residual_4",
    ]  # fmt: skip
    assert distiller.set_params(n_components="middle").get_feature_names_out().size == 7


def test_pandas_output_has_those_names(X):
    X = named(X).set_index(np.arange(300) + 7)
    A = ReverseDistiller(n_components=5).set_output(transform="pandas").fit_transform(X)
    assert A.columns.tolist() == ["small_0", "small_1", "small_2", "small_3", "middle_residual_0"]
    assert A.index.equals(X.index)


@pytest.mark.parametrize(
    ("make", "method"),
    [
        (ReverseDistiller, "fit"),
        (ReverseDistiller, "partial_fit"),
        (ReverseDistiller, "fit_moments"),
        (NaiveChain, "fit"),
        (NaiveChain, "fit_moments"),
    ],
)
def test_a_sum_of_widths_that_is_no_whole_chain_is_doubted_once(rng, make, method):
    X = rng.normal(size=(1000, 208))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = getattr(make(), method)(Moments.of(X) if method == "fit_moments" else X)
        fitted.transform(X)
    said = [each for each in caught if "whose widths add up to as many" in str(each.message)]
    assert len(said) == 1
    assert said[0].filename == __file__
    assert fitted.dims_.tolist() == [48, 160]


def test_names_of_unnamed_columns():
    distiller = ReverseDistiller([1, 2]).fit(np.random.default_rng(0).normal(size=(9, 3)))
    assert distiller.get_feature_names_out().tolist() == ["block0_0", "block1_residual_0"]


def test_an_unnamed_fit_takes_the_embedders_names_without_a_warning(X):
    distiller = ReverseDistiller().fit(named(X))
    del distiller.feature_names_in_
    np.testing.assert_array_equal(distiller.transform(named(X)), distiller.transform(X))
    other = named(X, models=("small", "large", "middle"))
    with pytest.raises(ValueError, match=r"small, large, middle, but .* small, middle, large"):
        distiller.transform(other)


@pytest.mark.parametrize(
    ("n_new", "width", "lengths"),
    [
        (None, 12, [4, 7, 12]),
        ("all", 23, [4, 11, 23]),
        ([2, 5], 11, [4, 6, 11]),
        ([0, 1], 5, [4, 4, 5]),
    ],
)
def test_number_of_new_columns(n_new, width, lengths, X):
    distiller = ReverseDistiller(DIMS, n_new=n_new).fit(X)
    assert distiller.transform(X).shape == (300, width)
    assert distiller.prefix_lengths_.tolist() == lengths


def test_equal_widths_work_where_n_new_says_how_many(rng, embeddings):
    X = embeddings(rng, dims=[5, 5])
    assert ReverseDistiller([5, 5], n_new=[3]).fit_transform(X).shape == (300, 8)


# ----------------------------------------------------------------- reconstruction


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_all_new_columns_make_the_map_invertible(regressor, X):
    distiller = ReverseDistiller(DIMS, n_new="all", regressor=regressor).fit(X)
    np.testing.assert_allclose(
        distiller.inverse_transform(distiller.transform(X)), X, rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(("length", "start"), [(4, 0), (7, 4), (12, 11)])
def test_reconstruction_of_a_prefixs_model_and_larger_ones_is_least_squares(length, start, X):
    distiller = ReverseDistiller(DIMS, regressor="ols").fit(X)
    prefix = distiller.transform(X)[:, :length]
    design = np.column_stack([np.ones(300), prefix])
    expected = design @ linalg.lstsq(design, X[:, start:])[0]
    reconstructed = distiller.inverse_transform(prefix)[:, start:]
    np.testing.assert_allclose(reconstructed, expected, rtol=0, atol=1e-9)


def test_score_is_the_share_of_variance_reconstructed(X):
    distiller = ReverseDistiller(DIMS, n_new="all", regressor="ols").fit(X)
    assert distiller.score(X) == pytest.approx(1.0)
    scores = [distiller.set_params(n_components=k).score(X) for k in (4, 7, 11, 15, 23)]
    assert scores == sorted(scores)
    error = distiller.set_params(n_components=7).inverse_transform(distiller.transform(X)) - X
    expected = 1 - (error**2).sum() / ((X - X.mean(axis=0)) ** 2).sum()
    assert distiller.score(X) == pytest.approx(expected)


@pytest.mark.parametrize("n_new", [None, "all", [2, 5], [3, 0]])
def test_truncated_copy_is_the_chain_up_to_that_model(n_new, X):
    distiller = ReverseDistiller(n_new=n_new, n_components="middle").fit(named(X))
    nested = distiller.transform(named(X))
    shorter = distiller.truncate("middle")
    assert shorter.model_names_ == ["small", "middle"]
    np.testing.assert_array_equal(shorter.transform(named(X).iloc[:, :11]), nested)
    shorter.fit_moments(shorter.moments_)
    np.testing.assert_array_equal(shorter.transform(X[:, :11]), nested)
    assert distiller.n_features_in_ == 23
    with pytest.raises(ValueError, match="'huge' is not a model of the chain"):
        distiller.truncate("huge")


# ----------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dims": [4, 7]}, r"dims=\[4, 7\] add up to 11 columns, but X has 23"),
        ({"dims": [12, 7, 4]}, "block1 is 7 columns wide and follows block0 with 12; order"),
        ({"dims": [4, 7, 12, 0]}, r"dims=\[4, 7, 12, 0\] hold a width below 1"),
        ({"n_components": 13}, "n_components=13 is not between 1 and 12"),
        ({"n_components": "3B"}, "'3B' is not a model of the chain; choose one of block0, block1"),
        ({"n_new": [3]}, "n_new has 1 entries for a chain of 3 models; give 2"),
        ({"n_new": [3, 13]}, "13 new columns of block2, which is 12 wide; give a number from 0"),
        ({"n_new": "most"}, "'n_new' parameter of ReverseDistiller must be"),
        ({"regressor": "lasso"}, "'regressor' parameter of ReverseDistiller must be"),
        ({"alpha": -1.0}, "'alpha' parameter of ReverseDistiller must be"),
        ({"n_components": 0}, "'n_components' parameter of ReverseDistiller must be"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_and_nothing_changes(parameters, message, X, state):
    distiller = ReverseDistiller(DIMS).fit(X)
    before = state(distiller)
    distiller.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        distiller.fit(X)
    np.testing.assert_equal(
        before | {k: np.array(v) for k, v in parameters.items()}, state(distiller)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_and_nothing_changes(value, X, state):
    distiller = ReverseDistiller(DIMS).fit(X)
    before = state(distiller)
    bad = X.copy()
    bad[3, 5] = value
    for call in (distiller.fit, distiller.transform):
        with pytest.raises(ValueError, match=r"X has (NaN|infinity) in row 3, column 5 "):
            call(bad)
    np.testing.assert_equal(before, state(distiller))


@pytest.mark.parametrize("regressor", ["ridge", LinearRegression()])
def test_columns_of_mixed_names_are_refused_and_nothing_changes(regressor, X):
    distiller = ReverseDistiller(DIMS, regressor=regressor).fit(X)
    nested = distiller.transform(X)
    mixed = pd.DataFrame(X, columns=[*(f"column{i}" for i in range(22)), 22])
    with pytest.raises(TypeError, match="only supported if all input features have string names"):
        distiller.fit(mixed)
    np.testing.assert_array_equal(distiller.transform(X), nested)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(300), "zero for all rows"),
        (-np.ones(300), "none below 0"),
        (np.ones(3), "must be 300 finite numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_bad_weights_are_refused_and_nothing_changes(weights, message, X, state):
    distiller = ReverseDistiller(DIMS).fit(X)
    before = state(distiller)
    for method in (distiller.fit, distiller.partial_fit, distiller.score):
        with pytest.raises(ValueError, match=message):
            method(X, sample_weight=weights)
    np.testing.assert_equal(before, state(distiller))


def test_wrong_widths_are_refused_when_transforming(X):
    distiller = ReverseDistiller(DIMS).fit(X)
    with pytest.raises(ValueError, match=r"22 features.*expecting 23"):
        distiller.transform(np.zeros((2, 22)))
    with pytest.raises(ValueError, match="X has 13 columns, but the nested embedding has 12"):
        distiller.inverse_transform(np.zeros((2, 13)))


def test_mixed_up_columns_are_refused_when_transforming(X):
    X = named(X)
    distiller = ReverseDistiller().fit(X)
    with pytest.raises(ValueError, match="feature names should match"):
        distiller.transform(X[X.columns[::-1]])


def test_clone_forgets_the_fit(X):
    distiller = ReverseDistiller(DIMS, n_new="all").fit(X)
    assert vars(clone(distiller)) == vars(ReverseDistiller(DIMS, n_new="all"))


# ----------------------------------------------------------------- names decide


@pytest.mark.parametrize("read", [False, True], ids=["fitted", "read from a file"])
@pytest.mark.parametrize("method", ["transform", "score", "partial_fit"])
def test_columns_in_another_order_are_refused(method, read, X, tmp_path):
    frame = named(X)
    distiller = ReverseDistiller().fit(frame)
    if read:
        distiller.save_pretrained(tmp_path / "distiller.safetensors")
        distiller = ReverseDistiller.from_pretrained(tmp_path / "distiller.safetensors")
        if method == "partial_fit":
            return  # which a distiller from a file has not
    other = frame.sort_index(axis=1)[frame.columns[::-1]]
    with pytest.raises(ValueError, match="order"):
        getattr(distiller, method)(other)
    swapped = frame[[*frame.columns[4:], *frame.columns[:4]]]
    with pytest.raises(ValueError, match=r"order|are of middle, large, small"):
        getattr(distiller, method)(swapped)


def test_a_fit_on_sorted_columns_is_refused(X):
    with pytest.raises(ValueError, match="put them in the order of the embedder's"):
        ReverseDistiller(n_components="small").fit(named(X).iloc[:, ::-1])


def test_nested_columns_in_another_order_are_not_reconstructed_from(X):
    distiller = ReverseDistiller(n_components="middle").fit(named(X))
    distiller.set_output(transform="pandas")
    A = distiller.transform(named(X))
    H = distiller.inverse_transform(A)
    np.testing.assert_array_equal(H, distiller.inverse_transform(A.to_numpy()))
    for other in (A.iloc[:, ::-1], A.iloc[:, 1:]):
        with pytest.raises(ValueError, match="not its first ones in their order"):
            distiller.inverse_transform(other)
    other_names = A.set_axis([f"pc{i}" for i in range(7)], axis=1)
    np.testing.assert_array_equal(distiller.inverse_transform(other_names), H)
