"""Read the tasks of `retrieval.py`: what is known of database sequences, and asked of queries."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_revdist import read_fasta

STANDARD = re.compile("[ACDEFGHIKLMNPQRSTVWY]{20,1022}")
SUBSTITUTIONS = str.maketrans("UZOBJ", "CEKDL")


class Part(NamedTuple):
    """Sequences, and what is to be known of each.

    Attributes
    ----------
    sequences : list of str
    labels : ndarray of shape (n_sequences,)
    """

    sequences: list[str]
    labels: np.ndarray


def localisation(data):
    """DeepLoc 1.0: the validation part of its training set, by its test set; ten classes."""
    folder = data / "localisation"
    return tuple(
        part(
            (header.split()[1].rpartition("-")[0], sequence)
            for header, sequence in records(folder / f"deeploc_{name}_set.fasta.gz")
            if not header.split()[1].startswith("Cytoplasm-Nucleus")
        )
        for name in ("test", "our_val")
    )


def signal_peptides(data):
    """SignalP 6 by TMbed: five classes; the third of its partitions by the others."""
    known, asked = [], []
    for header, sequence in records(data / "sequences" / "tmbed_all_seq.fasta.gz"):
        fields = header.split("|")
        if len(fields) == 4:  # others are of known structure, with another header
            (asked if fields[3] == "2" else known).append((fields[2], sequence))
    return part(known), part(asked)


def metal_binding(data):
    """Whether a protein binds a metal ion; by the split of Hu et al. 2022."""
    folder = data / "metal"
    tables = [
        pd.read_csv(folder / f"mib_hu2022_{name}.tsv.gz", sep="\t", names=["sequence", "label"])
        for name in ("train", "test")
    ]
    return tuple(part(zip(t["label"].astype(str), t["sequence"], strict=True)) for t in tables)


def orthologues(data):
    """Proteins of E. coli, by those of Synechocystis with the same name of a gene."""
    folder = data / "sequences" / "uniprot_proteomes"
    known, asked = (
        part(
            (found[1], sequence)
            for header, sequence in records(folder / f"{name}.fasta.gz")
            for found in [re.search(r"GN=(\S+)", header)]
            if found
        )
        for name in ("UP000001425-Synechocystis", "UP000000625-E.coli")
    )
    shared = np.isin(asked.labels, known.labels)
    kept = [s for s, keep in zip(asked.sequences, shared, strict=True) if keep]
    return known, Part(kept, asked.labels[shared])


TASKS = {
    "localisation": localisation,
    "signal peptides": signal_peptides,
    "metal binding": metal_binding,
    "orthologues": orthologues,
}
# Real ESM-2 8M embeddings of peptides, and which rows are asked for.
PEPTIDES = {"bitter peptides": "bitter", "toxic peptides": "toxicity"}


def records(path: Path):
    """Headers and sequences of a file."""
    return zip(*read_fasta(path), strict=True)


def part(pairs):
    """Pairs of a label and a sequence; those that models cannot embed whole are left out."""
    kept = {}
    for label, sequence in pairs:
        sequence = sequence.upper().translate(SUBSTITUTIONS)
        if STANDARD.fullmatch(sequence):
            kept.setdefault(sequence, label)
    return Part(list(kept), np.array(list(kept.values())))
