"""NestedVarianceDisplay: the share of each model's embedding that each prefix explains."""

import copy
from itertools import cycle
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..distillation._reverse_distiller import ReverseDistiller
from ..distillation._spaces import inverse_scale
from ..evaluation._prefix_scores import OF_DISTILLER, distiller_of
from ..matrix._moments import Moments, square
from ..utils._compat import validate_params
from ._axes import HUES, Display, check_axes, mark_models, short_name

_EPS = np.finfo(np.float64).eps
# Number of columns that are eliminated together.
_BLOCK = 64


class NestedVarianceDisplay(Display):
    """Share of the variance of every model's embedding that each prefix explains.

    Make it with :meth:`from_estimator`. Drawing needs matplotlib, which the extra `plot` brings.

    Parameters
    ----------
    explained : ndarray of shape (n_models, n_prefixes), float64
        Share of the variance of each model's embedding that least squares on the first column,
        the first two columns, ... of the nested embedding explain.
    models : dict of str to int
        For each model, the number of nested columns up to and including it.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        A curve for each model.
    boundaries_, names_ : list of matplotlib Line2D, list of matplotlib Text
        Lines where models end, and the names of the models.
    ax_ : matplotlib Axes
        Where the plot was drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Examples
    --------
    A distiller is fitted on embeddings of a small model, 4 wide, and of a large one, 8 wide:

    >>> import numpy as np
    >>> from sklearn_revdist import NestedVarianceDisplay, ReverseDistiller
    >>> X = np.random.default_rng(0).normal(size=(200, 12))
    >>> distiller = ReverseDistiller(dims=[4, 8]).fit(X)

    The display has a curve for each model:

    >>> display = NestedVarianceDisplay.from_estimator(distiller)

    The first four columns explain all of the small model and 2 % of the large one, which does not
    depend on it; all eight columns explain 60 % of the large model:

    >>> display.explained[:, [3, 7]].round(2)
    array([[1.  , 1.  ],
           [0.02, 0.6 ]])
    """

    def __init__(self, explained: NDArray, models: dict[str, int]):
        self.explained = explained
        self.models = models

    @classmethod
    @validate_params({"distiller": OF_DISTILLER}, prefer_skip_nested_validation=False)
    def from_estimator(
        cls,
        distiller: ReverseDistiller | FrozenEstimator | Pipeline,
        X: ArrayLike | None = None,
        *,
        ax: Any = None,
    ) -> Self:
        """Compute the shares of a fitted distiller and draw them.

        Parameters
        ----------
        distiller : ReverseDistiller, FrozenEstimator or Pipeline
            A fitted distiller, whose `n_components` is ignored, or a fitted pipeline with one.
        X : array-like of shape (n_samples, n_features), float64 or float32, default=None
            Concatenated embeddings whose variance is to be explained; for a pipeline what its first
            step takes. None takes the data of the fit, from `moments_`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : NestedVarianceDisplay

        Raises
        ------
        ValueError
            If there is no distiller, or no `X` and the distiller has no `moments_`, since it was
            read from a file or its regressor is an estimator.
        sklearn.exceptions.NotFittedError
            If the distiller is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        check_axes(ax)
        distiller, X = distiller_of(distiller, X)
        check_is_fitted(distiller)
        lengths = distiller.prefix_lengths_.tolist()
        if X is not None:
            rows = np.asarray(distiller._check_rows(X), dtype=np.float64)
            # On a shallow copy, so as not to change the caller's `n_components`.
            nested = copy.copy(distiller).set_params(n_components=None).transform(X)
            joint = square(Moments.of(np.hstack([np.asarray(nested), rows])))
            products = joint[: lengths[-1]]
            variances = joint.diagonal()[lengths[-1] :]
        elif "moments_" in vars(distiller):
            scatter = square(distiller.moments_)
            cross = distiller.components_ @ scatter
            products = np.hstack([cross @ distiller.components_.T, cross])
            variances = scatter.diagonal()
        else:
            raise ValueError(
                "This distiller keeps no moments of the data it was fitted on; give embeddings "
                "as `X`."
            )
        explained = _explained(products)
        models = np.repeat(np.arange(len(lengths)), distiller.dims_)
        of_model = models == np.arange(len(lengths))[:, np.newaxis]
        total = (of_model @ variances)[:, np.newaxis]
        shares = np.ones((len(lengths), lengths[-1]))
        np.divide(of_model @ explained.T, total, out=shares, where=total > 0)
        names = dict(zip(distiller.model_names_, lengths, strict=True))
        return cls(shares, names).plot(ax=ax)

    def _draw(self, ax):
        prefixes = np.arange(1, self.explained.shape[1] + 1)
        self.lines_ = []
        for model, shares, hue, dashes in zip(
            self.models, self.explained, cycle(HUES), cycle(("-", "--", "-.", ":")), strict=False
        ):
            (line,) = ax.plot(
                prefixes, shares, color=hue, linestyle=dashes, label=short_name(model)
            )
            self.lines_.append(line)
        self.boundaries_, self.names_ = mark_models(ax, self.models)
        ax.set(
            xlabel="number of columns",
            ylabel="explained share of a model's variance",
            ylim=(0, 1.02),
        )


def _explained(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the sums of squares that growing prefixes explain.

    Parameters
    ----------
    products : ndarray of shape (n_prefixes, n_prefixes + n_features)
        Products of the centred prefix columns with themselves and with the columns to explain.

    Returns
    -------
    explained : ndarray of shape (n_prefixes, n_features)
        Sums of squares of each column, explained by the first prefix column, the first two, ...
    """
    n_prefixes = len(products)
    scale = np.sqrt(products.diagonal().clip(0))
    inverse = inverse_scale(scale)
    products = products * inverse[:, np.newaxis]
    products[:, :n_prefixes] *= inverse
    # Gaussian elimination by blocks makes each row orthogonal to those before it. A row that
    # depends on these is set to zero, rather than divided by rounding.
    tolerance = 8 * n_prefixes * _EPS
    for start in range(0, n_prefixes, _BLOCK):
        stop = min(start + _BLOCK, n_prefixes)
        products[start:stop] -= products[:start, start:stop].T @ products[:start]
        for i in range(start, stop):
            products[i] -= products[start:i, i] @ products[start:i]
            pivot = products[i, i]
            products[i] *= 1 / np.sqrt(pivot) if pivot > tolerance else 0.0
    return np.cumsum(products[:, n_prefixes:] ** 2, axis=0)
