"""The forward pass of transformers' models: equality with them, padding, limits, refusals."""

import pytest
import torch
from families import FAMILIES, RESIDUES, SMALL, change, characters, rows_of, save, transformers

from sklearn_revdist.embedding._transformers import TransformersEntry
from sklearn_revdist.sequences._tokens import encode_sequences

CPU = torch.device("cpu")
SEQUENCES = ["MKTAYIAKQRQISFVKSHFS", "GSH", "MLEKWCRNDQ", "ACDEFGHIKL", "P"]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """Name of a family, and the folder of a model."""
    folder = tmp_path_factory.mktemp("families") / request.param
    folder.mkdir()
    FAMILIES[request.param].make(folder)
    return request.param, folder


def load(folder, dtype=torch.float32):
    return TransformersEntry(folder).load(CPU, dtype)


def forward(model, sequences, layers):
    """Rows of each sequence, of each layer."""
    lengths = [len(sequence) + 2 for sequence in sequences]
    return [x.split(lengths) for x in model.forward(encode_sequences(sequences), layers)]


def test_all_layers_equal_the_library_s_on_each_sequence_alone(family):
    name, folder = family
    model = load(folder)
    found = forward(model, SEQUENCES, range(4))
    before, after = len(FAMILIES[name].before), len(FAMILIES[name].after)
    for i, sequence in enumerate(SEQUENCES):
        for layer, expected in enumerate(rows_of(name, folder, sequence)):
            rows = found[layer][i]
            residues = expected[before : len(expected) - after]
            torch.testing.assert_close(rows[1:-1], residues, rtol=1e-4, atol=1e-4)
            cls = expected[0] if before else torch.zeros(24)
            eos = expected[-1] if after else torch.zeros(24)
            torch.testing.assert_close(rows[[0, -1]], torch.stack([cls, eos]), rtol=1e-4, atol=1e-4)


def test_rows_do_not_depend_on_the_batch(family):
    model = load(family[1])
    together = forward(model, SEQUENCES, [1, 3])
    for i, sequence in enumerate(SEQUENCES):
        for of_all, alone in zip(together, forward(model, [sequence], [1, 3]), strict=True):
            torch.testing.assert_close(of_all[i], alone[0], rtol=1e-4, atol=1e-4)


def test_half_precision_is_close(family):
    single, half = (
        forward(load(family[1], dtype), SEQUENCES, [3])[0]
        for dtype in (torch.float32, torch.bfloat16)
    )
    for rows, close in zip(single, half, strict=True):
        cosine = torch.cosine_similarity(rows[1:-1].mean(0), close[1:-1].float().mean(0), dim=0)
        assert cosine > 0.98


def test_sequences_as_long_as_the_table_of_positions(family):
    name, folder = family
    model = load(folder)
    limit = FAMILIES[name].absolute
    assert model.max_residues == limit
    longest = "ACDEFGHIKLMNPQRSTVWY" * 2  # 40 residues
    assert forward(model, [longest, "M"], [3])[0][0].isfinite().all()


def gpt2(folder):
    config = transformers.GPT2Config(
        vocab_size=28,
        n_embd=24,
        n_layer=2,
        n_head=4,
        n_positions=64,
        eos_token_id=2,
        bos_token_id=2,
    )
    save(transformers.GPT2Model(config), folder)


def llama(folder):
    config = transformers.LlamaConfig(vocab_size=28, num_key_value_heads=4, **SMALL)
    save(transformers.LlamaModel(config), folder)


def bart(folder):
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    layers = {"encoder_layers": 2, "decoder_layers": 2}
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 2, "forced_eos_token_id": 2}
    config = transformers.BartConfig(
        vocab_size=28, d_model=24, decoder_start_token_id=2, **heads, **layers, **special
    )
    save(transformers.BartModel(config), folder)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (gpt2, r"^mine is a decoder, in which no residue depends on those after it; choose an enc"),
        (llama, r"^mine is a decoder, in which no residue depends on those after it; choose an en"),
        (bart, r"^mine has an encoder and a decoder, and transformers does not load its encoder "),
    ],
)
def test_decoders_are_refused(tmp_path, make, message):
    folder = tmp_path / "mine"
    tokens = ["<pad>", "<unk>", "<eos>", *RESIDUES]
    characters(folder, tokens, None, "<eos>", eos_token="<eos>")
    make(folder)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_a_model_of_images_is_refused(tmp_path):
    tokens = ["<pad>", "<unk>", "<eos>", *RESIDUES]
    characters(tmp_path, tokens, None, "<eos>", eos_token="<eos>")
    save(transformers.ViTModel(transformers.ViTConfig(image_size=16, **SMALL)), tmp_path)
    with pytest.raises(ValueError, match="cannot be used as an encoder of residues"):
        load(tmp_path)


def test_tensors_that_are_missing_or_of_another_shape_are_named(tmp_path):
    FAMILIES["prot_bert"].make(tmp_path)
    change(tmp_path, "config.json", num_hidden_layers=4)
    with pytest.raises(ValueError, match=r"16 tensors of .* are missing .* 'encoder\.layer\.3\."):
        load(tmp_path)
    change(tmp_path, "config.json", num_hidden_layers=3, intermediate_size=44)
    with pytest.raises(ValueError, match=r"9 tensors .* another shape, .* 'encoder\.layer\.0\.int"):
        load(tmp_path)


def test_damaged_weights_are_an_error(tmp_path):
    FAMILIES["esm2"].make(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(
        ValueError, match=r"^The weights of .* cannot be read .*; replace the files"
    ):
        load(tmp_path)


def test_weights_in_pytorch_s_format_are_read_without_executing_code(tmp_path):
    FAMILIES["prot_bert"].make(tmp_path)
    expected = forward(load(tmp_path), SEQUENCES, [3])[0]
    from safetensors.torch import load_file

    tensors = load_file(tmp_path / "model.safetensors")
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    for rows, same in zip(expected, forward(load(tmp_path), SEQUENCES, [3])[0], strict=True):
        assert torch.equal(rows, same)

    class Malicious:
        def __reduce__(self):
            return (tmp_path / "executed").touch, ()

    torch.save({"weight": Malicious()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path)
    assert not (tmp_path / "executed").exists()
