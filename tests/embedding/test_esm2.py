"""The forward pass equals fair-esm's, however sequences are put together."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_revdist.embedding import _esm2
from sklearn_revdist.embedding._checkpoints import locate, read_checkpoint
from sklearn_revdist.embedding._esm2 import ESM2
from sklearn_revdist.sequences._tokens import AMINO_ACIDS, encode_sequences
from sklearn_revdist.utils._models import DEMO, known_model


def build(path, dtype=torch.float32):
    return ESM2(read_checkpoint(path), device=torch.device("cpu"), dtype=dtype)


def random_sequence(n_residues, seed=0, mask_rate=0.0):
    rng = np.random.default_rng([seed, n_residues])
    letters = [*AMINO_ACIDS, "<mask>"]
    rates = [(1 - mask_rate) / 20] * 20 + [mask_rate]
    return "".join(rng.choice(letters, size=n_residues, p=rates))


def rows_of(model, sequences, layer=None):
    """Rows of the residues of each sequence."""
    layer = model.n_layers if layer is None else layer
    tokens = encode_sequences(sequences)
    (x,) = model.forward(tokens, [layer])
    return [part[1:-1].numpy() for part in x.split([len(each) + 2 for each in tokens])]


SEQUENCES = [random_sequence(n, seed, 0.1) for seed, n in enumerate([7, 1, 60, 7, 31, 31, 250])]
SEQUENCES += ["<mask>", "<mask>" * 5, "M"]


@pytest.mark.parametrize("token_dropout", [True, False])
def test_equals_fair_esm_in_any_grouping(tmp_path, write_checkpoint, fair_esm, token_dropout):
    path = write_checkpoint(tmp_path / "m.pt", token_dropout=token_dropout)
    model = build(path)
    rng = np.random.default_rng(0)
    for _ in range(10):
        order = rng.permutation(len(SEQUENCES))
        rows = [None] * len(SEQUENCES)
        for batch in np.split(order, np.sort(rng.integers(0, len(order), size=2))):
            if len(batch):
                found = rows_of(model, [SEQUENCES[i] for i in batch])
                for i, part in zip(batch, found, strict=True):
                    rows[i] = part
        fair_esm.residues([path], SEQUENCES).assert_matched(np.concatenate(rows))


@pytest.mark.parametrize("name", ["random", *(model.short for model in DEMO)])
def test_every_layer_equals_fair_esms(tmp_path, write_checkpoint, fair_esm, name):
    """Of <cls> and <eos>, too; several layers in one pass are the same bits as each alone."""
    if name == "random":
        path = write_checkpoint(tmp_path / "m.pt", n_layers=3)
    else:
        path = locate(known_model(name))
    model, tokens = build(path), encode_sequences(SEQUENCES)
    lengths = [len(sequence) + 2 for sequence in tokens]
    together = [x.clone() for x in model.forward(tokens, range(model.n_layers + 1))]
    for layer, x in enumerate(together):
        for sequence, rows in zip(SEQUENCES, x.split(lengths), strict=True):
            fair_esm.tokens([path], sequence, layer).assert_matched(rows)
        (alone,) = model.forward(tokens, [layer])
        assert torch.equal(alone, x)


@pytest.mark.parametrize("shape", [(6, 320, 20), (12, 480, 20)], ids=["8M", "35M"])
def test_every_layer_of_real_shapes(tmp_path, write_checkpoint, fair_esm, shape):
    path = write_checkpoint(tmp_path / "m.pt", *shape)
    sequence = random_sequence(57, mask_rate=0.15)
    for layer, x in enumerate(
        build(path).forward(encode_sequences([sequence]), range(shape[0] + 1))
    ):
        fair_esm.tokens([path], sequence, layer).assert_matched(x)


def test_layers_above_the_highest_are_not_computed(tiny):
    model = build(tiny)
    model.layers[1] = None
    (x,) = model.forward(encode_sequences(SEQUENCES), [1])
    assert len(x) == sum(len(sequence) + 2 for sequence in encode_sequences(SEQUENCES))


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [((6, 320, 20), (1, 57, 300, 1023, 1200)), ((12, 480, 20), (1, 57, 300, 700))],
    ids=["8M", "35M"],
)
def test_equals_fair_esm_at_real_shapes(tmp_path, write_checkpoint, fair_esm, shape, lengths):
    path = write_checkpoint(tmp_path / "m.pt", *shape)
    sequences = [random_sequence(n, mask_rate=0.15 * (n % 2)) for n in lengths]
    rows = rows_of(build(path), sequences)
    assert [len(found) for found in rows] == [*lengths]
    for part in (slice(3), slice(3, None)):  # float32 loses digits with the length
        found = np.concatenate(rows[part])
        fair_esm.residues([path], sequences[part]).assert_matched(found)


def test_threads_may_share_a_model(tiny):
    model = build(tiny)
    expected = rows_of(model, SEQUENCES)
    with ThreadPoolExecutor(4) as threads:
        for rows in threads.map(lambda _: rows_of(model, SEQUENCES), range(20)):
            for found, row in zip(rows, expected, strict=True):
                np.testing.assert_array_equal(found, row)


def attention_of_any_lengths(q, k, v, ends, _ends, longest, _longest):
    """What torch's varlen_attn computes, on the CPU."""
    lengths = ends.diff().tolist()
    assert (ends.dtype, ends[0], longest) == (torch.int32, 0, max(lengths))
    rows = []
    for parts in zip(*(x.split(lengths) for x in (q, k, v)), strict=True):
        heads = (part.transpose(0, 1) for part in parts)
        rows.append(torch.nn.functional.scaled_dot_product_attention(*heads).transpose(0, 1))
    return torch.cat(rows)


