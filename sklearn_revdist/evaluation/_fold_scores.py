"""Fold scores: score a probe on every representation of some rows, fold by fold."""

import warnings
from collections.abc import Iterator

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.stats import gmean
from sklearn.base import BaseEstimator

from ..neighbors._prefix_neighbors import PrefixNeighbors
from ..utils._progress import ProgressBar
from ._model_free import MODEL_FREE, ModelFree
from ._probes import OF_BEST, fit_probe, outputs, penalty, score, score_best
from ._representations import Maps, Representation
from ._retrieval import score_queries
from ._splits import Folds

# Columns of the rows that `score_folds` returns.
SCORED = [
    *("subset", "model", "representation", "fitted_on", "n_columns"),
    *("score", "score_std", "n_folds", "n_test", "penalty", *OF_BEST),
]
# Fewer rows are too few for a correlation.
_FEWEST_IN_SUBSET = 10


def _columns_by_fold(
    natural: Maps, listed: list[Representation], folds: Folds, model_free: ModelFree | None
) -> Iterator[tuple[Representation, int, NDArray[np.float64]]]:
    """Yield every representation and fold, with the representation of all rows."""
    for each in listed:
        if each.name in MODEL_FREE:
            for fold, (train, _) in enumerate(folds):
                columns = model_free.columns(each.name, train)
                if columns is not None:
                    yield each, fold, columns
        elif each.fitted_on != "fold":
            columns = natural.columns(each.level, each.name)
            for fold in range(len(folds)):
                yield each, fold, columns
    of_fold = [each for each in listed if each.fitted_on == "fold" and each.name not in MODEL_FREE]
    for fold, (train, _) in enumerate(folds if of_fold else []):
        maps = Maps(natural.X, natural.sizes, natural.distiller, rows=train)
        for each in of_fold:
            yield each, fold, maps.columns(each.level, each.name)


def score_folds(
    natural: Maps,
    listed: list[Representation],
    folds: Folds,
    probe: BaseEstimator,
    y: NDArray,
    groups: NDArray,
    metric: str,
    subsets: dict[str, NDArray[np.bool_]],
    *,
    model_free: ModelFree | None = None,
    n_jobs: int | None,
    progress: str | None,
) -> list[tuple]:
    """Score every representation on every subset of the test rows.

    Parameters
    ----------
    natural : Maps
        All rows, and the maps that are not fitted on folds.
    listed : list of Representation
        Representations to score.
    folds : Folds
        Indices of training and test rows.
    probe : estimator
        A clone is fitted on each training fold; PrefixNeighbors for retrievals.
    y : ndarray of shape (n_rows,)
        Targets.
    groups : ndarray of shape (n_rows,), int64
        Group of each row; inner folds of the probe keep groups whole, and queries do not find rows
        of their own.
    metric : str
        "spearman" or "aupr"; of retrievals "map", "recall@1" or another number.
    subsets : dict of str to ndarray of shape (n_rows,), bool
        Masks of rows. In each fold, subsets of fewer than ten test rows are left out, except "all".
    model_free : ModelFree, default=None
        Computes those of `listed` that need no model.
    n_jobs : int or None
        Number of probes fitted at a time, in threads.
    progress : str or None
        Text of the progress bar; None shows none.

    Returns
    -------
    rows : list of tuple
        Values of `SCORED`, by subset, and in the order of `listed`.
    """

    def one(each, fold, columns):
        train, test = folds[fold]
        fitted = fit_probe(probe, columns[train], y[train], groups[train])
        if isinstance(fitted, PrefixNeighbors):
            predicted = score_queries(fitted, columns, y, groups, train, test, metric)
            scored, classes = np.isfinite(predicted), None  # of queries that have an answer
        else:
            predicted, scored = outputs(fitted, columns[test]), np.ones(len(test), bool)
            classes = getattr(fitted, "classes_", None)
        scores = {}
        for name, rows in subsets.items():
            chosen = rows[test] & scored
            if name == "all" or chosen.sum() >= _FEWEST_IN_SUBSET:
                measured, output = y[test][chosen], predicted[chosen]
                best = score_best(metric, measured, output, y[train])
                value = score(metric, measured, output, classes)
                scores[name] = value, best, int(chosen.sum())
        return each, fold, columns.shape[1], penalty(fitted), scores

    n_probes, disable = len(listed) * len(folds), progress is None
    jobs = _columns_by_fold(natural, listed, folds, model_free)
    bar = ProgressBar(jobs, desc=progress, total=n_probes, unit="probe", disable=disable)
    with warnings.catch_warnings():
        # Training folds may be too small for all columns; widths stay the same.
        for expected in ("beyond the numerical rank", "fewer than its", "Rounding may correlate"):
            warnings.filterwarnings("ignore", f".*{expected}", UserWarning)
        # A search has threads of its own, and limits those of BLAS for the whole process.
        n_jobs = 1 if isinstance(probe, PrefixNeighbors) else n_jobs
        results = Parallel(n_jobs=n_jobs, prefer="threads", pre_dispatch="n_jobs")(
            delayed(one)(*job) for job in bar
        )
    results.sort(key=lambda result: result[1])
    rows = []
    for subset in subsets:
        for each in dict.fromkeys(listed):
            finite = [
                (n_columns, chosen, *scores[subset])
                for scored, _, n_columns, chosen, scores in results
                if scored == each and subset in scores and np.isfinite(scores[subset][0])
            ]
            if finite:
                model = "" if each.name in MODEL_FREE else natural.sizes.models[each.level]
                what = subset, model, each.name, each.fitted_on
                widths, penalties, found, best, tested = zip(*finite, strict=True)
                summary = min(widths), np.mean(found), np.std(found), len(found), sum(tested)
                rows.append((*what, *summary, gmean(penalties), *np.mean(best, axis=0)))
    return rows
