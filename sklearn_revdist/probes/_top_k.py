"""Top k: score the best predictions alone, since these are the variants to be measured next."""

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import ndcg_score
from sklearn.utils import check_array, check_consistent_length

from ..utils._compat import Interval, RealNotInt, validate_params

NUMBER_OR_SHARE = [
    Interval(Integral, 1, None, closed="left"),
    Interval(RealNotInt, 0, 1, closed="neither"),
]


@validate_params({"k": NUMBER_OR_SHARE})
def top_k_recall(y_true: ArrayLike, y_pred: ArrayLike, *, k: int | float = 0.1) -> float:
    """Compute the share of the k best measured variants among the k best predicted.

    Larger values are better; negate both if smaller ones are.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Measured values. Variants that tie with the k-th best count as one of the best.
    y_pred : array-like of shape (n_samples,)
        Predictions. Those that tie with the k-th best take the places that are left in random
        order, and the score is the mean over these orders.
    k : int or float, default=0.1
        Number of variants, or if below 1 their share, rounded down to at least one variant.

    Returns
    -------
    score : float
        From 0 to 1. Predictions in random order score k / n_samples on average, if no measured
        values tie.

    Raises
    ------
    ValueError
        If values are not finite, not one-dimensional or not equally many, or `k` exceeds their
        number.

    See Also
    --------
    hit_rate : Counts predictions above a threshold.
    ndcg_at_k : Counts by how much, and in which order.

    Notes
    -----
    ProteinGym's top recall [1]_ compares all values at or above the 90th percentile. That is the
    same if `n_samples` is a multiple of ten and nothing ties, but there a constant prediction
    scores 1, since all of it is at the percentile.

    References
    ----------
    .. [1] Notin, P. et al. (2023). ProteinGym: large-scale benchmarks for protein fitness
       prediction and design. NeurIPS 36.

    Examples
    --------
    Of the two best variants, one is among the two best predicted:

    >>> from sklearn_revdist import top_k_recall
    >>> top_k_recall([5.0, 4.0, 3.0, 2.0], [0.9, 0.1, 0.8, 0.2], k=2)
    0.5

    It can score a search:

    >>> from sklearn.metrics import make_scorer
    >>> scorer = make_scorer(top_k_recall, k=0.1)
    """
    y_true, y_pred = _measured_and_predicted(y_true, y_pred)
    n = n_best(k, len(y_true))
    worst_of_best = np.partition(y_true, -n)[-n]
    return _mean_of_best(y_true >= worst_of_best, y_pred, n)


@validate_params(
    {"k": NUMBER_OR_SHARE, "threshold": [Interval(Real, None, None, closed="neither")]}
)
def hit_rate(
    y_true: ArrayLike, y_pred: ArrayLike, *, k: int | float = 0.1, threshold: float
) -> float:
    """Compute the share of the k best predicted variants that are better than a threshold.

    Larger values are better; negate values and threshold if smaller ones are.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Measured values.
    y_pred : array-like of shape (n_samples,)
        Predictions. Those that tie with the k-th best take the places that are left in random
        order, and the score is the mean over these orders.
    k : int or float, default=0.1
        Number of variants, or if below 1 their share, rounded down to at least one variant.
    threshold : float
        Value that a hit exceeds, such as that of the wild type.

    Returns
    -------
    score : float
        From 0 to 1. Predictions in random order score the share of hits among all variants, on
        average.

    Raises
    ------
    ValueError
        If values are not finite, not one-dimensional or not equally many, or `k` exceeds their
        number.

    See Also
    --------
    top_k_recall : Compares with the k best measured.

    Examples
    --------
    Two of the three best predictions exceed the wild type's 1.0:

    >>> from sklearn_revdist import hit_rate
    >>> hit_rate([1.2, 0.3, 1.1, 0.9], [0.9, 0.8, 0.7, 0.6], k=3, threshold=1.0)
    0.6666666666666666
    """
    y_true, y_pred = _measured_and_predicted(y_true, y_pred)
    return _mean_of_best(y_true > threshold, y_pred, n_best(k, len(y_true)))


@validate_params({"k": NUMBER_OR_SHARE})
def ndcg_at_k(y_true: ArrayLike, y_pred: ArrayLike, *, k: int | float = 0.1) -> float:
    """Compute the discounted gain of the k best predicted variants, of the largest possible.

    The gain of a variant is its measured value less the least one, divided by log2(1 + rank) of
    its prediction, so that the first picks count most. Larger values are better; negate both if
    smaller ones are.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Measured values, of any sign.
    y_pred : array-like of shape (n_samples,)
        Predictions. Those that tie share the mean of their gains.
    k : int or float, default=0.1
        Number of variants, or if below 1 their share, rounded down to at least one variant.

    Returns
    -------
    score : float
        From 0 to 1; NaN if all measured values are equal.

    Raises
    ------
    ValueError
        If values are not finite, not one-dimensional or not equally many, or `k` exceeds their
        number.

    See Also
    --------
    sklearn.metrics.ndcg_score : The same for values of zero and more, in rows of a matrix.
    top_k_recall : Ignores by how much and in which order.

    Notes
    -----
    With ``k=0.1`` this is the NDCG of ProteinGym [1]_, whose gains are also divided by their
    range, which changes nothing.

    References
    ----------
    .. [1] Notin, P. et al. (2023). ProteinGym: large-scale benchmarks for protein fitness
       prediction and design. NeurIPS 36.

    Examples
    --------
    The best variant is predicted second, and the second best first:

    >>> from sklearn_revdist import ndcg_at_k
    >>> round(ndcg_at_k([2.0, 1.0, -1.0, -2.0], [0.8, 0.9, 0.1, 0.2], k=2), 2)
    0.94
    """
    y_true, y_pred = _measured_and_predicted(y_true, y_pred)
    n, gains = n_best(k, len(y_true)), y_true - y_true.min()
    if not gains.any():
        return np.nan
    return float(ndcg_score(gains[np.newaxis], y_pred[np.newaxis], k=n))


def n_best(k: int | float, n_samples: int, name: str = "k") -> int:
    """Return the number of variants that `k` asks for.

    Parameters
    ----------
    k : int or float
        Number of variants, or if below 1 their share.
    n_samples : int
        Number of all variants.
    name : str, default="k"
        What the caller calls it, for errors.

    Returns
    -------
    n : int

    Raises
    ------
    ValueError
        If `k` exceeds the number of variants.
    """
    if not isinstance(k, Integral):
        # 0.29 * 100 is 28.999999999999996.
        return max(1, int(k * n_samples + 1e-9))
    if k > n_samples:
        raise ValueError(f"{name}={k} exceeds the {n_samples} samples; give fewer, or a share.")
    return int(k)


def _measured_and_predicted(
    y_true: ArrayLike, y_pred: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check both, and return them as vectors."""
    arrays = []
    for name, y in (("y_true", y_true), ("y_pred", y_pred)):
        values = check_array(y, ensure_2d=False, dtype=np.float64, input_name=name)
        if values.ndim != 1:
            raise ValueError(f"{name} is of shape {values.shape}; give one number for each sample.")
        arrays.append(values)
    check_consistent_length(*arrays)
    return arrays[0], arrays[1]


def _mean_of_best(found: NDArray[np.bool_], y_pred: NDArray[np.float64], n: int) -> float:
    """Return the mean of `found` over the n best predictions, and over orders of those that tie."""
    last = np.partition(y_pred, -n)[-n]
    above, tied = y_pred > last, y_pred == last
    return float((found[above].sum() + (n - above.sum()) * found[tied].mean()) / n)
