"""PrefixScoreDisplay: scores of a probe against the number of columns."""

from typing import Any, Self

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import Pipeline

from ..distillation._reverse_distiller import ReverseDistiller
from ..evaluation._prefix_scores import PREFIX_SCORED, prefix_scores
from ..evaluation._summary import check_columns
from ..utils._compat import validate_params
from ._axes import (
    STYLES,
    Display,
    check_axes,
    error_bars,
    label_of_score,
    lines_across,
    ticks_at_models,
)


class PrefixScoreDisplay(Display):
    """Score of a probe against the number of columns, for nested embeddings and baselines.

    Make it with :meth:`from_estimator`, which computes the scores, or :meth:`from_scores`.
    Drawing needs matplotlib, which the extra `plot` brings.

    Parameters
    ----------
    scores : DataFrame
        Table that :func:`prefix_scores` returns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the plot was drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    errorbars_ : dict of str to matplotlib ErrorbarContainer
        Curve and error bars of each representation.
    lines_ : dict of str to matplotlib Line2D
        Line across of each baseline without a model.

    See Also
    --------
    prefix_scores : Computes the table.

    Examples
    --------
    The target depends on a column of the small model, 4 wide, and on one of the large, 8 wide:

    >>> import numpy as np
    >>> from sklearn_revdist import PrefixScoreDisplay, ReverseDistiller
    >>> X = np.random.default_rng(0).normal(size=(200, 12))
    >>> distiller = ReverseDistiller(dims=[4, 8]).fit(X)

    Scores are computed and drawn in one call:

    >>> display = PrefixScoreDisplay.from_estimator(distiller, X, X[:, 0] + X[:, 5])

    The nested embedding of both models scores highest:

    >>> display.scores.set_index(["model", "representation"])["score_mean"].idxmax()
    ('block1', 'distilled')
    """

    def __init__(self, scores: pd.DataFrame):
        self.scores = scores

    @classmethod
    def from_estimator(
        cls,
        distiller: ReverseDistiller | FrozenEstimator | Pipeline,
        X: ArrayLike,
        y: ArrayLike,
        *,
        cv: int | BaseCrossValidator = 5,
        ax: Any = None,
    ) -> Self:
        """Compute the scores of every prefix and draw them.

        Parameters
        ----------
        distiller : ReverseDistiller, FrozenEstimator or Pipeline
            A fitted distiller, or a fitted pipeline with one.
        X : array-like of shape (n_samples, n_features), float64 or float32
            Concatenated embeddings; for a pipeline what its first step takes.
        y : array-like of shape (n_samples,)
            Targets.
        cv : int or cross-validation splitter, default=5
            Folds, as in :func:`prefix_scores`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : PrefixScoreDisplay

        Raises
        ------
        ValueError
            As for :func:`prefix_scores`.
        ImportError
            If matplotlib is not installed.
        """
        check_axes(ax)
        return cls.from_scores(prefix_scores(distiller, X, y, cv=cv), ax=ax)

    @classmethod
    @validate_params({"scores": [pd.DataFrame]})
    def from_scores(cls, scores: pd.DataFrame, *, ax: Any = None) -> Self:
        """Draw a table of scores.

        Parameters
        ----------
        scores : DataFrame
            Table that :func:`prefix_scores` returns.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : PrefixScoreDisplay

        Raises
        ------
        ValueError
            If a column of scores is missing.
        ImportError
            If matplotlib is not installed.
        """
        check_columns(scores, PREFIX_SCORED, "scores")
        return cls(scores).plot(ax=ax)

    def _draw(self, ax):
        distilled = self.scores[self.scores["representation"] == "distilled"]
        boundaries = distilled["n_columns"].tolist()
        ticks_at_models(ax, distilled["model"].tolist(), boundaries)
        # Error bars at the same width are drawn side by side, a fraction of the axis apart.
        nudge = (boundaries[-1] / boundaries[0]) ** 0.012
        shifts = {"distilled": 1, "plain": 1 / nudge, "concat_pca": nudge}
        self.errorbars_ = {}
        for representation, shift in shifts.items():
            rows = self.scores[self.scores["representation"] == representation]
            x, y, errors = rows["n_columns"] * shift, rows["score_mean"], rows["score_std"]
            self.errorbars_[representation] = error_bars(ax, x, y, errors, **STYLES[representation])
        rows = self.scores.set_index("representation")["score_mean"]
        self.lines_ = lines_across(ax, rows)
        ax.set_ylabel(label_of_score("spearman", "mean ± SD over folds"))
