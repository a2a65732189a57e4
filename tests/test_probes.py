"""Probes."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist._probes import RIDGE_ALPHAS, fit_probe, make_probe, penalty


@pytest.mark.parametrize("shape", [(200, 30), (40, 90)])
def test_ridge_chooses_and_predicts_as_by_scikit_learns_default_method(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1]))
    y = X[:, 0] + rng.normal(size=len(X))
    expected = make_pipeline(StandardScaler(), RidgeCV(RIDGE_ALPHAS)).fit(X, y)
    probe = fit_probe(make_probe("ridge", "regression"), X, y, np.arange(len(X)))
    assert penalty(probe) == expected[-1].alpha_
    np.testing.assert_allclose(probe.predict(X), expected.predict(X), rtol=1e-9, atol=1e-9)
