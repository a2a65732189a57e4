from itertools import pairwise

import numpy as np
import pytest
from scipy import linalg
from sklearn.linear_model import Ridge

from sklearn_revdist.distillation._chain import solve_chain
from sklearn_revdist.matrix._moments import Moments

CHAINS = [[6, 9], [5, 8, 12], [8, 12, 20, 32], [4, 6, 9, 14, 25]]


def random_chain(dims, rng, n_samples=600, offset=0.0):
    """Embeddings that share latent variables, with columns of very different means."""
    latent = rng.normal(size=(n_samples, max(dims)))
    X = np.hstack([latent @ rng.normal(size=(max(dims), d)) for d in dims])
    X += 0.5 * rng.normal(size=X.shape)
    return X + offset * rng.normal(size=X.shape[1])


def direct_chain(X, dims, n_new):
    """The paper's Algorithm 3, level by level on the data matrix itself, by SVD."""
    X = X - X.mean(axis=0)
    blocks = np.split(X, np.cumsum(dims)[:-1], axis=1)
    prefix = blocks[0]
    for block, n in zip(blocks[1:], n_new, strict=True):
        coef = linalg.lstsq(prefix, block)[0]
        residual = block - prefix @ coef
        directions = linalg.svd(residual, full_matrices=False)[2][:n].T
        prefix = np.hstack([prefix, residual @ directions])
    return prefix


def apply(levels, X, dims):
    X = X - X.mean(axis=0)
    stops = np.cumsum(dims)[1:]
    new = [X[:, :k] @ level.components.T for k, level in zip(stops, levels, strict=True)]
    return np.hstack([X[:, : dims[0]], *new])


def prefix_correlation(A, lengths):
    """Largest absolute correlation of a level's new columns with the columns before them."""
    correlation = np.corrcoef(A, rowvar=False)
    return max(np.abs(correlation[:start, start:stop]).max() for start, stop in pairwise(lengths))


@pytest.mark.parametrize("dims", CHAINS)
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_least_squares_equals_the_direct_solution(dims, offset, rng):
    X = random_chain(dims, rng, offset=offset)
    n_new = np.diff(dims)
    levels = solve_chain(Moments.of(X), dims, n_new, regressor="ols")
    ours, direct = apply(levels, X, dims), direct_chain(X, dims, n_new)
    direct *= np.sign(np.einsum("ij,ij->j", ours, direct))  # directions have no sign of their own
    scale = direct.std(axis=0)
    np.testing.assert_allclose(ours / scale, direct / scale, rtol=0, atol=1e-8)


@pytest.mark.parametrize("dims", CHAINS)
def test_new_columns_of_least_squares_are_uncorrelated_with_the_prefix(dims, rng):
    X = random_chain(dims, rng, offset=1e3)
    levels = solve_chain(Moments.of(X), dims, np.diff(dims), regressor="ols")
    assert prefix_correlation(apply(levels, X, dims), dims) <= 1e-10


def test_no_other_columns_reconstruct_better(rng):
    dims = [5, 9]
    X = random_chain(dims, rng)
    X -= X.mean(axis=0)
    level = solve_chain(Moments.of(X), dims, [4], regressor="ols")[0]
    A = apply([level], X, dims)
    H = X[:, 5:]

    def error(columns):
        return np.linalg.norm(H - columns @ linalg.lstsq(columns, H)[0])

    best = error(A)
    for _ in range(50):
        other = A[:, 5:] + 1e-3 * H @ rng.normal(size=(9, 4))
        assert error(np.hstack([A[:, :5], other])) >= best * (1 - 1e-12)


def test_ridge_equals_scikit_learns(rng):
    X = random_chain([5, 8], rng, offset=10)
    level = solve_chain(Moments.of(X), [5, 8], [3], regressor="ridge", alpha=7.0)[0]
    expected = Ridge(alpha=7.0).fit(X[:, :5], X[:, 5:]).coef_.T
    np.testing.assert_allclose(level.coef, expected, rtol=1e-9)
    assert level.alpha == 7.0


def test_chosen_penalty_minimises_generalised_cross_validation(rng):
    X = random_chain([20, 30], rng, n_samples=200)
    chosen = solve_chain(Moments.of(X), [20, 30], [10], regressor="ridge")[0].alpha
    X = X - X.mean(axis=0)
    A = X[:, :20]

    def criterion(alpha):
        hat = A @ linalg.solve(A.T @ A + alpha * np.eye(20), A.T)
        residual = X[:, 20:] - hat @ X[:, 20:]
        return (residual**2).sum() / (1 - (1 + np.trace(hat)) / 200) ** 2

    step = 10**0.1  # the grid's
    assert all(
        criterion(chosen) < criterion(chosen * f) for f in (step**-2, 1 / step, step, step**2)
    )


