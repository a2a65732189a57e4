"""Fetchers, against a server of this machine: interrupted, resumed, checked, put in place whole."""

import hashlib
import io
import zipfile

import pytest

import sklearn_revdist.tasks._proteingym as fetchers
from sklearn_revdist import fetch_proteingym, read_tasks

SCAN = "mutant,mutated_sequence,DMS_score\n" + "".join(
    f"M1{a},{a}KT,{i}\n" for i, a in enumerate("ACDE")
)


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def archive():
    return zipped(
        {
            "DMS_ProteinGym_substitutions/ONE.csv": SCAN,
            "DMS_ProteinGym_substitutions/TWO.csv": SCAN,
            "DMS_ProteinGym_substitutions/README.md": "not needed",
            "__MACOSX/DMS_ProteinGym_substitutions/._ONE.csv": "not needed",
        }
    )


@pytest.fixture
def serve(file_server, archive):
    """A server whose only file is the archive."""
    file_server.content = archive
    return file_server


@pytest.fixture
def fetch(serve, tmp_path):
    def fetch(**settings):
        return fetch_proteingym(data_home=tmp_path, **{"url": serve.url, "delay": 0, **settings})

    return fetch


def test_what_is_fetched_can_be_read_as_tasks(fetch, serve, archive):
    data = fetch()
    assert data.filenames == ["ONE.csv", "TWO.csv"]
    assert data.sha256 == hashlib.sha256(archive).hexdigest()
    assert data.url == serve.url
    assert "Notin" in data.DESCR
    assert [task.name for task in read_tasks(data.path)] == ["ONE", "TWO"]


def test_it_is_downloaded_once(fetch, serve, tmp_path):
    with pytest.raises(OSError, match="There is no ProteinGym in"):
        fetch(download_if_missing=False)
    assert serve.ranges == []
    first = fetch()
    assert fetch(download_if_missing=False) == first
    assert serve.ranges == [None]
    kept = sorted(path.suffix for path in tmp_path.iterdir())
    assert kept == ["", ".sha256"]  # neither the archive nor parts


def test_a_download_that_breaks_off_is_resumed(fetch, serve, archive):
    serve.breaks = [100, 50]
    with pytest.warns(UserWarning, match="it ended after 1[05]0 of") as caught:
        data = fetch()
    assert {warning.filename for warning in caught} == {__file__}
    assert serve.ranges == [None, "bytes=100-", "bytes=150-"]
    assert data.sha256 == hashlib.sha256(archive).hexdigest()


def test_another_call_resumes_the_download(fetch, serve, archive):
    serve.breaks = [100]
    with pytest.raises(OSError, match=r"it ended after 100 of .* call again, which resumes the"):
        fetch(n_retries=0)
    assert fetch().sha256 == hashlib.sha256(archive).hexdigest()
    assert serve.ranges == [None, "bytes=100-"]


def test_an_archive_that_was_not_yet_unpacked_is_not_downloaded_again(fetch, serve, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fetchers, "_unpack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch()
    assert fetch().filenames == ["ONE.csv", "TWO.csv"]
    assert serve.ranges == [None]


def test_a_checksum_may_be_pinned(fetch, serve, archive, tmp_path):
    message = r"has the SHA-256 checksum .* not 0000.*, and was removed"
    with pytest.raises(ValueError, match=message):
        fetch(sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []
    pinned = hashlib.sha256(archive).hexdigest()
    assert fetch(sha256=pinned.upper()).sha256 == pinned


def test_an_address_without_the_archive_is_named(fetch, serve):
    serve.code = 404
    with pytest.raises(OSError, match=r"cannot be downloaded \(.*404.*\); check the address\.$"):
        fetch()
    assert serve.ranges == [None]


def test_without_a_network_the_error_says_what_to_do(tmp_path):
    with pytest.raises(OSError, match=r"check the network .* copy a folder of scans"):
        fetch_proteingym(data_home=tmp_path, url="http://127.0.0.1:9/p.zip", n_retries=0)
    with pytest.raises(ValueError, match="not a web address"):
        fetch_proteingym(data_home=tmp_path, url="file:///etc/passwd")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"../ONE.csv": SCAN}, r"path '\.\./ONE\.csv', which leads elsewhere"),
        ({"/ONE.csv": SCAN}, "leads elsewhere"),
        ({"a\\..\\..\\ONE.csv": SCAN}, "leads elsewhere"),
        ({"a/ONE.csv": SCAN, "b/ONE.csv": SCAN}, "two tables named 'ONE.csv'"),
        ({"README.md": "x"}, r"it has no \.csv"),
    ],
)
def test_an_archive_that_is_not_to_be_trusted_is_removed(fetch, serve, tmp_path, files, message):
    serve.content = zipped(files)
    with pytest.raises(ValueError, match=message):
        fetch()
    assert list(tmp_path.rglob("*")) == []


def test_a_damaged_archive_is_removed(fetch, serve, archive, tmp_path):
    for content in (b"no zip at all", archive.replace(SCAN[:4].encode(), b"")[:-10]):
        serve.content = content
        with pytest.raises(ValueError, match="was not unpacked"):
            fetch()
        assert list(tmp_path.iterdir()) == []


def test_sizes_are_bounded(fetch, serve, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(fetchers, "_LARGEST_FOLDER", 100)
    with pytest.raises(ValueError, match="unpacks to more than 8 GiB"):
        fetch()
    monkeypatch.setattr(fetchers, "_LARGEST_ARCHIVE", 100)
    with pytest.raises(ValueError, match="larger than 100 bytes; check the address"):
        fetch()
    assert list(tmp_path.iterdir()) == []
