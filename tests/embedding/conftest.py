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

    def counted(self, sequences, layers):
        lengths.extend(map(len, sequences))
        return forward(self, sequences, layers)

    monkeypatch.setattr(_inference.ESM2, "forward", counted)
    return lengths


@pytest.fixture
def models(monkeypatch):
    """An empty cache in place of the process's."""
    models = _inference._Models(max_models=3)
    monkeypatch.setattr(_inference, "_models", models)
    return models


@pytest.fixture
def loads(models, monkeypatch):
    """Names of the models that are loaded into an empty cache."""
    names = []
    read = _inference.read_checkpoint
    monkeypatch.setattr(
        _inference, "read_checkpoint", lambda path, *m: names.append(path.stem) or read(path, *m)
    )
    return names
