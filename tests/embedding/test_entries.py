"""Entries of ESM-2: what they say of a model before and after it is loaded."""

import torch

from sklearn_revdist.embedding._checkpoints import locate
from sklearn_revdist.embedding._entries import ESM2Entry
from sklearn_revdist.utils._models import DEMO, ESM2


def test_the_shape_of_a_published_model_needs_no_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    entries = [ESM2Entry(model) for model in ESM2]
    assert [entry.shape() for entry in entries] == [(m.n_layers, m.width) for m in ESM2]
    assert all(entry.is_published for entry in entries)


def test_a_checkpoint_says_what_it_holds(tmp_path):
    file = tmp_path / "mine.pt"
    file.write_bytes(locate(DEMO[0]).read_bytes())
    entry = ESM2Entry(file)
    assert (entry.name, entry.shape(), entry.files()) == ("mine", (3, 48), [file])
    assert not entry.is_published
    model = entry.load(torch.device("cpu"), torch.float32)
    assert (model.n_layers, model.width, model.is_packed, model.max_residues) == (3, 48, True, None)
