"""Downloads from a server of this machine: interrupted, resumed, refused, put in place whole."""

import errno
import socket
from urllib.error import HTTPError

import pytest

from sklearn_revdist.utils import _download
from sklearn_revdist.utils._download import download, is_refusal

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def server(file_server):
    file_server.content = CONTENT
    return file_server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "folder" / "weights.pt"


def names(target):
    return [path.name for path in target.parent.iterdir()]


def test_the_file_is_the_same_and_nothing_else_stays(server, target, capfd):
    download(server.url, target)
    assert target.read_bytes() == CONTENT
    assert names(target) == ["weights.pt"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_what_breaks_off_is_resumed_if_the_server_sends_parts(server, target, takes_ranges):
    server.breaks, server.takes_ranges = [100, 50], takes_ranges
    with pytest.warns(UserWarning, match=r"it ended after 1?[05]0 of 1024 bytes; trying again\."):
        download(server.url, target, delay=0)
    assert server.ranges == ([None, "bytes=100-", "bytes=150-"] if takes_ranges else [None] * 3)
    assert target.read_bytes() == CONTENT


def test_another_call_resumes(server, target):
    server.breaks = [100]
    with pytest.raises(OSError, match=r"^it ended after 100 of 1024 bytes$"):
        download(server.url, target, n_retries=0)
    assert names(target) == ["weights.pt.part"]
    download(server.url, target)
    assert server.ranges == [None, "bytes=100-"]
    assert target.read_bytes() == CONTENT
    assert names(target) == ["weights.pt"]


def test_a_part_longer_than_the_file_is_begun_anew(server, target):
    target.parent.mkdir()
    target.with_name("weights.pt.part").write_bytes(2 * CONTENT)
    with pytest.warns(UserWarning, match="the file has changed"):
        download(server.url, target, delay=0)
    assert target.read_bytes() == CONTENT


def test_two_downloads_at_once_do_not_write_to_one_file(server, target):
    server.breaks = [100]
    with pytest.raises(OSError, match="ended"):
        download(server.url, target, n_retries=0)

    def while_another(part):
        assert part.read_bytes() == CONTENT
        if len(server.ranges) == 2:
            download(server.url, target, check=while_another)

    download(server.url, target, check=while_another)
    assert server.ranges == [None, "bytes=100-", None]
    assert names(target) == ["weights.pt"]


def test_an_interruption_by_the_user_keeps_the_part(server, target):
    def interrupt(part):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.url, target, check=interrupt)
    assert names(target) == ["weights.pt.part"]


def test_what_is_not_as_it_should_be_is_removed(server, target):
    def refuse(part):
        raise ValueError("no weights")

    with pytest.raises(ValueError, match="no weights"):
        download(server.url, target, check=refuse)
    with pytest.raises(ValueError, match="is larger than 1,023 bytes"):
        download(server.url, target, largest=1023)
    assert names(target) == []
    download(server.url, target, largest=1024)


@pytest.mark.parametrize(("code", "n_requests"), [(404, 1), (403, 1), (429, 3), (500, 3), (503, 3)])
@pytest.mark.filterwarnings("ignore:.*trying again:UserWarning")
def test_only_a_busy_server_is_tried_again(server, target, code, n_requests):
    server.code = code
    with pytest.raises(OSError, match=str(code)) as error:
        download(server.url, target, n_retries=2, delay=0)
    assert len(server.ranges) == n_requests
    assert isinstance(error.value, HTTPError) == is_refusal(error.value) == (n_requests == 1)
    assert names(target) == []


def test_what_never_began_is_not_tried_again(target, monkeypatch, recwarn):
    monkeypatch.setattr(_download, "_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OSError, match="timed"):
        download(f"http://127.0.0.1:{silent.getsockname()[1]}/x", target)
    with pytest.raises(OSError, match="refused"):
        download("http://127.0.0.1:9/x", target)
    assert not recwarn.list
    assert names(target) == []


def test_a_full_disk_is_an_error_of_its_own(server, target, limited_files):
    with limited_files(600), pytest.raises(OSError, match="File too large") as error:
        download(server.url, target, delay=0)
    assert error.value.errno == errno.EFBIG
    assert server.ranges == [None]


def test_progress_counts_from_what_is_here(server, target, capsys, monkeypatch):
    monkeypatch.setattr("sklearn_revdist.utils._progress._QUICK", 0)
    server.breaks = [512]
    with pytest.warns(UserWarning, match="trying again"):
        download(server.url, target, delay=0, verbose=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("weights.pt: 50 % of 1.02kB, ")
    assert lines[-1].startswith("weights.pt: 100 % of 1.02kB, ")
