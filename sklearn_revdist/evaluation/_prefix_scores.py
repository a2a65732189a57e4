"""Scores of every prefix of one table of embeddings, and of baselines of equal width."""

from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from ..distillation._reverse_distiller import ReverseDistiller
from ..matrix._rows import check_rows_as_fitted, check_targets
from ..probes._folds import shuffled_cv
from ._fold_scores import SCORED, score_folds
from ._probes import make_probe
from ._representations import Maps, Representation, Sizes
from ._splits import check_targets_differ

PREFIX_SCORED = ["model", "representation", "n_columns", "score_mean", "score_std"]


@validate_params(
    {
        "distiller": [ReverseDistiller],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"])],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,  # those of the distiller are the caller's
)
def prefix_scores(
    distiller: ReverseDistiller,
    X: ArrayLike,
    y: ArrayLike,
    *,
    cv: int | BaseCrossValidator = 5,
    verbose: bool = False,
) -> pd.DataFrame:
    """Score a probe on every prefix of a nested embedding, and on baselines of equal width.

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
        Targets, in any unit.
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
            Input of the probe.
        n_columns : int
            Its width; principal components are fewer than training samples.
        score_mean, score_std : float
            Spearman correlation of prediction and target: mean and standard deviation over
            the folds. A constant prediction scores 0.

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
    X = check_rows_as_fitted(X, distiller, distiller.dims_, distiller.model_names_)
    X = np.asarray(X, dtype=np.float64)
    y = check_targets(column_or_1d(y), "evaluate")
    check_consistent_length(X, y)
    if isinstance(cv, str):  # which has a method of that name
        raise TypeError(f"cv={cv!r} is a string; give a number of folds or a splitter.")
    folds = list(shuffled_cv(cv, y).split(X, y))
    check_targets_differ(y, folds)
    sizes = Sizes.of_fitted(distiller)
    listed = [
        Representation(level, name, fitted_on)
        for level in range(len(sizes.models))
        for name, fitted_on in (("plain", ""), ("distilled", "natural"), ("concat_pca", "fold"))
    ]
    rows = score_folds(
        Maps(X, sizes, distiller),
        listed,
        folds,
        make_probe("ridge", "regression"),
        y,
        np.arange(len(y)),
        "spearman",
        {"all": np.ones(len(y), bool)},
        n_jobs=None,
        progress="probes" if verbose else None,
    )
    table = pd.DataFrame(rows, columns=SCORED).rename(columns={"score": "score_mean"})
    return table[PREFIX_SCORED]