def test_few_rows_bound_what_the_ridge_spends_and_adds(rng):
    """At most 15 % of the rows on the regression, and of what is left on new columns."""
    X = random_chain([20, 30], rng, n_samples=60)
    level = solve_chain(Moments.of(X), [20, 30], [25], regressor="ridge")[0]
    A = X[:, :20] - X[:, :20].mean(axis=0)
    step = 10**0.1  # the grid's
    spent, less_penalised = (
        1 + np.trace(np.linalg.solve(A.T @ A + alpha * np.eye(20), A.T @ A))
        for alpha in (level.alpha, level.alpha / step)
    )
    assert spent <= 0.15 * 60 < less_penalised
    assert level.rank == int(0.15 * (60 - spent)) < 25
    assert not level.components[level.rank :].any()
    assert level.components[: level.rank].any(axis=1).all()


@pytest.mark.parametrize("regressor", ["ols", "pcr"])
def test_least_squares_add_all_that_there_is(regressor, rng):
    X = random_chain([20, 30], rng, n_samples=60)
    level = solve_chain(Moments.of(X), [20, 30], [25], regressor=regressor)[0]
    assert level.rank == 30
    assert level.components.any(axis=1).all()


def test_pcr_of_full_rank_is_least_squares_and_of_rank_one_uses_one_component(rng):
    X = random_chain([5, 8], rng)
    moments = Moments.of(X)
    ols = solve_chain(moments, [5, 8], [3], regressor="ols")[0]
    full = solve_chain(moments, [5, 8], [3], regressor="pcr", rank=5)[0]
    np.testing.assert_allclose(full.coef, ols.coef, atol=1e-10)
    one = solve_chain(moments, [5, 8], [3], regressor="pcr", rank=1)[0]
    X = X - X.mean(axis=0)
    component = linalg.svd(X[:, :5], full_matrices=False)[2][:1].T
    expected = component @ linalg.lstsq(X[:, :5] @ component, X[:, 5:])[0]
    np.testing.assert_allclose(one.coef, expected, atol=1e-10)


def test_johnstone_rank_finds_the_planted_components(rng):
    n_samples, width, planted = 2000, 50, 7
    X = rng.normal(size=(n_samples, width))
    X += 3 * rng.normal(size=(n_samples, planted)) @ linalg.orth(rng.normal(size=(50, 7))).T
    X = np.hstack([X, rng.normal(size=(n_samples, 60))])
    level = solve_chain(Moments.of(X), [50, 60], [10], regressor="pcr")[0]
    assert level.n_prefix_components == planted


@pytest.mark.parametrize("regressor", ["ols", "ridge", "pcr"])
def test_shorter_chain_is_the_longer_ones_beginning_bit_for_bit(regressor, rng):
    dims = [4, 6, 9, 14]
    moments = Moments.of(random_chain(dims, rng))
    levels = solve_chain(moments, dims, np.diff(dims), regressor=regressor)
    shorter = solve_chain(moments.leading(19), dims[:3], np.diff(dims[:3]), regressor=regressor)
    for long, short in zip(levels[:2], shorter, strict=True):
        np.testing.assert_array_equal(long.components, short.components)
        np.testing.assert_array_equal(long.coef, short.coef)


def test_columns_beyond_the_rank_are_exact_zeros(rng):
    small = rng.normal(size=(300, 4))
    large = np.hstack([small @ rng.normal(size=(4, 6)), rng.normal(size=(300, 2))])
    large = large @ rng.normal(size=(8, 8))
    level = solve_chain(Moments.of(np.hstack([small, large])), [4, 8], [4], regressor="ols")[0]
    assert level.rank == 2
    assert np.abs(level.components[:2]).max(axis=1).min() > 0
    assert not level.components[2:].any()
    assert level.explained_variance_ratio == pytest.approx(1.0)


def test_a_model_that_repeats_the_smaller_one_adds_nothing(rng):
    small = rng.normal(size=(100, 4)) + 5
    X = np.hstack([small, small, np.full((100, 2), 1 / 3)])
    level = solve_chain(Moments.of(X), [4, 6], [2], regressor="ols")[0]
    assert level.rank == 0
    assert level.r2 == pytest.approx(1.0)
    assert not level.components.any()


