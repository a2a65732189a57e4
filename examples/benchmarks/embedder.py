"""Compare the speed of ESMEmbedder with fair-esm 2.0.0, Hugging Face's EsmModel and esm-cpp.

    REVDIST_DATA=../shared/data python examples/benchmarks/embedder.py --model 8M

Sequences are natural, with 50 to 1022 residues; weights are random, with the real shapes; the last
layer is mean-pooled. "ours, fast" is ESMEmbedder(dtype="fast"). fair-esm is called as in its
scripts/extract.py (batches of 4,096 tokens sorted by length, repr_layers of the last layer).
Hugging Face, if transformers is installed, gets the same batches, with attention mask and sdpa.
esm-cpp, if it is installed too, computes in 8-bit integers, in its own batches; its batches return
logits, so they lack the mean. The methods have the same weights and are timed in turn; figures are
the least cosine with our float32 embeddings, residues per second, medians and their ratios. If
other programs share the processors, set OMP_NUM_THREADS=1, ESM_NUM_THREADS=1 (of esm-cpp) and
--cpu-time for reliable ratios.

    --layers    compare all layers in one pass with the last one alone
    --chain     compare the chain up to the model with the model alone
    --budgets   time ESMEmbedder for several values of batch_tokens
    --device    cuda: ours in half precision, the baselines unchanged, in single precision
"""

import argparse
import os
import statistics
import tempfile
import time
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import esm
import numpy as np
import torch
from esm.model.esm2 import ESM2 as FairESM2

from sklearn_revdist import ESMEmbedder, read_fasta
from sklearn_revdist.sequences._tokens import AMINO_ACIDS
from sklearn_revdist.utils._models import ESM2

SHAPES = {model.short: model for model in ESM2}
FASTA = "sequences/uniprot_proteomes/UP000000625-E.coli.fasta.gz"
TOKENS_PER_BATCH = 4096
HUGGING_FACE = {
    "embed_tokens": "embeddings.word_embeddings",
    "emb_layer_norm_after": "encoder.emb_layer_norm_after",
    "layers.": "encoder.layer.",
    "self_attn_layer_norm": "attention.LayerNorm",
    "final_layer_norm": "LayerNorm",
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn.rot_emb": "attention.self.rotary_embeddings",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "lm_head.weight": "lm_head.decoder.weight",
}


def natural_sequences(path, n_sequences, seed=0):
    """Distinct sequences of 50 to 1022 residues, drawn at random from a FASTA file."""
    distinct = sorted(set(read_fasta(path)[1]))
    usable = [s for s in distinct if 50 <= len(s) <= 1022 and set(s) <= set(AMINO_ACIDS)]
    rng = np.random.default_rng(seed)
    return [usable[i] for i in rng.choice(len(usable), size=n_sequences, replace=False)]


def random_checkpoint(model, folder):
    """A checkpoint in fair-esm's format with weights as fair-esm initialises them."""
    torch.manual_seed(0)
    network = FairESM2(model.n_layers, model.width, model.n_heads).eval()
    config = argparse.Namespace(
        encoder_layers=model.n_layers,
        encoder_embed_dim=model.width,
        encoder_attention_heads=model.n_heads,
        token_dropout=True,
    )
    tensors = {f"encoder.sentence_encoder.{k}": v for k, v in network.state_dict().items()}
    path = Path(folder, f"{model.name}.pt")
    torch.save({"cfg": {"model": config}, "model": tensors}, path)
    return network, path


def padded_batches(sequences):
    alphabet = esm.data.Alphabet.from_architecture("ESM-1b")
    names = [str(i) for i in range(len(sequences))]
    dataset = esm.data.FastaBatchedDataset(names, sequences)
    batches = dataset.get_batch_indices(TOKENS_PER_BATCH, extra_toks_per_seq=1)
    return torch.utils.data.DataLoader(
        dataset, collate_fn=alphabet.get_batch_converter(1022), batch_sampler=batches
    )


@torch.no_grad()
def fair_esm(network, sequences, device="cpu"):
    network.to(device)
    pooled = {}
    for labels, texts, tokens in padded_batches(sequences):
        tokens = tokens.to(device, non_blocking=True)
        out = network(tokens, repr_layers=[network.num_layers], return_contacts=False)
        rows = out["representations"][network.num_layers]
        for i, (label, text) in enumerate(zip(labels, texts, strict=True)):
            pooled[int(label)] = rows[i, 1 : 1 + len(text)].mean(0)
    return torch.stack([pooled[i] for i in range(len(sequences))]).cpu().numpy()


