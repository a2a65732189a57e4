"""Files that are read and written are checked before the work; standard ones are files, too."""

import io
import os
import threading
from contextlib import nullcontext
from pathlib import Path

import click
import pytest

from sklearn_revdist.cli import _paths
from sklearn_revdist.cli._endings import INPUT, OUTPUT, failing
from sklearn_revdist.cli._paths import (
    STDIO,
    checked_path,
    file_only,
    folder_only,
    local_copy,
    local_output,
    readable,
    refuse_input,
    store_only,
    writable,
)


def test_a_path_that_is_not_given_is_not_checked(run):
    def check(path):
        raise click.BadParameter(f"{path} is checked.")

    for given, said in (([], ""), (["--file", "x"], "Invalid value for '--file': x is checked.")):

        @click.option("--file", **checked_path(check))
        def command(file):
            assert file is None

        assert said in run(command, *given).stderr


def test_standard_input_can_be_read_twice(run):
    def command():
        with local_copy(STDIO) as path:
            assert path.read_bytes() == path.read_bytes() == b">a\nMKT\n"
        assert not path.exists()

    assert run(command, input=b">a\nMKT\n").exit_code == 0


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "x.csv"])
def test_an_error_about_a_copy_names_what_was_copied(run, tmp_path, name, monkeypatch):
    said = "Standard input" if name != "x.csv" else repr(str(tmp_path / name))
    path = Path(name) if name != "x.csv" else tmp_path / name
    if name == "x.csv":
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=(b"MKT",))
        writer.start()
    elif name == "/dev/stdin":
        monkeypatch.setattr(Path, "is_file", lambda path: False)
        monkeypatch.setattr(_paths, "_stream", lambda path: nullcontext(io.BytesIO(b"MKT")))

    def command():
        with local_copy(path) as copy, failing(INPUT):
            assert copy.read_bytes() == b"MKT"
            assert copy.suffix == path.suffix
            raise ValueError(f"{str(copy)!r} is damaged.")

    result = run(command, input=b"MKT")
    assert (result.exit_code, result.stderr) == (INPUT, f"Error: {said} is damaged.\n")


def test_a_path_is_its_own_copy(tmp_path):
    with local_copy(tmp_path / "x") as path, local_output(tmp_path / "y") as target:
        assert (path, target) == (tmp_path / "x", tmp_path / "y")


def test_standard_output_gets_all_or_nothing(run):
    def command(fail):
        with local_output(STDIO) as path:
            path.write_bytes(b"\x00\xff")
            if fail:
                raise click.ClickException("It failed.")

    assert run(lambda: command(fail=False)).stdout_bytes == b"\x00\xff"
    assert run(lambda: command(fail=True)).stdout_bytes == b""


def test_outputs_that_cannot_be_written_are_refused_before_the_work(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for path, message in [
        (tmp_path / "nowhere" / "x", "There is no folder"),
        (tmp_path, "is a folder; name a file"),
        (tmp_path / "pipe", "is not a file; use - for standard output"),
    ]:
        with pytest.raises(click.ClickException, match=message) as caught:
            writable(path)
        assert caught.value.exit_code == OUTPUT
    assert writable(STDIO) == STDIO
    assert writable(tmp_path / "x") == tmp_path / "x"
    (tmp_path / "old").touch(0o444)
    with pytest.raises(click.ClickException, match="old' is read-only; choose another") as caught:
        writable(tmp_path / "old")
    assert caught.value.exit_code == OUTPUT
    (tmp_path / "old").chmod(0o644)
    assert writable(tmp_path / "old") == tmp_path / "old"
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(click.ClickException, match="is not writable; choose another"):
        writable(tmp_path / "x")


def test_folders_files_and_stores_are_checked_before_the_work(tmp_path, monkeypatch):
    file = tmp_path / "x"
    file.write_text("text")
    (tmp_path / "s.sqlite").write_bytes(b"SQLite format 3\0 and more")
    for path in (tmp_path, tmp_path / "new" / "folder"):
        assert folder_only(path) == path
    for path in (tmp_path / "s.sqlite", tmp_path / "new.sqlite"):
        assert store_only(path) == path
    for check, path, message in [
        (folder_only, file, "x' is a file; name a folder"),
        (folder_only, file / "in", "x' is a file; name a folder"),
        (store_only, file, "x' is not a SQLite file; choose another"),
        (store_only, tmp_path, "is a folder; name a file"),
        (file_only, tmp_path / "no" / "x", "There is no folder"),
    ]:
        with pytest.raises(click.ClickException, match=message) as caught:
            check(path)
        assert caught.value.exit_code == OUTPUT
    with pytest.raises(click.BadParameter, match="'-' is standard output"):
        file_only(STDIO)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(click.ClickException, match="is not writable; choose another"):
        folder_only(tmp_path / "new")


def test_what_is_read_is_not_written_over(tmp_path):
    file = tmp_path / "x"
    file.touch()
    (tmp_path / "link").symlink_to(file)
    refuse_input(tmp_path / "new", file)
    refuse_input(STDIO, file)
    refuse_input(file, None, tmp_path / "new")
    for path in (file, tmp_path / "link"):
        with pytest.raises(click.UsageError, match=r"is read, .*; name another file \(-o\)"):
            refuse_input(path, tmp_path / "new", file)


def test_inputs_that_cannot_be_read_are_refused_before_the_work(tmp_path, monkeypatch):
    there = tmp_path / "x"
    there.touch()
    for value in ((), there, (there, tmp_path)):
        assert readable(value) == value
    for value in (tmp_path / "none", (there, tmp_path / "none")):
        with pytest.raises(click.ClickException, match=r"no file or folder .*none'") as caught:
            readable(value)
        assert caught.value.exit_code == INPUT
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read anything
    with pytest.raises(click.ClickException, match="x' may not be read by this user") as caught:
        readable(there)
    assert caught.value.exit_code == INPUT
