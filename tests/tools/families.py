"""Tiny random models of several families, in folders as on Hugging Face, and how they are read.

Each is made by the library itself, with a tokenizer of the kind that the family has.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="needs the extra transformers")
tokenizers = pytest.importorskip("tokenizers")

RESIDUES = "LAGVSERTIDPKQNFYMHWCXBUZO"
SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
}


class Family(NamedTuple):
    """How a family spells a sequence.

    Attributes
    ----------
    make : callable
        Writes a model into a folder.
    before, after : tuple of int
        Tokens around the residues.
    first : int
        Token of the first of `letters`.
    letters : str
    absolute : int or None
        Number of residues that it has positions for.
    """

    make: Callable[[Path], None]
    before: tuple[int, ...]
    after: tuple[int, ...]
    first: int
    letters: str = RESIDUES
    absolute: int | None = None

    def ids(self, sequence: str) -> list[int]:
        """Tokens of a sequence, written by hand."""
        residues = [self.first + self.letters.index(letter) for letter in sequence]
        return [*self.before, *residues, *self.after]


def need(name: str) -> None:
    """Skip a test where this version of the library does not have the family."""
    if not hasattr(transformers, name):
        pytest.skip(f"transformers {transformers.__version__} has no {name}")


def characters(folder: Path, tokens: list[str], before: str | None, after: str, **special) -> None:
    """Write a tokenizer of single characters."""
    model = tokenizers.models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    template = [*([before] if before else []), "$A", after]
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=template, special_tokens=[(t, tokens.index(t)) for t in template if t != "$A"]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", **special
    ).save_pretrained(folder)


def save(model: torch.nn.Module, folder: Path) -> None:
    """Write a model with weights so large that rows differ."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, 0.3, generator=generator)
    model.save_pretrained(folder)


def esm2(folder: Path) -> None:
    """ESM-2."""
    tokens = ["<cls>", "<pad>", "<eos>", "<unk>", *RESIDUES, ".", "-", "<null_1>", "<mask>"]
    (folder / "vocab.txt").write_text("\n".join(tokens))
    transformers.EsmTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.EsmConfig(
        vocab_size=33,
        pad_token_id=1,
        mask_token_id=32,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        **SMALL,
    )
    save(transformers.EsmForMaskedLM(config), folder)


def esmc(folder: Path) -> None:
    """ESM C."""
    need("EsmcConfig")
    transformers.EsmcTokenizer().save_pretrained(folder)
    save(transformers.EsmcModel(transformers.EsmcConfig(**SMALL)), folder)


def prot_t5(folder: Path) -> None:
    """ProtT5: an encoder of T5; its tokens are residues after a space, from SentencePiece."""
    format = pytest.importorskip("sentencepiece.sentencepiece_model_pb2")
    model, kinds = format.ModelProto(), format.ModelProto.SentencePiece
    pieces = {"<pad>": kinds.CONTROL, "</s>": kinds.CONTROL, "<unk>": kinds.UNKNOWN}
    for piece, kind in (pieces | {f"▁{r}": kinds.NORMAL for r in RESIDUES}).items():
        model.pieces.add(piece=piece, score=-2.0, type=kind)
    special = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    for name, number in special.items():
        setattr(model.trainer_spec, name, number)
    (folder / "spiece.model").write_bytes(model.SerializeToString())
    named = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 0}
    config = {"tokenizer_class": "T5Tokenizer", "do_lower_case": False, **named}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    save(transformers.T5EncoderModel(t5_config()), folder)


def t5_config():
    return transformers.T5Config(
        vocab_size=32, d_model=24, d_kv=6, d_ff=40, num_layers=3, num_heads=4
    )


def ankh(folder: Path) -> None:
    """Ankh: a whole model of T5, and a tokenizer that takes lists of residues."""
    tokens = ["<pad>", "</s>", "<unk>", *RESIDUES]
    model = tokenizers.models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=["$A", "</s>"], special_tokens=[("</s>", 1)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="</s>"
    ).save_pretrained(folder)
    save(transformers.T5ForConditionalGeneration(t5_config()), folder)


def prot_bert(folder: Path) -> None:
    """ProtBert: words of one letter, and a table of positions."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *RESIDUES]
    (folder / "vocab.txt").write_text("\n".join(tokens))
    tokenizer = transformers.BertTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, do_lower_case=False
    )
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(vocab_size=30, max_position_embeddings=42, **SMALL)
    save(transformers.BertModel(config), folder)


def roberta(folder: Path) -> None:
    """RoBERTa: positions are counted from the padding's on."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *RESIDUES, "<mask>"]
    special = {"cls_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"}
    characters(folder, tokens, "<s>", "</s>", **special)
    config = transformers.RobertaConfig(
        vocab_size=30, max_position_embeddings=44, pad_token_id=1, **SMALL
    )
    save(transformers.RobertaForMaskedLM(config), folder)


def eurobert(folder: Path) -> None:
    """EuroBERT: rotary, SwiGLU and RMS norms, as AMPLIFY."""
    need("EuroBertConfig")
    tokens = ["<pad>", "<unk>", "<mask>", "<bos>", "<eos>", *RESIDUES]
    special = {"bos_token": "<bos>", "eos_token": "<eos>", "mask_token": "<mask>"}
    characters(folder, tokens, "<bos>", "<eos>", **special)
    config = transformers.EuroBertConfig(
        vocab_size=30, pad_token_id=0, bos_token_id=3, eos_token_id=4, mask_token_id=2, **SMALL
    )
    save(transformers.EuroBertModel(config), folder)


def modernbert(folder: Path) -> None:
    """ModernBERT: some layers attend to neighbours alone."""
    tokens = ["<pad>", "<unk>", "<mask>", "<cls>", "<eos>", *RESIDUES]
    special = {"cls_token": "<cls>", "eos_token": "<eos>", "mask_token": "<mask>"}
    characters(folder, tokens, "<cls>", "<eos>", **special)
    config = transformers.ModernBertConfig(
        vocab_size=30, pad_token_id=0, cls_token_id=3, sep_token_id=4, bos_token_id=3,
        eos_token_id=4, local_attention=8, **SMALL
    )  # fmt: skip
    save(transformers.ModernBertModel(config), folder)


FAMILIES = {
    "esm2": Family(esm2, (0,), (2,), 4),
    "esmc": Family(esmc, (0,), (2,), 4),
    "prot_t5": Family(prot_t5, (), (1,), 3),
    "ankh": Family(ankh, (), (1,), 3),
    "prot_bert": Family(prot_bert, (2,), (3,), 5, absolute=40),
    "roberta": Family(roberta, (0,), (2,), 4, absolute=40),
    "eurobert": Family(eurobert, (3,), (4,), 5),
    "modernbert": Family(modernbert, (3,), (4,), 5),
}


def rows_of(name: str, folder: Path, sequence: str) -> list[torch.Tensor]:
    """Rows of all layers for one sequence alone, by the library's own class."""
    is_t5 = name in ("prot_t5", "ankh")
    auto = transformers.AutoModelForTextEncoding if is_t5 else transformers.AutoModel
    model = auto.from_pretrained(folder).eval()
    with torch.inference_mode():
        ids = torch.tensor([FAMILIES[name].ids(sequence)])
        found = model(input_ids=ids, output_hidden_states=True)
    # before its norm, in some versions, the last hidden state is another one
    return [x[0] for x in (*found.hidden_states[:-1], found.last_hidden_state)]


def change(folder: Path, name: str, **values) -> None:
    """Change values of a JSON file."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
