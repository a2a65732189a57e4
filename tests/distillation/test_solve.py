"""Which chain is solved, from which data."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sklearn_revdist import Moments
from sklearn_revdist.distillation._affine_chain import AffineChain
from sklearn_revdist.distillation._row_chain import RowChain
from sklearn_revdist.distillation._solve import check_solvable_from_moments, solve

DIMS, N_NEW = [4, 7, 12], [3, 5]


@pytest.mark.parametrize("regressor", ["ols", "ridge", "pcr"])
def test_rows_and_their_moments_give_the_same_affine_chain(regressor, X, rng):
    weights = rng.random(300)
    chain, weight, moments = solve(X, weights, DIMS, N_NEW, regressor, None, None)
    assert isinstance(chain, AffineChain)
    assert weight == moments.weight == Moments.of(X, weights).weight
    other, *_ = solve(moments, None, DIMS, N_NEW, regressor, None, None)
    np.testing.assert_array_equal(other.components, chain.components)


@pytest.mark.parametrize("weighted", [False, True])
def test_an_estimator_is_fitted_on_rows(weighted, X, rng):
    weights = rng.random(300) if weighted else None
    chain, weight, moments = solve(X, weights, DIMS, N_NEW, Ridge(), None, None)
    assert isinstance(chain, RowChain)
    assert weight == (weights.sum() if weighted else 300)
    assert moments is None


@pytest.mark.parametrize("regressor", ["ridge", Ridge()])
def test_what_was_solved_before_is_found(regressor, X, tmp_path):
    arguments = X, None, DIMS, N_NEW, regressor, None, None
    first, *_ = solve(*arguments, memory=str(tmp_path))
    files = sorted(tmp_path.rglob("*.pkl"))
    assert len(files) == 1
    again, *_ = solve(*arguments, memory=str(tmp_path))
    assert sorted(tmp_path.rglob("*.pkl")) == files
    np.testing.assert_array_equal(again.transform(X, 12), first.transform(X, 12))


def test_moments_do_not_serve_an_estimator():
    check_solvable_from_moments("ols")
    refused = pytest.raises(
        ValueError, match=r"^regressor=Ridge\(\.\.\.\) needs all rows at once, .*"
    )
    with refused:
        check_solvable_from_moments(Ridge())
    with refused:
        solve(Moments.zeros(23), None, DIMS, N_NEW, Ridge(), None, None)
