"""Feed mutated files to every reader: documented exceptions only, in bounded memory.

    python tests/tools/fuzz_readers.py npz --cases 1000000 --seconds 600 --seed 0
    python tests/tools/fuzz_readers.py npz --atheris -max_total_time=600

The first form mutates valid files at random; the second lets atheris (`pip install atheris`) find
inputs that reach new lines. A reader may return, or raise the ValueError or FileNotFoundError that
it documents, in one line that names the file. Everything else ends the run with the input's bytes.
"""

import argparse
import bz2
import gzip
import inspect
import io
import json
import lzma
import resource
import sys
import tempfile
import time
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sklearn_revdist import NaiveChain, ReverseDistiller, read_fasta, read_tasks
from sklearn_revdist.sequences._records import read_records
from sklearn_revdist.tasks._proteins import read_labelled_fasta, read_table
from sklearn_revdist.tasks._residue_tables import read_residue_table
from sklearn_revdist.tasks._residues import read_residue_labels
from sklearn_revdist.tasks._scans import read_scan

PUBLISHED = Path(__file__).parents[1] / "published"
WATCHED = ("sklearn_revdist", "zipfile", "tomllib", "gzip", "csv", "json", "numpy.lib")
MEMORY = 2**30  # beyond what the process has when it begins

FASTA = b">a b=c\nMKTAYIAKQR\nQRQ\n>sp|P1|B SET=test\r\nACDX<mask>\n\n>c\nw\n"
LABELS = b">a SET=train VALIDATION=False\nHHHEEECCCCHHH\n>c SET=test\nHEC\n"
LABELLED = b">a TARGET=1.5 SET=train VALIDATION=False\nMKT\n>b TARGET=2.5 SET=test\nMKV\n"
TABLE = b'sequence,target,split\nMKT,1.5,train\nMKV,2.5,test\n"MKW",nan,validation\n'
SCAN = (
    b"mutant,mutated_sequence,DMS_score\nM1A,AKT,0.5\nK2R,MRT,-1e3\nM1A:K2R,ART,0\n"
    b"p.[Met1Ala;Thr3Ser],AKS,1\nWT,MKT,0\n"
)
RESIDUES = b"protein,position,residue,score\na,1,M,0.5\na,2,K,1.5\nc,3,W,2\n"
RECORDS = b'name,sequence\n"a, b",MKT\nNA,NAN\n,ACD\n'
TASKS = b'[[task]]\nformat = "scan"\npath = "x.csv"\nname = "x"\nmax_per_count = 3\n'
TOKENS = [
    *(b">", b"\n", b"\r", b",", b'"', b"\t", b";", b"\0", b"\xef\xbb\xbf", b"\xff", b"<mask>"),
    *(b"9" * 5000, b"-1", b"1e999", b"nan", b"inf", b"0", b"\xd9\xa3", b"../", b"[" * 3000),
    *(b"null", b"true", b"{}", b"=", b":", b"[[task]]", b"SET=", b"VALIDATION=True", b"TARGET="),
    *(b"'<f8'", b"'|O'", b"(10**9,)", b"(99999999999,)", b"PK\x01\x02", b"\x1f\x8b", b"\x93NUMPY"),
    *(b'"dtype":"F64"', b'"data_offsets":[0,', b'"shape":[', b"18446744073709551615"),
]


def as_it_is(content):
    return content


class Reader(NamedTuple):
    """A file's name, what is mutated, what reads the file, and how the former becomes a file."""

    name: str
    seed: bytes
    read: object
    pack: object = as_it_is


