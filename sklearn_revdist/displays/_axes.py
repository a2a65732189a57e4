"""Axes: base class of displays, styles of representations, ticks and lines at models."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Self

import pandas as pd

from ..utils._models import known_model, model_and_layer
from ..utils._optional import import_optional
from ._legends import AMPLE, keep_apart, keep_ticks_apart, legend_below

_NEED = "Displays are drawn with matplotlib"
pyplot = partial(import_optional, "matplotlib.pyplot", _NEED, "plot", "install it with")

# From the Okabe-Ito palette; markers and dashes distinguish curves without colour.
HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = {
    "distilled": {"label": "distilled (nested)", "color": "#0072B2", "fmt": "o-", "zorder": 4},
    "plain": {"label": "plain (one model)", "color": "#D55E00", "fmt": "s--", "zorder": 3},
    "jump": {"label": "jump (no models between)", "color": "#009E73", "fmt": "D-.", "zorder": 2},
    "naive": {"label": "naive chain", "color": "#CC79A7", "fmt": "v:", "zorder": 2},
    "concat_pca": {"label": "PCA of concatenation", "color": "#6E6E6E", "fmt": "^:", "zorder": 2},
    "largest_pca": {"label": "PCA of largest", "color": "#E69F00", "fmt": "P:", "zorder": 2},
    "largest_first": {"label": "first of largest", "color": "#56B4E9", "fmt": "X:", "zorder": 2},
    "concat": {"label": "concatenation (wider)", "color": "#000000", "fmt": "*:", "zorder": 2},
}
# Baselines without a model, which are lines across.
LEVELS = {
    "one_hot": {"label": "one-hot", "color": "#000000", "linestyle": (0, (6, 3))},
    "site_mean": {"label": "mean of the site", "color": "#6E6E6E", "linestyle": (0, (1, 2))},
    "composition": {"label": "composition", "color": "#6E6E6E", "linestyle": (0, (6, 3))},
}

# Scores by the name of their scorer, or of the metric in tables.
_SCORES = {
    "spearman": "Spearman correlation",
    "r2": "R²",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "aupr": "area under the precision-recall curve",
    "average_precision": "area under the precision-recall curve",
    "map": "mean average precision",
    "roc_auc": "area under the ROC curve",
    "f1_macro": "macro F1",
    "explained_variance": "explained variance",
    "neg_mean_squared_error": "negative mean squared error",
    "neg_root_mean_squared_error": "negative root mean squared error",
    "neg_mean_absolute_error": "negative mean absolute error",
    "neg_median_absolute_error": "negative median absolute error",
}

# Letters of a line beside the vertical axis.
_LONGEST_LABEL = 46


class Display(ABC):
    """Base class of displays, which are drawn on given or new axes."""

    def plot(self, ax: Any = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, with the legend inside; None makes a new figure, with the legend below.

        Returns
        -------
        self : object
            The display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `ax` is not matplotlib Axes.
        """
        check_axes(ax)
        is_new = ax is None
        if is_new:
            _, ax = pyplot().subplots(figsize=(6.4, AMPLE), layout="constrained")
        self._draw(ax)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        keep_ticks_apart(ax)
        keep_apart(getattr(self, "names_", []))
        if is_new:
            legend_below(ax)
        else:
            ax.legend(facecolor="white", edgecolor="none", framealpha=0.8)  # lines may lie below
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    @abstractmethod
    def _draw(self, ax: Any) -> None:
        """Draw everything but frame, grid and legend."""


def check_axes(ax: Any) -> None:
    """Raise an error if matplotlib is missing or `ax` is not Axes, before any work."""
    if ax is None:
        pyplot()
    elif not hasattr(ax, "get_xaxis_transform"):
        raise TypeError(
            f"ax must be matplotlib Axes, but it is of type {type(ax).__name__}; give one of "
            "plt.subplots(), or None for a new figure."
        )


def lines_across(ax: Any, scores: pd.Series) -> dict[str, Any]:
    """Draw a line across at the score of each baseline without a model; others are left out."""
    found = scores[scores.index.isin(LEVELS)]
    return {name: ax.axhline(y, linewidth=1.2, **LEVELS[name]) for name, y in found.items()}


def error_bars(ax: Any, x: Any, y: Any, errors: Any, **style: Any) -> Any:
    """Draw scores and their error bars in a style."""
    return ax.errorbar(x, y, yerr=errors, capsize=2.5, elinewidth=1, markersize=5.5, **style)


def ticks_at_models(ax: Any, models: list[str], widths: list[int]) -> None:
    """Make the axis of widths logarithmic, with a tick at the width of each model."""
    ax.set_xscale("log")
    labels = [f"{n}\n{short_name(model)}" for n, model in zip(widths, models, strict=True)]
    ax.set_xticks(widths, labels)
    ax.set_xticks([], minor=True)
    ax.set_xlabel("number of columns, and the model that completes them")


def mark_models(ax: Any, lengths: dict[str, int]) -> tuple[list[Any], list[Any]]:
    """Make the axis of widths logarithmic; draw and return lines and names where models end."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    lines, names = [], []
    for model, length in lengths.items():
        lines.append(ax.axvline(length, color="0.6", linewidth=1, linestyle="--", zorder=1))
        # Upright, since boundaries may lie close together.
        upright = {"rotation": "vertical", "ha": "right", "va": "bottom", "fontsize": "small"}
        text = f"{short_name(model)}: {length} "
        names.append(ax.text(length, 0.02, text, transform=ax.get_xaxis_transform(), **upright))
    return lines, names


def score_name(score: str) -> str:
    """Name a score as in a sentence; one without a name here keeps its own, with blanks."""
    return _SCORES.get(score, score.replace("_", " "))


def label_of_score(score: str, rest: str) -> str:
    """Label of an axis: the name of a score and what is shown of it, in one line if it is short."""
    parts = score_name(score) + "," * rest.startswith("mean"), rest
    return (" " if len(" ".join(parts)) <= _LONGEST_LABEL else "\n").join(parts)


def short_name(model: str) -> str:
    """Return the short name of a known model, and what follows it, or else the name itself."""
    known = known_model(model_and_layer(model)[0])
    if known is None:
        return model
    rest = model.removeprefix(known.name).replace("_layer", "_layer ")
    return known.short + rest.replace("_", " ")
