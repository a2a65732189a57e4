"""Positions are whole numbers, counted from where their letters match."""

import pytest

from sklearn_revdist.tasks._positions import as_position, check_first_position


@pytest.mark.parametrize(
    ("cell", "position"),
    [
        ("3", 3),
        (" 3.0 ", 3),
        ("-2", -2),
        ("3.", 3),
        ("3.5", None),
        ("52A", None),
        ("", None),
        ("1e3", None),
        ("\u0663", None),
        ("9" * 5000, None),
    ],
)
def test_a_position_is_a_whole_number(cell, position):
    assert as_position(cell) == position


@pytest.fixture
def proteins(rng):
    return ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 80)) for _ in range(3)]


def rows_from(proteins, start):
    return [("", i + start, letter, p) for p in proteins for i, letter in enumerate(p)]


@pytest.mark.parametrize("start", [0, 1, 24, -5])
def test_where_numbering_starts_is_found(proteins, start):
    rows = rows_from(proteins, start)
    check_first_position("t.csv", rows, start)
    wrong = 1 if start != 1 else 0
    with pytest.raises(
        ValueError, match=rf"^'t\.csv': 100% of 240 .*; set first_position={start}\.$"
    ):
        check_first_position("t.csv", rows, wrong)


def test_nearly_all_must_fit_elsewhere_and_most_not_here(proteins):
    rows = rows_from(proteins, 0)
    unknown = [("", position, "X", sequence) for _, position, _, sequence in rows]
    most = [*unknown[:20], *rows[20:]]
    with pytest.raises(ValueError, match=r"92% of 240 .* counted from 0"):
        check_first_position("t.csv", most, 1)
    check_first_position("t.csv", [*most[:120], *rows_from(proteins, 1)], 1)
    check_first_position("t.csv", unknown, 1)
    check_first_position("t.csv", rows[:2], 1)
