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
    mean_scores,
    prefix_scores,
)


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
