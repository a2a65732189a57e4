"""Compare the speed of TransformersEmbedder with a loop over AutoModel.

    REVDIST_DATA=../shared/data python examples/benchmarks/families.py --model ESM-2-8M

Sequences are natural, with 50 to 1022 residues; weights are random, with the real shapes; the last
layer is mean-pooled. The loop is what a user writes: sequences sorted by length, the same batches,
AutoTokenizer, AutoModel with sdpa, a mean over the residues of each. Both are timed in turn;
figures are residues per second, medians, their ratio and the least cosine. If other programs share
the processors, set OMP_NUM_THREADS=1 and --cpu-time for reliable ratios.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from embedder import FASTA, natural_sequences

from sklearn_revdist import TransformersEmbedder

BATCH_TOKENS = 2048
TOKENS = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]


def esm2(folder, n_layers, width, n_heads):
    (folder / "vocab.txt").write_text("\n".join(TOKENS))
    config = transformers.EsmConfig(
        vocab_size=len(TOKENS),
        pad_token_id=1,
        mask_token_id=32,
        hidden_size=width,
        num_hidden_layers=n_layers,
        num_attention_heads=n_heads,
        intermediate_size=4 * width,
        position_embedding_type="rotary",
        emb_layer_norm_before=False,
        token_dropout=True,
    )
    return transformers.EsmModel(config), transformers.EsmTokenizer(str(folder / "vocab.txt"))


def esmc(folder, n_layers, width, n_heads, intermediate):
    config = transformers.EsmcConfig(
        hidden_size=width,
        num_hidden_layers=n_layers,
        num_attention_heads=n_heads,
        intermediate_size=intermediate,
    )
    return transformers.EsmcModel(config), transformers.EsmcTokenizer()


MODELS = {
    "ESM-2-8M": lambda folder: esm2(folder, 6, 320, 20),
    "ESM-2-35M": lambda folder: esm2(folder, 12, 480, 20),
    "ESMC-300M": lambda folder: esmc(folder, 30, 960, 15, 2560),
}


def batches_of(sequences):
    """The batches of TransformersEmbedder: longest first, with padding within the budget."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]), reverse=True)
    while order:
        n = max(1, BATCH_TOKENS // (len(sequences[order[0]]) + 2))
        yield order[:n]
        order = order[n:]


def loop(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()

    @torch.inference_mode()
    def embed(sequences):
        means = [None] * len(sequences)
        for batch in batches_of(sequences):
            texts = [sequences[i] for i in batch]
            inputs = tokenizer(texts, return_tensors="pt", padding=True)
            rows = model(**inputs).last_hidden_state
            for i, of_sequence in zip(batch, rows, strict=True):
                means[i] = of_sequence[1 : 1 + len(sequences[i])].mean(0)
        return torch.stack(means).numpy()

    return embed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=MODELS, default="ESM-2-8M")
    parser.add_argument("--sequences", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true", help="measure processor time")
    parser.add_argument("--data", default=os.environ.get("REVDIST_DATA"))
    options = parser.parse_args()
    clock = time.process_time if options.cpu_time else time.perf_counter
    transformers.logging.set_verbosity_error()
    sequences = natural_sequences(Path(options.data, FASTA), options.sequences)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, options.model)
        folder.mkdir()
        torch.manual_seed(0)
        for part in MODELS[options.model](folder):
            part.save_pretrained(folder)
        embedder = TransformersEmbedder([str(folder)], batch_tokens=BATCH_TOKENS)
        methods = {"ours": embedder.transform, "AutoModel": loop(folder)}
        seconds, found = {name: [] for name in methods}, {}
        for method in methods.values():
            method(sequences[:4])  # loads the model
        for _ in range(options.repeats):
            for name, method in methods.items():
                start = clock()
                found[name] = method(sequences)
                seconds[name].append(clock() - start)
    n_residues = sum(map(len, sequences))
    print(f"{options.model}: {len(sequences)} sequences, {n_residues} residues")
    for name, times in seconds.items():
        print(f"{name:10s} {n_residues / statistics.median(times):9.0f} residues/s")
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["AutoModel"], strict=True)]
    a, b = found.values()
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    print(f"ours / AutoModel {statistics.median(ratios):.2f}, least cosine {cosine.min():.7f}")


if __name__ == "__main__":
    main()
