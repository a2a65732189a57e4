"""What the package exports, and where from: read when it is imported, and by type checkers."""

from .assays._assay import Assay, read_assay
from .assays._comparison import compare_features
from .assays._model import VariantModel
from .assays._variant_model import make_variant_model
from .baselines._composition import KmerComposition
from .baselines._one_hot import SequenceOneHotEncoder
from .baselines._site_mean import SiteMean
from .displays._layer_curve import LayerCurveDisplay
from .displays._nested_variance import NestedVarianceDisplay
from .displays._prefix_curve import PrefixCurveDisplay
from .displays._prefix_scores import PrefixScoreDisplay
from .displays._scaling import ScalingDisplay
from .displays._substitution_map import SubstitutionMapDisplay
from .distillation._naive_chain import NaiveChain
from .distillation._reverse_distiller import ReverseDistiller
from .embedding._embedder import ESMEmbedder
from .embedding._scorer import ESMScorer
from .embedding._store import EmbeddingStore
from .embedding._to_parquet import embed_to_parquet
from .embedding._transformers_embedder import TransformersEmbedder
from .embedding._verify import verify_embeddings
from .evaluation._campaign import simulate_campaign
from .evaluation._evaluate import evaluate
from .evaluation._layer_scores import layer_scores
from .evaluation._prefix_scores import prefix_scores
from .evaluation._summary import growth, mean_scores, win_rates
from .matrix._moments import Moments
from .neighbors._augmenter import RetrievalAugmenter
from .neighbors._metrics import accuracy_by_identity, mean_average_precision, recall_at_k
from .neighbors._mixture import RetrievalMixtureClassifier, RetrievalMixtureRegressor
from .neighbors._prefix_neighbors import PrefixNeighbors
from .neighbors._transfer_classifier import AnnotationTransferClassifier
from .neighbors._transfer_regressor import AnnotationTransferRegressor
from .probes._folds import ContiguousKFold, ModuloKFold
from .probes._group_ridge_cv import GroupRidgeCV
from .probes._left_out_voting import LeftOutVotingRegressor
from .probes._prefix_ridge_cv import PrefixRidgeClassifierCV, PrefixRidgeCV
from .probes._top_k import hit_rate, ndcg_at_k, top_k_recall
from .sequences._fasta import read_fasta
from .sequences._variants import combine_mutants, mutants_of, mutate, single_substitutions
from .tasks._bundled import load_if1_ecoli, load_secondary_structure
from .tasks._proteingym import fetch_proteingym
from .tasks._task import Task
from .tasks._task_list import read_tasks
from .utils._versions import show_versions

__all__ = [
    "AnnotationTransferClassifier",
    "AnnotationTransferRegressor",
    "Assay",
    "ContiguousKFold",
    "ESMEmbedder",
    "ESMScorer",
    "EmbeddingStore",
    "GroupRidgeCV",
    "KmerComposition",
    "LayerCurveDisplay",
    "LeftOutVotingRegressor",
    "ModuloKFold",
    "Moments",
    "NaiveChain",
    "NestedVarianceDisplay",
    "PrefixCurveDisplay",
    "PrefixNeighbors",
    "PrefixRidgeCV",
    "PrefixRidgeClassifierCV",
    "PrefixScoreDisplay",
    "RetrievalAugmenter",
    "RetrievalMixtureClassifier",
    "RetrievalMixtureRegressor",
    "ReverseDistiller",
    "ScalingDisplay",
    "SequenceOneHotEncoder",
    "SiteMean",
    "SubstitutionMapDisplay",
    "Task",
    "TransformersEmbedder",
    "VariantModel",
    "accuracy_by_identity",
    "combine_mutants",
    "compare_features",
    "embed_to_parquet",
    "evaluate",
    "fetch_proteingym",
    "growth",
    "hit_rate",
    "layer_scores",
    "load_if1_ecoli",
    "load_secondary_structure",
    "make_variant_model",
    "mean_average_precision",
    "mean_scores",
    "mutants_of",
    "mutate",
    "ndcg_at_k",
    "prefix_scores",
    "read_assay",
    "read_fasta",
    "read_tasks",
    "recall_at_k",
    "show_versions",
    "simulate_campaign",
    "single_substitutions",
    "top_k_recall",
    "verify_embeddings",
    "win_rates",
]
__version__: str
