"""Chains: names in whatever case, what may be meant by others, and what is refused at once."""

from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from sklearn_revdist.cli._chains import chain_of, names_like
from sklearn_revdist.cli._main import main


@pytest.mark.parametrize(
    ("asked", "chain"),
    [
        (["650m"], "650M"),
        (["DEMO"], "demo"),
        (["Demo-48"], "demo-48"),
        (["ESM2_T6_8M_ur50d", "facebook/esm2_t12_35M_UR50D"], ["8M", "35M"]),
        (["hf:a/b", "8m"], ["hf:a/b", "8M"]),
    ],
)
def test_models_are_named_in_whatever_case(asked, chain):
    assert chain_of(asked) == chain


def test_a_file_with_nearly_the_name_of_a_model_is_that_file(tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    Path("650m").write_bytes(tiny.read_bytes())
    assert chain_of(["650m"]) == [Path("650m")]
    assert chain_of(["650M"]) == "650M"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("650", " Did you mean 650M?"),
        ("ESM2-650M", " Did you mean 650M?"),
        ("esm2_t33_650M", " Did you mean 650M?"),
        ("demo160", " Did you mean demo-160?"),
        ("dmeo", " Did you mean demo?"),
        ("9B", ""),
        ("proteins.fasta", ""),
    ],
)
def test_what_is_nearly_a_model_is_asked_about(typed, meant):
    assert names_like(typed) == meant


@pytest.mark.parametrize(
    ("asked", "alone", "message"),
    [
        (["demo", "8M"], False, "demo is a whole chain; name a model of it, demo-48"),
        (["demo"], True, "demo is a whole chain; name a model of it, demo-48"),
        (["8M", "8m"], False, "-m 8M is given twice; leave one out"),
        (["650"], False, "there is no such file or folder. Did you mean 650M?"),
        (["nothing"], False, "`revdist models` lists the names"),
        (["facebook/esm2_t6_8M"], False, "check the path. Did you mean 8M?"),
    ],
)
def test_what_names_no_chain_is_refused(asked, alone, message):
    with pytest.raises(click.ClickException) as error:
        chain_of(asked, alone=alone)
    assert message in error.value.message


def completed(*words, incomplete=""):
    items = ShellComplete(main, {}, "revdist", "_REVDIST_COMPLETE").get_completions(
        list(words), incomplete
    )
    return [(item.type, item.value) for item in items]


def test_a_shell_completes_models_and_paths():
    names = ["demo", "demo-48", "demo-96", "demo-160", "8M", "35M", "150M", "650M", "3B", "15B"]
    for flag in ("-m", "--model"):
        assert [name for _, name in completed("embed", "x.fasta", flag)] == names
    assert completed("fit", "-m", incomplete="65") == [("plain", "650M")]
    assert completed("transform", "-n", incomplete="DEMO-1") == [("plain", "demo-160")]
    assert completed("download", "-m", incomplete="./x") == [("file", "./x")]