def hugging_face_folder(network, model, folder):
    """The same weights in Hugging Face's format."""
    from safetensors.torch import save_file
    from transformers import EsmConfig

    config = EsmConfig(
        vocab_size=33,
        mask_token_id=32,
        pad_token_id=1,
        hidden_size=model.width,
        num_hidden_layers=model.n_layers,
        num_attention_heads=model.n_heads,
        intermediate_size=4 * model.width,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
    )
    folder = Path(folder, f"{model.name}-hf")
    config.save_pretrained(folder)
    tensors = {}
    for name, tensor in network.state_dict().items():
        for theirs, here in HUGGING_FACE.items():
            name = name.replace(theirs, here)
        tensors[name if name.startswith("lm_head") else f"esm.{name}"] = tensor.clone()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def hugging_face(folder, device):
    """A function that embeds with EsmModel."""
    from transformers import EsmModel, logging

    logging.set_verbosity_error()  # the language model's head is not loaded
    network = EsmModel.from_pretrained(
        folder, add_pooling_layer=False, attn_implementation="sdpa", dtype=torch.float32
    )
    network = network.eval().to(device)
    assert network.config._attn_implementation == "sdpa"

    @torch.no_grad()
    def embed(sequences):
        pooled = {}
        for labels, texts, tokens in padded_batches(sequences):
            tokens = tokens.to(device, non_blocking=True)
            rows = network(tokens, attention_mask=(tokens != 1).long()).last_hidden_state
            for i, (label, text) in enumerate(zip(labels, texts, strict=True)):
                pooled[int(label)] = rows[i, 1 : 1 + len(text)].mean(0)
        return torch.stack([pooled[i] for i in range(len(sequences))]).cpu().numpy()

    return embed


class Quantized:
    """esm-cpp with 8-bit integers."""

    def __init__(self, folder):
        import esm_cpp

        self.model = esm_cpp.Model.load_from_safetensors(str(folder / "model.safetensors"))
        self.model.quantize_weights()
        self.tokenizer = esm_cpp.Tokenizer()

    def tokens(self, sequences):
        return [np.array(self.tokenizer.encode(s), dtype=np.int32) for s in sequences]

    def embed(self, sequences):
        found = (self.model.forward_with_hidden_states(t)[1] for t in self.tokens(sequences))
        return np.stack([states[-1][1:-1].mean(0) for states in found])

    def compute(self, sequences):
        return self.model.forward_scheduled(self.tokens(sequences))


def in_turn(repeats, clock, functions):
    """Median seconds of each function, taken in turn after one short call."""
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = clock()
            function()
            seconds[name].append(clock() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def report(seconds, n_residues):
    for name, median in seconds.items():
        ratio = median / seconds["ours"]
        print(f"  {name:12} {median:7.2f} s  {n_residues / median:7.0f} residues/s  {ratio:5.2f}")


def compare(embeddings):
    """Print how far each method's embeddings are from our float32."""
    ours = embeddings.pop("ours")
    for name, theirs in embeddings.items():
        norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        cosine = (np.sum(ours * theirs, axis=1) / norms).min()
        gap = np.abs(ours - theirs).max()
        print(f"  {name:12} least cosine {cosine:.6f}, largest difference {gap:.1e}")


def rivals(network, model, folder, device):
    """For each other implementation that is installed, what embeds and what is timed."""
    yield "fair-esm", *[partial(fair_esm, network, device=device)] * 2
    if find_spec("transformers") is None:
        return
    folder = hugging_face_folder(network, model, folder)
    yield "Hugging Face", *[hugging_face(folder, device)] * 2
    if device == "cpu" and find_spec("esm_cpp") is not None:
        quantized = Quantized(folder)
        yield "esm-cpp int8", quantized.embed, quantized.compute


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=SHAPES, default="8M")
    parser.add_argument("--sequences", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpu-time", action="store_true", help="measure processor time")
    parser.add_argument(
        "--fasta", type=Path, default=Path(os.environ.get("REVDIST_DATA", ""), FASTA)
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--chain", action="store_true")
    parser.add_argument("--budgets", type=int, nargs="+")
    args = parser.parse_args()
    clock = time.process_time if args.cpu_time else time.perf_counter
    warnings.simplefilter("ignore")
    sequences = natural_sequences(args.fasta, args.sequences)
    n_residues = sum(map(len, sequences))
    print(
        f"{args.model}: {len(sequences)} sequences, {n_residues} residues, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        sizes = list(SHAPES)[: list(SHAPES).index(args.model) + 1]
        made = {
            size: random_checkpoint(SHAPES[size], folder)
            for size in (sizes if args.chain else [args.model])
        }
        network, path = made[args.model]
        embedder = ESMEmbedder([str(path)], device=args.device)
        functions = {"ours": lambda: embedder.transform(sequences)}
        if args.chain:
            chain = ESMEmbedder([str(path) for _, path in made.values()], device=args.device)
            functions["whole chain"] = lambda: chain.transform(sequences)
        elif args.layers:
            functions["all layers"] = lambda: embedder.transform_layers(sequences)
        elif args.budgets:
            for budget in args.budgets:
                other = ESMEmbedder([str(path)], device=args.device, batch_tokens=budget)
                functions[f"{budget}"] = lambda other=other: other.transform(sequences)
        else:
            fast = ESMEmbedder([str(path)], device=args.device, dtype="fast")
            methods = [("ours", *[embedder.transform] * 2), ("ours, fast", *[fast.transform] * 2)]
            methods += rivals(network, SHAPES[args.model], folder, args.device)
            compare({name: embed(sequences[:32]) for name, embed, _ in methods})
            functions = {name: partial(timed, sequences) for name, _, timed in methods}
        for function in (embedder, *([chain] if args.chain else [])):
            function.transform(sequences[:8])
        report(in_turn(args.repeats, clock, functions), n_residues)


if __name__ == "__main__":
    main()
