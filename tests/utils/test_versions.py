"""`show_versions` reports what is installed, and says what is not."""

import re
from importlib.metadata import PackageNotFoundError, requires, version

import pytest

import sklearn_revdist
from sklearn_revdist import show_versions
from sklearn_revdist.utils import _versions


def test_versions_are_the_installed_ones(capsys):
    show_versions()
    printed = capsys.readouterr().out
    for name in ("numpy", "scikit-learn", "torch", "fair-esm"):
        assert re.search(rf"^  {name} +{re.escape(version(name))}$", printed, re.MULTILINE)
    assert re.search(rf"^  sklearn_revdist +{sklearn_revdist.__version__}$", printed, re.MULTILINE)
    assert re.search(r"^  blas .*threads: \d+", printed, re.MULTILINE)


def test_every_dependency_of_users_is_listed_once():
    listed = [name for name, _ in _versions._dependencies()]
    declared = {
        re.match(r"[\w.-]+", requirement)[0]
        for requirement in requires("sklearn-revdist")
        if not re.search("extra == .(test|docs)", requirement)
    }
    assert sorted(listed) == sorted(declared)


def test_a_package_that_is_missing_is_reported(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_versions, "version", missing)
    found = dict(_versions._dependencies())
    assert found["numpy"] == "not installed"
    assert re.fullmatch(r"not installed  \(extra \w+\)", found["h5py"])


def test_devices_are_named(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", "NVIDIA H{}00".format)
    devices = dict(_versions._torch())
    assert (devices["cuda:0"], devices["cuda:1"]) == ("NVIDIA H000", "NVIDIA H100")
