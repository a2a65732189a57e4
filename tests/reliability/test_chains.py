"""Random chains: a shorter one is the longer one's beginning, and new columns are uncorrelated."""

import warnings

import numpy as np
import pytest

from sklearn_revdist import Moments, ReverseDistiller
from sklearn_revdist.distillation._chain import solve_chain

REGRESSORS = ["ols", "ridge", "pcr"]


def random_chain(rng, least_rows):
    """Widths that grow, and rows of embeddings that share a latent space."""
    dims = np.cumsum(rng.integers(1, 9, size=rng.integers(2, 6))).tolist()
    n_samples = int(least_rows * sum(dims)) + int(rng.integers(5, 200))
    latent = rng.normal(size=(n_samples, dims[-1]))
    X = np.hstack([latent @ rng.normal(size=(dims[-1], d)) for d in dims])
    return dims, X + rng.normal(size=X.shape) + 10 * rng.normal(size=X.shape[1])


@pytest.mark.parametrize("n_trials", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_a_prefix_is_the_shorter_chain_bit_for_bit(n_trials, rng):
    for trial in range(n_trials):
        dims, X = random_chain(rng, rng.choice([0, 0.5, 2]))
        n_new = [int(rng.integers(0, d + 1)) for d in dims[1:]]
        moments = Moments.of(X, rng.random(len(X)) if trial % 2 else None)
        settings = {
            "regressor": REGRESSORS[trial % 3],
            "residual": ["model", "joint"][trial // 3 % 2],
        }
        whole = solve_chain(moments, dims, n_new, **settings)
        k = int(rng.integers(1, len(dims)))
        leading = moments.leading(sum(dims[:k]))
        if (leading.root is None) == (moments.root is None):
            part = solve_chain(leading, dims[:k], n_new[: k - 1], **settings)
            for ours, theirs in zip(part, whole, strict=False):
                np.testing.assert_array_equal(ours.components, theirs.components)
                np.testing.assert_array_equal(ours.coef, theirs.coef)
                np.testing.assert_array_equal(ours.carried, theirs.carried)

        with warnings.catch_warnings():
            expected = ".*(beyond the numerical rank|fewer than its|so small)"
            warnings.filterwarnings("ignore", expected, UserWarning)
            distiller = ReverseDistiller(dims, n_new=n_new, **settings)
            distiller.fit_moments(moments)
            A = distiller.transform(X)
            shorter = distiller.truncate(distiller.model_names_[k - 1])
        length = int(distiller.prefix_lengths_[k - 1])
        np.testing.assert_array_equal(shorter.transform(X[:, : sum(dims[:k])]), A[:, :length])
        distiller.set_params(n_components=length)
        np.testing.assert_array_equal(distiller.transform(X), A[:, :length])


def outliers(X, rng):
    """One column in four with a far mean, another scale or one row far away."""
    for column in rng.choice(X.shape[1], size=max(1, X.shape[1] // 4), replace=False):
        match int(rng.integers(3)):
            case 0:
                X[:, column] += 1e3 * X[:, column].std()
            case 1:
                X[:, column] *= 10.0 ** rng.integers(-3, 4)
            case 2:
                X[rng.integers(len(X)), column] += 100 * X[:, column].std()
    return X


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("n_trials", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_new_columns_of_least_squares_are_uncorrelated(n_trials, dtype, tolerance, rng):
    for trial in range(n_trials):
        dims, X = random_chain(rng, 3)
        X = outliers(X, rng).astype(dtype)
        residual = ["model", "joint"][trial % 2]
        distiller = ReverseDistiller(dims, regressor="ols", residual=residual).fit(X)
        # In float64: the rounding of a float32 result is that of its far means.
        A = distiller.transform(X.astype(np.float64))
        with np.errstate(invalid="ignore"):
            correlation = np.abs(np.corrcoef(A, rowvar=False))
        for start, stop in zip(
            distiller.prefix_lengths_, distiller.prefix_lengths_[1:], strict=False
        ):
            assert correlation[:start, start:stop].max(initial=0) <= tolerance