@pytest.fixture
def varlen(monkeypatch):
    return pytest.importorskip("torch.nn.attention.varlen", reason="this torch has no varlen_attn")


def test_attention_to_all_lengths_at_once_is_the_same(tiny, fair_esm, varlen, monkeypatch):
    model = build(tiny)
    monkeypatch.setattr(varlen, "varlen_attn", attention_of_any_lengths)
    monkeypatch.setattr(
        _esm2,
        "_packed_attention",
        lambda lengths, x, n_heads: (
            lambda qkv: _esm2._attend_to_all(
                qkv, torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32), max(lengths)
            )
        ),
    )
    rows = np.concatenate(rows_of(model, SEQUENCES))
    fair_esm.residues([tiny], SEQUENCES).assert_matched(rows)


def test_attention_to_all_lengths_is_tried_before_it_is_used(varlen, monkeypatch):
    tried = _esm2._any_lengths.__wrapped__
    cpu = torch.device("cpu")
    assert not tried(cpu, torch.float16, 8)  # torch has it for CUDA only
    monkeypatch.setattr(varlen, "varlen_attn", attention_of_any_lengths)
    assert tried(cpu, torch.float16, 8)
    monkeypatch.setattr(varlen, "varlen_attn", lambda q, *rest: torch.zeros_like(q))
    assert not tried(cpu, torch.float16, 8)
    monkeypatch.delattr(varlen, "varlen_attn")
    assert not tried(cpu, torch.float16, 8)


@pytest.mark.parametrize(
    ("device", "dtype", "works", "at_once"),
    [
        ("cuda", torch.float16, True, True),
        ("cuda", torch.bfloat16, True, True),
        ("cuda", torch.bfloat16, False, False),
        ("cuda", torch.float32, True, False),
        ("cpu", torch.float16, True, False),
    ],
)
def test_attention_to_all_lengths_at_once_is_for_half_precision_on_cuda(
    varlen, monkeypatch, reference, device, dtype, works, at_once
):
    calls = []

    def counted(*args):
        calls.append(1)
        return attention_of_any_lengths(*args)

    monkeypatch.setattr(varlen, "varlen_attn", counted)
    monkeypatch.setattr(_esm2, "_any_lengths", lambda *_: works)
    monkeypatch.setattr(_esm2, "to_device", lambda array, device: torch.from_numpy(array))
    lengths, n_heads, d = [3, 1, 1, 5], 2, 4
    x = SimpleNamespace(device=torch.device(device), dtype=dtype, shape=(10, n_heads * d))
    qkv = torch.linspace(-1, 1, 10 * 3 * n_heads * d).sin().view(10, 3, n_heads, d)
    found = _esm2._packed_attention(lengths, x, n_heads)(qkv)

    def one_by_one(qkv):
        ends = [torch.tensor([0, n], dtype=torch.int32) for n in lengths]
        parts = [part.unbind(1) for part in qkv.split(lengths)]
        rows = [
            attention_of_any_lengths(*part, end, 0, n, n)
            for part, end, n in zip(parts, ends, lengths, strict=True)
        ]
        return torch.cat(rows).flatten(1).numpy()

    reference(one_by_one(qkv), one_by_one(qkv.double())).assert_matched(found)
    assert calls == [1] * at_once


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_the_gpu_gives_the_same_rows(tiny, fair_esm, dtype):
    model = ESM2(read_checkpoint(tiny), device=torch.device("cuda"), dtype=dtype)
    tokens = encode_sequences(SEQUENCES)
    (x,) = model.forward(tokens, [model.n_layers])
    parts = x.split([len(each) + 2 for each in tokens])
    rows = torch.cat([part[1:-1] for part in parts]).float().cpu()
    expected = fair_esm.residues([tiny], SEQUENCES)
    if dtype is torch.float32:
        expected.assert_matched(rows)
    else:
        expected.assert_rounded(rows, dtype)


