"""Train the demo chain: three small masked language models with ESM-2's architecture.

Each call reads natural sequences, sets some aside, trains one model and writes a checkpoint in
fair-esm's format, with a report that includes the held-out perplexity.

    python examples/train_demo_chain.py --data DATA --out models --model 96 --minutes 15

The architecture follows Lin et al. (2023), Science 379:1123, as fair-esm implements it.
"""

import argparse
import gzip
import json
import math
import re
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import distributed, nn

# by width
MODELS = {
    48: {"name": "esm2_t3_100K_demo", "layers": 3, "heads": 3},
    96: {"name": "esm2_t4_500K_demo", "layers": 4, "heads": 6},
    160: {"name": "esm2_t6_2M_demo", "layers": 6, "heads": 10},
}

TOKENS = [
    "<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>",
]  # fmt: skip
CLS, PAD, EOS, MASK = 0, 1, 2, 32
FIRST_RESIDUE, N_RESIDUES = 4, 20  # L ... C, the twenty standard amino acids

CORPUS = [
    "secondary_structure/flip_ss3_sequences.fasta.gz",
    "conservation/flip_conservation_sequences.fasta.gz",
    "metal/flip_bind_sequences.fasta.gz",
    "metal/bindpredict_dev_all.fasta.gz",
    "metal/mib_hu2022_train.tsv.gz",
    "metal/mib_hu2022_test.tsv.gz",
    "localisation/deeploc_test_set.fasta.gz",
    "localisation/deeploc_our_val_set.fasta.gz",
    "sequences/tmbed_all_seq.fasta.gz",
    "sequences/uniprot_proteomes/UP000000625-E.coli.fasta.gz",
    "sequences/uniprot_proteomes/UP000001425-Synechocystis.fasta.gz",
    "sequences/uniprot_proteomes/UP000002311-S.cerevisiae.fasta.gz",
]


# ---------------------------------------------------------------------------- corpus


