"""Files made to run code or to fill the memory: refused, nothing run, little memory used."""

import argparse
import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save

PUBLISHED = Path(__file__).parents[1] / "published"
MEMORY = 300  # MB beyond what the imports need

PROGRAM = """
import resource, sys, warnings
from pathlib import Path
import numpy as np
from sklearn_revdist import EmbeddingStore, ESMEmbedder, ReverseDistiller
from sklearn_revdist.embedding._checkpoints import read_checkpoint
from sklearn_revdist.sequences._records import read_records
from sklearn_revdist.sequences._fasta import read_fasta
from sklearn_revdist.tasks._proteins import read_table

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def read(path):
    if path.suffix in (".pt", ".hf"):
        return ESMEmbedder([str(path)]).transform(["MKT"])
    if path.suffix in (".safetensors", ".npz-folder"):
        return ReverseDistiller.from_pretrained(path)
    if path.suffix == ".sqlite":
        with EmbeddingStore(path) as store:
            return store.to_frame()
    if path.name.startswith("table"):
        return read_table(path)
    for _ in read_records(path):
        pass

ESMEmbedder("demo-48").transform(["MKT"])
before, taken = peak(), []
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read(path)
    except (ValueError, FileNotFoundError, OSError) as error:
        assert "\\n" not in str(error), error
    else:
        raise SystemExit(f"{path.name} was read")
    if peak() - before > float(sys.argv[2]):
        raise SystemExit(f"{path.name} took {peak() - before:.0f} MB")
print(f"{peak() - before:.0f} MB")
"""


class Attack:
    """What a pickle would run."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def npz_folder(folder, name, write):
    step = folder / f"{name}.npz-folder"
    step.mkdir()
    write(step / "rd-scaler-8M-35M-pcr-fbpca-1k.npz")


def zipped(path, member, n_bytes, header=b""):
    """An archive of one member of zeros, which compresses a thousandfold."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(member, "w", force_zip64=True) as file,
    ):
        file.write(header)
        for _ in range(n_bytes >> 20):
            file.write(bytes(2**20))


