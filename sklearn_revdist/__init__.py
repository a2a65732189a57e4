"""Reverse Distillation: nested embeddings from a chain of protein language models.

    sequences --ESMEmbedder--> [H1 | H2 | ...] --ReverseDistiller--> nested embedding --> any probe
                                      |                 |
                                   Moments, which add   solved once, one affine map

`PrefixRidgeCV` and `PrefixRidgeClassifierCV` are probes that choose the prefix, all of them at the
price of one, and `PrefixCurveDisplay` draws what they saw. `prefix_scores` and `PrefixScoreDisplay`
show what nested and plain embeddings are worth; `NaiveChain` is the baseline that keeps no prefix.
`evaluate` scores all of them on many a `Task`, which `read_tasks` reads; `mean_scores`, `win_rates`
and `growth` sum the scores up, and `ScalingDisplay` draws them. `NestedVarianceDisplay` shows what
each prefix explains. `read_fasta` reads sequences. `load_if1_ecoli` (a measured assay) and
`load_secondary_structure` (labels of residues) are data to try them on; `fetch_proteingym`
downloads more.

Importing the package loads neither torch nor matplotlib.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._cluster import embed_to_parquet
    from ._datasets import load_if1_ecoli, load_secondary_structure
    from ._embedder import ESMEmbedder
    from ._evaluate import evaluate
    from ._fasta import read_fasta
    from ._fetchers import fetch_proteingym
    from ._folds import ContiguousKFold, ModuloKFold
    from ._moments import Moments
    from ._naive_chain import NaiveChain
    from ._prefix_curve_display import PrefixCurveDisplay
    from ._prefix_ridge_cv import PrefixRidgeClassifierCV, PrefixRidgeCV
    from ._prefix_score_display import PrefixScoreDisplay
    from ._prefix_scores import prefix_scores
    from ._reverse_distiller import ReverseDistiller
    from ._scaling_display import ScalingDisplay
    from ._store import EmbeddingStore
    from ._summary import growth, mean_scores, win_rates
    from ._task_list import read_tasks
    from ._tasks import Task
    from ._variance_display import NestedVarianceDisplay

# Each name is imported from its room when it is first used, so that what needs little starts at
# once: the help of the command line, a distiller in a worker.
_ROOMS = {
    "ContiguousKFold": "_folds",
    "ESMEmbedder": "_embedder",
    "EmbeddingStore": "_store",
    "ModuloKFold": "_folds",
    "Moments": "_moments",
    "NaiveChain": "_naive_chain",
    "NestedVarianceDisplay": "_variance_display",
    "PrefixCurveDisplay": "_prefix_curve_display",
    "PrefixRidgeCV": "_prefix_ridge_cv",
    "PrefixRidgeClassifierCV": "_prefix_ridge_cv",
    "PrefixScoreDisplay": "_prefix_score_display",
    "ReverseDistiller": "_reverse_distiller",
    "ScalingDisplay": "_scaling_display",
    "Task": "_tasks",
    "embed_to_parquet": "_cluster",
    "evaluate": "_evaluate",
    "fetch_proteingym": "_fetchers",
    "growth": "_summary",
    "load_if1_ecoli": "_datasets",
    "load_secondary_structure": "_datasets",
    "mean_scores": "_summary",
    "prefix_scores": "_prefix_scores",
    "read_fasta": "_fasta",
    "read_tasks": "_task_list",
    "win_rates": "_summary",
}
__all__ = list(_ROOMS)
__version__ = "0.1.0.dev0"


def __getattr__(name):
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_import_module(f".{_ROOMS[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_ROOMS})
