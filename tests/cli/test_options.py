"""Options that several commands have are the same in all of them, in the order of the help."""

import click
import pytest

from sklearn_revdist.cli._embed import embed_command
from sklearn_revdist.cli._evaluate import evaluate_command
from sklearn_revdist.cli._fit import fit_command
from sklearn_revdist.cli._options import sequence_options, together
from sklearn_revdist.cli._transform import transform_command


def options_of(command):
    return {parameter.name: parameter.to_info_dict() for parameter in command.params}


def test_options_together_are_in_the_order_they_are_given_in():
    @click.command()
    @click.option("--first")
    @together(click.option("--second"), click.option("--third"))
    def command():
        """Nothing."""

    assert list(options_of(command)) == ["first", "second", "third"]


@pytest.mark.parametrize("command", [embed_command, fit_command, transform_command])
def test_commands_that_embed_have_the_same_settings(command):
    @click.command()
    @sequence_options
    def settings():
        """Nothing."""

    assert options_of(settings).items() <= options_of(command).items()


def test_the_chain_is_chosen_alike():
    chosen, evaluated = (
        options_of(command)["models"] for command in (embed_command, evaluate_command)
    )
    assert evaluated == chosen | {"opts": ["-m", "--model", "--chain"]}
