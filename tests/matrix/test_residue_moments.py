"""Moments of residues: summed block by block, and kept as they are."""

import numpy as np
import pytest

from sklearn_revdist import Moments
from sklearn_revdist.matrix._residue_moments import read_moments, sum_residues, write_moments


def test_blocks_of_residues_are_summed(rng):
    rows = rng.normal(size=(50, 4)) + 100

    class Embedder:
        def get_feature_names_out(self):
            return list("abcd")

        def iter_residues(self, sequences):
            for start in range(0, 50, 7):
                yield rows[start : start + 7], None

    moments, expected = sum_residues(["ACD"], Embedder()), Moments.of(rows)
    assert moments.weight == expected.weight
    np.testing.assert_allclose(moments.mean, expected.mean)
    np.testing.assert_allclose(moments.scatter, expected.scatter, rtol=1e-10)


@pytest.mark.parametrize("n_rows", [3, 50])
def test_what_is_kept_is_read_bit_for_bit(rng, tmp_path, n_rows):
    moments = Moments.of(rng.normal(size=(n_rows, 4)))
    write_moments(moments, tmp_path / "m.npz")
    read = read_moments(tmp_path / "m.npz")
    assert read.weight == moments.weight
    for name in ("mean", "root", "scatter"):
        value = getattr(moments, name)
        if value is None:
            assert getattr(read, name) is None
        else:
            np.testing.assert_array_equal(getattr(read, name), value)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]
