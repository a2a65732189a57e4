"""Axes: what displays share: matplotlib at use, how representations look, names of models."""

from typing import Any

from ._models import DEMO, ESM2

# Of the Okabe-Ito palette; markers and dashes tell curves apart without colour.
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


def pyplot() -> Any:
    """Matplotlib's pyplot, or the error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays are drawn with matplotlib, which is not installed; "
            'install it with `pip install "sklearn-revdist[plot]"`.'
        ) from error
    return plt


def check_axes(ax: Any) -> None:
    """Say, before any work, that there is no matplotlib or nothing to draw on."""
    if ax is None:
        pyplot()
    elif not hasattr(ax, "get_xaxis_transform"):
        raise TypeError(
            f"ax must be Axes of matplotlib, but it is of type {type(ax).__name__}; give one of "
            "plt.subplots(), or None for a new figure."
        )


def axes(ax: Any) -> Any:
    """The axes given, or those of a new figure."""
    check_axes(ax)
    if ax is None:
        _, ax = pyplot().subplots(figsize=(6.4, 4.2), layout="constrained")
    return ax


def error_bars(ax: Any, representation: str, x: Any, y: Any, errors: Any, **changes: Any) -> Any:
    """Scores in the style of a representation, or with changes to it, and their errors."""
    style = {**STYLES[representation], **changes}
    return ax.errorbar(x, y, yerr=errors, capsize=2.5, elinewidth=1, markersize=5.5, **style)


def tidy(ax: Any) -> None:
    """Horizontal lines to read values by, and no frame."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.legend(frameon=False)


def ticks_at_models(ax: Any, models: list[str], widths: list[int]) -> None:
    """A logarithmic axis of widths, with a tick where a model completes a prefix."""
    ax.set_xscale("log")
    labels = [f"{n}\n{short_name(model)}" for n, model in zip(widths, models, strict=True)]
    ax.set_xticks(widths, labels)
    ax.set_xticks([], minor=True)
    ax.set_xlabel("number of columns, and the model that completes them")


def mark_models(ax: Any, lengths: dict[str, int]) -> tuple[list[Any], list[Any]]:
    """Lines where models end, and their names there."""
    lines, names = [], []
    for model, length in lengths.items():
        lines.append(ax.axvline(length, color="0.6", linewidth=1, linestyle="--", zorder=1))
        # Upright, since boundaries may lie close together.
        name = ax.text(
            length,
            0.02,
            f"{short_name(model)}: {length} ",
            rotation="vertical",
            ha="right",
            va="bottom",
            fontsize="small",
            transform=ax.get_xaxis_transform(),
        )
        names.append(name)
    return lines, names


def short_name(model: str) -> str:
    """Short name of a known model; else the name itself."""
    return next((known.short for known in ESM2 + DEMO if known.name == model), model)
