"""Compare the model of an assay with simpler ones, by folds that ask what one wants to know."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import root_mean_squared_error

from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ..embedding._embedder import ESMEmbedder
from ..embedding._scorer import ESMScorer
from ..evaluation._splits import checked_folds
from ..probes._left_out_voting import LeftOutVotingRegressor
from ..probes._metrics import spearman
from ..utils._compat import Interval, validate_params
from ..utils._progress import ProgressBar
from ._assay import Assay
from ._variant_model import MODEL_FREE, POOLED, default_features, make_variant_model

SPLITS = ("random", "modulo", "contiguous")
COVERAGE = 0.9
PREDICTED = ("predicted", "std", "lower_90", "upper_90")
_COLUMNS = ("split", "features", "fold", "n_test", "spearman", "rmse", "within_90")


class Comparison(NamedTuple):
    """Scores of models of an assay.

    Attributes
    ----------
    scores : DataFrame
        One row per split, set of features and fold: ``split``, ``features`` (joined by `` + ``),
        ``fold``, ``n_test``, ``spearman``, ``rmse`` (in units of the measurements) and
        ``within_90``, the share of measurements within the 90 % interval.
    predicted : DataFrame
        For each row of the assay the prediction of all features in the random fold that leaves it
        out: ``predicted``, ``std``, ``lower_90``, ``upper_90``.
    """

    scores: pd.DataFrame
    predicted: pd.DataFrame


@validate_params(
    {
        "assay": [Assay],
        "embedder": [BaseEmbedder, None],
        "features": ["array-like", None],
        "distiller": [ReverseDistiller, None],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "verbose": ["verbose"],
    },
)
def compare_features(
    assay: Assay,
    embedder: BaseEmbedder | None = None,
    *,
    features: Sequence[str] | None = None,
    distiller: ReverseDistiller | None = None,
    n_folds: int = 5,
    verbose: bool = False,
) -> Comparison:
    """Cross-validate the model of an assay, beside each of its baselines and its embeddings alone.

    Rows of one sequence stay together. Folds are "random" and, if each variant has one
    substitution and there are positions enough, "modulo" and "contiguous", whose test positions
    were not measured (:class:`ModuloKFold`, :class:`ContiguousKFold`): these say what to expect of
    predictions at other positions.

    Parameters
    ----------
    assay : Assay
        As :func:`read_assay` returns it.
    embedder : ESMEmbedder or TransformersEmbedder, default=None
        As for :func:`make_variant_model`. Without a `store`, sequences are kept in a temporary one
        meanwhile, so that each is embedded once.
    features : sequence of str, default=None
        As for :func:`make_variant_model`.
    distiller : ReverseDistiller, default=None
        As for :func:`make_variant_model`.
    n_folds : int, default=5
        Number of folds.
    verbose : bool, default=False
        Whether to show progress on standard error.

    Returns
    -------
    comparison : Comparison

    Raises
    ------
    ValueError
        If a feature cannot be computed, there are too few variants for the folds, or all
        measurements of a fold are equal.
    """
    embedder = ESMEmbedder("650M") if embedder is None else clone(embedder)
    task = assay.task()
    has_positions = task.position is not None and len(set(task.position.tolist())) >= n_folds
    folds = checked_folds(task, SPLITS if has_positions else SPLITS[:1], n_folds)
    if features is None:
        features = default_features(embedder, assay.wild_type, distiller)
    sets = _sets(features)
    how = {"reference": assay.wild_type, "distiller": distiller}
    for names in (features, *sets):  # before the work
        make_variant_model(embedder, features=names, **how)
    sequences = np.array(assay.sequences, dtype=object)
    predicted = pd.DataFrame(index=assay.table.index, columns=PREDICTED, dtype=np.float64)
    rows = []
    bar = ProgressBar(
        total=sum(map(len, folds.values())) * len(sets), desc="fit", disable=not verbose
    )
    with stored([embedder], embedder.store), bar:
        for names in sets:
            model = make_variant_model(embedder, features=names, **how)
            for split, of_split in folds.items():
                for fold, (train, test) in enumerate(of_split):
                    fitted = clone(model).fit(sequences[train], assay.target[train])
                    found = predict_intervals(fitted, sequences[test])
                    if split == "random" and names is sets[0]:
                        predicted.iloc[test] = found
                    scored = _scores(assay.target[test], *found.T)
                    rows.append((split, " + ".join(names), fold, len(test), *scored))
                    bar.update()
    return Comparison(pd.DataFrame(rows, columns=_COLUMNS), predicted)


def predict_intervals(model: LeftOutVotingRegressor, sequences: NDArray) -> NDArray[np.float64]:
    """Predict sequences, with standard deviations and intervals.

    Parameters
    ----------
    model : LeftOutVotingRegressor
        Fitted.
    sequences : ndarray of shape (n_sequences,) of str

    Returns
    -------
    predicted : ndarray of shape (n_sequences, 4), float64
        Columns are ``PREDICTED``: predictions, standard deviations, and the ends of 90 % intervals.
    """
    mean, std, half = model._predicted_with_half(sequences, COVERAGE)
    return np.column_stack([mean, std, mean - half, mean + half])


@contextmanager
def stored(
    parts: Sequence[BaseEmbedder | ESMScorer], store: str | os.PathLike | None, **settings: Any
) -> Iterator[None]:
    """Let parts that embed share a store meanwhile, a temporary one if there is none.

    Parameters
    ----------
    parts : sequence of BaseEmbedder or ESMScorer
    store : path-like or None
    **settings
        Other parameters that they have meanwhile.
    """
    before = [part.get_params(deep=False) for part in parts]
    with TemporaryDirectory() as folder:
        shared = Path(folder, "embeddings.sqlite") if store is None else store
        for part in parts:
            part.set_params(store=shared, **settings)
        try:
            yield
        finally:
            for part, parameters in zip(parts, before, strict=True):
                part.set_params(**parameters)


def _sets(features) -> list[list[str]]:
    """All features, each baseline alone, and the embeddings alone."""
    sets = [list(features), *([name] for name in features if name in MODEL_FREE)]
    sets.append([name for name in features if name in POOLED])
    return [names for i, names in enumerate(sets) if names and names not in sets[:i]]


def _scores(y, predicted, std, lower, upper):
    # equal up to rounding, as where one-hot encoding knows nothing
    predicted = np.round(predicted, 9 - int(np.log10(np.abs(predicted).max() or 1)))
    within = np.mean((lower <= y) & (y <= upper))
    return spearman(y, predicted), root_mean_squared_error(y, predicted), within
