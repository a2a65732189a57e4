import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import linalg
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklearn_revdist._reverse_distiller as module
from sklearn_revdist import Moments, ReverseDistiller

DIMS = [4, 7, 12]
REGRESSORS = ["ols", "ridge", "pcr"]


def embeddings(rng, n_samples=300, dims=DIMS):
    latent = rng.normal(size=(n_samples, max(dims)))
    X = np.hstack([latent @ rng.normal(size=(max(dims), d)) for d in dims])
    return X + 0.3 * rng.normal(size=X.shape) + 10 * rng.normal(size=X.shape[1])


def named(X, dims=DIMS, models=("small", "middle", "large")):
    columns = [f"{m}_{i}" for m, d in zip(models, dims, strict=True) for i in range(d)]
    return pd.DataFrame(X, columns=columns)


def state(distiller):
    """Everything the estimator holds, as arrays."""
    held = vars(distiller).copy()
    for name, value in vars(held.pop("moments_", None) or Moments.zeros(0)).items():
        held[f"moments_.{name}"] = value
    for i, value in enumerate(held.pop("_from_prefix", [])):
        held[f"_from_prefix.{i}"] = value
    return {name: np.array(value) for name, value in held.items()}


def assert_same_state(left, right):
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


@parametrize_with_checks([ReverseDistiller(regressor=regressor) for regressor in REGRESSORS])
@pytest.mark.filterwarnings("ignore:The .* columns of X are neither:UserWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# ----------------------------------------------------------------- the nested embedding


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("regressor", REGRESSORS)
def test_first_columns_are_the_first_model_bit_for_bit(regressor, dtype, rng):
    X = embeddings(rng).astype(dtype)
    A = ReverseDistiller(DIMS, regressor=regressor).fit_transform(X)
    assert A.dtype == dtype
    assert A.shape == (300, 12)
    np.testing.assert_array_equal(A[:, :4], X[:, :4])


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_every_prefix_is_the_same_bits(regressor, rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS, regressor=regressor).fit(X)
    A = distiller.transform(X)
    for n_components in range(1, 13):
        distiller.set_params(n_components=n_components)
        np.testing.assert_array_equal(distiller.transform(X), A[:, :n_components])


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_a_shorter_chain_gives_the_longer_ones_prefix(regressor, rng):
    X = embeddings(rng)
    longer = ReverseDistiller(DIMS, regressor=regressor).fit_transform(X)
    shorter = ReverseDistiller(DIMS[:2], regressor=regressor).fit_transform(X[:, :11])
    np.testing.assert_allclose(shorter, longer[:, :7], rtol=0, atol=1e-10)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_pooling_commutes(regressor, rng):
    """Distilling the mean of a protein's residues is the mean of its distilled residues."""
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS, regressor=regressor).fit(X)
    protein = rng.integers(0, 20, size=300)
    pool = np.eye(20)[protein].T / np.bincount(protein)[:, np.newaxis]
    np.testing.assert_allclose(
        distiller.transform(pool @ X), pool @ distiller.transform(X), rtol=0, atol=1e-10
    )


def test_least_squares_on_float32_is_uncorrelated_to_its_precision(rng):
    X = embeddings(rng).astype(np.float32)
    A = ReverseDistiller(DIMS, regressor="ols").fit_transform(X)
    correlation = np.corrcoef(A.astype(np.float64), rowvar=False)
    assert np.abs(correlation[:4, 4:]).max() <= 1e-5
    assert np.abs(correlation[4:7, 7:]).max() <= 1e-5


def test_a_column_with_a_mean_of_ten_thousand_sigma_agrees_with_the_svd(rng):
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
def test_two_fits_are_bit_identical(regressor, rng):
    X, weights = embeddings(rng), rng.random(300)
    fits = [ReverseDistiller(DIMS, regressor=regressor).fit(X, None, weights) for _ in range(2)]
    assert_same_state(state(fits[0]), state(fits[1]))
    assert_same_state(state(fits[0]), state(fits[0].fit(X, None, weights)))


def test_the_layout_in_memory_does_not_matter(rng):
    X = embeddings(rng)
    left, right = (ReverseDistiller(DIMS).fit(np.array(X, order=order)) for order in "CF")
    assert_same_state(state(left), state(right))


def test_weights_count_rows(rng):
    X, counts = embeddings(rng), rng.integers(0, 4, size=300)
    weighted = ReverseDistiller(DIMS).fit(X, sample_weight=counts)
    repeated = ReverseDistiller(DIMS).fit(np.repeat(X, counts, axis=0))
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), rtol=0, atol=1e-8)


