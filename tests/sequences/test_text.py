"""Text of files: lines have an end, and what is read is what was written, or its place is named."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_revdist.sequences import _packed, _text
from sklearn_revdist.sequences._text import Unreadable, open_text

ACIDS = np.array(list(b"ACDEFGHIKLMNPQRSTVWY"), np.uint8)
LONGEST = 2**17  # more than is read at a time
MARKED = ["utf-8-sig", "utf-16", "utf-32"]


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write a file, and read its lines with this bound on their length."""
    monkeypatch.setattr(_text, "LONGEST", LONGEST)

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
    with pytest.raises(Unreadable, match=rf"x\.txt', line 2, has more than {LONGEST} characters; "):
        read(pack(whole + b"a" * 2 * LONGEST + end))


def test_variants_of_a_long_protein_are_text(read, monkeypatch, rng):
    """Rows that differ in one of 5,000 letters are packed as well as text can be."""
    monkeypatch.setattr(_packed, "_SMALL", 2**16)
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


@settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.text(max_size=30).filter(lambda text: not text.startswith("\ufeff")),
    times=st.sampled_from([1, 4000]),
    encoding=st.sampled_from(["utf-8", *MARKED]),
)
def test_text_is_read_in_the_encoding_that_its_mark_says(read, text, times, encoding):
    content = text * times
    lines = read(content.encode(encoding))
    assert "".join(lines) == content.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("width", [16, 32])
def test_both_orders_of_bytes(read, width, order):
    data = "\ufeff>Müller\nMKT\n".encode(f"utf-{width}-{order}")
    assert read(data) == [">Müller\n", "MKT\n"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("n_lines", [0, 1, 30_000])
def test_bytes_that_are_not_text_are_named_by_their_line(read, end, n_lines):
    before = f"ä{end}" * n_lines
    message = rf"x\.txt', line {n_lines + 1}, has bytes that are not UTF-8; convert the file"
    with pytest.raises(Unreadable, match=message):
        read(before.encode() + b"prot\xe9ine\nMKT\n")
    with pytest.raises(Unreadable, match=message):
        read(before.encode() + b"prot\xc3")  # the last character is cut
    with pytest.raises(Unreadable, match=rf"line {n_lines + 1}, has bytes that are not UTF-16-LE"):
        read(f"\ufeff{before}".encode("utf-16-le") + b"\x00\xd8a\x00")


def test_a_workbook_is_not_text(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="it needs the extra io")
    openpyxl.Workbook().save(tmp_path / "x.fasta")
    with (
        pytest.raises(Unreadable, match=r"x\.fasta' is an Excel workbook, which is read"),
        open_text(tmp_path / "x.fasta"),
    ):
        pass
