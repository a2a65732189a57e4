"""Options that several commands have are the same in all of them."""

import click
import pytest

from sklearn_revdist.cli._embed import embed_command
from sklearn_revdist.cli._fit import fit_command
from sklearn_revdist.cli._options import sequence_options
from sklearn_revdist.cli._transform import transform_command


def options_of(command):
    return {parameter.name: parameter.to_info_dict() for parameter in command.params}


@pytest.mark.parametrize("command", [embed_command, fit_command, transform_command])
def test_commands_that_embed_have_the_same_settings(command):
    @click.command()
    @sequence_options
    def settings():
        """Nothing."""

    assert options_of(settings).items() <= options_of(command).items()
