"""PrefixRidgeCV, PrefixRidgeClassifierCV: ridge on the prefix and penalty that predict best."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_X_y
from sklearn.utils.multiclass import check_classification_targets

from ..matrix._finite import check_finite
from ..matrix._rows import check_classes, check_row_weights, check_targets
from ..utils._compat import _fit_context, _raise_for_params
from ._base import BasePrefixRidgeCV
from ._uncertainty import UncertainRidge


class PrefixRidgeCV(UncertainRidge, MultiOutputMixin, RegressorMixin, BasePrefixRidgeCV):
    """Ridge regression on the prefix of the columns that predicts best.

    Prefix length and penalty are chosen together, by default by leaving out each row in turn. All
    prefixes are scored at once: each penalty takes one factorisation, whatever the number of
    prefixes and rows. The scores are those of :class:`sklearn.linear_model.Ridge`, refitted for
    each prefix without each row, on columns of unit variance.

    It is made for nested embeddings, such as those of :class:`ReverseDistiller`, whose columns
    are ordered from general to special. Columns are scaled inside the estimator, so that embeddings
    need no scaler before it.

    Read more in the :ref:`User Guide <probes>`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.01, 0.1, 1, ..., 1e6)
        Penalties to try, positive, as in :class:`sklearn.linear_model.Ridge` on columns of unit
        variance, or with ``scale=False`` on unscaled columns.

    prefixes : "all", "models" or array-like of int, default="all"
        Lengths to try. "all": from 1 to the number of columns. "models": those at which a model of
        the chain ends, read from the column names (use `set_output(transform="pandas")` on the
        distiller). Or an increasing list.

    scale : bool, default=True
        Whether columns are divided by their standard deviations on the training rows (constant
        columns are not), so that neither unit nor spread of a column determines how much it is
        penalised. `coef_` applies to unscaled columns.

    cv : int, cross-validation splitter or iterable, default=None
        None leaves out each row in turn, exactly and without refitting: the score is that of the
        predictions of all rows, whatever their order. An int is a number of folds, shuffled with
        a fixed seed; splitters and iterables are as in
        :class:`sklearn.model_selection.GridSearchCV`.

    scoring : str or callable, default=None
        The scorer to maximise: any name that scikit-learn knows, "spearman" for the rank
        correlation, or a scorer ``scorer(estimator, X, y)``. None is "r2". "r2",
        "neg_mean_squared_error" and "spearman" score all prefixes at once; others are called
        for each prefix, penalty and fold. With ``cv=None`` a callable gets an estimator that
        returns the held-out predictions, and these predictions as `X`.

    one_standard_error : bool, default=False
        Whether to choose, instead of the prefix with the best score, the shortest one whose score
        is at most one standard error below the best. Standard errors are over the folds, or with
        ``cv=None`` over the rows.

    Attributes
    ----------
    n_prefix_ : int
        Number of columns chosen. Ties go to the shortest prefix, then to the largest penalty.
    alpha_ : float
        Penalty chosen.
    best_score_ : float
        Score of the chosen prefix and penalty.
    prefixes_ : ndarray of shape (n_prefixes,), int64
        Lengths tried.
    cv_scores_ : ndarray of shape (n_prefixes, n_alphas), float64
        Scores of the left-out rows, or mean scores over the folds.
    cv_standard_errors_ : ndarray of shape (n_prefixes, n_alphas), float64
        Their standard errors, over the rows or over the folds; NaN with a single fold, and with
        ``cv=None`` for scorers that take one prefix at a time.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features), float64
        Coefficients, fitted on all rows; zero beyond the prefix.
    intercept_ : float or ndarray of shape (n_targets,), float64
        Intercept.
    noise_std_ : float or ndarray of shape (n_targets,), float64
        Standard deviation of the noise.
    posterior_share_ : float or ndarray of shape (n_targets,), float64
        Share of the variance of coefficients, given data and penalty, that shows in the errors of
        left-out rows; see `predict`.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, if all are strings.

    See Also
    --------
    PrefixRidgeClassifierCV : The same for classes.
    PrefixCurveDisplay : Draws the scores.
    sklearn.linear_model.RidgeCV : Chooses the penalty alone, for all columns.

    Notes
    -----
    With centred training rows X and ``X'X + alpha I = L L'``, the factor of the first k columns is
    the leading block of L. The prediction of the regression on k columns is therefore the sum of
    the first k terms ``(L^-1 x)_j (L^-1 X'y)_j``, and the leverage of a row x is ``1 / n`` plus
    the sum of the first k terms ``(L^-1 x)_j^2``. A residual divided by one minus the leverage is
    the residual of the regression without that row [1]_, so that leave-one-out scores of all
    prefixes follow from one factor. Standard deviations of the columns are those of all rows, as
    after a :class:`sklearn.preprocessing.StandardScaler`. With fewer rows than a quarter of the
    columns, or if columns are so nearly dependent that the Cholesky factor would lose digits, an
    equivalent factorisation in the space of the rows is used. As `alpha` tends to zero, predictions
    tend to those of the least-squares solution with the smallest coefficients; a warning is raised
    if rounding may matter.

    `sample_weight` weights the regressions, and also the score if the scorer takes weights. Other
    metadata, such as `groups` for the splitter, need
    ``sklearn.set_config(enable_metadata_routing=True)``; the scorer then gets what it requests.

    The best of many scores is optimistic: for an unbiased one, cross-validate the estimator itself.
    Rows of one sequence should be left out together, by a splitter in `cv`, and so should rows of
    one position if other positions are to be predicted.

    References
    ----------
    .. [1] Cook, R. D. and Weisberg, S. (1982). Residuals and Influence in Regression. Chapman
       and Hall, section 2.2.

    Examples
    --------
    The target depends on the first three of fifty columns, with little noise:

    >>> import numpy as np
    >>> from sklearn_revdist import PrefixRidgeCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 50))
    >>> y = X[:, :3] @ [1.0, -1.0, 1.0] + 0.1 * rng.normal(size=200)

    The shortest prefix within one standard error of the best is found among all fifty:

    >>> model = PrefixRidgeCV(one_standard_error=True).fit(X, y)
    >>> model.n_prefix_
    3

    Each prefix has a leave-one-out score, here R2, for each penalty. These are the best scores of
    the first four prefixes:

    >>> model.cv_scores_[:4].max(axis=1).round(2)
    array([0.37, 0.69, 1.  , 1.  ])

    A new measurement has a standard deviation, and lies in its interval with a probability of 90 %:

    >>> predicted, std = model.predict(X[:1], return_std=True)
    >>> std.round(1), model.predict_interval(X[:1], coverage=0.9).round(1)
    (array([0.1]), array([[0.7, 1.1]]))
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any
    ) -> Self:
        """Choose prefix and penalty, then fit them on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns, of which the first ones form the prefixes.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.
        **params : dict
            Metadata for the splitter and the scorer, if metadata routing is enabled.

        Returns
        -------
        self : PrefixRidgeCV

        Raises
        ------
        ValueError
            If X or y is not finite or not numeric, a parameter does not fit them, or a score is
            undefined. The estimator is left unchanged.
        """
        _raise_for_params(params, self, "fit")
        y = check_targets(y, "PrefixRidgeClassifierCV")
        how = {"dtype": np.float64, "ensure_all_finite": False, "estimator": self}
        data, y = check_X_y(X, y, multi_output=True, y_numeric=True, **how)
        check_finite(data)
        Y = y.reshape(len(y), -1).astype(np.float64)
        self._fit(X, data, Y, y, sample_weight, params)
        weights = check_row_weights(sample_weight, data)
        prefix, ridge = data[:, : self.n_prefix_], {"alpha": self.alpha_, "scale": self.scale}
        self._set_uncertainty(prefix, Y, weights, **ridge)
        return self


