"""Composition: frequencies of words, by counting them one by one."""

from itertools import product

import numpy as np
import pytest

from sklearn_revdist import KmerComposition
from sklearn_revdist.sequences._tokens import AMINO_ACIDS


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_column_is_the_fraction_of_its_word(k):
    rng = np.random.default_rng(k)
    sequences = ["".join(rng.choice(list("ACDW"), n)) for n in (3, 10, 40)]
    words = ["".join(word) for word in product(AMINO_ACIDS, repeat=k)]
    found = KmerComposition(k).fit_transform(sequences)
    for sequence, row in zip(sequences, found, strict=True):
        starts = range(len(sequence) - k + 1)
        counts = [sum(sequence[i : i + k] == word for i in starts) for word in words]
        np.testing.assert_allclose(row, np.array(counts) / len(starts))
    assert KmerComposition(k).get_feature_names_out().tolist() == [f"kmer_{w}" for w in words]


def test_words_with_other_letters_are_not_counted():
    rows = KmerComposition(2, unknown="X").transform(["ACXCA", "A", "XB"])
    assert rows.sum(axis=1).tolist() == [1, 0, 0]
    assert np.count_nonzero(rows[0]) == 2


def test_it_depends_on_no_other_row():
    composition = KmerComposition()
    assert np.array_equal(composition.transform(["MKT", "W"])[:1], composition.transform(["mkt "]))
    with pytest.raises(ValueError, match=r"^Record 1 .* is empty"):
        composition.transform(["MKT", ""])
