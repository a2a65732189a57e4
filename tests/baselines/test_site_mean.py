"""The mean of a site: by its definition, out of fold, and without a row's own target."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from sklearn_revdist import SiteMean, load_if1_ecoli, mutate

WILD_TYPE = "MKTAYIAK"


@pytest.fixture(scope="module")
def singles():
    """Three substitutions at each position, twice the last one, and measurements."""
    mutants = [f"{a}{i}{b}" for i, a in enumerate(WILD_TYPE, start=1) for b in "CDE"]
    sequences = mutate(WILD_TYPE, [*mutants, mutants[-1]])
    return np.array(sequences, dtype=object), np.random.default_rng(0).normal(size=25)


def site_of(sequence):
    return next(i for i, (a, b) in enumerate(zip(sequence, WILD_TYPE, strict=True)) if a != b)


def test_without_smoothing_a_single_mutant_has_the_mean_of_its_site(singles):
    X, y = singles
    site_mean = SiteMean(WILD_TYPE, smooth=0).fit(X, y)
    sites = np.array([site_of(sequence) for sequence in X])
    expected = [y[sites == site].mean() for site in sites]
    np.testing.assert_allclose(site_mean.transform(X).ravel(), expected)
    assert site_mean.transform([WILD_TYPE])[0, 0] == pytest.approx(y.mean())


def test_effects_are_shrunk_and_add_up():
    X = ["AKT", "ARG", "AKG", "ARG"]
    y = np.array([1.0, 2.0, 4.0, 7.0])
    site_mean = SiteMean("AKT", smooth=2).fit(X, y)
    second, third = (2 + 7 - 2 * 3.5) / (2 + 2), (2 + 4 + 7 - 3 * 3.5) / (3 + 2)
    np.testing.assert_allclose(site_mean.effects_, [0, second, third])
    expected = 3.5 + np.array([0, second, third, second + third])
    np.testing.assert_allclose(site_mean.transform(["AKT", "AWT", "AKW", "AWW"]).ravel(), expected)


def test_the_most_frequent_residues_are_the_wild_type_if_none_is_given(singles):
    X, y = singles
    one, other = SiteMean().fit(X, y), SiteMean(WILD_TYPE).fit(X, y)
    assert np.array_equal(one.effects_, other.effects_)


def test_training_rows_are_predicted_by_the_other_folds(singles):
    X, y = singles
    site_mean = SiteMean(WILD_TYPE, cv=4, random_state=3)
    _, groups = np.unique(X.astype(str), return_inverse=True)
    found = site_mean.fit_transform(X, y, groups)
    folds = GroupKFold(4, shuffle=True, random_state=3)
    for train, test in folds.split(X, groups=groups):
        expected = SiteMean(WILD_TYPE).fit(X[train], y[train]).transform(X[test])
        np.testing.assert_allclose(found[test], expected)
    assert np.array_equal(site_mean.effects_, SiteMean(WILD_TYPE).fit(X, y).effects_)


@pytest.mark.parametrize("row", [0, 7, 23])
def test_a_row_s_own_target_and_those_of_its_duplicates_have_no_part_in_it(singles, row):
    X, y = singles
    before = SiteMean(WILD_TYPE).fit_transform(X, y)
    same = X[row] == X
    changed = np.where(same, 1e6, y)
    after = SiteMean(WILD_TYPE).fit_transform(X, changed)
    assert np.array_equal(before[same], after[same])
    groups = np.array([site_of(sequence) for sequence in X])
    crossed = SiteMean(WILD_TYPE).fit_transform(X, y, groups)
    mine = groups == groups[row]
    again = SiteMean(WILD_TYPE).fit_transform(X, np.where(mine, 1e6, y), groups)
    assert np.array_equal(crossed[mine], again[mine])


def test_noise_is_not_predicted_by_what_is_fitted_on_it():
    assay = load_if1_ecoli()
    y = np.random.default_rng(0).normal(size=len(assay.data))
    naive = SiteMean(assay.wild_type).fit(assay.data, y).transform(assay.data).ravel()
    crossed = SiteMean(assay.wild_type).fit_transform(assay.data, y).ravel()
    assert np.corrcoef(naive, y)[0, 1] > 0.15
    assert np.corrcoef(crossed, y)[0, 1] < 0.05


def test_in_a_pipeline_it_ranks_the_variants_of_a_scan():
    assay = load_if1_ecoli()
    model = make_pipeline(SiteMean(assay.wild_type), LinearRegression())
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(assay.data))[:600]
    predicted = cross_val_predict(model, assay.data[rows], assay.target[rows])
    assert np.corrcoef(predicted, assay.target[rows])[0, 1] > 0.5


@pytest.mark.parametrize(
    ("X", "y", "settings", "message"),
    [
        (["MK", "M"], [1.0, 2.0], {}, r"^Record 1 .* has 1 residues, but record 0 has 2"),
        (
            ["MK", "MR"],
            [1.0, 2.0],
            {"reference": "MKT"},
            r"^Record 0 .* type \(`reference`\) has 3",
        ),
        (["MK", "MR"], [1.0, np.nan], {}, r"^y has nan in row 1 \(counting from 0\); drop the row"),
        (["MK", "MR"], [1.0], {}, "inconsistent numbers of samples"),
        (["MK", "MR"], [1.0, 2.0], {}, r"^There are 2 groups of rows, fewer than cv=5; give a sm"),
    ],
)
def test_what_cannot_be_fitted_is_said(X, y, settings, message):
    with pytest.raises(ValueError, match=message):
        SiteMean(**settings).fit_transform(X, y)
