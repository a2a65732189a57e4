"""A wrong type or value of any public parameter: one sentence that names the parameter."""

import inspect
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, is_classifier
from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression

import sklearn_revdist
from sklearn_revdist import (
    AnnotationTransferClassifier,
    AnnotationTransferRegressor,
    EmbeddingStore,
    ESMEmbedder,
    ESMScorer,
    GroupRidgeCV,
    KmerComposition,
    LayerCurveDisplay,
    LeftOutVotingRegressor,
    Moments,
    NaiveChain,
    NestedVarianceDisplay,
    PrefixCurveDisplay,
    PrefixNeighbors,
    PrefixRidgeClassifierCV,
    PrefixRidgeCV,
    PrefixScoreDisplay,
    RetrievalAugmenter,
    RetrievalMixtureClassifier,
    RetrievalMixtureRegressor,
    ReverseDistiller,
    ScalingDisplay,
    SequenceOneHotEncoder,
    SiteMean,
    SubstitutionMapDisplay,
    Task,
    TransformersEmbedder,
    VariantModel,
    layer_scores,
    prefix_scores,
    read_assay,
)
from sklearn_revdist.embedding._store_file import SequenceKey, Source
from sklearn_revdist.evaluation._evaluate import COLUMNS

DIMS = [3, 5]
X = np.random.default_rng(0).normal(size=(40, 8))
Y = X[:, 0] + X[:, 5]
CLASSES = np.repeat(["a", "b"], 20)

# What no parameter takes, whatever it is.
ODD = [object(), 1j]
NO_BOOLEAN = ["yes", None, 2]
NO_VERBOSE = ["yes", None, -1]
NO_PATH = [5, ["a"]]
NO_COUNT = [0, -1, 1.5, "many", np.nan, [3]]
NO_NUMBER_OR_SHARE = [0, -1, 0.0, 1.0, 1.5, 99, "many", None, np.nan, [3]]

WIDTHS = [5, "ab", [0, 8], [-1, 9], [2.5, 5.5], ["a", "b"], [3], [[3, 5]], [None, 8], []]
RIDGE = {
    "alphas": [5, None, "abc", ["a"], [], [[1.0]], [0.0], [-1.0], [np.nan], [np.inf], [None]],
    "prefixes": [5, None, "nosuch", "models", [], [0], [99], [2, 1], [2, 2], [1.5], ["a"], [[1]]],
    "scale": NO_BOOLEAN,
    "cv": [0, 1, -3, 2.5, "five"],
    "scoring": ["nosuch", 5, ["r2"]],
    "one_standard_error": NO_BOOLEAN,
}
UNKNOWN = ["x", None, "skip", True]
RETRIEVAL = {
    "neighbors": [5, "nearest", PrefixNeighbors, LinearRegression()],
    "database": [5, [1.0], X[:, :3], np.full((3, 8), np.nan)],
    "temperature": [-1.0, "low", None, np.nan, [1.0]],
}
CHAINS = ["nosuch", 5, None, [], ["nosuch"], [5], [None], ["8M", "8M"], {"8M"}]
SEARCH = {
    "n_neighbors": NO_COUNT,
    "n_components": [0, -1, 1.5, 99, "nosuch", [1], np.nan],
    "prefixes": [5, "ab", [], [0, 8], [3], [3, 9], [8, 8], [2.5, 8], ["a"], [[3, 8]], [None]],
    "level_scale": [5, "some", [1.0], [1.0] * 3, [1.0, 0.0], [1.0, np.nan], ["a", "b"]],
    "metric": ["manhattan", None, 5],
    "n_jobs": [0, 1.5, "all", [1]],
}
TRANSFER = {
    **SEARCH,
    "temperature": [-1.0, None, "warm", np.nan],
    "max_distance": [-1.0, "far", np.nan],
}
ESTIMATORS = {
    SequenceOneHotEncoder: {"unknown": UNKNOWN, "sparse_output": NO_BOOLEAN},
    SiteMean: {
        "reference": [5, ["MKT"], "MKTAY"],
        "smooth": [-1.0, "auto", None, np.nan],
        "cv": [1, 0, 2.5, "five", None],
        "unknown": UNKNOWN,
        "random_state": [-1, 1.5, "a", None],
    },
    GroupRidgeCV: {
        "groups": [5, "ab", ["a"], [["a"] * 8]],
        "alpha_min": [0, -1.0, "low", None, np.nan, 1e9],
        "alpha_max": [0, -1.0, "high", None, np.nan, 1e-3],
        "scale": NO_BOOLEAN,
        "max_iter": [0, -1, 1.5, "many", None],
    },
    KmerComposition: {"k": [0, 4, 1.5, "two", None], "unknown": UNKNOWN},
    ESMScorer: {
        "chain": CHAINS,
        "kinds": ["masked_marginals", None, 5, [], ["nosuch"], ["masked_marginals"] * 2, [5]],
        "reference": [5, ["MKT"], None],
        "device": ["nosuch", "cuda:99", 5],
        "dtype": ["float64", None, np.float32],
        "batch_tokens": NO_COUNT,
        "max_length": NO_COUNT,
        "unknown": ["x", None, "skip", True],
        "store": NO_PATH,
        "verbose": NO_VERBOSE,
    },
    ESMEmbedder: {
        "chain": CHAINS,
        "layer": [4, -5, 1.5, -0.5, "last", None, True, [1, 2], [[1]], ["a"], [], np.nan],
        "pooling": [
            *("median", None, 5, [], ["mean", "mean"], ["mean", None], "sites", [0, 1], [1, 1]),
            *(
                [4],
                [1.5],
                [True],
                np.array([[1]]),
                lambda rows: rows,
                lambda rows: rows[0] + np.nan,
            ),
        ],
        "reference": [5, ["MKT"]],
        "device": ["nosuch", "cuda:99", 5],
        "dtype": ["float64", None, np.float32],
        "batch_tokens": NO_COUNT,
        "max_length": NO_COUNT,
        "long": ["cut", None, True],
        "unknown": ["x", None, "skip", True],
        "store": NO_PATH,
        "verbose": NO_VERBOSE,
    },
    NaiveChain: {"dims": WIDTHS},
    ReverseDistiller: {
        "dims": WIDTHS,
        "n_components": [0, -1, 1.5, 99, "nosuch", [1], np.nan],
        "pretrained": [
            *(5, ["demo"], "nosuch", __file__, ReverseDistiller(), ReverseDistiller),
            *(FrozenEstimator(LinearRegression()), FrozenEstimator(ReverseDistiller())),
        ],
        "n_new": [3, "some", [9], [-1], [1.5], [1, 2], ["a"], [None], []],
        "residual": ["both", None, True, ["joint"], 1],
        "regressor": ["lasso", None, 5, ["ols"], LinearRegression],
        "alpha": [0, -1.0, "big", np.nan, np.inf, [1.0]],
        "rank": NO_COUNT,
        "memory": [5, ["a"]],
    },
    PrefixNeighbors: {
        **SEARCH,
        "exclude": ["self", None, True],
        "engine": ["annoy", None, 5],
        "index": [5, None, ["HNSW32"]],
        "shortlist": NO_COUNT,
    },
    AnnotationTransferClassifier: {**TRANSFER, "outlier_label": [["a"]]},
    AnnotationTransferRegressor: TRANSFER,
    RetrievalAugmenter: {
        **RETRIEVAL,
        "features": [5, None, "labels", [], ["nosuch"], [5], ["labels", "labels"], [["mean"]]],
        "target_type": ["multiclass", None, 5],
        "cv": [1, 0, 2.5, "five", None, 99],
        "random_state": [-1, 1.5, "a", None],
    },
    RetrievalMixtureClassifier: {
        **RETRIEVAL,
        "estimator": [5, None, "ridge", LogisticRegression, LinearRegression()],
    },
    RetrievalMixtureRegressor: {
        **RETRIEVAL,
        "estimator": [5, None, "ridge", LinearRegression],
    },
    PrefixRidgeCV: RIDGE,
    PrefixRidgeClassifierCV: RIDGE,
    LeftOutVotingRegressor: {
        "estimators": [
            *(5, None, "ab", [], [5], [("a",)], [("a", 5)], [(5, GroupRidgeCV())]),
            *([("a", GroupRidgeCV())] * 2, [("a", LinearRegression())]),
            [("a", GroupRidgeCV()), ("b", RandomForestRegressor())],
        ],
        "weights": [
            *(5, "abc", [1], [1, 2, 3], [-1, 2], [0, 0], [np.nan, 1], ["r2", "b"], [[1, 2]]),
            *([None, 1], ["r2"]),
        ],
        "n_jobs": [1.5, "all"],
        "verbose": ["yes", None, -1],
    },
}

