"""Displays: what a table says, drawn."""

from typing import Any, Self

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator

from ._evaluation import prefix_scores
from ._models import DEMO, ESM2
from ._reverse_distiller import ReverseDistiller

# Three hues of the Okabe-Ito palette; markers and dashes tell them apart without colour.
_STYLES = {
    "distilled": {"label": "distilled (nested)", "color": "#0072B2", "fmt": "o-", "zorder": 4},
    "plain": {"label": "plain (one model)", "color": "#D55E00", "fmt": "s--", "zorder": 3},
    "concat_pca": {"label": "PCA of concatenation", "color": "#6E6E6E", "fmt": "^:", "zorder": 2},
}


class PrefixScoreDisplay:
    """Score of a probe against the number of columns, for nested and rival embeddings.

    Make it with :meth:`from_estimator`, which computes the scores, or :meth:`from_scores`.
    Drawing needs matplotlib, which the extra `plot` brings.

    Parameters
    ----------
    scores : DataFrame
        Table of :func:`prefix_scores`.

    Attributes
    ----------
    scores : DataFrame
        The table.
    ax_ : matplotlib Axes
        Where the plot was drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    errorbars_ : dict of str to matplotlib ErrorbarContainer
        What was drawn for each representation.

    See Also
    --------
    prefix_scores : Computes the table.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import PrefixScoreDisplay, ReverseDistiller
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 12))
    >>> distiller = ReverseDistiller(dims=[4, 8]).fit(X)
    >>> display = PrefixScoreDisplay.from_estimator(distiller, X, X[:, 0])  # doctest: +SKIP
    """

    def __init__(self, scores):
        self.scores = scores

    @classmethod
    def from_estimator(
        cls,
        distiller: ReverseDistiller,
        X: ArrayLike,
        y: ArrayLike,
        *,
        cv: int | BaseCrossValidator = 5,
        ax: Any = None,
    ) -> Self:
        """Compute the scores of every prefix and draw them.

        Parameters
        ----------
        distiller : ReverseDistiller
            A fitted distiller.
        X : array-like of shape (n_samples, n_features), float64 or float32
            Concatenated embeddings.
        y : array-like of shape (n_samples,)
            What to predict.
        cv : int or cross-validation splitter, default=5
            Folds, as in :func:`prefix_scores`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : PrefixScoreDisplay
        """
        if ax is None:
            _pyplot()  # Without matplotlib, say so before the work.
        return cls.from_scores(prefix_scores(distiller, X, y, cv=cv), ax=ax)

    @classmethod
    def from_scores(cls, scores: pd.DataFrame, *, ax: Any = None) -> Self:
        """Draw a table of scores.

        Parameters
        ----------
        scores : DataFrame
            Table of :func:`prefix_scores`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : PrefixScoreDisplay
        """
        return cls(scores).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : PrefixScoreDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        if ax is None:
            _, ax = _pyplot().subplots(figsize=(6.4, 4.2), layout="constrained")

        distilled = self.scores[self.scores["representation"] == "distilled"]
        boundaries = distilled["n_columns"].to_numpy()
        ax.set_xscale("log")
        # Error bars at one width stand side by side, by a fraction of the axis.
        nudge = (boundaries[-1] / boundaries[0]) ** 0.012
        self.errorbars_ = {}
        for (representation, style), shift in zip(
            _STYLES.items(), (1, 1 / nudge, nudge), strict=True
        ):
            rows = self.scores[self.scores["representation"] == representation]
            self.errorbars_[representation] = ax.errorbar(
                rows["n_columns"] * shift,
                rows["score_mean"],
                yerr=rows["score_std"],
                capsize=2.5,
                elinewidth=1,
                markersize=5.5,
                **style,
            )
        short = {model.name: model.short for model in ESM2 + DEMO}
        ax.set_xticks(
            boundaries,
            [
                f"{n}\n{short.get(model, model)}"
                for n, model in zip(boundaries, distilled["model"], strict=True)
            ],
        )
        ax.set_xticks([], minor=True)
        ax.set(
            xlabel="number of columns, and the model that completes them",
            ylabel="Spearman correlation, mean ± SD over folds",
        )
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.legend(frameon=False)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self


def _pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "PrefixScoreDisplay draws with matplotlib, which is not installed; "
            'install it with `pip install "sklearn-revdist[plot]"`.'
        ) from error
    return plt
