"""What tests of commands share."""

import os

import click
import pytest
from click.testing import CliRunner

from sklearn_revdist.cli._console import Commands
from sklearn_revdist.utils._models import ESM2


@pytest.fixture
def run():
    """Run a function as a command of a program."""

    def run(function, *arguments, **keywords):
        @click.group(cls=Commands)
        def program():
            pass

        program.command("command")(function)
        return CliRunner().invoke(program, ["command", *arguments], **keywords)

    return run


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


@pytest.fixture
def served(server, write_checkpoint):
    """The smallest model of ESM-2, random, at the download address."""
    path = server / f"{ESM2[0].name}.pt"
    write_checkpoint(path, *ESM2[0][2:])
    return path
