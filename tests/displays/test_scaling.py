"""The display of scaling draws the means that it is given, with their intervals."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import ScalingDisplay, mean_scores

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("_close_figures")

MODELS = ["esm2_t6_8M_UR50D", "esm2_t12_35M_UR50D", "esm2_t30_150M_UR50D"]


@pytest.fixture
def scores():
    """Ten tasks; the distilled embedding of a fold begins with the second model."""
    rng = np.random.default_rng(0)
    rows = []
    for task in range(10):
        for level, (model, width) in enumerate(zip(MODELS, (320, 480, 640), strict=True)):
            of_size = [("plain", "", width), ("distilled", "natural", width)]
            if level:
                of_size += [("distilled", "fold", width), ("concat", "", 320 + width)]
            for representation, fitted_on, n_columns in of_size:
                score = 0.1 * level + 0.1 * rng.normal()
                rows.append((str(task), model, representation, fitted_on, n_columns, score))
    columns = ["task", "model", "representation", "fitted_on", "n_columns", "score"]
    kind = {"rows": "variants", "metric": "spearman", "split": "random", "subset": "all"}
    return pd.DataFrame(rows, columns=columns).assign(**kind)


def test_each_curve_is_at_its_means_and_intervals(scores):
    display = ScalingDisplay.from_table(scores)
    assert set(display.errorbars_) == {
        ("plain", ""),
        ("distilled", "natural"),
        ("distilled", "fold"),
        ("concat", ""),
    }
    means = mean_scores(scores)
    means = means[(means["representation"] == "plain") & (means["subset"] == "all")]
    line, _, (bars,) = display.errorbars_["plain", ""]
    np.testing.assert_allclose(line.get_ydata().astype(float), means["score"])
    np.testing.assert_allclose(line.get_xdata().astype(float), means["n_columns"], rtol=0.05)
    ends = np.array([segment[:, 1] for segment in bars.get_segments()], dtype=float)
    np.testing.assert_allclose(ends, means[["low", "high"]])


def test_a_nested_curve_begins_with_the_smallest_models_own_embedding(scores):
    display = ScalingDisplay.from_table(scores)
    fold = display.errorbars_["distilled", "fold"][0].get_ydata()
    plain = display.errorbars_["plain", ""][0].get_ydata()
    assert len(fold) == 3
    assert fold[0] == plain[0]


def test_baselines_are_drawn_where_chosen_and_wider_ones_move_no_tick(scores):
    chosen = ["plain", "distilled", "concat", "naive"]
    display = ScalingDisplay.from_table(scores, representations=chosen)
    assert ("concat", "") in display.errorbars_
    assert display.ax_.get_xticks().tolist() == [320, 480, 640]
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    upright = ["8M: 320", "35M: 480", "150M: 640"]  # where letters are wider
    assert labels in (["320\n8M", "480\n35M", "640\n150M"], upright)


def test_a_table_of_means_and_a_given_axes_will_do(scores):
    _, ax = plt.subplots()
    display = ScalingDisplay.from_table(mean_scores(scores), ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert ax.get_ylabel() == "Spearman correlation, mean and 95 % interval"
    assert ax.get_title() == "10 tasks (variants, random split)"
    display.figure_.canvas.draw()


def test_a_single_task_has_no_interval(scores):
    display = ScalingDisplay.from_table(scores[scores["task"] == "0"])
    assert display.ax_.get_ylabel() == "Spearman correlation"
    assert display.ax_.get_title() == "1 task (variants, random split)"
    display.figure_.canvas.draw()


def test_curves_differ_without_colour(scores):
    display = ScalingDisplay.from_table(scores)
    lines = [container[0] for container in display.errorbars_.values()]
    looks = {(line.get_marker(), str(line.get_markerfacecolor())) for line in lines}
    assert len(looks) == len(lines)


def test_kinds_are_not_mixed_and_an_empty_picture_is_refused(scores):
    both = pd.concat([scores, scores.assign(split="modulo")])
    with pytest.raises(ValueError, match=r"several kinds .*random; .*modulo.*select one"):
        ScalingDisplay.from_table(both)
    with pytest.raises(ValueError, match="no scores of jump for the subset 'all'"):
        ScalingDisplay.from_table(scores, representations=["jump"])
    with pytest.raises(ValueError, match="for the subset '3'"):
        ScalingDisplay.from_table(scores, subset="3")
