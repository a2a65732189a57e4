"""Errors of other libraries are quoted on one line, and what is skipped has a line each."""

import pytest

from sklearn_revdist.utils._messages import first_line, warn_of_skipped


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("No such file.", "No such file"),
        ("\n first\nsecond\n", "first"),
        ("first\r\nsecond", "first"),
        ("first\x85second", "first"),
        ("", "ValueError"),
        (" \n", "ValueError"),
        ("a" * 200, "a" * 200),
        ("a" * 201, "a" * 200 + " ..."),
    ],
)
def test_an_error_is_one_line(words, line):
    assert first_line(ValueError(words)) == line


@pytest.mark.parametrize(("n", "n_lines"), [(0, 0), (1, 1), (10, 10), (11, 11), (99, 11)])
def test_ten_names_are_followed_by_a_count(recwarn, n, n_lines):
    warn_of_skipped({f"f{i}": "it is no table" for i in range(n)})
    lines = [str(warning.message) for warning in recwarn]
    assert len(lines) == n_lines
    assert lines[:10] == [f"'f{i}' is skipped: it is no table." for i in range(min(n, 10))]
    assert lines[10:] == ([f"{n - 10} more are skipped."] if n > 10 else [])
    assert {warning.filename for warning in recwarn} <= {__file__}
