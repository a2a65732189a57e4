"""Weights that are missing: what commands say of them, and when."""

import shutil
from types import SimpleNamespace

import pytest

from sklearn_revdist.cli._endings import MISSING, OUTPUT
from sklearn_revdist.cli._weights import about, spelled_size
from sklearn_revdist.embedding import _checkpoints
from sklearn_revdist.utils._models import ESM2

FILE = f"{ESM2[0].name}.pt"


def test_a_command_announces_its_download_unless_it_is_to_be_quiet(in_process, served, hub):
    ask = ("score", "--all-singles", "--reference", "MKT", "-m", "8M")
    first = in_process(*ask)
    assert first.code == 0, first.err
    assert first.err.startswith("Weights are missing and are downloaded now.\n1 file, about 30 MB")
    (hub / FILE).unlink()
    assert in_process(*ask, "-q").err == ""


def test_without_a_network_the_error_says_how_to_go_on(in_process, hub, tmp_path):
    (tmp_path / "x.fasta").write_text(">a\nMKT\n")
    for command in (("download",), ("embed", "x.fasta", "-o", "x.npy"), ("verify",)):
        ended = in_process(*command, "-m", "35M", "-q")
        assert ended.code == MISSING
        assert f"The weights of 8M ({FILE}) are not on this machine" in ended.err
        assert "`revdist download -m 35M`" in ended.err
        assert "-m demo needs no download" in ended.err
        assert ended.err.count("\n") == 1
    assert not (tmp_path / "x.npy").exists()


def test_features_that_need_no_model_need_no_weights(in_process, hub, tmp_path):
    rows = [f"{letter}KTAYIAKQR,{i / 10}" for i, letter in enumerate("ACDEFGHIKLMNPQRSTVWY")]
    (tmp_path / "x.csv").write_text("\n".join(["sequence,y", *rows]))
    line = ("train", "x.csv", "--target", "y", "-o", "x.model", "-m", "8M", "--features")
    assert in_process(*line, "mean", "-q").code == MISSING
    ended = in_process(*line, "one_hot", "-q")
    assert ended.code == 0, ended.err


def test_a_disk_without_room_is_refused_before_the_download(in_process, hub, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    ended = in_process("download", "-m", "15B")
    assert ended.code == OUTPUT
    assert "has 1.0 GB free, but the weights take about 39 GB; make room" in ended.err


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
