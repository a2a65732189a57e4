"""The command `revdist download`, and what commands do where weights are missing."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import torch

from sklearn_revdist.cli._console import MISSING, OUTPUT
from sklearn_revdist.cli._weights import about, spelled_size
from sklearn_revdist.embedding import _checkpoints
from sklearn_revdist.utils._models import DEMO, ESM2

FILE = f"{ESM2[0].name}.pt"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """fair-esm's cache, empty like Hugging Face's, and an address that refuses connections."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(_checkpoints, "DOWNLOAD_ADDRESS", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def served(tmp_path, monkeypatch, cache, write_checkpoint):
    """The smallest model of ESM-2, random, at the download address."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    folder = tmp_path / "served"
    write_checkpoint(folder / FILE, *ESM2[0][2:])
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{http.server_port}"
        monkeypatch.setattr(_checkpoints, "DOWNLOAD_ADDRESS", address)
        yield folder / FILE
        http.shutdown()
        thread.join()


def test_what_is_missing_is_announced_and_downloaded_and_what_is_there_is_not(
    in_process, served, cache
):
    ended = in_process("download", "-m", "8m")
    assert ended.code == 0, ended.err
    assert ended.err.splitlines() == [
        f"1 file, about 30 MB in all, from {_checkpoints.DOWNLOAD_ADDRESS} to {str(cache)!r}:",
        f"  {FILE} (8M), about 30 MB",
    ]
    assert ended.text.split() == ["8M", "30", "MB", "downloaded", str(cache / FILE)]
    assert (cache / FILE).read_bytes() == served.read_bytes()
    served.unlink()
    again = in_process("download", "-m", "8M")
    assert (again.code, again.err) == (0, "")
    assert again.text.split()[3:5] == ["already", "here"]


def test_a_dry_run_only_says_what_it_would_do(in_process, cache):
    ended = in_process("download", "-m", "35M", "--dry-run", "--json")
    assert ended.code == 0, ended.err
    assert ended.err.startswith("2 files, about 160 MB in all, from ")
    assert [(row["model"], row["status"]) for row in ended.json["models"]] == [
        ("8M", "missing"),
        ("35M", "missing"),
    ]
    assert not cache.exists()


def test_a_command_announces_its_download_unless_it_is_to_be_quiet(in_process, served, cache):
    ask = ("score", "--all-singles", "--reference", "MKT", "-m", "8M")
    first = in_process(*ask)
    assert first.code == 0, first.err
    assert first.err.startswith("Weights are missing and are downloaded now.\n1 file, about 30 MB")
    (cache / FILE).unlink()
    assert in_process(*ask, "-q").err == ""


def test_without_a_network_the_error_says_how_to_go_on(in_process, cache, tmp_path):
    (tmp_path / "x.fasta").write_text(">a\nMKT\n")
    for command in (("download",), ("embed", "x.fasta", "-o", "x.npy"), ("verify",)):
        ended = in_process(*command, "-m", "35M", "-q")
        assert ended.code == MISSING
        assert f"The weights of 8M ({FILE}) are not on this machine" in ended.err
        assert "`revdist download -m 35M`" in ended.err
        assert "-m demo needs no download" in ended.err
        assert ended.err.count("\n") == 1
    assert not (tmp_path / "x.npy").exists()


def test_a_disk_without_room_is_refused_before_the_download(in_process, cache, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    ended = in_process("download", "-m", "15B")
    assert ended.code == OUTPUT
    assert "has 1.0 GB free, but the weights take about 39 GB; make room" in ended.err


def test_bundled_models_are_there_and_others_are_not_downloaded(in_process, tmp_path, tiny):
    ended = in_process("download", "-m", "demo")
    assert [line.split()[0] for line in ended.text.splitlines()] == [m.short for m in DEMO]
    for model in (tiny, "hf:a/b"):
        assert in_process("download", "-m", model).code == 2


@pytest.mark.parametrize(
    ("n_bytes", "exact", "rough"),
    [
        (200_899, "0.2 MB", "0.2 MB"),
        (593_000_000, "593.0 MB", "590 MB"),
        (30.2e9, "30.2 GB", "30 GB"),
    ],
)
def test_sizes(n_bytes, exact, rough):
    assert (spelled_size(n_bytes), about(n_bytes)) == (exact, rough)


def test_sizes_before_the_download_are_those_of_the_parameters():
    """In millions of bytes; what fair-esm's files hold beside these is less than 2 %."""
    sizes = [round(_checkpoints.download_size(model) / 1e6) for model in ESM2]
    assert sizes == [30, 134, 591, 2602, 5675, 30251]
