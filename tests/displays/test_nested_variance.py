"""The shares of variance are those of least squares on the columns, prefix by prefix."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from sklearn_revdist import NestedVarianceDisplay, ReverseDistiller

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.usefixtures("_close_figures")

DIMS = [4, 7, 9]


@pytest.fixture
def data(rng):
    hidden = rng.normal(size=(400, 20)) * np.geomspace(3, 0.1, 20)
    return hidden @ rng.normal(size=(20, 20)) + 100


def direct(nested, X):
    """Explained share of each model, by least squares on each prefix."""
    blocks = np.split(X - X.mean(axis=0), np.cumsum(DIMS)[:-1], axis=1)
    nested = nested - nested.mean(axis=0)
    shares = np.empty((len(DIMS), nested.shape[1]))
    for length in range(1, nested.shape[1] + 1):
        prefix = nested[:, :length]
        for i, block in enumerate(blocks):
            left = block - prefix @ np.linalg.lstsq(prefix, block, rcond=1e-10)[0]
            shares[i, length - 1] = 1 - (left**2).sum() / (block**2).sum()
    return shares


@pytest.mark.parametrize("regressor", ["ols", "ridge", "pcr"])
@pytest.mark.parametrize("n_new", [None, "all", [1, 2]])
@pytest.mark.parametrize("residual", ["model", "joint"])
def test_shares_equal_least_squares_on_each_prefix(data, regressor, n_new, residual):
    parameters = {"regressor": regressor, "n_new": n_new, "residual": residual}
    distiller = ReverseDistiller(dims=DIMS, **parameters).fit(data)
    display = NestedVarianceDisplay.from_estimator(distiller)
    np.testing.assert_allclose(
        display.explained, direct(distiller.transform(data), data), rtol=1e-7, atol=1e-9
    )
    lengths = distiller.prefix_lengths_.tolist()
    assert list(display.models.values()) == lengths
    np.testing.assert_allclose(display.explained[0, lengths[0] - 1 :], 1)
    assert (np.diff(display.explained, axis=1) > -1e-12).all()


@pytest.mark.filterwarnings("ignore:The chain is fitted on 12 rows")
def test_fewer_rows_than_columns_and_columns_that_depend_on_others(data):
    few = data[:12].copy()
    few[:, 3] = few[:, 0] - 2 * few[:, 1]
    few[:, 2] = 7
    distiller = ReverseDistiller(dims=DIMS).fit(few)
    display = NestedVarianceDisplay.from_estimator(distiller)
    expected = direct(distiller.transform(few), few)
    np.testing.assert_allclose(display.explained, expected, rtol=1e-6, atol=1e-8)


def test_more_columns_than_one_block_of_the_elimination(rng):
    X = rng.normal(size=(700, 210)) @ rng.normal(size=(210, 210))
    distiller = ReverseDistiller(dims=[70, 140]).fit(X)
    display = NestedVarianceDisplay.from_estimator(distiller)
    nested = distiller.transform(X)
    for length in (1, 63, 64, 65, 128, 140):
        model = LinearRegression().fit(nested[:, :length], X[:, 70:])
        left = X[:, 70:] - model.predict(nested[:, :length])
        share = 1 - left.var(axis=0).sum() / X[:, 70:].var(axis=0).sum()
        assert display.explained[1, length - 1] == pytest.approx(share, rel=1e-8)


def test_other_data_may_be_given(data):
    distiller = ReverseDistiller(dims=DIMS, n_components=5).fit(data[:200])
    display = NestedVarianceDisplay.from_estimator(distiller, data[200:])
    whole = ReverseDistiller(dims=DIMS).fit(data[:200])
    expected = direct(whole.transform(data[200:]), data[200:])
    np.testing.assert_allclose(display.explained, expected, rtol=1e-7, atol=1e-9)
    assert distiller.n_components == 5
    same = NestedVarianceDisplay.from_estimator(distiller, data[:200]).explained
    of_moments = NestedVarianceDisplay.from_estimator(distiller).explained
    np.testing.assert_allclose(same, of_moments, rtol=1e-9)


def test_without_moments_data_are_needed(data, tmp_path):
    path = tmp_path / "d.safetensors"
    ReverseDistiller(dims=DIMS).fit(data).save_pretrained(path)
    read = ReverseDistiller.from_pretrained(path)
    with pytest.raises(ValueError, match=r"keeps no moments .*; give embeddings as `X`"):
        NestedVarianceDisplay.from_estimator(read)
    assert NestedVarianceDisplay.from_estimator(read, data).explained.shape == (3, 9)
    free = ReverseDistiller(dims=DIMS, regressor=LinearRegression()).fit(data)
    with pytest.raises(ValueError, match="keeps no moments"):
        NestedVarianceDisplay.from_estimator(free)
    assert NestedVarianceDisplay.from_estimator(free, data).explained.shape == (3, 9)


def test_a_curve_for_each_model_and_a_line_where_it_ends(data):
    _, ax = plt.subplots()
    distiller = ReverseDistiller(dims=DIMS).fit(data)
    display = NestedVarianceDisplay.from_estimator(distiller, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert [line.get_label() for line in display.lines_] == distiller.model_names_
    for line, shares in zip(display.lines_, display.explained, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 10))
        np.testing.assert_array_equal(line.get_ydata(), shares)
    assert [line.get_xdata()[0] for line in display.boundaries_] == [4, 7, 9]
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == 3
    display.figure_.canvas.draw()