def test_scales_of_columns_do_not_decide_the_rank(rng):
    """Columns of scale 1e7 and 1e-6, as outlier dimensions of language models have them."""
    scale = np.geomspace(1e7, 1e-6, 64)
    rng.shuffle(scale)
    X = rng.normal(size=(1000, 96))
    X[:, 32:] *= scale
    level = solve_chain(Moments.of(X), [32, 64], [64], regressor="ols")[0]
    assert level.rank == 64
    X = X - X.mean(axis=0)
    new = X @ level.components.T
    residual = X[:, 32:] - X[:, :32] @ linalg.lstsq(X[:, :32], X[:, 32:])[0]
    back = new @ level.components[:, 32:]
    # Thirteen decades of scale leave three of float64's sixteen digits.
    np.testing.assert_allclose(back / scale, residual / scale, rtol=0, atol=5e-3)


def test_scaling_the_smaller_model_does_not_change_the_residual_of_least_squares(rng):
    X = random_chain([5, 8], rng)
    scaled = X * np.r_[np.geomspace(1e-5, 1e5, 5), np.ones(8)]
    plain, other = (
        apply(solve_chain(Moments.of(Y), [5, 8], [3], regressor="ols"), Y, [5, 8])[:, 5:]
        for Y in (X, scaled)
    )
    np.testing.assert_allclose(other, plain, rtol=0, atol=1e-8)


@pytest.mark.parametrize("regressor", ["ols", "ridge", "pcr"])
@pytest.mark.parametrize("unit", [2.0**-40, 2.0**40])
@pytest.mark.parametrize("n_samples", [15, 600])
def test_the_unit_of_the_embeddings_does_not_matter(regressor, unit, n_samples, rng):
    X = random_chain([10, 25], rng, n_samples=n_samples)
    level, other = (
        solve_chain(Moments.of(Y), [10, 25], [10], regressor=regressor)[0] for Y in (X, unit * X)
    )
    np.testing.assert_allclose(other.components, level.components, rtol=0, atol=1e-10)
    assert other.alpha == pytest.approx(unit**2 * level.alpha)
    assert other.r2 == pytest.approx(level.r2)


def test_signs_are_fixed(rng):
    X = random_chain([5, 8], rng)
    for Y in (X, -X):
        basis = solve_chain(Moments.of(Y), [5, 8], [3], regressor="ols")[0].components[:, 5:]
        assert (basis[np.arange(3), np.abs(basis).argmax(axis=1)] > 0).all()


def offsets(X, rng):
    """Means of up to ten thousand sigma."""
    return X + 1e4 * X.std(axis=0) * rng.uniform(-1, 1, size=X.shape[1])


def scales(X, rng):
    """Columns of scales from 1e-6 to 1e7."""
    return X * 10 ** rng.uniform(-6, 7, size=X.shape[1])


def duplicates(X, rng):
    """Repeated columns, within models and between them."""
    X = X.copy()
    X[:, 1] = X[:, 0]
    X[:, 10] = X[:, 2]
    X[:, 20] = X[:, 19]
    return X


def constants(X, rng):
    X = X.copy()
    X[:, [1, 8, 9, 25]] = [0.0, 1 / 3, 1e6 / 3, -5.0]
    return X


