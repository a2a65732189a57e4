"""PrefixNeighbors finds what comparing all rows in double precision finds."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from brute_force import brute_force, excluded
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.datasets import make_classification
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_revdist import ESMEmbedder, PrefixNeighbors, ReverseDistiller, embed_to_parquet


def random_rows(rng, n_rows, n_columns):
    """Rows of one of the kinds that make trouble: duplicates, ties, offsets, scales."""
    kind = rng.integers(8)
    X = rng.normal(size=(n_rows, n_columns))
    if kind == 1:  # integers, of which many are equally far apart
        X = rng.integers(-1, 2, size=(n_rows, n_columns)).astype(float)
    elif kind == 2:  # duplicates
        X = X[rng.integers(max(1, n_rows // 4), size=n_rows)]
    elif kind == 3:  # means of hundreds of standard deviations
        X += rng.normal(size=n_columns) * 500
    elif kind == 4:  # a few dimensions
        X = X[:, :2] @ rng.normal(size=(min(2, n_columns), n_columns))
    elif kind == 5:  # tight clusters
        X = X[rng.integers(min(3, n_rows), size=n_rows)] + 1e-4 * rng.normal(size=X.shape)
    elif kind == 6:  # columns of very different scales, and rows far away
        X *= 10.0 ** rng.integers(-6, 7, size=n_columns)
        X[0] *= 1e6
    elif kind == 7:  # tiny or huge numbers
        X *= 10.0 ** rng.choice([-30, 15])
    return X.astype(rng.choice([np.float32, np.float64]))


@parametrize_with_checks([PrefixNeighbors(), PrefixNeighbors(3, exclude="none")])
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "seeds", [range(100), pytest.param(range(100, 500), marks=pytest.mark.slow)], ids=len
)
def test_neighbours_are_those_of_brute_force(seeds, small):
    for seed in seeds:
        try_one(np.random.default_rng(seed))


def try_one(rng):
    n_columns = int(rng.choice([1, 2, 9, 16, 33]))
    X = random_rows(rng, int(rng.integers(1, 160)), n_columns)
    n_new = int(rng.integers(1, 7))
    new = random_rows(rng, n_new, n_columns)
    if rng.random() < 0.5:
        new = X[rng.integers(len(X), size=n_new)]
    prefixes = [n_columns] if n_columns == 1 else [n_columns // 2, n_columns]
    level_scale = [None, "unit", rng.uniform(0.1, 3, size=len(prefixes))][rng.integers(3)]
    n_used = int(rng.integers(1, n_columns + 1))
    has_direction = all(rows[:, :n_used].any(axis=1).all() for rows in (X, new))
    metric = "cosine" if has_direction and rng.random() < 0.5 else "euclidean"
    exclude = str(rng.choice(["identical", "none"]))
    nn = PrefixNeighbors(
        prefixes=prefixes,
        n_components=n_used if rng.random() < 0.5 else None,
        level_scale=level_scale,
        metric=metric,
        exclude=exclude,
        n_jobs=int(rng.integers(1, 4)),
    ).fit(X)
    nn.set_params(n_components=n_used)
    scale = np.repeat(nn.level_scale_, np.diff(prefixes, prepend=0))[:n_used]
    X_used, new_used = X[:, :n_used], new[:, :n_used].astype(X.dtype)
    for queries, own in ((new.astype(X.dtype), None), (None, np.arange(len(X)))):
        asked = X_used if queries is None else new_used
        distances = brute_force(X_used, asked, metric=metric, scale=scale)
        left = excluded(distances, X_used, asked, own, exclude)
        n_left = int(np.isfinite(left).sum(axis=1).min())
        radius = rng.choice(distances[np.isfinite(distances)])
        found = nn.radius_neighbors(queries, radius=radius)
        for i, (found_distances, found_rows) in enumerate(zip(*found, strict=True)):
            order = np.argsort(left[i], kind="stable")
            order = order[left[i][order] <= radius]
            np.testing.assert_array_equal(found_rows, order)
            np.testing.assert_array_equal(found_distances, left[i][order])
        if n_left == 0:
            continue
        k = int(rng.integers(1, min(n_left, 20) + 1))
        found_distances, found_rows = nn.kneighbors(queries, k)
        order = np.argsort(left, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(found_rows, order)
        np.testing.assert_array_equal(found_distances, np.take_along_axis(left, order, axis=1))


@pytest.fixture
def X(rng):
    X = (rng.normal(size=(300, 8)) @ rng.normal(size=(8, 20))).astype(np.float32)
    X[50:60] = X[:10]
    return X


def same(found, expected):
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(values, wanted)


def test_training_rows_are_not_their_own_neighbours_and_duplicates_only_if_wanted(X):
    distances, rows = PrefixNeighbors(3, exclude="none").fit(X).kneighbors()
    assert (rows[:10, 0] == np.arange(50, 60)).all()
    assert (distances[:10, 0] == 0).all()
    assert not (rows == np.arange(300)[:, None]).any()
    nn = PrefixNeighbors(3).fit(X)
    distances, rows = nn.kneighbors()
    assert distances.min() > 0
    same(nn.kneighbors(X), (distances, rows))
    same(nn.kneighbors(X.astype(np.float64)), (distances, rows))
    assert PrefixNeighbors(1, exclude="none").fit(X).kneighbors(X)[0].max() == 0


def test_duplicates_are_those_in_the_columns_in_use(X):
    X[70] = X[80]
    X[70, 12:] += 1
    nn = PrefixNeighbors(1).fit(X)
    assert nn.kneighbors(X[70:71], return_distance=False) == 80
    nn.set_params(n_components=12)
    assert nn.kneighbors(X[70:71])[0] > 0
    nn.set_params(exclude="none")
    same(nn.kneighbors(X[70:71], 2), ([[0, 0]], [[70, 80]]))
    with pytest.raises(
        ValueError, match=r"Row 1 of X .* has 299 neighbours that are not identical"
    ):
        nn.set_params(exclude="identical", n_components=None).kneighbors([X[90] + 1, X[90]], 300)


def test_results_are_close_to_those_of_scikit_learn(X, rng):
    X = X[60:]  # without duplicates, which scikit-learn returns in any order
    new = rng.normal(size=(30, 20)).astype(np.float32)
    for metric in ("euclidean", "cosine"):
        ours = PrefixNeighbors(7, metric=metric, exclude="none").fit(X)
        theirs = NearestNeighbors(n_neighbors=7, metric=metric, algorithm="brute").fit(X)
        distances, rows = theirs.kneighbors(new)
        found, found_rows = ours.kneighbors(new)
        np.testing.assert_array_equal(found_rows, rows)
        np.testing.assert_allclose(found, distances, rtol=1e-3)
        for mode in ("connectivity", "distance"):
            graph = ours.kneighbors_graph(new, 5, mode)
            np.testing.assert_allclose(
                graph.toarray(), theirs.kneighbors_graph(new, 5, mode).toarray(), rtol=1e-3
            )


def test_the_graph_is_that_of_scikit_learn(X):
    X = X[60:].astype(np.float64)
    ours = PrefixNeighbors(5, exclude="none").fit_transform(X)
    theirs = KNeighborsTransformer(n_neighbors=5).fit_transform(X)
    assert type(ours) is type(theirs)
    np.testing.assert_array_equal(ours.indptr, theirs.indptr)
    np.testing.assert_array_equal(ours.indices, theirs.indices)
    np.testing.assert_allclose(ours.data, theirs.data, rtol=0, atol=1e-6)


def test_estimators_of_scikit_learn_take_the_graph():
    X, y = make_classification(400, 20, n_informative=8, random_state=0)
    direct = KNeighborsClassifier(6).fit(X[:300], y[:300]).predict(X[300:])
    graph = make_pipeline(PrefixNeighbors(6), KNeighborsClassifier(6, metric="precomputed"))
    np.testing.assert_array_equal(graph.fit(X[:300], y[:300]).predict(X[300:]), direct)
    search = GridSearchCV(graph, {"prefixneighbors__n_components": [2, 20]}, cv=2).fit(X, y)
    assert search.best_params_ == {"prefixneighbors__n_components": 20}
    nn = PrefixNeighbors(40, exclude="none")
    labels = make_pipeline(nn, DBSCAN(eps=3, metric="precomputed")).fit_predict(X)
    np.testing.assert_array_equal(labels, DBSCAN(eps=3).fit_predict(X))
    TSNE(metric="precomputed", init="random", perplexity=10, max_iter=250).fit_transform(
        nn.fit_transform(X)
    )


@pytest.mark.parametrize("level_scale", [None, "unit", [2.0, 0.5]])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_prefix_is_searched_as_if_it_were_alone(level_scale, metric, X):
    made = {"prefixes": [12, 20], "level_scale": level_scale, "metric": metric}
    nn = PrefixNeighbors(4, **made).fit(X)
    for n, name in ((20, "level1"), (12, "level0"), (7, None)):
        factors = np.repeat(nn.level_scale_, [12, 8])[:n]
        alone = PrefixNeighbors(4, metric=metric).fit(X[:, :n].astype(np.float64) * factors)
        nn.set_params(n_components=n)
        same(nn.kneighbors(), alone.kneighbors())
        if name is not None:
            same(nn.set_params(n_components=name).kneighbors(), alone.kneighbors())
    same(clone(nn).set_params(n_components=7).fit(X).kneighbors(), alone.kneighbors())


def test_clones_and_pickles_find_the_same(X):
    nn = PrefixNeighbors(4, level_scale="unit", prefixes=[5, 20]).fit(X)
    found = nn.kneighbors()
    same(pickle.loads(pickle.dumps(nn)).kneighbors(), found)
    same(clone(nn).fit(X).kneighbors(), found)
    assert not hasattr(clone(nn), "n_samples_fit_")


def test_names_say_which_column_is_which(rng):
    wide = rng.normal(size=(60, 10))
    names = [*(f"a_{i}" for i in range(4)), *(f"b_{i}" for i in range(6))]
    wide = pd.DataFrame(wide, columns=names)
    distiller = ReverseDistiller(regressor="ols").set_output(transform="pandas")
    nested = distiller.fit_transform(wide)
    nn = PrefixNeighbors(3, n_components="a", level_scale=[1, 2]).fit(nested)
    assert nn.model_names_ == ["a", "b"]
    assert nn.prefix_lengths_.tolist() == [4, 6]
    same(nn.kneighbors(), PrefixNeighbors(3).fit(nested.to_numpy()[:, :4]).kneighbors())
    columns = list(nested.columns)
    for wrong in (sorted(columns, reverse=True), columns[::-1]):
        with pytest.raises(ValueError, match=r"not in order|same order"):
            PrefixNeighbors(3).fit(nested[wrong])
        with pytest.raises(ValueError, match=r"not in order|same order"):
            nn.kneighbors(nested[wrong])
    with pytest.raises(ValueError, match=r"n_components='c' is not a model"):
        nn.set_params(n_components="c").kneighbors(nested)


def test_rows_may_be_tensors_maps_and_folders(X, tmp_path):
    expected = PrefixNeighbors(4).fit(X).kneighbors(X[:9] + 1)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for rows in (torch.from_numpy(X), mapped, mapped[:], pd.DataFrame(X), np.asfortranarray(X)):
        nn = PrefixNeighbors(4).fit(rows)
        same(nn.kneighbors(torch.from_numpy(X[:9] + 1)), expected)
        same(nn.kneighbors(rows), PrefixNeighbors(4).fit(X).kneighbors())
    pytest.importorskip("pyarrow")
    sequences = [f"MKT{a}{b}" for a in "ACDEFGHI" for b in "KLMNPQ"]
    embedder = ESMEmbedder("demo-48").set_output(transform="pandas")
    embed_to_parquet(embedder, sequences, tmp_path / "folder", tokens_per_part=60)
    rows = embedder.transform(sequences)
    nn = PrefixNeighbors(4).fit(tmp_path / "folder")
    assert nn.feature_names_in_.tolist() == list(rows.columns)
    for queries in (None, rows, tmp_path / "folder", str(tmp_path / "folder")):
        same(nn.kneighbors(queries), PrefixNeighbors(4).fit(rows).kneighbors(queries))


def test_dask_collections_are_searched_where_they_are(X):
    da, dd = pytest.importorskip("dask.array"), pytest.importorskip("dask.dataframe")
    import dask

    frame = pd.DataFrame(X, columns=[f"m_{i}" for i in range(20)])
    expected = PrefixNeighbors(4, level_scale="unit", prefixes=[8, 20]).fit(frame)
    with dask.config.set(scheduler="synchronous"):
        for rows in (da.from_array(X, (70, 7)), dd.from_pandas(frame, npartitions=3)):
            nn = clone(expected).fit(rows)
            np.testing.assert_array_equal(nn.level_scale_, expected.level_scale_)
            asked = frame if hasattr(rows, "columns") else X
            same(nn.kneighbors(asked[:9] + 1), expected.kneighbors(frame[:9] + 1))
            same(nn.kneighbors(rows), expected.kneighbors(frame))
            same(nn.kneighbors(), expected.kneighbors())
            same(pickle.loads(pickle.dumps(nn)).kneighbors(), expected.kneighbors())
        with pytest.raises(ValueError, match="engine='faiss' needs rows in memory"):
            PrefixNeighbors(engine="faiss").fit(rows)


def test_more_neighbours_than_rows_are_refused(X):
    nn = PrefixNeighbors(16).fit(X[:10])
    for call in (nn.kneighbors, nn.transform, nn.kneighbors_graph):
        with pytest.raises(ValueError, match=r"n_neighbors=1[67] are more than the 10 training"):
            call(X[:3])
    with pytest.raises(ValueError, match="the 9 training rows other than each itself"):
        nn.kneighbors(None, 10)
    assert nn.kneighbors(None, 9)[1].shape == (10, 9)


def test_a_failed_fit_changes_nothing(X):
    nn = PrefixNeighbors(4).fit(X)
    before = nn.kneighbors()
    wrong = X[:, :9].copy()
    wrong[5, 5] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        nn.fit(wrong)
    assert nn.n_features_in_ == 20
    same(nn.kneighbors(), before)


def test_unnamed_columns_of_a_known_width_are_taken_for_it_only_with_a_warning(rng):
    X = rng.normal(size=(30, 160))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn = PrefixNeighbors(2).fit(X)
    assert nn.prefix_lengths_.tolist() == [48, 96, 160]
    with pytest.warns(UserWarning, match="say with `prefixes`") as warned:
        PrefixNeighbors(2, level_scale="unit").fit(X)
    assert warned[0].filename == __file__
