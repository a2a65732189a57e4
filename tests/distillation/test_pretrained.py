"""A chain that is fitted already is a parameter: cloned, searched over and saved as others."""

import pickle
from copy import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_revdist import Moments, ReverseDistiller

MODELS = {"small": 4, "middle": 7, "large": 12}
COLUMNS = [f"{model}_{i}" for model, width in MODELS.items() for i in range(width)]


@pytest.fixture
def fitted(X):
    return ReverseDistiller(MODELS, residual="joint", regressor="ols").fit(X)


@pytest.fixture
def path(fitted, tmp_path):
    fitted.save_pretrained(tmp_path / "x.safetensors")
    return tmp_path / "x.safetensors"


@pytest.fixture(params=["path", "frozen"])
def given(request, path, fitted):
    """The chain as a file, and as an object."""
    return path if request.param == "path" else FrozenEstimator(fitted)


@pytest.mark.parametrize("n_components", [None, 3, "middle"])
@pytest.mark.parametrize("of", [np.asarray, lambda X: pd.DataFrame(X, columns=COLUMNS)])
def test_it_is_the_frozen_distiller_bit_for_bit(of, n_components, given, path, X):
    rows = of(X)
    distiller = ReverseDistiller(pretrained=given, n_components=n_components).fit(rows[:5])
    read = ReverseDistiller.from_pretrained(path).set_params(n_components=n_components)
    frozen = FrozenEstimator(read).fit(rows[:5], None)
    np.testing.assert_array_equal(distiller.transform(rows), frozen.transform(rows))
    np.testing.assert_array_equal(distiller.get_feature_names_out(), read.get_feature_names_out())
    np.testing.assert_array_equal(
        distiller.inverse_transform(distiller.transform(rows)),
        read.inverse_transform(read.transform(rows)),
    )


@pytest.mark.parametrize(
    "of", [np.asarray, lambda X: pd.DataFrame(X, columns=COLUMNS[: X.shape[1]])]
)
@pytest.mark.parametrize("width", [4, 11])
def test_columns_of_the_first_models_suffice_for_their_prefix(of, width, given, X):
    whole = ReverseDistiller(pretrained=given).fit(X).transform(X)
    distiller = ReverseDistiller(pretrained=given).fit(of(X[:, :width]))
    prefix = distiller.transform(of(X[:, :width]))
    np.testing.assert_array_equal(prefix, whole[:, : prefix.shape[1]])
    assert prefix.shape[1] == distiller.prefix_lengths_[-1] == {4: 4, 11: 7}[width]
    with pytest.raises(ValueError, match="'large' is not a model of the chain"):
        distiller.set_params(n_components="large").fit(of(X[:, :width]))


def test_rows_of_the_fit_do_not_matter_and_a_clone_keeps_the_chain(given, X, rng):
    distiller = ReverseDistiller(pretrained=given).fit(X)
    other = clone(distiller)
    assert not hasattr(other, "components_")
    np.testing.assert_array_equal(
        other.fit(rng.normal(size=(1, 23))).transform(X), distiller.transform(X)
    )


def test_a_search_sets_the_prefix(given, path, X):
    y = X[:, 0] + X[:, 12]
    lengths = [2, "small", "middle", None]
    found = GridSearchCV(
        make_pipeline(ReverseDistiller(pretrained=given), Ridge()),
        {"reversedistiller__n_components": lengths},
    ).fit(X, y)
    read = ReverseDistiller.from_pretrained(path)
    copies = [FrozenEstimator(copy(read).set_params(n_components=n)) for n in lengths]
    expected = GridSearchCV(make_pipeline(copies[0], Ridge()), {"frozenestimator": copies})
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.fit(X, y).cv_results_["mean_test_score"]
    )


def test_a_pickle_needs_no_file(path, X):
    distiller = ReverseDistiller(pretrained=path).fit(X)
    expected, pickled = distiller.transform(X), pickle.dumps(distiller)
    path.unlink()
    np.testing.assert_array_equal(pickle.loads(pickled).transform(X), expected)
    with pytest.raises(FileNotFoundError, match="No saved distiller at"):
        clone(distiller).fit(X)


def test_the_fingerprint_before_the_fit_is_that_of_the_content(path, fitted, X):
    distiller = ReverseDistiller(pretrained=path)
    before = distiller.fingerprint()
    assert ReverseDistiller(pretrained=FrozenEstimator(fitted)).fingerprint() == before
    ReverseDistiller(MODELS).fit(X[:200]).save_pretrained(path)
    assert distiller.fingerprint() != before
    assert distiller.fit(X).fingerprint() == ReverseDistiller.from_pretrained(path).fingerprint()