def npy_header(shape, descr="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def write_npz(folder, ran):
    """Pickles in arrays, bombs, and arrays that say they are huge."""
    with np.load(PUBLISHED / "rd-scaler-8M-35M-pcr-fbpca-1k.npz") as file:
        arrays = dict(file)
    for name in ("pca__mean_", "regressor__coef_", "pca__components_", "pca__n_components"):
        objects = {**arrays, name: np.array([Attack(ran)], dtype=object)}
        npz_folder(folder, f"pickle-{name}", lambda path, o=objects: np.savez(path, **o))
    for size in (2**25, 2**28, 2**29 + 2**20):
        shape, member = (size // 8,), "pca__mean_.npy"
        header = npy_header(shape)
        npz_folder(folder, f"bomb-{size}", lambda p, m=member, s=size, h=header: zipped(p, m, s, h))
    npz_folder(folder, "bomb-foreign", lambda path: zipped(path, "other.npy", 2**27))
    for i, shape in enumerate([(10**9,), (10**15,), (10**18,), (2**31, 2**31)]):
        header = npy_header(shape)

        def write(path, header=header):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("pca__mean_.npy", header + bytes(64))

        npz_folder(folder, f"huge-{i}", write)

    def many(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for _ in range(40):
                archive.writestr("pca__mean_.npy", npy_header((2**20,)) + bytes(2**23))

    with pytest.warns(UserWarning, match="Duplicate name"):
        npz_folder(folder, "many", many)


def write_pt(folder, ran, tiny):
    """Pickles that run code, bombs, and models that say they are huge."""
    torch.save({"cfg": Attack(ran), "model": {}}, folder / "pickle.pt")
    torch.save(Attack(ran), folder / "bare.pt")
    torch.save({"cfg": {}, "model": {"a": Attack(ran)}}, folder / "inside.pt")
    torch.save(Attack(ran), folder / "old.pt", _use_new_zipfile_serialization=False)
    zipped(folder / "bomb.pt", "archive/data.pkl", 2**29)
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = torch.load(tiny, weights_only=True)
    for key, value in (
        ("encoder_layers", 10**9),
        ("encoder_embed_dim", 10**12),
        ("encoder_attention_heads", 10**9),
        ("encoder_layers", -1),
    ):
        shape = argparse.Namespace(**{**vars(content["cfg"]["model"]), key: value})
        name = f"shape-{key}-{value}.pt"
        torch.save({"cfg": {"model": shape}, "model": content["model"]}, folder / name)


def write_hugging_face(folder, hugging_face):
    for i, changes in enumerate(
        [
            {"num_hidden_layers": 10**9},
            {"hidden_size": 10**12},
            {"num_attention_heads": 0},
            {"num_hidden_layers": 2**70},
            {"hidden_size": 10**12, "num_attention_heads": 1},
        ]
    ):
        hugging_face(folder / f"{i}.hf", rotary="gone", **changes)


def write_safetensors(folder):
    """Headers that are huge or lie."""
    for n_bytes in (10**8 - 8, 2**40, 2**63, 2**64 - 1):
        with open(folder / f"header-{n_bytes}.safetensors", "wb") as file:
            file.write(n_bytes.to_bytes(8, "little"))
    many = {
        f"{i:06}": {"dtype": "F64", "shape": [0], "data_offsets": [0, 0]} for i in range(200_000)
    }
    contents = {
        "spaces": b"{}" + b" " * 50_000_000,
        "many": json.dumps(many).encode(),
        "deep": b"[" * 1_000_000,
        "overlap": json.dumps(
            {n: {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]} for n in ("mean", "a")}
        ).encode(),
        "outside": b'{"mean":{"dtype":"F64","shape":[99],"data_offsets":[0,792]}}',
        "negative": b'{"mean":{"dtype":"F64","shape":[-1],"data_offsets":[8,0]}}',
        "product": b'{"mean":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}',
    }
    for name, header in contents.items():
        content = len(header).to_bytes(8, "little") + header + bytes(16)
        (folder / f"{name}.safetensors").write_bytes(content)
    text = json.dumps({"format": "reverse distillation chain 1", "dims": [10**12]})
    other = save({"mean": np.zeros(2)}, {"sklearn_revdist": text})
    (folder / "dims.safetensors").write_bytes(other)


def write_text(folder):
    """Lines and records that would fill the memory."""
    zeros = bytes(2**20)
    for name, start in (
        ("line.fasta.gz", b">a\n"),
        ("name.fasta.gz", b">"),
        ("cell.csv.gz", b"name,sequence\na,"),
        ("quoted.csv.gz", b'name,sequence\na,"'),
        ("header.csv.gz", b""),
        ("table.csv.gz", b"sequence,target\nA,"),
    ):
        with gzip.open(folder / name, "wb", compresslevel=1) as file:
            file.write(start)
            for _ in range(512):
                file.write(zeros.replace(b"\0", b"A"))
    with gzip.open(folder / "rows.csv.gz", "wb") as file:
        file.write(b"name,sequence\n")
        for _ in range(32):
            file.write(b"a,MKT\n" * 2**18)
    with gzip.open(folder / "lines.fasta.gz", "wb", compresslevel=1) as file:
        file.write(b">a\n")
        for _ in range(512):
            file.write((b"A" * 63 + b"\n") * 2**14)


def write_links(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("secret")
    (folder / "link.safetensors").symlink_to(outside)
    (folder / "loop.safetensors").symlink_to("loop.safetensors")
    (folder / "link.pt").symlink_to(outside)
    (folder / "link.sqlite").symlink_to(outside)
    (folder / "gone.sqlite").symlink_to(tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory in kB is Linux's")
def test_fifty_hostile_files(tmp_path, tiny, hugging_face):
    folder, ran = tmp_path / "files", tmp_path / "ran"
    folder.mkdir()
    write_npz(folder, ran)
    write_pt(folder, ran, tiny)
    write_hugging_face(folder, hugging_face)
    write_safetensors(folder)
    write_text(folder)
    write_links(folder, tmp_path)
    assert len(os.listdir(folder)) >= 50
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(MEMORY)], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert not ran.exists()
    assert (tmp_path / "outside").read_text() == "secret"
