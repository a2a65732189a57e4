"""Base of PrefixRidgeCV and PrefixRidgeClassifierCV: held-out scores, choice and final fit.

For each penalty all prefixes of the columns are scored at once: by leaving out each row in turn,
without refitting, or on every fold.
"""

from collections.abc import Callable
from inspect import signature
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names, make_scorer
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, validate_data

from ..matrix._finite import check_finite
from ..matrix._prefixes import model_prefixes
from ..matrix._rows import check_row_weights
from ..utils._compat import StrOptions, _check_method_params, _get_feature_names, _routing_enabled
from ..utils._messages import warn_user
from ._folds import shuffled_cv
from ._metrics import all_prefixes, spearman
from ._prefix_ridge import coefficients, left_out_predictions, predictions

# For columns of unit variance: from weak for hundreds of rows to strong for a million.
_ALPHAS = (0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
# Scores are tied if they differ by less, as a share of the largest.
_TIE = 1e-12
# Warn if rounding may change predictions by more, as a share of the targets.
_DOUBTFUL = 1e-6


class BasePrefixRidgeCV(BaseEstimator):
    """Parameters, metadata routing, and the fit to prepared targets."""

    _parameter_constraints: dict = {
        "alphas": ["array-like"],
        "prefixes": [StrOptions({"all", "models"}), "array-like"],
        "scale": ["boolean"],
        "cv": ["cv_object"],
        "scoring": [StrOptions({*get_scorer_names(), "spearman"}), callable, None],
        "one_standard_error": ["boolean"],
    }

    def __init__(
        self,
        alphas: ArrayLike = _ALPHAS,
        *,
        prefixes: str | ArrayLike = "all",
        scale: bool = True,
        cv: Any = None,
        scoring: str | Callable | None = None,
        one_standard_error: bool = False,
    ):
        self.alphas = alphas
        self.prefixes = prefixes
        self.scale = scale
        self.cv = cv
        self.scoring = scoring
        self.one_standard_error = one_standard_error

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing: `sample_weight` to fit, more to the splitter and the scorer.

        Returns
        -------
        routing : MetadataRouter
        """
        to_split, to_score = (
            MethodMapping().add(caller="fit", callee=callee) for callee in ("split", "score")
        )
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=to_split)
            .add(scorer=self._scorer(), method_mapping=to_score)
        )

    def _scorer(self):
        if isinstance(self.scoring, str) and self.scoring == "spearman":
            return make_scorer(spearman)
        if self.scoring is not None:
            return check_scoring(self, scoring=self.scoring)
        scorer = get_scorer("accuracy" if is_classifier(self) else "r2")
        return scorer.set_score_request(sample_weight=True) if _routing_enabled() else scorer

    def _fit(self, X, data, Y, y, sample_weight, params, **attributes):
        """Choose prefix and penalty, then fit them on all rows.

        Parameters
        ----------
        X, data : array-like and ndarray of shape (n_samples, n_features)
            Columns as given, and after checking.
        Y : ndarray of shape (n_samples, n_targets)
            Targets of the regressions.
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Targets for the scorer and the splitter.
        sample_weight, params : array-like or None, dict
            As for `fit`.
        **attributes
            More fitted attributes.
        """
        prefixes = self._prefix_lengths(data.shape[1], _get_feature_names(X))
        alphas = check_alphas(self.alphas)
        scorer = self._scorer()
        self._check_response(scorer)
        sample_weight = check_row_weights(sample_weight, data)
        if sample_weight is not None:
            params = {**params, "sample_weight": sample_weight}
        split_params, score_params = self._route(scorer, params)
        metrics = all_prefixes(scorer) if score_params.keys() <= {"sample_weight"} else None
        flat = y.ndim == 1 and not is_classifier(self)
        model = type(self)()
        vars(model).update(attributes)

        def score(n_prefix, linear, X, rows, params):
            """Score a linear map on a prefix."""
            model.n_features_in_ = X.shape[1]
            model._set_linear(n_prefix, *linear, flat)
            return scorer(model, X, y[rows], **params)

        candidates = prefixes, alphas, self.scale, metrics, score
        if self.cv is None:
            found = leave_one_out(data, Y, sample_weight, candidates, score_params)
        else:
            cv = shuffled_cv(self.cv, y, classifier=is_classifier(self))
            splits = list(cv.split(data, y, **split_params))
            found = cross_validate(data, Y, sample_weight, splits, candidates, score_params)
        mean, errors = _checked(*found, prefixes, alphas)
        chosen = self._choose(mean, errors, alphas)
        n_prefix, alpha = int(prefixes[chosen[0]]), float(alphas[chosen[1]])
        columns, weights = data[:, :n_prefix], {"sample_weight": sample_weight}
        ridges = coefficients(columns, Y, [alpha], [n_prefix], scale=self.scale, **weights)
        coef, intercept = next(next(ridges)[1])
        coef = np.pad(coef, ((0, 0), (0, data.shape[1] - n_prefix)))

        validate_data(self, X, skip_check_array=True)
        vars(self).update(attributes)
        self.prefixes_ = prefixes
        self.cv_scores_ = mean
        self.cv_standard_errors_ = errors
        self.best_score_ = float(mean[chosen])
        self.alpha_ = alpha
        self._set_linear(n_prefix, coef, intercept, flat)
        return self

    def _set_linear(self, n_prefix, coef, intercept, flat):
        self.n_prefix_ = n_prefix
        self.coef_, self.intercept_ = (coef[0], float(intercept[0])) if flat else (coef, intercept)

    def _choose(self, mean, errors, alphas):
        """Return the indices of the chosen prefix and penalty."""
        chosen = choose(mean, alphas)
        if not self.one_standard_error:
            return chosen
        if not np.isfinite(errors[chosen]):
            raise ValueError(
                "one_standard_error=True needs the scatter of at least two folds or, with "
                'cv=None, one of the scores "r2", "neg_mean_squared_error", "spearman" and '
                '"accuracy"; set `cv` to a number of folds, or one_standard_error=False.'
            )
        return choose(mean, alphas, mean[chosen] - errors[chosen])

    def _route(self, scorer, params):
        """Return the metadata for the splitter and for the scorer."""
        if _routing_enabled():
            routed = process_routing(self, "fit", **params)
            return routed.splitter.split, routed.scorer.score
        if hasattr(scorer, "_accept_sample_weight"):
            weighted = scorer._accept_sample_weight()
        else:
            weighted = "sample_weight" in signature(scorer).parameters
        return {}, params if weighted else {}

    def _check_response(self, scorer):
        """Refuse a scorer that needs a method which this estimator does not have."""
        methods = getattr(scorer, "_response_method", "predict")
        methods = (methods,) if isinstance(methods, str) else methods
        if not any(hasattr(self, method) for method in methods):
            raise ValueError(
                f"scoring={self.scoring!r} needs {' or '.join(methods)}, which "
                f"{type(self).__name__} does not have; choose a scorer of predictions, such as "
                f"{'accuracy' if is_classifier(self) else 'r2'!r}."
            )

    def _prefix_lengths(self, n_features, names):
        """Return the prefix lengths to try, increasing."""
        if isinstance(self.prefixes, str):
            if self.prefixes == "all":
                return np.arange(1, n_features + 1)
            models = model_prefixes(names)
            if models is None:
                raise ValueError(
                    'prefixes="models" reads from the column names where models end, but X has no '
                    "such names; keep them with "
                    '`ReverseDistiller().set_output(transform="pandas")`, or list the lengths in '
                    "`prefixes`."
                )
            return np.array(list(models.values()))
        if len(self.prefixes) == 0:
            raise ValueError("prefixes is empty; give at least one length.")
        for i, (before, length) in enumerate(pairwise([0, *self.prefixes])):
            if not isinstance(length, Integral) or not before < length <= n_features:
                raise ValueError(
                    f"prefixes[{i}]={length!r} is not an integer from {before + 1} to "
                    f"{n_features}, the number of columns of X; give increasing lengths."
                )
        return np.array(self.prefixes, dtype=int)

    def _rows(self, X):
        """Check rows and return their prefix."""
        check_is_fitted(self)
        how = {"dtype": [np.float64, np.float32], "ensure_all_finite": False}
        X = validate_data(self, X, reset=False, **how)
        check_finite(X)
        return X[:, : self.n_prefix_]


def leave_one_out(data, Y, sample_weight, candidates, score_params):
    """Score the predictions of all rows, each by regressions without it.

    Parameters
    ----------
    data, Y, sample_weight : ndarray
        Rows, their targets and their weights.
    candidates : tuple
        Prefix lengths and penalties to try; whether penalties are for columns of unit variance; the
        PrefixMetrics that score all prefixes at once, or None; and a function for other scorers,
        ``score(n_prefix, (coef, intercept), X, rows, score_params)``.
    score_params : dict
        Metadata for the scorer.

    Returns
    -------
    scores : ndarray of shape (1, n_prefixes, n_alphas)
    standard_errors : ndarray of shape (n_prefixes, n_alphas)
        From the scatter over rows; NaN for a scorer that takes one prefix at a time.
    rounding : ndarray of shape (n_alphas,)
        Bound of the rounding of predictions, as a share of the targets.

    Raises
    ------
    ValueError
        If there are fewer than two rows of positive weight.
    """
    prefixes, alphas, scale, metrics, score = candidates
    n_rows, n_targets = Y.shape
    n_used = n_rows if sample_weight is None else np.count_nonzero(sample_weight)
    if n_used < 2:
        raise ValueError(
            "Leave-one-out needs at least two rows of positive weight, but there are "
            f"n_samples={n_used}; give more rows."
        )
    # A scorer of one prefix is given predictions as columns, and the identity as regression.
    identity = np.eye(n_targets), np.zeros(n_targets)
    scores, rounding = np.empty((len(prefixes), len(alphas))), np.empty(len(alphas))
    errors = np.full_like(scores, np.nan)
    columns = data[:, : prefixes[-1]]
    ridges = left_out_predictions(
        columns, Y, alphas, prefixes, sample_weight=sample_weight, scale=scale
    )
    for j, (rounding_of_alpha, parts) in enumerate(ridges):
        rounding[j] = rounding_of_alpha
        for part, predicted in parts:
            if metrics is not None:
                found = metrics.with_errors(Y, predicted, score_params.get("sample_weight"))
                scores[part, j], errors[part, j] = found
            else:
                scores[part, j] = [
                    score(n_targets, identity, one, slice(None), score_params) for one in predicted
                ]
    return scores[np.newaxis], errors, rounding


def cross_validate(data, Y, sample_weight, splits, candidates, score_params):
    """Score the test rows of every fold.

    Parameters and returned arrays are those of :func:`leave_one_out`, with `splits` into training
    and test rows and scores by fold. Standard errors are those of the mean over folds, NaN for a
    single fold.
    """
    prefixes, alphas, scale, metrics, score = candidates
    scores = np.empty((len(splits), len(prefixes), len(alphas)))
    rounding = np.zeros(len(alphas))
    columns = data[:, : prefixes[-1]]
    for i, (train, test) in enumerate(splits):
        weights = None if sample_weight is None else sample_weight[train]
        _check_any_weight(weights, f"training fold {i}")
        held_out = _check_method_params(data, score_params, indices=test)
        test_weights = held_out.get("sample_weight")
        _check_any_weight(test_weights, f"test fold {i}")
        training = columns[train], Y[train], alphas, prefixes
        settings = {"sample_weight": weights, "scale": scale}
        if metrics is not None:
            ridges = predictions(*training, columns[test], **settings)
        else:
            ridges = coefficients(*training, **settings)
        for j, (rounding_of_fold, found) in enumerate(ridges):
            rounding[j] = max(rounding[j], rounding_of_fold)
            if metrics is not None:
                for part, predicted in found:
                    scores[i, part, j] = metrics.scores(Y[test], predicted, test_weights)
            else:
                scores[i, :, j] = [
                    score(n_prefix, linear, data[test], test, held_out)
                    for n_prefix, linear in zip(prefixes, found, strict=True)
                ]
    n_folds = len(splits)
    if n_folds == 1:
        return scores, np.full(scores.shape[1:], np.nan), rounding
    return scores, scores.std(axis=0, ddof=1) / np.sqrt(n_folds), rounding


def check_alphas(alphas):
    """Return the penalties as an array, all positive and finite."""
    try:
        alphas = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("alphas must be numbers; give positive penalties.") from error
    if alphas.ndim != 1 or alphas.size == 0:
        raise ValueError(f"alphas has the shape {alphas.shape}; give a list of penalties.")
    for i, alpha in enumerate(alphas):
        if not 0 < alpha < np.inf:
            raise ValueError(
                f"alphas[{i}]={alpha} is not positive and finite; give positive penalties."
            )
    return alphas


def _check_any_weight(weights, fold):
    """Refuse a fold in which all weights are zero."""
    if weights is not None and not np.any(weights):
        raise ValueError(
            f"sample_weight is zero for all rows of {fold}; give at least one a positive weight."
        )


def _checked(scores, errors, rounding, prefixes, alphas):
    """Return mean scores and standard errors; warn of rounding, refuse scores that are NaN."""
    doubtful = rounding > _DOUBTFUL
    if doubtful.any():
        warn_user(
            f"alpha={alphas[doubtful].max()} is so small for nearly dependent columns that "
            f"rounding may change predictions by {rounding[doubtful].max():.0e} of the targets; "
            "leave out penalties as small as that."
        )
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        fold, k, j = bad[0]
        where, remedy = "the held-out rows", "give targets that differ"
        if len(scores) > 1:
            where = f"test fold {fold}"
            remedy = "choose `cv` so that targets differ in every test fold"
        raise ValueError(
            f"The score of {where} is {scores[fold, k, j]} with prefix {prefixes[k]} and "
            f"alpha={alphas[j]}, so no prefix can be chosen; {remedy}, or change `scoring`."
        )
    return scores.mean(axis=0), errors


def choose(scores, alphas, least=None):
    """Return the indices of the shortest prefix that scores `least` and of its best penalty.

    `least` defaults to the best score. Of tied penalties the largest is taken.
    """
    tie = _TIE * np.abs(scores).max()
    least = scores.max() if least is None else least
    prefix = int(np.argmax((scores >= least - tie).any(axis=1)))
    own = scores[prefix]
    alpha = int(np.argmax(np.where(own >= own.max() - tie, alphas, 0.0)))
    return prefix, alpha
