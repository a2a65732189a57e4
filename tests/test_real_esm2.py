"""Outputs of the real ESM-2 models: what there is of them, and ours where their weights are."""

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from sklearn_revdist import ESMEmbedder
from sklearn_revdist.sequences._tokens import (
    AMINO_ACIDS,
    CLS,
    EOS,
    TOKENS,
    as_text,
    encode_sequences,
)
from sklearn_revdist.utils._models import ESM2

PAD = TOKENS.index("<pad>")
LENGTHS = [61, 29, 13]

needs_data = pytest.mark.skipif("REVDIST_DATA" not in os.environ, reason="REVDIST_DATA is not set")
needs_weights = pytest.mark.skipif(
    "REVDIST_WEIGHTS" not in os.environ,
    reason="REVDIST_WEIGHTS names no folder with checkpoints of ESM-2",
)


def golden(model):
    """Token ids, padding included, and the last hidden state of three random sequences."""
    folder = Path(os.environ["REVDIST_DATA"], "embeddings")
    arrays = load_file(folder / f"fastplms_golden_esm2_{model.short.lower()}.safetensors")
    return arrays["input__input_ids"], arrays["output__last_hidden_state"]


def sequences_of(ids):
    return [as_text(row[row != PAD][1:-1]) for row in ids]


@needs_data
@pytest.mark.parametrize("model", ESM2[:5], ids=lambda model: model.short)
def test_token_ids_and_shapes_are_ours(model):
    ids, rows = golden(model)
    sequences = sequences_of(ids)
    assert [*map(len, sequences)] == LENGTHS
    assert set("".join(sequences)) <= set(AMINO_ACIDS)
    for row, tokens in zip(ids, encode_sequences(sequences), strict=True):
        np.testing.assert_array_equal(row[row != PAD], [CLS, *tokens, EOS])
    assert rows.shape == (3, 63, model.width)
    assert np.isfinite(rows).all()


@needs_data
@needs_weights
@pytest.mark.parametrize("model", ESM2[:5], ids=lambda model: model.short)
def test_rows_are_those_of_the_real_model(model):
    path = Path(os.environ["REVDIST_WEIGHTS"], f"{model.name}.pt")
    if not path.exists():
        pytest.skip(f"REVDIST_WEIGHTS has no {path.name}")
    ids, expected = golden(model)
    embedder = ESMEmbedder([str(path)], device="cpu", dtype="float32")
    rows, index = next(embedder.iter_residues(sequences_of(ids)))
    for i, length in enumerate(LENGTHS):
        ours, theirs = rows[index == i], expected[i, 1 : 1 + length]
        cosine = np.sum(ours * theirs, axis=1)
        cosine /= np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        # All files but 8M's were computed in bfloat16.
        assert cosine.min() > (1 - 1e-5 if model.short == "8M" else 0.999)
