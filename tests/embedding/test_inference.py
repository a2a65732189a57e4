"""Devices and precisions, the process-wide cache of models, batches and their budget."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_revdist.embedding import _bfloat16, _esm2, _inference
from sklearn_revdist.embedding._entries import ESM2Entry
from sklearn_revdist.embedding._esm2 import ESM2
from sklearn_revdist.embedding._inference import (
    EmbeddingRun,
    _Batch,
    progress_bars,
    resolve_batch_tokens,
    resolve_device,
    resolve_dtypes,
)
from sklearn_revdist.embedding._pooling import Sum
from sklearn_revdist.sequences._tokens import encode_sequences
from sklearn_revdist.sequences._windows import split

pytestmark = pytest.mark.usefixtures("models")

CPU = torch.device("cpu")


def pieces_of(*sequences, max_length=None):
    encoded = encode_sequences(sequences)
    return [piece for i, tokens in enumerate(encoded) for piece in split(i, tokens, max_length)]


def total(piece):
    """The weighted sum over a piece's residues."""
    return [Sum(1, len(piece.tokens) + 1, piece.weight)]


def embed(path, pieces, dtypes=(torch.float32,), batch_tokens=1000, pool=True, device=CPU):
    """Batches of the last layer: sums over residues, or their rows."""
    wanted = ([2], total) if pool else ([2],)
    return EmbeddingRun(
        device, dtypes, batch_tokens, None, progress_bars("auto", None, False)
    ).embed(ESM2Entry(path), pieces, *wanted, rows=not pool)


def run(*arguments, pool=True, **settings):
    batches = embed(*arguments, pool=pool, **settings)
    return [(piece.record, value_of(values, pool)) for batch in batches for piece, values in batch]


def value_of(values, pool=True):
    """The only sum, or the rows, of the only layer."""
    return values.sums[0, 0] if pool else values.rows[0]


# -------------------------------------------------------------- device and precision


