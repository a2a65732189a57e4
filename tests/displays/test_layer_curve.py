"""The display draws the table that it is given."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ESMEmbedder, LayerCurveDisplay, layer_scores, load_if1_ecoli

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("_close_figures")


@pytest.fixture(scope="module")
def data():
    X, y = load_if1_ecoli(return_X_y=True)
    return X[::15], y[::15]


@pytest.fixture(scope="module")
def scores(data):
    return layer_scores(ESMEmbedder("demo"), *data, cv=3)


def test_every_model_is_drawn_at_its_scores_and_its_best_is_marked(scores):
    display = LayerCurveDisplay.from_scores(scores.sample(frac=1, random_state=0))
    for model, rows in scores.groupby("model"):
        line, _, (bars,) = display.errorbars_[model]
        np.testing.assert_array_equal(line.get_xdata(), rows["depth"])
        np.testing.assert_array_equal(line.get_ydata(), rows["score_mean"])
        heights = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
        np.testing.assert_allclose(heights, rows["score_std"] / np.sqrt(3))
        assert display.best_[model] == rows.set_index("layer")["score_mean"].idxmax()
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert sorted(labels) == ["demo-160", "demo-48", "demo-96"]
    drawn = display.ax_.findobj(mpl.collections.PathCollection)
    rings = [ring.get_offsets()[0].tolist() for ring in drawn]
    best = scores.loc[scores.groupby("model")["score_mean"].idxmax(), ["depth", "score_mean"]]
    assert sorted(rings) == sorted(best.to_numpy().tolist())


def test_from_estimator_draws_what_layer_scores_computes(data, scores):
    _, ax = plt.subplots()
    display = LayerCurveDisplay.from_estimator(ESMEmbedder("demo"), *data, cv=3, ax=ax)
    pd.testing.assert_frame_equal(display.scores, scores)
    assert display.ax_ is ax


def test_a_table_without_a_column_is_refused(scores):
    with pytest.raises(ValueError, match="depth"):
        LayerCurveDisplay.from_scores(scores.drop(columns="depth"))
