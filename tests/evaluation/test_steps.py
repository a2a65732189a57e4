"""A pipeline is asked for its distiller, and for the rows that its steps before make for it."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_revdist import (
    ESMEmbedder,
    NestedVarianceDisplay,
    PrefixRidgeCV,
    ReverseDistiller,
    load_if1_ecoli,
    prefix_scores,
)
from sklearn_revdist.evaluation._steps import distiller_of


def test_the_distiller_is_found_frozen_or_not(X):
    distiller = ReverseDistiller([4, 7, 12]).fit(X)
    frozen = FrozenEstimator(distiller)
    for given in (distiller, frozen, make_pipeline(distiller), make_pipeline(frozen, Ridge())):
        assert distiller_of(given, X)[0] is distiller
        assert distiller_of(given, X)[1] is X


def test_rows_are_what_the_steps_before_make_of_them(X):
    model = make_pipeline(StandardScaler(), ReverseDistiller([4, 7, 12]), Ridge()).fit(X, X[:, 0])
    distiller, rows = distiller_of(model, X)
    assert distiller is model[1]
    np.testing.assert_array_equal(rows, model[0].transform(X))
    assert distiller_of(model, None) == (distiller, None)


@pytest.mark.parametrize(
    "given", [make_pipeline(StandardScaler(), Ridge()), FrozenEstimator(Ridge())]
)
def test_where_there_is_none_the_steps_are_named(given):
    with pytest.raises(ValueError, match=r"no ReverseDistiller in (StandardScaler, )?Ridge; give"):
        distiller_of(given, None)


@pytest.mark.usefixtures("_close_figures")
def test_a_pipeline_is_scored_from_its_sequences():
    X, y = load_if1_ecoli(return_X_y=True)
    X, y = X[::20], y[::20]
    embedder, distiller = ESMEmbedder("demo"), ReverseDistiller(pretrained="demo")
    model = make_pipeline(embedder, distiller, PrefixRidgeCV()).fit(X, y)
    H = embedder.transform(X)
    found = prefix_scores(model, X, y, cv=2)
    assert found.equals(prefix_scores(distiller, H, y, cv=2))
    assert found["model"].unique().tolist() == distiller.model_names_
    shares = NestedVarianceDisplay.from_estimator(model, X).explained
    np.testing.assert_array_equal(
        shares, NestedVarianceDisplay.from_estimator(model[1], H).explained
    )
