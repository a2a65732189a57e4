"""PrefixCurveDisplay: the held-out score of every prefix that an estimator tried."""

from contextlib import suppress
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..distillation._reverse_distiller import ReverseDistiller
from ..matrix._prefixes import model_prefixes
from ..probes._prefix_ridge_cv import PrefixRidgeClassifierCV, PrefixRidgeCV
from ..utils._compat import validate_params
from ._axes import STYLES, Display, label_of_score, mark_models


class PrefixCurveDisplay(Display):
    """Held-out score against prefix length, for every prefix that an estimator tried.

    Make it with :meth:`from_estimator`. Drawing needs matplotlib, which the extra `plot` brings.

    Parameters
    ----------
    prefixes : ndarray of shape (n_prefixes,)
        Prefix lengths, increasing.
    scores : ndarray of shape (n_prefixes,)
        Score of each prefix on held-out rows, with its best penalty.
    standard_errors : ndarray of shape (n_prefixes,)
        Standard errors of the scores.
    n_prefix : int
        The chosen length.
    models : dict of str to int, default=None
        For each model of the chain, the number of columns up to and including it.
    score_name : str, default="score"
        Name of the score: that of a scorer, or another, for the axis.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    band_ : matplotlib FillBetweenPolyCollection
        Scores plus and minus one standard error.
    chosen_ : matplotlib Line2D
        Marker of the chosen prefix.
    boundaries_, names_ : list of matplotlib Line2D, list of matplotlib Text
        Lines where models end, and the names of the models.
    ax_ : matplotlib Axes
        Where the plot was drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    See Also
    --------
    PrefixRidgeCV : Computes the scores.
    PrefixRidgeClassifierCV : The same for classes.

    Examples
    --------
    The target depends on the first and the sixth of twelve columns:

    >>> import numpy as np
    >>> from sklearn_revdist import PrefixCurveDisplay, PrefixRidgeCV
    >>> X = np.random.default_rng(0).normal(size=(200, 12))
    >>> probe = PrefixRidgeCV().fit(X, X[:, 0] + X[:, 5])

    The curve rises at these columns. Lines mark where the models end:

    >>> models = {"small": 4, "large": 12}
    >>> display = PrefixCurveDisplay.from_estimator(probe, models=models)
    >>> display.scores[[0, 4, 5, 11]].round(2)
    array([0.49, 0.47, 1.  , 1.  ])
    """

    def __init__(
        self,
        prefixes: NDArray,
        scores: NDArray,
        standard_errors: NDArray,
        n_prefix: int,
        *,
        models: dict[str, int] | None = None,
        score_name: str = "score",
    ):
        self.prefixes = prefixes
        self.scores = scores
        self.standard_errors = standard_errors
        self.n_prefix = n_prefix
        self.models = models
        self.score_name = score_name

    @classmethod
    @validate_params(
        {
            "estimator": [PrefixRidgeCV, PrefixRidgeClassifierCV, Pipeline],
            "models": [dict, ReverseDistiller, None],
        },
        prefer_skip_nested_validation=False,  # their parameters are the caller's
    )
    def from_estimator(
        cls,
        estimator: PrefixRidgeCV | PrefixRidgeClassifierCV | Pipeline,
        *,
        models: dict[str, int] | ReverseDistiller | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the scores of all prefixes of a fitted estimator.

        Parameters
        ----------
        estimator : PrefixRidgeCV, PrefixRidgeClassifierCV or Pipeline
            A fitted estimator, or a fitted pipeline that ends with one.
        models : dict of str to int or ReverseDistiller, default=None
            For each model of the chain, the number of columns up to and including it, or the fitted
            distiller that knows them. None reads them from the names of the columns, which a data
            frame or the steps of a pipeline have, if these tell.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : PrefixCurveDisplay

        Raises
        ------
        ValueError
            If a pipeline ends with another estimator, or `models` does not map names to positive
            numbers of columns.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        probe = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if not isinstance(probe, PrefixRidgeCV | PrefixRidgeClassifierCV):
            raise ValueError(
                f"The pipeline ends with {type(probe).__name__}, which tries no prefixes; give one "
                "that ends with PrefixRidgeCV or PrefixRidgeClassifierCV."
            )
        check_is_fitted(probe)
        names = getattr(probe, "feature_names_in_", None)
        if names is None and probe is not estimator and len(estimator) > 1:
            with suppress(AttributeError, NotFittedError, ValueError):  # not all steps have names
                names = estimator[:-1].get_feature_names_out()
        if models is None:
            models = model_prefixes(names)
        elif isinstance(models, ReverseDistiller):
            check_is_fitted(models)
            models = dict(zip(models.model_names_, models.prefix_lengths_.tolist(), strict=True))
        for model, length in (models or {}).items():
            if not isinstance(model, str) or not isinstance(length, Integral) or length < 1:
                raise ValueError(
                    f"models has {model!r}: {length!r}; give names, and for each the number of "
                    "columns up to and including that model."
                )
        best = np.arange(len(probe.prefixes_)), probe.cv_scores_.argmax(axis=1)
        curve = probe.prefixes_, probe.cv_scores_[best], probe.cv_standard_errors_[best]
        scoring = probe.scoring
        if scoring is None:
            scoring = "accuracy" if isinstance(probe, PrefixRidgeClassifierCV) else "r2"
        name = scoring if isinstance(scoring, str) else "score"
        return cls(*curve, probe.n_prefix_, models=models, score_name=name).plot(ax=ax)

    def _draw(self, ax):
        colour = STYLES["distilled"]["color"]
        # Points show which lengths were tried, if not all were.
        marker = "" if np.all(np.diff(self.prefixes) == 1) else "."
        (self.line_,) = ax.plot(
            self.prefixes, self.scores, marker=marker, color=colour, label="held-out score"
        )
        low, high = self.scores - self.standard_errors, self.scores + self.standard_errors
        band = {"color": colour, "alpha": 0.2, "linewidth": 0, "label": "± 1 standard error"}
        self.band_ = ax.fill_between(self.prefixes, low, high, **band)
        score = self.scores[np.searchsorted(self.prefixes, self.n_prefix)]
        label = f"chosen: {self.n_prefix} columns"
        (self.chosen_,) = ax.plot(self.n_prefix, score, "D", color="black", zorder=4, label=label)
        self.boundaries_, self.names_ = mark_models(ax, self.models or {})
        label = label_of_score(self.score_name, "of held-out rows")
        ax.set(xlabel="number of columns", ylabel=label)
