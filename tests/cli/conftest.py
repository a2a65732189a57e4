"""What tests of commands share."""

import os

import pytest


@pytest.fixture
def assert_fails(revdist):
    """Run a command that ends with a code and one sentence, and leaves nothing but a store."""

    def check(*arguments, code, message):
        before = set(os.listdir())
        ended = revdist(*arguments)
        assert ended.code == code, ended.err
        assert message in ended.err
        assert "Traceback" not in ended.err
        assert ended.out == b""
        assert {f for f in os.listdir() if not f.endswith(".unfinished.sqlite")} == before

    return check
