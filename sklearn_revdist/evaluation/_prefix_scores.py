"""Prefix scores: score every prefix of one matrix of embeddings, and baselines of equal width."""

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, column_or_1d

from ..distillation._reverse_distiller import ReverseDistiller
from ..matrix._rows import check_targets
from ..probes._folds import shuffled_cv
from ..sequences._tokens import as_list
from ..tasks._task import Task
from ..utils._compat import HasMethods, Interval, validate_params
from ._fold_scores import SCORED, score_folds
from ._model_free import ModelFree
from ._probes import make_probe
from ._representations import Maps, Representation, Sizes
from ._splits import check_folds

PREFIX_SCORED = ["model", "representation", "n_columns", "score_mean", "score_std"]
# What is taken wherever a distiller is asked for.
OF_DISTILLER = [ReverseDistiller, FrozenEstimator, Pipeline]


@validate_params(
    {
        "distiller": OF_DISTILLER,
        "sequences": ["array-like", None],
        "reference": [str, None],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"])],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,  # parameters of the distiller are the caller's
)
def prefix_scores(
    distiller: ReverseDistiller | FrozenEstimator | Pipeline,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sequences: Any = None,
    reference: str | None = None,
    cv: int | BaseCrossValidator = 5,
    verbose: bool = False,
) -> pd.DataFrame:
    """Score a probe on every prefix of a nested embedding, and on baselines of equal width.

    For each model of the chain, the same probe is scored on the same folds of three
    representations:

    plain
        that model's own embedding;
    distilled
        the prefix of the nested embedding that ends at that model;
    concat_pca
        as many leading principal components of the concatenated embeddings of all models up to
        that one as the prefix has columns.

    With the `sequences` of the rows, also of the baselines that need no model: the residue at each
    position that varies ("one_hot") and, with a `reference`, the mean target of the mutated
    positions ("site_mean"); for sequences of several lengths the fraction of each amino acid
    ("composition").

    The probe is a :class:`~sklearn.preprocessing.StandardScaler` and a
    :class:`~sklearn.linear_model.RidgeCV` with 17 penalties from 1e-2 to 1e6. Probe and principal
    components are fitted on each training fold. The distiller is used as it is; if fitted on the
    rows of `X`, it has seen the test folds, though not their targets.

    Parameters
    ----------
    distiller : ReverseDistiller, FrozenEstimator or Pipeline
        A fitted distiller, whose `n_components` is ignored, or a fitted pipeline with one, whose
        later steps are ignored as well.
    X : array-like of shape (n_samples, n_features), float64 or float32
        Concatenated embeddings ``[H1 | H2 | ...]`` of the models of the distiller; for a pipeline
        what its first step takes, such as sequences.
    y : array-like of shape (n_samples,)
        Targets, in any unit.
    sequences : array-like of str, of shape (n_samples,), default=None
        Sequences of the rows, for the baselines that need no model.
    reference : str, default=None
        The wild type that these are variants of.
    cv : int or cross-validation splitter, default=5
        A number of folds, shuffled with a fixed seed, or a splitter.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    scores : DataFrame
        One row for each model and representation, models from small to large:

        model : str
            Name of the model at which the prefix ends.
        representation : {"plain", "distilled", "concat_pca"}
            Input of the probe.
        n_columns : int
            Its width; of principal components there are fewer than training rows.
        score_mean, score_std : float
            Spearman correlation of prediction and target, mean and standard deviation over the
            folds. A constant prediction scores 0.

    Raises
    ------
    ValueError
        If there is no distiller, `X` does not fit it, `y` is not finite or not as long as `X`, or
        all targets of a test fold are equal.
    TypeError
        If `cv` is a string.
    sklearn.exceptions.NotFittedError
        If the distiller is not fitted.

    Examples
    --------
    The target depends on a column of the small model, 4 wide, and on one of the large, 8 wide:

    >>> import numpy as np
    >>> from sklearn_revdist import ReverseDistiller, prefix_scores
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 12))
    >>> y = X[:, 0] + X[:, 5]

    The nested embedding of both is as wide as the large model, with all columns of the small one
    and the leading directions of what the large one adds. It scores highest:

    >>> distiller = ReverseDistiller(dims=[4, 8]).fit(X)
    >>> scores = prefix_scores(distiller, X, y)
    >>> scores[["model", "representation", "n_columns", "score_mean"]].round(2)
        model representation  n_columns  score_mean
    0  block0          plain          4        0.70
    1  block0      distilled          4        0.70
    2  block0     concat_pca          4        0.70
    3  block1          plain          8        0.60
    4  block1      distilled          8        0.87
    5  block1     concat_pca          8        0.83
    """
    distiller, X = distiller_of(distiller, X)
    X = np.asarray(distiller._check_rows(X), dtype=np.float64)
    y = check_targets(column_or_1d(y), "evaluate")
    check_consistent_length(X, y)
    if isinstance(cv, str):  # which has a method of that name
        raise TypeError(f"cv={cv!r} is a string; give a number of folds or a splitter.")
    folds = list(shuffled_cv(cv, y).split(X, y))
    check_folds(folds, y)
    sizes = Sizes.of_fitted(distiller)
    listed = [
        Representation(level, name, fitted_on)
        for level in range(len(sizes.models))
        for name, fitted_on in (("plain", ""), ("distilled", "natural"), ("concat_pca", "fold"))
    ]
    model_free = None
    if sequences is not None:
        if len(as_list(sequences)) != len(y):
            raise ValueError(
                f"sequences has {len(sequences)} entries, but X has {len(y)} rows; give one for "
                "each."
            )
        rows_of = np.arange(len(y))
        task = Task("", as_list(sequences), y.astype(float), rows_of, wild_type=reference)
        model_free = ModelFree(task)
        listed += [Representation(-1, name, "fold") for name in model_free.names]
    rows = score_folds(
        Maps(X, sizes, distiller),
        listed,
        folds,
        make_probe("ridge", "regression"),
        y,
        np.arange(len(y)),
        "spearman",
        {"all": np.ones(len(y), bool)},
        model_free=model_free,
        n_jobs=None,
        progress="probes" if verbose else None,
    )
    table = pd.DataFrame(rows, columns=SCORED).rename(columns={"score": "score_mean"})
    return table[PREFIX_SCORED]


def distiller_of(estimator: Any, X: Any) -> tuple[ReverseDistiller, Any]:
    """Find the distiller, and what it is given of the rows.

    Parameters
    ----------
    estimator : ReverseDistiller, FrozenEstimator or Pipeline
        A distiller, frozen or not, or a fitted pipeline with one.
    X : array-like or None
        Rows for the estimator: of a pipeline, what its first step takes.

    Returns
    -------
    distiller : ReverseDistiller
    rows : array-like or None
        X as the steps before the distiller transform it.

    Raises
    ------
    ValueError
        If there is no distiller.
    """
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    steps = [step.estimator if isinstance(step, FrozenEstimator) else step for step in steps]
    for i, step in enumerate(steps):
        if isinstance(step, ReverseDistiller):
            return step, X if i == 0 or X is None else estimator[:i].transform(X)
    found = ", ".join(type(step).__name__ for step in steps)
    raise ValueError(f"There is no ReverseDistiller in {found}; give one, or a pipeline with one.")
