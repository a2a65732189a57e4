"""Errors while a table is read."""

import pytest

from sklearn_revdist.tables._table import reading_as


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path):
    for error, expected in [(PermissionError, PermissionError), (OSError, ValueError)]:
        with (
            pytest.raises(expected, match="Not for you"),
            reading_as("npy", tmp_path / "x.npy"),
        ):
            raise error("Not for you.")
