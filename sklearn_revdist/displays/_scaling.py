"""ScalingDisplay: scores against width, over many tasks."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from ..evaluation._summary import NESTED, SCORED, check_columns, mean_scores
from ..utils._compat import validate_params
from ._axes import (
    LEVELS,
    STYLES,
    Display,
    check_axes,
    error_bars,
    label_of_score,
    lines_across,
    ticks_at_models,
)

_DRAWN = ("plain", "distilled", "concat", *LEVELS)
_KIND = ["rows", "metric", "split", "subset"]
_FITTED_ON = {"": "", "natural": ", fitted on natural data", "fold": ", fitted on the fold"}


class ScalingDisplay(Display):
    """Mean score over tasks against the number of columns, with intervals.

    Make it with :meth:`from_table`. Drawing needs matplotlib, which the extra `plot` brings.

    Parameters
    ----------
    means : DataFrame
        Rows of :func:`mean_scores` of one kind: of the same `rows`, `metric`, `split` and `subset`.
    representations : sequence of str, \
            default=("plain", "distilled", "concat", "one_hot", "site_mean", "composition")
        Representations to draw.

    Attributes
    ----------
    errorbars_ : dict of (str, str) to matplotlib ErrorbarContainer
        Curve and error bars of each representation and data that it was fitted on.
    lines_ : dict of str to matplotlib Line2D
        Line across of each baseline without a model.
    ax_ : matplotlib Axes
        Where the plot was drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    See Also
    --------
    evaluate : Computes the scores.
    PrefixScoreDisplay : The same for a single task, with its scatter over folds.

    Examples
    --------
    Two tasks were scored on the plain and the distilled embeddings of two models:

    >>> import pandas as pd
    >>> from sklearn_revdist import ScalingDisplay
    >>> scores = pd.DataFrame({
    ...     "task": ["a"] * 4 + ["b"] * 4,
    ...     "rows": "proteins",
    ...     "metric": "spearman",
    ...     "split": "random",
    ...     "subset": "all",
    ...     "model": ["8M", "8M", "35M", "35M"] * 2,
    ...     "representation": ["plain", "distilled"] * 4,
    ...     "fitted_on": ["", "natural"] * 4,
    ...     "n_columns": [320, 320, 480, 480] * 2,
    ...     "score": [0.4, 0.4, 0.5, 0.6, 0.6, 0.6, 0.7, 0.8],
    ... })

    The display averages them over tasks and draws a curve for each representation:

    >>> display = ScalingDisplay.from_table(scores)
    >>> list(display.errorbars_)
    [('distilled', 'natural'), ('plain', '')]
    """

    def __init__(self, means: pd.DataFrame, *, representations: Sequence[str] = _DRAWN):
        self.means = means
        self.representations = representations

    @classmethod
    @validate_params({"table": [pd.DataFrame], "representations": [list, tuple], "subset": [str]})
    def from_table(
        cls,
        table: pd.DataFrame,
        *,
        representations: Sequence[str] = _DRAWN,
        subset: str = "all",
        ax: Any = None,
    ) -> Self:
        """Draw the means of a table of scores.

        Parameters
        ----------
        table : DataFrame
            Table that :func:`evaluate` or :func:`mean_scores` returns, with scores of one kind: of
            the same `rows`, `metric` and `split`.
        representations : sequence of str, \
            default=("plain", "distilled", "concat", "one_hot", "site_mean", "composition")
            Representations to draw; those that are not in the table are skipped.
        subset : str, default="all"
            Subset of the test rows: "all", or those with "1" to "4" or "5+" substitutions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ScalingDisplay

        Raises
        ------
        ValueError
            If a column of scores is missing, or the table has scores of several kinds, or none to
            draw.
        ImportError
            If matplotlib is not installed.
        """
        check_axes(ax)
        check_columns(table, SCORED, "table")
        means = mean_scores(table) if "task" in table else table
        means = means[means["subset"] == subset]
        kinds = means[_KIND[:3]].drop_duplicates()
        if len(kinds) > 1:
            listed = "; ".join(", ".join(kind) for kind in kinds.itertuples(index=False))
            raise ValueError(
                f"The table has scores of several kinds ({listed}); select one, as in "
                "table[table['split'] == 'random']."
            )
        if not means["representation"].isin(set(representations) - {*LEVELS}).any():
            raise ValueError(
                f"The table has no scores of {', '.join(map(str, representations)) or 'nothing'} "
                f"for the subset {subset!r}; choose other representations, or another subset."
            )
        return cls(means, representations=representations).plot(ax=ax)

    def _draw(self, ax):
        means = self.means[self.means["representation"].isin(self.representations)]
        levels = means.set_index("representation")["score"]
        means = means[~means["representation"].isin(LEVELS)]
        # The width at a model is that of the nested embedding, which most baselines share.
        widths = means[means["representation"] != "concat"].groupby("model")["n_columns"].max()
        models = [model for model in means["model"].unique() if model in widths]
        ticks_at_models(ax, models, [int(widths[model]) for model in models])
        curves = dict.fromkeys(zip(means["representation"], means["fitted_on"], strict=True))
        curves = sorted(curves, key=lambda curve: list(STYLES).index(curve[0]))
        spread = (means["n_columns"].max() / means["n_columns"].min()) ** 0.008
        self.errorbars_ = {}
        for i, (representation, fitted_on) in enumerate(curves):
            curve = self._curve(representation, fitted_on)
            # Few tasks have no interval.
            errors = [curve["score"] - curve["low"], curve["high"] - curve["score"]]
            x = curve["n_columns"] * spread ** (i - (len(curves) - 1) / 2)
            style = STYLES[representation] | {
                "label": STYLES[representation]["label"] + _FITTED_ON[fitted_on],
                "markerfacecolor": "white" if fitted_on == "fold" else None,
            }
            self.errorbars_[representation, fitted_on] = error_bars(
                ax, x, curve["score"], np.nan_to_num(errors), **style
            )
        self.lines_ = lines_across(ax, levels)
        n_tasks = int(means["n_tasks"].max())
        has_interval = means["low"].notna().any()
        shown = "mean and 95 % interval" if has_interval else "mean" * (n_tasks > 1)
        ax.set_ylabel(label_of_score(means["metric"].iloc[0], shown).strip())
        ax.set_title(
            f"{n_tasks} task{'s' if n_tasks > 1 else ''} ({means['rows'].iloc[0]}, "
            f"{means['split'].iloc[0]} split)",
            fontsize="medium",
        )

    def _curve(self, representation, fitted_on):
        """Return the rows of a curve; nested ones include the smallest model's embedding."""
        means = self.means
        chosen = (means["representation"] == representation) & (means["fitted_on"] == fitted_on)
        curve = means[chosen]
        smallest = means["model"].iloc[0]
        if representation in NESTED and smallest not in set(curve["model"]):
            plain = (means["representation"] == "plain") & (means["model"] == smallest)
            curve = pd.concat([means[plain], curve])
        return curve
