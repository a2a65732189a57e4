"""Score files: tables of scores under names that identify everything they depend on."""

import copy
import os
import re

import pandas as pd
from sklearn.base import clone

from ..utils._files import local_path, replaced
from ..utils._fingerprint import fingerprint
from ._probes import OF_BEST

# Increase this when scores are computed differently, so that old files are not used.
_DEFINITION = 5


def write_scores(table: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write a table in one step, with six decimals, which rounding does not change."""
    with replaced(local_path(path)) as part:
        table.to_csv(part, index=False, float_format="%.6f", lineterminator="\n")


def read_scores(path: str | os.PathLike) -> pd.DataFrame:
    """Read a table that :func:`write_scores` wrote."""
    text = ["task", "subset", "model", "fitted_on"]
    return pd.read_csv(
        path,
        dtype=dict.fromkeys(text, str),
        keep_default_na=False,
        na_values={column: [""] for column in ("score", "score_std", "penalty", *OF_BEST)},
    )


def scores_key(distiller, settings):
    """Return a digest of all that scores depend on, except the task and the embedder."""
    probe = settings["probe"]
    if not isinstance(probe, str | None):
        settings = {**settings, "probe": clone(probe)}  # as it is fitted on folds
    hasattr(distiller, "components_")  # solves the chain here, if that is due, not in a copy
    # The whole map, and the parameters of the clones that are fitted on folds.
    whole = copy.copy(distiller).set_params(n_components=None, memory=None, pretrained=None)
    moments = vars(whole).get("moments_")
    natural = moments if moments is None else vars(moments)
    parameters = whole.get_params(deep=False)
    return fingerprint(_DEFINITION, whole, parameters, natural, settings)


def file_name(task, embedded_by, key):
    """Return the name of a task's file, with a digest of all that its scores depend on."""
    digest = fingerprint(embedded_by, key, task)
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', task.name)}-{digest[:12]}.csv"
