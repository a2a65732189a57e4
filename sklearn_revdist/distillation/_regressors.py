"""Regressors: predict a model's embedding by a filter on the spectrum of the prefix.

    ols     f(s) = 1 / s            on the numerical rank
    ridge   f(s) = 1 / (s + alpha)
    pcr     f(s) = 1 / s            on the leading principal components

With the prefix A, its principal axes U and the embedding H, the coefficients are U f(s) U' A' H.
Least squares takes the axes of columns scaled to unit variance, on which the numerical rank does
not depend on units; ridge and pcr take those of unscaled columns. With few rows, new columns of
small variance are mostly noise, and scaling would give them the same weight as all others.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EPS = np.finfo(np.float64).eps

# Penalties to choose from, ten per decade, in units of the mean sum of squares of the columns.
_RELATIVE_ALPHAS = np.geomspace(1e-9, 1e3, 121)
# Largest degrees of freedom of the ridge, as a share of the rows. Embeddings have next to no noise,
# so that the criterion alone would spend nearly all of few rows on the prediction and leave
# residuals that are many times smaller on the rows of the fit than on others.
_MOST_SPENT = 0.15


class Spectrum(NamedTuple):
    """Principal axes of the prefix, and their products with the embedding to predict.

    Attributes
    ----------
    values : ndarray of shape (n_values,), descending
        Sums of squares along the axes.
    vectors : ndarray of shape (n_prefix, n_values)
        The axes, as maps of the prefix's columns.
    cross : ndarray of shape (n_values, width)
        Products of the scores on the axes with the embedding.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    cross: NDArray[np.float64]

    @property
    def rank(self) -> int:
        """Number of axes whose values exceed the rounding of the moments."""
        if not self.values.any():
            return 0
        return int(np.sum(self.values > 4 * len(self.vectors) * EPS * self.values[0]))

    @property
    def condition(self) -> float:
        """Condition number of the prefix on its numerical rank."""
        rank = self.rank
        return float(np.sqrt(self.values[0] / self.values[rank - 1])) if rank else 1.0


class Fit(NamedTuple):
    """A regression of an embedding on the prefix.

    Attributes
    ----------
    coef : ndarray of shape (n_prefix, width)
        Coefficients.
    explained : ndarray of shape (n_components, width)
        Its Gram matrix is the part of the embedding's scatter that is predicted.
    alpha : float
        Penalty; zero unless the regressor is a ridge.
    n_components : int
        Number of axes used.
    spent : float
        Degrees of freedom, including that of the intercept.
    """

    coef: NDArray[np.float64]
    explained: NDArray[np.float64]
    alpha: float
    n_components: int
    spent: float


def regress(
    spectrum: Spectrum,
    total: float,
    weight: float,
    *,
    regressor: str,
    alpha: float | None,
    rank: int | None,
) -> Fit:
    """Predict an embedding from the prefix.

    Parameters
    ----------
    spectrum : Spectrum
        Spectrum of the prefix, and its products with the embedding.
    total : float
        Sum of squares of the centred embedding.
    weight : float
        Number of rows, or the sum of their weights.
    regressor : {"ols", "ridge", "pcr"}
        The filter.
    alpha : float or None
        Penalty of the ridge; None minimises generalised cross-validation.
    rank : int or None
        Number of components of the pcr; None counts those above Johnstone's threshold.

    Returns
    -------
    fit : Fit
    """
    n_components = spectrum.rank
    if regressor == "pcr":
        chosen = _johnstone_rank(spectrum, weight) if rank is None else rank
        n_components = min(chosen, n_components)
    if regressor != "ridge":
        alpha = 0.0
    elif alpha is None:
        alpha = _generalised_cross_validation(spectrum, total, weight)
    values, cross = spectrum.values[:n_components], spectrum.cross[:n_components]
    filters = 1 / (values + alpha)
    coef = spectrum.vectors[:, :n_components] @ (filters[:, np.newaxis] * cross)
    # H'H - H'AW - W'A'H + W'A'AW where A'A is diagonal: each axis takes f (2 - f s) cross^2.
    explained = np.sqrt(filters * (2 - filters * values))[:, np.newaxis] * cross
    return Fit(coef, explained, alpha, n_components, 1 + float(filters @ values))


def _generalised_cross_validation(spectrum, total, weight):
    """Return the penalty that minimises (RSS / n) / (1 - degrees of freedom / n)^2.

    Golub, Heath and Wahba (1979), Technometrics 21:215; one penalty for all columns of the
    embedding, with the intercept as a degree of freedom. Penalties that spend more than
    `_MOST_SPENT` of the rows on the prediction are left out. The criterion is flat at its
    minimum: from a grid, moments that differ by rounding choose the same penalty.
    """
    rank = spectrum.rank
    if rank == 0:
        return 0.0
    values, cross = spectrum.values[:rank], spectrum.cross[:rank]
    power = np.einsum("ij,ij->i", cross, cross)
    alphas = spectrum.values.sum() / len(spectrum.vectors) * _RELATIVE_ALPHAS
    shrunk = 1 / (values + alphas[:, np.newaxis])
    rss = total - (shrunk * (2 - shrunk * values)) @ power
    spent = (1 + shrunk @ values) / weight
    criterion = rss.clip(EPS * total) / (1 - spent).clip(EPS) ** 2
    criterion[(spent > _MOST_SPENT) & (alphas < alphas[-1])] = np.inf
    return float(alphas[criterion.argmin()])


def _johnstone_rank(spectrum, weight):
    """Count components above the noise edge of random-matrix theory.

    Johnstone (2001), Annals of Statistics 29:295: the largest eigenvalue of pure noise of
    variance v tends to v (1 + sqrt(p / n))^2. As in the published method, the noise level is
    the median of the eigenvalues below that edge for v = the mean eigenvalue. If no component is
    above the edge, those that hold 95 % of the variance are kept.
    """
    eigenvalues = spectrum.values[: spectrum.rank] / (weight - 1)
    if not eigenvalues.size:
        return 0
    edge = (1 + np.sqrt(len(spectrum.vectors) / weight)) ** 2
    noise = eigenvalues[eigenvalues < edge * eigenvalues.mean()]
    n_components = int(np.sum(eigenvalues > edge * np.median(noise)))
    if n_components == 0:
        share = np.cumsum(eigenvalues) / eigenvalues.sum()
        n_components = int(np.searchsorted(share, 0.95)) + 1
    return n_components
