"""LayerCurveDisplay: scores of a probe against the depth of the layer, for each model."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator

from ..embedding._base import BaseEmbedder
from ..evaluation._layer_scores import LAYER_SCORED, layer_scores
from ..evaluation._summary import check_columns
from ..utils._compat import validate_params
from ._axes import HUES, Display, check_axes, error_bars, short_name

_MARKERS = "osD^vP"


class LayerCurveDisplay(Display):
    """Score of a probe against the layer, as a fraction of the depth, for each model.

    Make it with :meth:`from_estimator`, which computes the scores, or :meth:`from_scores`. The best
    layer of each model is marked by a ring. Drawing needs matplotlib, which the extra `plot`
    brings.

    Parameters
    ----------
    scores : DataFrame
        Table that :func:`layer_scores` returns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the plot was drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    errorbars_ : dict of str to matplotlib ErrorbarContainer
        Curve and error bars of each model.
    best_ : dict of str to int
        The layer of the highest score of each model.

    See Also
    --------
    layer_scores : Computes the table.

    Examples
    --------
    >>> from sklearn_revdist import ESMEmbedder, LayerCurveDisplay, load_if1_ecoli
    >>> X, y = load_if1_ecoli(return_X_y=True)
    >>> display = LayerCurveDisplay.from_estimator(ESMEmbedder("demo"), X[::7], y[::7])
    >>> list(display.errorbars_)
    ['esm2_t3_100K_demo', 'esm2_t4_500K_demo', 'esm2_t6_2M_demo']
    """

    def __init__(self, scores: pd.DataFrame):
        self.scores = scores

    @classmethod
    def from_estimator(
        cls,
        embedder: BaseEmbedder,
        X: ArrayLike,
        y: ArrayLike,
        *,
        probe: str | BaseEstimator | None = None,
        cv: int | BaseCrossValidator | Iterable = 5,
        groups: ArrayLike | None = None,
        ax: Any = None,
    ) -> Self:
        """Compute the scores of every layer and draw them.

        Parameters
        ----------
        embedder : ESMEmbedder
            The models, and how to pool.
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            Protein sequences.
        y : array-like of shape (n_sequences,)
            Targets.
        probe : {"ridge", "logistic"} or estimator, default=None
            As for :func:`layer_scores`.
        cv : int, cross-validation splitter or iterable, default=5
            Folds, as for :func:`layer_scores`.
        groups : array-like of shape (n_sequences,), default=None
            Groups for the splitter.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LayerCurveDisplay

        Raises
        ------
        TypeError, ValueError
            As for :func:`layer_scores`.
        ImportError
            If matplotlib is not installed.
        """
        check_axes(ax)
        scores = layer_scores(embedder, X, y, probe=probe, cv=cv, groups=groups)
        return cls.from_scores(scores, ax=ax)

    @classmethod
    @validate_params({"scores": [pd.DataFrame]})
    def from_scores(cls, scores: pd.DataFrame, *, ax: Any = None) -> Self:
        """Draw a table of scores.

        Parameters
        ----------
        scores : DataFrame
            Table that :func:`layer_scores` returns.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LayerCurveDisplay

        Raises
        ------
        ValueError
            If a column of scores is missing.
        ImportError
            If matplotlib is not installed.
        """
        check_columns(scores, LAYER_SCORED, "scores")
        return cls(scores).plot(ax=ax)

    def _draw(self, ax):
        self.errorbars_, self.best_ = {}, {}
        for i, (model, rows) in enumerate(self.scores.groupby("model", sort=False)):
            rows = rows.sort_values("layer")
            errors = rows["score_std"] / np.sqrt(rows["n_folds"])
            hue, marker = HUES[i % len(HUES)], _MARKERS[i % len(_MARKERS)]
            style = {"label": short_name(model), "color": hue, "marker": marker}
            self.errorbars_[model] = error_bars(
                ax, rows["depth"], rows["score_mean"], errors, **style
            )
            best = rows.loc[rows["score_mean"].idxmax()]
            self.best_[model] = int(best["layer"])
            ring = {"s": 130, "facecolors": "none", "edgecolors": hue, "linewidths": 1.4}
            ax.scatter(best["depth"], best["score_mean"], zorder=5, **ring)
        ax.set_xlim(-0.03, 1.03)
        ax.set_xlabel("layer, as a fraction of the model's depth (ring: best)")
        ax.set_ylabel("score, mean ± standard error over folds")