# ----------------------------------------------------------------- rows in pieces


@pytest.mark.parametrize("regressor", REGRESSORS)
@pytest.mark.parametrize("batch_size", [1, 37, 299])
def test_batches_in_any_order_give_the_fit_of_all_rows(batch_size, regressor, rng):
    X, weights = embeddings(rng), rng.random(300)
    at_once = ReverseDistiller(DIMS, regressor=regressor).fit(X, sample_weight=weights)
    batched = ReverseDistiller(DIMS, regressor=regressor)
    order = rng.permutation(300)
    for start in range(0, 300, batch_size):
        rows = order[start : start + batch_size]
        batched.partial_fit(X[rows], sample_weight=weights[rows])
    np.testing.assert_allclose(batched.transform(X), at_once.transform(X), rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        batched.inverse_transform(X[:, :4]), at_once.inverse_transform(X[:, :4]), atol=1e-10
    )


def test_rows_can_be_added_to_a_fit(rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS).fit(X[:200])
    before = distiller.transform(X)
    distiller.partial_fit(X[200:])
    at_once = ReverseDistiller(DIMS).fit(X)
    np.testing.assert_allclose(distiller.transform(X), at_once.transform(X), rtol=0, atol=1e-10)
    assert np.abs(distiller.transform(X) - before).max() > 1e-6


def test_the_chain_is_solved_once_after_all_batches(rng, monkeypatch):
    X, solved = embeddings(rng), []
    solve_chain = module.solve_chain
    monkeypatch.setattr(
        module, "solve_chain", lambda *args, **kw: solved.append(1) or solve_chain(*args, **kw)
    )
    distiller = ReverseDistiller(DIMS)
    for batch in np.split(X, 10):
        distiller.partial_fit(batch)
    assert solved == []
    distiller.transform(X)
    distiller.inverse_transform(distiller.transform(X))
    assert distiller.r2_.shape == (2,)
    assert solved == [1]


def test_fits_made_apart_merge(rng):
    X = embeddings(rng)
    parts = [ReverseDistiller(DIMS).fit(part).moments_ for part in (X[:30], X[30:120], X[120:])]
    merged = ReverseDistiller(DIMS).fit_moments(parts[2] + parts[0] + parts[1])
    at_once = ReverseDistiller(DIMS).fit(X)
    np.testing.assert_allclose(merged.transform(X), at_once.transform(X), rtol=0, atol=1e-10)


def projectors(distiller):
    """For each level the projector on the directions of its new columns."""
    stops = np.cumsum(distiller.dims_)
    for start, stop, own, end in zip(
        distiller.prefix_lengths_[:-1],
        distiller.prefix_lengths_[1:],
        stops[:-1],
        stops[1:],
        strict=True,
    ):
        basis = distiller.components_[start:stop, own:end]
        yield basis.T @ basis


@pytest.mark.parametrize("seed", range(500))
def test_random_splits_merged_in_random_order_are_the_fit_at_once(seed):
    """Predictions and projectors agree to 1e-10, weights included, for every regressor."""
    rng = np.random.default_rng(seed)
    dims = np.cumsum(rng.integers(1, 8, size=rng.integers(2, 5))).tolist()
    n_samples = int(rng.integers(sum(dims) * 2, 400))
    X = embeddings(rng, n_samples, dims)
    weights = rng.random(n_samples) if seed % 2 else None
    parameters = {"dims": dims, "regressor": REGRESSORS[seed % 3]}
    at_once = ReverseDistiller(**parameters).fit(X, sample_weight=weights)

    cuts = np.sort(rng.integers(0, n_samples, size=rng.integers(1, 9)))
    parts = [rows for rows in np.split(rng.permutation(n_samples), cuts) if len(rows)]
    moments = [
        ReverseDistiller(**parameters)
        .partial_fit(X[rows], sample_weight=None if weights is None else weights[rows])
        .moments_
        for rows in parts
    ]
    while len(moments) > 1:
        left, right = (moments.pop(rng.integers(len(moments))) for _ in range(2))
        moments.append(left + right)
    merged = ReverseDistiller(**parameters).fit_moments(moments[0])

    for ours, theirs in zip(projectors(merged), projectors(at_once), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    scale = X.std(axis=0)
    np.testing.assert_allclose(
        merged.inverse_transform(X[:, : dims[0]]) / scale,
        at_once.inverse_transform(X[:, : dims[0]]) / scale,
        rtol=1e-10,
        atol=1e-10,
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"regressor": "ols"},
        {"regressor": "pcr"},
        {"alpha": 3.0},
        {"n_new": "all"},
        {"n_new": [1, 2]},
    ],
)
def test_kept_moments_serve_other_parameters_as_the_data_would(parameters, rng):
    X = embeddings(rng)
    moments = ReverseDistiller(DIMS).fit(X).moments_
    again = ReverseDistiller(DIMS, **parameters).fit_moments(moments)
    assert_same_state(state(again), state(ReverseDistiller(DIMS, **parameters).fit(X)))


