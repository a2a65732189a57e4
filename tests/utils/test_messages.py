"""What other libraries say is told on one line."""

import pytest

from sklearn_revdist.utils._messages import told


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
def test_the_first_line_is_told(words, line):
    assert told(ValueError(words)) == line
