"""Variants of one length as a table; others are refused by name."""

import pytest

from sklearn_revdist.baselines._aligned import aligned
from sklearn_revdist.sequences._tokens import encode_sequences


def test_rows_are_the_tokens_of_the_sequences():
    found = aligned(["MKT", "mrt "], "error")
    assert found.tolist() == [tokens.tolist() for tokens in encode_sequences(["MKT", "MRT"])]


@pytest.mark.parametrize(
    ("sequences", "n_residues", "message"),
    [
        (
            ["MKT", "MK"],
            None,
            r"^Record 1 .* has 2 residues, but record 0 has 3; residues are",
        ),
        (
            ["MKT", "MK"],
            3,
            r"^Record 1 .* has 2 residues, but those of the fit had 3; res",
        ),
        (["MKT", "MX*T"], None, r"^Record 1 .* the ambiguous residue 'X' at position 2"),
    ],
)
def test_other_lengths_and_letters_are_refused(sequences, n_residues, message):
    with pytest.raises(ValueError, match=message):
        aligned(sequences, "error", n_residues)