def read_sequences(path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        if ".tsv" in path.name:
            return [line.split("\t")[0] for line in lines][1:]
        records = "".join(line if line[0] != ">" else ">" for line in lines).split(">")
        return [record.replace("\n", "") for record in records if record]


def kmers(sequence, k=8):
    return {sequence[i : i + k] for i in range(len(sequence) - k + 1)}


def relatives(queries, sequences, share):
    """Indices of `sequences` that have this share of 8-mers in common with a query, or more.

    The share is of the 8-mers of the shorter sequence.
    """
    containing = defaultdict(list)
    for i, query in enumerate(queries):
        for kmer in kmers(query):
            containing[kmer].append(i)
    found = set()
    for i, sequence in enumerate(sequences):
        own = kmers(sequence)
        common = Counter(q for kmer in own for q in containing.get(kmer, ()))
        if any(n >= share * min(len(own), len(queries[q]) - 7) for q, n in common.items()):
            found.add(i)
    return found


def load_corpus(data, n_held_out=500, seed=0):
    """Training and held-out sequences, without relatives of scanned proteins or of each other."""
    standard = re.compile(r"[ACDEFGHIKLMNPQRSTVWY]{50,1022}")
    pool = {}
    for name in CORPUS:
        for sequence in read_sequences(data / name):
            if standard.fullmatch(sequence.upper()):
                pool.setdefault(sequence.upper())
    pool = list(pool)
    scanned = relatives(read_sequences(data / "dms" / "wildtypes.fasta"), pool, share=0.05)
    pool = [s for i, s in enumerate(pool) if i not in scanned]
    order = np.random.default_rng(seed).permutation(len(pool))
    held_out = [pool[i] for i in order[:n_held_out]]
    rest = [pool[i] for i in order[n_held_out:]]
    close = relatives(held_out, rest, share=0.1)
    return [s for i, s in enumerate(rest) if i not in close], held_out


def encode(sequence):
    lookup = np.zeros(128, np.int64)
    for index, token in enumerate(TOKENS):
        if len(token) == 1:
            lookup[ord(token)] = index
    return lookup[np.frombuffer(sequence.encode(), np.uint8)]


def mask_tokens(tokens, rng, rate):
    """Mask tokens as BERT and ESM-2 do: 80 % of the chosen ones masked, 10 % random, 10 % kept."""
    chosen = (rng.random(tokens.shape) < rate) & (tokens >= FIRST_RESIDUE)
    kind = rng.random(tokens.shape)
    corrupted = np.where(chosen & (kind < 0.8), MASK, tokens)
    random = rng.integers(FIRST_RESIDUE, FIRST_RESIDUE + N_RESIDUES, tokens.shape)
    return np.where(chosen & (kind >= 0.9), random, corrupted), chosen


def dropout_scale(tokens, segment):
    """ESM-2's token dropout, per sequence: 0.88 / (1 - share of masked tokens)."""
    rows = np.arange(len(tokens))[:, None] * (segment.max() + 1) + segment
    total = np.bincount(rows.ravel())
    masked = np.bincount(rows.ravel(), weights=(tokens == MASK).ravel())
    share = np.divide(masked, total, out=np.zeros(len(total)), where=total > 0)
    return np.where(tokens == MASK, 0.0, 0.88 / (1 - share[rows]))


class Rows:
    """Endless rows of `length` tokens, each filled with whole sequences or crops of them."""

    def __init__(self, sequences, length, rng):
        self.encoded = [encode(s) for s in sequences]
        self.length, self.rng, self.queue = length, rng, []

    def next_sequence(self):
        if not self.queue:
            self.queue = list(self.rng.permutation(len(self.encoded)))
        return self.encoded[self.queue.pop()]

    def row(self):
        tokens, segment = np.empty(self.length, np.int64), np.empty(self.length, np.int64)
        start = n = 0
        while start < self.length:
            space = self.length - start - 2
            if space < 20:  # too short for a useful context: pad, as a sequence of its own
                tokens[start:], segment[start:] = PAD, n
                break
            sequence = self.next_sequence()
            first = self.rng.integers(0, max(1, len(sequence) - space + 1))
            crop = sequence[first : first + space]
            end = start + len(crop) + 2
            tokens[start], tokens[start + 1 : end - 1], tokens[end - 1] = CLS, crop, EOS
            segment[start:end] = n
            start, n = end, n + 1
        return tokens, segment

    def batch(self, n_rows, rate):
        tokens, segment = map(np.stack, zip(*(self.row() for _ in range(n_rows)), strict=True))
        corrupted, chosen = mask_tokens(tokens, self.rng, rate)
        scale = dropout_scale(corrupted, segment)
        scale[tokens == PAD] = 0
        return tokens, corrupted, chosen, segment, scale


# ---------------------------------------------------------------------------- model


def rotate(heads, cos, sin):
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x, rotary, mask):
        batch, length, width = x.shape
        q, k, v = (
            proj(x).view(batch, length, self.heads, -1).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, *rotary), rotate(k, *rotary)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(attended.transpose(1, 2).reshape(batch, length, width))


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.self_attn_layer_norm, self.self_attn = nn.LayerNorm(width), Attention(width, heads)
        self.final_layer_norm = nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, rotary, mask):
        x = x + self.self_attn(self.self_attn_layer_norm(x), rotary, mask)
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class Head(nn.Module):
    def __init__(self, width, tokens):
        super().__init__()
        self.dense, self.layer_norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.weight = tokens.weight  # tied, as in ESM-2
        self.bias = nn.Parameter(torch.zeros(len(TOKENS)))

    def forward(self, x):
        return F.linear(self.layer_norm(F.gelu(self.dense(x))), self.weight, self.bias)


