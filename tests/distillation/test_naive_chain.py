import shutil
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import Moments, NaiveChain, ReverseDistiller

PUBLISHED = Path(__file__).parents[1] / "published"
VARIANTS = ["None-fbpca-1k", "None-incremental-1k"]
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
    with pytest.raises(ValueError, match="model='8M' is not a model of the chain"):
        whole.truncate("8M")


def test_the_first_model_is_returned_bit_for_bit(rng):
    X = embeddings(rng)
    first = NaiveChain(DIMS).fit(X).truncate("block0")
    np.testing.assert_array_equal(first.transform(X[:, :4]), X[:, :4])


def test_moments_of_a_distiller_serve_its_rival(rng):
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


def test_joblib_keeps_it(rng, tmp_path):
    X = embeddings(rng)
    chain = NaiveChain(DIMS).fit(X)
    joblib.dump(chain, tmp_path / "chain.joblib")
    np.testing.assert_array_equal(
        joblib.load(tmp_path / "chain.joblib").transform(X), chain.transform(X)
    )


# ----------------------------------------------------------------- published weights


@pytest.fixture
def expected():
    with np.load(PUBLISHED / "expected.npz") as X, np.load(PUBLISHED / "expected-naive.npz") as A:
        return {"X": X["X"], **A}


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_equal_the_reference_implementations(variant, expected, reference):
    chain = NaiveChain.from_pretrained(PUBLISHED, variant=variant)
    assert chain.model_names_[-1] == "esm2_t30_150M_UR50D"
    X = expected["X"]
    for chosen, rows, told in (
        (chain, X, expected[f"150M-{variant}"]),
        (chain.truncate("35M"), X[:, :20], expected[f"35M-{variant}"]),
    ):
        exact = chosen.transform(rows.astype(np.float64))
        np.testing.assert_allclose(exact, told, rtol=0, atol=5e-5)
        reference(told, exact).assert_matched(chosen.transform(rows))
    np.testing.assert_array_equal(chain.truncate("8M").transform(X[:, :8]), X[:, :8])


@pytest.fixture
def folder(tmp_path):
    """The two steps of one variant, to be damaged."""
    for path in PUBLISHED.glob("naive-*-fbpca-1k.npz"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "changes",
    [
        {"pca__components_": None},
        {"pca__n_components": None},
        {"pca__n_components": np.array([12, 12])},
        {"pca__n_components": np.array(20)},
        {"pca__mean_": np.zeros(19)},
        {"pca__components_": np.zeros(12)},
    ],
    ids=["no basis", "no width", "two widths", "no prefix", "short mean", "one direction"],
)
def test_arrays_that_do_not_fit_are_refused(folder, changes):
    path = folder / "naive-scaler-8M-35M-None-fbpca-1k.npz"
    with np.load(path) as file:
        arrays = {**file, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match="is not a step of a published chain"):
        NaiveChain.from_pretrained(folder)


def test_steps_that_do_not_follow_each_other_are_refused(folder):
    shutil.copy(
        folder / "naive-scaler-8M-35M-None-fbpca-1k.npz",
        folder / "naive-scaler-35M-150M-None-fbpca-1k.npz",
    )
    with pytest.raises(ValueError, match="takes 8 columns, but the steps before it give 12"):
        NaiveChain.from_pretrained(folder)


def test_a_folder_of_the_other_kind_alone_is_told(tmp_path):
    shutil.copy(PUBLISHED / "rd-scaler-8M-35M-pcr-fbpca-1k.npz", tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"read them with ReverseDistiller\.from_pretrained"
    ):
        NaiveChain.from_pretrained(tmp_path)


def test_what_is_no_folder_is_told():
    with pytest.raises(FileNotFoundError, match="'demo' is not a folder; give the one that holds"):
        NaiveChain.from_pretrained("demo")