def ill_conditioned(X, rng, condition=1e6):
    """A smallest model whose columns are almost dependent."""
    left, _, right = linalg.svd(X[:, :8] - X[:, :8].mean(axis=0), full_matrices=False)
    X = X.copy()
    X[:, :8] = left * np.geomspace(1, 1 / condition, 8) @ right * 100
    return X


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("batch_size", [1, 37, 4096])
@pytest.mark.parametrize("adversary", [offsets, scales, duplicates, constants, ill_conditioned])
def test_hostile_columns_in_shuffled_batches_agree_with_the_svd(adversary, batch_size, dtype, rng):
    """Predictions and residual subspaces, level by level, in units of each column's spread."""
    dims = [8, 12, 18]
    X = adversary(random_chain(dims, rng, n_samples=5000), rng).astype(dtype)
    rows = rng.permutation(len(X))
    moments = Moments.zeros(X.shape[1])
    for start in range(0, len(X), batch_size):
        moments += Moments.of(X[rows[start : start + batch_size]])
    levels = solve_chain(moments, dims, [12, 18], regressor="ols")

    X = X.astype(np.float64)
    X = (X - X.mean(axis=0)) * (np.ptp(X, axis=0) > 0)
    spread = np.where(X.any(axis=0), X.std(axis=0), 1.0)
    # Moments square the condition number: what they can carry is known beforehand.
    atol = 1e-3 if adversary in (ill_conditioned, scales) else 1e-8
    prefix = X[:, :8]
    for level, stop, width in zip(levels, [20, 38], dims[1:], strict=True):
        own = slice(stop - width, stop)
        scaled = prefix / np.maximum(prefix.std(axis=0), 1e-300)
        left, singular, _ = linalg.svd(scaled, full_matrices=False)
        left = left[:, singular > 1e-9 * singular[0]]
        prediction = left @ (left.T @ X[:, own])
        unit = spread[own]
        ours = prefix @ level.coef
        np.testing.assert_allclose(ours / unit, prediction / unit, rtol=0, atol=atol)
        new = X[:, :stop] @ level.components.T
        # All new columns span the residual, whatever their basis is.
        back = new @ level.components[:, own.start :]
        np.testing.assert_allclose(back / unit, (X[:, own] - ours) / unit, rtol=0, atol=atol)
        prefix = np.hstack([prefix, new])


def test_condition_of_1e8_leaves_the_columns_uncorrelated(rng):
    """The square of 1e-8 is float64's rounding: the last direction counts as none."""
    dims = [8, 30]
    X = ill_conditioned(random_chain(dims, rng, n_samples=5000), rng, 1e8)
    level = solve_chain(Moments.of(X), dims, [22], regressor="ols")[0]
    assert level.condition < 1e8
    assert prefix_correlation(apply([level], X, dims), dims) <= 1e-7


def solved_both_ways(X, dims, n_new, **regression):
    """Levels from the rows' root and from their scatter, which few rows and many are kept as."""
    moments = Moments.of(X)
    square = Moments(moments.weight, moments.mean, scatter=moments.root.T @ moments.root)
    return zip(*(solve_chain(m, dims, n_new, **regression) for m in (moments, square)), strict=True)


