"""Text of files: lines have an end, however the file is cut into pieces."""

import gzip

import numpy as np
import pytest

from sklearn_revdist import _text_files
from sklearn_revdist._text_files import Unreadable, open_text

ACIDS = np.array(list(b"ACDEFGHIKLMNPQRSTVWY"), np.uint8)
LONGEST = 2**17  # more than is read at a time


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write a file, and read its lines with this bound on their length."""
    monkeypatch.setattr(_text_files, "LONGEST", LONGEST)

    def read(content):
        path = tmp_path / "x.txt"
        path.write_bytes(content)
        with open_text(path) as file:
            return list(file)

    return read


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_or_are_refused(read, end, pack):
    whole = b"a" * (LONGEST - 2) + end
    assert read(pack(3 * whole)) == ["a" * (LONGEST - 2) + "\n"] * 3
    with pytest.raises(Unreadable, match=rf"^it has a line of more than {LONGEST} bytes$"):
        read(pack(whole + b"a" * 2 * LONGEST + end))


def test_what_unpacks_to_far_more_than_text_does_is_refused(read, monkeypatch):
    monkeypatch.setattr(_text_files, "_SMALL", 2**16)
    bomb = b"MK,1\n" * 2**18
    with pytest.raises(Unreadable, match=r"^it unpacks to more than 200 times its size$"):
        read(gzip.compress(bomb))
    assert len(read(bomb)) == 2**18


def test_variants_of_a_long_protein_are_text(read, monkeypatch, rng):
    """Rows that differ in one of 5,000 letters are packed as well as text can be."""
    monkeypatch.setattr(_text_files, "_SMALL", 2**16)
    wild_type = rng.choice(ACIDS, 5000)
    variants = []
    for letter in rng.choice(ACIDS, 1000):
        variant = wild_type.copy()
        variant[rng.integers(5000)] = letter
        variants.append(variant.tobytes())
    content = b"\n".join(variants)
    packed = gzip.compress(content)
    assert len(content) > 70 * len(packed)
    assert len(read(packed)) == 1000
