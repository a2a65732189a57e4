"""The path of a store, what models are given, and which are loaded."""

import pytest

from sklearn_revdist.embedding import _esm2, _inference
from sklearn_revdist.embedding._entries import ESM2Entry


@pytest.fixture
def path(tmp_path):
    """Where a store may be made."""
    return tmp_path / "store.sqlite"


@pytest.fixture
def embedded(monkeypatch):
    """Lengths of the sequences that models are given."""
    lengths = []
    forward = _esm2.ESM2.forward

    def counted(self, sequences, layers):
        lengths.extend(map(len, sequences))
        return forward(self, sequences, layers)

    monkeypatch.setattr(_esm2.ESM2, "forward", counted)
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
    load = ESM2Entry.load
    monkeypatch.setattr(
        ESM2Entry, "load", lambda entry, *how: names.append(entry.name) or load(entry, *how)
    )
    return names
