"""NaN, infinity and overflow: an error before anything changes, or another precision."""

import argparse
import pickle

import numpy as np
import pytest
import torch

from sklearn_revdist import (
    ESMEmbedder,
    Moments,
    NaiveChain,
    PrefixRidgeClassifierCV,
    PrefixRidgeCV,
    ReverseDistiller,
)
from sklearn_revdist.embedding import _inference

DIMS = [3, 4, 6]


def state(estimator):
    return pickle.dumps(estimator)


@pytest.mark.parametrize("n_trials", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_no_batch_with_such_a_number_changes_a_fit(n_trials, rng):
    X = rng.normal(size=(60, 13))
    distiller = ReverseDistiller(DIMS).partial_fit(X)
    solved = ReverseDistiller(DIMS).fit(X)
    naive = NaiveChain(DIMS).fit(X)
    for trial in range(n_trials):
        estimator = (distiller, solved, naive)[trial % 3]
        rows = rng.normal(size=(int(rng.integers(2, 60)), 13))
        rows = rows.astype([np.float64, np.float32][trial % 2])
        at = int(rng.integers(len(rows))), int(rng.integers(13))
        rows[at] = [np.nan, np.inf, -np.inf][int(rng.integers(3))]
        before = state(estimator)
        calls = [estimator.fit, estimator.transform]
        if estimator is not naive:
            calls += [estimator.partial_fit, estimator.score, estimator.inverse_transform]
        call = calls[trial // 3 % len(calls)]
        if call.__name__ == "inverse_transform":
            rows = rows[:, at[1] : at[1] + 1]
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            call(rows)
        assert state(estimator) == before


@pytest.mark.parametrize("size", [1e155, 1e200, 1e300, 1.7e308])
@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_moments"])
@pytest.mark.parametrize("n_samples", [5, 60])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_squares_that_overflow_are_told_and_change_nothing(n_samples, method, size, rng):
    X = rng.normal(size=(60, 13))
    distiller = ReverseDistiller(DIMS).fit(X)
    before, nested = state(distiller), distiller.transform(X)
    huge = rng.normal(size=(n_samples, 13))
    huge[3, 7] = size
    call = getattr(distiller, method)
    if method == "fit_moments":
        call = lambda rows: distiller.fit_moments(Moments.of(rows))  # noqa: E731
    with pytest.raises(ValueError, match=r"of column 7 .* are too large"):
        call(huge)
    assert state(distiller) == before
    np.testing.assert_array_equal(distiller.transform(X), nested)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_are_no_weights_change_nothing(method, value, rng):
    X, weights = rng.normal(size=(60, 13)), rng.random(60)
    distiller = ReverseDistiller(DIMS).fit(X)
    before = state(distiller)
    weights[7] = value
    with pytest.raises(ValueError, match=r"weight|Weight"):
        getattr(distiller, method)(X, sample_weight=weights)
    assert state(distiller) == before


@pytest.mark.parametrize("estimator", [PrefixRidgeCV(), PrefixRidgeClassifierCV()])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_probes_refuse_such_a_number_and_keep_their_fit(estimator, value, rng):
    X, y = rng.normal(size=(60, 8)), np.repeat([0, 1], 30)
    estimator = type(estimator)(prefixes=[2, 4]).fit(X, y)
    before = state(estimator)
    X[5, 6] = value
    for call in (estimator.fit, estimator.score):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            call(X, y)
    assert state(estimator) == before


@pytest.fixture
def large(tmp_path, write_checkpoint):
    """A checkpoint whose hidden states overflow float16, but not bfloat16."""
    path = write_checkpoint(tmp_path / "large.pt")
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = torch.load(path, weights_only=True)
    for name, tensor in content["model"].items():
        if name.endswith("fc2.weight"):
            tensor *= 1e6
    torch.save(content, path)
    return str(path)


def test_overflow_in_float16_is_an_error_or_computed_again(large, fair_esm, monkeypatch):
    with pytest.raises(ValueError, match=r"not finite in float16 for record 0 .*dtype='float32'"):
        ESMEmbedder([large], dtype="float16").transform(["MKTAYIAKQR"])
    both = torch.float16, torch.bfloat16
    monkeypatch.setattr(_inference, "resolve_dtypes", lambda dtype, device: both)
    again = ESMEmbedder([large]).transform(["MKTAYIAKQR"])
    fair_esm.means([large], ["MKTAYIAKQR"]).assert_rounded(again, torch.bfloat16)
