"""Truncation, and the windows that stand for a long sequence."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_revdist.sequences._windows import limit_length, split


def sequences(*lengths):
    return [np.arange(length, dtype=np.uint8) for length in lengths]


@pytest.mark.parametrize(
    ("max_length", "long"), [(None, "error"), (4, "window"), (6, "error"), (6, "truncate")]
)
def test_what_may_be_embedded_whole_is_left_alone(max_length, long):
    tokens = sequences(3, 6, 4)
    assert limit_length(tokens, max_length, long) is tokens


def test_truncation_warns_once_with_count_and_first_record():
    with pytest.warns(UserWarning, match="ignored") as caught:
        shortened = limit_length(sequences(3, 6, 4, 5), 4, "truncate")
    assert [piece.tolist() for piece in shortened] == [list(range(n)) for n in (3, 4, 4, 4)]
    assert [str(warning.message) for warning in caught] == [
        "2 of 4 sequences exceed max_length=4 residues, the first of them record 1 "
        "(counting from 0) with 6 residues; the residues beyond were ignored."
    ]


def test_error_names_the_first_record_and_the_remedies():
    with pytest.raises(ValueError, match=r"2 of 4 .* record 1 .* 6 residues; .* long='window'\.$"):
        limit_length(sequences(3, 6, 4, 5), 4, "error")


@pytest.mark.parametrize(("n_residues", "max_length"), [(1, 1), (7, 7), (7, 8), (7, None)])
def test_a_sequence_that_fits_is_one_piece_of_weight_one(n_residues, max_length):
    (tokens,) = sequences(n_residues)
    (piece,) = split(7, tokens, max_length)
    assert (piece.record, piece.start) == (7, 0)
    assert piece.tokens is tokens
    np.testing.assert_array_equal(piece.weight, np.ones(n_residues, np.float32), strict=True)


@given(max_length=st.integers(1, 40), excess=st.integers(1, 200))
def test_windows(max_length, excess):
    n_residues = max_length + excess
    (tokens,) = sequences(n_residues)
    pieces = split(0, tokens, max_length)

    starts = [piece.start for piece in pieces]
    assert starts[0] == 0
    assert starts[-1] == n_residues - max_length
    steps = np.diff(starts)
    half = (max_length + 1) // 2
    assert steps.min() > 0
    assert steps.max() <= half  # neighbours share half of their residues
    assert (len(pieces) - 2) * half < excess  # one window fewer would not do

    total = np.zeros(n_residues)
    for piece in pieces:
        span = slice(piece.start, piece.start + max_length)
        np.testing.assert_array_equal(piece.tokens, tokens[span])
        assert piece.weight.min() > 0
        total[span] += piece.weight
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_weights_are_a_triangle_normalised_where_windows_overlap():
    first, second = split(0, *sequences(6), 4)
    assert (first.start, second.start) == (0, 2)
    np.testing.assert_allclose(first.weight, [1, 1, 2 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(second.weight, [1 / 3, 2 / 3, 1, 1], rtol=1e-6)


def test_windows_are_used_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limit_length(sequences(9), 4, "window")
