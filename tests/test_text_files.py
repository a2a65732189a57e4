"""Text of files: lines have an end, however the file is cut into pieces."""

import gzip

import pytest

from sklearn_revdist import _text_files
from sklearn_revdist._text_files import Unreadable, open_text

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
