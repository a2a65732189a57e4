"""Joint residuals: new columns from what the prefix leaves of all models so far."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import linalg
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_revdist import Moments, ReverseDistiller
from sklearn_revdist.distillation._chain import Carried, Level, beside, carry, solve_chain
from sklearn_revdist.distillation._spaces import FeatureSpace, SampleSpace

DIMS = [4, 7, 12]
CHAINS = [([4, 7, 12], [3, 5]), ([4, 6, 9, 14, 25], [2, 3, 5, 11]), ([3, 5, 6, 9], [0, 9, 4])]
FEW_ROWS = "ignore:The chain is fitted on"


def joint(dims=DIMS, **parameters):
    return ReverseDistiller(dims, residual="joint", **parameters)


def centred(X):
    return X - X.mean(axis=0)


def residual_of(columns, prefix):
    return columns - prefix @ linalg.lstsq(prefix, columns)[0]


def direct(X, dims, n_new):
    """Principal components of the residual of the concatenation given the prefix, by SVD."""
    X = centred(X)
    prefix = X[:, : dims[0]]
    for stop, n in zip(np.cumsum(dims)[1:], n_new, strict=True):
        residual = residual_of(X[:, :stop], prefix)
        directions = linalg.svd(residual, full_matrices=False)[2][:n].T
        prefix = np.hstack([prefix, residual @ directions])
    return prefix


def strong_middle(rng, n_samples=500):
    """Three models; the middle one knows eight things of its own, and can add three columns."""
    shared, own = rng.normal(size=(n_samples, 4)), rng.normal(size=(n_samples, 8))
    small = shared @ rng.normal(size=(4, 4))
    middle = np.hstack([shared, own]) @ rng.normal(size=(12, 7))
    large = 0.1 * shared @ rng.normal(size=(4, 12)) + 0.1 * rng.normal(size=(n_samples, 12))
    return np.hstack([small, middle, large])


# ----------------------------------------------------------------- least squares


@pytest.mark.filterwarnings(FEW_ROWS)
@pytest.mark.parametrize(("dims", "n_new"), CHAINS)
@pytest.mark.parametrize("n_samples", [20, 45, 600])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_least_squares_equals_the_direct_solution(dims, n_new, n_samples, dtype, rng, embeddings):
    """Of rows fewer than columns and more, from themselves and in a stream."""
    X = embeddings(rng, n_samples, dims).astype(dtype)
    parameters = {"dims": dims, "n_new": n_new, "regressor": "ols"}
    at_once = joint(**parameters).fit(X)
    streamed = joint(**parameters)
    for start, stop in pairwise([0, 1, 8, n_samples]):
        streamed.partial_fit(X[start:stop])
    X = X.astype(np.float64)
    columns = min(n_samples - 1, sum(n_new) + dims[0])  # others are zero or arbitrary
    expected = direct(X, dims, n_new)[:, :columns]
    for distiller in (at_once, streamed):
        found = centred(distiller.transform(X))[:, :columns]
        signs = np.sign(np.einsum("ij,ij->j", found, expected))
        np.testing.assert_allclose(found, expected * signs, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("dims", "n_new"), CHAINS)
def test_new_columns_are_uncorrelated_with_the_prefix_and_one_another(dims, n_new, rng, embeddings):
    X = embeddings(rng, 400, dims)
    A = joint(dims, n_new=n_new, regressor="ols").fit_transform(X)
    correlation = np.abs(np.corrcoef(A, rowvar=False)) - np.eye(A.shape[1])
    assert correlation[:, dims[0] :].max() <= 1e-10


def test_no_other_columns_reconstruct_the_models_so_far_better(X, rng):
    A = centred(joint(regressor="ols").fit_transform(X))
    X = centred(X)

    def error(columns, stop):
        return np.linalg.norm(residual_of(X[:, :stop], columns))

    paper = centred(ReverseDistiller(DIMS, regressor="ols").fit_transform(X))
    for prefix, length, stop in ((4, 7, 11), (7, 12, 23)):
        best = error(A[:, :length], stop)
        singular = linalg.svdvals(residual_of(X[:, :stop], A[:, :prefix]))[length - prefix :]
        assert best == pytest.approx(linalg.norm(singular), rel=1e-8)
        for size in (1e-3, 1e-1, 1e3):
            for _ in range(20):
                mixed = X[:, :stop] @ rng.normal(size=(stop, length - prefix))
                other = np.hstack([A[:, :prefix], A[:, prefix:length] + size * mixed])
                assert error(other, stop) >= best * (1 - 1e-12)
    # The prefix of three models is the same in both, so that one is the other's competitor.
    assert error(A, 23) < error(paper, 23)


@pytest.mark.parametrize("length", [4, 5, 7, 9, 12])
def test_every_model_is_reconstructed_by_least_squares_from_any_prefix(length, X):
    distiller = joint(regressor="ols").fit(X)
    prefix = distiller.transform(X)[:, :length]
    design = np.column_stack([np.ones(300), prefix])
    expected = design @ linalg.lstsq(design, X)[0]
    np.testing.assert_allclose(distiller.inverse_transform(prefix), expected, rtol=0, atol=1e-9)


def test_what_the_width_leaves_out_of_a_strong_middle_model_is_kept(rng):
    """Five of the last model's columns go to the middle one, of which three could be kept."""
    X = strong_middle(rng)
    scores = {}
    for residual in ("model", "joint"):
        distiller = ReverseDistiller(DIMS, residual=residual, regressor="ols").fit(X)
        H = distiller.inverse_transform(distiller.transform(X))
        error = ((X - H) ** 2)[:, 4:11].sum() / (centred(X) ** 2)[:, 4:11].sum()
        scores[residual] = distiller.score(X), 1 - error
    assert scores["joint"][0] > 0.99 > scores["model"][0] + 0.05
    assert scores["joint"][1] > 0.99 > scores["model"][1] + 0.05


