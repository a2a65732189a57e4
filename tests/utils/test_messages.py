"""Errors of other libraries are quoted on one line."""

import pytest

from sklearn_revdist.utils._messages import first_line


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
