"""Evaluation: what a probe makes of nested embeddings, and of plain ones of equal width."""

import copy
from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import BaseCrossValidator, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import assert_all_finite, check_is_fitted
from tqdm import tqdm

from ._reverse_distiller import ReverseDistiller

_ALPHAS = np.logspace(-2, 6, 17)


def prefix_scores(
    distiller: ReverseDistiller,
    X: ArrayLike,
    y: ArrayLike,
    *,
    cv: int | BaseCrossValidator = 5,
    verbose: bool = False,
) -> pd.DataFrame:
    """Score a probe on every prefix of a nested embedding, and on its rivals of equal width.

    At each model of the chain, three representations get the same folds and the same probe:

    plain
        that model's own embedding;
    distilled
        the prefix of the nested embedding that ends at that model;
    concat_pca
        the leading principal components of the concatenated embeddings of all models up to
        that one, as many as the prefix has columns.

    The probe is :class:`~sklearn.preprocessing.StandardScaler` and
    :class:`~sklearn.linear_model.RidgeCV` with 17 penalties from 1e-2 to 1e6. It and the
    principal components are fitted inside each training fold. The distiller is taken as it
    is; one fitted on the rows of `X` has seen the test folds, though not their targets.

    Parameters
    ----------
    distiller : ReverseDistiller
        A fitted distiller. Its `n_components` is ignored.
    X : array-like of shape (n_samples, n_features), float64 or float32
        Concatenated embeddings ``[H1 | H2 | ...]`` of the models of `distiller`.
    y : array-like of shape (n_samples,)
        What to predict, in any unit.
    cv : int or cross-validation splitter, default=5
        A number of folds, shuffled with a fixed seed, or a splitter.
    verbose : bool, default=False
        Show a progress bar on standard error.

    Returns
    -------
    scores : DataFrame
        One row for each model and representation, models from small to large:

        model : str
            Name of the model at which the prefix ends.
        representation : {"plain", "distilled", "concat_pca"}
            What the probe was given.
        n_columns : int
            Width of it; principal components are at most as many as training samples.
        score_mean, score_std : float
            Spearman correlation of prediction and target: mean and standard deviation over
            the folds. A prediction without any order counts as 0.

    Raises
    ------
    ValueError
        If `X` does not fit the distiller, `y` is not finite or not as long as `X`, or all
        targets of a fold are equal.
    sklearn.exceptions.NotFittedError
        If the distiller is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import ReverseDistiller, prefix_scores
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 12))
    >>> distiller = ReverseDistiller(dims=[4, 8]).fit(X)
    >>> scores = prefix_scores(distiller, X, X[:, 0] + X[:, 5])
    >>> scores[["model", "representation", "n_columns"]]
        model representation  n_columns
    0  block0          plain          4
    1  block0      distilled          4
    2  block0     concat_pca          4
    3  block1          plain          8
    4  block1      distilled          8
    5  block1     concat_pca          8
    """
    check_is_fitted(distiller)
    # A shallow copy, so that the caller's `n_components` stays.
    nested = copy.copy(distiller).set_params(n_components=None).transform(X)
    nested, X = np.asarray(nested, np.float64), np.asarray(X, np.float64)
    y = column_or_1d(y)
    check_consistent_length(X, y)
    assert_all_finite(y, input_name="y")
    folds = _folds(cv, X, y)

    probe = make_pipeline(StandardScaler(), RidgeCV(_ALPHAS))
    n_train = min(len(train) for train, _ in folds)
    tasks = []
    stops = np.cumsum(distiller.dims_)
    lengths = distiller.prefix_lengths_
    for model, width, stop, length in zip(
        distiller.model_names_, distiller.dims_, stops, lengths, strict=True
    ):
        pca = PCA(min(length, n_train), svd_solver="full")
        tasks += [
            (model, "plain", width, X[:, stop - width : stop], probe),
            (model, "distilled", length, nested[:, :length], probe),
            (model, "concat_pca", pca.n_components, X[:, :stop], make_pipeline(pca, probe)),
        ]
    rows = []
    for model, representation, n_columns, columns, estimator in tqdm(
        tasks, desc="probes", disable=not verbose
    ):
        scores = [_score(clone(estimator), columns, y, *fold) for fold in folds]
        rows.append((model, representation, int(n_columns), np.mean(scores), np.std(scores)))
    return pd.DataFrame(
        rows, columns=["model", "representation", "n_columns", "score_mean", "score_std"]
    )


def _folds(cv, X, y):
    """Training and test rows of every fold, each test fold with targets that differ."""
    if isinstance(cv, Integral):
        cv = KFold(int(cv), shuffle=True, random_state=0)
    folds = list(cv.split(X, y))
    for i, (_, test) in enumerate(folds):
        if np.ptp(y[test]) == 0:
            raise ValueError(
                f"All {len(test)} targets of test fold {i} are equal, so that a rank correlation "
                "does not exist; use fewer folds or another `cv`."
            )
    return folds


def _score(estimator, X, y, train, test):
    """Spearman correlation on the test rows."""
    prediction = estimator.fit(X[train], y[train]).predict(X[test])
    return 0.0 if np.ptp(prediction) == 0 else spearmanr(y[test], prediction).statistic
