"""Read FASTA files, and say what a file of another format looks like."""

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, overload

from ..utils._compat import validate_params
from ._text import LONGEST, open_text
from ._tokens import remove_gaps as without_gaps

if TYPE_CHECKING:
    import pandas as pd

# How files of other formats begin.
_OTHER_FORMATS = {
    "mmCIF": "data_",
    "PDB": "HEADER |TITLE  |REMARK |COMPND |EXPDTA |SEQRES |CRYST1|MODEL  |ATOM  |HETATM",
    "GenBank": r"LOCUS\s",
    "EMBL or UniProt text": "ID   ",
    "Stockholm": "# ?STOCKHOLM",
    "Clustal": "CLUSTAL|MUSCLE",
}

# A key begins the header, or follows a blank or one of ; | , and a value ends at the next key.
_KEY = re.compile(r"(?<![^\s;|,])([\w.-]+)\s*=\s*")

# Records that are checked for a line of labels in each.
_CHECKED = 10


@overload
def read_fasta(
    path: str | os.PathLike, *, remove_gaps: bool = False, as_frame: Literal[False] = False
) -> tuple[list[str], list[str]]: ...
@overload
def read_fasta(
    path: str | os.PathLike, *, remove_gaps: bool = False, as_frame: Literal[True]
) -> "pd.Series": ...
@validate_params({"path": [str, os.PathLike], "remove_gaps": ["boolean"], "as_frame": ["boolean"]})
def read_fasta(path, *, remove_gaps=False, as_frame=False):
    r"""Read names and sequences of a FASTA file.

    Parameters
    ----------
    path : str or path-like
        A FASTA file, plain or compressed; also a pipe. Comments are lines between a header and its
        sequence that begin with ``;``, and lines before the first header that begin with ``;`` or
        ``#``.

    remove_gaps : bool, default=False
        Whether ``-`` and ``.`` are removed, for the rows of an alignment (aligned FASTA, A2M,
        A3M). Lower-case letters, which are insertions there, are residues like others.

    as_frame : bool, default=False
        Whether to return a Series of the sequences with the names as its index, which a transformer
        with pandas output keeps.

    Returns
    -------
    names : list of str
        What follows ``>`` in each header line, without whitespace around it. Names may be empty
        or repeat.

    sequences : list of str
        The lines up to the next header, joined. Their characters are not checked. With
        ``as_frame=True``, a Series instead of the two lists.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, does not begin with a header, has a record without a sequence or of
        more than 16 million letters, has a line of labels after each sequence (.3line), is not
        text, or is compressed and damaged. The message says what another format it looks like.

    See Also
    --------
    ESMEmbedder : Embeds the sequences.
    read_tasks : Reads sequences with what is to be predicted of them.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_revdist import read_fasta
    >>> folder = TemporaryDirectory()
    >>> path = Path(folder.name, "proteins.fasta")
    >>> _ = path.write_text(">first\nMKTAY\nIAKQR\n>second\nGS-HM\n")
    >>> read_fasta(path)
    (['first', 'second'], ['MKTAYIAKQR', 'GS-HM'])
    >>> names, sequences = read_fasta(path, remove_gaps=True)
    >>> sequences
    ['MKTAYIAKQR', 'GSHM']

    Rows of pandas output keep the names of a Series:

    >>> from sklearn_revdist import ESMEmbedder
    >>> embedder = ESMEmbedder("demo").set_output(transform="pandas")
    >>> H = embedder.transform(read_fasta(path, remove_gaps=True, as_frame=True))
    >>> H.index.tolist()
    ['first', 'second']
    >>> folder.cleanup()
    """
    names, sequences = map(list, zip(*iter_fasta(path), strict=True))
    if remove_gaps:
        sequences = list(map(without_gaps, sequences))
    if not as_frame:
        return names, sequences
    import pandas as pd

    return pd.Series(sequences, pd.Index(names, name="name"), name="sequence")


def iter_fasta(path: str | os.PathLike) -> Iterator[tuple[str, str]]:
    """Read the records of a FASTA file one by one; see :func:`read_fasta`.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    name, sequence : str
    """
    with open_text(path) as file:
        yield from _records_of(file, os.fspath(path))


