"""The bundled demo chain: genuine checkpoints, read by fair-esm as by us, and its distiller."""

import json
from importlib import resources

import numpy as np
import pytest
import torch

from sklearn_revdist import ESMEmbedder, ReverseDistiller, load_if1_ecoli
from sklearn_revdist.utils._models import DEMO

BUNDLED = resources.files("sklearn_revdist") / "bundled"


@pytest.fixture(params=DEMO, ids=lambda model: model.short)
def model(request):
    return request.param


@pytest.fixture(scope="module")
def embeddings():
    return ESMEmbedder("demo").transform(load_if1_ecoli().data[:200])


def report(model):
    return json.loads((BUNDLED / f"{model.name}.json").read_text())


def sequences_of_all_lengths(rng):
    """Mixed lengths from 1 to 1,200, some residues masked."""
    letters = [*"ACDEFGHIKLMNPQRSTVWY", "<mask>"]
    lengths = [1, 2, 3, 17, 64, 64, 65, 200, 511, 1022, 1200]
    return ["".join(rng.choice(letters, size=n)) for n in rng.permutation(lengths)]


def test_equal_to_fair_esm_in_any_order_and_batch(model, fair_esm, rng):
    sequences = sequences_of_all_lengths(rng)
    for batch_tokens in (1, 500, 100_000):
        embedder = ESMEmbedder([model.short], batch_tokens=batch_tokens)
        mixed = [sequences[i] for i in rng.permutation(len(sequences))]
        rows, index = map(np.concatenate, zip(*embedder.iter_residues(mixed), strict=True))
        # Float32 loses digits with the length, so those beyond the length of training go alone.
        for few in (True, False):
            places = [i for i, s in enumerate(mixed) if (_n_residues(s) <= 512) is few]
            chosen = [mixed[i] for i in places]
            pooled = embedder.transform(mixed)[places]
            fair_esm.means([model.short], chosen).assert_matched(pooled)
            residues = rows[np.isin(index, places)]
            fair_esm.residues([model.short], chosen).assert_matched(residues)


def _n_residues(sequence):
    return len(sequence.replace("<mask>", "X"))


def test_checkpoints_are_in_half_precision_and_fair_esms_format(model, load):
    content = load(BUNDLED / f"{model.name}.pt")
    shape = content["cfg"]["model"]
    assert (shape.encoder_layers, shape.encoder_embed_dim) == (model.n_layers, model.width)
    assert shape.encoder_attention_heads == model.n_heads
    assert {tensor.dtype for tensor in content["model"].values()} == {torch.float16}


def test_all_together_are_small():
    files = [file for file in BUNDLED.iterdir() if file.is_file()]
    assert sum(len(file.read_bytes()) for file in files) <= 8_000_000


def test_reports_are_of_these_models_and_larger_ones_are_better(load):
    reports = [report(model) for model in DEMO]
    for found, model in zip(reports, DEMO, strict=True):
        tensors = load(BUNDLED / f"{model.name}.pt")["model"]
        unique = {name: t for name, t in tensors.items() if not name.endswith("lm_head.weight")}
        n_parameters = sum(t.numel() for n, t in unique.items() if not n.endswith("inv_freq"))
        assert found["parameters"] == n_parameters
        assert found["width"] == model.width
        assert found["held_out_sequences"] == 500
    perplexities = [found["held_out_perplexity"] for found in reports]
    assert perplexities == sorted(perplexities, reverse=True)


def test_masked_residues_are_predicted_better_by_larger_models(load):
    """Wild-type residues of an assay that no model has seen, by the models' own heads."""
    wild_type = load_if1_ecoli().wild_type
    loss = []
    for model in DEMO:
        tensors = load(BUNDLED / f"{model.name}.pt")["model"]
        head = {n.removeprefix("encoder.lm_head."): t.float() for n, t in tensors.items()}
        masked = [wild_type[:i] + "<mask>" + wild_type[i + 1 :] for i in range(len(wild_type))]
        loss.append(_masked_loss(ESMEmbedder([model.short]), masked, wild_type, head))
    assert loss[-1] < np.log(20)
    assert loss[-1] < loss[0]


def _masked_loss(embedder, masked, wild_type, head):
    """Mean cross-entropy over the amino acids, one masked position a sequence."""
    from sklearn_revdist.sequences._tokens import AMINO_ACIDS, TOKENS

    rows = np.concatenate([block for block, _ in embedder.iter_residues(masked)])
    n = len(wild_type)
    x = torch.from_numpy(rows.reshape(n, n, -1)[np.arange(n), np.arange(n)])
    x = torch.nn.functional.gelu(x @ head["dense.weight"].T + head["dense.bias"])
    x = torch.nn.functional.layer_norm(
        x, x.shape[-1:], head["layer_norm.weight"], head["layer_norm.bias"]
    )
    logits = x @ head["weight"].T + head["bias"]
    letters = [TOKENS.index(letter) for letter in AMINO_ACIDS]
    target = torch.tensor([AMINO_ACIDS.index(letter) for letter in wild_type])
    return torch.nn.functional.cross_entropy(logits[:, letters], target).item()


def test_bundled_distiller_is_the_demo_chains(embeddings):
    distiller = ReverseDistiller.from_pretrained("demo")
    assert distiller.model_names_ == [model.name for model in DEMO]
    assert distiller.prefix_lengths_.tolist() == [model.width for model in DEMO]
    nested = distiller.transform(embeddings)
    np.testing.assert_array_equal(nested[:, : DEMO[0].width], embeddings[:, : DEMO[0].width])
    assert (distiller.r2_ > 0.3).all()
    # The layer normalisation that ends a model takes one dimension away.
    assert distiller.ranks_.tolist() == [model.width - 1 for model in DEMO[1:]]


def test_each_model_adds_something_to_the_smaller_ones():
    distiller = ReverseDistiller.from_pretrained("demo")
    assert (distiller.r2_ < 0.95).all()
