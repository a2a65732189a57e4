"""Mutants and sequences are two ways to say the same, and counts are those of combinatorics."""

import os
import re
from math import comb
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_revdist import (
    combine_mutants,
    load_if1_ecoli,
    mutants_of,
    mutate,
    single_substitutions,
)
from sklearn_revdist.sequences._tokens import AMINO_ACIDS

PROTEIN = "MKTAYIAKQRQISFVKSHFSRQ"
SEQUENCES = st.text(AMINO_ACIDS, min_size=22, max_size=22)


@given(SEQUENCES, st.integers(-50, 500), st.sampled_from(["proteingym", "hgvs"]))
def test_names_and_sequences_are_a_round_trip(sequence, first_position, notation):
    numbering = {"first_position": max(1, first_position)}
    (name,) = mutants_of(PROTEIN, [sequence], notation=notation, **numbering)
    assert mutate(PROTEIN, [name], **numbering) == [sequence]


@pytest.mark.parametrize("letters", [PROTEIN, PROTEIN.lower()])
def test_all_singles_are_all_sequences_at_distance_one(letters):
    sequences = mutate(letters, single_substitutions(letters))
    assert len(set(sequences)) == len(sequences) == 19 * 22
    assert all(sum(a != b for a, b in zip(s, PROTEIN, strict=True)) == 1 for s in sequences)
    some = single_substitutions(PROTEIN, [3, 5])
    assert some == [m for m in single_substitutions(PROTEIN) if m[1:-1] in ("3", "5")]
    shifted = single_substitutions(PROTEIN, first_position=40)
    assert shifted[0] == "M40A"
    assert mutate(PROTEIN, shifted, first_position=40) == sequences


@pytest.mark.parametrize("n", [1, 2, 3])
def test_combinations_are_counted_by_positions(n):
    singles = single_substitutions("MKTA")
    combined = combine_mutants(singles, n)
    assert len(set(combined)) == len(combined) == comb(4, n) * 19**n
    assert all(len(set(re.findall(r"\d+", name))) == n for name in combined)
    assert len(set(mutate("MKTA", combined))) == len(combined)


@pytest.mark.parametrize(
    ("mutant", "expected"),
    [
        ("p.Lys2del", "MTAYI"),
        ("K2del", "MTAYI"),
        ("p.(Lys2_Ala4del)", "MYI"),
        ("p.Lys2_Thr3insArgSer", "MKRSTAYI"),
        ("K2_T3insRS", "MKRSTAYI"),
        ("p.Lys2_Thr3delinsArg", "MRAYI"),
        ("p.Lys2delinsRSW", "MRSWTAYI"),
        ("p.Lys2dup", "MKKTAYI"),
        ("p.Lys2_Thr3dup", "MKTKTAYI"),
        ("p.[Lys2Arg;Ala4Gly]", "MRTGYI"),
        ("p.Ala4=", "MKTAYI"),
        ("WT", "MKTAYI"),
    ],
)
def test_hgvs(mutant, expected):
    assert mutate("MKTAYI", [mutant]) == [expected]


def test_the_bundled_scan():
    assay = load_if1_ecoli()
    assert mutate(assay.wild_type, assay.mutant) == list(assay.data)
    assert mutants_of(assay.wild_type, assay.data) == list(assay.mutant)


@pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="needs the scans in REVDIST_DATA")
def test_the_scans_of_proteingym():
    n_scans = 0
    for path in sorted(Path(os.environ["REVDIST_DATA"], "dms").glob("*_20*.csv*")):
        table = pd.read_csv(path)
        if not {"mutant", "mutated_sequence"} <= set(table):
            continue
        mutant, sequence = table["mutant"][0], table["mutated_sequence"][0]
        wild_type = list(sequence)
        for change in mutant.split(":"):
            wild_type[int(change[1:-1]) - 1] = change[0]
        table = table[:: max(1, len(table) // 300)]
        found = mutate("".join(wild_type), table["mutant"])
        assert found == table["mutated_sequence"].tolist(), path.name
        n_scans += 1
    assert n_scans > 15


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        ("K3R", r"'K3R' has K at position 3, where the wild type has T; check the numbering"),
        ("K99R", r"has position 99, but the wild type has the positions 1 to 22"),
        ("K2R:K2A", "changes position 2 twice"),
        ("K2*", "is a stop"),
        ("p.Lys2fs", "is an insertion or a deletion"),
        ("p.Lys2_Ala4insArg", "is not complete"),
        ("p.Lys2ins", "is not complete"),
        ("nonsense", "is an unknown notation"),
    ],
)
def test_what_does_not_fit_is_named(mutant, message):
    with pytest.raises(ValueError, match=message) as raised:
        mutate(PROTEIN, ["WT", mutant])
    assert str(raised.value).startswith(f"mutants[1]={mutant!r} ")


def test_lengths_positions_and_numbers_are_checked():
    with pytest.raises(ValueError, match=r"sequences\[1\] has 3 residues"):
        mutants_of(PROTEIN, [PROTEIN, "MKT"])
    with pytest.raises(
        ValueError, match="positions has 23, but the wild type has the positions 1 to 22"
    ):
        single_substitutions(PROTEIN, [23])
    with pytest.raises(ValueError, match="not a single substitution"):
        combine_mutants(["K2R", "K2R:T3A"])
    with pytest.raises(ValueError, match="combinations of 5; choose the best"):
        combine_mutants(single_substitutions(PROTEIN), 5)
