"""Finding, downloading and reading checkpoint files."""

import argparse
import inspect
import pickle
import threading
import time
import zipfile
from pathlib import Path

import esm
import numpy as np
import pytest
import torch

from sklearn_revdist.embedding import _checkpoints, _esm2
from sklearn_revdist.embedding._checkpoints import locate, read_checkpoint
from sklearn_revdist.utils import _file_states
from sklearn_revdist.utils._models import DEMO, ESM2

SMALLEST = ESM2[0]


# --------------------------------------------------------------------------- reading


def test_shape_and_names_are_read(tiny):
    checkpoint = read_checkpoint(tiny)
    assert checkpoint[:5] == (tiny, 2, 24, 3, True)
    assert "layers.1.self_attn.q_proj.weight" in checkpoint.tensors
    assert "lm_head.dense.weight" in checkpoint.tensors
    assert not any(name.startswith("encoder") for name in checkpoint.tensors)


@pytest.mark.parametrize("writer", ["write_checkpoint", "hugging_face"])
def test_token_dropout_is_read(tmp_path, request, writer):
    path = request.getfixturevalue(writer)(tmp_path / "m", token_dropout=False)
    assert read_checkpoint(path).token_dropout is False


def test_names_without_a_prefix_are_taken_as_they_are(tmp_path, tiny, load):
    content, expected = load(tiny), read_checkpoint(tiny).tensors
    plain = {
        name.removeprefix("encoder.").removeprefix("sentence_encoder."): tensor
        for name, tensor in content["model"].items()
    }
    torch.save({**content, "model": plain}, tmp_path / "m.pt")
    found = read_checkpoint(tmp_path / "m.pt").tensors
    assert plain.keys() == found.keys() == expected.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_pickled_code_is_refused_and_not_run(tmp_path):
    path, target = tmp_path / "m.pt", tmp_path / "touched"
    torch.save({"cfg": Bomb(target), "model": {}}, path)
    with pytest.raises(ValueError, match=r"m\.pt' is not a checkpoint that can be read safely"):
        read_checkpoint(path)
    assert not target.exists()


def write_zip(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")


@pytest.mark.parametrize(
    "write",
    [
        lambda path, content: path.write_bytes(b""),
        lambda path, content: path.write_text("<html>404</html>"),
        lambda path, content: path.write_bytes(pickle.dumps({"cfg": 1})),
        write_zip,
        *(
            lambda path, content, kept=kept: path.write_bytes(content[: int(kept * len(content))])
            for kept in (0.1, 0.5, 0.99)
        ),
    ],
    ids=["empty", "html", "pickle", "zip", "tenth", "half", "nearly"],
)
def test_other_and_truncated_files_are_refused(tmp_path, tiny, write):
    path = tmp_path / "m.pt"
    write(path, tiny.read_bytes())
    with pytest.raises(ValueError, match=r"m\.pt' is not a checkpoint that can be read safely"):
        read_checkpoint(path)


def test_parts_that_are_compressed_are_refused_before_they_are_unpacked(
    tmp_path, tiny, monkeypatch
):
    monkeypatch.setattr(zipfile.ZipFile, "testzip", pytest.fail)
    with (
        zipfile.ZipFile(tiny) as stored,
        zipfile.ZipFile(tmp_path / "m.pt", "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in stored.namelist():
            archive.writestr(name, stored.read(name))
    with pytest.raises(ValueError, match="is not a checkpoint that can be read safely") as caught:
        read_checkpoint(tmp_path / "m.pt")
    assert "are not stored one after the other" in str(caught.value.__cause__)


def test_a_file_that_memory_has_no_room_for_is_not_called_damaged(tiny, monkeypatch):
    def load(*args, **kwargs):
        raise MemoryError("too large")

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(MemoryError, match="too large"):
        read_checkpoint(tiny)


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        ([1, 2], "TypeError"),
        ({"args": argparse.Namespace(arch="seq2seq"), "model": {}}, "KeyError .'cfg'"),
        ({"args": {}, "model": {}}, "KeyError .'cfg'"),
        ({"cfg": {"model": {"encoder_layers": 1}}, "model": {}}, "TypeError"),
        ({"cfg": {"model": argparse.Namespace()}, "model": {}}, "encoder_layers"),
    ],
)
def test_checkpoints_of_other_models_are_refused(tmp_path, content, missing):
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=rf"m\.pt' is not a checkpoint of an ESM-2 .*{missing}"):
        read_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("architecture", "model"),
    [
        ("protein_bert_base", "ESM-1"),
        ("roberta_large", "ESM-1b or ESM-1v"),
        ("msa_transformer", "the MSA Transformer"),
    ],
)
def test_models_before_esm2_are_named(tmp_path, tiny, load, architecture, model):
    tensors = load(tiny)["model"]
    content = {"args": argparse.Namespace(arch=architecture), "model": tensors}
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=rf"m\.pt' is not .* but of {model} \(.*'{architecture}'"):
        read_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize("value", [10**12, 0, -1])
