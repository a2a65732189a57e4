"""Rows in pieces: batches, shards and their moments are the fit of all rows at once."""

import numpy as np
import pytest

from sklearn_revdist import ReverseDistiller

DIMS = [4, 7, 12]
REGRESSORS = ["ols", "ridge", "pcr"]


@pytest.mark.parametrize("regressor", REGRESSORS)
@pytest.mark.parametrize("batch_size", [1, 37, 299])
def test_batches_in_any_order_give_the_fit_of_all_rows(batch_size, regressor, X, rng):
    weights = rng.random(300)
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


def test_rows_can_be_added_to_a_fit(X):
    distiller = ReverseDistiller(DIMS).fit(X[:200])
    before = distiller.transform(X)
    distiller.partial_fit(X[200:])
    at_once = ReverseDistiller(DIMS).fit(X)
    np.testing.assert_allclose(distiller.transform(X), at_once.transform(X), rtol=0, atol=1e-10)
    assert np.abs(distiller.transform(X) - before).max() > 1e-6


def test_the_chain_is_solved_once_after_all_batches(X):
    distiller = ReverseDistiller(DIMS)
    for batch in np.split(X, 10):
        distiller.partial_fit(batch)
        assert "_chain" not in vars(distiller)
    assert distiller.r2_.shape == (2,)
    chain = vars(distiller)["_chain"]
    distiller.inverse_transform(distiller.transform(X))
    assert vars(distiller)["_chain"] is chain


def test_fits_made_apart_merge(X):
    parts = [ReverseDistiller(DIMS).fit(part).moments_ for part in (X[:80], X[80:170], X[170:])]
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


@pytest.mark.filterwarnings("ignore:.*beyond the numerical rank")  # of few rows
@pytest.mark.parametrize("seed", range(500))
def test_random_splits_merged_in_random_order_are_the_fit_at_once(seed, embeddings):
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
def test_kept_moments_serve_other_parameters_as_the_data_would(parameters, X, state):
    moments = ReverseDistiller(DIMS).fit(X).moments_
    again = ReverseDistiller(DIMS, **parameters).fit_moments(moments)
    np.testing.assert_equal(state(again), state(ReverseDistiller(DIMS, **parameters).fit(X)))


def test_leading_moments_serve_a_shorter_chain_bit_for_bit(X):
    longer = ReverseDistiller(DIMS).fit(X)
    shorter = ReverseDistiller(DIMS[:2]).fit_moments(longer.moments_.leading(11))
    np.testing.assert_array_equal(shorter.transform(X[:, :11]), longer.transform(X)[:, :7])


def test_rows_cannot_be_added_to_a_distiller_from_a_file(X, tmp_path):
    ReverseDistiller(DIMS).fit(X).save_pretrained(tmp_path / "a.safetensors")
    distiller = ReverseDistiller.from_pretrained(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="read from a file that keeps no moments"):
        distiller.partial_fit(X)


def test_parameters_set_between_the_batches_and_the_solution_are_checked(X):
    distiller = ReverseDistiller(DIMS).partial_fit(X).set_params(regressor="lasso")
    with pytest.raises(ValueError, match="'regressor' parameter of ReverseDistiller must be"):
        distiller.transform(np.zeros((1, 23)))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.full((2, 23), np.nan), "X has NaN in row 0, column 0"),
        (np.zeros((2, 22)), r"22 features.*expecting 23"),
    ],
)
def test_a_failed_batch_changes_nothing(rows, message, X, state):
    distiller = ReverseDistiller(DIMS).partial_fit(X)
    before = state(distiller)
    with pytest.raises(ValueError, match=message):
        distiller.partial_fit(rows)
    np.testing.assert_equal(before, state(distiller))
