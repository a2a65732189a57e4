"""The bundled assay is the published one, in scikit-learn's form."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import load_if1_ecoli

STANDARD_AMINO_ACIDS = set("ACDEFGHIKLMNPQRSTVWY")


@pytest.fixture(scope="module")
def assay():
    return load_if1_ecoli()


def test_the_scan_has_1367_distinct_variants_of_72_standard_residues(assay):
    assert len(assay.data) == len(set(assay.data)) == 1367
    assert assay.data.dtype == object
    assert {len(sequence) for sequence in assay.data} == {72}
    assert set("".join(assay.data)) <= STANDARD_AMINO_ACIDS


def test_every_mutant_applied_to_the_wild_type_gives_its_sequence(assay):
    for mutant, sequence in zip(assay.mutant, assay.data, strict=True):
        old, position, new = mutant[0], int(mutant[1:-1]), mutant[-1]
        assert assay.wild_type[position - 1] == old
        assert assay.wild_type[: position - 1] + new + assay.wild_type[position:] == sequence


def test_targets_are_finite_float64_in_the_stated_range(assay):
    assert assay.target.dtype == np.float64
    assert assay.target.shape == (1367,)
    assert (assay.target.min(), assay.target.max()) == (-0.2435, 1.12)


def test_return_X_y_gives_data_and_target(assay):
    X, y = load_if1_ecoli(return_X_y=True)
    assert np.array_equal(X, assay.data)
    assert np.array_equal(y, assay.target)


def test_as_frame_gives_the_same_values_under_the_stated_names(assay):
    framed = load_if1_ecoli(as_frame=True)
    assert list(framed.data.columns) == framed.feature_names
    assert framed.target.name == framed.target_names[0]
    assert list(framed.frame.columns) == framed.feature_names + framed.target_names
    assert np.array_equal(framed.data["sequence"].to_numpy(object), assay.data)
    assert np.array_equal(framed.target.to_numpy(), assay.target)
    X, y = load_if1_ecoli(return_X_y=True, as_frame=True)
    pd.testing.assert_frame_equal(X, framed.data)
    pd.testing.assert_series_equal(y, framed.target)


def test_without_as_frame_there_is_no_frame(assay):
    assert assay.frame is None


@pytest.mark.parametrize("words", ["MIT", "Kelsic", "10.1016/j.cels.2016.11.004", "ProteinGym"])
def test_the_description_names_licence_and_sources(assay, words):
    assert words in assay.DESCR


def test_the_bundled_assay_equals_the_collected_file(assay):
    if "REVDIST_DATA" not in os.environ:
        pytest.skip("REVDIST_DATA names no folder of collected assays")
    path = Path(os.environ["REVDIST_DATA"]) / "dms" / "IF1_ECOLI_Kelsic_2016.csv"
    table = pd.read_csv(path, dtype=str)
    assert np.array_equal(table["mutant"], assay.mutant)
    assert np.array_equal(table["mutated_sequence"], assay.data)
    assert [float(score) for score in table["DMS_score"]] == assay.target.tolist()
