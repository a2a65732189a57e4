"""Files are recognised by their first bytes and unpacked in bounds; what is not text is named."""

import bz2
import functools
import gzip
import io
import lzma
import os
import sys
import threading
import zipfile

import numpy as np
import pytest

from sklearn_revdist.sequences import _packed
from sklearn_revdist.sequences._packed import Unreadable, open_content, plain_name, plain_suffix

TEXT = b">a\nMKTAYIAKQR\n" * 500


def zipped(content, name="x.fasta", **others):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in {name: content, **others}.items():
            archive.writestr(each, data)
    return file.getvalue()


def zstd(content):
    return pytest.importorskip("backports.zstd", reason="it needs the extra io").compress(content)


PACKERS = {
    "plain": bytes,
    "gzip": functools.partial(gzip.compress, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "zip": zipped,
}
PACKED = [name for name in PACKERS if name != "plain"]


@pytest.fixture
def read(tmp_path):
    """Write a file and read its content."""

    def read(data, name="x"):
        (tmp_path / name).write_bytes(data)
        with open_content(tmp_path / name) as content:
            return io.BufferedReader(content.file).read()

    return read


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("text", [b"", b">", TEXT])
def test_content_is_what_was_packed_whatever_the_suffix(read, packer, text):
    assert read(PACKERS[packer](text)) == text


@pytest.mark.parametrize("packer", PACKERS)
def test_a_pipe_is_read_as_a_file_is(tmp_path, packer, monkeypatch):
    monkeypatch.setattr(_packed, "_SMALL", 0)  # its size is that of what was read
    text = np.random.default_rng(0).bytes(5000).hex().encode()
    data = PACKERS[packer](text)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    with open_content(pipe) as content:
        assert io.BufferedReader(content.file).read() == text
    writer.join()


@pytest.mark.parametrize("packer", [name for name in PACKED if name != "zip"])
def test_streams_behind_one_another_are_one_file(read, packer):
    pack = PACKERS[packer]
    padding = bytes(2**17)  # as xz allows, and gzip on tapes
    packed = pack(TEXT) + padding[:8] + pack(b"") + pack(b">b\nW\n") + padding
    assert read(packed) == TEXT + b">b\nW\n"


@pytest.mark.parametrize("packer", PACKED)
def test_what_is_damaged_is_never_read_in_part(read, packer):
    data = PACKERS[packer](np.random.default_rng(0).bytes(5000).hex().encode())
    flipped = data[:2500] + bytes([data[2500] ^ 1]) + data[2501:]
    for damaged in (data[:-1], data[:2500], data[:30], data + b"MKT", flipped):
        if packer == "zip" and damaged == data + b"MKT":
            continue  # zipfile looks for the directory from the end, past a comment
        if packer == "zstd" and damaged is flipped:
            continue  # it has a checksum only where that is asked for
        with pytest.raises(Unreadable, match=r"x' is damaged: it cannot be decompressed \(.*\); "):
            read(damaged)


@pytest.mark.parametrize("packer", PACKED)
def test_what_unpacks_to_far_more_than_text_does_is_refused(read, monkeypatch, packer):
    monkeypatch.setattr(_packed, "_SMALL", 2**16)
    bomb = b"MK,1\n" * 2**18
    with pytest.raises(Unreadable, match="unpacks to more than 200 times its size"):
        read(PACKERS[packer](bomb))
    assert len(read(bomb)) == len(bomb)


def test_a_zip_archive_has_one_file_beside_what_macos_adds(read):
    archive = zipped(TEXT, **{"folder/": b"", "__MACOSX/._x.fasta": b"junk"})
    assert read(archive) == TEXT
    with pytest.raises(Unreadable, match=r"zip archive of 2 files \('x.fasta', 'y'\); unpack it"):
        read(zipped(TEXT, y=b""))
    with pytest.raises(Unreadable, match="zip archive of 0 files"):
        read(zipped(b"", name="folder/"))


def test_a_zip_archive_with_a_password_is_refused(read):
    archive = bytearray(zipped(TEXT))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(mark) + at] |= 1
    with pytest.raises(Unreadable, match="zip archive with a password; unpack it"):
        read(bytes(archive))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7\n", "a PDF document, by its first bytes; save the text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, .*; save it as .xlsx"),
        (b"PAR1\x15\x04\x15", r"a Parquet table, .*; end its name in .parquet, or name its format"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x93NUMPY\x01\x00", "an array of NumPy"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"\x80\x04\x95", "a pickle"),
        (b"<!DOCTYPE html><html>", "a page in HTML"),
        (b"\n<HTML>", "a page in HTML"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>', "a document in XML"),
        (b'{"a": 1}', "in JSON"),
        (b'[{"a": 1}]', "in JSON"),
        (bytes(257) + b"ustar", "a tar archive"),
        (gzip.compress(bytes(257) + b"ustar"), "a tar archive"),
        (gzip.compress(gzip.compress(b">a\nM")), "compressed twice; unpack it once"),
        (zipped(gzip.compress(b">a\nM")), "compressed twice"),
        (zipped(b"", name="word/document.xml"), "a document of Word, by its contents"),
        (zipped(b"", name="x/data.pkl"), "a file of torch"),
        (zipped(b"", name="x.npy"), "a file of arrays of NumPy"),
    ],
)
def test_files_that_are_not_text_are_named(read, data, what):
    with pytest.raises(Unreadable, match=f"x.fasta' is {what}"):
        read(data, "x.fasta")


@pytest.mark.parametrize("text", [b"PAR1,sequence\n", b"BZh1,sequence\n", b"[1],sequence\n"])
def test_columns_called_like_formats_are_text(read, text):
    assert read(text) == text


def test_files_that_cannot_be_opened_are_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"^There is no file '.*none'; check the path\.$"):
        open_content(tmp_path / "none").__enter__()
    with pytest.raises(Unreadable, match="is a folder; name a file in it"):
        open_content(tmp_path).__enter__()

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_packed, "open", forbidden, raising=False)  # root may read anything
    with pytest.raises(PermissionError, match=r"x' may not be read by this user; change its perm"):
        open_content(tmp_path / "x").__enter__()


def test_zstd_without_its_package_names_the_extra(read, monkeypatch):
    data = zstd(TEXT)
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"zstd.*sklearn-revdist\[io\].*or unpack it with `zstd"):
        read(data)


def test_the_format_is_the_suffix_before_the_compression():
    assert plain_name("a/x.csv.gz") == "x.csv"
    assert plain_name("x.csv") == "x.csv"
    assert plain_suffix("x.CSV.ZST") == plain_suffix("x.gz.csv") == ".csv"
    assert plain_suffix("x.gz") == plain_suffix("x") == ""
