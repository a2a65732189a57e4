"""A vocabulary: which tokens of a tokenizer are residues, one token for each residue."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..sequences._tokens import AMBIGUOUS, AMINO_ACIDS, MASK, TOKENS

# Every pair of residues is in it, so that a tokenizer that merges some is noticed.
_PAIRS = "".join(a + b for a in AMINO_ACIDS for b in AMINO_ACIDS)


class Vocabulary(NamedTuple):
    """Numbers of a model's tokens.

    Attributes
    ----------
    ids : ndarray of shape (33,), int64
        For each token of ESM-2's alphabet the model's token; -1 where it has none.
    before, after : ndarray of shape (n_special,), int64
        Tokens that stand before and after the residues.
    padding : int
    """

    ids: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    padding: int

    def check(self, tokens: NDArray[np.uint8], record: int, model: str) -> None:
        """Refuse a sequence with a residue that has no token.

        Raises
        ------
        ValueError
            The message names the record, the position and the model.
        """
        missing = self.ids[tokens] < 0
        if missing.any():
            at = int(missing.argmax())
            raise ValueError(
                f"Record {record} (counting from 0) has {TOKENS[tokens[at]]!r} at position "
                f"{at + 1} (counting from 1), for which {model} has no token; replace it, or "
                "choose another `unknown`."
            )


def read_vocabulary(tokenizer: Any, model: str) -> Vocabulary:
    """Find the tokens of residues.

    Sequences are spelled as the tokenizer needs it: together (``MKT``), with spaces between the
    residues (``M K T``, as for ProtBert and ProtT5), or as a list of words (as for Ankh).

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    model : str
        Name of the model, for messages.

    Raises
    ------
    ValueError
        If the tokenizer merges residues, or there is no spelling in which each amino acid is a
        token of its own, wherever it stands.
    """
    if merged := _merged(tokenizer):
        raise ValueError(
            f"The tokenizer of {model} merges residues, as in the token {merged!r}, so that rows "
            "are not residues; choose a model of proteins whose tokens are residues."
        )
    for spell in (str, " ".join, list):
        ids = _ids_of_residues(tokenizer, spell)
        if ids is not None:
            break
    else:
        raise ValueError(
            f"The tokenizer of {model} does not make one token of each amino acid, wherever it "
            "stands; choose a model of proteins whose tokens are residues."
        )
    table = np.full(len(TOKENS), -1, np.int64)
    for letter, number in ids.items():
        table[TOKENS.index(letter)] = number
    unknown = getattr(tokenizer, "unk_token_id", None)
    for letter in set(AMBIGUOUS) & set(TOKENS):
        tokens = _tokens(tokenizer, spell(f"A{letter}A"))
        if len(tokens) == 3 and tokens[1] != unknown:
            table[TOKENS.index(letter)] = tokens[1]
    if (mask := getattr(tokenizer, "mask_token_id", None)) is not None:
        table[MASK] = mask
    before, after = _around(tokenizer, spell("ACD"), [ids[letter] for letter in "ACD"])
    padding = tokenizer.pad_token_id
    return Vocabulary(table, before, after, 0 if padding is None else padding)


def _merged(tokenizer: Any) -> str | None:
    """A token of several residues, if the tokenizer makes any."""
    tokens = tokenizer.convert_ids_to_tokens(_tokens(tokenizer, _PAIRS))
    for token in set(tokens) - set(tokenizer.all_special_tokens):
        letters = token.lstrip("\u2581\u0120#").upper()  # marks of where words begin
        if len(letters) > 1 and set(letters) <= set(AMINO_ACIDS):
            return token
    return None


def _ids_of_residues(tokenizer: Any, spell: Callable[[str], Any]) -> dict[str, int] | None:
    """Token of each amino acid, if there is one for each, wherever it stands."""
    tokens = _tokens(tokenizer, spell(_PAIRS))
    ids = dict(zip(_PAIRS, tokens, strict=False))
    is_one_each = len(set(ids.values())) == len(AMINO_ACIDS)
    return ids if is_one_each and tokens == [ids[letter] for letter in _PAIRS] else None


def _tokens(tokenizer: Any, spelled: str | list[str], *, special: bool = False) -> list[int]:
    words = isinstance(spelled, list)
    encoded = tokenizer(spelled, add_special_tokens=special, is_split_into_words=words)
    return list(encoded["input_ids"])


def _around(
    tokenizer: Any, spelled: str | list[str], residues: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Special tokens before and after the residues of a sequence."""
    tokens, n = _tokens(tokenizer, spelled, special=True), len(residues)
    start = next(i for i in range(len(tokens)) if tokens[i : i + n] == residues)
    return np.array(tokens[:start], np.int64), np.array(tokens[start + n :], np.int64)