def npz_with(content, members, changed):
    """A zip file of the members, one of them changed, with checksums that match."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, content if name == changed else member)
    return file.getvalue()


def zip_of(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def safetensors_with(header, data):
    return len(header).to_bytes(8, "little") + header + data


def transformed(estimator):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numbers may be huge
        estimator.transform(np.zeros((1, estimator.n_features_in_)))


def folder_of(estimator, path):
    transformed(estimator.from_pretrained(path.parent))


def saved_distiller(path):
    transformed(ReverseDistiller.from_pretrained(path))


def records(path):
    return list(read_records(path))


def readers(folder):
    """The readers by group; what they need beside the fuzzed file is put into the folder."""
    sequences = folder / "sequences.fa"
    sequences.write_bytes(b">a\nMKTAYIAKQRQRQ\n>b\nACD\n>c\nWKW\n")
    (folder / "x.csv").write_bytes(SCAN)
    return {
        "fasta": [
            Reader("f.fasta", FASTA, read_fasta),
            Reader("f.fasta", FASTA, read_fasta, partial(gzip.compress, mtime=0)),
            Reader("f.fasta", gzip.compress(FASTA, mtime=0), read_fasta),
        ],
        "csv": [
            Reader("r.csv", RECORDS, records),
            Reader("r.tsv", RECORDS.replace(b"a, b", b"a b").replace(b",", b"\t"), records),
            Reader("r.csv.xz", RECORDS, records, lzma.compress),
            Reader("r.csv.bz2", bz2.compress(RECORDS), records),
            Reader("r.csv.xz", lzma.compress(RECORDS), records),
            Reader("r.csv.zip", zip_of("r.csv", RECORDS), records),
            Reader("r", RECORDS.decode().encode("utf-16"), records),
            Reader("t.csv", TABLE, partial(read_table, split="split", skip_invalid=True)),
            Reader(
                "t.csv.gz", gzip.compress(TABLE, mtime=0), partial(read_table, skip_invalid=True)
            ),
        ],
        "labels": [
            Reader("s.csv", SCAN, partial(read_scan, skip_invalid=True, max_per_count=1)),
            Reader("l.fa", LABELS, partial(read_residue_labels, sequences, skip_invalid=True)),
            Reader("m.fa", LABELLED, partial(read_labelled_fasta, skip_invalid=True)),
            Reader("q.csv", RESIDUES, partial(residue_table, sequences)),
            Reader("t.toml", TASKS, lambda path: list(read_tasks(path))),
        ],
        "npz": [*published_weights(folder)],
        "safetensors": [*saved_distillers(folder)],
    }


def residue_table(sequences, path):
    read_residue_table(path, sequences, target="score", residue="residue", skip_invalid=True)


def published_weights(folder):
    """Files as they are and, past their checksums, each of their arrays."""
    for estimator, name in (
        (ReverseDistiller, "rd-scaler-8M-35M-pcr-fbpca-1k.npz"),
        (NaiveChain, "naive-scaler-8M-35M-None-fbpca-1k.npz"),
    ):
        path, read = folder / estimator.__name__ / name, partial(folder_of, estimator)
        path.parent.mkdir()
        yield Reader(str(path), (PUBLISHED / name).read_bytes(), read)
        with zipfile.ZipFile(PUBLISHED / name) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        for member, seed in members.items():
            yield Reader(str(path), seed, read, partial(npz_with, members=members, changed=member))


def saved_distillers(folder):
    """A file, and past its checksum the header and the description in it."""
    distiller = ReverseDistiller([2, 3], regressor="ols")
    distiller.fit(np.random.default_rng(0).normal(size=(9, 5)))
    distiller.save_pretrained(folder / "seed.safetensors")
    saved = (folder / "seed.safetensors").read_bytes()
    stop = 8 + int.from_bytes(saved[:8], "little")
    header, data = json.loads(saved[8:stop]), saved[stop:]
    description = json.loads(header["__metadata__"]["sklearn_revdist"])
    del description["sha256"]
    plain = json.dumps(description).encode()

    def described(content):
        text = content.decode("utf-8", "replace")
        changed = {**header, "__metadata__": {"sklearn_revdist": text}}
        return safetensors_with(json.dumps(changed).encode(), data)

    unchecked = described(plain)[8:][: -len(data)]
    name = "d.safetensors"
    yield Reader(name, saved, saved_distiller)
    yield Reader(name, unchecked, saved_distiller, partial(safetensors_with, data=data))
    yield Reader(name, plain, saved_distiller, described)


def mutated(content, rng):
    """The content after one to eight small changes."""
    for _ in range(int(rng.integers(1, 9))):
        n = len(content)
        at = int(rng.integers(n + 1))
        to = min(n, at + int(rng.integers(1, 65)))
        match int(rng.integers(6)):
            case 0:
                content = content[:at] + bytes([int(rng.integers(256))]) + content[at + 1 :]
            case 1:
                content = content[:at] + TOKENS[int(rng.integers(len(TOKENS)))] + content[at:]
            case 2:
                content = content[:at] + TOKENS[int(rng.integers(len(TOKENS)))] + content[to:]
            case 3:
                content = content[:at] + content[to:]
            case 4:
                content = content[:to] + content[at:]
            case 5:
                content = content[:at] if rng.random() < 0.2 else content[:at] + content[at + 1 :]
    return content


def try_one(folder, reader, content):
    """Read a content; whether it was read, and an error if it was neither read nor refused."""
    path = folder / reader.name
    path.write_bytes(reader.pack(content))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", ".* stop codon")  # documented
            reader.read(path)
    except (ValueError, FileNotFoundError) as error:
        named = path.name in str(error) or str(path.parent) in str(error)
        if isinstance(error, UnicodeError) or not named or "\n" in str(error):
            raise AssertionError(f"{type(error).__name__} is not documented: {error}") from error
        return False
    finally:
        path.unlink()
    return True


def fuzz(group, n_cases, seconds, seed):
    """Mutated files until so many or so long; returns how many were tried and how many read."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder, n_read, n_tried = Path(name), 0, 0
        chosen = readers(folder)[group]
        for reader in chosen:
            assert try_one(folder, reader, reader.seed), reader.name
        end = time.monotonic() + seconds
        while n_tried < n_cases and time.monotonic() < end:
            reader = chosen[int(rng.integers(len(chosen)))]
            content = mutated(reader.seed, rng)
            try:
                n_read += try_one(folder, reader, content)
            except BaseException:
                print(f"{reader.name}: {content!r}", file=sys.stderr)
                raise
            n_tried += 1
    return n_tried, n_read


