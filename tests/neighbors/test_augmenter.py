"""RetrievalAugmenter: each feature by its definition, and labels that do not leak."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from brute_force import brute_force
from scipy.special import softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import ESMEmbedder, PrefixNeighbors, RetrievalAugmenter, embed_to_parquet
from sklearn_revdist.neighbors import _augmenter
from sklearn_revdist.neighbors._groups import find_groups


@parametrize_with_checks(
    [
        RetrievalAugmenter(),
        RetrievalAugmenter(PrefixNeighbors(3), features=["distances", "mean"]),
    ]
)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.fixture
def data(rng):
    """Rows of which ten are duplicates with labels of their own, and new ones."""
    X = rng.normal(size=(60, 6))
    X[50:] = X[:10]
    return X, rng.normal(size=60), np.concatenate([rng.normal(size=(9, 6)), X[:3]])


def defined(X, queries, left_out, k, bandwidth, n_columns=6):
    """Distances, numbers and weights of the k nearest rows that are not left out."""
    distances = brute_force(X[:, :n_columns], queries[:, :n_columns])
    distances[left_out] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(distances, order, axis=1)
    weights = np.full(distances.shape, 1 / k)
    if np.isfinite(bandwidth):
        weights = softmax(-distances / bandwidth, axis=1)
    return distances, order, weights


def scale_of(X, n_columns=6):
    distances = brute_force(X[:, :n_columns], X[:, :n_columns])
    return np.median(np.where(distances == 0, np.inf, distances).min(axis=1))


@pytest.mark.parametrize("groups", [None, np.arange(60) // 4])
@pytest.mark.parametrize("temperature", [0.3, np.inf])
@pytest.mark.parametrize("n_columns", [6, 4])
def test_features_are_as_defined(data, groups, temperature, n_columns):
    X, y, new = data
    nn = PrefixNeighbors(5, n_components=n_columns, prefixes=[4, 6])
    augmenter = RetrievalAugmenter(nn, temperature=temperature, random_state=3)
    own = augmenter.fit_transform(X, y, groups=groups)
    bandwidth = augmenter.bandwidth_
    np.testing.assert_allclose(bandwidth, temperature * scale_of(X, n_columns))

    together = find_groups(X[:, :n_columns], groups)
    same = together[:, np.newaxis] == together
    distances, rows, weights = defined(X, X, same, 5, bandwidth, n_columns)
    np.testing.assert_array_equal(own[:, :6], X)
    np.testing.assert_allclose(own[:, 6:12], np.einsum("qk,qkd->qd", weights, X[rows]))
    np.testing.assert_array_equal(own[:, 13:], distances)
    folds = GroupKFold(5, shuffle=True, random_state=3)
    for train, test in folds.split(X, groups=together):
        _, rows, weights = defined(X[train], X[test], same[test][:, train], 5, bandwidth, n_columns)
        np.testing.assert_allclose(own[test, 12], (weights * y[train][rows]).sum(axis=1))

    equal = (new[:, np.newaxis, :n_columns] == X[:, :n_columns]).all(axis=-1)
    distances, rows, weights = defined(X, new, equal, 5, bandwidth, n_columns)
    found = augmenter.transform(new)
    np.testing.assert_array_equal(found[:, :6], new)
    np.testing.assert_allclose(found[:, 6:12], np.einsum("qk,qkd->qd", weights, X[rows]))
    np.testing.assert_allclose(found[:, 12], (weights * y[rows]).sum(axis=1))
    np.testing.assert_array_equal(found[:, 13:], distances)
    np.testing.assert_array_equal(augmenter.fit(X, y).transform(new), found)


def test_labels_may_be_classes_or_several_numbers(data):
    X, y, new = data
    nn = PrefixNeighbors(5)
    names = np.array(["low", "middle", "high"])[np.digitize(y, [-0.5, 0.5])]
    shares = RetrievalAugmenter(nn, features=["labels"])
    numbers = clone(shares).set_params(target_type="numbers")
    classes = np.unique(names)
    each = np.column_stack([names == name for name in classes]).astype(float)
    for method in ("transform", "fit_transform"):
        found = [
            model.fit_transform(X, t)
            if method == "fit_transform"
            else model.fit(X, t).transform(new)
            for model, t in ((shares, names), (numbers, each))
        ]
        np.testing.assert_allclose(found[0], found[1])
        np.testing.assert_allclose(found[0].sum(axis=1), 1)
    assert shares.classes_.tolist() == classes.tolist()
    assert shares.get_feature_names_out().tolist() == ["label_high", "label_low", "label_middle"]
    assert numbers.get_feature_names_out().tolist() == ["label_0", "label_1", "label_2"]
    whole = np.arange(60) % 3
    assert shares.fit_transform(X, whole).shape == (60, 3)
    assert numbers.fit_transform(X, whole).shape == (60, 1)
    assert not hasattr(shares.fit(X, y), "classes_")


@pytest.mark.parametrize("exclude", ["identical", "none"])
def test_a_row_has_no_label_of_its_own_its_duplicates_or_its_group(data, exclude):
    X, y, _ = data
    augmenter = RetrievalAugmenter(
        PrefixNeighbors(5, exclude=exclude), features=["labels"], temperature=0.1
    )
    for groups in (None, np.arange(60) // 5):
        together, before = find_groups(X, groups), augmenter.fit_transform(X, y, groups)
        for group in np.unique(together)[::7]:
            mine = together == group
            after = augmenter.fit_transform(X, np.where(mine, 1e6, y), groups)
            np.testing.assert_array_equal(after[mine], before[mine])
            assert (after[~mine] != before[~mine]).any()


@pytest.mark.parametrize("grouped", [False, True])
def test_permuted_labels_score_at_chance(grouped, rng):
    centres = rng.normal(size=(150, 5))
    X = np.repeat(centres, 4, axis=0)
    if grouped:  # near each other, and of one label, but not identical
        X = X + 1e-3 * rng.normal(size=X.shape)
    y = np.repeat(rng.permutation(np.arange(150) % 2), 4)
    groups = np.repeat(np.arange(150), 4)
    labels = RetrievalAugmenter(PrefixNeighbors(8, exclude="none"), features=["labels"])
    own = labels.fit_transform(X, y, groups=groups if grouped else None)
    assert abs(np.corrcoef(own[:, 1], y)[0, 1]) < 0.2  # three standard errors of 150 groups
    leaking = labels.transform(X)
    assert np.corrcoef(leaking[:, 1], y)[0, 1] > 0.9
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(
            RetrievalAugmenter(PrefixNeighbors(8)).set_fit_request(groups=True),
            LogisticRegression(max_iter=1000),
        )
        scores = cross_val_score(model, X, y, cv=GroupKFold(5), params={"groups": groups})
    assert 0.3 < scores.mean() < 0.7


def test_groups_are_routed_to_fit_transform(data):
    X, y, _ = data
    groups = np.arange(60) // 5
    with config_context(enable_metadata_routing=True):
        augmenter = RetrievalAugmenter(PrefixNeighbors(5)).set_fit_request(groups=True)
        model = Pipeline([("augmenter", augmenter), ("ridge", Ridge())])
        model.fit(X, y, groups=groups)
    expected = RetrievalAugmenter(PrefixNeighbors(5)).fit_transform(X, y, groups)
    assert np.array_equal(model["ridge"].coef_, Ridge().fit(expected, y).coef_)


def test_neighbours_may_be_in_a_database(data, rng, tmp_path):
    X, y, new = data
    database = rng.normal(size=(200, 6)).astype(np.float32)
    database[7] = X[0]
    np.save(tmp_path / "rows.npy", database)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    made = []
    for rows in (database, mapped, mapped[:]):
        augmenter = RetrievalAugmenter(PrefixNeighbors(5), database=rows)
        made.append([augmenter.fit_transform(X, y), augmenter.transform(new)])
        assert augmenter.neighbors_.n_samples_fit_ == 200
        assert clone(augmenter).database is rows
    own, found = made[0]
    for other in made[1:]:
        np.testing.assert_array_equal(other[0], own)
        np.testing.assert_array_equal(other[1], found)
    rows = database.astype(float)
    equal = (X[:, np.newaxis].astype(np.float32) == database).all(axis=-1)
    nearest = np.where(equal, np.inf, brute_force(rows, X)).min(axis=1)
    np.testing.assert_allclose(augmenter.bandwidth_, augmenter.temperature * np.median(nearest))
    for queries, columns in ((X, own), (new, found)):
        left_out = (queries[:, np.newaxis] == rows).all(axis=-1)
        distances, at, weights = defined(rows, queries, left_out, 5, augmenter.bandwidth_)
        np.testing.assert_allclose(columns[:, 6:12], np.einsum("qk,qkd->qd", weights, rows[at]))
        np.testing.assert_allclose(columns[:, 13:], distances)
    # labels are those of training rows, as without a database
    alone = RetrievalAugmenter(PrefixNeighbors(5), features=["labels"])
    np.testing.assert_array_equal(own[:, 12:13], alone.fit_transform(X, y))
    np.testing.assert_array_equal(found[:, 12:13], alone.transform(new))


def test_a_database_may_be_a_folder_of_embeddings(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(_augmenter, "_ROWS_READ", 7)
    sequences = [f"MKT{a}{b}" for a in "ACDEFGHI" for b in "KLMNPQ"]
    embedder = ESMEmbedder("demo-48").set_output(transform="pandas")
    embed_to_parquet(embedder, sequences, tmp_path / "folder", tokens_per_part=60)
    rows = embedder.transform(sequences)
    X = embedder.transform(["MKTWY", "MRTAK", "MKTAK"])
    made = [
        RetrievalAugmenter(PrefixNeighbors(3), database=database, features=["mean", "distances"])
        for database in (tmp_path / "folder", str(tmp_path / "folder"), rows)
    ]
    found = [augmenter.fit(X).transform(X) for augmenter in made]
    np.testing.assert_allclose(found[0], found[2], rtol=1e-12)
    np.testing.assert_array_equal(found[0], found[1])
    names = made[0].get_feature_names_out().tolist()
    assert names[0] == f"mean_{X.columns[0]}"
    assert names[-3:] == ["distance_0", "distance_1", "distance_2"]


def test_few_rows_are_no_error_and_change_no_width():
    X, y = np.array([[0.0, 0], [0, 0], [3, 4], [6, 8]]), np.array([1.5, 2.5, 4.5, 8.5])
    augmenter = RetrievalAugmenter(PrefixNeighbors(5), cv=3, temperature=np.inf)
    own = augmenter.fit_transform(X, y)
    names = ["x0", "x1", "mean_x0", "mean_x1", "label", *(f"distance_{i}" for i in range(5))]
    assert augmenter.get_feature_names_out().tolist() == names
    np.testing.assert_allclose(own[0], [0, 0, 4.5, 6, 6.5, 5, 10, 10, 10, 10])
    np.testing.assert_allclose(own[2], [3, 4, 2, 8 / 3, 12.5 / 3, 5, 5, 5, 5, 5])
    alone = augmenter.fit(X[:2], y[:2]).transform(X[:1])
    np.testing.assert_array_equal(alone, [[0, 0, 0, 0, 2, 0, 0, 0, 0, 0]])


def test_the_order_of_rows_does_not_matter(data, rng):
    X, y, new = data
    y[50:] = y[:10]  # else the labels of equally near duplicates depend on which is first
    order = rng.permutation(60)
    for groups in (None, np.arange(60) // 4):
        augmenter = RetrievalAugmenter(PrefixNeighbors(6))
        own, found = augmenter.fit_transform(X, y, groups), augmenter.transform(new)
        shuffled = None if groups is None else groups[order]
        again = augmenter.fit_transform(X[order], y[order], shuffled)
        np.testing.assert_allclose(again, own[order], rtol=1e-9)
        np.testing.assert_allclose(augmenter.transform(new), found, rtol=1e-9)


def test_clones_and_files_transform_alike(data, tmp_path):
    X, y, new = data
    augmenter = RetrievalAugmenter(PrefixNeighbors(5, level_scale="unit", prefixes=[2, 6])).fit(
        X, y
    )
    found = augmenter.transform(new)
    joblib.dump(augmenter, tmp_path / "a.joblib")
    for again in (
        joblib.load(tmp_path / "a.joblib"),
        pickle.loads(pickle.dumps(augmenter)),
        clone(augmenter).fit(X, y),
    ):
        np.testing.assert_array_equal(again.transform(new), found)
    assert not hasattr(clone(augmenter), "neighbors_")
    assert not hasattr(augmenter.neighbors, "n_samples_fit_")


def test_in_a_pipeline_its_prefix_is_chosen(rng):
    X = rng.normal(size=(120, 12))
    X[:, 4:] *= 3  # beyond the first four columns is noise alone
    y = np.sin(2 * X[:, 0]) + np.cos(2 * X[:, 1])
    frame = pd.DataFrame(X, columns=[f"{m}_{i}" for m, n in (("a", 4), ("b", 8)) for i in range(n)])
    augmenter = RetrievalAugmenter(PrefixNeighbors(5), features=["labels"])
    model = Pipeline([("augmenter", augmenter), ("ridge", Ridge())])
    model.set_output(transform="pandas")
    grid = {"augmenter__neighbors__n_components": ["a", 12]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = GridSearchCV(model, grid, cv=3).fit(frame, y)
    assert search.best_params_ == {"augmenter__neighbors__n_components": "a"}
    assert search.best_score_ > search.cv_results_["mean_test_score"][1]
    fitted = search.best_estimator_["ridge"]
    assert fitted.feature_names_in_.tolist() == ["label"]
    of_all = RetrievalAugmenter(PrefixNeighbors(2)).set_output(transform="pandas")
    columns = of_all.fit_transform(frame, y).columns.tolist()
    assert columns[:12] == list(frame.columns)
    assert columns[12:] == [f"mean_{c}" for c in frame] + ["label", "distance_0", "distance_1"]


@pytest.mark.parametrize(
    ("settings", "y", "groups", "message"),
    [
        ({}, None, None, r"requires y to be passed, .* or leave 'labels' out of features\.$"),
        ({}, [0.5] * 3, None, "inconsistent numbers of samples"),
        ({}, [0.5, np.nan] * 4, None, "y has nan in row 1"),
        ({}, ["a", None] * 4, None, "y has None in row 1"),
        ({"target_type": "numbers"}, ["a"] * 8, None, "take target_type='classes' for classes"),
        ({"cv": 9}, [0.5] * 8, None, r"There are 8 groups of rows, fewer than cv=9; give a sm"),
        ({}, [0.5] * 8, [0, 1] * 4, r"There are 2 groups of rows, fewer than cv=5"),
        ({}, [0.5] * 8, [0, 1], "groups is of shape"),
        ({"database": np.ones((4, 3))}, [0.5] * 8, None, "database has 3 columns, but X has 2"),
        ({"database": [[1.0, np.inf]]}, [0.5] * 8, None, r"database cannot be searched \("),
    ],
)
def test_what_cannot_be_fitted_is_said_and_changes_nothing(settings, y, groups, message):
    X = np.arange(16.0).reshape(8, 2)
    augmenter = RetrievalAugmenter().fit(X[:, :1], np.arange(8) / 3)
    before = augmenter.transform(X[:, :1])
    with pytest.raises(ValueError, match=message):
        clone(augmenter).set_params(**settings).fit_transform(X, y, groups)
    with pytest.raises(ValueError, match=message):
        augmenter.set_params(**settings).fit_transform(X, y, groups)
    np.testing.assert_array_equal(augmenter.transform(X[:, :1]), before)