# models of ESM-2, which need no extra; a string is no chain here
CHAINS_OF_FAMILIES = ["demo-48", 5, None, [], ["nosuch"], [5], [None], ["8M", "8M"], {"8M"}]
ESTIMATORS[TransformersEmbedder] = ESTIMATORS[ESMEmbedder] | {"chain": CHAINS_OF_FAMILIES}


def use(estimator):
    """What first uses the parameters of an estimator."""
    if isinstance(estimator, ESMEmbedder | ESMScorer | TransformersEmbedder):
        return estimator.transform(["MKT"])
    if isinstance(estimator, SequenceOneHotEncoder | SiteMean | KmerComposition):
        return estimator.fit_transform(["MKT", "MKR", "MRT", "ART", "MKW", "MRW"], [*range(6)])
    y = CLASSES if is_classifier(estimator) else Y
    if isinstance(estimator, RetrievalAugmenter):
        return estimator.fit_transform(X, y)
    fitted = estimator.fit(X, y)
    return fitted.transform(X) if hasattr(fitted, "transform") else fitted.predict(X)


GOOD = {
    ESMEmbedder: {"chain": "demo-48"},
    ESMScorer: {"chain": "demo-48", "reference": "MKV"},
    TransformersEmbedder: {"chain": ["demo-48"]},
}
SEARCHERS = [PrefixNeighbors, AnnotationTransferClassifier, AnnotationTransferRegressor]
GOOD |= {made: {"prefixes": [3, 8]} for made in SEARCHERS}
GOOD |= {made: {"dims": DIMS} for made in (ReverseDistiller, NaiveChain)}
GOOD[RetrievalMixtureClassifier] = {"estimator": LogisticRegression()}
GOOD[RetrievalMixtureRegressor] = {"estimator": LinearRegression()}
GOOD[LeftOutVotingRegressor] = {"estimators": [("a", GroupRidgeCV()), ("b", PrefixRidgeCV())]}

