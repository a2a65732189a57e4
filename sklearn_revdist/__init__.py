"""Reverse Distillation: nested embeddings from a chain of protein language models.

    sequences --ESMEmbedder--> [H1 | H2 | ...] --ReverseDistiller--> nested embedding --> any probe
                                      |                 |
                                   Moments, which add   solved once, one affine map

`PrefixRidgeCV` and `PrefixRidgeClassifierCV` are probes that choose the prefix, all of them at the
price of one, and `PrefixCurveDisplay` draws their scores. `prefix_scores` and `PrefixScoreDisplay`
score nested and plain embeddings; `NaiveChain` is the baseline that keeps no prefix.
`evaluate` scores all of them on many a `Task`, which `read_tasks` reads; `mean_scores`, `win_rates`
and `growth` sum the scores up, and `ScalingDisplay` draws them. `NestedVarianceDisplay` shows what
each prefix explains. `read_fasta` reads sequences. `load_if1_ecoli` (a measured assay) and
`load_secondary_structure` (labels of residues) are data to try them on; `fetch_proteingym`
downloads more.

Importing the package loads neither torch nor matplotlib: each name is imported when it is first
used, as `__init__.pyi` says (SPEC 1).
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
__version__ = "0.1.0.dev0"
