"""Check a Hugging Face folder: its configuration and its vocabulary must be ESM-2's."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..sequences._tokens import MASK, TOKENS
from ..utils._messages import first_line

_NAMES = (  # patterns, applied in this order, and the names of fair-esm
    (r"^esm\.", ""),
    (r"^embeddings\.word_embeddings\.", "embed_tokens."),
    (r"^encoder\.layer\.", "layers."),
    (r"^encoder\.", ""),
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
    (r"\.attention\.self\.(query|key|value)\.", lambda match: f".self_attn.{match[1][0]}_proj."),
    (r"\.attention\.output\.dense\.", ".self_attn.out_proj."),
    (r"\.attention\.LayerNorm\.", ".self_attn_layer_norm."),
    (r"\.intermediate\.dense\.", ".fc1."),
    (r"\.output\.dense\.", ".fc2."),
    (r"\.LayerNorm\.", ".final_layer_norm."),
    (r"\.attention\.self\.rotary_embeddings\.", ".self_attn.rot_emb."),
)
_CONFIG = {  # what all models of the family share
    "model_type": "esm",
    "vocab_size": len(TOKENS),
    "position_embedding_type": "rotary",
    "emb_layer_norm_before": False,
    "layer_norm_eps": 1e-5,
}
_OPTIONAL_CONFIG = {"mask_token_id": MASK, "pad_token_id": TOKENS.index("<pad>")}
_SPECIAL = {f"{kind}_token": f"<{kind}>" for kind in ("cls", "pad", "eos", "unk", "mask")}


def fair_esm_name(name: str) -> str:
    """Translate the name of a tensor into that of fair-esm."""
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} is not JSON ({first_line(error)}); replace the file."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{str(path)!r} is not a JSON object; replace the file.")
    return content


def shards(index: Path) -> list[Path]:
    """List the files that an index of weights names, which are in its folder.

    Raises
    ------
    ValueError
        If the index is damaged.
    """
    try:
        names = sorted(set(read_json(index)["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{str(index)!r} has no weight_map; replace the file.") from error
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ValueError(f"{str(index)!r} names files outside of its folder; replace it.")
    return [index.parent / name for name in names]


def read_config(path: Path) -> dict[str, Any]:
    """Read the configuration of an ESM-2 model.

    Raises
    ------
    ValueError
        If it is that of another model; the message names the first difference.
    """
    config = read_json(path)
    expected = _CONFIG | {
        key: value for key, value in _OPTIONAL_CONFIG.items() if config.get(key) is not None
    }
    for key, value in expected.items():
        if config.get(key) != value:
            raise ValueError(
                f"{str(path)!r} is not of an ESM-2 model: its {key} is {config.get(key)!r}, but "
                f"ESM-2's is {value!r}."
            )
    if isinstance(tokens := config.get("vocab_list"), list):
        for difference in _other_tokens(tokens, "at position {} of its vocab_list", 0):
            raise _not_esm2(path, difference)
    return config


def check_vocabulary(folder: Path) -> None:
    """Refuse a folder whose tokens are not ESM-2's.

    Files that are missing, or have no tokens, are not checked.

    Raises
    ------
    ValueError
        If there is a difference; the message names the file and the first one.
    """
    for name, differences in _FILES.items():
        path = folder / name
        for difference in differences(path) if path.is_file() else ():
            raise _not_esm2(path, difference)


def _in_vocabulary(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8", errors="replace").rstrip()
    return _other_tokens([line.strip() for line in text.splitlines()], "in line {}", 1)


def _in_special_tokens(path: Path) -> Iterator[str]:
    content = read_json(path)
    for key, token in _SPECIAL.items():
        found = _content(content.get(key))
        if found not in (None, token):
            yield f"{found!r:.40} as {key} where ESM-2 has {token!r}"


def _in_tokenizer_config(path: Path) -> Iterator[str]:
    yield from _in_special_tokens(path)
    added = read_json(path).get("added_tokens_decoder")
    if isinstance(added, dict):
        yield from _other_numbers((_content(token), number) for number, token in added.items())


def _in_added_tokens(path: Path) -> Iterator[str]:
    return _other_numbers(read_json(path).items())


_FILES = {
    "vocab.txt": _in_vocabulary,
    "special_tokens_map.json": _in_special_tokens,
    "tokenizer_config.json": _in_tokenizer_config,
    "added_tokens.json": _in_added_tokens,
}


def _other_tokens(tokens: list, where: str, first: int) -> Iterator[str]:
    """Where a list of all tokens differs from ESM-2's."""
    for number, (found, expected) in enumerate(zip_longest(tokens, TOKENS), first):
        if found != expected:
            yield f"{_quoted(found)} {where.format(number)} where ESM-2 has {_quoted(expected)}"


def _other_numbers(pairs: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """Which tokens have another number than in ESM-2."""
    numbered = {str(number): token for number, token in enumerate(TOKENS)}
    for token, number in pairs:
        if token != (expected := numbered.get(str(number))):
            yield f"{_quoted(token)} as token {number!r:.20} where ESM-2 has {_quoted(expected)}"


def _content(token: Any) -> Any:
    """The string of a token, which may be an object with other properties."""
    return token.get("content") if isinstance(token, dict) else token


def _quoted(token: Any) -> str:
    return "nothing" if token is None else f"{token!r:.40}"


def _not_esm2(path: Path, difference: str) -> ValueError:
    return ValueError(
        f"{str(path)!r} has {difference}; name a folder whose tokens are ESM-2's, or replace the "
        "file."
    )
