"""What embeds is chosen by the same options in all commands."""

from sklearn_revdist.cli._embed import embed_command
from sklearn_revdist.cli._evaluate import evaluate_command


def test_the_chain_is_chosen_alike():
    chosen, evaluated = (
        next(option for option in command.params if option.name == "models").to_info_dict()
        for command in (embed_command, evaluate_command)
    )
    assert evaluated == chosen | {"opts": ["-m", "--model", "--chain"]}