@pytest.mark.parametrize("key", ["encoder_layers", "encoder_embed_dim", "encoder_attention_heads"])
def test_a_shape_that_does_not_fit_the_tensors_is_refused(tmp_path, tiny, key, value):
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = torch.load(tiny, weights_only=True)
    vars(content["cfg"]["model"])[key] = value
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=r"m\.pt' is not .*do not fit its tensors"):
        read_checkpoint(tmp_path / "m.pt")


def test_a_file_under_another_models_name_is_refused(tiny):
    with pytest.raises(ValueError, match=r"tiny\.pt' holds a model of 2 layers, width 24 .*8M"):
        read_checkpoint(tiny, SMALLEST)


@pytest.mark.parametrize("registered", [False, True])
def test_torchs_safe_globals_are_left_as_they_were(tiny, registered):
    with torch.serialization.safe_globals([argparse.Namespace] if registered else []):
        before = set(torch.serialization.get_safe_globals())
        read_checkpoint(tiny)
        assert set(torch.serialization.get_safe_globals()) == before
    assert (argparse.Namespace in before) is registered


def test_threads_take_turns_with_torchs_safe_globals(tiny, monkeypatch):
    reading, most = [], []
    load = torch.load

    def slow_load(*args, **kwargs):
        reading.append(1)
        time.sleep(0.02)
        most.append(len(reading))
        reading.pop()
        return load(*args, **kwargs)

    monkeypatch.setattr(torch, "load", slow_load)
    threads = [threading.Thread(target=read_checkpoint, args=(tiny,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


@pytest.mark.parametrize("setting", ["device", "fake"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_settings_of_torch_do_not_change_what_is_read(setting, kind, tmp_path, tiny, hugging_face):
    from torch._subclasses.fake_tensor import FakeTensorMode

    path = hugging_face(tmp_path / "m", rotary="missing") if kind == "folder" else tiny
    expected = read_checkpoint(path)
    with torch.device("meta") if setting == "device" else FakeTensorMode():
        found = read_checkpoint(path)
    assert found[:5] == expected[:5]
    for name, tensor in expected.tensors.items():
        torch.testing.assert_close(found.tensors[name], tensor, rtol=0, atol=0)


# --------------------------------------------------------------------------- finding


def test_a_path_is_taken_as_it_is(tiny):
    assert locate(tiny) is tiny


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*none\.pt'; correct"):
        locate(tmp_path / "none.pt")


def test_fair_esms_cache_is_used(hub, tiny):
    hub.mkdir(parents=True)
    cached = hub / f"{SMALLEST.name}.pt"
    cached.write_bytes(tiny.read_bytes())
    assert locate(SMALLEST) == cached


def test_bundled_files_come_first(hub, tmp_path, monkeypatch, tiny):
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    for folder in (hub, tmp_path / "bundled"):
        folder.mkdir(parents=True)
        for model in (SMALLEST, DEMO[0]):
            (folder / f"{model.name}.pt").write_bytes(tiny.read_bytes())
    assert locate(DEMO[0]) == tmp_path / "bundled" / f"{DEMO[0].name}.pt"
    assert locate(SMALLEST) == tmp_path / "bundled" / f"{SMALLEST.name}.pt"


@pytest.fixture
def repository(hub, tmp_path, hugging_face):
    """The smallest model's folder in Hugging Face's cache, with one revision."""
    folder = tmp_path / "hf" / f"models--facebook--{SMALLEST.name}"
    hugging_face(folder / "snapshots" / "c731")
    return folder


def test_hugging_faces_cache_is_used_after_fair_esms(repository, hub, tiny):
    assert locate(SMALLEST) == repository / "snapshots" / "c731"
    hub.mkdir(parents=True)
    (hub / f"{SMALLEST.name}.pt").write_bytes(tiny.read_bytes())
    assert locate(SMALLEST) == hub / f"{SMALLEST.name}.pt"


def test_the_main_revision_is_taken_if_it_is_complete(repository, hugging_face):
    main = repository / "snapshots" / "f00d"
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("f00d\n")
    for broken in (None, "config.json", "model.safetensors"):
        assert locate(SMALLEST) == repository / "snapshots" / "c731"
        if broken is None:
            main.mkdir()
        else:
            (main / broken).touch()
    assert locate(SMALLEST) == main


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "~/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/cache", "HF_HOME": "/hf"}, "/hf/hub"),
        ({"HF_HOME": "/hf", "HF_HUB_CACHE": "~/hub"}, "~/hub"),
    ],
)
def test_hugging_faces_cache_is_where_its_library_has_it(monkeypatch, variables, expected):
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _checkpoints._hub_cache() == Path(expected).expanduser()


def test_a_bundled_model_is_never_downloaded(server, tmp_path, monkeypatch, tiny):
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    (server / f"{DEMO[0].name}.pt").write_bytes(tiny.read_bytes())
    with pytest.raises(FileNotFoundError, match=r"'demo-48' is not at '.*'; reinstall"):
        locate(DEMO[0])


def test_download_into_the_cache(server, hub, tiny, capfd):
    (server / f"{SMALLEST.name}.pt").write_bytes(tiny.read_bytes())
    path = locate(SMALLEST)
    assert path == hub / f"{SMALLEST.name}.pt"
    assert path.read_bytes() == tiny.read_bytes()
    assert list(hub.iterdir()) == [path]
    assert capfd.readouterr().out == ""


def test_a_download_that_breaks_off_is_resumed(file_server, hub, tiny, monkeypatch):
    file_server.content, file_server.breaks = tiny.read_bytes(), [1000]
    address = file_server.url.removesuffix("/p.zip")
    monkeypatch.setattr(_checkpoints, "DOWNLOAD_ADDRESS", address)
    with pytest.warns(UserWarning, match="it ended after 1000 of .*; trying again"):
        path = locate(SMALLEST)
    assert path.read_bytes() == tiny.read_bytes()
    assert file_server.ranges == [None, "bytes=1000-"]


def test_what_is_not_a_checkpoint_is_not_kept(server, hub, tiny):
    (server / f"{SMALLEST.name}.pt").write_bytes(tiny.read_bytes()[:-1000])
    with pytest.raises(FileNotFoundError, match=r"failed \('.*' is not a checkpoint"):
        locate(SMALLEST)
    assert list(hub.iterdir()) == []


@pytest.mark.parametrize("reachable", [False, True])
def test_without_a_download_the_error_says_what_goes_where(request, hub, reachable):
    if reachable:
        request.getfixturevalue("server")  # that answers 404
    with pytest.raises(FileNotFoundError) as error:
        locate(SMALLEST)
    message = str(error.value)
    cached = str(hub / f"{SMALLEST.name}.pt")
    assert f"No weights of {SMALLEST.name}" in message
    assert f"models--facebook--{SMALLEST.name}" in message
    assert f"{_checkpoints.DOWNLOAD_ADDRESS}/{SMALLEST.name}.pt failed" in message
    assert f"copy it to {cached!r}" in message
    assert "404" in message or not reachable


def test_the_address_is_fair_esms():
    source = inspect.getsource(esm.pretrained._download_model_and_regression_data)
    assert f"{_checkpoints.DOWNLOAD_ADDRESS}/{{model_name}}.pt" in source


# ------------------------------------------------------------------ Hugging Face's format


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"prefix": ""},
        {"rotary": "once"},
        {"rotary": "starred"},
        {"old_norms": True},
        {"n_parts": 3},
    ],
    ids=str,
)
def test_a_hugging_face_folder_is_the_checkpoint_it_was_made_of(
    tmp_path, tiny, hugging_face, layout
):
    expected = read_checkpoint(tiny)
    found = read_checkpoint(hugging_face(tmp_path / "m", **layout))
    assert found[:5] == (tmp_path / "m", *expected[1:5])
    for name in _esm2._shapes(expected):
        torch.testing.assert_close(found.tensors[name], expected.tensors[name], rtol=0, atol=0)