class MaskedLanguageModel(nn.Module):
    """ESM-2 with fair-esm's parameter names, so that its state dict is the checkpoint's."""

    def __init__(self, width, layers, heads, **_):
        super().__init__()
        self.width, self.heads = width, heads
        self.embed_tokens = nn.Embedding(len(TOKENS), width, padding_idx=PAD)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.emb_layer_norm_after = nn.LayerNorm(width)
        self.lm_head = Head(width, self.embed_tokens)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.5 * module.in_features**-0.5)
                nn.init.zeros_(module.bias)
        for layer in self.layers:
            for projection in (layer.self_attn.out_proj, layer.fc2):
                nn.init.zeros_(projection.weight)
        nn.init.normal_(self.embed_tokens.weight, std=0.5 * width**-0.5)

    def inv_freq(self):
        dim = self.width // self.heads
        return 1.0 / 10000 ** (torch.arange(0, dim, 2).float() / dim)

    def rotary(self, length):
        angle = torch.outer(torch.arange(length).float(), self.inv_freq()).repeat(1, 2)
        return angle.cos(), angle.sin()

    def forward(self, tokens, scale, mask, rotary):
        x = self.embed_tokens(tokens) * scale[..., None]
        for layer in self.layers:
            x = layer(x, rotary, mask)
        return self.emb_layer_norm_after(x)


# ---------------------------------------------------------------------------- training


def held_out_perplexity(model, sequences, seed=1):
    """exp(mean cross-entropy) over 15 % of the residues, whole sequences, ESM-2's masking."""
    rng = np.random.default_rng(seed)
    total = count = 0
    model.eval()
    with torch.inference_mode():
        for sequence in sequences:
            tokens = np.concatenate(([CLS], encode(sequence), [EOS]))[None]
            corrupted, chosen = mask_tokens(tokens, rng, 0.15)
            scale = torch.from_numpy(dropout_scale(corrupted, np.zeros_like(tokens))).float()
            x = model(torch.from_numpy(corrupted), scale, None, model.rotary(tokens.shape[1]))
            logits = model.lm_head(x[torch.from_numpy(chosen)])
            target = torch.from_numpy(tokens[chosen])
            total += F.cross_entropy(logits, target, reduction="sum").item()
            count += len(target)
    model.train()
    return math.exp(total / count)


def optimizers(model, lr, matrix_lr, weight_decay):
    """Muon for the matrices of the layers, AdamW for all other parameters."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "layers." in n]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=matrix_lr, weight_decay=weight_decay),
        torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def schedule(progress, warmup=0.01, decay=0.5):
    """Share of the peak learning rate: short warm-up, plateau, linear decay to zero."""
    return min(1.0, progress / warmup, (1 - progress) / decay)


def masking_rate(progress, start, end=0.15):
    """Share of masked residues: high at first, falling to ESM-2's rate in the last third."""
    return start + (end - start) * max(0.0, (progress - 2 / 3) * 3)


def train(model, sequences, held_out, args, rank):
    """Train for `args.minutes`; each process has its own rows and uses the mean gradient of all."""
    rng = np.random.default_rng([args.seed, rank])
    rows = Rows(sequences, args.length, rng)
    opts = optimizers(model, args.lr, args.matrix_lr, args.weight_decay)
    peaks = [opt.param_groups[0]["lr"] for opt in opts]
    parameters = list(model.parameters())
    rotary = model.rotary(args.length)
    forward = torch.compile(model, dynamic=False) if args.compile else model
    start, step, seen, running = time.monotonic(), 0, 0, None
    progress = torch.zeros(1)
    while True:
        progress[0] = (time.monotonic() - start) / (60 * args.minutes)
        distributed.broadcast(progress, 0)
        done = progress.item()
        if done >= 1:
            break
        for opt, peak in zip(opts, peaks, strict=True):
            opt.param_groups[0]["lr"] = peak * max(schedule(done), 1e-4)
        rate = masking_rate(done, args.mask_rate)
        tokens, corrupted, chosen, segment, scale = rows.batch(args.rows, rate)
        mask = torch.from_numpy(segment[:, None, :, None] == segment[:, None, None, :])
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            x = forward(torch.from_numpy(corrupted), torch.from_numpy(scale).float(), mask, rotary)
            where = torch.from_numpy(chosen)
            loss = F.cross_entropy(model.lm_head(x[where]).float(), torch.from_numpy(tokens)[where])
        loss.backward()
        gradient = torch.cat([p.grad.ravel() for p in parameters])
        distributed.all_reduce(gradient)
        gradient /= args.processes
        for p, g in zip(parameters, gradient.split([p.numel() for p in parameters]), strict=True):
            p.grad.copy_(g.view_as(p))
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad()
        step, seen = step + 1, seen + int((tokens >= FIRST_RESIDUE).sum()) * args.processes
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % args.report == 0 and rank == 0:
            seconds = time.monotonic() - start
            print(
                f"step {step}  residues {seen / 1e6:.2f}M  {seen / seconds:,.0f}/s"
                f"  loss {running:.4f}  perplexity {math.exp(running):.2f}"
                f"  held out {held_out_perplexity(model, held_out[:100]):.2f}",
                flush=True,
            )
    return step, seen, (time.monotonic() - start) / 60


