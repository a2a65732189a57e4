"""The program `revdist`: its help, which needs nothing heavy, and its commands in order."""

import os
import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest

import sklearn_revdist
from sklearn_revdist.cli._endings import EXIT_CODES
from sklearn_revdist.cli._main import _COMMANDS, main


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_printed(in_process, flag):
    assert in_process(flag).text == f"revdist, version {sklearn_revdist.__version__}\n"


def test_help_has_a_short_flag_everywhere(in_process):
    assert in_process("-h").text == in_process("--help").text
    assert in_process("models", "-h").text == in_process("models", "--help").text


def test_the_package_runs_as_the_program(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["anything", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("sklearn_revdist", run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"revdist, version {sklearn_revdist.__version__}\n"


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
        "from sklearn_revdist.cli._main import main\n"
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
    assert _COMMANDS[name].endswith(".")
    assert command.help.splitlines()[0] in in_process(name, "--help").text


def test_every_option_has_a_help():
    for name in _COMMANDS:
        for parameter in main.get_command(None, name).params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("embd", " Did you mean embed?"),
        ("Fit", " Did you mean fit?"),
        ("distil", ""),
        ("help", " Did you mean --help?"),
    ],
)
def test_an_unknown_command_is_an_error_of_usage(revdist, typed, meant):
    ended = revdist(typed)
    assert ended.code == 2
    assert f"No such command {typed!r}.{meant}\n" in ended.err


def test_flags_mean_the_same_in_all_commands():
    flags = {"-m": "--model", "-n": "--n-components", "-o": "--output", "-q": "--quiet"}
    helps = {"--quiet": set(), "--device": set(), "--dtype": set(), "--keep": set()}
    for name in _COMMANDS:
        options = [p for p in main.get_command(None, name).params if isinstance(p, click.Option)]
        for option in options:
            for flag in option.opts:
                assert flags.get(flag) in (None, *option.opts), name
                assert {flag, "-o"} <= {"--output", *option.opts} or flag != "--output", name
                if flag in helps and name != "verify":
                    helps[flag].add(option.help)
        assert {"--quiet", "--json"} <= {flag for option in options for flag in option.opts}, name
    assert {flag: len(texts) for flag, texts in helps.items()} == dict.fromkeys(helps, 1)


def _tour():
    """Commands of the page, each with what it says that they say."""
    page = (Path(__file__).parents[2] / "docs" / "command_line.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"^.. code-block:: console\n\n((?:   .*\n|\n)+)", page, re.MULTILINE)
    lines = "".join(blocks).replace("\n   ", "\n").strip().splitlines()
    commands = []
    for line in lines:
        if line.strip().startswith("$ "):
            commands.append((line.strip()[2:], []))
        elif line.strip():
            commands[-1][1].append(line.strip())
    return commands


def test_the_commands_of_the_tour_are_commands(in_process):
    shown = {word for command, _ in _tour() for word in re.findall(r"revdist (\w+)", command)}
    assert {"embed", "fit", "info", "transform"} <= shown <= set(_COMMANDS)
    for command, _ in _tour():
        for name, options in re.findall(r"revdist (\w+)([^;|]*)", command):
            known = {o for p in main.get_command(None, name).params for o in p.opts}
            assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", options)) <= known, command


@pytest.mark.slow
def test_the_tour_says_what_the_commands_say(tmp_path, monkeypatch):
    """In its order, but for the interruption, whose moment depends on the machine."""
    page = (Path(__file__).parents[2] / "docs" / "command_line.rst").read_text(encoding="utf-8")
    files = re.search(r"code-block:: python\n\n((?:   .*\n|\n)+)", page)[1]
    monkeypatch.chdir(tmp_path)
    exec(textwrap.dedent(files), {})
    program = tmp_path / "revdist"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sklearn_revdist "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (made,) = {c for c, _ in _tour() if "-o residues.parquet" in c and "timeout" not in c}
    subprocess.run(["bash", "-c", made], check=True, capture_output=True)
    for command, expected in _tour():
        if "-o residues.parquet" in command or command.startswith("ls"):
            continue
        process = subprocess.run(
            ["bash", "-c", f"({command}) 2>&1"], capture_output=True, text=True
        )
        found = [line.strip() for line in process.stdout.splitlines() if line.strip()]
        found = [line for line in found if not re.search(r"\d0 % of .* elapsed", line)]
        # numbers are rounded differently elsewhere, and versions and times are others
        words = [
            [re.sub(r"[\d.]+(\.dev0)?", "0", line) for line in said] for said in (found, expected)
        ]
        assert words[0] == words[1], command
