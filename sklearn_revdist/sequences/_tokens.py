"""From text to tokens: ESM-2's alphabet, and the policy on everything outside it."""

import os
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils._messages import warn_user

# fair-esm's alphabet "ESM-1b"; a token's index is its row of the embedding matrix
TOKENS = ("<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>")
CLS, EOS, MASK, X = (TOKENS.index(token) for token in ("<cls>", "<eos>", "<mask>", "X"))

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
AMBIGUOUS = "XBZUOJ*"  # what `unknown` is about; a `*` where the sequence goes on after it
GAPS = "-."
STOP = "*"

# Letters that are residues, by what `unknown` is. ESM-2 has no tokens of J and *.
RESIDUES = {
    "error": AMINO_ACIDS,
    "mask": AMINO_ACIDS + AMBIGUOUS,
    "X": AMINO_ACIDS + AMBIGUOUS,
    "keep": AMINO_ACIDS + "XBZUO",
}

_MASK_BYTE = 0x80  # stands for "<mask>" in encoded text; ASCII ends before it
_WRONG = 255

# Sequences are taken for nucleotides where nine tenths of the letters of nine tenths of them are
# these, if they are more than a few peptides (letters in all) and no repeat of some amino acids
# (all four bases occur).
_NUCLEOTIDES = b"ACGTUNacgtun"
_BASES = ("A", "C", "G", "TU")
_NEARLY_ALL, _ENOUGH_LETTERS, _OF_EACH_BASE = 0.9, 60, 0.05

# What a file of sequences may be called; a row of an alignment may have dots, too.
_FILE = re.compile(
    r".*[^.-]\.(FASTA|fasta|fa|faa|fas|fna|seq|aln|a[23]m|sto|txt|csv|tsv|parquet|pdb|cif|3line)"
    r"(\.(gz|bz2|xz|zst))?"
)


def _token_table(unknown: str) -> NDArray[np.uint8]:
    table = np.full(256, _WRONG, dtype=np.uint8)
    for letter in RESIDUES[unknown]:
        token = {"mask": "<mask>", "X": "X"}.get(unknown, letter) if letter in AMBIGUOUS else letter
        table[[ord(letter), ord(letter.lower())]] = TOKENS.index(token)
    table[_MASK_BYTE] = MASK
    return table


_TABLES = {unknown: _token_table(unknown) for unknown in RESIDUES}


class WrongLetter(ValueError):
    """A letter that is not a residue: which record has it and where, and what to do about it.

    Parameters
    ----------
    what, remedy : str
        The two halves of the message.
    letter : str
    """

    def __init__(self, what: str, remedy: str, letter: str):
        super().__init__(what, remedy, letter)  # what unpickling calls this with
        self.what = what
        self.remedy = remedy
        self.letter = letter

    def __str__(self):
        return f"{self.what}; {self.remedy}."


