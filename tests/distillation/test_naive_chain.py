import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import Moments, NaiveChain, ReverseDistiller

DIMS = [4, 7, 12]


def embeddings(rng, n_samples=300, dims=DIMS):
    latent = rng.normal(size=(n_samples, max(dims))) * np.geomspace(3, 0.3, max(dims))
    X = np.hstack([latent @ rng.normal(size=(max(dims), d)) for d in dims])
    return X + 0.3 * rng.normal(size=X.shape) + 10 * rng.normal(size=X.shape[1])


def chained(X, dims):
    """The chain as it is defined: a PCA a step, of the rows themselves."""
    A, start = X[:, : dims[0]], dims[0]
    for width in dims[1:]:
        both = np.hstack([A, X[:, start : start + width]])
        A, start = PCA(width, svd_solver="full").fit_transform(both), start + width
    return A


def up_to_signs(A, B):
    return A * np.sign(np.sum(A * B, axis=0))


@parametrize_with_checks([NaiveChain()])
@pytest.mark.filterwarnings("ignore:The .* columns of X are neither:UserWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_samples", [300, 23, 15])
def test_equals_a_pca_a_step(n_samples, rng):
    X = embeddings(rng, n_samples)
    A = NaiveChain(DIMS).fit_transform(X)
    expected = chained(X, DIMS)
    np.testing.assert_allclose(up_to_signs(A, expected), expected, rtol=0, atol=1e-9)


def test_few_and_many_rows_are_the_same_chain(rng):
    X = embeddings(rng, 23)
    moments = Moments.of(X)
    square = Moments(moments.weight, moments.mean, scatter=moments.root.T @ moments.root)
    few, many = NaiveChain(DIMS).fit_moments(moments), NaiveChain(DIMS).fit_moments(square)
    np.testing.assert_allclose(few.components_, many.components_, rtol=0, atol=1e-9)


def test_it_is_one_affine_map(rng):
    X = embeddings(rng)
    chain = NaiveChain(DIMS).fit(X)
    affine = (X - chain.mean_) @ chain.components_.T + chain.offset_
    np.testing.assert_allclose(chain.transform(X), affine, rtol=0, atol=1e-10)
    np.testing.assert_allclose(chain.transform(X).mean(axis=0), 0, atol=1e-10)
    residues, protein = X[:40], X[:40].mean(axis=0, keepdims=True)
    pooled = chain.transform(residues).mean(axis=0, keepdims=True)
    np.testing.assert_allclose(chain.transform(protein), pooled, rtol=0, atol=1e-10)


def test_a_weight_counts_a_row_that_many_times(rng):
    X = embeddings(rng)
    weights = rng.integers(0, 4, size=len(X))
    weighted = NaiveChain(DIMS).fit(X, sample_weight=weights)
    repeated = NaiveChain(DIMS).fit(np.repeat(X, weights, axis=0))
    np.testing.assert_allclose(weighted.components_, repeated.components_, rtol=0, atol=1e-9)


def test_far_means_and_unlike_scales_change_nothing(rng):
    X = embeddings(rng, 2000)
    far = X + 1e4 * X.std(axis=0) * rng.normal(size=X.shape[1])
    A, expected = NaiveChain(DIMS).fit_transform(far), chained(X, DIMS)
    np.testing.assert_allclose(up_to_signs(A, expected), expected, rtol=0, atol=1e-6)
    scaled = X * np.geomspace(1e-2, 1e3, X.shape[1])
    A, expected = NaiveChain(DIMS).fit_transform(scaled), chained(scaled, DIMS)
    spread = expected.std(axis=0)
    np.testing.assert_allclose(up_to_signs(A, expected) / spread, expected / spread, atol=1e-6)


def test_single_precision_keeps_what_it_can(rng, reference):
    X = embeddings(rng)
    chain = NaiveChain(DIMS).fit(X + 1000)
    single = (X + 1000).astype(np.float32)
    A = chain.transform(single)
    assert A.dtype == np.float32
    exact = chain.transform(single.astype(float))
    reference(exact.astype(np.float32), exact).assert_matched(A)
    np.testing.assert_array_equal(chain.transform(torch.from_numpy(single)), A)


@pytest.mark.parametrize("n_samples", [300, 20])
def test_columns_beyond_the_rank_are_zero_with_a_warning(n_samples, rng):
    X = rng.normal(size=(n_samples, 3)) @ rng.normal(size=(3, 23)) + 5
    with pytest.warns(
        UserWarning, match=r"^13 principal .* zero \(4 of block1, 9 of block2\); fit"
    ):
        chain = NaiveChain(DIMS).fit(X)
    A = chain.transform(X)
    assert A.shape == (n_samples, 12)
    assert (A[:, 3:] == 0).all()
    np.testing.assert_allclose(chain.explained_variance_ratio_, 1)


def test_same_data_same_bits(rng):
    X = embeddings(rng)
    np.testing.assert_array_equal(
        NaiveChain(DIMS).fit(X).components_, NaiveChain(DIMS).fit(X.copy(order="F")).components_
    )


@pytest.mark.parametrize("n_samples", [300, 15])
def test_truncated_is_the_shorter_chain(n_samples, rng):
    X = embeddings(rng, n_samples)
    moments = Moments.of(X)
    whole = NaiveChain(DIMS).fit_moments(moments)
    for model, n_models in (("block0", 1), ("block1", 2), ("block2", 3)):
        stop = sum(DIMS[:n_models])
        shorter = NaiveChain(DIMS[:n_models]).fit_moments(moments.leading(stop))
        truncated = whole.truncate(model)
        assert truncated.dims_.tolist() == DIMS[:n_models]
        np.testing.assert_allclose(
            truncated.transform(X[:, :stop]), shorter.transform(X[:, :stop]), rtol=0, atol=1e-9
        )
    np.testing.assert_array_equal(whole.truncate("block0").transform(X[:, :4]), X[:, :4])
    with pytest.raises(ValueError, match="model='8M' is not a model of the chain"):
        whole.truncate("8M")


def test_moments_of_a_distiller_fit_the_baseline(rng):
    X = embeddings(rng)
    names = [f"m{model}_{i}" for model, width in enumerate(DIMS) for i in range(width)]
    distiller = ReverseDistiller(DIMS).fit(X)
    chain = NaiveChain().fit_moments(distiller.moments_, names)
    assert chain.model_names_ == ["m0", "m1", "m2"]
    fitted = NaiveChain().fit(pd.DataFrame(X, columns=names))
    np.testing.assert_array_equal(chain.components_, fitted.components_)


def test_names_of_the_columns(rng):
    names = [f"m{model}_{i}" for model, width in enumerate(DIMS) for i in range(width)]
    frame = pd.DataFrame(embeddings(rng), columns=names)
    chain = NaiveChain().set_output(transform="pandas").fit(frame)
    assert chain.transform(frame).columns[[0, -1]].tolist() == ["m2_naive_0", "m2_naive_11"]
    assert chain.truncate("m0").get_feature_names_out().tolist() == names[:4]
    assert chain.truncate("m1").feature_names_in_.tolist() == names[:11]


@pytest.mark.parametrize(
    ("dims", "message"),
    [([4, 7], "add up to 11 columns, but X has 23"), ([23, 0], "hold a width below 1")],
)
def test_a_failed_fit_changes_nothing(dims, message, rng):
    X = embeddings(rng)
    chain = NaiveChain(DIMS).fit(X)
    before = chain.transform(X)
    with pytest.raises(ValueError, match=message):
        chain.set_params(dims=dims).fit(X)
    np.testing.assert_array_equal(chain.transform(X), before)