# ----------------------------------------------------------------- any regressor


REGRESSORS = ["ols", "ridge", "pcr", Ridge(3.0)]


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_a_chain_of_two_models_is_the_papers(regressor, X):
    """The residual of both given the first is that of the second."""
    both = (
        ReverseDistiller([4, 7], residual=residual, regressor=regressor).fit_transform(X[:, :11])
        for residual in ("model", "joint")
    )
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_where_nothing_is_left_out_nothing_is_carried(regressor, X):
    paper, ours = (
        ReverseDistiller(DIMS, residual=residual, n_new="all", regressor=regressor).fit(X)
        for residual in ("model", "joint")
    )
    np.testing.assert_allclose(ours.transform(X), paper.transform(X), rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.explained_variance_ratio_, 1)
    np.testing.assert_allclose(ours.inverse_transform(ours.transform(X)), X, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("regressor", REGRESSORS)
def test_the_prefix_is_the_smaller_model_and_chain_bit_for_bit(regressor, dtype, X):
    X = X.astype(dtype)
    distiller = joint(regressor=regressor).fit(X)
    A = distiller.transform(X)
    assert (A.dtype, A.shape) == (dtype, (300, 12))
    np.testing.assert_array_equal(A[:, :4], X[:, :4])
    np.testing.assert_array_equal(distiller.truncate("block1").transform(X[:, :11]), A[:, :7])
    for n_components in (3, 6, 7, 10):
        distiller.set_params(n_components=n_components)
        np.testing.assert_array_equal(distiller.transform(X), A[:, :n_components])
    if isinstance(regressor, str):
        shorter = joint(DIMS[:2], regressor=regressor).fit_moments(distiller.moments_.leading(11))
        np.testing.assert_array_equal(shorter.transform(X[:, :11]), A[:, :7])


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_what_a_level_keeps_later_ones_do_not_change(regressor, rng, embeddings):
    """Nesting a reconstruction gives the nested columns back; directions are orthonormal."""
    dims, n_new = CHAINS[1]
    X = embeddings(rng, 200, dims)
    distiller = joint(dims, n_new=n_new, regressor=regressor).fit(X)
    A = distiller.transform(X)
    np.testing.assert_allclose(
        distiller.transform(distiller.inverse_transform(A)), A, rtol=0, atol=1e-9
    )
    if isinstance(regressor, str):
        found = (X - distiller.mean_) @ distiller.components_.T + distiller.offset_
        np.testing.assert_allclose(A, found, rtol=0, atol=1e-10)
        basis = np.zeros((0, 0))
        for level in distiller._chain.levels:
            basis = beside(basis, level.directions.T)
        np.testing.assert_allclose(basis.T @ basis, np.eye(21), rtol=0, atol=1e-12)


def test_least_squares_of_an_estimator_is_least_squares(X):
    rows, moments = (joint(regressor=each).fit(X) for each in (LinearRegression(), "ols"))
    np.testing.assert_allclose(rows.transform(X), moments.transform(X), rtol=0, atol=1e-9)
    np.testing.assert_allclose(rows.r2_, moments.r2_)
    np.testing.assert_allclose(rows.explained_variance_ratio_, moments.explained_variance_ratio_)
    np.testing.assert_array_equal(rows.ranks_, moments.ranks_)
    nested = moments.transform(X)[:, :9]
    np.testing.assert_allclose(
        rows.inverse_transform(nested), moments.inverse_transform(nested), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("regressor", ["ols", "ridge"])
def test_a_level_says_how_much_it_explains_and_keeps(regressor, X):
    """R2 is of the own model; the share kept, of all that was left."""
    distiller = joint(regressor=regressor).fit(X)
    nested, X = distiller.transform(X), centred(X)
    H = centred(distiller.inverse_transform(nested[:, :7]))
    left = X - H
    assert distiller.r2_[1] == pytest.approx(1 - (left[:, 11:] ** 2).sum() / (X[:, 11:] ** 2).sum())
    kept = (centred(nested)[:, 7:] ** 2).sum() / (left**2).sum()
    assert distiller.explained_variance_ratio_[1] == pytest.approx(kept)
    assert distiller.ranks_.tolist() == [7, 7 - 3 + 12]


# ----------------------------------------------------------------- data of many kinds


def test_few_rows_are_solved_as_many_are(rng, embeddings):
    """In sample space and in feature space, with scales that differ and a constant column."""
    dims = [8, 12, 20, 24]
    X = embeddings(rng, 30, dims) * rng.lognormal(size=64)
    X[:, [3, 9, 30]] = 1 / 3
    moments = Moments.of(X)
    square = Moments(moments.weight, moments.mean, scatter=moments.root.T @ moments.root)
    for regressor in ("ols", "ridge", "pcr"):
        settings = {"regressor": regressor, "residual": "joint", "rank": 3}
        both = (solve_chain(m, dims, [2, 1, 2], **settings) for m in (moments, square))
        for from_root, from_scatter in zip(*both, strict=True):
            for name, value in vars(from_root).items():
                other = getattr(from_scatter, name)
                np.testing.assert_allclose(other, value, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.filterwarnings("ignore:.* new columns lie beyond")
@pytest.mark.parametrize("n_samples", [30, 900])
def test_columns_that_repeat_or_are_constant_and_scales_do_not_decide_the_rank(
    n_samples, rng, embeddings
):
    """Scales over seven decades leave nine of float64's sixteen digits, as in the paper's mode."""
    X = embeddings(rng, n_samples, DIMS)
    X[:, 5] = X[:, 4]
    X[:, 20] = X[:, 2]
    X[:, [8, 15]] = 1e6 / 3
    X *= 2.0 ** rng.integers(-12, 13, size=23)
    distiller = joint(n_new=[2, 17], regressor="ols").fit(X)
    assert distiller.ranks_.tolist() == [5, 3 + 10]
    back = distiller.inverse_transform(distiller.transform(X))
    unit = np.where(np.ptp(X, axis=0) > 0, X.std(axis=0), np.abs(X[0]))
    np.testing.assert_allclose(back / unit, X / unit, rtol=0, atol=1e-6)


def test_blocks_of_dask_give_the_same_chain(X):
    array = pytest.importorskip("dask.array")
    blocks = joint(regressor="ols").fit(array.from_array(X, chunks=(70, 23)))
    np.testing.assert_allclose(
        blocks.transform(X), joint(regressor="ols").fit_transform(X), rtol=0, atol=1e-10
    )


def test_weights_count_rows(X, rng):
    counts = rng.integers(0, 4, size=300)
    for regressor in ("ridge", Ridge()):
        weighted = joint(regressor=regressor).fit(X, sample_weight=counts)
        repeated = joint(regressor=regressor).fit(np.repeat(X, counts, axis=0))
        np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), rtol=0, atol=1e-8)


def test_a_search_finds_what_the_middle_model_knows(rng):
    X = strong_middle(rng)
    y = X[:, 4:11] @ rng.normal(size=7)
    probe = make_pipeline(ReverseDistiller(DIMS), Ridge(1e-3))
    search = GridSearchCV(probe, {"reversedistiller__residual": ["model", "joint"]}).fit(X, y)
    assert search.best_params_ == {"reversedistiller__residual": "joint"}


# ----------------------------------------------------------------- what is carried


@pytest.mark.parametrize("space", [SampleSpace, FeatureSpace])
def test_what_is_left_is_the_rows_without_the_directions(space, rng):
    """Twice: of a model of 3 columns after one of 2, then with one of 4 beside it."""
    root = centred(rng.normal(size=(30, 9)))

    def of(rows):
        return space(rows if space is SampleSpace else rows.T @ rows)

    carried = Carried(of(root[:, :0]), np.zeros((0, 0)), 1.0, np.zeros((0, 0)))
    rows = np.zeros((30, 0))
    for start, stop in ((2, 5), (5, 9)):
        to_prefix, coef = np.eye(start), rng.normal(size=(start, stop - start))
        to_own = np.vstack([-coef, np.eye(stop - start)])
        to_all = np.hstack(
            [np.pad(carried.to_left, ((0, stop - len(carried.to_left)), (0, 0))), to_own]
        )
        rows = np.hstack([rows, root[:, :stop] @ to_own])
        directions = linalg.svd(rows)[2][:2]
        residual = of(rows)
        factor = residual.factor(residual.scale, 1e-12)
        of_carried, of_own = np.split(directions, [start - 2], axis=1)
        components = directions @ to_all.T
        np.testing.assert_allclose(components[:, start:], of_own, rtol=0, atol=1e-12)
        level = Level(components, coef, of_carried, *[np.nan] * 7)
        carried = carry(carried, level, to_prefix, residual, factor, 3.0)
        rows = rows - rows @ directions.T @ directions
        np.testing.assert_allclose(root[:, :stop] @ carried.to_left, rows, rtol=0, atol=1e-12)
        held = carried.space.root if space is SampleSpace else carried.space.scatter
        expected = rows if space is SampleSpace else rows.T @ rows
        np.testing.assert_allclose(held, expected, rtol=0, atol=1e-10)
        assert carried.to_left.shape[1] == stop - 2
        assert carried.condition == 3.0
    np.testing.assert_allclose(carried.before.T @ carried.before, np.eye(4), atol=1e-12)