def test_leading_moments_serve_a_shorter_chain_bit_for_bit(rng):
    X = embeddings(rng)
    longer = ReverseDistiller(DIMS).fit(X)
    shorter = ReverseDistiller(DIMS[:2]).fit_moments(longer.moments_.leading(11))
    np.testing.assert_array_equal(shorter.transform(X[:, :11]), longer.transform(X)[:, :7])


def test_rows_cannot_be_added_to_a_distiller_from_a_file(rng, tmp_path):
    X = embeddings(rng)
    ReverseDistiller(DIMS).fit(X).save_pretrained(tmp_path / "a.safetensors")
    distiller = ReverseDistiller.from_pretrained(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="read from a file, which keeps no moments"):
        distiller.partial_fit(X)


def test_parameters_set_between_the_batches_and_the_solution_are_checked(rng):
    distiller = ReverseDistiller(DIMS).partial_fit(embeddings(rng)).set_params(regressor="lasso")
    with pytest.raises(ValueError, match="'regressor' parameter of ReverseDistiller must be"):
        distiller.transform(np.zeros((1, 23)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((2, 23), np.nan), "contains NaN"),
        (np.zeros((2, 22)), r"22 features.*expecting 23"),
    ],
)
def test_a_failed_batch_changes_nothing(X, message, rng):
    distiller = ReverseDistiller(DIMS).partial_fit(embeddings(rng))
    before = state(distiller)
    with pytest.raises(ValueError, match=message):
        distiller.partial_fit(X)
    assert_same_state(before, state(distiller))


@pytest.mark.parametrize("regressor", ["ols", "ridge"])
def test_few_rows_and_many_columns(regressor, rng):
    """In the space of the rows, as through the full second moment."""
    X = embeddings(rng, n_samples=40, dims=[30, 50, 90])
    distiller = ReverseDistiller([30, 50, 90], n_new=[3, 2], regressor=regressor).fit(X)
    assert distiller.moments_.root.shape == (40, 170)
    root = distiller.moments_.root
    full = Moments(40.0, distiller.moments_.mean, scatter=root.T @ root)
    other = ReverseDistiller([30, 50, 90], n_new=[3, 2], regressor=regressor).fit_moments(full)
    np.testing.assert_allclose(other.transform(X), distiller.transform(X), rtol=0, atol=1e-7)


# ----------------------------------------------------------------- widths and names


def test_widths_come_from_the_columns_names(rng):
    X = embeddings(rng)
    by_name = ReverseDistiller().fit(named(X))
    assert by_name.model_names_ == ["small", "middle", "large"]
    assert by_name.dims_.tolist() == DIMS
    assert by_name.prefix_lengths_.tolist() == DIMS
    np.testing.assert_array_equal(
        by_name.transform(named(X)), ReverseDistiller(DIMS).fit_transform(X)
    )


def test_widths_of_esm2_are_recognised(rng):
    distiller = ReverseDistiller(n_components="8M")
    with pytest.warns(UserWarning, match="160 new columns"):
        distiller.fit(np.hstack([np.eye(1, 320).repeat(9, axis=0), np.zeros((9, 480))]))
    assert distiller.model_names_ == ["esm2_t6_8M_UR50D", "esm2_t12_35M_UR50D"]
    assert distiller.transform(np.zeros((1, 800))).shape == (1, 320)
    assert distiller.set_params(n_components="esm2_t12_35M_UR50D").transform(
        np.zeros((1, 800))
    ).shape == (1, 480)


