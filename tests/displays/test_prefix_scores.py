"""The display draws the table that it is given."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import PrefixScoreDisplay, ReverseDistiller, prefix_scores

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("_close_figures")

REPRESENTATIONS = ["plain", "distilled", "concat_pca"]


@pytest.fixture
def scores():
    models = ["esm2_t6_8M_UR50D", "esm2_t12_35M_UR50D", "mine"]
    rows = [
        (model, representation, width, 0.1 * level + 0.01 * i, 0.05)
        for level, (model, width) in enumerate(zip(models, [320, 480, 900], strict=True))
        for i, representation in enumerate(REPRESENTATIONS)
    ]
    return pd.DataFrame(
        rows, columns=["model", "representation", "n_columns", "score_mean", "score_std"]
    )


def test_every_representation_is_drawn_at_its_scores(scores):
    display = PrefixScoreDisplay.from_scores(scores)
    for representation in REPRESENTATIONS:
        line, _, _ = display.errorbars_[representation]
        rows = scores[scores["representation"] == representation]
        np.testing.assert_array_equal(line.get_ydata(), rows["score_mean"])
        np.testing.assert_allclose(line.get_xdata().astype(float), rows["n_columns"], rtol=0.05)


def test_ticks_name_the_width_and_the_model_by_its_short_name(scores):
    display = PrefixScoreDisplay.from_scores(scores)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == ["320\n8M", "480\n35M", "900\nmine"]
    assert display.ax_.get_xticks().tolist() == [320, 480, 900]


def test_colours_and_markers_both_differ(scores):
    display = PrefixScoreDisplay.from_scores(scores)
    lines = [container[0] for container in display.errorbars_.values()]
    assert len({line.get_color() for line in lines}) == 3
    assert len({line.get_marker() for line in lines}) == 3


def test_a_given_axes_is_drawn_on(scores):
    figure, ax = plt.subplots()
    display = PrefixScoreDisplay(scores).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]


def test_from_estimator_draws_what_prefix_scores_computes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 12))
    y = X[:, 0] + X[:, 6]
    distiller = ReverseDistiller(dims=[4, 8]).fit(X)
    display = PrefixScoreDisplay.from_estimator(distiller, X, y, cv=3)
    pd.testing.assert_frame_equal(display.scores, prefix_scores(distiller, X, y, cv=3))
    assert display.ax_.get_xticks().tolist() == [4, 8]


def test_a_single_model_can_be_drawn(scores):
    PrefixScoreDisplay.from_scores(scores.iloc[:3]).figure_.canvas.draw()