def test_layers_keep_their_own_rotary_frequencies(tmp_path, tiny, fair_esm, load):
    content = load(tiny)
    name = "encoder.sentence_encoder.layers.1.self_attn.rot_emb.inv_freq"
    content["model"][name] *= 1.5
    torch.save(content, tmp_path / "m.pt")
    rows = np.concatenate(rows_of(build(tmp_path / "m.pt"), SEQUENCES))
    fair_esm.residues([tmp_path / "m.pt"], SEQUENCES).assert_matched(rows)


def test_weights_stored_in_half_precision(tmp_path, tiny, fair_esm, load):
    content = load(tiny)
    content["model"] = {name: tensor.half() for name, tensor in content["model"].items()}
    torch.save(content, tmp_path / "m.pt")
    (found,) = rows_of(build(tmp_path / "m.pt"), SEQUENCES[-4:-3])
    fair_esm.rows([tmp_path / "m.pt"], SEQUENCES[-4]).assert_matched(found)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_stays_close_at_far_positions(tiny, fair_esm, dtype):
    sequence = random_sequence(2000)
    try:
        (rough,) = build(tiny, dtype).forward(encode_sequences([sequence]), [2])
    except RuntimeError as error:
        if "pack_vnni2" not in str(error):
            raise
        # torch sees AMX in the hardware, but is held to instructions that have no kernel for it.
        pytest.skip("ATEN_CPU_CAPABILITY is below what torch takes for bfloat16 on this processor")
    fair_esm.rows([tiny], sequence).assert_rounded(rough[1:-1].float(), dtype)


@pytest.mark.parametrize("n_residues", [5, 64, 250])
def test_bfloat16_loses_less_than_in_fair_esm(tmp_path, write_checkpoint, fair_esm, n_residues):
    path = write_checkpoint(tmp_path / "m.pt", 4, 96, 4)
    sequence = random_sequence(n_residues)
    exact = fair_esm.rows([path], sequence).double
    try:
        (ours,) = rows_of(build(path, torch.bfloat16), [sequence])
    except RuntimeError as error:
        if "pack_vnni2" not in str(error):
            raise
        pytest.skip("ATEN_CPU_CAPABILITY is below what torch takes for bfloat16 on this processor")
    theirs = fair_esm.rounded_rows(path, sequence, torch.bfloat16)
    ours, theirs = (np.sqrt(np.mean((x - exact) ** 2)) for x in (ours, theirs))
    assert ours <= 0.8 * theirs, (ours, theirs)  # measured: .04 to .58


def test_nothing_is_shared_with_the_file(tmp_path, write_checkpoint):
    path = write_checkpoint(tmp_path / "m.pt")
    model = build(path)
    before = rows_of(model, SEQUENCES[:1])
    path.write_bytes(bytes(path.stat().st_size))
    np.testing.assert_array_equal(rows_of(model, SEQUENCES[:1]), before)


def test_input_is_left_alone_and_results_need_no_gradient(tiny):
    (tokens,) = encode_sequences(["MK<mask>T"])
    (rows,) = build(tiny).forward([tokens], [2])
    assert tokens.tolist() == encode_sequences(["MK<mask>T"])[0].tolist()
    assert not rows.requires_grad


@pytest.mark.parametrize(
    "name", ["embed_tokens.weight", "layers.1.fc2.bias", "emb_layer_norm_after.weight"]
)
def test_missing_and_misshapen_tensors_are_named(tmp_path, tiny, name, load):
    content = load(tiny)
    full_name = f"encoder.sentence_encoder.{name}"
    tensor = content["model"].pop(full_name)
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=rf"m\.pt' has no tensor '{name}', .* 2 layers needs"):
        build(tmp_path / "m.pt")
    content["model"][full_name] = tensor[:-1].clone()
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=rf"m\.pt' has a tensor '{name}' of shape \(.*width 24"):
        build(tmp_path / "m.pt")