def test_names_of_new_columns_say_their_model(rng):
    distiller = ReverseDistiller().fit(named(embeddings(rng)))
    names = distiller.get_feature_names_out()
    assert names[[0, 3, 4, 6, 7, 11]].tolist() == [
        "small_0", "small_3", "middle_residual_0", "middle_residual_2",
        "large_residual_0", "large_residual_4",
    ]  # fmt: skip
    assert distiller.set_params(n_components="middle").get_feature_names_out().size == 7


def test_pandas_output_has_those_names(rng):
    X = named(embeddings(rng)).set_index(np.arange(300) + 7)
    A = ReverseDistiller(n_components=5).set_output(transform="pandas").fit_transform(X)
    assert A.columns.tolist() == ["small_0", "small_1", "small_2", "small_3", "middle_residual_0"]
    assert A.index.equals(X.index)


def test_names_of_unnamed_columns():
    distiller = ReverseDistiller([1, 2]).fit(np.random.default_rng(0).normal(size=(9, 3)))
    assert distiller.get_feature_names_out().tolist() == ["block0_0", "block1_residual_0"]


def test_an_unnamed_fit_takes_the_embedders_names_without_a_warning(rng):
    X = embeddings(rng)
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
def test_number_of_new_columns(n_new, width, lengths, rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS, n_new=n_new).fit(X)
    assert distiller.transform(X).shape == (300, width)
    assert distiller.prefix_lengths_.tolist() == lengths


def test_equal_widths_work_where_n_new_says_how_many(rng):
    X = embeddings(rng, dims=[5, 5])
    assert ReverseDistiller([5, 5], n_new=[3]).fit_transform(X).shape == (300, 8)


# ----------------------------------------------------------------- reconstruction


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_all_new_columns_make_the_map_invertible(regressor, rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS, n_new="all", regressor=regressor).fit(X)
    np.testing.assert_allclose(
        distiller.inverse_transform(distiller.transform(X)), X, rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(("length", "start"), [(4, 0), (7, 4), (12, 11)])
def test_reconstruction_of_a_prefixs_model_and_larger_ones_is_least_squares(length, start, rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS, regressor="ols").fit(X)
    prefix = distiller.transform(X)[:, :length]
    design = np.column_stack([np.ones(300), prefix])
    expected = design @ linalg.lstsq(design, X[:, start:])[0]
    reconstructed = distiller.inverse_transform(prefix)[:, start:]
    np.testing.assert_allclose(reconstructed, expected, rtol=0, atol=1e-9)


def test_score_is_the_share_of_variance_reconstructed(rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS, n_new="all", regressor="ols").fit(X)
    assert distiller.score(X) == pytest.approx(1.0)
    scores = [distiller.set_params(n_components=k).score(X) for k in (4, 7, 11, 15, 23)]
    assert scores == sorted(scores)
    error = distiller.set_params(n_components=7).inverse_transform(distiller.transform(X)) - X
    expected = 1 - (error**2).sum() / ((X - X.mean(axis=0)) ** 2).sum()
    assert distiller.score(X) == pytest.approx(expected)


@pytest.mark.parametrize("n_new", [None, "all", [2, 5], [3, 0]])
def test_truncated_copy_is_the_chain_up_to_that_model(n_new, rng):
    X = embeddings(rng)
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


# ----------------------------------------------------------------- in scikit-learn


def test_prefix_search_in_a_pipeline(rng):
    X = embeddings(rng)
    y = X @ rng.normal(size=23)
    pipeline = make_pipeline(ReverseDistiller(DIMS), Ridge())
    search = GridSearchCV(pipeline, {"reversedistiller__n_components": [4, 7, 12]}, cv=3)
    search.fit(X, y)
    assert search.best_params_ == {"reversedistiller__n_components": 12}
    assert np.isfinite(cross_val_score(pipeline, X, y)).all()


def test_memory_solves_once_for_each_training_set(rng, tmp_path, monkeypatch):
    solved = []
    solve_chain = module.solve_chain

    def counted(moments, *args, **kwargs):
        solved.append(moments.weight)
        return solve_chain(moments, *args, **kwargs)

    monkeypatch.setattr(module, "solve_chain", counted)
    X = embeddings(rng)
    pipeline = make_pipeline(ReverseDistiller(DIMS, memory=str(tmp_path)), Ridge())
    grid = {"reversedistiller__n_components": list(range(1, 13))}
    GridSearchCV(pipeline, grid, cv=3).fit(X, X[:, 0])
    assert sorted(solved) == [200, 200, 200, 300]


def test_the_cached_chain_is_the_computed_one(rng, tmp_path):
    X = embeddings(rng)
    cached = [ReverseDistiller(DIMS, memory=str(tmp_path)).fit(X) for _ in range(2)]
    plain = ReverseDistiller(DIMS).fit(X)
    for distiller in cached:
        np.testing.assert_array_equal(distiller.components_, plain.components_)


def test_frozen_in_a_pipeline_it_is_not_refitted(rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS).fit(X)
    before = state(distiller)
    make_pipeline(FrozenEstimator(distiller), Ridge()).fit(X[:50], X[:50, 0])
    assert_same_state(before, state(distiller))


def test_joblib_round_trip(rng, tmp_path):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS).fit(X)
    joblib.dump(distiller, tmp_path / "distiller.joblib")
    other = joblib.load(tmp_path / "distiller.joblib")
    np.testing.assert_array_equal(other.transform(X), distiller.transform(X))


