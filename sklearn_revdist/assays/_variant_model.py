"""The estimator of an assay: the average of ridges and forests on features of many kinds."""

from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from ..baselines._composition import KmerComposition
from ..baselines._one_hot import SequenceOneHotEncoder
from ..baselines._site_mean import SiteMean
from ..distillation._reverse_distiller import ReverseDistiller
from ..embedding._base import BaseEmbedder
from ..embedding._embedder import ESMEmbedder
from ..embedding._scorer import ESMScorer
from ..matrix._layout import blocks_of_names
from ..probes._group_ridge_cv import GroupRidgeCV
from ..probes._left_out_voting import LeftOutVotingRegressor
from ..utils._compat import validate_params
from ..utils._models import resolve_chain

# What examples/features_and_probes.py found best over 39 scans, and over sequences of any length.
ALIGNED = ("one_hot", "site_mean", "mean", "sites", "sites_difference", "zero_shot")
UNALIGNED = ("composition", "mean")
MODEL_FREE = ("one_hot", "site_mean", "composition")
POOLED = ("mean", "max", "cls", "eos", "sites", "sites_difference")
FEATURES = (*MODEL_FREE, *POOLED, "zero_shot")

_OF_REFERENCE = ("sites", "sites_difference", "zero_shot")
_OF_SCORER = ("device", "dtype", "batch_tokens", "max_length", "unknown", "store", "verbose")


@validate_params(
    {
        "embedder": [BaseEmbedder, None],
        "features": ["array-like", None],
        "reference": [str, None],
        "distiller": [ReverseDistiller, None],
    },
)
def make_variant_model(
    embedder: BaseEmbedder | None = None,
    *,
    features: Sequence[str] | None = None,
    reference: str | None = None,
    distiller: ReverseDistiller | None = None,
) -> LeftOutVotingRegressor:
    """Make the estimator that `revdist train` fits, from public parts.

    Its first part is a pipeline of a :class:`~sklearn.pipeline.FeatureUnion` of all features and a
    :class:`GroupRidgeCV` with one penalty for all columns of unit variance. If there are several
    features, its predictions, weighted by their R2 of left-out variants, are averaged with those of
    a ridge on one-hot encoding alone, which other columns would drown, and of random forests on the
    mean embeddings of all models and of the largest one, which need fewer variants. Over 39 scans
    this average is the best choice, or nearly so, for 48 to 800 labels (:ref:`assays`).

    Parameters
    ----------
    embedder : ESMEmbedder or TransformersEmbedder, default=None
        Embeds the sequences; its `pooling` and `reference` are set here. None is
        ``ESMEmbedder("650M")``.
    features : sequence of str, default=None
        Some of these:

        - ``"one_hot"``: the residue at each position that varies (:class:`SequenceOneHotEncoder`);
        - ``"site_mean"``: the mean measurement of the mutated positions, cross-fitted
          (:class:`SiteMean`);
        - ``"composition"``: the fraction of each amino acid (:class:`KmerComposition`);
        - ``"mean"``, ``"max"``, ``"cls"``, ``"eos"``, ``"sites"``, ``"sites_difference"``:
          embeddings of all models, so pooled;
        - ``"zero_shot"``: masked marginals of the largest model (:class:`ESMScorer`), for chains
          of ESM-2.

        None is all that were of use over 39 scans: with a `reference`, ``"one_hot"``,
        ``"site_mean"``, ``"mean"``, ``"sites"``, ``"sites_difference"`` and, for ESM-2,
        ``"zero_shot"``; without, ``"composition"`` and ``"mean"``. A `distiller` nests one pooling,
        ``"mean"``.
    reference : str, default=None
        The wild type, if all sequences have its length.
    distiller : ReverseDistiller, default=None
        A fitted distiller that nests the embeddings; None leaves them side by side, which scores
        higher where the number of columns does not matter.

    Returns
    -------
    model : LeftOutVotingRegressor
        Unfitted; takes sequences as transformers do.

    Raises
    ------
    ValueError
        If a feature is unknown, occurs twice, or cannot be computed from what is given, or
        `distiller` was fitted on other models.

    Examples
    --------
    >>> from sklearn_revdist import ESMEmbedder, load_if1_ecoli, make_variant_model
    >>> scan = load_if1_ecoli()
    >>> model = make_variant_model(
    ...     ESMEmbedder("demo-48"), features=["one_hot", "mean"], reference=scan.wild_type
    ... )
    >>> model = model.fit(scan.data[::5], scan.target[::5])
    >>> predicted, std = model.predict(scan.data[1:400:5], return_std=True)
    """
    embedder = ESMEmbedder("650M") if embedder is None else clone(embedder)
    if features is None:
        features = default_features(embedder, reference, distiller)
    features = np.atleast_1d(np.asarray(features, dtype=object)).tolist()
    _check_features(features, reference, isinstance(embedder, ESMEmbedder))
    pooled = [name for name in features if name in POOLED]
    compared = reference if set(pooled) & set(_OF_REFERENCE) else None
    embedder.set_params(pooling=pooled[0] if len(pooled) == 1 else pooled, reference=compared)
    if distiller is not None and pooled:
        _check_distiller(distiller, embedder, pooled)
    unknown = embedder.unknown
    made: dict[str, Any] = {}
    for name in features:
        if name == "one_hot":
            made[name] = SequenceOneHotEncoder(unknown=unknown)
        elif name == "site_mean":
            made[name] = SiteMean(reference, unknown=unknown)
        elif name == "composition":
            made[name] = KmerComposition(unknown=unknown)
        elif name == "zero_shot":
            settings = {setting: getattr(embedder, setting) for setting in _OF_SCORER}
            made[name] = ESMScorer(_names_of_chain(embedder)[-1:], reference=reference, **settings)
        else:
            made["embedding"] = _nested(embedder, distiller)
    union = FeatureUnion(list(made.items()))
    models = [("all", Pipeline([("features", union), ("ridge", GroupRidgeCV())]))]
    weights: list[float | str] = ["r2"]
    if len(features) > 1 and "one_hot" in features:
        alone = SequenceOneHotEncoder(unknown=unknown)
        models.append(("one_hot", Pipeline([("one_hot", alone), ("ridge", GroupRidgeCV())])))
        weights.append(0.5)
    if len(features) > 1 and "mean" in features:
        means = clone(embedder).set_params(pooling="mean", reference=None)
        embeddings = {"forest": _nested(means, distiller)}
        if distiller is None and len(_names_of_chain(embedder)) > 1:
            embeddings["forest_of_largest"] = _largest_alone(means)
        for name, embedding in embeddings.items():
            forest = RandomForestRegressor(max_features="sqrt", oob_score=True, random_state=0)
            models.append((name, Pipeline([("embedding", embedding), ("forest", forest)])))
            weights.append(0.5 / len(embeddings))
    return LeftOutVotingRegressor(models, weights=weights)


