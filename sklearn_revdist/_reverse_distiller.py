"""ReverseDistiller: the chain as a scikit-learn transformer.

One affine, block lower triangular map takes the embeddings of all models to the nested one.
Fitting sums moments and solves the chain; everything after that uses the map alone.
"""

import copy
import os
from numbers import Integral, Real
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.metrics import r2_score
from sklearn.utils import check_array
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted, check_memory, validate_data

from ._affine_map import nest, reconstruct
from ._blocks import Blocks, column_names, find_blocks
from ._chain import Level, solve_chain
from ._dask import header, is_dask, map_blocks, score_of_blocks
from ._fingerprint import fingerprint
from ._fitted_chain import (
    PRIVATE,
    SOLVED,
    affine_attributes,
    level_maps,
    levels_of,
    row_attributes,
    warn_of_few_rows,
    warn_of_lost_orthogonality,
)
from ._messages import told
from ._moments import Moments, check_moments
from ._prefixes import model_index, new_columns, prefix_length
from ._published import SOURCE_CONSTRAINTS, read_published
from ._row_chain import fit_rows, nest_rows, reconstruct_rows
from ._rows import check_row_weights, check_rows, check_rows_as_fitted, names_in, string_columns
from ._saved_chain import read_chain, write_chain
from ._tensors import as_array, tensor_as