def test_frequencies_that_are_missing_are_computed(tmp_path, hugging_face):
    tensors = read_checkpoint(hugging_face(tmp_path / "m", rotary="missing")).tensors
    for i in range(2):
        found = tensors[f"layers.{i}.self_attn.rot_emb.inv_freq"]
        assert found.tolist() == pytest.approx([10_000 ** -(j / 4) for j in range(4)], rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "its model_type is 'bert', but ESM-2's is 'esm'"),
        ({"position_embedding_type": "absolute"}, "its position_embedding_type is 'absolute'"),
        ({"emb_layer_norm_before": True}, "its emb_layer_norm_before is True"),
        ({"layer_norm_eps": 1e-12}, "its layer_norm_eps is 1e-12"),
        ({"vocab_size": None}, "its vocab_size is None"),
        ({"hidden_size": None}, r"does not give the shape of an ESM-2 model: TypeError"),
        ({"num_attention_heads": 0}, r"does not give the shape .*0 heads do not fit its tensors"),
        ({"num_hidden_layers": 10**9}, "do not fit its tensors"),
        ({"hidden_size": 10**12}, "do not fit its tensors"),
    ],
)
def test_folders_of_other_models_are_refused(tmp_path, hugging_face, changes, message):
    folder = hugging_face(tmp_path / "m", rotary="missing", **changes)
    with pytest.raises(ValueError, match=rf"config\.json' .*{message}"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", r"config\.json' is not JSON"),
        ("config.json", "[]", r"config\.json' is not a JSON object"),
        ("model.safetensors", "", r"model\.safetensors' is not a safetensors file, or damaged"),
        ("model.safetensors", "x" * 99, r"model\.safetensors' is not a safetensors file"),
        ("model.safetensors.index.json", "{}", r"index\.json' has no weight_map"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "../b"}}', "outside of its folder"),
    ],
)
def test_damaged_folders_are_refused(tmp_path, hugging_face, name, content, message):
    folder = hugging_face(tmp_path / "m", n_parts=2 if "index" in name else 1)
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(folder)


