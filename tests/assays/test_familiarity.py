"""Familiarity: distances are those of letters, and notes say what no training sequence has."""

import numpy as np
import pytest

from sklearn_revdist.assays import _familiarity
from sklearn_revdist.assays._familiarity import familiarity

WILD_TYPE = "MKTAYIAKQR"


def variants(rng, n, n_mutations, letters="ACDW"):
    """Random variants, of which many share positions and residues."""
    made = []
    for count in rng.integers(0, n_mutations + 1, size=n):
        residues = list(WILD_TYPE)
        for position in rng.choice(len(WILD_TYPE), size=count, replace=False):
            residues[position] = rng.choice(list(letters))
        made.append("".join(residues))
    return made


def distance(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("batch", [1, 100, 2**22])
def test_identity_is_that_of_the_closest_training_sequence(rng, monkeypatch, batch):
    monkeypatch.setattr(_familiarity, "_BATCH", batch)
    training, new = variants(rng, 80, 4), variants(rng, 150, 6)
    new += ["MKTAYIAKQA", training[0], WILD_TYPE]
    found = familiarity(new, np.zeros(len(new)), training, WILD_TYPE, np.ones(80))
    least = np.array([min(distance(each, known) for known in training) for each in new])
    np.testing.assert_allclose(found["identity"], 1 - least / len(WILD_TYPE))
    assert found["substitutions"].tolist() == [distance(each, WILD_TYPE) for each in new]
    assert found.columns.tolist() == ["substitutions", "identity", "unlike"]


def test_another_residue_at_a_position_differs_once():
    new = ["MKTAYIAKQW", "MKTAYIAKQC", "MKTAYIAKQR", "WKTAYIAKQC", "WKTAYIAKQW"]
    found = familiarity(new, np.zeros(5), ["MKTAYIAKQW"], WILD_TYPE, np.ones(1))
    np.testing.assert_allclose(found["identity"], [1, 0.9, 0.9, 0.8, 0.9])


def test_notes_say_what_no_training_sequence_has():
    training = ["MRTAYIAKQR", "MATAYIAKQR", "MKSAYIAKQR", "MKTAYIAKAA"]
    known = training, WILD_TYPE, np.array([0.5, 2.0, np.nan, 1.0])
    notes = {
        "MRTAYIAKQR": "",
        "MWWAYIAKQR": "",  # other residues at positions that were mutated
        "MKTAYIAKQR": "",
        "AKTAYIAKQR": "position 11 never mutated in the training",
        "MKTWYIAKQR": "position 14 never mutated in the training",
        "MKTWYWAKQR": "positions 14, 16 never mutated in the training",
        "MWWAYIAKQW": "3 substitutions (training: at most 2)",
        "MKTWWWWKQR": "positions 14, 15, 16, ... never mutated in the training; "
        "4 substitutions (training: at most 2)",
    }
    found = familiarity(list(notes), np.full(len(notes), 2.0), *known, first_position=11)
    assert found["unlike"].tolist() == list(notes.values())


def test_notes_say_which_predictions_are_less_certain():
    known = ["MRTAYIAKQR", "MKSAYIAKQR"], WILD_TYPE, np.array([0.5, 2.0])
    found = familiarity(["MRTAYIAKQR", "MKTAYIAKAR"], np.array([2.0, 2.5]), *known)
    certain = "less certain than all of the training"
    assert found["unlike"].tolist() == ["", f"position 9 never mutated in the training; {certain}"]


def test_without_a_wild_type_lengths_are_compared():
    known = ["MKTAY", "MKTAYIAK"], None, np.array([1.0, 1.0])
    found = familiarity(["MKTA", "MKTAY", "AAAAAAA", "MKTAYIAKQ"], np.zeros(4), *known)
    assert found.columns.tolist() == ["unlike"]
    assert found["unlike"].tolist() == [
        *("4 residues (training: 5 to 8)", "", ""),
        "9 residues (training: 5 to 8)",
    ]
    of_one = familiarity(["MK"], np.ones(1), ["MKTAY", "MKTAW"], None, np.ones(2))
    assert of_one["unlike"].item() == "2 residues (training: 5)"


def test_order_and_repeats_of_training_sequences_do_not_matter(rng):
    training, new = variants(rng, 30, 3), variants(rng, 30, 5)
    stds = rng.uniform(size=30)
    one = familiarity(new, stds, training, WILD_TYPE, stds)
    twice = [*training[::-1], *training]
    other = familiarity(new, stds, twice, WILD_TYPE, np.append(stds, stds))
    assert one.equals(other)
