"""The wild type: substitutions are undone, in the numbering that most variants have."""

import re

import numpy as np
import pytest

from sklearn_revdist.sequences._mutants import Substitution, parse_mutant
from sklearn_revdist.sequences._wild_type import find_first_position, find_numbering, misfit, undo

WILD = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVK"
LETTERS = "ACDEFGHIKLMNPQRSTVWY"


def variants(n, n_substitutions, first, rng):
    """Substitutions and sequences of random variants, the first residue being number `first`."""
    found = []
    for _ in range(n):
        letters, mutant = list(WILD), []
        for i in rng.choice(len(WILD), n_substitutions, replace=False):
            letters[i] = rng.choice([letter for letter in LETTERS if letter != WILD[i]])
            mutant.append(Substitution(WILD[i], int(i) + first, letters[i]))
        found.append((tuple(mutant), "".join(letters)))
    return found


def test_substitutions_are_undone_in_a_numbering():
    assert undo(parse_mutant("K2A"), "MATAY", 1) == "MKTAY"
    assert undo(parse_mutant("K12A:Y15W"), "MATAW", 11) == "MKTAY"
    assert undo(parse_mutant("M0V"), "VKTAY", 0) == "MKTAY"
    assert undo((), "MKTAY", 1) == "MKTAY"
    for text in ("K2C", "K7A", "K0A", "K2A:K2A", "K2A:A2K", "K2A:K2K"):
        assert undo(parse_mutant(text), "MATAY", 1) is None


@pytest.mark.parametrize("n_substitutions", [1, 3])
@pytest.mark.parametrize("first", [-6, 0, 1, 11, 331])
def test_the_numbering_of_most_variants_is_found(first, n_substitutions):
    rng = np.random.default_rng(0)
    scan = variants(200, n_substitutions, first, rng)
    for i in rng.choice(200, 6, replace=False):  # 3 % that do not fit
        scan[i] = (scan[i][0], "".join(rng.permutation(list(WILD))))
    assert find_first_position(scan) == first


def test_the_numbering_of_a_few_variants_or_of_one_position_is_found():
    scan = variants(4, 1, 11, np.random.default_rng(1))
    assert find_first_position(scan) == 11
    site = [((Substitution("K", 12, a),), f"M{a}{WILD[2:]}") for a in LETTERS if a != "K"]
    assert find_first_position(site) == 11


@pytest.mark.parametrize("n_substitutions", [1, 3])
@pytest.mark.parametrize("first", [-6, 0, 1, 331])
def test_the_numbering_of_mutants_of_a_wild_type_is_found(first, n_substitutions):
    scan = variants(200, n_substitutions, first, np.random.default_rng(0))
    assert find_numbering([mutant for mutant, _ in scan], WILD) == first


def test_no_numbering_of_mutants_is_found_where_several_fit_or_one_residue_votes():
    assert find_numbering([parse_mutant("K2A"), parse_mutant("K2C")], "MKTAY") is None
    assert find_numbering([parse_mutant("K2A"), parse_mutant("K3C")], "KKK") is None
    assert find_numbering([parse_mutant("W2A"), parse_mutant("W3C")], "MKTAY") is None
    assert find_numbering([], "MKTAY") is None


def test_no_numbering_is_found_where_there_is_none():
    rng = np.random.default_rng(0)
    scan = variants(200, 1, 11, rng)
    order = np.roll(np.arange(200), 7)
    assert find_first_position([(scan[i][0], scan[j][1]) for i, j in enumerate(order)]) is None
    assert find_first_position(scan[:1]) is None
    assert find_first_position([]) is None


@pytest.mark.parametrize(
    ("text", "sequence", "first", "message"),
    [
        ("K12A", "MATAY", 1, "which has the positions 1 to 5, not 12"),
        ("K2A", "MATAY", 11, "which has the positions 11 to 15, not 2"),
        ("K2C", "MATAY", 1, "which has A at position 2"),
        ("K12C", "MATAY", 11, "which has A at position 12"),
        ("p.Lys2Phe", "MATAY", 1, "which has A at position 2"),
        ("K2A:K2A", "MATAY", 1, "it changes position 2 twice"),
        ("W2A", "MATAY", 1, "does not start from the wild type .* which has K at position 2"),
        ("W12A", "MATAY", 11, "does not start from the wild type .* which has K at position 12"),
        ("K2A", "MATA", 1, "which has 4 residues, where the wild type has 5"),
        ("K2A", "MATAF", 1, "which has F at position 5, where the wild type .* has Y"),
        ("K12A", "MATAF", 11, "which has F at position 15, where the wild type .* has Y"),
        ("WT", "MATAY", 1, "which has A at position 2, where the wild type .* has K"),
    ],
)
def test_misfits_are_described(text, sequence, first, message):
    said = misfit(parse_mutant(text), sequence, "MKTAY", first)
    assert re.search(message, said)