@pytest.mark.parametrize(
    "regression",
    [
        {"regressor": "ols"},
        {"regressor": "ridge"},
        {"regressor": "ridge", "alpha": 3.0},
        {"regressor": "pcr"},
        {"regressor": "pcr", "rank": 3},
    ],
)
@pytest.mark.parametrize("n_samples", [7, 30])
def test_few_rows_are_solved_as_many_are(n_samples, regression, rng):
    """Fewer rows than the prefix has columns, and more; scales that differ, a constant column."""
    dims, n_new = [8, 12, 20], [2, 2]
    X = random_chain(dims, rng, n_samples=n_samples, offset=3.0) * rng.lognormal(size=40)
    X[:, [3, 9, 30]] = 1 / 3
    for from_root, from_scatter in solved_both_ways(X, dims, n_new, **regression):
        for name, value in vars(from_root).items():
            other = getattr(from_scatter, name)
            np.testing.assert_allclose(other, value, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("regressor", ["ols", "pcr"])
def test_fewer_rows_than_columns_have_the_smallest_coefficients(regressor, rng):
    """Of columns of unit variance for least squares, as they are for components."""
    X = random_chain([12, 15], rng, n_samples=6) * rng.lognormal(size=27)
    level = solve_chain(Moments.of(X), [12, 15], [3], regressor=regressor, rank=5)[0]
    X -= X.mean(axis=0)
    unit = X[:, :12].std(axis=0) if regressor == "ols" else np.ones(12)
    expected = linalg.pinv(X[:, :12] / unit) @ X[:, 12:] / unit[:, np.newaxis]
    np.testing.assert_allclose(level.coef, expected, atol=1e-9)


@pytest.mark.parametrize("n_samples", [30, 400])
def test_a_level_says_how_much_it_explains_and_keeps(n_samples, rng):
    dims = [6, 9, 20]
    X = random_chain(dims, rng, n_samples=n_samples) * rng.lognormal(size=35)
    levels = solve_chain(Moments.of(X), dims, [2, 3], regressor="ols")
    A = apply(levels, X, dims)
    X = X - X.mean(axis=0)
    start, spreads = 6, np.linalg.norm(X, axis=0)
    for level, stop, width, n_new in zip(levels, [15, 35], [9, 20], [2, 3], strict=True):
        prefix, own, new = A[:, :start], X[:, stop - width : stop], A[:, start : start + n_new]
        residual = own - prefix @ linalg.lstsq(prefix, own)[0]
        assert level.r2 == pytest.approx(1 - (residual**2).sum() / (own**2).sum())
        kept = (new**2).sum() / (residual**2).sum()
        assert level.explained_variance_ratio == pytest.approx(kept)
        assert level.rank == np.linalg.matrix_rank(residual, tol=1e-8 * spreads.max())
        assert level.condition == pytest.approx(np.linalg.cond(prefix / prefix.std(axis=0)))
        assert level.n_prefix_components == start
        assert level.alpha == 0
        terms = np.linalg.norm(level.components * spreads[:stop], axis=1)
        expected = max(1, (terms / np.linalg.norm(new, axis=0)).max())
        assert level.amplification == pytest.approx(expected)
        start += n_new


def test_every_model_has_a_number_of_new_columns(rng):
    moments = Moments.of(random_chain([4, 6, 9], rng))
    for n_new in ([2], [2, 3, 1]):
        with pytest.raises(ValueError, match="argument 2 is"):
            solve_chain(moments, [4, 6, 9], n_new, regressor="ols")


@pytest.mark.parametrize("n_samples", [25, 900])
def test_rounding_of_an_ill_conditioned_prefix_is_no_direction(n_samples, rng):
    """The larger model is a function of the smaller one, whose condition is a million."""
    small = rng.normal(size=(n_samples, 6))
    small = small @ np.diag(np.geomspace(1, 1e-6, 6)) @ linalg.orth(rng.normal(size=(6, 6)))
    X = np.hstack([small, small @ rng.normal(size=(6, 40))])
    level = solve_chain(Moments.of(X), [6, 40], [34], regressor="ols")[0]
    assert level.condition > 1e4
    assert level.rank == 0
    assert level.amplification == 1.0


@pytest.mark.parametrize("n_samples", [20, 900])
def test_columns_that_are_constant_take_no_part(n_samples, rng):
    X = random_chain([6, 9, 12], rng, n_samples=n_samples)
    constant = [1, 4, 7, 20]
    X[:, constant] = [1 / 3, 1e6 / 3, -0.1, 1e-9 / 3]
    for level in solve_chain(Moments.of(X), [6, 9, 12], [3, 3], regressor="ols"):
        at = [i for i in constant if i < level.components.shape[1]]
        np.testing.assert_allclose(level.components[:, at], 0, atol=1e-14)
        assert level.components.any(axis=1).all()


@pytest.mark.parametrize("n_samples", [8, 900])
def test_a_larger_model_that_is_constant_is_not_explained(n_samples, rng):
    X = random_chain([4, 6], rng, n_samples=n_samples)
    X[:, 4:] = 1 / 3
    level = solve_chain(Moments.of(X), [4, 6], [2], regressor="ols")[0]
    known = level.r2, level.explained_variance_ratio, level.rank, level.amplification
    assert known == (0.0, 1.0, 0, 1.0)


@pytest.mark.parametrize("n_samples", [20, 900])
def test_the_unit_of_a_prefix_column_does_not_decide_its_rank(n_samples, rng):
    X = random_chain([5, 8], rng, n_samples=n_samples)
    unit = np.r_[2.0**-40, 1.0, 2.0**30, np.ones(10)]
    plain, other = (
        solve_chain(Moments.of(Y), [5, 8], [3], regressor="ols")[0] for Y in (X, X * unit)
    )
    assert plain.n_prefix_components == other.n_prefix_components == 5
    np.testing.assert_allclose(other.coef * unit[:5, np.newaxis], plain.coef, rtol=1e-9)


def test_no_more_is_kept_than_there_was(rng):
    for _ in range(40):
        X = random_chain([3, 9], rng, n_samples=30)
        level = solve_chain(Moments.of(X), [3, 9], [9], regressor="ols")[0]
        assert level.explained_variance_ratio <= 1


@pytest.mark.parametrize("regressor", ["ols", "ridge", "pcr"])
@pytest.mark.parametrize("n_samples", [6, 300])
def test_a_smaller_model_that_is_constant_predicts_nothing(n_samples, regressor, rng):
    X = random_chain([3, 5], rng, n_samples=n_samples)
    X[:, :3] = 1 / 3
    level = solve_chain(Moments.of(X), [3, 5], [2], regressor=regressor)[0]
    few = regressor == "ridge" and n_samples == 6
    assert (level.n_prefix_components, level.rank) == (0, 0 if few else 5)
    assert level.r2 == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(level.coef, 0)
