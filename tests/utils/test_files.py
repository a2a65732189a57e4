"""Files that appear when they are complete."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sklearn_revdist.utils._files import local_path, replaced


def test_the_old_file_is_there_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with replaced(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == tmp_path
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_after_an_error_the_old_file_is_as_it_was_and_alone(tmp_path, error):
    path = tmp_path / "x"
    path.write_text("old")

    def write():
        with replaced(path) as partial:
            partial.write_text("half of")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_of_a_link_the_file_is_replaced_and_not_the_link(tmp_path):
    (tmp_path / "target").write_text("old")
    link = tmp_path / "link"
    link.symlink_to("target")
    with replaced(link) as partial:
        partial.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_not_a_file_is_left_as_it_is(tmp_path, make):
    make(tmp_path / "x")
    before = (tmp_path / "x").stat()
    with pytest.raises(OSError, match="is not a file and cannot be replaced"):
        replaced(tmp_path / "x").__enter__()
    assert (tmp_path / "x").stat().st_mode == before.st_mode


def test_paths_where_no_file_can_be_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'; make it first\.$"):
        replaced(tmp_path / "nowhere" / "x").__enter__()
    with pytest.raises(ValueError, match=r"'.*a\\x00b' holds a NUL character; give another\.$"):
        replaced(tmp_path / "a\0b").__enter__()
    assert os.listdir(tmp_path) == []


def test_two_writers_do_not_mix(tmp_path):
    path = tmp_path / "x"
    script = (
        "import pathlib, sys\n"
        "from sklearn_revdist.utils._files import replaced\n"
        "for _ in range(50):\n"
        "    with replaced(pathlib.Path(sys.argv[1])) as partial:\n"
        "        partial.write_text(sys.argv[2] * 100_000)\n"
    )
    path.write_text("0" * 100_000)
    writers = [subprocess.Popen([sys.executable, "-c", script, path, who]) for who in "12"]
    while any(writer.poll() is None for writer in writers):
        text = path.read_text()
        assert len(text) == 100_000
        assert len(set(text)) == 1
        time.sleep(0.01)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert os.listdir(tmp_path) == ["x"]


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert local_path("~/x") == tmp_path / "x"
    assert local_path(Path("~", "x")) == tmp_path / "x"
    for path in ("x/~", "./~", "/~/x", "~nobody-of-this-name/x"):
        assert local_path(path) == Path(path)
