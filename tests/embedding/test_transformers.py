"""Entries of transformers' models: their files, configurations and vocabularies."""

import json
import logging
import shutil
import sys

import huggingface_hub
import pytest
import torch
from families import FAMILIES, change, transformers

from sklearn_revdist.embedding._transformers import TransformersEntry

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "tiny.v1"
    folder.mkdir()
    FAMILIES["prot_bert"].make(folder)
    return folder


@pytest.fixture
def cached(tmp_path, monkeypatch, folder):
    """A repository in the cache, beyond which nothing can be reached."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    repository = cache / "models--owner--tiny"
    snapshot = repository / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(folder, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(snapshot.name)
    return snapshot


def test_an_entry_has_the_name_of_its_folder_or_repository(folder):
    assert TransformersEntry(folder).name == "tiny.v1"
    assert TransformersEntry("biohub/ESMC-300M-hf").name == "ESMC-300M-hf"


def test_the_shape_needs_only_the_configuration(cached):
    (cached / "model.safetensors").unlink()
    (cached / "tokenizer.json").unlink()
    assert TransformersEntry("owner/tiny").shape() == (3, 24)


def test_all_that_embeddings_depend_on_is_among_the_files(folder):
    (folder / "README.md").write_text("not one of them")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_text("neither is this")
    names = {path.name for path in TransformersEntry(folder).files()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not {"README.md", "model.onnx"} & names


def test_weights_in_parts_are_one_model(folder):
    model = transformers.BertModel.from_pretrained(folder)
    before = TransformersEntry(folder).load(CPU, torch.float32).model.state_dict()
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="10kB")
    parts = [p.name for p in TransformersEntry(folder).files() if p.suffix == ".safetensors"]
    assert len(parts) > 1
    after = TransformersEntry(folder).load(CPU, torch.float32).model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    (folder / parts[0]).unlink()
    with pytest.raises(FileNotFoundError, match=r"^There is no folder .*tiny\.v1' with a config"):
        TransformersEntry(folder).files()


def test_a_repository_is_read_from_the_cache(cached, folder):
    entry = TransformersEntry("owner/tiny")
    assert {path.parent for path in entry.files()} == {cached}
    one, other = (e.load(CPU, torch.float32).model for e in (entry, TransformersEntry(folder)))
    assert all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_a_file_that_has_changed_since_it_was_fetched_is_refused(cached):
    blob = cached.parent.parent / "blobs" / ("0" * 64)
    blob.parent.mkdir()
    (cached / "model.safetensors").rename(blob)
    (cached / "model.safetensors").symlink_to(blob)
    with pytest.raises(ValueError, match=r"model\.safetensors' is damaged: its hash is not 0000"):
        TransformersEntry("owner/tiny").load(CPU, torch.float32)


def test_what_is_not_there_says_where_it_may_come_from(cached, tmp_path):
    message = r"^Fetching 'owner/none' from Hugging Face failed .* give their folder, as in '\./f"
    with pytest.raises(FileNotFoundError, match=message):
        TransformersEntry("owner/none").shape()
    message = r"^There is no folder '.*nowhere' with a config\.json and model\.safetensors or pytor"
    with pytest.raises(FileNotFoundError, match=message):
        TransformersEntry(tmp_path / "nowhere").shape()


def test_code_of_a_repository_is_never_executed(folder, tmp_path):
    code = f"open({str(tmp_path / 'executed')!r}, 'w')"
    for name in ("configuration_amplify.py", "modeling_amplify.py"):
        (folder / name).write_text(code)
    auto = {"AutoConfig": "configuration_amplify.C", "AutoModel": "modeling_amplify.M"}
    change(folder, "config.json", model_type="AMPLIFY", auto_map=auto)
    entry = TransformersEntry(folder)
    with pytest.raises(ValueError, match=r"asks for code of its repository, which is never exec"):
        entry.shape()
    # of an architecture that transformers has, its own code is taken
    change(folder, "config.json", model_type="bert")
    assert entry.load(CPU, torch.float32).width == 24
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "fooformer"}, "is of the architecture 'fooformer', which this version of"),
        ({"model_type": None}, "is of the architecture None, which this version of transformers"),
        ({"hidden_size": "wide"}, "is not the configuration of an encoder of sequences"),
    ],
)
def test_other_configurations_are_refused(folder, values, message):
    change(folder, "config.json", **values)
    with pytest.raises(ValueError, match=rf"config\.json' {message}"):
        TransformersEntry(folder).shape()


def test_a_configuration_that_is_not_json_is_an_error(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json' is not JSON"):
        TransformersEntry(folder).shape()


def test_a_tokenizer_that_cannot_be_read_is_an_error(folder):
    (folder / "tokenizer.json").write_text(json.dumps({"model": "none"}))
    with pytest.raises(ValueError, match=r"^The tokenizer of tiny\.v1 in .* cannot be read"):
        TransformersEntry(folder).vocabulary()


def test_nothing_is_written_and_settings_stay(folder, capfd):
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity(logging.INFO)
    try:
        TransformersEntry(folder).load(CPU, torch.float32)
        assert transformers.logging.get_verbosity() == logging.INFO
        assert transformers.utils.logging.is_progress_bar_enabled()
    finally:
        transformers.logging.set_verbosity(level)
    assert capfd.readouterr() == ("", "")


def test_the_extra_is_named_where_it_is_missing(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    message = r'need transformers; install it with pip install "sklearn-revdist\[transformers\]"\.$'
    with pytest.raises(ImportError, match=message):
        TransformersEntry(folder).shape()
