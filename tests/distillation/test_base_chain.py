"""What the transformers of a chain share, shown on both of them."""

import copy
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge

from sklearn_revdist import Moments, NaiveChain, ReverseDistiller

DIMS = [4, 7, 12]
BOTH = pytest.mark.parametrize("transformer", [ReverseDistiller, NaiveChain])


def chain_columns(*models):
    """Names of columns, as an embedder gives them."""
    return [f"{model}_{i}" for model, width in zip(models, DIMS, strict=True) for i in range(width)]


def listed(estimator):
    """Names of the fitted attributes that a person, or scikit-learn's display, is shown."""
    return {name for name in dir(estimator) if re.fullmatch(r"[a-z]\w*[a-z0-9]_", name)}


@BOTH
def test_a_fit_on_moments_is_the_fit_on_their_rows(transformer, X):
    on_rows, on_moments = transformer(DIMS).fit(X), transformer(DIMS).fit_moments(Moments.of(X))
    np.testing.assert_array_equal(on_moments.components_, on_rows.components_)
    np.testing.assert_array_equal(on_moments.transform(X), on_rows.transform(X))


@BOTH
def test_fitted_attributes_are_listed_once_there_are_some(transformer, X):
    chain = transformer(DIMS)
    assert listed(chain) == set()
    assert not hasattr(chain, "components_")
    chain.fit(X)
    assert {"components_", "mean_", "offset_", "explained_variance_ratio_"} < listed(chain)
    for name in listed(chain):
        assert getattr(chain, name) is not None
    assert transformer.__name__ in chain._repr_html_()
    with pytest.raises(AttributeError, match=f"'{transformer.__name__}' object has no .*'rank_'"):
        _ = chain.rank_


def test_attributes_are_those_of_the_kind_of_chain(X):
    regressions = {"alphas_", "conditions_", "amplifications_", "n_prefix_components_"}
    maps = {"components_", "offset_", "reconstruction_"}
    of_both = {"mean_", "prefix_lengths_", "r2_", "ranks_", "explained_variance_ratio_"}
    affine = listed(ReverseDistiller(DIMS).fit(X))
    assert regressions | maps | of_both | {"moments_"} < affine
    assert "regressors_" not in affine
    of_rows = listed(ReverseDistiller(DIMS, regressor=Ridge()).fit(X))
    assert of_both | {"regressors_"} < of_rows
    assert not of_rows & (regressions | maps | {"moments_"})
    naive = NaiveChain(DIMS).fit(X)
    assert not listed(naive) & (regressions | {"reconstruction_", "r2_", "moments_"})
    assert not hasattr(naive, "r2_")


def test_looking_does_not_solve_a_chain_but_asking_does(X):
    distiller = ReverseDistiller(DIMS).partial_fit(X)
    assert "components_" not in dir(distiller)
    assert not hasattr(distiller, "feature_names_in_")
    assert "_chain" not in vars(distiller)
    np.testing.assert_array_equal(distiller.components_, ReverseDistiller(DIMS).fit(X).components_)
    assert "_chain" in vars(distiller)


@BOTH
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda chain: pickle.loads(pickle.dumps(chain))]
)
def test_copies_are_fitted_and_clones_are_not(transformer, again, X):
    chain = transformer(DIMS).fit(X)
    np.testing.assert_array_equal(again(chain).transform(X), chain.transform(X))
    assert listed(again(chain)) | {"moments_"} == listed(chain) | {"moments_"}
    assert listed(clone(chain)) == set()


@BOTH
def test_use_leaves_the_pickle_as_it_was(transformer, X):
    """So that what joblib keeps under its hash is found again."""
    chain = transformer(DIMS).fit(X)
    before = pickle.dumps(chain)
    chain.transform(X)
    for name in listed(chain):
        getattr(chain, name)
    assert pickle.dumps(chain) == before


@BOTH
def test_warnings_are_about_the_line_that_fits(transformer, X):
    X = X[:, :1] * np.arange(1, 24)
    for fit in (
        lambda: transformer(DIMS).fit(X),
        lambda: transformer(DIMS).fit_moments(Moments.of(X)),
    ):
        with pytest.warns(UserWarning, match="beyond the numerical rank") as caught:
            fit()
        assert {warning.filename for warning in caught} == {__file__}


def test_warnings_of_any_regressor_are_about_the_line_that_fits(X):
    with pytest.warns(UserWarning, match="fewer than its 23 columns") as caught:
        ReverseDistiller(DIMS, regressor=Ridge()).fit(X[:20])
    assert {warning.filename for warning in caught} == {__file__}


@BOTH
def test_a_wrong_source_is_named_with_the_class(transformer):
    with pytest.raises(ValueError, match=f"of {transformer.__name__}.from_pretrained must be"):
        transformer.from_pretrained(3)


@BOTH
def test_widths_with_names_name_the_models_of_arrays(transformer, X):
    widths = {"small": 4, "middle": 7, "large": 12}
    chain = transformer(widths).fit(X)
    assert chain.model_names_ == [*widths]
    np.testing.assert_array_equal(chain.transform(X), transformer(DIMS).fit(X).transform(X))
    short = chain.truncate("middle")
    assert short.dims == {"small": 4, "middle": 7}
    assert clone(short).fit(X[:, :11]).model_names_ == ["small", "middle"]
    with pytest.raises(ValueError, match="contradict the names of the columns"):
        transformer(widths).fit(pd.DataFrame(X, columns=chain_columns("small", "other", "large")))


@BOTH
def test_truncated_keeps_the_parameters(transformer, X):
    chain = transformer(DIMS).fit(X)
    short = chain.truncate("block1")
    assert short.get_params() == chain.get_params() | {"dims": DIMS[:2]}
    assert (short.n_features_in_, short.model_names_) == (11, ["block0", "block1"])
    assert chain.dims == DIMS


@BOTH
def test_columns_named_by_the_embedder_need_no_names_in_the_fit(transformer, rng):
    X = rng.normal(size=(60, 3))
    chain = transformer({"a": 1, "b": 2}).fit(X)
    named = pd.DataFrame(X, columns=["a_0", "b_0", "b_1"])
    np.testing.assert_array_equal(chain.transform(named), chain.transform(X))


@BOTH
def test_columns_of_other_models_are_refused(transformer, rng):
    chain = transformer({"a": 1, "b": 2}).fit(rng.normal(size=(60, 3)))
    other = pd.DataFrame(np.ones((2, 3)), columns=["a_0", "c_0", "c_1"])
    name = transformer.__name__
    with pytest.raises(ValueError, match=f"of a, c, but {name} was fitted on a, b; embed"):
        chain.transform(other)
    with pytest.raises(ValueError, match=f"X has 4 features, but {name} is expecting 3"):
        chain.transform(np.ones((2, 4)))
