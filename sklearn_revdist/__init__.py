"""Reverse Distillation: nested embeddings from a chain of protein language models.

    sequences --ESMEmbedder--> [H1 | H2 | ...] --ReverseDistiller--> nested embedding --> any probe
                                      |                 |
                                   Moments, which add   solved once, one affine map

`load_if1_ecoli` is a measured assay to try it on; `prefix_scores` and `PrefixScoreDisplay` show
what every prefix is worth. Importing the package loads neither torch nor matplotlib.
"""

from ._datasets import load_if1_ecoli
from ._display import PrefixScoreDisplay
from ._embedder import ESMEmbedder
from ._evaluation import prefix_scores
from ._moments import Moments
from ._reverse_distiller import ReverseDistiller

__all__ = [
    "ESMEmbedder",
    "Moments",
    "PrefixScoreDisplay",
    "ReverseDistiller",
    "load_if1_ecoli",
    "prefix_scores",
]
__version__ = "0.1.0.dev0"
