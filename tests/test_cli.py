"""The program `revdist`: its help, which needs nothing heavy, and its commands in order."""

import subprocess
import sys

import click
import pytest

import sklearn_revdist
from sklearn_revdist._cli import _COMMANDS, main
from sklearn_revdist._console import EXIT_CODES


def test_the_version_is_printed(in_process):
    assert in_process("--version").text == f"revdist, version {sklearn_revdist.__version__}\n"


def test_help_shows_the_whole_story(in_process):
    text = in_process("--help").text
    places = [text.index(f"\n  {name} ") for name in _COMMANDS]
    assert places == sorted(places)
    path = [text.index(f"    revdist {name} ") for name in ("embed", "fit", "transform")]
    assert path == sorted(path)
    for line in EXIT_CODES.splitlines()[1:]:
        assert line in text


def test_help_imports_nothing_heavy():
    script = (
        "import sys\n"
        "from sklearn_revdist._cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'pandas', 'sklearn', 'scipy', 'torch', 'tqdm'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_help_has_the_line_of_each_command(name, in_process):
    command = main.get_command(None, name)
    assert command.name == name
    assert _COMMANDS[name][2].endswith(".")
    assert command.help.splitlines()[0] in in_process(name, "--help").text


def test_every_option_has_a_help():
    for name in _COMMANDS:
        for parameter in main.get_command(None, name).params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)


def test_what_is_no_command_is_an_error_of_usage(revdist):
    ended = revdist("distil")
    assert ended.code == 2
    assert "No such command 'distil'" in ended.err
