"""Steps of a pipeline: the distiller in it, and the rows that it is given."""

from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ..distillation._reverse_distiller import ReverseDistiller

# What is taken wherever a distiller is asked for.
OF_DISTILLER = [ReverseDistiller, FrozenEstimator, Pipeline]


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