def only_sequence(path: str | os.PathLike) -> str:
    """Read a FASTA file of one sequence, such as a wild type; see :func:`read_fasta`."""
    _, sequences = read_fasta(path)
    if len(sequences) != 1:
        raise ValueError(
            f"{str(path)!r} has {len(sequences)} sequences; give a file of the wild type alone."
        )
    return sequences[0]


def identifier(header: str) -> str:
    """Return the first word of a header."""
    return header.split(maxsplit=1)[0] if header else ""


def header_values(header: str, key: str) -> list[str]:
    """Find the values of a key in a header such as FLIP's ``>id TARGET=Cell membrane SET=train``.

    Parameters
    ----------
    header : str
        Values go on to the next key.
    key : str
        In upper or lower case.

    Returns
    -------
    values : list of str
        Distinct values in the header's order; several if the key is repeated.
    """
    found = list(_KEY.finditer(header))
    ends = [*(match.start() for match in found[1:]), len(header)]
    values = [
        header[match.end() : end].strip(" \t;|,")
        for match, end in zip(found, ends, strict=bool(found))
        if match[1].casefold() == key.casefold()
    ]
    return list(dict.fromkeys(values))


def _records_of(file, path):
    if re.search(r"\.3line(\.\w+)?$", path):
        raise ValueError(_three_lines(path))
    index, name, start, lines, size = -1, "", 0, [], 0
    checked = []  # lengths of the lines of the first records
    for number, line in enumerate(file, start=1):
        line = line.strip()
        if line.startswith(">"):
            if index >= 0:
                yield name, _join(lines, path, index, name, start)
                _check_labels(checked, lines, path)
            index, name, start, lines, size = index + 1, line[1:].strip(), number, [], 0
        elif index < 0:
            _check_before_header(line, number, path)
        elif line and (lines or not line.startswith(";")):
            lines.append(line)
            size += len(line)
            if size > LONGEST:
                raise ValueError(
                    f"Record {index} (counting from 0) of {path!r}, named {name!r} in line "
                    f"{start}, has more than {LONGEST} letters, which no protein has; check that "
                    "it is the right file."
                )
    if index < 0:
        raise ValueError(f"{path!r} has no FASTA records; check that it is complete.")
    yield name, _join(lines, path, index, name, start)
    _check_labels(checked, lines, path, last=True)


def _check_before_header(line: str, number: int, path: str) -> None:
    """Refuse a line that is not blank or a comment, or that another format begins with."""
    for other, beginning in _OTHER_FORMATS.items():
        if re.match(beginning, line + " "):
            raise ValueError(
                f"{path!r} is not a FASTA file: by its line {number} it looks like {other}; "
                "convert it to FASTA, as Biopython's SeqIO.convert does."
            )
    if line and line[0] not in ";#":
        raise ValueError(
            f"{path!r} is not a FASTA file: its line {number} comes before any header; put a line "
            "that begins with '>' before each sequence."
        )


def _join(lines: list[str], path: str, index: int, name: str, start: int) -> str:
    if not lines:
        raise ValueError(
            f"Record {index} (counting from 0) of {path!r}, named {name!r} in line {start}, has "
            "no sequence; give it one or remove its header."
        )
    return "".join(lines)


def _check_labels(checked: list, lines: list[str], path: str, *, last: bool = False) -> None:
    """Refuse a file whose first records are two lines of equal length, of different lengths each.

    Wrapped lines have the same length in all records.
    """
    if len(checked) == _CHECKED:
        return
    checked.append([len(line) for line in lines])
    if last or len(checked) == _CHECKED:
        pairs = all(len(lengths) == 2 and lengths[0] == lengths[1] for lengths in checked)
        if pairs and any(lengths != checked[0] for lengths in checked):
            raise ValueError(_three_lines(path))


def _three_lines(path: str) -> str:
    return (
        f"{path!r} has not only sequences but three lines per record: the name, the sequence, and "
        "a label for each residue; write a file without every third line, as awk 'NR % 3' does."
    )
