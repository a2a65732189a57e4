"""What tests of commands share."""

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from sklearn_revdist.embedding import _checkpoints
from sklearn_revdist.utils._models import ESM2


@pytest.fixture
def assert_fails(revdist):
    """Run a command that ends with a code and one sentence, and leaves nothing but a store."""

    def check(*arguments, code, message):
        before = set(os.listdir())
        ended = revdist(*arguments)
        assert ended.code == code, ended.err
        assert message in ended.err
        assert "Traceback" not in ended.err
        assert ended.out == b""
        assert {f for f in os.listdir() if not f.endswith(".unfinished.sqlite")} == before

    return check


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
    write_checkpoint(folder / f"{ESM2[0].name}.pt", *ESM2[0][2:])
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{http.server_port}"
        monkeypatch.setattr(_checkpoints, "DOWNLOAD_ADDRESS", address)
        yield folder / f"{ESM2[0].name}.pt"
        http.shutdown()
        thread.join()
