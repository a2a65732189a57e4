"""PrefixNeighbors finds what comparing all rows in double precision finds."""

import numpy as np
import pytest
from brute_force import brute_force, excluded

from sklearn_revdist import PrefixNeighbors


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


@pytest.mark.parametrize("seed", range(500))
def test_neighbours_are_those_of_brute_force(seed, small):
    rng = np.random.default_rng(seed)
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
