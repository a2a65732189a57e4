"""Layer scores: score every layer of every model of a chain, each model alone."""

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.base import BaseEstimator, is_classifier
from sklearn.metrics import check_scoring, get_scorer_names, make_scorer
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length, column_or_1d

from ..embedding._base import BaseEmbedder
from ..matrix._rows import check_targets
from ..probes._folds import shuffled_cv
from ..probes._metrics import spearman
from ..sequences._tokens import as_list
from ..utils._compat import HasMethods, Interval, StrOptions, validate_params
from ..utils._progress import ProgressBar
from ._probes import N_JOBS, fit_probe, make_probe, outputs, score
from ._splits import Folds, check_folds

LAYER_SCORED = [
    *("model", "layer", "depth", "n_columns", "score_mean", "score_std", "n_folds"),
    *("gain", "gain_low", "gain_high"),
]


@validate_params(
    {
        "embedder": [BaseEmbedder],
        "layers": [list, tuple, None],
        "probe": [str, HasMethods(["fit", "predict"]), None],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split"]),
            HasMethods(["__iter__"]),
        ],
        "scoring": [StrOptions({*get_scorer_names(), "spearman"}), callable, None],
        "n_jobs": N_JOBS,
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,  # parameters of the embedder are the caller's
)
def layer_scores(
    embedder: BaseEmbedder,
    X: ArrayLike,
    y: ArrayLike,
    *,
    layers: Sequence[Any] | None = None,
    probe: str | BaseEstimator | None = None,
    cv: int | BaseCrossValidator | Iterable = 5,
    scoring: str | Callable | None = None,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> pd.DataFrame:
    """Score a probe on every layer of every model, each model alone, on the same folds.

    All layers of a model are embedded in one pass, and kept if the embedder has a store. A
    prediction of `y` from another layer than the last is often better; which one is not known
    beforehand. Read more in the :ref:`User Guide <layers>`.

    Parameters
    ----------
    embedder : ESMEmbedder
        The models, and how to pool; its `layer` has no part in it.
    X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
        Protein sequences.
    y : array-like of shape (n_sequences,)
        Targets: numbers for a regression, strings for a classification, or what `probe` predicts.
    layers : list, default=None
        Layers as :class:`ESMEmbedder` takes them, each scored once. None is every layer of each
        model.
    probe : {"ridge", "logistic"} or estimator, default=None
        As for :func:`evaluate`; None is ridge for numbers, logistic for strings.
    cv : int, cross-validation splitter or iterable, default=5
        A number of folds, shuffled with a fixed seed; a splitter; or folds.
    scoring : str or callable, default=None
        None is the Spearman correlation for numbers, and for classes the area under the
        precision-recall curve (the mean over classes, if there are more than two). "spearman" or
        any scorer of scikit-learn; higher is better.
    groups : array-like of shape (n_sequences,), default=None
        Groups for the splitter, as positions for :class:`ContiguousKFold`.
    n_jobs : int, default=None
        Number of layers scored at a time, in threads.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Returns
    -------
    scores : DataFrame
        One row for each layer, models from small to large, each from its input to its last layer:

        model : str
            Name of the model.
        layer : int
            From 0, the input of the first layer.
        depth : float
            The layer divided by the number of layers.
        n_columns : int
            Width of the embedding.
        score_mean, score_std : float
            Mean and standard deviation over the folds.
        n_folds : int
            Number of folds.
        gain, gain_low, gain_high : float
            Mean difference to the last layer, and its 95 % interval over folds, which overlap in
            their training rows [1]_. NaN if the last layer is not scored, or there is one fold.

    Raises
    ------
    TypeError, ValueError
        If the sequences or the layers are not valid (see :class:`ESMEmbedder`), `y` is not as long
        as `X` or not finite, or a fold cannot be scored.

    See Also
    --------
    LayerCurveDisplay : Draws the table.

    Notes
    -----
    The best of many layers is best partly by chance, which its interval does not know of. To score
    a choice, make it in each training fold: search over `layer` inside the cross-validation.

    References
    ----------
    .. [1] Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine
       Learning 52, 239-281.

    Examples
    --------
    >>> from sklearn_revdist import ESMEmbedder, layer_scores, load_if1_ecoli
    >>> X, y = load_if1_ecoli(return_X_y=True)
    >>> scores = layer_scores(ESMEmbedder(["demo-48"]), X[::7], y[::7])
    >>> scores[["model", "layer", "n_columns"]]
                   model  layer  n_columns
    0  esm2_t3_100K_demo      0         48
    1  esm2_t3_100K_demo      1         48
    2  esm2_t3_100K_demo      2         48
    3  esm2_t3_100K_demo      3         48
    """
    y = column_or_1d(y)
    if isinstance(probe, BaseEstimator):
        classes = is_classifier(probe)
    else:
        classes = y.dtype.kind not in "fiub" if probe is None else probe == "logistic"
    probe = make_probe(probe, "classification" if classes else "regression")
    if not classes:
        y = check_targets(y, "layer_scores(probe='logistic')")
    sequences = as_list(X)
    check_consistent_length(sequences, y)
    folds = list(shuffled_cv(cv, y, classifier=classes).split(sequences, y, groups))
    check_folds(folds, y, classes=classes)
    _, alike = np.unique(np.array(sequences, dtype=str), return_inverse=True)
    scorer = _scorer(probe, classes, scoring)
    numbers = embedder.layer_numbers(layers)
    n_layers = {model: of_model[-1] for model, of_model in embedder.layer_numbers().items()}
    found = embedder.transform_layers(sequences, layers)

    def one(model, layer):
        """Row of a layer, with the score of each fold."""
        X = found[model][numbers[model].index(layer)].astype(np.float64)
        scores = []
        for train, test in folds:
            fitted = fit_probe(probe, X[train], y[train], alike[train])
            scores.append(scorer(fitted, X[test], y[test]))
        return model, layer, layer / n_layers[model], X.shape[1], np.array(scores)

    # fractions of a shallow model may mean the same layer
    jobs = [(model, layer) for model, of_model in numbers.items() for layer in sorted({*of_model})]
    bar = ProgressBar(jobs, desc="layers", unit="layer", disable=not verbose)
    rows = Parallel(n_jobs=n_jobs, prefer="threads", pre_dispatch="n_jobs")(
        delayed(one)(*job) for job in bar
    )
    return _table(rows, folds)


def _scorer(probe, classes, scoring) -> Callable:
    """Return a function of a fitted probe, rows and targets."""
    if scoring is None:
        metric = "aupr" if classes else "spearman"
        return lambda fitted, X, y: score(
            metric, y, outputs(fitted, X), getattr(fitted, "classes_", None)
        )
    return check_scoring(probe, scoring=make_scorer(spearman) if scoring == "spearman" else scoring)


def _table(rows, folds: Folds) -> pd.DataFrame:
    last = {model: scores for model, _, depth, _, scores in rows if depth == 1}
    table = []
    for model, layer, depth, n_columns, scores in rows:
        summary = scores.mean(), scores.std(), len(scores)
        gains = _interval(scores - last[model], folds) if model in last else [np.nan] * 3
        table.append((model, layer, depth, n_columns, *summary, *gains))
    return pd.DataFrame(table, columns=LAYER_SCORED)


def _interval(gains: NDArray[np.float64], folds: Folds) -> tuple[float, float, float]:
    """Mean over folds, and its 95 % interval by the corrected resampled t-test."""
    n_folds, mean = len(gains), float(gains.mean())
    if n_folds == 1:
        return mean, np.nan, np.nan
    ratio = np.mean([len(test) / len(train) for train, test in folds])
    error = np.sqrt(gains.var(ddof=1) * (1 / n_folds + ratio))
    half = float(stats.t.ppf(0.975, n_folds - 1) * error)
    return mean, mean - half, mean + half
