"""Texts that neither overlap nor are cut off: legends below axes, upright labels, high figures."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

_IN_A_ROW = 3  # panels
_WIDTH, _HEIGHT = 5.2, 3.4  # inches, of a panel with its labels and of axes without
_GAP = 0.08  # inches between the label of an axis and the legend
# Inches of a figure in which any labels have room, until it is known how much they need.
AMPLE = 15


def legend_below(ax: Any) -> None:
    """Draw the legend of the only axes of a figure below them; make it as high as it needs."""
    from matplotlib.transforms import ScaledTranslation

    figure = ax.figure
    figure.draw_without_rendering()
    offset = (ax.bbox.y0 - ax.xaxis.get_tightbbox().y0) / figure.dpi + _GAP
    below = ax.transAxes + ScaledTranslation(0, -offset, figure.dpi_scale_trans)
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "bbox_transform": below}
    entries = _entries(ax)

    def make(n):
        return ax.legend(entries.values(), entries, ncols=n, frameon=False, **place)

    _widest(make, len(entries), ax.bbox)
    _cut_height(figure, 1)


def draw_panels(draws: Iterable[Callable[[Any], Any]]) -> Any:
    """Draw displays side by side in a new figure, with one legend for all below.

    Parameters
    ----------
    draws : iterable of callable
        Each draws a display on the axes that it is given.

    Returns
    -------
    figure : matplotlib Figure
    """
    from matplotlib.figure import Figure

    draws = list(draws)
    n_columns = 2 if len(draws) == 4 else min(len(draws), _IN_A_ROW)
    n_rows = -(-len(draws) // n_columns)
    # A figure of its own, so that no window system is asked for.
    size = max(8.0, n_columns * _WIDTH), n_rows * AMPLE
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax in axes[len(draws) :]:
        ax.remove()
    entries: dict[str, Any] = {}
    for draw, ax in zip(draws, axes, strict=False):
        draw(ax)
        entries |= {label: handle for label, handle in _entries(ax).items() if label not in entries}
        ax.get_legend().remove()

    def make(n):
        for legend in figure.legends:
            legend.remove()
        place = {"loc": "outside lower center", "frameon": False}
        return figure.legend(entries.values(), entries, ncols=n, **place)

    _widest(make, len(entries), figure.bbox)
    _cut_height(figure, n_rows)
    return figure


def keep_ticks_apart(ax: Any) -> None:
    """Write labels of two lines upright, in one line, if they would overlap."""
    texts = [label.get_text() for label in ax.get_xticklabels()]
    if not any("\n" in text for text in texts):
        return
    ax.figure.draw_without_rendering()
    spans = sorted(_span(label) for label in ax.get_xticklabels())
    if any(left[1] >= right[0] for left, right in pairwise(spans)):
        in_line = [": ".join(text.split("\n")[::-1]) for text in texts]
        ax.set_xticks(ax.get_xticks(), in_line, rotation="vertical")
        keep_apart(ax.get_xticklabels())


def keep_apart(upright: Sequence[Any]) -> None:
    """Move upright texts to the left where they would overlap."""
    if not upright:
        return
    from matplotlib.transforms import ScaledTranslation

    figure = upright[0].figure
    figure.draw_without_rendering()
    end = float("inf")
    for text in sorted(upright, key=_span, reverse=True):
        start, stop = _span(text)
        left = max(0.0, stop - end)
        shift = ScaledTranslation(-left / figure.dpi, 0, figure.dpi_scale_trans)
        text.set_transform(text.get_transform() + shift)
        end = start - left


def _entries(ax: Any) -> dict[str, Any]:
    """Handles of the legend by their labels, curves with errors first."""
    from matplotlib.container import ErrorbarContainer

    handles, labels = ax.get_legend_handles_labels()
    entries = zip(labels, handles, strict=True)
    return dict(sorted(entries, key=lambda entry: not isinstance(entry[1], ErrorbarContainer)))


def _span(text: Any) -> tuple[float, float]:
    extent = text.get_window_extent()
    return extent.x0, extent.x1


def _widest(make: Callable[[int], Any], n_entries: int, within: Any) -> None:
    """Make a legend of as many columns as fit within a box."""
    for n_columns in range(n_entries, 0, -1):
        if make(n_columns).get_window_extent().width <= within.width:
            return


def _cut_height(figure: Any, n_rows: int) -> None:
    """Make a figure as high as axes have room for the longest label beside them."""
    figure.draw_without_rendering()
    too_high = min(ax.bbox.height for ax in figure.axes) / figure.dpi - _HEIGHT
    figure.set_figheight(figure.get_figheight() - n_rows * too_high)