TASK = Task("t", [f"MK{acid}" for acid in "ACDEFGHI"], np.arange(8.0), np.arange(8))
SCORES = {
    "scores": [5, None, "scores.csv", [[1.0]], pd.DataFrame({"score": [1.0]})],
    "n_bootstrap": NO_COUNT,
    "seed": [-1, 1.5, "a", None],
}
AX = [5, "ax", [1, 2], np.array([None])]
DISTILLER = ["demo", None, 5, ReverseDistiller, PrefixRidgeCV()]
NO_LAYERS = {"layers": [5, "all", [], [4], [None], [[1, 2]], np.nan]}
EMBEDDER = ["demo", None, 5, ESMEmbedder]
COVERAGE = {"coverage": [0, 1, -0.5, 2, "most", None, np.nan, [0.5]]}
RETURN_STD = {"return_std": NO_BOOLEAN}
OF_VARIANTS = {
    "embedder": ["demo", 5, ESMEmbedder, PrefixRidgeCV()],
    "features": ["mean", 5, [], ["nosuch"], [5], [None], [["mean"]], ["mean", "mean"]],
    "distiller": ["demo", 5, ReverseDistiller, PrefixRidgeCV()],
}
COLUMN = [5, "abc", np.zeros(3, int), np.zeros((8, 1), int)]
INTEGERS = [*COLUMN, np.arange(8.0), np.array(["a"] * 8), [0] * 8]

WEIGHTS = {
    "sample_weight": [
        *(5, "abc", [1.0], [[1.0]] * 40, ["a"] * 40, [1j] * 40),
        *([value] * 40 for value in (-1.0, np.nan, np.inf, 0.0)),
    ]
}
MOMENTS = {
    "moments": [5, None, "abc", X],
    "feature_names": [5, "abc", ["a"], [["a"] * 8], list(range(8))],
}
MODEL = {"model": [5, None, "nosuch", ["block0"]]}
NAMES = {"input_features": [5, "abc", ["a"], [["a"] * 8], list(range(8))]}
GROUPS = [5, "ab", ["a"], [["a"] * 40], [*["a"] * 39, None]]
PUBLISHED = {
    "name_or_path": [*NO_PATH, None, b"demo"],
    "variant": [5, ["a"], "nosuch", "", "../a", "a\0"],
    "revision": [5, ["a"], "main", ""],
}
# What is chosen, by the columns of a store.
CHOICE = {
    "model": [5, None, {"a": 1}, [["a"]], ["a", 5]],
    "max_length": ["long", None, 1.5, [0, "a"]],
}

OF_QUERIES = {
    "y_true": [5, "ab", None, [], [["a"]] * 40],
    "y_retrieved": [5, "ab", None, [], ["a"] * 40, [["a"]], [[]] * 40, [[1]] * 40],
}

