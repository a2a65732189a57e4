"""Options in groups are in the order of the help, and come to the command as dicts."""

import click

from sklearn_revdist.cli._option_groups import gathered, together


def test_options_together_are_in_the_order_they_are_given_in():
    @click.command()
    @click.option("--first")
    @together(click.option("--second"), click.option("--third"))
    def command():
        """Nothing."""

    assert [parameter.name for parameter in command.params] == ["first", "second", "third"]


def test_options_of_a_group_are_one_dict(run):
    @together(click.option("--first"), click.option("--second"), click.option("--third"))
    @gathered(group=("first", "second", "none"))
    def command(group, third):
        click.echo(f"{group} {third}")

    ended = run(command, "--first", "1", "--third", "3")
    assert ended.stdout == "{'first': '1', 'second': None} 3\n"
