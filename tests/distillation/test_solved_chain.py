"""What a solved chain knows of itself are fitted attributes; what is doubtful is said."""

import copy
import re
import warnings

import joblib
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sklearn_revdist import Moments, ReverseDistiller
from sklearn_revdist.distillation._affine_chain import AffineChain
from sklearn_revdist.distillation._chain import solve_chain
from sklearn_revdist.distillation._naive_steps import solve_steps
from sklearn_revdist.distillation._row_chain import fit_rows

DIMS = [4, 7, 12]


def affine(X):
    moments = Moments.of(X)
    levels = solve_chain(moments, DIMS, [3, 5], regressor="ridge")
    return AffineChain(DIMS, moments.mean, levels)


def of_rows(X):
    return fit_rows(X, None, DIMS, [3, 5], Ridge())


def naive(X):
    return solve_steps(Moments.of(X), DIMS)


@pytest.mark.parametrize("solve", [affine, of_rows, naive])
@pytest.mark.parametrize("n_models", [1, 2, 3])
def test_a_truncated_chain_is_that_of_the_first_models(n_models, solve, X):
    chain = solve(X)
    short = chain.truncate(n_models)
    assert short.dims == tuple(DIMS[:n_models])
    assert len(short.levels) == n_models - 1
    n_columns = sum(DIMS[:n_models])
    np.testing.assert_array_equal(short.mean, chain.mean[:n_columns])
    if solve is not naive:
        length = int(chain.prefix_lengths[n_models - 1])
        nested = chain.transform(X, length)
        np.testing.assert_array_equal(short.transform(X[:, :n_columns], length), nested)
        np.testing.assert_allclose(
            short.inverse_transform(nested),
            chain.inverse_transform(nested)[:, :n_columns],
            rtol=0,
            atol=1e-10,
        )


@pytest.mark.parametrize("solve", [affine, of_rows, naive])
def test_copies_map_the_same_bits(solve, X, tmp_path):
    chain = solve(X)
    joblib.dump(chain, tmp_path / "chain")
    arguments = () if solve is naive else (12,)
    expected = chain.transform(X, *arguments)
    for other in (copy.copy(chain), copy.deepcopy(chain), joblib.load(tmp_path / "chain")):
        np.testing.assert_array_equal(other.transform(X, *arguments), expected)


def test_a_chain_of_one_model_has_attributes_without_levels(X):
    chain = AffineChain([23], X.mean(axis=0), [])
    assert chain.ranks.dtype == chain.n_prefix_components.dtype == int
    assert chain.ranks.shape == chain.r2.shape == (0,)
    np.testing.assert_array_equal(chain.transform(X, 23), X)


def test_output_is_the_affine_map_of_the_attributes(X):
    distiller = ReverseDistiller(DIMS).fit(X)
    A = (X - distiller.mean_) @ distiller.components_.T + distiller.offset_
    np.testing.assert_allclose(A, distiller.transform(X), rtol=0, atol=1e-10)
    np.testing.assert_array_equal(distiller.components_[:4, :4], np.eye(4))
    assert not distiller.components_[:4, 4:].any()
    assert not distiller.components_[4:7, 11:].any()


def test_attributes_tell_what_each_level_explains(X):
    distiller = ReverseDistiller(DIMS, regressor="ols").fit(X)
    A = distiller.transform(X)
    total = ((X[:, 4:11] - X[:, 4:11].mean(axis=0)) ** 2).sum()
    from_prefix = ((distiller.inverse_transform(A[:, :4]) - X)[:, 4:11] ** 2).sum()
    after = ((distiller.inverse_transform(A[:, :7]) - X)[:, 4:11] ** 2).sum()
    assert distiller.r2_[0] == pytest.approx(1 - from_prefix / total)
    assert distiller.explained_variance_ratio_[0] == pytest.approx(1 - after / from_prefix)
    assert distiller.ranks_.tolist() == [7, 12]
    assert distiller.alphas_.tolist() == [0.0, 0.0]


def test_the_width_stays_where_rows_are_few(X):
    with pytest.warns(UserWarning, match=r"4 new columns lie beyond .* \(4 of block2\)"):
        A = ReverseDistiller(DIMS, regressor="ols").fit(X[:9]).transform(X)
    assert A.shape == (300, 12)
    assert A[:, 7].any()
    assert not A[:, 8:].any()


@pytest.mark.parametrize("spread", [1e-2, 1e-4, 1e-6])
def test_orthogonality_is_kept_or_its_loss_is_warned_of(spread, X, rng):
    """Two columns of the prefix that differ by ever less."""
    X[:, 3] = X[:, 2] + spread * rng.normal(size=300)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distiller = ReverseDistiller(DIMS, regressor="ols").fit(X)
    correlation = np.corrcoef(distiller.transform(X), rowvar=False)
    reached = np.abs(correlation[:7, 7:]).max()
    if not caught:
        assert reached <= 1e-10
    else:
        match = re.fullmatch(
            r"Rounding may correlate the new columns of block2, .* by up to (\S+); ask for fewer "
            r'with `n_new`, or use regressor="ridge"\.',
            str(caught[0].message),
        )
        assert reached <= 10 * float(match[1])
    assert bool(caught) == (spread < 1e-3)


def test_of_single_precision_correlations_are_below_its_rounding(X, rng):
    """A combination that is constant but for rounding is what a layer norm makes."""
    rounding = rng.normal(size=300)
    X[:, 3] = 1e-8 * rounding - X[:, :3].sum(axis=1)
    X[:, 4:] += rounding[:, np.newaxis]
    distiller = ReverseDistiller(DIMS, regressor="ols").fit(X)
    correlation = np.abs(np.corrcoef(distiller.transform(X), rowvar=False))
    assert max(correlation[:4, 4:7].max(), correlation[:7, 7:].max()) <= 1e-7
    assert np.abs(distiller._chain.levels[0].coef).max() < 10  # it is not used


def test_fewer_rows_than_columns_are_warned_of_with_the_remedy(X):
    with pytest.warns(UserWarning, match="fewer than its 23 columns") as caught:
        ReverseDistiller(DIMS, n_new=[1, 1]).fit(X[:20])
    assert [str(warning.message) for warning in caught] == [
        "The chain is fitted on 20 rows, fewer than its 23 columns; pooled embeddings of few "
        "proteins do not determine it, so take a chain that was fitted on residues of natural "
        "proteins (pretrained=), or fit one (fit_residues)."
    ]
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"23 columns, and 5 new columns .* \(5 of block2\); p"):
        ReverseDistiller(DIMS, n_new=[1, 7]).fit(X[:22])


def test_rows_that_are_no_fewer_are_not_warned_of(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ReverseDistiller(DIMS, n_new=[1, 1]).fit(X[:23])
        ReverseDistiller([23]).fit(X[:9])  # one model: nothing is fitted