# By what is called: for each parameter values that it does not take. What is missing is open: data,
# whose errors are tested where they are read.
CALLS = {
    "ContiguousKFold": {"n_splits": [1, 0, -3, 2.5, "5", None]},
    "ModuloKFold": {"n_splits": [1, 0, -3, 2.5, "5", None]},
    "load_if1_ecoli": {"return_X_y": NO_BOOLEAN, "as_frame": NO_BOOLEAN},
    "load_secondary_structure": {"subset": ["all", None, 5], "return_X_y": NO_BOOLEAN},
    "fetch_proteingym": {
        "data_home": NO_PATH,
        "download_if_missing": NO_BOOLEAN,
        "n_retries": [-1, 1.5, "many", None],
        "delay": [-1.0, "long", np.nan, None],
        "url": [5, None, "ftp://a.org", "/etc/passwd", "file:///etc/passwd", ""],
        "sha256": [5, "", "abc", "g" * 64, "a" * 63],
    },
    "prefix_scores": {
        "distiller": DISTILLER,
        "sequences": [5, "MKT", ["MKT"]],
        "reference": [5, ["MKT"]],
        "cv": [0, 1, -3, 2.5, "five", None],
        "verbose": NO_VERBOSE,
    },
    "top_k_recall": {"k": NO_NUMBER_OR_SHARE},
    "hit_rate": {"k": NO_NUMBER_OR_SHARE, "threshold": ["high", None, np.nan, np.inf, [1.0]]},
    "ndcg_at_k": {"k": NO_NUMBER_OR_SHARE},
    "recall_at_k": {
        **OF_QUERIES,
        "k": [*NO_COUNT, None, 3],
        "n_relevant": [5, "ab", [1], [[1]] * 40, [1.5] * 40, [0] * 40, [None] * 40],
    },
    "mean_average_precision": {
        **OF_QUERIES,
        "n_relevant": [5, "ab", [1], [[1]] * 40, [1.5] * 40, [0] * 40, [None] * 40],
    },
    "accuracy_by_identity": {
        "identity": [
            *(5, "ab", None, [[1.0]], ["a"] * 40, [-1.0] * 40, [101.0] * 40, [np.nan] * 40),
            [0.5] * 40,
        ],
        "bands": [5, "ab", None, [], [0], [100, 0], [0, 0], ["a", "b"], [[0, 100]], [np.nan, 1]],
    },
    "mutate": {"mutants": [5, "K2R", None, ["nosuch"], [5]], "first_position": [1.5, "1", None]},
    "mutants_of": {
        "sequences": [5, "MKT", None, [5], ["MK"]],
        "first_position": [1.5, "1", None],
        "notation": ["nosuch", 5, None],
    },
    "single_substitutions": {
        "positions": [5, "abc", [99], ["a"], [1.5], [None]],
        "first_position": [1.5, "1", None],
    },
    "combine_mutants": {
        "mutants": [5, "K2R", None, [5], ["nosuch"]],
        "n_substitutions": NO_COUNT,
    },
    "layer_scores": {
        "embedder": EMBEDDER,
        "layers": [5, "all", [], [9], [None], np.nan],
        "probe": ["nosuch", 5, ["ridge"]],
        "cv": [0, 1, -3, 2.5, "five", None],
        "scoring": ["nosuch", 5],
        "n_jobs": [1.5, "all", 0],
        "verbose": NO_VERBOSE,
    },
    "read_assay": {
        "path": [*NO_PATH, None],
        "target": [5, ["activity"]],
        "sequence_column": [5, ["sequence"]],
        "mutant_column": [5, ["mutant"]],
        "reference": [5, ["MKT"], "", "MK1"],
        "first_position": [1.5, "1", None],
        "unknown": UNKNOWN,
    },
    "make_variant_model": {**OF_VARIANTS, "reference": [5, ["MKT"]]},
    "compare_features": {
        **OF_VARIANTS,
        "assay": ["assay.csv", None, 5, Task],
        "n_folds": [1, 0, 2.5, "five", None],
        "verbose": NO_VERBOSE,
    },
    "VariantModel.train": {**OF_VARIANTS, "assay": ["assay.csv", None, 5, Task]},
    "VariantModel.predict": {
        "store": NO_PATH,
        "device": ["nosuch", "cuda:99", 5],
        "verbose": NO_VERBOSE,
    },
    "VariantModel.save": {"path": [*NO_PATH, None]},
    "VariantModel.load": {"path": [*NO_PATH, None]},
    "SubstitutionMapDisplay.from_predictions": {
        "mutants": [5, "A1G", None, [5], ["WT"], ["A1G", "A1C"]],
        "values": [5, "abc", None, ["a"], [1.0, 2.0], [[1.0]], [np.inf]],
        "wild_type_value": ["low", None, np.nan, [1.0]],
        "label": [5, None, ["activity"]],
        "ax": AX,
    },
    "SubstitutionMapDisplay.plot": {"ax": AX},
    "simulate_campaign": {
        "estimator": ["ridge", None, 5],
        "initial": [0, -1, 1.5, "many", None, [], [0, 0], [99], [-1], [0.5], ["a"], [[1]], 99],
        "n_per_round": [*NO_COUNT, None, 99],
        "n_rounds": [*NO_COUNT, None, 99],
        "acquisition": ["best", "thompson", None, 5],
        "top": NO_NUMBER_OR_SHARE,
        "threshold": ["high", np.nan, np.inf, [1.0]],
        "random_state": [-1, 1.5, "a", None],
    },
    "evaluate": {
        "tasks": [5, None, "ab", [5], [None], TASK, [], [TASK, TASK]],
        "embedder": ["demo", None, 5],
        "distiller": DISTILLER,
        "representations": ["plain", ["nosuch"], [5], [], 5, None],
        "fitted_on": ["fold", ["nosuch"], [5], 5, None],
        "splits": ["random", ["given"], ["nosuch"], [5], 5, None],
        "n_folds": [0, 1, -1, 2.5, "five", None],
        "probe": ["svm", 5, ["ridge"]],
        "output": NO_PATH,
        "n_jobs": [1.5, "all", 0],
        "verbose": NO_VERBOSE,
    },
    "read_tasks": {
        "path": [*NO_PATH, None],
        "data": NO_PATH,
        "target": [5, ["y"]],
        "sequence": [5, ["y"]],
        "mutant": [5, ["y"]],
        "reference": [5, ["MKT"]],
        "unknown": ["x", None, True],
        "skip_invalid": NO_BOOLEAN,
    },
    "read_fasta": {
        "path": [*NO_PATH, None],
        "remove_gaps": NO_BOOLEAN,
        "as_frame": NO_BOOLEAN,
    },
    "mean_scores": SCORES,
    "win_rates": SCORES,
    "growth": SCORES,
    "embed_to_parquet": {
        "embedder": ["demo", None, 5, ESMEmbedder],
        "folder": [*NO_PATH, None],
        "names": ["ab", 5, ["a"], [["a", "b"]]],
        "client": [5, "tcp://localhost:8786"],
        "tokens_per_part": [*NO_COUNT, None],
    },
    "verify_embeddings": {
        "chain": ["nosuch", 5, None, [], ["nosuch"], [5], [None], ["8M", "8M"], {"8M"}],
        "device": ["nosuch", "cuda:99", 5],
        "dtype": ["float64", "auto", None, np.float32],
        "verbose": NO_VERBOSE,
    },
    "EmbeddingStore": {"path": [*NO_PATH, None]},
    "EmbeddingStore.create": {
        "path": [*NO_PATH, None],
        "dtype": ["float64", None, np.float16],
        "exist_ok": NO_BOOLEAN,
    },
    "Moments.of": {
        "X": [5, "abc", None, [1.0, 2.0], [["a"]], [[1j]], [[[1.0]]]],
        "sample_weight": [5, "abc", [1.0], [[1.0, 1.0]], ["a", "b"], [-1.0, 2.0], [np.nan, 1.0]],
    },
    "Moments.zeros": {"n_features": [-1, 1.5, "many", None]},
    "Moments.leading": {"n_features": [*NO_COUNT, None, 9]},
    "Task": {
        "name": [5, None, ["t"]],
        "sequences": [5, None, "MKT", [5], [None, "MKT"]],
        "target": [5, None, "abc", [1.0] * 8, np.zeros((8, 1)), np.array(0.0)],
        "protein": [*INTEGERS, None, np.full(8, 8), np.full(8, -1)],
        "residue": [*INTEGERS, np.full(8, -1)],
        "split": [*COLUMN, ["train"] * 8, np.array(["valid"] * 8), np.zeros(8)],
        "position": INTEGERS,
        "n_mutations": INTEGERS,
        "wild_type": [5, ["MKT"]],
        "excluded": [5, None, ["a"]],
        "retrieval": [5, ["map"], "aupr", "recall", "recall@0", "recall@1.5", "map"],
        "cluster": [5, "abc", np.zeros(3, int), np.zeros((8, 1), int), np.zeros(8), ["a"] * 8],
    },
    "Task.sample_proteins": {"n_train": [*NO_COUNT, None]},
    "Task.ranked": {"n_classes": [*NO_COUNT, None]},
    "PrefixScoreDisplay.from_estimator": {
        "distiller": DISTILLER,
        "cv": [0, 1, -3, 2.5, "five", None],
        "ax": AX,
    },
    "LayerCurveDisplay.from_estimator": {
        "embedder": EMBEDDER,
        "probe": ["nosuch", 5, ["ridge"]],
        "cv": [0, 1, -3, 2.5, "five"],
        "ax": AX,
    },
    "LayerCurveDisplay.from_scores": {"scores": SCORES["scores"], "ax": AX},
    "LayerCurveDisplay.plot": {"ax": AX},
    "PrefixScoreDisplay.from_scores": {"scores": SCORES["scores"], "ax": AX},
    "PrefixScoreDisplay.plot": {"ax": AX},
    "PrefixCurveDisplay.from_estimator": {
        "estimator": ["ridge", None, 5, PrefixRidgeCV, LinearRegression()],
        "models": [5, "abc", ["a"], {"a": "b"}, {5: 3}, {"a": 0}],
        "ax": AX,
    },
    "PrefixCurveDisplay.plot": {"ax": AX},
    "ScalingDisplay.from_table": {
        "table": SCORES["scores"],
        "representations": ["plain", 5, None, [], ["nosuch"], [5]],
        "subset": ["nosuch", None, 5],
        "ax": AX,
    },
    "ScalingDisplay.plot": {"ax": AX},
    "NestedVarianceDisplay.from_estimator": {"distiller": DISTILLER, "ax": AX},
    "NestedVarianceDisplay.plot": {"ax": AX},
    "ReverseDistiller.fit": WEIGHTS,
    "ReverseDistiller.partial_fit": WEIGHTS,
    "ReverseDistiller.score": WEIGHTS,
    "ReverseDistiller.fit_moments": MOMENTS,
    "ReverseDistiller.fit_residues": {"embedder": ["demo", None, 5, ESMEmbedder, PrefixRidgeCV()]},
    "ReverseDistiller.truncate": MODEL,
    "ReverseDistiller.get_feature_names_out": NAMES,
    "ReverseDistiller.save_pretrained": {"path": [*NO_PATH, None, b"a", "a\0b"]},
    "ReverseDistiller.from_pretrained": PUBLISHED,
    "NaiveChain.fit": WEIGHTS,
    "NaiveChain.fit_moments": MOMENTS,
    "NaiveChain.truncate": MODEL,
    "NaiveChain.get_feature_names_out": NAMES,
    "NaiveChain.from_pretrained": PUBLISHED,
    **{
        f"{made.__name__}.{method}": wrong
        for made in SEARCHERS
        for method, wrong in {
            "kneighbors": {"n_neighbors": [*NO_COUNT, 41], "return_distance": NO_BOOLEAN},
            "kneighbors_graph": {
                "n_neighbors": [*NO_COUNT, 41],
                "mode": ["nosuch", None, 5],
            },
            "radius_neighbors": {
                "radius": [-1.0, "far", None, np.nan],
                "return_distance": NO_BOOLEAN,
            },
        }.items()
    },
    "AnnotationTransferClassifier.fit": {"groups": [5, "a", [1, 2], np.ones((40, 2))]},
    "PrefixRidgeCV.fit": WEIGHTS,
    **{
        f"{name}.{method}": wrong
        for name in ("PrefixRidgeCV", "GroupRidgeCV", "LeftOutVotingRegressor")
        for method, wrong in (("predict", RETURN_STD), ("predict_interval", COVERAGE))
    },
    "GroupRidgeCV.fit": WEIGHTS,
    "PrefixRidgeClassifierCV.fit": WEIGHTS,
    "SiteMean.fit_transform": {"groups": [5, "ab", ["a"], [["a", "b"]]]},
    "RetrievalAugmenter.fit_transform": {"groups": GROUPS},
    "RetrievalAugmenter.get_feature_names_out": NAMES,
    "RetrievalMixtureClassifier.fit": {"groups": GROUPS},
    "RetrievalMixtureRegressor.fit": {"groups": GROUPS},
    "ESMEmbedder.iter_residues": {"block_rows": NO_COUNT},
    "TransformersEmbedder.iter_residues": {"block_rows": NO_COUNT},
    "ESMEmbedder.layer_numbers": NO_LAYERS,
    "TransformersEmbedder.layer_numbers": NO_LAYERS,
    "ESMEmbedder.transform_layers": NO_LAYERS,
    "TransformersEmbedder.transform_layers": NO_LAYERS,
    "EmbeddingStore.to_frame": CHOICE,
    "EmbeddingStore.as_table": CHOICE,
    "EmbeddingStore.export": {"path": [*NO_PATH, None, b"a.h5", "a\0b.h5"], **CHOICE},
    "EmbeddingStore.read": {
        "source": [5, None, "a", ("0", -1, "mean", "float32", 2)],
        "sequences": [5, None, "MKT", ["MKT"], [("MKT", 0)]],
    },
    "EmbeddingStore.write": {
        "source": [5, None, "a", ("0", -1, "mean", "float32", 2)],
        "model": [5, None, ["m"]],
        "embeddings": [
            *(5, None, "MKT", ["MKT"], {"MKT": np.zeros(2)}, {SequenceKey("MKT", 0): [1.0, 2.0]}),
            *(
                {SequenceKey("MKT", 0): np.array(values)}
                for values in ([1.0], [1, 2], [np.nan, 1.0])
            ),
        ],
    },
    "EmbeddingStore.weights_digest": {"files": [5, None, "a.pt", [], ["a.pt"], [5]]},
    "show_versions": {},
}
# Data and names of columns or files; what is chosen by the columns of a store.
OPEN = {
    "prefix_scores": {"X", "y"},
    "layer_scores": {"X", "y", "groups"},
    "simulate_campaign": {"X", "y"},
    "top_k_recall": {"y_true", "y_pred"},
    "hit_rate": {"y_true", "y_pred"},
    "ndcg_at_k": {"y_true", "y_pred"},
    "accuracy_by_identity": {"y_true", "y_pred"},
    "mutate": {"reference"},
    "mutants_of": {"reference"},
    "single_substitutions": {"reference"},
    "LayerCurveDisplay.from_estimator": {"X", "y", "groups"},
    "embed_to_parquet": {"sequences"},
    "VariantModel.predict": {"sequences"},
    "PrefixScoreDisplay.from_estimator": {"X", "y"},
    "NestedVarianceDisplay.from_estimator": {"X"},
    "ReverseDistiller.fit_residues": {"sequences"},
    "ESMEmbedder.get_feature_names_out": {"input_features"},  # nobody looks at it
    "TransformersEmbedder.get_feature_names_out": {"input_features"},  # nobody looks at it
    "ESMScorer.get_feature_names_out": {"input_features"},
    "KmerComposition.get_feature_names_out": {"input_features"},
    "SequenceOneHotEncoder.get_feature_names_out": {"input_features"},
    "SiteMean.get_feature_names_out": {"input_features"},
    "RetrievalAugmenter.fit": {"groups"},  # nobody looks at them
    **{
        f"{name}.{method}": {"X", "y", "groups"}
        for name in ("ContiguousKFold", "ModuloKFold")
        for method in ("split", "get_n_splits")
    },
}
DATA = {"X", "y"}  # of the methods of estimators
# Made by the package: what holds results, or is a step between public ones.
MADE = {
    "Moments",
    "Assay",
    "VariantModel",
    "SubstitutionMapDisplay",
    "Task.take",
    "Task.leave_out",
    "LayerCurveDisplay",
    "PrefixScoreDisplay",
    "PrefixCurveDisplay",
    "ScalingDisplay",
    "NestedVarianceDisplay",
}