def test_device_is_the_best_there_is(monkeypatch):
    made = []
    monkeypatch.setattr(torch, "empty", lambda n, device: made.append(device) or torch.zeros(n))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    resolve_device(None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    resolve_device(None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    resolve_device(None)
    resolve_device("cuda:3")
    assert made == ["cuda", "mps", "cpu", "cuda:3"]
    assert resolve_device("cpu") == CPU


@pytest.mark.parametrize("device", ["gpu", "cuda:99", ""])
def test_devices_that_are_not_there(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used .* set device='cpu'"):
        resolve_device(device)


@pytest.mark.parametrize(
    ("dtype", "device", "expected"),
    [
        ("auto", "cpu", (torch.float32,)),
        ("auto", "mps", (torch.float32,)),
        ("auto", "cuda:0", (torch.float16, torch.bfloat16)),
        ("float16", "cuda:0", (torch.float16,)),
        ("bfloat16", "cpu", (torch.bfloat16,)),
        ("float32", "cuda:0", (torch.float32,)),
        ("fast", "cuda:0", (torch.float16, torch.bfloat16)),
        ("fast", "mps", (torch.float32,)),
    ],
)
def test_precision(dtype, device, expected):
    assert resolve_dtypes(dtype, torch.device(device)) == expected


@pytest.mark.parametrize("native", [True, False])
def test_fast_on_a_cpu_is_bfloat16_where_there_are_instructions_for_it(monkeypatch, native):
    monkeypatch.setattr(_bfloat16, "is_native", lambda: native)
    assert resolve_dtypes("fast", CPU) == (torch.bfloat16 if native else torch.float32,)
    assert resolve_dtypes("auto", CPU) == (torch.float32,)


def test_the_budget_suits_the_device():
    budgets = [resolve_batch_tokens(None, torch.device(name)) for name in ("cpu", "cuda:0")]
    assert budgets == [2048, 16384]
    assert resolve_batch_tokens(7, CPU) == 7


# ----------------------------------------------------------------------------- cache


def test_models_are_loaded_once_for_each_device_and_precision(models, loads, tiny):
    first = models.get(ESM2Entry(tiny), CPU, torch.float32)
    same = tiny.parent / ".." / tiny.parent.name / tiny.name
    assert models.get(ESM2Entry(same), CPU, torch.float32) is first
    assert len(loads) == 1
    assert models.get(ESM2Entry(tiny), CPU, torch.float16) is not first
    assert models.get(ESM2Entry(tiny), CPU, torch.float32) is first
    assert len(loads) == 2


def test_a_replaced_file_is_loaded_again_whatever_its_time_says(
    models, loads, tmp_path, write_checkpoint, replace_checkpoint
):
    path = write_checkpoint(tmp_path / "m.pt")
    first = models.get(ESM2Entry(path), CPU, torch.float32)
    replace_checkpoint(path)
    assert models.get(ESM2Entry(path), CPU, torch.float32) is not first
    assert loads == ["m", "m"]


def test_the_model_used_longest_ago_makes_room(models, loads, tmp_path, tiny):
    paths = [tmp_path / f"{name}.pt" for name in "abcd"]
    for path in paths:
        path.write_bytes(tiny.read_bytes())
    for i in (0, 1, 2, 0, 3, 0, 2, 1):
        models.get(ESM2Entry(paths[i]), CPU, torch.float32)
    assert loads == ["a", "b", "c", "d", "b"]


def test_threads_share_one_load(models, loads, tiny):
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(models.get(ESM2Entry(tiny), CPU, torch.float32))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == len(loads) == 1


def test_a_model_that_does_not_fit_beside_others_replaces_them(models, monkeypatch, tmp_path, tiny):
    other = tmp_path / "other.pt"
    other.write_bytes(tiny.read_bytes())

    class Big(ESM2):
        def __init__(self, *args, **kwargs):
            if models._models:
                raise torch.OutOfMemoryError
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(_esm2, "ESM2", Big)
    models.get(ESM2Entry(tiny), CPU, torch.float32)
    model = models.get(ESM2Entry(other), CPU, torch.float32)
    assert list(models._models.values()) == [model]


def test_a_model_that_does_not_fit_at_all_is_an_error(models, monkeypatch, tiny):
    def too_big(*args, **kwargs):
        raise torch.OutOfMemoryError("too big")

    monkeypatch.setattr(_esm2, "ESM2", too_big)
    with pytest.raises(torch.OutOfMemoryError, match="too big"):
        models.get(ESM2Entry(tiny), CPU, torch.float32)


# --------------------------------------------------------------------------- batches


@pytest.fixture
def torch_threads():
    """Set torch's number of threads, until the end of the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def batches(monkeypatch, torch_threads):
    """Lengths of the sequences of every batch that a model is given; it has `memory` tokens.

    One thread gives it one batch after the other.
    """
    torch_threads(1)

    class Recorder(list):
        memory = np.inf

    recorder = Recorder()
    forward = ESM2.forward

    def limited(self, sequences, layers):
        recorder.append([len(sequence) for sequence in sequences])
        if sum(recorder[-1]) + 2 * len(sequences) > recorder.memory:
            raise torch.OutOfMemoryError
        return forward(self, sequences, layers)

    monkeypatch.setattr(ESM2, "forward", limited)
    return recorder


@pytest.mark.parametrize(
    ("batch_tokens", "expected"),
    [
        (1, [[9], [6], [6], [4], [1]]),
        (19, [[9, 6], [6, 4, 1]]),
        (18, [[9], [6, 6], [4, 1]]),
        (1000, [[9, 6, 6, 4, 1]]),
    ],
)
def test_batches_are_filled_longest_first(tiny, batches, batch_tokens, expected):
    pieces = pieces_of("A" * 4, "C" * 6, "D" * 9, "E", "F" * 6)
    found = run(tiny, pieces, batch_tokens=batch_tokens)
    assert batches == expected
    assert sorted(record for record, _ in found) == [0, 1, 2, 3, 4]


def test_no_pieces_no_batches(tiny, batches):
    assert run(tiny, []) == []
    assert batches == []


def test_out_of_memory_halves_the_budget_and_goes_on(tiny, fair_esm, batches):
    pieces = pieces_of(*["ACDEFGHI"] * 8)  # ten tokens each
    expected = run(tiny, pieces)
    batches.clear()
    batches.memory = 25
    found = run(tiny, pieces)
    assert [len(batch) for batch in batches] == [8, 4, 2, 2, 2, 2]
    assert [record for record, _ in found] == [record for record, _ in expected]
    rows = fair_esm.residues([tiny], ["ACDEFGHI"] * 8)
    sums = rows.map(lambda rows: rows.reshape(8, 8, -1).sum(axis=1))
    sums.assert_matched([value for _, value in found])


def test_out_of_memory_first_drops_other_models(models, tiny, tmp_path, batches, monkeypatch):
    other = tmp_path / "other.pt"
    other.write_bytes(tiny.read_bytes())
    models.get(ESM2Entry(other), CPU, torch.float32)
    keep_only = models.keep_only

    def make_room(model):
        batches.memory = np.inf
        return keep_only(model)

    monkeypatch.setattr(models, "keep_only", make_room)
    batches.memory = 5
    run(tiny, pieces_of("ACDE", "FGH"))
    assert batches == [[4, 3], [4, 3]]
    assert len(models._models) == 1


def test_out_of_memory_on_one_sequence_names_it(tiny, batches):
    batches.memory = 12
    with pytest.raises(
        MemoryError,
        match=r"^Record 1 \(counting from 0\): 11 residues at once are too many for tiny in the "
        r"memory of cpu; set max_length below 11, .* or device='cpu'\.$",
    ):
        run(tiny, pieces_of("ACD", "A" * 11, "EFG"))
    batches.memory = 13
    assert len(run(tiny, pieces_of("ACD", "A" * 11, "EFG"))) == 3


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_threads_take_batches_in_parallel(tiny, fair_esm, monkeypatch, torch_threads, n_threads):
    sequences = ["ACDEFGHI"[:n] for n in (8, 7, 7, 5, 4, 2, 1)]
    pieces = pieces_of(*sequences)
    expected = run(tiny, pieces, batch_tokens=1, pool=False)
    names, forward = [], ESM2.forward

    def named(self, sequences, layers):
        names.append((threading.current_thread().name, torch.get_num_threads()))
        return forward(self, sequences, layers)

    monkeypatch.setattr(ESM2, "forward", named)
    torch_threads(n_threads)
    found = run(tiny, pieces, batch_tokens=1, pool=False)
    alone = [n for name, n in names if "MainThread" not in name]
    assert alone == [1] * (7 // n_threads * n_threads)
    assert len(names) == len(pieces)
    assert torch.get_num_threads() == n_threads
    assert [record for record, _ in found] == [record for record, _ in expected]
    rows = np.concatenate([value for _, value in found])
    fair_esm.residues([tiny], [sequences[record] for record, _ in found]).assert_matched(rows)


def test_who_stops_early_leaves_no_thread_behind(tiny, torch_threads):
    torch_threads(2)
    pieces = pieces_of(*["ACDEFGHI"] * 9)
    before = threading.active_count()
    parts = embed(tiny, pieces, batch_tokens=1)
    next(parts)
    assert threading.active_count() > before
    parts.close()
    assert threading.active_count() == before


@pytest.fixture
def ahead(monkeypatch):
    """Batches on the CPU as on CUDA: each is asked for when the next one has been launched."""
    in_turn = _inference._in_turn
    monkeypatch.setattr(_inference, "_in_turn", lambda *args: _inference._prefetch(in_turn(*args)))


@pytest.mark.parametrize("pool", [True, False])
def test_one_batch_ahead_the_values_are_the_same(tiny, batches, request, pool):
    pieces = pieces_of(*["ACDEFGHI"[:n] for n in (8, 7, 7, 5, 1)])
    expected = run(tiny, pieces, batch_tokens=18, pool=pool)
    batches.clear()
    request.getfixturevalue("ahead")
    found = run(tiny, pieces, batch_tokens=18, pool=pool)
    assert [record for record, _ in found] == [record for record, _ in expected]
    for (_, value), (_, reference) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value, reference)
    parts = embed(tiny, pieces, batch_tokens=1, pool=pool)
    batches.clear()
    next(parts)
    assert batches == [[8], [7]]


@pytest.mark.parametrize(("device", "n_launched"), [("cuda", 2), ("mps", 1)])
def test_on_cuda_alone_the_next_batch_is_launched_before_one_is_read(
    tiny, models, batches, monkeypatch, device, n_launched
):
    pieces = pieces_of(*["ACDEFGHI"[:n] for n in (8, 7, 5)])
    expected = run(tiny, pieces, batch_tokens=1)
    get = models.get
    monkeypatch.setattr(models, "get", lambda entry, device, dtype: get(entry, CPU, dtype))
    batches.clear()
    parts = embed(tiny, pieces, batch_tokens=1, device=torch.device(device))
    found = next(parts)
    assert len(batches) == n_launched
    for batch in parts:
        found += batch
    assert batches == [[8], [7], [5]]
    for (piece, values), (record, reference) in zip(found, expected, strict=True):
        assert piece.record == record
        np.testing.assert_array_equal(value_of(values), reference)


def test_values_are_read_when_they_have_arrived():
    sums = np.zeros((2, 1, 1, 3), dtype=np.float32)
    rows = np.zeros((1, 3, 3), dtype=np.float32)
    arrived = SimpleNamespace(synchronize=lambda: (sums.fill(7), rows.fill(8)))
    values = _Batch(pieces_of("AC", "D"), sums, rows, arrived).values()
    for value, n_residues in zip(values, (2, 1), strict=True):
        np.testing.assert_array_equal(value.sums, np.full((1, 1, 3), 7))
        np.testing.assert_array_equal(value.rows, np.full((1, n_residues, 3), 8))


def test_what_was_launched_before_memory_ran_out_is_not_lost():
    def batches():
        yield "first"
        raise MemoryError

    found = _inference._prefetch(batches())
    assert next(found) == "first"
    with pytest.raises(MemoryError):
        next(found)


# ---------------------------------------------------------------------------- values


def test_values_are_weighted_rows_or_their_sum(tiny, fair_esm):
    sequences = "MKTAYIAK", "W", "GSHM"
    pieces = [
        piece._replace(weight=np.linspace(0, 1, len(piece.tokens), dtype=np.float32))
        for piece in pieces_of(*sequences)
    ]
    rows, sums = dict(run(tiny, pieces, pool=False)), dict(run(tiny, pieces))
    for record, piece in enumerate(pieces):
        weight = piece.weight[:, None]
        weighted = fair_esm.rows([tiny], sequences[record]).map(lambda rows, w=weight: w * rows)
        assert rows[record].dtype == sums[record].dtype == np.float32
        weighted.assert_matched(rows[record])
        weighted.map(lambda rows: rows.sum(0)).assert_matched(sums[record])


@pytest.fixture
def overflowing(tmp_path, tiny, load):
    """A model in which tryptophan, and nothing else, is too much for float16."""
    content = load(tiny)
    tensors, layer = content["model"], "encoder.sentence_encoder.layers.0"
    embedding = tensors["encoder.sentence_encoder.embed_tokens.weight"]
    embedding[:, 0], embedding[22, 0] = 0, 1e5
    # Tryptophan's first column is then the norm's largest value, the root of 23.
    tensors[f"{layer}.final_layer_norm.weight"][0] = 1
    tensors[f"{layer}.final_layer_norm.bias"][0] = 0
    tensors[f"{layer}.fc1.weight"][0] = 0
    tensors[f"{layer}.fc1.weight"][0, 0] = torch.finfo(torch.float16).max / 4
    path = tmp_path / "overflowing.pt"
    torch.save(content, path)
    return path


@pytest.mark.parametrize("pool", [True, False])
def test_what_overflows_is_computed_again_in_the_next_precision(overflowing, pool):
    pieces = pieces_of("ACD", "AWD", "EFGHIKL", "W")
    found = dict(run(overflowing, pieces, (torch.float16, torch.bfloat16), pool=pool))
    half = dict(run(overflowing, [pieces[0], pieces[2]], (torch.float16,), pool=pool))
    brain = dict(run(overflowing, [pieces[1], pieces[3]], (torch.bfloat16,), pool=pool))
    assert list(found) == [2, 0, 1, 3]
    for record, expected in (half | brain).items():
        np.testing.assert_array_equal(found[record], expected, strict=True)


def test_without_another_precision_overflow_is_an_error(overflowing):
    with pytest.raises(
        ValueError,
        match=r"^overflowing gives values that are not finite in float16 for record 1 \(counting "
        r"from 0\); set dtype='float32'\.$",
    ):
        run(overflowing, pieces_of("ACD", "AWD"), (torch.float16,))


def test_damaged_weights_are_an_error(tmp_path, tiny, load):
    content = load(tiny)
    content["model"]["encoder.sentence_encoder.layers.0.fc1.bias"][0] = torch.nan
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=r"not finite in float32 .* checkpoint is damaged"):
        run(tmp_path / "m.pt", pieces_of("ACD"))
