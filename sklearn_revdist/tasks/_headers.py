"""Headers of FASTA records: the name that comes first, and values after their keys."""

import re

# A key begins the header, or stands after a blank or one of ; | , and a value ends at the next.
_KEY = re.compile(r"(?<![^\s;|,])([\w.-]+)\s*=\s*")
_BETWEEN = " \t;|,"


def identifier(header: str) -> str:
    """First word of a FASTA record's header."""
    return header.split(maxsplit=1)[0] if header else ""


def header_values(header: str, key: str) -> list[str]:
    """Values that a header has for a key, as in FLIP's ``>id TARGET=Cell membrane SET=train``.

    Parameters
    ----------
    header : str
        A value goes on to the next key.
    key : str
        In any capitals.

    Returns
    -------
    values : list of str
        Those that differ, in the header's order; more than one where the key is there several
        times.
    """
    found = list(_KEY.finditer(header))
    ends = [*(match.start() for match in found[1:]), len(header)]
    values = [
        header[match.end() : end].strip(_BETWEEN)
        for match, end in zip(found, ends, strict=bool(found))
        if match[1].casefold() == key.casefold()
    ]
    return list(dict.fromkeys(values))
