"""Displays need axes to draw on, and matplotlib, before they compute anything."""

import sys

import pytest

from sklearn_revdist import (
    NestedVarianceDisplay,
    PrefixCurveDisplay,
    PrefixRidgeCV,
    PrefixScoreDisplay,
    ReverseDistiller,
    ScalingDisplay,
    SubstitutionMapDisplay,
    mean_scores,
    prefix_scores,
)
from sklearn_revdist.displays._axes import short_name


def test_short_names_say_layers_and_poolings():
    short = {
        "esm2_t6_8M_UR50D": "8M",
        "esm2_t6_8M_UR50D_layer3": "8M layer 3",
        "esm2_t3_100K_demo_layer0_sites_difference": "demo-48 layer 0 sites difference",
        "mine_layer3": "mine_layer3",
    }
    assert {name: short_name(name) for name in short} == short


@pytest.fixture
def drawings(X):
    """Functions that draw each display on given axes."""
    y = X[:, 0]
    distiller, probe = ReverseDistiller([4, 7, 12]).fit(X), PrefixRidgeCV([1.0]).fit(X, y)
    scores = prefix_scores(distiller, X, y, cv=2)
    kind = {"rows": "proteins", "metric": "spearman", "split": "random", "subset": "all"}
    table = scores.rename(columns={"score_mean": "score"}).assign(task="a", fitted_on="", **kind)
    return [
        lambda ax: NestedVarianceDisplay.from_estimator(distiller, ax=ax),
        lambda ax: PrefixCurveDisplay.from_estimator(probe, ax=ax),
        lambda ax: PrefixScoreDisplay.from_estimator(distiller, X, y, cv=2, ax=ax),
        lambda ax: PrefixScoreDisplay.from_scores(scores, ax=ax),
        lambda ax: ScalingDisplay.from_table(mean_scores(table), ax=ax),
        lambda ax: SubstitutionMapDisplay.from_predictions(["A1G"], [1.0], ax=ax),
    ]


def test_without_matplotlib_the_error_names_the_extra(drawings, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in drawings:
        with pytest.raises(ImportError, match=r'pip install "sklearn-revdist\[plot\]"'):
            draw(None)


def test_what_is_not_axes_is_refused(drawings):
    for draw in drawings:
        with pytest.raises(TypeError, match=r"ax must be matplotlib Axes, .* type str;"):
            draw("axes")
