"""Rows that faiss lists are compared exactly; the others are missed, not mistaken."""

import pickle
import sys

import numpy as np
import pytest

from sklearn_revdist import PrefixNeighbors


@pytest.fixture
def X(rng):
    latent = rng.normal(size=(3000, 10))
    return (latent @ rng.normal(size=(10, 80)) + 5).astype(np.float32)


def test_nearly_all_neighbours_are_found_at_their_distances(X):
    pytest.importorskip("faiss")
    exact, rows = PrefixNeighbors(8).fit(X).kneighbors()
    nn = PrefixNeighbors(8, engine="faiss", index="HNSW16").fit(X)
    for approximate in (nn, pickle.loads(pickle.dumps(nn))):
        distances, found = approximate.kneighbors()
        same = found == rows
        assert same.mean() > 0.95
        np.testing.assert_array_equal(distances[same], exact[same])
        assert (distances >= exact).all()
    radius = float(exact[:, 3].mean())
    expected = PrefixNeighbors(8).fit(X).radius_neighbors(X[:20], radius=radius)
    for ours, theirs in zip(nn.radius_neighbors(X[:20], radius=radius), expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_list_of_all_rows_is_exact(X):
    pytest.importorskip("faiss")
    for metric in ("euclidean", "cosine"):
        exact = PrefixNeighbors(8, metric=metric).fit(X).kneighbors(X[:50] + 1)
        nn = PrefixNeighbors(8, metric=metric, engine="faiss", index="Flat", shortlist=375).fit(X)
        for ours, theirs in zip(nn.kneighbors(X[:50] + 1), exact, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_list_without_enough_neighbours_is_an_error(X):
    pytest.importorskip("faiss")
    X[:40] = X[0]
    nn = PrefixNeighbors(8, engine="faiss", index="Flat", shortlist=2).fit(X)
    with pytest.raises(ValueError, match="raise `shortlist`"):
        nn.kneighbors(X[:1])


def test_what_faiss_does_not_know_is_refused(X):
    pytest.importorskip("faiss")
    for index in ("nosuch", "", "IVF4096,Flat"):
        with pytest.raises(ValueError, match=f"index='{index}'"):
            PrefixNeighbors(engine="faiss", index=index).fit(X[:1000])


def test_the_error_without_faiss_names_the_extra(X, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-revdist\[faiss\]"'):
        PrefixNeighbors(engine="faiss").fit(X)
