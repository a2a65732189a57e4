"""Tokens of residues: spellings, special tokens, and tokenizers that are refused."""

import numpy as np
import pytest
from families import FAMILIES, RESIDUES, characters, tokenizers, transformers

from sklearn_revdist.embedding._vocabulary import read_vocabulary
from sklearn_revdist.sequences._tokens import MASK, TOKENS, encode_sequences


@pytest.fixture
def read(tmp_path):
    def read(name):
        FAMILIES[name].make(tmp_path)
        return read_vocabulary(transformers.AutoTokenizer.from_pretrained(tmp_path), name)

    return read


@pytest.mark.parametrize("name", FAMILIES)
def test_each_residue_has_the_token_that_the_family_gives_it(read, name):
    family, vocabulary = FAMILIES[name], read(name)
    expected = family.ids(RESIDUES)
    (tokens,) = encode_sequences([RESIDUES], "keep")
    found = [*vocabulary.before, *vocabulary.ids[tokens], *vocabulary.after]
    assert [int(number) for number in found] == expected
    assert tuple(vocabulary.before) == family.before


@pytest.mark.parametrize(
    ("name", "mask"), [("esm2", 32), ("esmc", 32), ("prot_bert", 4), ("prot_t5", -1), ("ankh", -1)]
)
def test_the_mask_has_a_token_where_the_family_has_one(read, name, mask):
    assert read(name).ids[MASK] == mask


def test_letters_without_a_token_are_refused_by_name_and_place(tmp_path):
    tokens = ["<pad>", "<unk>", "<eos>", *RESIDUES.replace("U", "")]
    characters(tmp_path, tokens, None, "<eos>", eos_token="<eos>")
    vocabulary = read_vocabulary(transformers.AutoTokenizer.from_pretrained(tmp_path), "mine")
    assert vocabulary.ids[TOKENS.index("U")] == vocabulary.ids[MASK] == -1
    assert len(vocabulary.before) == 0
    assert (vocabulary.ids[encode_sequences(["ACDX"], "keep")[0]] >= 0).all()
    vocabulary.check(encode_sequences(["ACDX"], "keep")[0], 3, "mine")
    with pytest.raises(
        ValueError,
        match=r"^Record 7 \(counting from 0\) has 'U' at position 3 \(counting from 1\), for which "
        r"mine has no token; replace it, or choose another `unknown`\.$",
    ):
        vocabulary.check(encode_sequences(["ACUD"], "keep")[0], 7, "mine")


@pytest.mark.parametrize("pretokenizer", [None, "Whitespace"])
def test_a_tokenizer_that_merges_residues_is_refused(pretokenizer):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    if pretokenizer:
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=30, special_tokens=["<unk>"])
    tokenizer.train_from_iterator(["ACDEFGHIKLMNPQRSTVWY", "MKMKMKMKMK"], trainer)
    merging = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")
    with pytest.raises(ValueError, match=r"^The tokenizer of mine merges residues, as in the tok"):
        read_vocabulary(merging, "mine")


def test_a_tokenizer_without_tokens_of_some_amino_acids_is_refused(tmp_path):
    characters(tmp_path, ["<pad>", "<unk>", "<eos>", *"ACGT"], None, "<eos>", eos_token="<eos>")
    of_nucleotides = transformers.AutoTokenizer.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"^The tokenizer of dna does not make one token of each"):
        read_vocabulary(of_nucleotides, "dna")


def test_without_a_token_for_padding_the_number_0_pads(tmp_path):
    characters(tmp_path, ["<pad>", "<unk>", "<eos>", *RESIDUES], None, "<eos>", eos_token="<eos>")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.pad_token = None
    assert read_vocabulary(tokenizer, "mine").padding == 0
    assert np.array_equal(read_vocabulary(tokenizer, "mine").after, [2])
