"""From text to tokens: ESM-2's alphabet, the policy on everything outside it, and FASTA."""

import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._text_files import LONGEST, open_text

# fair-esm's alphabet "ESM-1b"; a token's index is its row of the embedding matrix
TOKENS = ("<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>")
CLS, EOS, MASK, X = (TOKENS.index(token) for token in ("<cls>", "<eos>", "<mask>", "X"))

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
AMBIGUOUS = "XBZUOJ*-."

_MASK_BYTE = 0x80  # stands for "<mask>" in encoded text; ASCII ends before it
_AMBIGUOUS, _INVALID = 254, 255


def _token_table() -> NDArray[np.uint8]:
    table = np.full(256, _INVALID, dtype=np.uint8)
    for letters, tokens in (
        (AMINO_ACIDS, [TOKENS.index(letter) for letter in AMINO_ACIDS]),
        (AMBIGUOUS, [_AMBIGUOUS] * len(AMBIGUOUS)),
    ):
        table[[ord(letter) for letter in letters.lower()]] = tokens
        table[[ord(letter) for letter in letters]] = tokens
    table[_MASK_BYTE] = MASK
    return table


_TABLE = _token_table()


def encode_sequences(X: Any, unknown: str = "error", *, first: int = 0) -> list[NDArray[np.uint8]]:
    """Tokens of protein sequences, checked record by record.

    Letters may be in either case, whitespace around a sequence is ignored, and ``<mask>``
    is one residue.

    Parameters
    ----------
    X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
        List, tuple, array, Series or one-column DataFrame.
    unknown : {"error", "mask", "X"}, default="error"
        What becomes of the ambiguous residues ``X B Z U O J * - .``: an error, the mask
        token, or the token X.
    first : int, default=0
        Number of the first record, where `X` continues others; messages count from there.

    Returns
    -------
    tokens : list of ndarray of shape (n_residues,), uint8
        Without the tokens for beginning and end.

    Raises
    ------
    TypeError
        If `X` is not an array-like, or a record is not a string.
    ValueError
        If there are no records, `X` has several columns, or a record is empty or has a
        character that is no residue; the message names record and position.
    """
    replacement = {"error": _AMBIGUOUS, "mask": MASK, "X": TOKENS.index("X")}[unknown]
    return [_encode(record, i, replacement) for i, record in enumerate(as_list(X), first)]


def as_text(tokens: NDArray[np.uint8]) -> str:
    """Sequence of which `tokens` are the tokens, upper case, with ``<mask>`` spelled out."""
    return "".join([TOKENS[token] for token in tokens.tolist()])


def as_list(X: Any) -> list:
    """Records of an array-like in one dimension or one column; they are not checked."""
    if isinstance(X, str):
        raise TypeError(
            "Expected an array-like of sequences, but got a single string; "
            "put it into a list, as in ['MKT...']."
        )
    if isinstance(X, list | tuple):
        records = list(X)
    elif hasattr(X, "__array__"):
        array = np.asarray(X, dtype=object)
        if array.ndim == 0 or array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 1):
            raise ValueError(
                "Expected a single column of sequences, but got an array of shape "
                f"{array.shape}; select the column that holds the sequences."
            )
        records = array.ravel().tolist()
    else:
        raise TypeError(
            f"Expected an array-like of sequences, but got an object of type "
            f"{type(X).__name__}; convert it to a list."
        )
    if not records:
        raise ValueError("Expected at least one sequence, but got none; check the selection.")
    return records


def _encode(record: Any, index: int, replacement: int) -> NDArray[np.uint8]:
    if not isinstance(record, str):
        raise TypeError(
            f"Record {index} (counting from 0) is not a string but of type "
            f"{type(record).__name__}; give it a sequence or drop it."
        )
    stripped = record.strip()
    if not stripped:
        raise ValueError(
            f"Record {index} (counting from 0) is empty; give it a sequence or drop it."
        )
    # before any change of case: some letters beyond ASCII have amino acids as upper case
    text = stripped.encode("ascii", "replace")
    if b"<" in text:
        text = re.sub(rb"<mask>", bytes([_MASK_BYTE]), text, flags=re.IGNORECASE)
    tokens = _TABLE[np.frombuffer(text, dtype=np.uint8)]
    ambiguous = tokens == _AMBIGUOUS
    tokens[ambiguous] = replacement
    wrong = tokens >= _AMBIGUOUS
    if wrong.any():
        first = int(wrong.argmax())
        masks_before = text[:first].count(_MASK_BYTE)
        at = record.index(stripped) + first + masks_before * (len("<mask>") - 1)
        raise ValueError(_complaint(index, at, record[at], ambiguous=bool(ambiguous[first])))
    return tokens


def _complaint(index: int, at: int, character: str, *, ambiguous: bool) -> str:
    if ambiguous:
        what = f"the ambiguous residue {character!r}"
        remedy = "replace it, or set unknown='mask' or unknown='X'"
    elif character.isspace():
        what = f"whitespace ({character!r})"
        remedy = "remove it"
    else:
        what = f"{character!r}, which is no amino acid,"
        remedy = "remove or replace it"
    return (
        f"Record {index} (counting from 0) has {what} at position {at + 1} (counting from 1); "
        f"{remedy}."
    )


def read_fasta(path: str | os.PathLike) -> tuple[list[str], list[str]]:
    """Names and sequences of a FASTA file, all at once; see :func:`iter_fasta`.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    names : list of str
    sequences : list of str
    """
    names, sequences = zip(*iter_fasta(path), strict=True)
    return list(names), list(sequences)


def iter_fasta(path: str | os.PathLike) -> Iterator[tuple[str, str]]:
    """Records of a FASTA file, plain or compressed, one after the other.

    Parameters
    ----------
    path : str or path-like
        As :func:`~._text_files.open_text` takes it, also a pipe.

    Yields
    ------
    name : str
        What follows ``>`` on the header line, without whitespace around it. Names may be empty
        or repeat.
    sequence : str
        The lines up to the next header, joined. Its characters are not checked here.

    Raises
    ------
    ValueError
        If the file is empty, does not begin with a header, has a record without a
        sequence or of more than 16 million letters, is no text, or is compressed and damaged.
    """
    with open_text(path) as file:
        yield from _records_of(file, path)


def _records_of(file, path):
    index, name, start, parts, size = -1, "", 0, [], 0
    for number, line in enumerate(file, start=1):
        line = line.strip()
        if line.startswith(">"):
            if index >= 0:
                yield name, _joined(parts, path, index, name, start)
            index, name, start, parts, size = index + 1, line[1:].strip(), number, [], 0
        elif line and index < 0:
            raise ValueError(
                f"{os.fspath(path)!r} is not a FASTA file: its line {number} comes before any "
                "header; put a line that begins with '>' before each sequence."
            )
        elif line:
            parts.append(line)
            size += len(line)
            if size > LONGEST:
                raise ValueError(
                    f"Record {index} (counting from 0) of {os.fspath(path)!r}, named {name!r} "
                    f"in line {start}, has more than {LONGEST} letters, which no protein has; "
                    "check that it is the right file."
                )
    if index < 0:
        raise ValueError(f"{os.fspath(path)!r} has no FASTA records; check that it is complete.")
    yield name, _joined(parts, path, index, name, start)


def _joined(lines: list[str], path: str | os.PathLike, index: int, name: str, start: int) -> str:
    if not lines:
        raise ValueError(
            f"Record {index} (counting from 0) of {os.fspath(path)!r}, named {name!r} in "
            f"line {start}, has no sequence; give it one or remove its header."
        )
    return "".join(lines)
