"""CSV files, plain or compressed with gzip: labels as text, numbers with all their digits."""

import gzip
import re
from contextlib import contextmanager, nullcontext

import numpy as np

# Blanks around a cell are kept only inside quotes.
_NEEDS_QUOTES = re.compile(r'[",\r\n]|\A\s|\s\Z')


@contextmanager
def csv_writer(path, columns, *, compressed=False):
    """Write labels and numbers as columns."""
    n_written = 0

    def lines(labels, rows):
        texts = [[_cell(key, value) for value in label] for key, label in labels.items()]
        # the fewest digits that tell a number from others of its precision
        for *cells, numbers in zip(*texts, rows.astype(str).tolist(), strict=True):
            yield ",".join([*cells, *numbers]) + "\n"

    def write(batch):
        nonlocal n_written
        if not n_written:
            file.write((",".join(map(_quoted, [*batch.labels, *columns])) + "\n").encode())
        file.write("".join(lines(*batch)).encode())
        n_written += len(batch.rows)

    with open(path, "wb") as plain:
        # without name and time, so that the same rows give the same bytes
        packed = gzip.GzipFile("", "wb", fileobj=plain, mtime=0) if compressed else None
        with packed or nullcontext(plain) as file:
            yield write


def _cell(key, value):
    """Write a label as text; a gap is empty."""
    is_gap = value is None or (isinstance(value, float | np.floating) and np.isnan(value))
    text = "" if is_gap else str(value)
    if "\0" in text:
        raise ValueError(
            f"The label {key!r} has the value {text!r}, whose NUL character CSV cannot hold; write "
            "Parquet, or remove it."
        )
    return _quoted(text)


def _quoted(text):
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text
