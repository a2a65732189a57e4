"""A folder of Hugging Face's is taken where all that it says of its model is ESM-2's."""

import json
import re

import esm
import pytest

from sklearn_revdist.embedding._hugging_face import check_vocabulary, read_config
from sklearn_revdist.sequences._tokens import TOKENS

CONFIG = {
    "model_type": "esm",
    "vocab_size": 33,
    "position_embedding_type": "rotary",
    "emb_layer_norm_before": False,
    "layer_norm_eps": 1e-5,
}
SPECIAL = {
    "cls_token": "<cls>",
    "eos_token": "<eos>",
    "mask_token": "<mask>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def vocabulary(*changes, end="\n"):
    """ESM-2's vocab.txt, with other tokens in some lines, counted from 1."""
    lines = dict(enumerate(TOKENS, 1)) | dict(changes)
    return end.join(token for token in lines.values() if token is not None) + end


def test_the_tokens_are_fair_esms():
    assert [*TOKENS] == esm.Alphabet.from_architecture("ESM-1b").all_toks


def test_nothing_but_the_weights_and_their_description_is_needed(tmp_path):
    check_vocabulary(tmp_path)
    (tmp_path / "vocab.txt").mkdir()
    check_vocabulary(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.txt", vocabulary()),
        ("vocab.txt", vocabulary().rstrip()),
        ("vocab.txt", vocabulary(end="\r\n") + "\n"),
        ("special_tokens_map.json", {}),
        ("special_tokens_map.json", SPECIAL | {"additional_special_tokens": []}),
        ("special_tokens_map.json", {"mask_token": {"content": "<mask>", "lstrip": False}}),
        ("tokenizer_config.json", {"tokenizer_class": "EsmTokenizer", "bos_token": None}),
        ("tokenizer_config.json", SPECIAL | {"cls_token": None}),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"0": {"content": "<cls>"}, "32": {"content": "<mask>"}}},
        ),
        ("added_tokens.json", {}),
        ("added_tokens.json", {"<mask>": 32}),
    ],
)
def test_esm2s_tokens_in_any_form(tmp_path, name, content):
    write(tmp_path / name, content)
    check_vocabulary(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "difference"),
    [
        ("vocab.txt", vocabulary((5, "A"), (6, "L")), "'A' in line 5 where ESM-2 has 'L'"),
        ("vocab.txt", vocabulary((33, None)), "nothing in line 33 where ESM-2 has '<mask>'"),
        ("vocab.txt", vocabulary((34, "<new>")), "'<new>' in line 34 where ESM-2 has nothing"),
        ("vocab.txt", vocabulary((5, None)), "'A' in line 5 where ESM-2 has 'L'"),
        ("vocab.txt", "", "nothing in line 1 where ESM-2 has '<cls>'"),
        ("vocab.txt", "A" * 1000, "'AAAA"),
        ("special_tokens_map.json", SPECIAL | {"mask_token": "#"}, "'#' as mask_token where ESM-2"),
        ("special_tokens_map.json", {"cls_token": {"content": "<s>"}}, "'<s>' as cls_token where"),
        ("tokenizer_config.json", {"pad_token": "[PAD]"}, "'[PAD]' as pad_token where ESM-2 has"),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"4": {"content": "A"}}},
            "'A' as token '4' where ESM-2 has 'L'",
        ),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"33": "<new>", "0": "<cls>"}},
            "'<new>' as token '33' where ESM-2 has nothing",
        ),
        ("added_tokens.json", {"<mask>": 31}, "'<mask>' as token 31 where ESM-2 has '<null_1>'"),
        ("added_tokens.json", {"<new>": 33}, "'<new>' as token 33 where ESM-2 has nothing"),
        ("added_tokens.json", {"<new>": []}, "'<new>' as token [] where ESM-2 has nothing"),
    ],
)
def test_other_tokens_are_refused_by_file_and_difference(tmp_path, name, content, difference):
    write(tmp_path / name, content)
    with pytest.raises(ValueError, match=re.escape(f"{name}' has {difference}")) as caught:
        check_vocabulary(tmp_path)
    assert len(str(caught.value)) < 250 + len(str(tmp_path))
    assert str(caught.value).endswith(
        "; name a folder whose tokens are ESM-2's, or replace the file."
    )


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not JSON"), ("[]", "is not a JSON object")]
)
@pytest.mark.parametrize(
    "name", ["special_tokens_map.json", "tokenizer_config.json", "added_tokens.json"]
)
def test_damaged_files_are_refused(tmp_path, name, content, message):
    write(tmp_path / name, content)
    with pytest.raises(ValueError, match=rf"{name}' {message}"):
        check_vocabulary(tmp_path)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"mask_token_id": 32, "pad_token_id": 1, "vocab_list": None},
        {"mask_token_id": None, "vocab_list": [*TOKENS]},
    ],
)
def test_a_description_of_esm2(tmp_path, more):
    write(tmp_path / "config.json", CONFIG | more)
    assert read_config(tmp_path / "config.json") == CONFIG | more


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mask_token_id": 31},
            "is not of an ESM-2 model: its mask_token_id is 31, but ESM-2's is 32",
        ),
        ({"pad_token_id": 0}, "its pad_token_id is 0, but ESM-2's is 1"),
        ({"vocab_size": 34}, "its vocab_size is 34, but ESM-2's is 33"),
        (
            {"vocab_list": [*TOKENS[:4], "A", "L", *TOKENS[6:]]},
            "has 'A' at position 4 of its vocab_list where ESM-2 has 'L'",
        ),
        ({"vocab_list": [*TOKENS[:32]]}, "nothing at position 32 of its vocab_list where"),
        ({"vocab_list": []}, "nothing at position 0 of its vocab_list where ESM-2 has '<cls>'"),
    ],
)
def test_a_description_with_other_tokens_is_refused(tmp_path, changes, message):
    write(tmp_path / "config.json", CONFIG | changes)
    with pytest.raises(ValueError, match=rf"config\.json' .*{re.escape(message)}"):
        read_config(tmp_path / "config.json")