def save(model, name, path):
    """Write fair-esm's checkpoint layout: cfg.model a Namespace, weights in half precision."""
    cfg = argparse.Namespace(
        arch="esm2", encoder_layers=len(model.layers), encoder_embed_dim=model.width,
        encoder_attention_heads=model.heads, token_dropout=True, emb_layer_norm_before=False,
    )  # fmt: skip
    state = {}
    for key, value in model.state_dict().items():
        prefix = "encoder." if key.startswith("lm_head.") else "encoder.sentence_encoder."
        state[prefix + key] = value.half()
    for i in range(len(model.layers)):
        key = f"encoder.sentence_encoder.layers.{i}.self_attn.rot_emb.inv_freq"
        state[key] = model.inv_freq().half()
    torch.save({"cfg": {"model": cfg}, "model": state}, path / f"{name}.pt")


def run(rank, args, rendezvous):
    """Run one training process; the first one evaluates and writes."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=args.processes
    )
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    config = MODELS[args.model]
    training, held_out = load_corpus(args.data)
    residues = sum(map(len, training))
    model = MaskedLanguageModel(args.model, **config)
    n_parameters = sum(p.numel() for p in model.parameters())
    if rank == 0:
        print(f"{len(training)} training sequences, {residues} residues; {len(held_out)} held out")
        print(f"{config['name']}: {n_parameters} parameters", flush=True)
    steps, seen, minutes = train(model, training, held_out, args, rank)
    if rank > 0:
        return
    perplexity = held_out_perplexity(model, held_out)
    save(model, config["name"], args.out)
    report = dict(
        config, width=args.model, parameters=n_parameters, training_sequences=len(training),
        training_residues=residues, steps=steps, residues_seen=seen, minutes=round(minutes, 1),
        held_out_sequences=len(held_out), held_out_perplexity=round(perplexity, 3),
        **{k: v for k, v in vars(args).items() if k not in ("data", "out", "model", "minutes")},
    )  # fmt: skip
    (args.out / f"{config['name']}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with SOURCES.md")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--model", type=int, required=True, choices=MODELS, help="width")
    parser.add_argument("--minutes", type=float, required=True, help="length of the schedule")
    parser.add_argument("--lr", type=float, default=5e-3, help="AdamW: embeddings, norms, biases")
    parser.add_argument("--matrix-lr", type=float, default=0.015, help="Muon: matrices")
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--rows", type=int, default=16, help="rows per batch and process")
    parser.add_argument("--length", type=int, default=256, help="tokens per row")
    parser.add_argument(
        "--mask-rate",
        type=float,
        default=0.3,
        help="masked at first, later 0.15",
    )
    parser.add_argument("--processes", type=int, default=1, help="processes, of one thread each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=int, default=200)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = Path(folder) / "rendezvous"
        torch.multiprocessing.spawn(run, (args, rendezvous), nprocs=args.processes)


if __name__ == "__main__":
    main()
