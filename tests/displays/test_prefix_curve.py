"""The curve of all prefixes that an estimator has tried, drawn."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_revdist import (
    ESMEmbedder,
    PrefixCurveDisplay,
    PrefixRidgeClassifierCV,
    PrefixRidgeCV,
    ReverseDistiller,
    load_if1_ecoli,
)

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("_close_figures")


@pytest.fixture
def columns(rng):
    X = rng.normal(size=(80, 9))
    names = [f"{m}_{i}" for m, k in (("esm2_t6_8M_UR50D", 4), ("b_residual", 5)) for i in range(k)]
    return pd.DataFrame(X, columns=names), X[:, 0] + X[:, 5] + rng.normal(size=80)


def test_the_curve_has_the_best_score_of_every_prefix(columns):
    probe = PrefixRidgeCV(scoring="spearman").fit(*columns)
    display = PrefixCurveDisplay.from_estimator(probe)
    np.testing.assert_array_equal(display.line_.get_xdata(), np.arange(1, 10))
    np.testing.assert_array_equal(display.line_.get_ydata(), probe.cv_scores_.max(axis=1))
    assert display.ax_.get_ylabel() == "Spearman correlation of held-out rows"
    best = probe.cv_scores_[0].argmax()
    band = display.band_.get_paths()[0].vertices
    at_first = band[band[:, 0] == 1, 1]
    assert np.ptp(at_first) == pytest.approx(2 * probe.cv_standard_errors_[0, best])


def test_the_chosen_prefix_is_marked(columns):
    probe = PrefixRidgeCV(one_standard_error=True).fit(*columns)
    display = PrefixCurveDisplay.from_estimator(probe)
    assert display.chosen_.get_xdata().tolist() == [probe.n_prefix_]
    assert display.chosen_.get_ydata().tolist() == [probe.best_score_]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert f"chosen: {probe.n_prefix_} columns" in labels


def test_boundaries_of_models_are_read_from_the_names_or_given(columns):
    X, y = columns
    display = PrefixCurveDisplay.from_estimator(PrefixRidgeCV().fit(X, y))
    assert display.models == {"esm2_t6_8M_UR50D": 4, "b": 9}
    assert [line.get_xdata()[0] for line in display.boundaries_] == [4, 9]
    assert [name.get_text().strip() for name in display.names_] == ["8M: 4", "b: 9"]

    probe = PrefixRidgeCV().fit(X.to_numpy(), y)
    assert PrefixCurveDisplay.from_estimator(probe).boundaries_ == []
    display = PrefixCurveDisplay.from_estimator(probe, models={"small": 3})
    assert [line.get_xdata()[0] for line in display.boundaries_] == [3]


def test_a_pipeline_of_arrays_names_its_models(columns):
    X, y = columns[0].to_numpy(), columns[1]
    distiller = ReverseDistiller({"8M_of_mine": 3, "large": 6}, regressor="ols")
    model = make_pipeline(distiller, StandardScaler(), PrefixRidgeCV()).fit(X, y)
    expected = {"8M_of_mine": 3, "large": 6}
    assert PrefixCurveDisplay.from_estimator(model).models == expected
    assert PrefixCurveDisplay.from_estimator(model[-1]).models is None
    assert PrefixCurveDisplay.from_estimator(model[-1], models=distiller).models == expected
    frame = make_pipeline(PrefixRidgeCV()).fit(*columns)
    assert PrefixCurveDisplay.from_estimator(frame).models == {"esm2_t6_8M_UR50D": 4, "b": 9}


def test_a_pipeline_from_sequences_names_its_models():
    X, y = load_if1_ecoli(return_X_y=True)
    steps = ESMEmbedder("demo"), ReverseDistiller(pretrained="demo"), PrefixRidgeCV()
    display = PrefixCurveDisplay.from_estimator(make_pipeline(*steps).fit(X[::20], y[::20]))
    assert [name.get_text().strip() for name in display.names_] == [
        "demo-48: 48",
        "demo-96: 96",
        "demo-160: 160",
    ]


def test_steps_without_names_of_columns_have_no_boundaries(columns):
    X, y = columns[0].to_numpy(), columns[1]
    model = make_pipeline(FunctionTransformer(np.negative), PrefixRidgeCV()).fit(X, y)
    assert PrefixCurveDisplay.from_estimator(model).models is None


def test_a_pipeline_that_tries_no_prefixes_is_refused(columns):
    model = make_pipeline(StandardScaler(), Ridge()).fit(*columns)
    with pytest.raises(ValueError, match="The pipeline ends with Ridge, which tries no prefixes"):
        PrefixCurveDisplay.from_estimator(model)


def test_the_curve_of_a_classifier_on_a_given_axes(columns):
    X, y = columns
    _, ax = plt.subplots()
    probe = PrefixRidgeClassifierCV(prefixes=[2, 5]).fit(X, y > 0)
    display = PrefixCurveDisplay.from_estimator(probe, ax=ax)
    assert display.ax_ is ax
    assert ax.get_ylabel() == "accuracy of held-out rows"
    assert display.line_.get_marker() == "."
    display.figure_.canvas.draw()
