"""Moments of residues: of proteins drawn the same way each time, and kept as they are."""

import numpy as np
import pytest

from sklearn_revdist import Moments
from sklearn_revdist._residue_moments import (
    draw_proteins,
    read_moments,
    sum_residues,
    write_moments,
)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    proteins = ["".join(rng.choice(list("ACDEFGHIKL"), 20)) for _ in range(30)]
    first, second = tmp_path / "a.fasta", tmp_path / "b.fasta"
    first.write_text("".join(f">p\n{p}\n" for p in proteins[:20]))
    # the same again, in lower case; and what is not to be fitted on
    others = [proteins[0].lower(), "ACX", "A" * 1023]
    second.write_text("".join(f">p\n{p}\n" for p in proteins[20:] + others))
    return [first, second], proteins


def test_each_standard_protein_is_there_once(files):
    paths, proteins = files
    assert draw_proteins(paths, 100) == (sorted(proteins), 30)


def test_the_draw_does_not_depend_on_the_order_of_files(files):
    paths, proteins = files
    drawn, n_eligible = draw_proteins(paths, 10)
    assert draw_proteins(paths[::-1], 10) == (drawn, n_eligible)
    assert len(set(drawn)) == 10
    assert set(drawn) <= set(proteins)
    assert draw_proteins(paths, 10, seed=1)[0] != drawn


def test_files_without_such_proteins_are_refused(tmp_path):
    (tmp_path / "x.fasta").write_text(">p\nAXA\n")
    with pytest.raises(ValueError, match="None of the proteins to fit on"):
        draw_proteins([tmp_path / "x.fasta"], 10)


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