def _nested(embedder: BaseEmbedder, distiller: ReverseDistiller | None) -> Any:
    if distiller is None:
        return embedder
    # moments are large, and paths of this machine are of no use elsewhere
    fitted = vars(distiller).get("pretrained_", distiller)
    small = fitted._without_moments()
    small.set_params(memory=None, n_components=distiller.n_components)
    return make_pipeline(embedder, FrozenEstimator(small))


def default_features(
    embedder: BaseEmbedder, reference: str | None, distiller: ReverseDistiller | None = None
) -> list[str]:
    """Features of a model if none are chosen.

    Parameters
    ----------
    embedder : BaseEmbedder
    reference : str or None
        The wild type, if all sequences have its length.
    distiller : ReverseDistiller or None
        What nests the embeddings.

    Returns
    -------
    features : list of str
    """
    if reference is None:
        return list(UNALIGNED)
    left_out = set() if isinstance(embedder, ESMEmbedder) else {"zero_shot"}
    if distiller is not None:
        left_out |= {"sites", "sites_difference"}
    return [name for name in ALIGNED if name not in left_out]


def parameters_of(estimator: LeftOutVotingRegressor) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of all parts of a model, fitted parts included.

    Parameters
    ----------
    estimator : LeftOutVotingRegressor

    Yields
    ------
    name : str
    value : object
    """
    yield from estimator.get_params(deep=True).items()
    for fitted in getattr(estimator, "estimators_", []):
        yield from fitted.get_params(deep=True).items()


def embedders_of(estimator: LeftOutVotingRegressor) -> list[BaseEmbedder | ESMScorer]:
    """List the parts of a model that use language models, each once.

    Parameters
    ----------
    estimator : LeftOutVotingRegressor

    Returns
    -------
    parts : list of estimator
    """
    values = (value for _, value in parameters_of(estimator))
    found = {id(value): value for value in values if isinstance(value, BaseEmbedder | ESMScorer)}
    return list(found.values())


def _check_features(features, reference, has_likelihoods):
    """Refuse features that are unknown, or that cannot be computed."""
    for name in features:
        if name not in FEATURES:
            raise ValueError(
                f"features has {name!r}; choose from {', '.join(map(repr, FEATURES))}."
            )
        if features.count(name) > 1:
            raise ValueError(f"features has {name!r} twice; give it once.")
        if reference is None and name in (*_OF_REFERENCE, "site_mean", "one_hot"):
            raise ValueError(
                f"features has {name!r}, which compares variants of one length with the wild type; "
                "give one of that length (`reference`), or leave the feature out."
            )
        if name == "zero_shot" and not has_likelihoods:
            raise ValueError(
                "features has 'zero_shot', which needs models of ESM-2; leave it out for others."
            )
    if not features:
        raise ValueError(f"features is empty; choose from {', '.join(map(repr, FEATURES))}.")


def _check_distiller(distiller, embedder, pooled):
    """Refuse a distiller that cannot nest the embeddings, before there are any."""
    if len(pooled) > 1:
        raise ValueError(
            f"features has {' and '.join(map(repr, pooled))}, of which a distiller can nest one; "
            "leave out all others, or the distiller."
        )
    check_is_fitted(distiller)
    fitted, widths = tuple(distiller.model_names_), tuple(distiller.dims_.tolist())
    for names in (embedder.get_feature_names_out(), embedder.residue_feature_names()):
        blocks = blocks_of_names(names)
        if blocks == (fitted, widths) or (fitted[0] == "block0" and blocks.dims == widths):
            return
    raise ValueError(
        f"distiller was fitted on {', '.join(fitted)}, but embedder has {', '.join(blocks.names)}; "
        "give the same models and layers."
    )


def _names_of_chain(embedder: BaseEmbedder) -> list[Any]:
    """Models of a chain, as a chain names them."""
    if isinstance(embedder.chain, str):
        return [model.name for model in resolve_chain(embedder.chain)]
    return list(embedder.chain)


def _largest_alone(embedder: BaseEmbedder) -> BaseEmbedder:
    """An embedder of the last model of a chain only."""
    last = clone(embedder).set_params(chain=_names_of_chain(embedder)[-1:])
    if not isinstance(last.layer, Real):  # one for each model
        last.set_params(layer=list(last.layer)[-1:])
    return last