def parameters(function):
    given = inspect.signature(function).parameters
    names = {name for name, p in given.items() if p.kind is not p.VAR_KEYWORD}
    return names - {"self", "cls"} | (CHOICE.keys() if "which" in given else set())


def public():
    """All that is public, and its parameters; those of estimators when made are elsewhere."""
    for name in sklearn_revdist.__all__:
        made = getattr(sklearn_revdist, name)
        is_estimator = inspect.isclass(made) and issubclass(made, BaseEstimator)
        if not is_estimator:
            yield name, parameters(made)
        classes = made.__mro__ if inspect.isclass(made) else []
        ours = [vars(each) for each in classes if each.__module__.startswith("sklearn_revdist")]
        for method in dict.fromkeys(name for names in ours for name in names):
            function = getattr(made, method)
            if method.startswith(("_", "set_")) or not inspect.isroutine(function):
                continue
            if left := parameters(function) - (DATA if is_estimator else set()):
                yield f"{name}.{method}", left


def test_every_parameter_has_a_case():
    for name in sklearn_revdist.__all__:
        made = getattr(sklearn_revdist, name)
        if inspect.isclass(made) and issubclass(made, BaseEstimator):
            assert set(ESTIMATORS[made]) == parameters(made), name
            assert set(made._parameter_constraints) == parameters(made), name
    for name, taken in public():
        assert (name in CALLS or name in OPEN) != (name in MADE), name
        if name not in MADE:
            assert CALLS.get(name, {}).keys() | OPEN.get(name, set()) == taken, name