def test_fitting_on_residues_equals_fitting_on_their_rows(rng):
    class Embedder:
        """Residue rows in uneven blocks, as ESMEmbedder yields them."""

        def get_feature_names_out(self):
            return named(X).columns.to_numpy()

        def iter_residues(self, sequences):
            for start, stop in ((0, 1), (1, 120), (120, 300)):
                yield X[start:stop].astype(np.float32), np.arange(start, stop)

    X = embeddings(rng)
    streamed = ReverseDistiller(regressor="ols").fit_residues(["A"] * 300, Embedder())
    at_once = ReverseDistiller(DIMS, regressor="ols").fit(X.astype(np.float32))
    np.testing.assert_allclose(streamed.components_, at_once.components_, rtol=0, atol=1e-10)
    assert streamed.model_names_ == ["small", "middle", "large"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        streamed.transform(X)
        streamed.transform(named(X))


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
def test_parameters_that_do_not_fit_are_refused_and_nothing_changes(parameters, message, rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS).fit(X)
    before = state(distiller)
    distiller.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        distiller.fit(X)
    assert_same_state(before | {k: np.array(v) for k, v in parameters.items()}, state(distiller))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_and_nothing_changes(value, rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS).fit(X)
    before = state(distiller)
    bad = X.copy()
    bad[3, 5] = value
    for call in (distiller.fit, distiller.transform):
        with pytest.raises(ValueError, match=r"Input .*contains (NaN|infinity)"):
            call(bad)
    assert_same_state(before, state(distiller))


@pytest.mark.parametrize("regressor", ["ridge", LinearRegression()])
def test_columns_of_mixed_names_are_refused_and_nothing_changes(regressor, rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS, regressor=regressor).fit(X)
    nested = distiller.transform(X)
    mixed = pd.DataFrame(X, columns=[*(f"column{i}" for i in range(22)), 22])
    with pytest.raises(TypeError, match="only supported if all input features have string names"):
        distiller.fit(mixed)
    np.testing.assert_array_equal(distiller.transform(X), nested)


@pytest.mark.parametrize(
    ("weights", "message"),
    [(np.zeros(300), "zero for all rows"), (-np.ones(300), "[Nn]egative"), (np.ones(3), "shape")],
)
@pytest.mark.filterwarnings("ignore")
def test_bad_weights_are_refused_and_nothing_changes(weights, message, rng):
    X = embeddings(rng)
    distiller = ReverseDistiller(DIMS).fit(X)
    before = state(distiller)
    with pytest.raises(ValueError, match=message):
        distiller.fit(X, sample_weight=weights)
    assert_same_state(before, state(distiller))


def test_wrong_widths_are_refused_when_transforming(rng):
    distiller = ReverseDistiller(DIMS).fit(embeddings(rng))
    with pytest.raises(ValueError, match=r"22 features.*expecting 23"):
        distiller.transform(np.zeros((2, 22)))
    with pytest.raises(ValueError, match="X has 13 columns, but the nested embedding has 12"):
        distiller.inverse_transform(np.zeros((2, 13)))


def test_mixed_up_columns_are_refused_when_transforming(rng):
    X = named(embeddings(rng))
    distiller = ReverseDistiller().fit(X)
    with pytest.raises(ValueError, match="feature names should match"):
        distiller.transform(X[X.columns[::-1]])


def test_clone_forgets_the_fit(rng):
    distiller = ReverseDistiller(DIMS, n_new="all").fit(embeddings(rng))
    assert vars(clone(distiller)) == vars(ReverseDistiller(DIMS, n_new="all"))
