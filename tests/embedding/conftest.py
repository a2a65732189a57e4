"""The path of a store, what models are given, and which are loaded."""

import pytest

from sklearn_revdist.embedding import _inference


@pytest.fixture
def path(tmp_path):
    """Where a store may be made."""
    return tmp_path / "store.sqlite"


@pytest.fixture
def embedded(monkeypatch):
    """Lengths of the sequences that models are given."""
    lengths = []
    forward = _inference.ESM2.forward

    def counted(self, sequences):
        lengths.extend(map(len, sequences))
        return forward(self, sequences)

    monkeypatch.setattr(_inference.ESM2, "forward", counted)
    return lengths


@pytest.fixture
def loads(monkeypatch):
    """Names of the models that are loaded, into an empty cache."""
    names = []
    monkeypatch.setattr(_inference, "_models", _inference._Models(max_models=8))
    read = _inference.read_checkpoint
    monkeypatch.setattr(
        _inference,
        "read_checkpoint",
        lambda path, model: names.append(path.stem) or read(path, model),
    )
    return names
