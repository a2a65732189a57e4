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
from ._store import EmbeddingStore
from ._task_list import read_tasks
from ._tasks import Task

__all__ = [
    "ESMEmbedder",
    "EmbeddingStore",
    "Moments",
    "NaiveChain",
    "PrefixCurveDisplay",
    "PrefixRidgeCV",
    "PrefixRidgeClassifierCV",
    "PrefixScoreDisplay",
    "ReverseDistiller",
    "Task",
    "evaluate",
    "load_if1_ecoli",
    "load_secondary_structure",
    "prefix_scores",
    "read_tasks",
]
__version__ = "0.1.0.dev0"
