"""Displays need axes and matplotlib before they compute anything, and every text can be read."""

import sys
from functools import partial
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import (
    LayerCurveDisplay,
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
from sklearn_revdist.displays._axes import LEVELS, STYLES, score_name, short_name
from sklearn_revdist.displays._legends import draw_panels

mpl.use("Agg")


def test_short_names_say_layers_and_poolings():
    short = {
        "esm2_t6_8M_UR50D": "8M",
        "esm2_t6_8M_UR50D_layer3": "8M layer 3",
        "esm2_t3_100K_demo_layer0_sites_difference": "demo-48 layer 0 sites difference",
        "mine_layer3": "mine_layer3",
    }
    assert {name: short_name(name) for name in short} == short


def test_scores_are_named_as_in_a_sentence():
    names = {
        "spearman": "Spearman correlation",
        "r2": "R²",
        "neg_mean_absolute_error": "negative mean absolute error",
        "recall@5": "recall@5",
        "map": "mean average precision",
        "score": "score",
        "matthews_corrcoef": "matthews corrcoef",
    }
    assert {score: score_name(score) for score in names} == names


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


# ------------------------------------------------------------ texts are whole and apart

CHAINS = {
    "esm2": {
        "esm2_t6_8M_UR50D": 320,
        "esm2_t12_35M_UR50D": 480,
        "esm2_t30_150M_UR50D": 640,
        "esm2_t33_650M_UR50D": 1280,
        "esm2_t36_3B_UR50D": 2560,
        "esm2_t48_15B_UR50D": 5120,
    },
    "demo": {"esm2_t3_100K_demo": 48, "esm2_t4_500K_demo": 96, "esm2_t6_2M_demo": 160},
    "long names": {
        "esm2_t3_100K_demo_layer1_sites_difference": 48,
        "checkpoint_of_mine_after_100000_steps": 300,
        "checkpoint_of_mine_after_200000_steps": 310,
    },
}
ALL = (*STYLES, *LEVELS)


def means_of(chain, split, rng, metric="spearman"):
    """Means of every representation on one split, as `mean_scores` gives them."""
    sizes = [(model, sum([*chain.values()][:i]), w) for i, (model, w) in enumerate(chain.items())]
    rows = [
        (model, name, data, below + width if name == "concat" else width)
        for model, below, width in sizes
        for name in STYLES
        for data in ([""] if name in ("plain", "largest_first", "concat") else ["natural", "fold"])
    ] + [("", name, "fold", 20) for name in LEVELS]
    table = pd.DataFrame(rows, columns=["model", "representation", "fitted_on", "n_columns"])
    score = rng.uniform(0, 0.7, len(table))
    kind = {"rows": "variants", "metric": metric, "split": split, "subset": "all"}
    return table.assign(score=score, low=score - 0.1, high=score + 0.1, n_tasks=39, **kind)


def scaling(chain, rng, n_splits):
    splits = ("random", "contiguous", "modulo", "given")[:n_splits]
    draw = partial(ScalingDisplay.from_table, representations=ALL)
    tables = [means_of(chain, split, rng) for split in splits]
    return draw_panels([lambda ax, table=table: draw(table, ax=ax) for table in tables])


def layers(chain):
    rows = [
        (model, layer, layer / 6, width, 0.3 + 0.03 * layer, 0.05, 5, 0.1, 0, 0.2)
        for model, width in chain.items()
        for layer in range(7)
    ]
    gains = ["gain", "gain_low", "gain_high"]
    columns = ["model", "layer", "depth", "n_columns", "score_mean", "score_std", "n_folds", *gains]
    return pd.DataFrame(rows, columns=columns)


def prefixes(chain):
    rows = [
        (model, name, width, 0.5, 0.1)
        for model, width in chain.items()
        for name in ("plain", "distilled", "concat_pca")
    ] + [("", name, 20, 0.1 * i, 0.1) for i, name in enumerate(LEVELS)]
    columns = ["model", "representation", "n_columns", "score_mean", "score_std"]
    return pd.DataFrame(rows, columns=columns)


def curve(chain, prefixes, score_name="spearman", **where):
    n, errors = len(prefixes), np.full(len(prefixes), 0.02)
    display = PrefixCurveDisplay(prefixes, np.linspace(0, 0.5, n), errors, prefixes[n // 2])
    display.models, display.score_name = chain, score_name
    return display.plot(**where)


def nested(chain, **where):
    lengths = np.arange(1, max(chain.values()) + 1)
    shares = np.array([np.minimum(1, lengths / width) for width in chain.values()])
    return NestedVarianceDisplay(shares, chain).plot(**where)


PICTURES = {
    **{f"scaling, {n} splits": partial(scaling, n_splits=n) for n in (1, 2, 3, 4)},
    "scaling": lambda chain, rng: (
        ScalingDisplay.from_table(means_of(chain, "random", rng), representations=ALL).figure_
    ),
    "scaling by default": lambda chain, rng: (
        ScalingDisplay.from_table(means_of(chain, "random", rng)).figure_
    ),
    "scaling of a long score": lambda chain, rng: (
        ScalingDisplay.from_table(means_of(chain, "random", rng, "aupr")).figure_
    ),
    "prefixes of a long score": lambda chain, rng: (
        curve(chain, np.arange(1, 161), "neg_root_mean_squared_error").figure_
    ),
    "prefix scores": lambda chain, rng: PrefixScoreDisplay.from_scores(prefixes(chain)).figure_,
    "every prefix": lambda chain, rng: curve(chain, np.arange(1, 1 + max(chain.values()))).figure_,
    "prefixes at models": lambda chain, rng: curve(chain, np.array([*chain.values()])).figure_,
    "nested variance": lambda chain, rng: nested(chain).figure_,
    "layers": lambda chain, rng: LayerCurveDisplay.from_scores(layers(chain)).figure_,
    "side by side": lambda chain, rng: draw_panels(
        [
            lambda ax: LayerCurveDisplay.from_scores(layers(chain), ax=ax),
            lambda ax: PrefixScoreDisplay.from_scores(prefixes(chain), ax=ax),
            lambda ax: curve(chain, np.arange(1, 1 + max(chain.values())), ax=ax),
            lambda ax: nested(chain, ax=ax),
            lambda ax: nested(chain, ax=ax),
        ]
    ),
}


def texts(figure):
    """All texts that are drawn, and the places that they take."""
    figure.draw_without_rendering()
    found = [text for legend in figure.legends for text in legend.get_texts()]
    for ax in figure.axes:
        found += [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        found += ax.get_legend().get_texts() if ax.get_legend() else []
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            found += [tick.label1 for tick in ticks if low <= tick.get_loc() <= high]
    return [
        (text.get_text(), text.get_window_extent(), text.get_fontsize())
        for text in found
        if text.get_text().strip()
    ]


@pytest.mark.usefixtures("_close_figures")
@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("picture", PICTURES)
def test_no_text_is_cut_off_or_covers_another(rng, picture, chain):
    figure = PICTURES[picture](CHAINS[chain], rng)
    found = texts(figure)
    assert len(found) > 10
    for text, box, points in found:
        assert points >= 8
        assert min(box.x0, box.y0) > -0.5, text
        assert box.x1 < figure.bbox.x1 + 0.5, text
        assert box.y1 < figure.bbox.y1 + 0.5, text
    for (text, a, _), (other, b, _) in combinations(found, 2):
        overlap = mpl.transforms.Bbox.intersection(a, b)
        assert overlap is None or min(overlap.width, overlap.height) < 0.5, (text, other)
    whole = figure.get_tightbbox()  # in inches
    width, height = figure.get_size_inches()
    assert whole.x0 > -0.01
    assert whole.y0 > -0.01
    assert whole.x1 < width + 0.01
    assert whole.y1 < height + 0.01