class Encoder:
    """Encode sequences, part by part, and take notes of all of them together.

    Letters may be in either case, whitespace around a sequence is ignored, ``<mask>`` is one
    residue, and ``*`` at the end, the stop codon of a translation, is dropped.

    Parameters
    ----------
    unknown : {"error", "mask", "X", "keep"}, default="error"
        What becomes of the ambiguous residues ``X B Z U O J`` and of ``*`` inside a sequence: an
        error, the mask token, the token X, or ESM-2's own token for each. With "keep", ``J`` and
        ``*`` are errors, since ESM-2 has no token for them.
    """

    def __init__(self, unknown: str = "error"):
        self._table = _TABLES[unknown]
        self._unknown = unknown
        self._n_records = 0
        self._n_stops = 0
        self._n_like_nucleotides = 0
        self._bases = np.zeros(len(_BASES), dtype=np.int64)

    def encode(self, X: Any) -> list[NDArray[np.uint8]]:
        """Check and encode some sequences.

        Parameters
        ----------
        X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
            List, tuple, array, Series or one-column DataFrame. Messages count records from the
            first that was ever encoded.

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
            character that is not a residue; the message names record and position.
        """
        return [self._encode(record) for record in as_list(X)]

    def notes(self) -> list[str]:
        """Say what was dropped from the sequences so far, and whether they look like proteins."""
        notes = []
        if self._n_stops:
            notes.append(stops_dropped(self._n_stops, self._n_records))
        n_letters = self._bases.sum()
        if (
            n_letters >= _ENOUGH_LETTERS
            and self._n_like_nucleotides >= _NEARLY_ALL * self._n_records
            and (self._bases >= _OF_EACH_BASE * n_letters).all()
        ):
            notes.append(
                f"{self._n_like_nucleotides} of {self._n_records} sequences look like nucleotides: "
                "at least 90 % of their letters are A, C, G, T, U or N; translate them first."
            )
        return notes

    def warn(self) -> None:
        """Issue each note as a warning."""
        for note in self.notes():
            warn_user(note)

    def _encode(self, record: Any) -> NDArray[np.uint8]:
        index = self._n_records
        stripped = _text_of(record, index).strip()
        residues = drop_stop(stripped)
        if not residues:
            raise ValueError(
                f"Record {index} (counting from 0) is empty; give it a sequence or drop it."
            )
        # before any change of case: some letters beyond ASCII have amino acids as upper case
        text = residues.encode("ascii", "replace")
        if b"<" in text:
            text = re.sub(rb"<mask>", bytes([_MASK_BYTE]), text, flags=re.IGNORECASE)
        tokens = self._table[np.frombuffer(text, dtype=np.uint8)]
        if (tokens == _WRONG).any():
            raise self._wrong_letter(record, residues)
        self._n_records += 1
        self._n_stops += residues != stripped
        if len(text.translate(None, _NUCLEOTIDES)) <= (1 - _NEARLY_ALL) * len(text):
            self._n_like_nucleotides += 1
            letters = text.decode("latin-1").upper()
            self._bases += [sum(map(letters.count, base)) for base in _BASES]
        return tokens

    def _wrong_letter(self, record: str, residues: str) -> ValueError:
        named = f"Record {self._n_records} (counting from 0)"
        if _is_path(record):
            return ValueError(f"{named} is {_path_advice(record, 'a sequence')}")
        flags = re.IGNORECASE | re.ASCII
        without_masks = re.sub("<mask>", "A" * len("<mask>"), residues, flags=flags)
        at = find_wrong_letter(without_masks, self._unknown)
        what, remedy = describe_letter(residues[at], self._unknown)
        position = record.index(residues) + at + 1
        return WrongLetter(
            f"{named} has {what} at position {position} (counting from 1)", remedy, residues[at]
        )


def encode_sequences(X: Any, unknown: str = "error") -> list[NDArray[np.uint8]]:
    """Encode protein sequences, with warnings; see :class:`Encoder`.

    Parameters
    ----------
    X : array-like of str, of shape (n_sequences,) or (n_sequences, 1)
    unknown : {"error", "mask", "X", "keep"}, default="error"

    Returns
    -------
    tokens : list of ndarray of shape (n_residues,), uint8
    """
    encoder = Encoder(unknown)
    tokens = encoder.encode(X)
    encoder.warn()
    return tokens


def encode_reference(reference: str, unknown: str) -> NDArray[np.uint8]:
    """Encode the sequence that others are compared with; errors call it `reference`."""
    try:
        return Encoder(unknown).encode([reference])[0]
    except ValueError as error:
        text = str(error).replace("Record 0 (counting from 0)", "The wild type (`reference`)")
        raise ValueError(text) from error


def as_text(tokens: NDArray[np.uint8]) -> str:
    """Decode tokens to a sequence in upper case, with ``<mask>`` spelled out."""
    return "".join([TOKENS[token] for token in tokens.tolist()])