def instrumented(atheris):
    """Let atheris see which lines of ours, and of the parsers that we call, an input reaches."""
    modules = [(name, module) for name, module in sys.modules.items() if name.startswith(WATCHED)]
    for name, module in modules:
        for made in vars(module).values():
            for member in vars(made).values() if inspect.isclass(made) else [made]:
                function = inspect.unwrap(getattr(member, "__func__", member))
                if inspect.isfunction(function) and function.__module__ == name:
                    atheris.instrument_func(function)


def fuzz_with_atheris(group, arguments):
    import atheris

    instrumented(atheris)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = readers(folder)[group]
        corpus = folder / "corpus"
        corpus.mkdir()
        for i, reader in enumerate(chosen):
            (corpus / str(i)).write_bytes(bytes([i]) + reader.seed)

        def one(data):
            if data:
                try_one(folder, chosen[data[0] % len(chosen)], data[1:])

        atheris.Setup([sys.argv[0], *arguments, str(corpus)], one)
        atheris.Fuzz()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("group", choices=["fasta", "csv", "labels", "npz", "safetensors"])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    arguments, rest = parser.parse_known_args()
    if arguments.atheris:
        fuzz_with_atheris(arguments.group, rest)
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    n_tried, n_read = fuzz(arguments.group, arguments.cases, arguments.seconds, arguments.seed)
    print(f"{arguments.group}: {n_tried} files, {n_read} read, {n_tried - n_read} refused")


if __name__ == "__main__":
    main()