class ReverseDistiller(TransformerMixin, BaseEstimator):
    """Nested, orthogonal embeddings from a chain of models.

    The input is the concatenation ``[H1 | H2 | ...]`` of the embeddings that the models of one
    family, small to large, give the same sequences (or residues). Level by level, the next
    embedding is regressed on the columns accumulated so far, and the principal directions of
    the residual become the new columns [1]_ (Algorithm 3)::

        A1 = H1
        Wi = argmin_W || Hi - A(i-1) W ||          intercepts included
        Vi = leading principal directions of Hi - A(i-1) Wi
        Ai = [ A(i-1), (Hi - A(i-1) Wi) Vi ]

    So the first columns of the output are the smallest model's embedding, bit for bit, and
    every prefix that ends at a model is that model's distilled embedding. The map is affine:
    distilling mean-pooled embeddings equals pooling distilled residues.

    Read more in the :ref:`User Guide <user_guide>`.

    Parameters
    ----------
    dims : sequence of int, default=None
        Widths of the blocks, small model first. None recognises columns named by
        :class:`ESMEmbedder`, else the widths of known models (every sum of distinct widths is
        unique), with a warning unless they are a whole chain from its smallest model on; else
        it takes all columns as one block, with a warning.

    n_components : int or str, default=None
        Length of the prefix to return: a number of columns, or the name of the model to stop
        at (``"150M"``). It acts in :meth:`transform` alone, so that changing it on a fitted
        distiller needs no refit. None returns all columns.

    n_new : sequence of int or "all", default=None
        Number of columns that each model after the first adds. None is the difference of
        widths, as in the paper, and needs widths that grow; "all" keeps the whole residual
        basis, which makes the map an invertible one of the concatenation.

    regressor : {"ols", "ridge", "pcr"} or estimator, default="ridge"
        The regression of an embedding on the prefix. "ols": new columns are uncorrelated with
        the prefix on the data of the fit and no representation with the same prefix
        reconstructs the embedding better. "ridge": shrunk, and no more new columns than the
        rows support. "pcr":
        least squares on the leading principal components of the prefix, as in the paper.

        Any multi-output regressor of scikit-learn may stand in their place. It is fitted on the
        rows themselves, a copy for each level. The prefix is kept, but the map is affine no
        more: see the :ref:`User Guide <any_regressor>` for what does not hold then.

    alpha : float, default=None
        Penalty of the ridge, as in :class:`sklearn.linear_model.Ridge`. None minimises the
        generalised cross-validation criterion for each model, among penalties that spend at
        most 15 % of the rows on the regression.

    rank : int, default=None
        Number of principal components for "pcr". None counts those above Johnstone's
        threshold for noise, as in the paper.

    memory : str or object with the joblib.Memory interface, default=None
        Caches the solved chain. A grid search over `n_components` then solves once for each
        training set.

    Attributes
    ----------
    model_names_ : list of str
        Names of the models; "block0", "block1", ... where nothing tells them.
    dims_ : ndarray of shape (n_models,)
        Widths of the models' embeddings.
    prefix_lengths_ : ndarray of shape (n_models,)
        Number of output columns up to and including each model.
    mean_ : ndarray of shape (n_features,), float64
        Mean of the columns.
    components_ : ndarray of shape (prefix_lengths_[-1], n_features), float64
        The linear map, block lower triangular, its first block the identity.
    offset_ : ndarray of shape (prefix_lengths_[-1],), float64
        The output is ``(X - mean_) @ components_.T + offset_``.
    reconstruction_ : ndarray of shape (prefix_lengths_[-1], n_features), float64
        The inverse map, ``(A - offset_) @ reconstruction_ + mean_``.
    r2_ : ndarray of shape (n_models - 1,)
        For each model after the first, the share of its variance predicted from the prefix.
    explained_variance_ratio_ : ndarray of shape (n_models - 1,)
        Share of the residual variance that the new columns keep.
    ranks_ : ndarray of shape (n_models - 1,)
        Numerical rank of the residual and, with "ridge", at most 15 % of the degrees of
        freedom that the regression leaves of the rows. New columns beyond it are exact zeros.
    conditions_ : ndarray of shape (n_models - 1,)
        Condition number of the prefix, with columns of unit variance for "ols".
    alphas_ : ndarray of shape (n_models - 1,)
        Penalties of the regressions; zeros unless `regressor="ridge"`.
    n_prefix_components_ : ndarray of shape (n_models - 1,)
        Number of principal components of the prefix that the regressions use.
    amplifications_ : ndarray of shape (n_models - 1,)
        How many times larger than a new column the terms are that it is the sum of. Rounding
        of the moments shows in correlations as 1e-16 times this number of the new columns,
        times the largest one of the prefix.
    n_features_in_ : int
        Number of columns seen during fit.
    moments_ : Moments
        Moments of the rows seen, about as large as the square of their columns. They are what
        :meth:`partial_fit` and :meth:`fit_moments` build on; a distiller read from a file has
        none, and transforming needs none.
    regressors_ : list of estimators
        Fitted copies of `regressor`, one for each model after the first, where it is an
        estimator. Of the other attributes there are then those of the chain, `mean_`, `r2_`,
        `explained_variance_ratio_` and `ranks_`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen during fit, where all are strings.

    See Also
    --------
    ESMEmbedder : Makes the concatenated embeddings from protein sequences.
    sklearn.decomposition.PCA : Orthogonal columns without nesting.

    Notes
    -----
    Sums are taken in float64. With `regressor="ols"` the correlation of prefix and new columns
    on the data of the fit is below 1e-10, as long as the prefix is not conditioned too badly,
    which a warning tells. With "ridge" and "pcr" it is as small as the shrinkage allows.

    Rows are residues or whole proteins. Fitting on the residues of some thousand natural
    sequences (:meth:`fit_residues`) and transforming pooled embeddings is the recommended use.

    References
    ----------
    .. [1] Catrina, Bepler, Sledzieski and Singh (2026), "Reverse Distillation: Consistently
       Scaling Protein Language Model Representations", ICLR, arXiv:2603.07710.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_revdist import ReverseDistiller
    >>> rng = np.random.default_rng(0)
    >>> small = rng.normal(size=(500, 4))
    >>> large = np.hstack([small @ rng.normal(size=(4, 4)), rng.normal(size=(500, 2))])
    >>> X = np.hstack([small, large])
    >>> distiller = ReverseDistiller(dims=[4, 6], regressor="ols").fit(X)
    >>> A = distiller.transform(X)
    >>> A.shape
    (500, 6)
    >>> np.array_equal(A[:, :4], small)
    True
    >>> distiller.ranks_
    array([2])
    """

    _parameter_constraints: dict = {
        "dims": ["array-like", None],
        "n_components": [Interval(Integral, 1, None, closed="left"), str, None],
        "n_new": ["array-like", StrOptions({"all"}), None],
        "regressor": [StrOptions({"ols", "ridge", "pcr"}), HasMethods(["fit", "predict"])],
        "alpha": [Interval(Real, 0, None, closed="neither"), None],
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        "memory": [str, HasMethods(["cache"]), None],
    }

    def __init__(
        self,
        dims=None,
        *,
        n_components=None,
        n_new=None,
        regressor="ridge",
        alpha=None,
        rank=None,
        memory=None,
    ):
        self.dims = dims
        self.n_components = n_components
        self.n_new = n_new
        self.regressor = regressor
        self.alpha = alpha
        self.rank = rank
        self.memory = memory

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the chain on the rows of a matrix.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings, one block of columns a model. Moments of an array or
            data frame of dask are summed where its blocks are (see :ref:`scaling`).
        y : Ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : ReverseDistiller

        Raises
        ------
        ValueError
            If X is not finite, its columns do not form the chain, a parameter does not fit
            it, or the regressor needs rows and those of X are in an array of dask. Nothing is
            changed then.
        """
        data = check_rows(X, self, ensure_min_samples=2)
        sample_weight = check_row_weights(sample_weight, data)
        blocks = find_blocks(self.dims, string_columns(X), data.shape[1])
        n_new = self._new_columns(blocks)
        cache = check_memory(self.memory).cache
        if is_dask(data):
            self._check_adds_up()
            # Moments have a hash by which memory finds the chain; a graph may have none.
            data, sample_weight = Moments.of(data, sample_weight), None
        if isinstance(self.regressor, str):
            moments, levels = cache(_fit_chain)(
                data, sample_weight, blocks.dims, n_new, self.regressor, self.alpha, self.rank
            )
            self._start_over(X)
            return self._set_chain(blocks, moments, levels)
        data = as_array(data)
        levels = cache(fit_rows)(data, sample_weight, blocks.dims, n_new, self.regressor)
        self._start_over(X)
        self._set_blocks(blocks)
        mean = np.average(data, axis=0, weights=sample_weight)
        self.__dict__.update(row_attributes(self.dims_, mean, levels))
        warn_of_few_rows(self, len(data) if sample_weight is None else sample_weight.sum())
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows to those already seen.

        Batches of any sizes, in any order, give the fit of all their rows at once. The chain
        is solved when it is first used, not after every batch.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            More rows of the concatenated embeddings.
        y : Ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : ReverseDistiller

        Raises
        ------
        ValueError
            As for :meth:`fit`, and where the distiller was read from a file, which keeps no
            moments to add to. Nothing is changed then.
        """
        self._check_adds_up()
        fitted = "components_" in vars(self) or "moments_" in vars(self)
        if fitted and "moments_" not in vars(self):
            raise ValueError(
                "This distiller was read from a file, which keeps no moments to add rows to; fit "
                "a new one, or keep fitted ones with joblib."
            )
        if fitted:
            data = check_rows_as_fitted(X, self, self.dims_, self.model_names_)
            moments = self.moments_ + Moments.of(data, check_row_weights(sample_weight, data))
        else:
            data = check_rows(X, self)
            blocks = find_blocks(self.dims, string_columns(X), data.shape[1])
            self._new_columns(blocks)
            moments = Moments.of(data, check_row_weights(sample_weight, data))
            self._start_over(X)
            self._set_blocks(blocks)
        self.moments_: Moments = moments
        for name in SOLVED:
            self.__dict__.pop(name, None)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_moments(self, moments: Moments, feature_names: ArrayLike | None = None) -> Self:
        """Fit the chain on moments, without touching data.

        Moments of parts of the data, made on other machines or in other fits (`moments_`), add
        up to those of all. The same moments serve another regressor, other `n_new`, and with
        :meth:`Moments.leading` a shorter chain.

        Parameters
        ----------
        moments : Moments
            Moments of the concatenated embeddings.
        feature_names : array-like of str, default=None
            Names of the columns, from which the models are recognised.

        Returns
        -------
        self : ReverseDistiller

        Raises
        ------
        ValueError
            If the columns do not form the chain, or a parameter does not fit it. Nothing is
            changed then.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_revdist import Moments, ReverseDistiller
        >>> shards = np.random.default_rng(0).normal(size=(3, 100, 5))
        >>> moments = Moments.of(shards[0]) + Moments.of(shards[1]) + Moments.of(shards[2])
        >>> ReverseDistiller(dims=[2, 3]).fit_moments(moments).components_.shape
        (3, 5)
        """
        self._check_adds_up()
        check_moments(moments)
        names = column_names(feature_names, moments.mean.size)
        blocks = find_blocks(self.dims, names, moments.mean.size)
        levels = self._solve(blocks, moments)
        self._forget()
        self.n_features_in_ = moments.mean.size
        return self._set_chain(blocks, moments, levels)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_residues(self, sequences: ArrayLike, embedder) -> Self:
        """Fit the chain on the residues of protein sequences, block by block.

        Parameters
        ----------
        sequences : array-like of str
            Protein sequences. A thousand natural ones (about 250,000 residues) served the
            paper.
        embedder : ESMEmbedder
            Its chain of models embeds the residues; memory is bounded by its batches.

        Returns
        -------
        self : ReverseDistiller

        Raises
        ------
        TypeError
            If `embedder` is none, or a sequence is no text.
        ValueError
            If a sequence or the chain is not valid. Nothing is changed then.
        """
        self._check_adds_up()
        if isinstance(embedder, type) or not hasattr(embedder, "iter_residues"):
            raise TypeError(
                f"embedder must be an ESMEmbedder, but it is {embedder!r}; give one, as in "
                "ESMEmbedder('650M')."
            )
        feature_names = embedder.get_feature_names_out()
        self._new_columns(find_blocks(self.dims, feature_names, len(feature_names)))
        moments = Moments.zeros(len(feature_names))
        for rows, _ in embedder.iter_residues(sequences):
            moments += Moments.of(check_array(rows, dtype=[np.float64, np.float32]))
        return self.fit_moments(moments, feature_names)

    def transform(self, X: ArrayLike) -> NDArray:
        """The nested embedding, or the prefix of it that `n_components` says.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings.

        Returns
        -------
        A : ndarray, Tensor or dask Array of shape (n_samples, n_components), as X
            Its first columns are those of X, bit for bit. Where X is of dask, it is computed
            when it is asked for.
        """
        check_is_fitted(self)
        rows = check_rows_as_fitted(X, self, self.dims_, self.model_names_)
        if is_dask(rows):
            return map_blocks(self._without_moments().transform, rows, self._n_components())
        if self._is_affine():
            A = nest(rows, self.mean_, level_maps(self), self._n_components())
        else:
            A = nest_rows(as_array(rows), self.dims_, self._row_levels, self._n_components())
        return tensor_as(A, X)

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Reconstruct the embeddings of all models.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_components), float64 or float32
            Nested embeddings, or a prefix of them; missing columns are taken at their means.

        Returns
        -------
        H : ndarray, Tensor or dask Array of shape (n_samples, n_features), as X
            The concatenated embeddings, each reconstructed from the columns up to its model's.
            With "ols" and a prefix that ends at a model, this is the least-squares
            reconstruction of that model's embedding and of all larger ones.

        Raises
        ------
        ValueError
            If X is not finite, has more columns than there are, or its names say that they are
            in another order.
        """
        check_is_fitted(self)
        A = check_rows(X, self)
        n_components = A.shape[1]
        if n_components > self.prefix_lengths_[-1]:
            raise ValueError(
                f"X has {n_components} columns, but the nested embedding has "
                f"{self.prefix_lengths_[-1]}; give its columns or the first of them."
            )
        names, own = string_columns(X), self._names_out()
        if names is not None and names != own[:n_components] and set(names) <= set(own):
            raise ValueError(
                "The columns of X are those of the nested embedding, but not its first ones in "
                "their order; put them in the order of get_feature_names_out()."
            )
        if is_dask(A):
            return map_blocks(self._without_moments().inverse_transform, A, self.n_features_in_)
        if self._is_affine():
            H = reconstruct(
                A, self.offset_[:n_components], self.reconstruction_[:n_components], self.mean_
            )
        else:
            H = reconstruct_rows(as_array(A), self.dims_[0], self._row_levels, self.mean_)
        first = min(n_components, self.dims_[0])
        H[:, :first] = A[:, :first]
        return tensor_as(H, X)

    def score(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Share of the embeddings' variance that the prefix reconstructs.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), float64 or float32
            The concatenated embeddings.
        y : Ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Coefficient of determination of :meth:`inverse_transform` of :meth:`transform`,
            over all columns of all models, each weighted by its variance. The best is 1.
        """
        check_is_fitted(self)
        rows = as_array(check_rows_as_fitted(X, self, self.dims_, self.model_names_))
        sample_weight = check_row_weights(sample_weight, rows)
        if is_dask(rows):
            return score_of_blocks(self._without_moments(), rows, sample_weight)
        reconstructed = self.inverse_transform(as_array(self.transform(X)))
        return r2_score(
            rows, reconstructed, sample_weight=sample_weight, multioutput="variance_weighted"
        )

    def truncate(self, model: str) -> Self:
        """Copy the fitted chain up to a model.

        Parameters
        ----------
        model : str
            Name of the last model to keep, as for `n_components`.

        Returns
        -------
        distiller : ReverseDistiller
            Takes the columns of the kept models alone, and transforms them as this one does.
        """
        check_is_fitted(self)
        n_models = model_index(model, self.model_names_, "model") + 1
        n_features = int(self.dims_[:n_models].sum())
        parameters = {"dims": self.dims_[:n_models].tolist(), "n_components": None}
        if self.n_new is not None and not isinstance(self.n_new, str):
            parameters["n_new"] = list(self.n_new)[: n_models - 1]
        distiller = clone(self).set_params(**parameters)
        distiller.n_features_in_ = n_features
        if hasattr(self, "feature_names_in_"):
            distiller.feature_names_in_ = self.feature_names_in_[:n_features]
        if "moments_" in vars(self):
            distiller.moments_ = self.moments_.leading(n_features)
        distiller._set_blocks(Blocks(*(part[:n_models] for part in self._blocks())))
        mean = self.mean_[:n_features]
        if self._is_affine():
            fitted = affine_attributes(distiller.dims_, mean, levels_of(self)[: n_models - 1])
        else:
            fitted = row_attributes(distiller.dims_, mean, self._row_levels[: n_models - 1])
        distiller.__dict__.update(fitted)
        return distiller

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Names of the columns: the first model's own, then `<model>_residual_<column>`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input's columns; None uses those seen during fit.

        Returns
        -------
        names : ndarray of shape (n_components,), object
        """
        check_is_fitted(self)
        return np.asarray(self._names_out(input_features)[: self._n_components()], dtype=object)

    def _names_out(self, input_features: ArrayLike | None = None) -> list[str]:
        """Names of all columns, whatever `n_components` says."""
        names = list(names_in(self, input_features)[: self.dims_[0]])
        if input_features is None and not hasattr(self, "feature_names_in_"):
            names = [f"{self.model_names_[0]}_{i}" for i in range(self.dims_[0])]
        for model, n_new in zip(self.model_names_[1:], np.diff(self.prefix_lengths_), strict=True):
            names += [f"{model}_residual_{i}" for i in range(n_new)]
        return names

    def fingerprint(self) -> str:
        """Text that changes whenever what the distiller returns for the same rows would.

        Once fitted it covers the map, or the regressors and bases, the prefix that `n_components`
        says, and the names of models and columns; before, the parameters. It covers neither
        `memory` nor the moments, so that a distiller that was saved and read has that of the one
        that was saved.

        Returns
        -------
        fingerprint : str
            64 hexadecimal digits.

        Raises
        ------
        TypeError
            If it cannot be told whether a `regressor` is still the same.
        """
        if not hasattr(self, "prefix_lengths_"):  # which solves the chain, where that is due
            parameters = self.get_params(deep=False)
            del parameters["memory"]
            return fingerprint(parameters)
        if self._is_affine():
            # What `transform` takes from one level to the next is made of these.
            fitted = [self.components_, self.reconstruction_, self.amplifications_]
        else:
            fitted = [(lvl.regressor, lvl.residual_mean, lvl.basis) for lvl in self._row_levels]
        names = self.model_names_, getattr(self, "feature_names_in_", None)
        return fingerprint(names, self.dims_, self.mean_, self._n_components(), fitted)

    @validate_params({"path": [str, os.PathLike]}, prefer_skip_nested_validation=True)
    def save_pretrained(self, path: str | os.PathLike) -> None:
        """Write the fitted chain to a safetensors file: arrays and plain metadata, no pickle.

        The metadata is JSON that says the models, the parameters, what is known of each level,
        the weight of the rows (the number of them where they had none; null for a distiller that
        was read from a file), and the versions that wrote it.

        Parameters
        ----------
        path : str or path-like
            The file, by custom ending in ``.safetensors``. An existing one is replaced in one
            step, so that no reader sees half a file.

        Raises
        ------
        OSError
            If there is no such folder, the path is that of a folder, or the disk is full. An
            existing file is as it was then.
        ValueError
            If the chain is no affine map, or a parameter that was set since the fit is not valid.
        """
        check_is_fitted(self)
        self._validate_params()  # may have been set since the fit
        if not self._is_affine():
            raise ValueError(
                f"A chain with regressor={type(self.regressor).__name__}(...) is no affine map, "
                "which is what the file holds; keep it with joblib."
            )
        parameters = self.get_params()
        del parameters["memory"]  # belongs to this machine
        weight = self.moments_.weight if "moments_" in vars(self) else None
        write_chain(path, parameters, self._blocks(), self.mean_, levels_of(self), weight)

    @classmethod
    @validate_params(SOURCE_CONSTRAINTS, prefer_skip_nested_validation=True)
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike,
        *,
        variant: str | None = None,
        revision: str | None = None,
    ) -> Self:
        """Read a fitted distiller.

        Parameters
        ----------
        name_or_path : str or path-like
            ``"demo"`` for the one that comes with the demo chain, fitted on residues of
            natural sequences; the path of a file that :meth:`save_pretrained` wrote; a folder
            with the weights that the method's authors published, one npz file a step; or a
            repository on the hub that holds them in its folder ``weights``, as
            ``"singhlab/plm_reverse_distillation"``, which needs the extra ``hub``. What exists
            here is taken before what may be on the hub.
        variant : str, default=None
            Which of the published weights, as in ``"pcr-incremental-1k"``: regressor, kind of
            PCA and number of sequences. None takes the only ones in the folder; the hub needs
            it.
        revision : str, default=None
            The 40 hexadecimal digits of the commit to read from the hub, which needs it.

        Returns
        -------
        distiller : ReverseDistiller
            Transforms exactly as the one that was saved. From published weights it repeats the
            published steps, so that only the prefix contract holds: their regressions were
            fitted on raw smaller embeddings, but are applied to accumulated ones.

        Raises
        ------
        FileNotFoundError
            If there is no such file, or it cannot be fetched.
        ValueError
            If the file is not a saved distiller, or is damaged, the variant or the commit is
            not said, or the folder has several variants.
        """
        published = None
        if name_or_path != "demo":
            published = read_published(name_or_path, variant, revision)
        if published is not None:
            blocks, mean, levels = published
            parameters = {"dims": list(blocks.dims)}
        elif variant is not None or revision is not None:
            raise ValueError(
                f"{variant=} and {revision=} choose among published weights, but "
                f"{str(name_or_path)!r} is neither a folder of them nor a repository on the hub; "
                "leave both out, or give what holds them."
            )
        else:
            parameters, blocks, mean, levels = read_chain(name_or_path)
        distiller = cls(**parameters)
        try:
            distiller._validate_params()
            distiller._new_columns(blocks)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{str(name_or_path)!r} holds parameters that do not fit its chain "
                f"({told(error)}); save or fetch it again."
            ) from error
        distiller.n_features_in_ = sum(blocks.dims)
        distiller._set_blocks(blocks)
        distiller.__dict__.update(affine_attributes(distiller.dims_, mean, levels))
        return distiller

    def __getattr__(self, name):
        if name in SOLVED and "moments_" in vars(self):
            self._validate_params()  # may have been set since the last batch
            blocks = self._blocks()
            self._set_chain(blocks, self.moments_, self._solve(blocks, self.moments_))
            return vars(self)[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _new_columns(self, blocks: Blocks) -> list[int]:
        """Number of new columns of each level, after checking the parameters against the chain."""
        n_new = new_columns(blocks, self.n_new)
        prefix_length(self.n_components, blocks.names, np.cumsum([blocks.dims[0], *n_new]))
        return n_new

    def _solve(self, blocks: Blocks, moments: Moments) -> list[Level]:
        return solve_chain(
            moments,
            blocks.dims,
            self._new_columns(blocks),
            regressor=self.regressor,
            alpha=self.alpha,
            rank=self.rank,
        )

    def _blocks(self) -> Blocks:
        return Blocks(tuple(self.model_names_), tuple(self.dims_.tolist()))

    def _set_blocks(self, blocks: Blocks) -> None:
        self.model_names_ = list(blocks.names)
        self.dims_ = np.array(blocks.dims)

    def _set_chain(self, blocks: Blocks, moments: Moments, levels: list[Level]) -> Self:
        """Set all that a fit sets, then say what is doubtful about it."""
        self._set_blocks(blocks)
        self.moments_ = moments
        self.__dict__.update(affine_attributes(self.dims_, moments.mean, levels))
        warn_of_few_rows(self, moments.weight)
        warn_of_lost_orthogonality(self)
        return self

    def _is_affine(self) -> bool:
        return "regressors_" not in vars(self)

    def _check_adds_up(self) -> None:
        if not isinstance(self.regressor, str):
            raise ValueError(
                f"regressor={type(self.regressor).__name__}(...) needs all rows at once, not "
                'moments; call fit with an array, or use "ols", "ridge" or "pcr".'
            )

    def _without_moments(self) -> Self:
        """A copy that transforms arrays as this one does, to be sent to workers."""
        check_is_fitted(self, "mean_")  # solves the chain, where that is due
        light = copy.copy(self)
        for name in ("moments_", "feature_names_in_", "_sklearn_output_config"):
            light.__dict__.pop(name, None)
        return light.set_output(transform="default")

    def _start_over(self, X: ArrayLike) -> None:
        """Note the columns of a fit's rows, if they can be, then drop the fit before."""
        validate_data(self, header(X), skip_check_array=True)
        self._forget(keep=("n_features_in_", "feature_names_in_"))

    def _forget(self, keep: tuple[str, ...] = ()) -> None:
        """Drop the fit, so that nothing of it stays beside the next one."""
        for name in list(vars(self)):
            if (name.endswith("_") or name in PRIVATE) and name not in keep:
                delattr(self, name)

    def _n_components(self) -> int:
        return prefix_length(self.n_components, self.model_names_, self.prefix_lengths_)


def _fit_chain(X, sample_weight, dims, n_new, regressor, alpha, rank):
    """Moments and levels; a function of plain values, so that joblib can cache it."""
    moments = X if isinstance(X, Moments) else Moments.of(X, sample_weight)
    return moments, solve_chain(moments, dims, n_new, regressor=regressor, alpha=alpha, rank=rank)
