"""Reverse Distillation: nested embeddings from a chain of protein language models.

    sequences --ESMEmbedder--> [H1 | H2 | ...] --ReverseDistiller--> nested embedding --> any probe
                                      |                 |
                                   Moments, which add   solved once, one affine map

`PrefixRidgeCV` and `PrefixRidgeClassifierCV` are probes that choose the prefix, all of them at the
price of one, and `PrefixCurveDisplay` draws what they saw. `prefix_scores` and `PrefixScoreDisplay`
show what nested and plain embeddings are worth; `NaiveChain` is the baseline that keeps no prefix.
`evaluate` scores all of them on many a `Task`, which `read_tasks` reads. `load_if1_ecoli` (a
measured assay) and `load_secondary_structure` (labels of residues) are data to try them on.

Importing the package loads neither torch nor matplotlib.
"""

from ._datasets import load_if1_ecoli, load_secondary_structure
from ._display import PrefixCurveDisplay, PrefixScoreDisplay
from ._embedder import ESMEmbedder
from ._evaluation import evaluate, prefix_scores
from ._moments import Moments
from ._naive_chain import NaiveChain
from ._prefix_ridge_cv import PrefixRidgeClassifierCV, PrefixRidgeCV
from ._reverse_distiller import ReverseDistiller
from ._scaling_display import ScalingDisplay
from ._store import EmbeddingStore
from ._summary import growth, mean_scores, win_rates
from ._task_list import read_tasks
from ._tasks import Task
from ._variance_display import NestedVarianceDisplay

__all__ = [
    "ESMEmbedder",
    "EmbeddingStore",
    "Moments",
    "NaiveChain",
    "NestedVarianceDisplay",
    "PrefixCurveDisplay",
    "PrefixRidgeCV",
    "PrefixRidgeClassifierCV",
    "PrefixScoreDisplay",
    "ReverseDistiller",
    "ScalingDisplay",
    "Task",
    "evaluate",
    "growth",
    "load_if1_ecoli",
    "load_secondary_structure",
    "mean_scores",
    "prefix_scores",
    "read_tasks",
    "win_rates",
]
__version__ = "0.1.0.dev0"