class PrefixRidgeClassifierCV(ClassifierMixin, BasePrefixRidgeCV):
    """Ridge classifier on the prefix of the columns that classifies best.

    As :class:`sklearn.linear_model.RidgeClassifier`, it regresses on targets of -1 and 1, with one
    target for each class if there are more than two. Prefix length and penalty are chosen together;
    see :class:`PrefixRidgeCV` for details.

    Read more in the :ref:`User Guide <probes>`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), default=(0.01, 0.1, 1, ..., 1e6)
        Penalties to try, as in :class:`PrefixRidgeCV`.

    prefixes : "all", "models" or array-like of int, default="all"
        Lengths to try, as in :class:`PrefixRidgeCV`.

    scale : bool, default=True
        Whether columns are divided by their standard deviations, as in :class:`PrefixRidgeCV`.

    cv : int, cross-validation splitter or iterable, default=None
        As in :class:`PrefixRidgeCV`, but the folds of an int are stratified.

    scoring : str or callable, default=None
        As in :class:`PrefixRidgeCV`, except that None is "accuracy", the only scorer of all
        prefixes at once, and that scorers of probabilities cannot be used.

    one_standard_error : bool, default=False
        Whether to choose the shortest prefix within one standard error of the best, as in
        :class:`PrefixRidgeCV`.

    Attributes
    ----------
    n_prefix_, alpha_, best_score_, prefixes_, cv_scores_, cv_standard_errors_ : object
        As in :class:`PrefixRidgeCV`.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features), float64
        Coefficients, fitted on all rows; zero beyond the prefix.
    intercept_ : ndarray of shape (1,) or (n_classes,), float64
        Intercepts.
    n_features_in_, feature_names_in_ : object
        As in :class:`PrefixRidgeCV`.

    See Also
    --------
    PrefixRidgeCV : The same for numbers.
    PrefixCurveDisplay : Draws the scores.

    Examples
    --------
    The class depends on the first two of fifty columns:

    >>> import numpy as np
    >>> from sklearn_revdist import PrefixRidgeClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 50))
    >>> y = np.where(X[:, 0] + X[:, 1] > 0, "soluble", "insoluble")

    The shortest prefix whose leave-one-out accuracy is within one standard error of the best:

    >>> model = PrefixRidgeClassifierCV(one_standard_error=True).fit(X, y)
    >>> model.n_prefix_, round(model.best_score_, 2)
    (2, 0.98)

    It predicts classes by name:

    >>> model.predict(X[:3]).tolist()
    ['insoluble', 'insoluble', 'soluble']
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any
    ) -> Self:
        """Choose prefix and penalty, then fit them on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns, of which the first ones form the prefixes.
        y : array-like of shape (n_samples,)
            Classes, two or more.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.
        **params : dict
            Metadata for the splitter and the scorer, if metadata routing is enabled.

        Returns
        -------
        self : PrefixRidgeClassifierCV

        Raises
        ------
        ValueError
            If X is not finite, a class is missing, there are fewer than two classes, a parameter
            does not fit them, or a score is undefined. The estimator is left unchanged.
        """
        _raise_for_params(params, self, "fit")
        check_classes(y)
        how = {"dtype": np.float64, "ensure_all_finite": False, "estimator": self}
        data, y = check_X_y(X, y, **how)
        check_finite(data)
        check_classification_targets(y)
        binarizer = LabelBinarizer(neg_label=-1).fit(y)
        classes = binarizer.classes_
        if len(classes) < 2:
            raise ValueError(
                f"All targets are of one class, {classes[0]}; give rows of at least two classes."
            )
        Y = binarizer.transform(y).astype(np.float64)
        return self._fit(X, data, Y, y, sample_weight, params, classes_=classes)

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Compute confidence scores from the chosen prefix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns of the fit, of which those beyond the prefix are not used.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes), float64
            With two classes, positive for the second of `classes_`.
        """
        prefix = self._rows(X)
        scores = prefix @ self.coef_[:, : prefix.shape[1]].T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray:
        """Predict classes from the chosen prefix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns of the fit, of which those beyond the prefix are not used.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        code = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[code]
