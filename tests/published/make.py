"""Make the files beside this one with the reference implementation.

    pip install --no-deps reverse_distillation==0.1.0 fbpca loguru huggingface_hub
    python make.py

needs, in an environment of its own, also torch, fair-esm, numpy and scikit-learn. The widths of
ESM-2 are replaced by 8, 12 and 20, so that the files are small; everything else is what the
reference implementation fits, writes and computes on synthetic embeddings. Each step is fitted on
the raw smaller embedding, as its training script does.
"""

from pathlib import Path

import numpy as np
import torch
from reverse_distillation.scaler import naive, rd, utils

WIDTHS = {"8M": 8, "35M": 12, "150M": 20}
HERE = Path(__file__).parent

for size, width in WIDTHS.items():
    utils.ESM2_CONFIGS[size]["embed_dim"] = width

rng = np.random.default_rng(0)
latent = rng.normal(size=(400, 20))
blocks = [
    (latent @ rng.normal(size=(20, width)) + rng.normal(size=(400, width)) + 3).astype(np.float32)
    for width in WIDTHS.values()
]
sizes = list(WIDTHS)


def save(scaler, kind, small, large, variant):
    np.savez_compressed(
        HERE / f"{kind}-scaler-{small}-{large}-{variant}.npz", **scaler.get_state_dict()
    )


expected = {"X": np.hstack(blocks)[:50]}
for regressor in ("linear", "ridge", "pcr"):
    for pca in ("fbpca", "incremental"):
        np.random.seed(0)  # noqa: NPY002 - fbpca draws from NumPy's global state
        variant = f"{regressor}-{pca}-1k"
        accumulated = torch.from_numpy(blocks[0])
        for i in (1, 2):
            scaler = rd.rdScaler(sizes[i - 1], sizes[i], regressor, pca)
            scaler.fit(blocks[i - 1], blocks[i])
            save(scaler, "rd", sizes[i - 1], sizes[i], variant)
            accumulated = scaler.step(accumulated, torch.from_numpy(blocks[i]))
        expected[variant] = accumulated.numpy()[:50]
np.savez_compressed(HERE / "expected.npz", **expected)

expected = {}
for pca in ("fbpca", "incremental"):
    np.random.seed(0)  # noqa: NPY002 - as above
    variant = f"None-{pca}-1k"
    accumulated = blocks[0]
    for i in (1, 2):
        scaler = naive.naiveScaler(sizes[i - 1], sizes[i], pca_type=pca)
        scaler.fit(blocks[i - 1], blocks[i])
        save(scaler, "naive", sizes[i - 1], sizes[i], variant)
        accumulated = scaler.step(accumulated, blocks[i])
        expected[f"{sizes[i]}-{variant}"] = accumulated[:50]
np.savez_compressed(HERE / "expected-naive.npz", **expected)
