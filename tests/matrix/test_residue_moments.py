"""Moments of residues: summed block by block, and kept, so that a stopped sum can go on."""

import numpy as np
import pytest

from sklearn_revdist import Moments
from sklearn_revdist.matrix import _residue_moments
from sklearn_revdist.matrix._residue_moments import sum_residues
from sklearn_revdist.utils._parts import Parts

PARTS = [["ACD", "EF"], ["GHIK"], ["LM", "NPQ"]]


class Embedder:
    """Embeds a residue as four numbers, and fails after some parts."""

    def __init__(self, fails_after=None):
        self.embedded, self.fails_after = [], fails_after

    def get_feature_names_out(self):
        return list("abcd")

    def iter_residues(self, sequences):
        if len(self.embedded) == self.fails_after:
            raise KeyboardInterrupt
        self.embedded.append(sequences)
        for sequence in sequences:
            letters = np.frombuffer(sequence.encode(), np.uint8)
            yield np.sin(np.outer(letters, [1, 2, 3, 4])) + 100, None


def assert_equal(found, expected):
    assert vars(found).keys() == vars(expected).keys()
    for name, value in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), value)


def test_blocks_of_residues_are_summed():
    counts = []
    moments = sum_residues(PARTS, Embedder(), update=counts.append)
    rows = np.concatenate([rows for part in PARTS for rows, _ in Embedder().iter_residues(part)])
    expected = Moments.of(rows)
    assert moments.weight == expected.weight == sum(counts) == 14
    np.testing.assert_allclose(moments.mean, expected.mean)
    np.testing.assert_allclose(moments.scatter, expected.scatter, rtol=1e-10)


@pytest.mark.parametrize(("keep_seconds", "seen"), [(-1, [[], [], [1], [2]]), (60, [[]] * 4)])
def test_a_sum_is_kept_as_it_grows(tmp_path, monkeypatch, keep_seconds, seen):
    monkeypatch.setattr(_residue_moments, "KEEP_SECONDS", keep_seconds)
    kept, found = Parts(tmp_path, "ab"), []
    sum_residues(PARTS, Embedder(), kept, lambda n_residues: found.append(kept.numbers()))
    assert found == seen


@pytest.mark.parametrize("n_summed", [0, 1, 2])
def test_a_stopped_sum_goes_on_bit_for_bit(tmp_path, n_summed):
    kept = Parts(tmp_path / "kept", "ab")
    with pytest.raises(KeyboardInterrupt):
        sum_residues(PARTS, Embedder(fails_after=n_summed), kept)
    assert kept.numbers() == ([n_summed] if n_summed else [])
    embedder, counts = Embedder(), []
    moments = sum_residues(PARTS, embedder, kept, counts.append)
    assert embedder.embedded == PARTS[n_summed:]
    assert sum(counts) == 14
    assert_equal(moments, sum_residues(PARTS, Embedder()))
    assert kept.numbers() == [3]
    assert_equal(sum_residues(PARTS, Embedder(fails_after=0), kept), moments)


def test_of_sums_that_are_kept_the_longest_whole_one_is_used(tmp_path):
    expected = sum_residues(PARTS, Embedder())
    kept = Parts(tmp_path, "ab")
    for n_parts in (2, 1):
        part = Parts(tmp_path / str(n_parts), "ab")
        sum_residues(PARTS[:n_parts], Embedder(), part)
        part.path(n_parts).rename(kept.path(n_parts))
    kept.path(3).write_bytes(b"damaged")
    Parts(tmp_path, "cd").path(4).write_bytes(b"of other proteins")
    embedder = Embedder()
    assert_equal(sum_residues(PARTS, embedder, kept), expected)
    assert embedder.embedded == PARTS[2:]