def as_list(X: Any) -> list:
    """List the records of an array-like of one dimension or one column, unchecked."""
    if isinstance(X, os.PathLike) or (isinstance(X, str) and _is_path(X)):
        raise TypeError(f"Expected an array-like of sequences, but got {_path_advice(X)}")
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


def remove_gaps(sequence: str) -> str:
    """Remove the gaps from a row of an alignment."""
    return sequence.replace("-", "").replace(".", "")


def drop_stop(sequence: str) -> str:
    """Drop ``*``, a translated stop codon, from the end of a sequence."""
    return sequence.rstrip(STOP).rstrip() if sequence.endswith(STOP) else sequence


def stops_dropped(n_stops: int, n_records: int) -> str:
    """Say how many sequences :func:`drop_stop` has changed."""
    return (
        f"{n_stops} of {n_records} sequences end in '*', a stop codon, which is not a residue and "
        "was dropped."
    )


def find_wrong_letter(sequence: str, unknown: str) -> int | None:
    """Index of the first character that is not one of ``RESIDUES[unknown]``, in either case."""
    wrong = re.search(
        f"[^{re.escape(RESIDUES[unknown])}]", sequence, flags=re.IGNORECASE | re.ASCII
    )
    return wrong and wrong.start()


def wrong_letter(sequence: str, unknown: str) -> str | None:
    """Say what is wrong with the letters of a sequence that has no masks; None if nothing is.

    Parameters
    ----------
    sequence : str
    unknown : {"error", "mask", "X", "keep"}
        The embedder's policy on ambiguous residues.
    """
    if not sequence:
        return "the sequence is empty"
    at = find_wrong_letter(sequence, unknown)
    if at is None:
        return None
    what, _ = describe_letter(sequence[at], unknown)
    hint = " (see `unknown`)" if sequence[at].upper() in AMBIGUOUS else ""
    return f"the sequence has {what} at position {at + 1}{hint}"


def describe_letter(character: str, unknown: str) -> tuple[str, str]:
    """Say what a character is that is not a residue, and what to do about it.

    Parameters
    ----------
    character : str
        Not one of ``RESIDUES[unknown]``.
    unknown : {"error", "mask", "X", "keep"}

    Returns
    -------
    what, remedy : str
    """
    letter = character.upper()
    if letter in GAPS:
        return f"a gap ({character!r}), as in an alignment,", (
            f"remove gaps, by sequence.replace({character!r}, ''), read_fasta(path, "
            "remove_gaps=True) or, on the command line, --remove-gaps"
        )
    if letter in AMBIGUOUS:
        others = "unknown='mask' or unknown='X'"
        if letter == STOP:
            what = f"a stop codon ({character!r}) before its end"
            return what, f"cut the sequence off there, or set {others}"
        if unknown == "keep":
            return f"{character!r}, for which ESM-2 has no token,", f"replace it, or set {others}"
        if letter in RESIDUES["keep"]:
            others = "unknown='mask', unknown='X' or unknown='keep'"
        return f"the ambiguous residue {character!r}", f"replace it, or set {others}"
    if character.isspace():
        return f"whitespace ({character!r})", "remove it"
    return f"{character!r}, which is not an amino acid,", "remove or replace it"


def _text_of(record: Any, index: int) -> str:
    """Return a record that is a string; refuse others by what they are."""
    if isinstance(record, str):
        return record
    kind = type(record).__name__
    what = f"not a string but of type {kind}; give its sequence as a string, or drop it."
    if isinstance(record, os.PathLike):
        what = _path_advice(record, "a sequence")
    raise TypeError(f"Record {index} (counting from 0) is {what}")


def _is_path(text: str) -> bool:
    """Whether a string that is not a sequence is the path of a file."""
    return _FILE.fullmatch(text) is not None or os.path.isfile(text)


def _path_advice(path: str | os.PathLike, instead: str = "sequences") -> str:
    return (
        f"a path, {os.fspath(path)!r}, not {instead}; read a FASTA file with "
        "names, sequences = read_fasta(path), and a table with pandas."
    )
