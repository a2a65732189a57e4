"""PrefixRidgeCV, PrefixRidgeClassifierCV: the prefix and penalty that predict best, and their fit.

All prefixes of the columns are scored at once, for every penalty: by leaving out one row after
the other, which takes no refitting, or on every fold.
"""

from inspect import signature
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MultiOutputMixin,
    RegressorMixin,
    _fit_context,
    is_classifier,
)
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names, make_scorer
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_X_y
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _get_feature_names,
    check_is_fitted,
    validate_data,
)

from ._folds import shuffled_cv
from ._prefix_choice import (
    Candidates,
    check_alphas,
    choose,
    cross_validate,
    leave_one_out,
)
from ._prefix_ridge import Training
from ._prefix_scorers import all_prefixes, spearman
from ._prefixes import model_prefixes
from ._rows import check_classes, check_row_weights, check_targets

# Of columns of unit variance: from next to nothing for hundreds of rows to much for a million.
_ALPHAS = (0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)


class _BasePrefixRidgeCV(BaseEstimator):
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
        alphas=_ALPHAS,
        *,
        prefixes="all",
        scale=True,
        cv=None,
        scoring=None,
        one_standard_error=False,
    ):
        self.alphas = alphas
        self.prefixes = prefixes
        self.scale = scale
        self.cv = cv
        self.scoring = scoring
        self.one_standard_error = one_standard_error

    def get_metadata_routing(self) -> MetadataRouter:
        """Which metadata goes where: `sample_weight` here, more to the splitter and the scorer.

        Returns
        -------
        routing : MetadataRouter
        """
        to_fit = {
            name: MethodMapping().add(caller="fit", callee=method)
            for name, method in (("splitter", "split"), ("scorer", "score"))
        }
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=to_fit["splitter"])
            .add(scorer=self._scorer(), method_mapping=to_fit["scorer"])
        )

    def _scorer(self):
        if isinstance(self.scoring, str) and self.scoring == "spearman":
            return make_scorer(spearman)
        if self.scoring is not None:
            return check_scoring(self, scoring=self.scoring)
        scorer = get_scorer("accuracy" if is_classifier(self) else "r2")
        return scorer.set_score_request(sample_weight=True) if _routing_enabled() else scorer

    def _fit(self, X, data, Y, y, sample_weight, params, set_linear, **attributes):
        """Choose and fit.

        Parameters
        ----------
        X, data : array-like and ndarray of shape (n_samples, n_features)
            The columns as given, and checked.
        Y : ndarray of shape (n_samples, n_targets)
            Targets of the regressions.
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Targets of the scorer and the splitter.
        sample_weight, params : array-like or None, dict
            As for `fit`.
        set_linear : callable
            ``set_linear(estimator, n_prefix, coef, intercept)`` sets the linear map.
        **attributes
            More fitted attributes.
        """
        n_features = data.shape[1]
        prefixes = self._prefix_lengths(n_features, _get_feature_names(X))
        alphas = check_alphas(self.alphas)
        scorer = self._scorer()
        self._check_response(scorer)
        sample_weight = check_row_weights(sample_weight, data)
        if sample_weight is not None:
            params = {**params, "sample_weight": sample_weight}
        split_params, score_params = self._routed(scorer, params)
        known = all_prefixes(scorer) if score_params.keys() <= {"sample_weight"} else None
        candidates = Candidates(prefixes, alphas, self.scale, known)

        model = type(self)()
        vars(model).update(attributes)

        def score(n_prefix, linear, X, rows, params):
            """What the scorer says of a linear map on a prefix."""
            model.n_features_in_ = X.shape[1]
            set_linear(model, n_prefix, *linear)
            return scorer(model, X, y[rows], **params)

        if self.cv is None:
            mean, errors = leave_one_out(data, Y, sample_weight, candidates, score, score_params)
        else:
            cv = shuffled_cv(self.cv, y, classifier=is_classifier(self))
            splits = list(cv.split(data, y, **split_params))
            mean, errors = cross_validate(
                data, Y, sample_weight, splits, candidates, score, score_params
            )

        chosen = choose(mean, alphas)
        if self.one_standard_error:
            if not np.isfinite(errors[chosen]):
                raise ValueError(
                    "one_standard_error=True needs the scatter of at least two folds or, with "
                    'cv=None, one of the scores "r2", "neg_mean_squared_error", "spearman" and '
                    '"accuracy"; set `cv` to a number of folds, or leave it False.'
                )
            chosen = choose(mean, alphas, mean[chosen] - errors[chosen])
        n_prefix, alpha = int(prefixes[chosen[0]]), float(alphas[chosen[1]])
        training = Training(data[:, :n_prefix], Y, sample_weight, scale=self.scale)
        coef, intercept = next(training.ridges(alpha).coefs([n_prefix]))
        coef = np.pad(coef, ((0, 0), (0, n_features - n_prefix)))

        validate_data(self, X, skip_check_array=True)
        vars(self).update(attributes)
        self.prefixes_ = prefixes
        self.cv_scores_ = mean
        self.cv_standard_errors_ = errors
        self.best_score_ = float(mean[chosen])
        self.alpha_ = alpha
        set_linear(self, n_prefix, coef, intercept)
        return self

    def _routed(self, scorer, params):
        """What goes to the splitter, and what to the scorer."""
        if _routing_enabled():
            routed = process_routing(self, "fit", **params)
            return routed.splitter.split, routed.scorer.score
        if hasattr(scorer, "_accept_sample_weight"):
            weighted = scorer._accept_sample_weight()
        else:
            weighted = "sample_weight" in signature(scorer).parameters
        return {}, params if weighted else {}

    def _check_response(self, scorer):
        """Refuse a scorer that needs what this estimator does not give."""
        methods = getattr(scorer, "_response_method", "predict")
        methods = (methods,) if isinstance(methods, str) else methods
        if not any(hasattr(self, method) for method in methods):
            raise ValueError(
                f"scoring={self.scoring!r} needs {' or '.join(methods)}, which "
                f"{type(self).__name__} does not have; choose a scorer of predictions, such as "
                f"{'accuracy' if is_classifier(self) else 'r2'!r}."
            )

    def _prefix_lengths(self, n_features, names):
        """The lengths to try, increasing."""
        if isinstance(self.prefixes, str):
            if self.prefixes == "all":
                return np.arange(1, n_features + 1)
            models = model_prefixes(names)
            if models is None:
                raise ValueError(
                    'prefixes="models" reads where models end from the names of the columns, but '
                    "those of X do not tell; give them with "
                    '`ReverseDistiller().set_output(transform="pandas")`, or list the lengths in '
                    "`prefixes`."
                )
            return np.array(list(models.values()))
        if len(self.prefixes) == 0:
            raise ValueError("prefixes is empty; give at least one length.")
        before = 0
        for i, length in enumerate(self.prefixes):
            if not isinstance(length, Integral) or not 1 <= length <= n_features:
                raise ValueError(
                    f"prefixes[{i}]={length!r} is not an integer from 1 to {n_features}, the "
                    "number of columns of X; give lengths in that range."
                )
            if length <= before:
                raise ValueError(
                    f"prefixes[{i}]={length} follows {before}; give each length once, from short "
                    "to long."
                )
            before = length
        return np.array(self.prefixes, dtype=int)

    def _linear(self, X):
        """The linear map of the prefix alone."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        n_prefix = self.n_prefix_
        return X[:, :n_prefix] @ self.coef_[..., :n_prefix].T + self.intercept_


class PrefixRidgeCV(MultiOutputMixin, RegressorMixin, _BasePrefixRidgeCV):
    """Ridge regression on the prefix of the columns that predicts best.

    Prefix length and penalty are chosen together, by default by leaving out one row after the
    other. All prefixes are scored at once: a penalty takes one factorisation, whatever the number
    of prefixes and rows. The scores are those of :class:`sklearn.linear_model.Ridge`, refitted for
    each prefix without each row, on columns of unit variance.

    It is made for nested embeddings, such as those of :class:`ReverseDistiller`, whose columns
    are ordered from general to special. It takes them as they are: columns are scaled inside,
    which keeps the nesting.

    Read more in the :ref:`User Guide <user_guide>`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.01, 0.1, 1, ..., 1e6)
        Penalties to try, positive, as in :class:`sklearn.linear_model.Ridge` on columns of unit
        variance, or with ``scale=False`` on the columns as they are.

    prefixes : "all", "models" or array-like of int, default="all"
        Lengths to try: all from 1 to the number of columns; those at which a model of the chain
        ends, which the names of the columns tell (`set_output(transform="pandas")` on the
        distiller); or a list, increasing.

    scale : bool, default=True
        Whether columns are divided by their standard deviations on the training rows (constant
        ones are left alone), so that neither their unit nor their spread decides how much they
        are penalised. Coefficients are those of the columns as they are given.

    cv : int, cross-validation splitter or iterable, default=None
        None leaves out each row in turn, exactly and without refitting: the score is that of the
        predictions of all rows, whatever their order. A number is so many folds, shuffled with a
        fixed seed; splitters and iterables are as in
        :class:`sklearn.model_selection.GridSearchCV`.

    scoring : str or callable, default=None
        The scorer to maximise: any name that scikit-learn knows, "spearman" for the rank
        correlation, or a scorer ``scorer(estimator, X, y)``. None is "r2". "r2",
        "neg_mean_squared_error" and "spearman" take all prefixes at once; others are called
        once for each prefix and penalty, and fold. With ``cv=None`` a callable is given
        an estimator whose predictions are those that are to be scored, and nothing else: its `X`
        are the predictions themselves.

    one_standard_error : bool, default=False
        Whether to choose, instead of the prefix with the best score, the shortest one whose
        score is at most one standard error below it: over the folds, or with ``cv=None`` over
        the rows.

    Attributes
    ----------
    n_prefix_ : int
        Number of columns chosen. Of equal scores the shortest prefix wins, then the largest
        penalty.
    alpha_ : float
        Penalty chosen.
    best_score_ : float
        Score of the chosen prefix and penalty.
    prefixes_ : ndarray of shape (n_prefixes,)
        Lengths tried.
    cv_scores_ : ndarray of shape (n_prefixes, n_alphas)
        Scores of the left-out rows, or mean scores over the folds.
    cv_standard_errors_ : ndarray of shape (n_prefixes, n_alphas)
        Their standard errors, over the rows or over the folds; not a number with a single fold,
        and with ``cv=None`` for scorers that take one prefix at a time.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, fitted on all rows; zero beyond the prefix.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, where all are strings.

    See Also
    --------
    PrefixRidgeClassifierCV : The same for classes.
    PrefixCurveDisplay : Draws the scores.
    sklearn.linear_model.RidgeCV : All columns, the penalty alone.

    Notes
    -----
    With centred training rows X and ``X'X + alpha I = L L'``, the factor of the first k columns is
    the leading block of L, so that the prediction of the k-column regression is the sum of the
    first k of the terms ``(L^-1 x)_j (L^-1 X'y)_j``, and the leverage of a row x is ``1 / n`` and
    the sum of the first k of ``(L^-1 x)_j^2``. A residual over one minus the leverage is what the
    regression without that row leaves [1]_, so that leave-one-out scores of all prefixes follow
    from the one factor. Standard deviations of the columns are those of all rows, as behind a
    :class:`sklearn.preprocessing.StandardScaler`. With fewer rows than a quarter of the columns an
    equivalent factorisation in the space of the rows takes its place, as it does where columns
    depend on each other so closely that the Cholesky factor would lose digits. As `alpha` tends to
    zero, predictions tend to those of the least-squares solution with the smallest coefficients; a
    warning tells where rounding may show.

    `sample_weight` weighs the regressions, and the score where the scorer takes weights. Further
    metadata, such as `groups` for the splitter, need
    ``sklearn.set_config(enable_metadata_routing=True)``; then the scorer, too, gets what it
    requests.

    The best of many scores is an optimistic one. For an honest score, cross-validate the
    estimator itself. Rows of one sequence, or of one position where others are asked for, belong
    together: leave them out together, by a splitter in `cv`.

    References
    ----------
    .. [1] Cook, R. D. and Weisberg, S. (1982). Residuals and Influence in Regression. Chapman
       and Hall, section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import PrefixRidgeCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 50))
    >>> y = X[:, :3] @ [1.0, -1.0, 1.0] + 0.1 * rng.normal(size=200)
    >>> model = PrefixRidgeCV(one_standard_error=True).fit(X, y)
    >>> model.n_prefix_
    3
    >>> model.cv_scores_.shape
    (50, 9)
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **params
    ) -> Self:
        """Choose prefix and penalty, then fit them on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns whose order is the order of the prefixes.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            What to predict.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.
        **params : dict
            Metadata for the splitter and the scorer, with metadata routing enabled.

        Returns
        -------
        self : PrefixRidgeCV

        Raises
        ------
        ValueError
            If X or y is not finite or holds text, a parameter does not fit them, or a score does
            not exist. Nothing is changed then.
        """
        _raise_for_params(params, self, "fit")
        y = check_targets(y, "PrefixRidgeClassifierCV")
        data, y = check_X_y(
            X, y, dtype=np.float64, multi_output=True, y_numeric=True, estimator=self
        )
        Y = y.reshape(len(y), -1).astype(np.float64)
        set_linear = _set_one if y.ndim == 1 else _set_many
        return self._fit(X, data, Y, y, sample_weight, params, set_linear)

    def predict(self, X: ArrayLike) -> NDArray:
        """Predict from the chosen prefix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as seen in the fit; those beyond the prefix are not looked at.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        return self._linear(X)


class PrefixRidgeClassifierCV(ClassifierMixin, _BasePrefixRidgeCV):
    """Ridge classifier on the prefix of the columns that classifies best.

    As :class:`sklearn.linear_model.RidgeClassifier`, it regresses on targets of -1 and 1, one
    for each class where there are more than two. Prefix length and penalty are chosen together
    as in :class:`PrefixRidgeCV`, at the price of one factorisation for each fold and penalty.

    Read more in the :ref:`User Guide <user_guide>`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.01, 0.1, 1, ..., 1e6)
        Penalties to try, positive, as in :class:`sklearn.linear_model.RidgeClassifier` on columns
        of unit variance, or with ``scale=False`` on the columns as they are.

    prefixes : "all", "models" or array-like of int, default="all"
        Lengths to try: all from 1 to the number of columns; those at which a model of the chain
        ends, which the names of the columns tell (`set_output(transform="pandas")` on the
        distiller); or a list, increasing.

    scale : bool, default=True
        Whether columns are divided by their standard deviations on the training rows, as in
        :class:`PrefixRidgeCV`.

    cv : int, cross-validation splitter or iterable, default=None
        None leaves out each row in turn, exactly and without refitting: the score is that of the
        predictions of all rows, whatever their order. A number is so many stratified folds,
        shuffled with a fixed seed; splitters and iterables are as in
        :class:`sklearn.model_selection.GridSearchCV`.

    scoring : str or callable, default=None
        The scorer to maximise: any name that scikit-learn knows, or a scorer
        ``scorer(estimator, X, y)``; not one that needs probabilities. None is "accuracy",
        which takes all prefixes at once; others, "roc_auc" among them, are called once for
        each prefix and penalty, and fold. With ``cv=None`` a callable is given an estimator
        whose decisions are those that are to be scored, and nothing else.

    one_standard_error : bool, default=False
        Whether to choose, instead of the prefix with the best score, the shortest one whose
        score is at most one standard error below it: over the folds, or with ``cv=None`` over
        the rows.

    Attributes
    ----------
    n_prefix_ : int
        Number of columns chosen. Of equal scores the shortest prefix wins, then the largest
        penalty.
    alpha_ : float
        Penalty chosen.
    best_score_ : float
        Score of the chosen prefix and penalty.
    prefixes_ : ndarray of shape (n_prefixes,)
        Lengths tried.
    cv_scores_ : ndarray of shape (n_prefixes, n_alphas)
        Scores of the left-out rows, or mean scores over the folds.
    cv_standard_errors_ : ndarray of shape (n_prefixes, n_alphas)
        Their standard errors, over the rows or over the folds; not a number with a single fold,
        and with ``cv=None`` for scorers that take one prefix at a time.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients, fitted on all rows; zero beyond the prefix.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, where all are strings.

    See Also
    --------
    PrefixRidgeCV : The same for numbers.
    PrefixCurveDisplay : Draws the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import PrefixRidgeClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 50))
    >>> y = np.where(X[:, 0] + X[:, 1] > 0, "soluble", "insoluble")
    >>> model = PrefixRidgeClassifierCV().fit(X, y)
    >>> model.predict(X[:2]).tolist()
    ['insoluble', 'insoluble']
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **params
    ) -> Self:
        """Choose prefix and penalty, then fit them on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns whose order is the order of the prefixes.
        y : array-like of shape (n_samples,)
            Classes, two or more.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.
        **params : dict
            Metadata for the splitter and the scorer, with metadata routing enabled.

        Returns
        -------
        self : PrefixRidgeClassifierCV

        Raises
        ------
        ValueError
            If X is not finite, a class is missing, there are fewer than two classes, a parameter
            does not fit them, or a score does not exist. Nothing is changed then.
        """
        _raise_for_params(params, self, "fit")
        check_classes(y)
        data, y = check_X_y(X, y, dtype=np.float64, estimator=self)
        check_classification_targets(y)
        binarizer = LabelBinarizer(neg_label=-1).fit(y)
        classes = binarizer.classes_
        if len(classes) < 2:
            raise ValueError(
                f"All targets are of one class, {classes[0]}; give rows of at least two classes."
            )
        Y = binarizer.transform(y).astype(np.float64)
        return self._fit(X, data, Y, y, sample_weight, params, _set_many, classes_=classes)

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Confidence scores from the chosen prefix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as seen in the fit; those beyond the prefix are not looked at.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes, positive for the second of `classes_`.
        """
        scores = self._linear(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray:
        """Predict classes from the chosen prefix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as seen in the fit; those beyond the prefix are not looked at.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        code = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[code]


def _set_many(estimator, n_prefix, coef, intercept):
    estimator.n_prefix_, estimator.coef_, estimator.intercept_ = n_prefix, coef, intercept


def _set_one(estimator, n_prefix, coef, intercept):
    _set_many(estimator, n_prefix, coef[0], float(intercept[0]))
