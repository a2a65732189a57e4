"""What was found in a file is known as long as nothing of its state has changed."""

import hashlib
import os
import time

import pytest

from sklearn_revdist.utils import _file_states
from sklearn_revdist.utils._file_states import FileState, file_digest, found_once


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file, in a process that takes the times of files to be exact."""
    monkeypatch.setattr(_file_states, "_RACY_NS", 0)
    path = tmp_path / "file"
    path.write_bytes(b"before")
    return path


def write_anew(path):
    """In the same file, until the clock of the file system has gone on."""
    state = path.stat()
    while path.stat().st_ctime_ns == state.st_ctime_ns:
        path.write_bytes(b"behind")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def put_another_in_its_place(path):
    state = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"behind")
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(path)


def lead_a_link_elsewhere(path):
    path.rename(path.with_name("old"))
    path.with_name("new").write_bytes(b"behind")
    path.symlink_to(path.with_name("new"))


@pytest.mark.parametrize("change", [write_anew, put_another_in_its_place, lead_a_link_elsewhere])
def test_a_change_that_leaves_size_and_time_is_noticed(path, change):
    before = FileState.of(path)
    assert file_digest(path) == hashlib.sha256(b"before").hexdigest()
    change(path)
    after = FileState.of(path)
    assert before != after
    assert before.size == after.size
    assert file_digest(path) == hashlib.sha256(b"behind").hexdigest()


def test_what_is_found_is_looked_for_once(path, tmp_path):
    known, calls = {}, []
    link = tmp_path / "link"
    link.symlink_to(path)
    for file in (path, path, link, tmp_path / "x" / ".." / path.name):
        (tmp_path / "x").mkdir(exist_ok=True)
        assert found_once(known, [file], lambda: calls.append(1)) is None
    assert len(calls) == 1
    other = tmp_path / "other"
    other.touch()
    for _ in range(2):
        found_once(known, [path, other], lambda: calls.append(1))
    assert len(calls) == 2


def test_errors_are_not_remembered(path):
    known = {}
    with pytest.raises(ZeroDivisionError):
        found_once(known, [path], lambda: 1 / 0)
    assert found_once(known, [path], lambda: 1) == 1


def test_of_a_file_that_has_just_changed_nothing_is_remembered(path, monkeypatch):
    """It could change again within the resolution of its times."""
    monkeypatch.setattr(_file_states, "_RACY_NS", 2 * 10**9)
    state = FileState.of(path)
    monkeypatch.setattr(time, "time_ns", lambda: state.ctime_ns + 2 * 10**9)
    assert not state.is_settled()
    known = {}
    assert [found_once(known, [path], iter([1, 2]).__next__) for _ in range(2)] == [1, 1]
    assert known == {}
    monkeypatch.setattr(time, "time_ns", lambda: state.ctime_ns + 2 * 10**9 + 1)
    assert state.is_settled()
    # the time that a person may set says nothing of it
    later = state._replace(mtime_ns=state.ctime_ns + 10)
    assert not later.is_settled()


def test_of_a_file_that_changes_while_it_is_read_nothing_is_remembered(path):
    known = {}

    def find():
        put_another_in_its_place(path)
        return path.read_bytes()

    found_once(known, [path], find)
    assert known == {}