def refuses(call, parameter):
    with pytest.raises((TypeError, ValueError)) as raised:
        call()
    told = str(raised.value)
    assert re.search(rf"\b{parameter}\b", told), told
    assert re.fullmatch(r"[^\n]+\.", told), told


@pytest.mark.parametrize(
    ("estimator", "parameter"),
    [(made, name) for made, names in ESTIMATORS.items() for name in names],
)
def test_a_wrong_parameter_of_an_estimator_is_named(estimator, parameter):
    use(estimator(**GOOD.get(estimator, {})))
    for value in [*ESTIMATORS[estimator][parameter], *ODD]:
        made = estimator(**{**GOOD.get(estimator, {}), parameter: value})
        refuses(lambda made=made: use(made), parameter)


def published(variant):
    return {"name_or_path": Path(__file__).parents[1] / "published", "variant": variant}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Right arguments, by what is called, and what it is called on; no error changes them."""
    tmp_path = tmp_path_factory.mktemp("good")
    distiller, moments = ReverseDistiller(DIMS).fit(X), Moments.of(X)
    chain = NaiveChain(DIMS).fit(X)
    few = {"distiller": distiller, "X": X, "y": Y}
    scores = prefix_scores(distiller, X, Y, cv=2)
    of_sequences = {
        "embedder": ESMEmbedder("demo-48"),
        "X": [f"MK{acid}" for acid in "ACDEFGHIKL"],
        "y": np.arange(10.0),
        "cv": 2,
    }
    layers = layer_scores(**of_sequences)
    measured = {"y_true": Y, "y_pred": Y}
    retrieved = {"y_true": CLASSES, "y_retrieved": CLASSES[:, np.newaxis].repeat(2, axis=1)}
    transferred = {"y_true": CLASSES, "y_pred": CLASSES, "identity": np.full(40, 50.0)}
    few_rounds = {"X": X, "y": Y, "initial": 5, "n_per_round": 5, "n_rounds": 2}
    few_rounds["estimator"] = LinearRegression()
    kind, numbers = ("t", "proteins", "spearman", "random", "all"), (0.1, 5, 8, 1, 0.2, 0.7, 0.9)
    rows = [
        (*kind, *row, *numbers) for row in (("m", "plain", "", 3, 0.5), ("n", "plain", "", 5, 0.6))
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    embedder = ESMEmbedder("demo")
    store = EmbeddingStore.create(tmp_path / "store.sqlite")
    source, values = Source("0", -1, "mean", "float32", 2), np.zeros(2, np.float32)
    kept = {"source": source, "model": "m", "embeddings": {SequenceKey("MKT", 0): values}}
    store.write(**kept)
    curve = PrefixRidgeCV().fit(X, Y)
    searchers = [
        PrefixNeighbors().fit(X),
        AnnotationTransferClassifier().fit(X, CLASSES),
        AnnotationTransferRegressor().fit(X, Y),
    ]
    ridges = [
        curve,
        GroupRidgeCV().fit(X, Y),
        LeftOutVotingRegressor([("a", GroupRidgeCV())]).fit(X, Y),
    ]
    variants = tmp_path / "variants.csv"
    mutants = [f"K2{acid}" for acid in "ACDEFGHILM"]
    lines = [f"{mutant},{i}" for i, mutant in enumerate(mutants)]
    variants.write_text("\n".join(["mutant,DMS_score", *lines]))
    assay = read_assay(variants, reference="MKT")
    of_assay = {"assay": assay, "embedder": of_sequences["embedder"], "features": ["mean"]}
    trained = VariantModel.train(**of_assay)
    yield {
        "ContiguousKFold": (None, {"n_splits": 5}),
        "ModuloKFold": (None, {"n_splits": 5}),
        "fetch_proteingym": (None, {"data_home": tmp_path, "download_if_missing": False}),
        "prefix_scores": (None, few),
        "layer_scores": (None, of_sequences),
        "simulate_campaign": (None, few_rounds),
        **dict.fromkeys(["top_k_recall", "ndcg_at_k"], (None, measured)),
        "hit_rate": (None, {**measured, "threshold": 0.0}),
        **dict.fromkeys(["recall_at_k", "mean_average_precision"], (None, retrieved)),
        "accuracy_by_identity": (None, transferred),
        "mutate": (None, {"reference": "MKT", "mutants": ["K2R"]}),
        "mutants_of": (None, {"reference": "MKT", "sequences": ["MRT"]}),
        "single_substitutions": (None, {"reference": "MKT"}),
        "combine_mutants": (None, {"mutants": ["K2R", "T3A"]}),
        "LayerCurveDisplay.from_estimator": (LayerCurveDisplay, of_sequences),
        "LayerCurveDisplay.from_scores": (LayerCurveDisplay, {"scores": layers}),
        "LayerCurveDisplay.plot": (LayerCurveDisplay(layers), {}),
        "evaluate": (
            None,
            {
                "tasks": [TASK],
                "embedder": embedder,
                "distiller": ReverseDistiller.from_pretrained("demo"),
                "representations": ["plain"],
                "n_folds": 2,
            },
        ),
        "read_tasks": (None, {"path": "nosuch.toml"}),
        "read_assay": (None, {"path": variants, "reference": "MKT"}),
        "make_variant_model": (None, {"features": ["mean"]}),
        "compare_features": (None, of_assay),
        "VariantModel.train": (VariantModel, of_assay),
        "VariantModel.predict": (trained, {"sequences": ["MKT"]}),
        "VariantModel.save": (trained, {}),
        "VariantModel.load": (VariantModel, {}),
        "SubstitutionMapDisplay.from_predictions": (
            SubstitutionMapDisplay,
            {"mutants": ["A1G"], "values": [1.0]},
        ),
        "SubstitutionMapDisplay.plot": (SubstitutionMapDisplay(pd.DataFrame(), []), {}),
        **{
            f"{type(ridge).__name__}.{method}": (ridge, {"X": X})
            for ridge in ridges
            for method in ("predict", "predict_interval")
        },
        "read_fasta": (None, {"path": "nosuch.fasta"}),
        **dict.fromkeys(["mean_scores", "win_rates", "growth"], (None, {"scores": table})),
        "embed_to_parquet": (
            None,
            {"embedder": embedder, "sequences": ["MKT", "MKV"], "folder": tmp_path / "out"},
        ),
        "verify_embeddings": (None, {"chain": ["demo-48"]}),
        "EmbeddingStore.create": (EmbeddingStore, {"path": tmp_path / "a.sqlite"}),
        "EmbeddingStore.to_frame": (store, {}),
        "EmbeddingStore.as_table": (store, {}),
        "EmbeddingStore.export": (store, {"path": tmp_path / "a.h5"}),
        "EmbeddingStore.read": (store, {"source": source, "sequences": [SequenceKey("MKT", 0)]}),
        "EmbeddingStore.write": (store, kept),
        "EmbeddingStore.weights_digest": (store, {}),
        "Moments.of": (Moments, {"X": X[:2]}),
        "Moments.zeros": (Moments, {}),
        "Moments.leading": (moments, {}),
        "Task": (
            None,
            {
                "name": "t",
                "sequences": TASK.sequences,
                "target": TASK.target,
                "protein": TASK.protein,
            },
        ),
        "Task.sample_proteins": (TASK, {"n_train": 2}),
        "Task.ranked": (TASK, {}),
        "PrefixScoreDisplay.from_estimator": (PrefixScoreDisplay, few),
        "PrefixScoreDisplay.from_scores": (PrefixScoreDisplay, {"scores": scores}),
        "PrefixScoreDisplay.plot": (PrefixScoreDisplay(scores), {}),
        "PrefixCurveDisplay.from_estimator": (PrefixCurveDisplay, {"estimator": curve}),
        "PrefixCurveDisplay.plot": (PrefixCurveDisplay([1], np.ones(1), np.ones(1), 1), {}),
        "ScalingDisplay.from_table": (ScalingDisplay, {"table": table}),
        "ScalingDisplay.plot": (ScalingDisplay(table), {}),
        "NestedVarianceDisplay.from_estimator": (NestedVarianceDisplay, {"distiller": distiller}),
        "NestedVarianceDisplay.plot": (NestedVarianceDisplay(np.ones((1, 1)), {"m": 1}), {}),
        **{f"ReverseDistiller.{name}": (distiller, {"X": X}) for name in ("fit", "score")},
        "ReverseDistiller.partial_fit": (ReverseDistiller(DIMS), {"X": X}),
        "ReverseDistiller.fit_moments": (ReverseDistiller(DIMS), {"moments": moments}),
        "ReverseDistiller.fit_residues": (ReverseDistiller(), {"sequences": ["MKT"]}),
        "ReverseDistiller.truncate": (distiller, {}),
        "ReverseDistiller.get_feature_names_out": (distiller, {}),
        "ReverseDistiller.save_pretrained": (distiller, {}),
        "ReverseDistiller.from_pretrained": (ReverseDistiller, published("pcr-fbpca-1k")),
        "NaiveChain.fit": (chain, {"X": X}),
        "NaiveChain.fit_moments": (NaiveChain(DIMS), {"moments": moments}),
        "NaiveChain.truncate": (chain, {}),
        "NaiveChain.get_feature_names_out": (chain, {}),
        "NaiveChain.from_pretrained": (NaiveChain, published("None-fbpca-1k")),
        **{
            f"{type(searcher).__name__}.{method}": (searcher, {"X": X, **given})
            for searcher in searchers
            for method, given in (
                ("kneighbors", {}),
                ("kneighbors_graph", {}),
                ("radius_neighbors", {"radius": 1.0}),
            )
        },
        "AnnotationTransferClassifier.fit": (searchers[1], {"X": X, "y": CLASSES}),
        "PrefixRidgeCV.fit": (PrefixRidgeCV(), {"X": X, "y": Y}),
        "GroupRidgeCV.fit": (GroupRidgeCV(), {"X": X, "y": Y}),
        "PrefixRidgeClassifierCV.fit": (PrefixRidgeClassifierCV(), {"X": X, "y": CLASSES}),
        "RetrievalAugmenter.fit_transform": (RetrievalAugmenter(), {"X": X, "y": Y}),
        "RetrievalAugmenter.get_feature_names_out": (RetrievalAugmenter().fit(X, Y), {}),
        "RetrievalMixtureClassifier.fit": (
            RetrievalMixtureClassifier(LogisticRegression()),
            {"X": X, "y": CLASSES},
        ),
        "RetrievalMixtureRegressor.fit": (
            RetrievalMixtureRegressor(LinearRegression()),
            {"X": X, "y": Y},
        ),
        "SiteMean.fit_transform": (SiteMean(cv=2), {"X": ["MK", "MR", "AK"], "y": [0.0, 1, 2]}),
        "ESMEmbedder.iter_residues": (ESMEmbedder("demo-48"), {"X": ["MKT"]}),
        "TransformersEmbedder.iter_residues": (TransformersEmbedder(["demo-48"]), {"X": ["MKT"]}),
        "ESMEmbedder.layer_numbers": (ESMEmbedder("demo-48"), {}),
        "TransformersEmbedder.layer_numbers": (TransformersEmbedder(["demo-48"]), {}),
        "ESMEmbedder.transform_layers": (ESMEmbedder("demo-48"), {"X": ["MKT"]}),
        "TransformersEmbedder.transform_layers": (
            TransformersEmbedder(["demo-48"]),
            {"X": ["MKT"]},
        ),
    }
    store.close()


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, parameter) for name, names in CALLS.items() for parameter in names],
)
def test_a_wrong_parameter_of_a_function_is_named(name, parameter, good, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("agg")
    monkeypatch.chdir(tmp_path)
    on, given = good.get(name, (None, {}))
    call = getattr(on or sklearn_revdist, name.partition(".")[2] if on else name)
    for value in [*CALLS[name][parameter], *ODD]:
        refuses(lambda value=value: call(**{**given, parameter: value}), parameter)