def test_it_is_truncated_and_saved_as_what_it_was_solved_with(given, fitted, X, tmp_path):
    distiller = ReverseDistiller(pretrained=given, n_components="middle").fit(X)
    short = distiller.truncate("middle")
    assert short.get_params() == fitted.truncate("middle").get_params()
    np.testing.assert_array_equal(short.transform(X[:, :11]), distiller.transform(X))
    distiller.save_pretrained(tmp_path / "again.safetensors")
    again = ReverseDistiller.from_pretrained(tmp_path / "again.safetensors")
    assert (again.residual, again.regressor) == ("joint", "ols")
    np.testing.assert_array_equal(again.transform(X), distiller.transform(X))


def test_a_frozen_chain_with_any_regressor_is_taken(X):
    fitted = ReverseDistiller(MODELS, regressor=LinearRegression()).fit(X)
    distiller = ReverseDistiller(pretrained=FrozenEstimator(fitted), n_components=9).fit(X)
    np.testing.assert_array_equal(distiller.transform(X), fitted.transform(X)[:, :9])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regressor": "ols", "n_new": [1, 2]}, r"so that n_new=\[1, 2\], regressor='ols' would"),
        ({"dims": [4, 7, 12]}, r"fitted already, so that dims=\[4, 7, 12\] would have no effect"),
        ({"memory": "cache"}, "so that memory='cache' would have no effect; leave out either"),
        ({"n_components": 13}, "n_components=13 is not between 1 and 12"),
        ({"n_components": "huge"}, "'huge' is not a model of the chain; choose one of small, mid"),
        ({"pretrained": FrozenEstimator(Ridge())}, r"FrozenEstimator\(Ridge\(...\)\) holds no fit"),
        ({"pretrained": FrozenEstimator(ReverseDistiller())}, "holds no fitted ReverseDistiller"),
        ({"pretrained": __file__}, "cannot be read as a saved distiller"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(change, message, given, X):
    distiller = ReverseDistiller(pretrained=given).fit(X)
    before = distiller.transform(X)
    parameters = {name: getattr(distiller, name) for name in change}
    distiller.set_params(**change)
    with pytest.raises(ValueError, match=message):
        distiller.fit(X)
    np.testing.assert_array_equal(distiller.set_params(**parameters).transform(X), before)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (COLUMNS[4:] + COLUMNS[:4], r"say middle \(7\), large \(12\), small \(4\); leave out"),
        ([*COLUMNS[:-2], COLUMNS[-1], COLUMNS[-2]], "columns of large in X are not in order"),
        ([name.replace("large", "huge") for name in COLUMNS], "are of small, middle, huge, but"),
    ],
)
def test_columns_of_another_chain_are_refused(columns, message, given, X):
    with pytest.raises(ValueError, match=message):
        ReverseDistiller(pretrained=given).fit(pd.DataFrame(X, columns=columns))
    with pytest.raises(ValueError, match="22 features, but ReverseDistiller is expecting 23"):
        ReverseDistiller(pretrained=given).fit(X[:, :-1])


def test_names_of_a_frozen_fit_are_compared(X):
    names = [f"column {i}" for i in range(23)]
    fitted = ReverseDistiller([4, 7, 12]).fit(pd.DataFrame(X, columns=names))
    distiller = ReverseDistiller(pretrained=FrozenEstimator(fitted))
    np.testing.assert_array_equal(distiller.fit(X).transform(X)[:, :4], X[:, :4])
    with pytest.raises(ValueError, match="feature names should match those that were passed"):
        distiller.fit(pd.DataFrame(X, columns=names[::-1]))


@pytest.mark.parametrize(
    "fit",
    [
        lambda distiller, X: distiller.partial_fit(X),
        lambda distiller, X: distiller.fit_moments(Moments.of(X)),
        lambda distiller, X: distiller.fit_residues(["MKT"], Embedder()),
    ],
)
def test_no_rows_can_be_added(fit, given, X):
    with pytest.raises(ValueError, match="is fitted already, so that no rows can be added to it"):
        fit(ReverseDistiller(pretrained=given), X)


class Embedder:
    """Would be asked for residues, if they were needed."""

    iter_residues = None
