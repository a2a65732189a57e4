"""The bundled data are the published ones, in scikit-learn's form."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_revdist import load_if1_ecoli, load_secondary_structure

STANDARD_AMINO_ACIDS = set("ACDEFGHIKLMNPQRSTVWY")


@pytest.fixture(scope="module")
def assay():
    return load_if1_ecoli()


def test_the_scan_has_1367_distinct_variants_of_72_standard_residues(assay):
    assert len(assay.data) == len(set(assay.data)) == 1367
    assert assay.data.dtype == object
    assert {len(sequence) for sequence in assay.data} == {72}
    assert set("".join(assay.data)) <= STANDARD_AMINO_ACIDS
    assert (assay.target.dtype, assay.target.shape) == (np.float64, (1367,))
    assert (assay.target.min(), assay.target.max()) == (-0.2435, 1.12)


def test_every_mutant_applied_to_the_wild_type_gives_its_sequence(assay):
    for mutant, sequence in zip(assay.mutant, assay.data, strict=True):
        old, position, new = mutant[0], int(mutant[1:-1]), mutant[-1]
        assert assay.wild_type[position - 1] == old
        assert assay.wild_type[: position - 1] + new + assay.wild_type[position:] == sequence


def test_other_forms_have_the_same_values_under_the_stated_names(assay):
    assert assay.frame is None
    X, y = load_if1_ecoli(return_X_y=True)
    assert np.array_equal(X, assay.data)
    assert np.array_equal(y, assay.target)
    framed = load_if1_ecoli(as_frame=True)
    assert list(framed.data.columns) == framed.feature_names
    assert framed.target.name == framed.target_names[0]
    assert list(framed.frame.columns) == framed.feature_names + framed.target_names
    assert np.array_equal(framed.data["sequence"].to_numpy(object), assay.data)
    assert np.array_equal(framed.target.to_numpy(), assay.target)
    X, y = load_if1_ecoli(return_X_y=True, as_frame=True)
    pd.testing.assert_frame_equal(X, framed.data)
    pd.testing.assert_series_equal(y, framed.target)


def test_the_bundled_assay_equals_the_collected_file(assay):
    if "REVDIST_DATA" not in os.environ:
        pytest.skip("REVDIST_DATA names no folder of collected assays")
    path = Path(os.environ["REVDIST_DATA"]) / "dms" / "IF1_ECOLI_Kelsic_2016.csv"
    table = pd.read_csv(path, dtype=str)
    assert np.array_equal(table["mutant"], assay.mutant)
    assert np.array_equal(table["mutated_sequence"], assay.data)
    assert [float(score) for score in table["DMS_score"]] == assay.target.tolist()


@pytest.mark.parametrize(
    ("subset", "n_chains", "n_residues"), [("train", 160, 17911), ("test", 80, 8306)]
)
def test_every_residue_of_every_chain_has_a_letter_and_a_mask(subset, n_chains, n_residues):
    chains = load_secondary_structure(subset=subset)
    lengths = [len(sequence) for sequence in chains.data]
    assert (len(set(chains.chain)), sum(lengths)) == (n_chains, n_residues)
    assert min(lengths) >= 50
    assert max(lengths) <= 150
    assert [len(structure) for structure in chains.target] == lengths
    assert [len(mask) for mask in chains.resolved] == lengths
    assert set("".join(chains.data)) <= STANDARD_AMINO_ACIDS
    assert sorted(set("".join(chains.target))) == chains.target_names


def test_residues_that_are_not_resolved_are_labelled_coil():
    chains = load_secondary_structure()
    letters = np.array(list("".join(chains.target)))
    assert set(letters[~np.concatenate(chains.resolved)]) == {"C"}


def test_no_chain_is_both_trained_on_and_tested():
    train, _ = load_secondary_structure(return_X_y=True)
    test, _ = load_secondary_structure(subset="test", return_X_y=True)
    assert not set(train) & set(test)


def test_another_subset_is_refused():
    with pytest.raises(ValueError, match=r"'subset' parameter of .* must be a str among"):
        load_secondary_structure(subset="all")


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (load_if1_ecoli, ["MIT", "Kelsic", "10.1016/j.cels.2016.11.004", "ProteinGym"]),
        (load_secondary_structure, ["AFL-3.0", "FLIP", "NetSurfP-2.0", "10.1002/prot.25674"]),
    ],
)
def test_descriptions_name_licence_and_sources(load, words):
    assert all(word in load().DESCR for word in words)


def test_the_bundled_chains_are_the_first_that_fit_of_the_collected_ones():
    if "REVDIST_DATA" not in os.environ:
        pytest.skip("REVDIST_DATA names no folder of collected assays")
    folder = Path(os.environ["REVDIST_DATA"]) / "secondary_structure"

    def records(name):
        with gzip.open(folder / f"flip_ss3_{name}.fasta.gz", "rt") as file:
            for record in file.read().split(">")[1:]:
                head, text = record.split("\n", 1)
                yield head, text.replace("\n", "")

    sequences, masks = dict(records("sequences")), dict(records("mask"))
    for subset, n_chains in (("train", 160), ("test", 80)):
        fitting = {
            chain: structure
            for head, structure in records("sampled")
            for chain, role, validation in [head.split()]
            if role == f"SET={subset}"
            and validation == "VALIDATION=False"
            and 50 <= len(sequences[chain]) <= 150
            and set(sequences[chain]) <= STANDARD_AMINO_ACIDS
            and masks[chain].count("0") <= len(masks[chain]) / 10
        }
        chains = load_secondary_structure(subset=subset)
        assert list(fitting)[:n_chains] == chains.chain.tolist()
        assert list(fitting.values())[:n_chains] == chains.target.tolist()
        assert [sequences[chain] for chain in chains.chain] == chains.data.tolist()
        for chain, resolved in zip(chains.chain, chains.resolved, strict=True):
            assert masks[chain] == "".join("1" if shown else "0" for shown in resolved)
