"""The chain with any regressor: the prefix holds, and linear ones give the linear chain."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from sklearn_revdist import ReverseDistiller

DIMS = [4, 7, 12]


@pytest.fixture
def X(rng):
    """Larger models that are no linear functions of smaller ones."""
    latent = rng.normal(size=(400, 12))
    blocks = [np.tanh(latent @ rng.normal(size=(12, d)) / 3) for d in DIMS]
    return np.hstack(blocks) + 0.01 * rng.normal(size=(400, 23)) + 5


def kernel_ridge():
    return make_pipeline(Nystroem(gamma=0.1, n_components=60, random_state=0), Ridge(1e-3))


@pytest.mark.parametrize(
    ("regressor", "parameters"),
    [(LinearRegression(), {"regressor": "ols"}), (Ridge(3.0), {"alpha": 3.0})],
)
@pytest.mark.filterwarnings("ignore:The chain is fitted on 18 rows")
@pytest.mark.parametrize("n_samples", [18, 400])
def test_a_linear_regressor_gives_the_linear_chain(regressor, parameters, n_samples, X):
    n_new = [1, 1] if n_samples == 18 else None
    rows = ReverseDistiller(DIMS, regressor=regressor, n_new=n_new).fit(X[:n_samples])
    linear = ReverseDistiller(DIMS, n_new=n_new, **parameters).fit(X[:n_samples])
    np.testing.assert_allclose(rows.transform(X), linear.transform(X), rtol=0, atol=1e-9)
    np.testing.assert_allclose(rows.r2_, linear.r2_, atol=1e-9)
    np.testing.assert_allclose(
        rows.explained_variance_ratio_, linear.explained_variance_ratio_, atol=1e-9
    )
    if n_samples == 400:  # the built-in ridge counts what few rows support
        np.testing.assert_array_equal(rows.ranks_, linear.ranks_)
    nested = linear.transform(X)
    for n_components in (3, 7, nested.shape[1]):
        np.testing.assert_allclose(
            rows.inverse_transform(nested[:, :n_components]),
            linear.inverse_transform(nested[:, :n_components]),
            rtol=0,
            atol=1e-8,
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_prefix_is_the_smaller_model_and_chain_bit_for_bit(dtype, X):
    X = X.astype(dtype)
    distiller = ReverseDistiller(DIMS, regressor=kernel_ridge()).fit(X)
    nested = distiller.transform(X)
    assert nested.dtype == dtype
    np.testing.assert_array_equal(nested[:, :4], X[:, :4])
    shorter = ReverseDistiller(DIMS[:2], regressor=kernel_ridge()).fit(X[:, :11])
    np.testing.assert_array_equal(nested[:, :7], shorter.transform(X[:, :11]))
    truncated = distiller.truncate("block1")
    np.testing.assert_array_equal(nested[:, :7], truncated.transform(X[:, :11]))
    distiller.n_components = 6
    np.testing.assert_array_equal(distiller.transform(X), nested[:, :6])
    assert distiller.get_feature_names_out().tolist()[-2:] == [
        "block1_residual_0",
        "block1_residual_1",
    ]


def test_a_nonlinear_regressor_predicts_more_of_nonlinear_models(X):
    linear = ReverseDistiller(DIMS, regressor="ols").fit(X)
    curved = ReverseDistiller(DIMS, regressor=kernel_ridge()).fit(X)
    assert (curved.r2_ > linear.r2_).all()


def test_all_new_columns_reconstruct_every_model(X):
    distiller = ReverseDistiller(DIMS, regressor=kernel_ridge(), n_new="all").fit(X)
    back = distiller.inverse_transform(distiller.transform(X))
    np.testing.assert_allclose(back, X, rtol=0, atol=1e-10)
    assert distiller.score(X) == pytest.approx(1.0)


def test_weights_count_rows(X, rng):
    counts = rng.integers(0, 3, size=400)
    weighted = ReverseDistiller(DIMS, regressor=Ridge()).fit(X, sample_weight=counts)
    repeated = ReverseDistiller(DIMS, regressor=Ridge()).fit(np.repeat(X, counts, axis=0))
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), rtol=0, atol=1e-9)


def test_weights_that_the_regressor_does_not_take_are_refused(X):
    with pytest.raises(ValueError, match="KNeighborsRegressor does not take sample_weight; leave"):
        ReverseDistiller(DIMS, regressor=KNeighborsRegressor()).fit(X, sample_weight=np.ones(400))


def test_a_regressor_that_interpolates_leaves_nothing(X):
    distiller = ReverseDistiller(DIMS, regressor=KNeighborsRegressor(1))
    with pytest.warns(UserWarning, match="8 new columns lie beyond the numerical rank"):
        distiller.fit(X)
    assert distiller.ranks_.tolist() == [0, 0]
    assert not distiller.transform(X)[:, 4:].any()


def test_one_wide_models_and_regressors_with_one_dimensional_output(X):
    distiller = ReverseDistiller(
        [3, 1], n_new=[1], regressor=RandomForestRegressor(5, random_state=0)
    )
    X = X[:, :4]
    with pytest.warns(UserWarning, match="A column-vector y was passed"):
        distiller.fit(X)
    assert distiller.transform(X).shape == (400, 4)


def test_parameters_of_the_regressor_are_the_distillers(X):
    distiller = ReverseDistiller(DIMS, regressor=Ridge(1.0)).set_params(regressor__alpha=9.0)
    assert [fitted.alpha for fitted in distiller.fit(X).regressors_] == [9.0, 9.0]


def test_joblib_round_trip_and_cache(X, tmp_path):
    distiller = ReverseDistiller(DIMS, regressor=Ridge(), memory=str(tmp_path / "cache")).fit(X)
    joblib.dump(distiller, tmp_path / "distiller")
    other = joblib.load(tmp_path / "distiller")
    np.testing.assert_array_equal(other.transform(X), distiller.transform(X))
    again = ReverseDistiller(DIMS, regressor=Ridge(), memory=str(tmp_path / "cache")).fit(X)
    np.testing.assert_array_equal(again.transform(X), distiller.transform(X))


def test_tensors_come_back_as_tensors(X):
    distiller = ReverseDistiller(DIMS, regressor=Ridge()).fit(torch.from_numpy(X))
    nested = distiller.transform(torch.from_numpy(X))
    np.testing.assert_array_equal(nested.numpy(), distiller.transform(X))


@pytest.mark.parametrize(
    "call",
    [
        lambda distiller, X: distiller.partial_fit(X),
        lambda distiller, X: distiller.fit_moments(ReverseDistiller(DIMS).fit(X).moments_),
        lambda distiller, X: distiller.fit_residues(["MKTAYIAK"], None),
    ],
)
def test_what_needs_moments_is_refused(call, X):
    with pytest.raises(ValueError, match=r"regressor=Ridge\(\.\.\.\) needs all rows at once"):
        call(ReverseDistiller(DIMS, regressor=Ridge()), X)


def test_a_file_cannot_hold_it(X, tmp_path):
    distiller = ReverseDistiller(DIMS, regressor=Ridge()).fit(X)
    with pytest.raises(ValueError, match=r"regressor=Ridge\(\.\.\.\) is not an affine map"):
        distiller.save_pretrained(tmp_path / "distiller.safetensors")
    assert not list(tmp_path.iterdir())


def test_nothing_of_an_affine_fit_stays_and_the_other_way_round(X):
    distiller = ReverseDistiller(DIMS).fit(X).set_params(regressor=Ridge()).fit(X)
    for name in ("components_", "moments_", "alphas_"):
        assert not hasattr(distiller, name)
    distiller.set_params(regressor="ols").fit(X)
    assert not hasattr(distiller, "regressors_")
    expected = ReverseDistiller(DIMS, regressor="ols").fit(X).transform(X)
    np.testing.assert_array_equal(distiller.transform(X), expected)