@pytest.mark.parametrize("missing", ["config.json", "model-1-of-2.safetensors", None])
def test_a_file_that_is_missing_in_a_folder_is_named(tmp_path, hugging_face, missing):
    folder = hugging_face(tmp_path / "m", n_parts=2)
    for file in [folder / missing] if missing else folder.iterdir():
        file.unlink()
    missing = missing or "config.json"
    with pytest.raises(FileNotFoundError, match=rf"m' has no file '{missing}', which a Hugging"):
        locate(folder)


def test_tokens_are_looked_at_whenever_a_folder_is_located(repository, hugging_face, tmp_path):
    for folder, entry in (
        (repository / "snapshots" / "c731", SMALLEST),
        (hugging_face(tmp_path / "m"), tmp_path / "m"),
    ):
        assert locate(entry) == folder
        (folder / "vocab.txt").write_text("<cls>\n<pad>\n<eos>\n<unk>\nA\n")
        with pytest.raises(ValueError, match=r"vocab\.txt' has 'A' in line 5 where ESM-2 has 'L'"):
            locate(entry)


def test_tokens_are_no_part_of_the_identity_of_weights(hugging_face, tmp_path):
    folder = hugging_face(tmp_path / "m")
    before = _checkpoints.weights_digest(_checkpoints.checkpoint_files(folder))
    (folder / "added_tokens.json").write_text("{}")
    assert locate(folder) == folder
    assert _checkpoints.weights_digest(_checkpoints.checkpoint_files(folder)) == before


def test_a_file_is_compared_with_what_each_of_its_names_says(tmp_path, hugging_face, monkeypatch):
    monkeypatch.setattr(_file_states, "_RACY_NS", 0)
    snapshot, links = hugging_face(tmp_path / "snapshot"), tmp_path / "links"
    blob, file = tmp_path / "blobs" / ("0" * 64), snapshot / "model.safetensors"
    blob.parent.mkdir()
    file.rename(blob)
    file.symlink_to(blob)
    links.mkdir()
    for name in ("config.json", "model.safetensors"):
        (links / name).symlink_to(snapshot / name)
    read_checkpoint(links)  # these names say nothing
    with pytest.raises(ValueError, match=r"model\.safetensors' is damaged: its hash is not 0000"):
        read_checkpoint(snapshot)


def test_what_transformers_writes_is_read(tmp_path, reference):
    transformers = pytest.importorskip("transformers")
    config = transformers.EsmConfig(
        vocab_size=33,
        mask_token_id=32,
        pad_token_id=1,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
    )
    model = transformers.EsmForMaskedLM(config).eval()
    model.save_pretrained(tmp_path)
    sequence = [*range(4, 24), 32, 4, 5]
    tokens = torch.tensor([[0, *sequence, 2]])

    def rows():
        with torch.no_grad():
            return model.esm(tokens, torch.ones_like(tokens)).last_hidden_state[0, 1:-1].numpy()

    expected = reference(rows(), model.double() and rows())
    ours = _esm2.ESM2(read_checkpoint(tmp_path), device=torch.device("cpu"), dtype=torch.float32)
    (found,) = ours.forward([np.array(sequence, dtype=np.uint8)], [ours.n_layers])
    expected.assert_matched(found[1:-1])
